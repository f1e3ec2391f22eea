"""`kind: riddle_sense`: riddles with five options, as OpenThoughts takes them: shuffled, the first 1,250.

The shuffle is that of `datasets.Dataset.shuffle`: NumPy's `default_rng(seed).permutation(rows)`, so that the same rows
come in the same order as in the reference (open-thoughts/open-thoughts, `open_thoughts/puzzle/puzzle.py`).
"""

from collections.abc import Iterator
from typing import ClassVar

from pydantic import Field

from curate.records import Choice, Drop, Question
from curate.sources._picked import Rows
from curate.sources._published import PARQUET, Left, Origin, Part, Published, Row
from curate.sources.files import Place
from curate.sources.row_reader import RawRow
from curate.sources.values import WrongType, given, letter, option_labels, option_texts, text


class RiddleSense(Published):
    """RiddleSense, with five options for each riddle; from the hub's order, the rows are those that OpenThoughts took.

    The answers of the test split are hidden: each of its rows is a Drop (reason `no_answer`).
    """

    origin: ClassVar[Origin] = Origin(
        repo="INK-USC/riddle_sense",
        splits=("train", "validation", "test"),
        features={
            "answerKey": "string",
            "question": "string",
            "choices": {"label": ["string"], "text": ["string"]},
        },
        evidence=(
            "huggingface/datasets: datasets/riddle_sense/README.md",
            "tensorflow/datasets: docs/community_catalog/huggingface/riddle_sense.md",
            "open-thoughts/open-thoughts: open_thoughts/puzzle/puzzle.py",
        ),
        confirmed=True,
        licence="other",
        revision=PARQUET,
        files="default/{split}/*.parquet",
        note="3,510 rows in train, 1,021 in validation, 1,184 in test. For research only, not for commercial use. The "
        "set has a loading script, so the hub's Parquet revision is read.",
    )
    domain: ClassVar[str] = "puzzle"

    take: int | None = Field(1250, ge=1, description="How many rows of the shuffled set to take; null: every row.")
    seed: int | None = Field(42, ge=0, description="Seed of the shuffle; null: the set's own order.")

    def items(self, rows: Rows) -> Iterator[Question | Drop]:
        """The rows taken, in shuffled order, then a Drop for each of the others (reason `not_sampled`)."""
        places = [(part, raw.place) for part, raw in rows]  # once to count them: the shuffle depends on their number
        order = self._order(len(places))
        wanted = {number: turn for turn, number in enumerate(order)}
        taken: list[tuple[Part, RawRow] | None] = [None] * len(order)
        for number, (part, raw) in enumerate(self.rows()):
            if number in wanted:
                taken[wanted[number]] = (part, raw)
        for one in taken:
            assert one is not None  # the second reading of the same set
            yield self.item(*one)
        for number, (part, place) in enumerate(places):
            if number not in wanted:
                yield self._not_taken(part, place)

    def _order(self, rows: int) -> list[int]:
        import numpy as np

        order = range(rows) if self.seed is None else np.random.default_rng(self.seed).permutation(rows).tolist()
        return list(order)[: self.take]

    def _not_taken(self, part: Part, place: Place) -> Drop:
        return self.left(part, place, "not_sampled", take=self.take, seed=self.seed)

    def question(self, row: Row, part: Part) -> Question:
        """The question with its options below it, as `A: text`; the answer is a letter. Raises Left, WrongType."""
        options, labels = option_texts(row["choices"]), option_labels(row["choices"])
        if not given(row["answerKey"]):
            raise Left("no_answer")
        right = letter(row["answerKey"], options, labels)
        if options.count(options[ord(right) - ord("A")]) > 1:
            raise WrongType("the right option stands there twice")
        listed = "".join(f"\n{chr(ord('A') + n)}: {option}" for n, option in enumerate(options))
        return self.made(text(row["question"] or "") + listed, Choice(letter=right, options=options))
