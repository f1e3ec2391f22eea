r"""`kind: grid`: is the grid that a solution gives, cell by cell, the right one (ARC)?

A grid is read from a JSON list of rows, from lines of digits (`0 1 2`, `0,1,2`, `012`, `| 0 | 1 |`, `[0, 1, 2]`) or
from a LaTeX matrix. Two attempts count only where the solution says that there are two (`attempt 1:` and `attempt 2:`,
or an object with `attempt_1` and `attempt_2`); else the last grid is the answer.
"""

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from pydantic import Field

from curate.kinds import Verifier
from curate.records import Attempt, Grid, Question, Truth, Verdict
from curate.verifiers.extract import solution_part
from curate.verifiers.verdict import verdict_of

if TYPE_CHECKING:
    from curate.resources import Resources

Cells = tuple[tuple[int, ...], ...]

_LARGEST = 400_000  # characters of a solution that are searched; an ARC grid has at most 900 cells
_LIST_LARGEST = 20_000  # characters of one list
_LISTS_LARGEST = 2_000_000  # characters read in all of them
_LIST = re.compile(r"[\[(]\s*[\[(]\s*-?\d")
# Of one line without its brackets or bars. No gap can be read in two ways: a long one takes linear time.
_LISTED = re.compile(r"-?\d+(?:(?:\s*,\s*|\s+)-?\d+)*")
_SPACED = re.compile(r"-?\d+(?:(?:[ \t]*[,|;][ \t]*|[ \t]+)-?\d+)*")
_LINE_LARGEST = 4000  # characters
_MATRIX = re.compile(r"\\begin\s{0,3}\{(?:[a-z]{0,8}matrix|array)\}(?:\s{0,3}\{[^{}]{0,80}\})?")
_NAMED = re.compile(r"\battempt[ _-]{0,2}([12])\b[\"'*_]{0,4}[ \t]{0,3}[:=\n]", re.IGNORECASE)
_SPLIT = re.compile(r"[\s,|;]+")


class Found(NamedTuple):
    """A grid in a text: its rows (perhaps of unequal length) and where it stands."""

    rows: Cells
    start: int
    end: int


class CellByCell(Verifier):
    """Compares cells exactly: shape and every value."""

    takes: ClassVar[tuple[type[Truth], ...]] = (Grid,)

    attempts: int = Field(2, ge=1, le=2, description="How many attempts a solution may name; ARC allows two.")

    async def verify(self, question: Question, attempt: Attempt, resources: "Resources") -> Verdict:
        """`fail/no_answer` where there is no grid, `unsure/unparsable` where its rows are of unequal length."""
        assert isinstance(question.truth, Grid)
        right = question.truth.cells
        evidence: dict[str, Any] = {"reference_shape": _shape(right)}
        text = solution_part(attempt.solution)
        if len(text) > _LARGEST:
            return verdict_of(self, "unsure", "unparsable", {**evidence, "screened": "too long"})
        given = find_attempts(text)[: self.attempts]
        if not given:
            return verdict_of(self, "fail", "no_answer", evidence)
        evidence |= {"attempts": len(given), "shapes": [_shape(rows) for rows in given]}
        if right in given:
            return verdict_of(self, "pass", "ok", {**evidence, "right_attempt": given.index(right) + 1})
        if any(len({len(row) for row in rows}) > 1 for rows in given):
            return verdict_of(self, "unsure", "unparsable", {**evidence, "message": "rows of unequal length"})
        nearest = min((_different(right, rows) for rows in given if _shape(rows) == _shape(right)), default=None)
        return verdict_of(self, "fail", "wrong_answer", {**evidence, "different_cells": nearest})


def find_attempts(text: str) -> list[Cells]:
    """The grids that a solution gives as its answer: one, or two where it names two attempts; empty where none."""
    grids = sorted([*_lists(text), *_matrices(text), *_lines(text)], key=lambda one: (one.end, -one.start))
    if not grids:
        return []
    named: list[Cells] = []
    marks = {mark[1]: mark.end() for mark in _NAMED.finditer(text)}  # the last of each number
    for number in ("1", "2"):
        following = [one for one in grids if number in marks and one.start >= marks[number]]
        named += [min(following, key=lambda one: (one.start, -one.end)).rows] if following else []
    return named if len(named) == 2 else [grids[-1].rows]


def _lists(text: str) -> Iterator[Found]:
    """Lists of lists of whole numbers, as JSON or Python writes them, on one line or several."""
    end = done = 0
    for match in _LIST.finditer(text):
        if match.start() < end or done > _LISTS_LARGEST:
            continue
        closed, read = _closing(text, match.start())
        done += read
        if not closed:
            continue
        written = text[match.start() : match.start() + read].replace("(", "[").replace(")", "]")
        try:
            rows = _cells(json.loads(re.sub(r",\s*\]", "]", written)))
        except (ValueError, RecursionError):
            continue
        if rows is not None:
            end = match.start() + read
            yield Found(rows, match.start(), end)


def _closing(text: str, start: int) -> tuple[bool, int]:
    """Whether the list that opens at `start` closes, and how many characters were read for it."""
    depth = 0
    for read, character in enumerate(text[start : start + _LIST_LARGEST], 1):
        if character in "[(":
            depth += 1
        elif character in "])":
            depth -= 1
            if depth == 0:
                return True, read
        elif character not in "-0123456789, \t\r\n":
            return False, read
    return False, _LIST_LARGEST


def _cells(value: Any) -> Cells | None:
    if not isinstance(value, list) or not value or not all(isinstance(row, list) and row for row in value):
        return None
    if not all(type(cell) is int for row in value for cell in row):
        return None
    return tuple(tuple(row) for row in value)


def _matrices(text: str) -> Iterator[Found]:
    for match in _MATRIX.finditer(text):
        end = text.find("\\end", match.end(), match.end() + _LIST_LARGEST)
        if end < 0:
            continue
        lines = text[match.end() : end].replace(r"\hline", "").split(r"\\")
        try:
            rows = tuple(tuple(int(cell) for cell in line.split("&")) for line in lines if line.strip())
        except ValueError:
            continue
        if rows:
            yield Found(rows, match.start(), end)


def _lines(text: str) -> Iterator[Found]:
    """Runs of lines that hold nothing but numbers; a run of one counts only in a block of its own, or as the last."""
    run: list[tuple[int, ...]] = []
    start = end = place = 0
    before = ""
    for line in [*text.splitlines(keepends=True), ""]:
        row = _row(line)
        if row is not None:
            start = start if run else place
            run.append(row)
            end = place + len(line)
        elif not (run and _is_rule(line)):
            fenced = before.lstrip().startswith("```")
            if len(run) > 1 or (run and (fenced or (len(run[0]) > 1 and not text[end:].strip()))):
                yield Found(tuple(run), start, end)
            run = []
            before = line
        place += len(line)


def _is_rule(line: str) -> bool:
    """Whether a line stands below the head of a Markdown table."""
    return "-" in line and not line.strip("-:| \t\r\n")


def _row(line: str) -> tuple[int, ...] | None:
    if len(line) > _LINE_LARGEST:
        return None
    text = line.strip()
    listed = text.startswith(("[", "("))
    if listed:
        text = text.removesuffix(",").rstrip()
        if not text.endswith(("]", ")")):
            return None
        text = text[1:-1].strip().removesuffix(",").rstrip()
    else:
        text = text.removeprefix("|").removesuffix("|").strip()
    if not (_LISTED if listed else _SPACED).fullmatch(text):
        return None
    words = _SPLIT.split(text)
    if len(words) == 1 and not listed:
        return tuple(map(int, words[0])) if words[0].isdecimal() and words[0].isascii() else None
    return tuple(int(word) for word in words) if all(len(word) < 10 for word in words) else None


def _shape(rows: Cells) -> list[int]:
    return [len(rows), max(map(len, rows), default=0)]


def _different(one: Cells, other: Cells) -> int:
    return sum(a != b for left, right in zip(one, other, strict=True) for a, b in zip(left, right, strict=True))
