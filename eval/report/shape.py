"""What a report is made of, before it is HTML or Markdown: sections of words, tables, charts and traces."""

from typing import Any, NamedTuple

_LONGEST = 300  # characters of a cell


class Cell(NamedTuple):
    """What a cell of a table shows, and what the table is sorted by (the text where there is no number)."""

    text: str
    key: float | None = None


class Table(NamedTuple):
    """A table; every row has as many cells as the head."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""


class Chart(NamedTuple):
    """A chart: `kind` is its CSS class, `svg` markup of ours."""

    kind: str
    title: str
    svg: str


class Side(NamedTuple):
    """What one model wrote; both texts are rendered HTML."""

    model: str
    facts: str
    reasoning: str
    solution: str


class Trace(NamedTuple):
    """One question with what the models wrote to it, side by side; texts are rendered HTML."""

    title: str
    problem: str
    reference: str
    sides: tuple[Side, ...]


class Section(NamedTuple):
    """A part of the report. `place` is its address in the page."""

    place: str
    title: str
    words: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    charts: tuple[Chart, ...] = ()
    traces: tuple[Trace, ...] = ()


def cell(value: Any) -> Cell:
    """A cell of words (at most 300 characters) or of a plain number; empty for None."""
    if value is None:
        return Cell("")
    if isinstance(value, bool):
        return Cell("yes" if value else "no", float(value))
    if isinstance(value, int):
        return Cell(f"{value:,}", float(value))
    if isinstance(value, float):
        return Cell(f"{value:,.4g}", value)
    words = " ".join(str(value).split())
    return Cell(words if len(words) <= _LONGEST else words[: _LONGEST - 1] + "…")


def percent(share: float | None, places: int = 1) -> Cell:
    """A share as percent; empty for None and for what is no number."""
    return Cell("") if share is None or share != share else Cell(f"{100 * share:.{places}f}", share)


def between(low: float | None, high: float | None) -> Cell:
    """The bounds of an interval in percent, sorted by the lower one."""
    return Cell("") if low is None or high is None else Cell(f"{100 * low:.1f} to {100 * high:.1f}", low)
