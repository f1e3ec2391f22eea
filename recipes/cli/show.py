"""How results look on standard output: tables for people, JSON for programs."""

import json
import shutil
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import typer


def as_json(value: Any) -> None:
    """One JSON document."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table whose columns are as wide as they need; numbers stand to the right, the last column is wrapped."""
    texts = [[_cell(value) for value in row] for row in rows]
    room = max(_width() - sum(max(len(line[c]) for line in [head, *texts]) + 2 for c in range(len(head) - 1)), 30)
    texts = [line for text in texts for line in _wrapped(text, room)]
    widths = [max(len(line[column]) for line in [list(head), *texts]) for column in range(len(head))]
    right = [
        bool(rows) and all(isinstance(row[column], int | float | None) for row in rows) for column in range(len(head))
    ]
    for line in [list(head), ["-" * width for width in widths], *texts]:
        cells = [
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(line, widths, right, strict=True)
        ]
        typer.echo("  ".join(cells).rstrip())


def pairs(values: Mapping[str, object], indent: str = "") -> None:
    """One `name  value` line each."""
    width = max((len(name) for name in values), default=0)
    for name, value in values.items():
        typer.echo(f"{indent}{name.ljust(width)}  {_cell(value)}")


def _wrapped(line: list[str], room: int) -> list[list[str]]:
    """One line for each piece of the last cell; the other cells stand in the first."""
    pieces = textwrap.wrap(line[-1], room, break_long_words=False, break_on_hyphens=False) or [""]
    return [[*line[:-1], pieces[0]], *([*[""] * (len(line) - 1), piece] for piece in pieces[1:])]


def _width() -> int:
    return shutil.get_terminal_size((120, 24)).columns


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4g}"
    return str(value)
