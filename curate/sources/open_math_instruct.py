"""`kind: open_math_instruct`: the problems of OpenMathInstruct-2, one of OpenThoughts3's two sources of math.

Most were made up by a model from those of MATH and GSM8K, and so were their answers (`augmented_...`): many models
agreed on them. A problem stands there once for each of its solutions: dedup it by `rule: exact`.
"""

from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import Field

from curate.records import Answer, Drop, Question
from curate.sources._picked import Rows, among
from curate.sources._published import Left, Origin, Part, Published, Row
from curate.sources.values import given, label, text

ProblemSource = Literal["math", "gsm8k", "augmented_math", "augmented_gsm8k"]


class OpenMathInstruct(Published):
    """OpenMathInstruct-2's problems; the solutions, written by a model, stay unread.

    A problem stands there once for each of its solutions: dedup it by `rule: exact`. The answers of `augmented_...`
    problems are what most of a model's solutions agreed on.
    """

    origin: ClassVar[Origin] = Origin(
        repo="nvidia/OpenMathInstruct-2",
        splits=("train", "train_1M", "train_2M", "train_5M"),
        features=dict.fromkeys(("problem", "generated_solution", "expected_answer", "problem_source"), "string"),
        evidence=(
            "https://huggingface.co/datasets/JINIAC-competition/OpenMathInstruct-2-augmented-math/blob/main/README.md",
            "https://huggingface.co/datasets/nvidia/OpenMathInstruct-2/tree/main",
        ),
        confirmed=True,
        licence="cc-by-4.0",
        gigabytes=8.0,
        note="14 million rows in train; the other splits are fair samples of it. The column types are those of a cut "
        "of it that states them.",
    )
    domain: ClassVar[str] = "math"

    split: str = Field("train_1M", description="The split.")
    problem_sources: tuple[ProblemSource, ...] | None = Field(
        None, min_length=1, description="Only rows of these sources (`problem_source`); others are not read."
    )

    def items(self, rows: Rows) -> Iterator[Question | Drop]:
        """The rows of the chosen sources."""
        return super().items(among(self, rows, "problem_source", self.problem_sources))

    def question(self, row: Row, part: Part) -> Question:
        """The expected answer as it stands. Raises Left."""
        if self.problem_sources and not given(row["problem_source"]):
            raise Left("no_subset")
        if not given(row["expected_answer"]):
            raise Left("no_answer")
        answer = Answer(text=label(row["expected_answer"]))
        return self.made(text(row["problem"] or ""), answer, meta={"problem_source": row["problem_source"]})
