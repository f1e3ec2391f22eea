"""`kind: gsm8k`: grade-school word problems with a worked solution whose last line is `#### ` and the answer."""

from typing import ClassVar

from curate.records import Answer, Question
from curate.sources._published import Left, Origin, Part, Published, Row
from curate.sources.values import given, text

_MARK = "#### "


class Gsm8k(Published):
    """GSM8K; the `socratic` configuration has the same questions with other worked solutions."""

    origin: ClassVar[Origin] = Origin(
        repo="openai/gsm8k",
        configs=("main", "socratic"),
        splits=("train", "test"),
        features={"question": "string", "answer": "string"},
        evidence=(
            "https://huggingface.co/datasets/openai/gsm8k/commit/24cabd494c5be8001358a76e683fbddc41666a13",
            "openai/grade-school-math: grade_school_math/data/train.jsonl",
        ),
        confirmed=True,
        licence="mit",
        note="7,473 rows in train, 1,319 in test.",
    )
    domain: ClassVar[str] = "math"

    def question(self, row: Row, part: Part) -> Question:
        """The answer is what stands behind the last `#### `. Raises Left."""
        worked = row["answer"]
        if not given(worked):
            raise Left("no_solution")
        before, mark, answer = text(worked).rpartition(_MARK)
        if not mark or not answer.strip() or not before.strip():
            raise Left("no_answer", mark=_MARK.strip())
        return self.made(text(row["question"] or ""), Answer(text=answer.strip()), gold=worked)
