"""The loss curve: in the terminal, and as a PNG, drawn by the matplotlib that the training interpreter has anyway."""

import json
import math
import subprocess
from collections.abc import Sequence
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

from curate.errors import InputError, Prerequisite
from train.environment import quiet
from train.readings import Point

_DRAW_S = 180.0
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # of a braille character: 4 rows of 2
_BLANK = 0x2800
_LABEL = 8  # characters of the scale at the left


def text(found: Sequence[Point], width: int = 72, height: int = 12) -> str:
    """The curve in `width` columns and `height` lines of braille dots, its scale at the left, steps below.

    Where several steps share a column of dots, their mean stands there. Empty where there is no loss yet. A loss that
    is no number any more (nan, inf) has no dot.
    """
    losses = _drawable(found)
    if not losses:
        return ""
    columns, rows = max(2, width - _LABEL - 1) * 2, height * 4
    first, last = losses[0][0], losses[-1][0]
    sums: dict[int, tuple[float, int]] = {}
    for step, loss in losses:
        column = round((step - first) / max(1, last - first) * (columns - 1))
        total, count = sums.get(column, (0.0, 0))
        sums[column] = (total + loss, count + 1)
    means = {column: total / count for column, (total, count) in sums.items()}
    low, high = min(means.values()), max(means.values())
    heights = {column: round((high - mean) / ((high - low) or 1) * (rows - 1)) for column, mean in means.items()}
    cells = [[0] * (columns // 2) for _ in range(height)]
    for column, row in _joined(heights):
        cells[row // 4][column // 2] |= _DOTS[row % 4][column % 2]
    lines = []
    for number, line in enumerate(cells):
        scale = {height - 1: f"{low:.3g}" if low < high else "", 0: f"{high:.3g}"}.get(number, "")
        lines.append(f"{scale:>{_LABEL - 1}} {''.join(chr(_BLANK + cell) for cell in line)}".rstrip("\u2800 "))
    left = f"step {first:,}"
    return "\n".join([*lines, " " * _LABEL + left + f"{last:,}".rjust(columns // 2 - len(left))])


def _drawable(found: Sequence[Point]) -> list[tuple[int, float]]:
    return [(one.step, one.loss) for one in found if one.loss is not None and math.isfinite(one.loss)]


def _joined(heights: dict[int, int]) -> list[tuple[int, int]]:
    """The dots of a line through (column, row) pairs: upright between neighbours, straight over gaps."""
    dots: list[tuple[int, int]] = []
    pairs = sorted(heights.items())
    for (column, row), (there, target) in pairwise(pairs):
        long = max(there - column, abs(target - row), 1)
        dots += [(column + round(k * (there - column) / long), row + round(k * (target - row) / long))
                 for k in range(long)]  # fmt: skip
    return [*dots, pairs[-1]]


def png(found: Sequence[Point], path: Path, python: Path, title: str) -> None:
    """Draw the curve into `path`.

    Raises InputError where there is no loss yet or the file cannot be written, Prerequisite where `python` has no
    matplotlib.
    """
    losses = _drawable(found)
    if not losses:
        raise InputError("there is no loss in the log yet", where=title, next="wait for the first steps")
    path.parent.mkdir(parents=True, exist_ok=True)
    script = files("train").joinpath("inside", "draw.py")
    said = {"title": title, "steps": [step for step, _ in losses], "losses": [loss for _, loss in losses]}
    done = subprocess.run(
        [str(python), "-I", str(script), str(path.absolute())],
        input=json.dumps(said), capture_output=True, text=True, timeout=_DRAW_S, env=quiet(), check=False,
    )  # fmt: skip
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        if "matplotlib" in last:
            raise Prerequisite(f"no matplotlib in {python}", where=str(path), next="veristill train setup")
        raise InputError(f"the curve could not be drawn: {last}", where=str(path))
