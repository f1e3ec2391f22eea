"""`kind: arc_agi`: the grid tasks of ARC-AGI 1 and 2, one question for each test grid of a task.

A question shows the task's pairs and the test grid, row by row; the truth is the grid that the rule makes of it.
"""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from curate.keys import digest
from curate.records import Drop, Grid, Question
from curate.sources._editions import Editions, either
from curate.sources._picked import Rows
from curate.sources._published import Left, Origin, Part, Row
from curate.sources.row_reader import RawRow
from curate.sources.values import WrongType, cells, given, label

Cells = tuple[tuple[int, ...], ...]
_PAIRS = [{"input": [["int64"]], "output": [["int64"]]}]
_TESTS = ("test", "question")  # the column of test pairs, in either edition
_NUMBER = "number of the test pair"
_ASKED = (
    "Each pair below is a grid of whole numbers and the grid that one and the same rule makes of it. Find the rule and "
    "apply it to the last grid."
)
_EDITIONS = {
    "arc_agi_1": Origin(
        repo="lordspline/arc-agi",
        splits=("training", "evaluation"),
        features={"train": _PAIRS, "test": _PAIRS},
        evidence=(
            "https://huggingface.co/datasets/lordspline/arc-agi/blob/"
            "5ebec658dfafd67ec4087edce29f264bcce5eb9f/README.md",
            "fchollet/ARC-AGI: README.md and data/training",
        ),
        confirmed=True,
        licence="apache-2.0",
        note="`edition: 1`: 400 tasks in each split, 416 and 419 questions. A copy of fchollet/ARC-AGI, whose "
        "licence is named here.",
    ),
    "arc_agi_2": Origin(
        repo="arc-agi-community/arc-agi-2",
        splits=("train", "test"),
        features={"fewshots": _PAIRS, "question": _PAIRS},
        evidence=(
            "huggingface/lighteval: src/lighteval/tasks/tasks/arc_agi_2.py",
            "arcprize/ARC-AGI-2: readme.md and data",
        ),
        confirmed=False,
        licence="apache-2.0",
        note="`edition: 2`: 1,000 and 120 tasks, 1,076 and 167 questions. A copy of arcprize/ARC-AGI-2, whose "
        "licence is named here; its column names stand in public loaders, their types were not seen stated.",
    ),
}


class ArcAgi(Editions):
    """ARC-AGI. A file of one's own has a task a row: `train`, `test` (lists of input and output) and perhaps `id`."""

    editions: ClassVar[Mapping[str, Origin]] = _EDITIONS
    origin: ClassVar[Origin] = _EDITIONS["arc_agi_1"]
    domain: ClassVar[str] = "puzzle"

    edition: Literal[1, 2] = Field(1, description="ARC-AGI 1 or ARC-AGI 2.")
    split: str = Field("training", description="`training`, `evaluation` or `all`.")

    def edition_name(self) -> str:
        """The edition's key."""
        return f"arc_agi_{self.edition}"

    def edition_splits(self) -> tuple[str, ...]:
        """The splits under the names that the edition's repository gives them."""
        named = dict(zip(self.origin.splits, self.edition_origin().splits, strict=True))
        return tuple(named.get(split, split) for split in self.splits())

    def items(self, rows: Rows) -> Iterator[Question | Drop]:
        """A question for each test pair."""
        return super().items((part, one) for part, raw in rows for one in _by_test(raw))

    def question(self, row: Row, part: Part) -> Question:
        """The question of one test pair. Raises Left, WrongType."""
        pairs, test, number = either(row, "train", "fewshots"), either(row, *_TESTS), row[_NUMBER]
        if not isinstance(pairs, list) or not pairs:
            raise WrongType("expected a list of pairs that show the rule")
        shown = [_ASKED]
        for n, pair in enumerate(pairs, 1):
            shown += [f"Pair {n}, input:\n{_lines(pair, 'input')}", f"Pair {n}, output:\n{_lines(pair, 'output')}"]
        shown.append(f"Last grid, input:\n{_lines(test, 'input')}")
        shown.append("Last grid, output: to be found.")
        if not given(test.get("output")):
            raise Left("no_answer")
        task = label(row["id"]) if given(row.get("id")) else digest(pairs)[:8]
        return self.made(
            "\n\n".join(shown),
            Grid(cells=_grid(test, "output")),
            source_id=f"{task}-{number}",
            meta={"edition": self.edition, "task": task},
        )


def _by_test(raw: RawRow) -> Iterator[RawRow]:
    """A row for each test pair; a row without any is passed on, so that its reading says what is wrong."""
    column = next((name for name in _TESTS if name in raw.values), None)
    tests = raw.values[column] if column else None
    if column is None or not isinstance(tests, list) or not tests:
        yield RawRow(raw.place, {**raw.values, _NUMBER: 0})
        return
    for number, test in enumerate(tests):
        yield RawRow(raw.place, {**raw.values, column: test, _NUMBER: number})


def _grid(pair: Any, side: str) -> Cells:
    if not isinstance(pair, Mapping) or side not in pair:
        raise WrongType(f"expected a pair with `{side}`")
    return cells(pair[side])


def _lines(pair: Any, side: str) -> str:
    return "\n".join(" ".join(map(str, line)) for line in _grid(pair, side))
