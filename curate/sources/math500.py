"""`kind: math500`: MATH-500, the 500 test problems of MATH that evaluations use."""

from typing import ClassVar

from pydantic import Field

from curate.records import Answer, Question
from curate.sources._published import Left, Origin, Part, Published, Row
from curate.sources.values import given, label, text


class Math500(Published):
    """MATH-500: a benchmark, whose questions belong in no training set."""

    origin: ClassVar[Origin] = Origin(
        repo="HuggingFaceH4/MATH-500",
        splits=("test",),
        features={
            "problem": "string",
            "solution": "string",
            "answer": "string",
            "subject": "string",
            "level": "int64",
            "unique_id": "string",
        },
        evidence=(
            "https://huggingface.co/datasets/lmms-lab/MATH500/blob/main/README.md",
            "https://huggingface.co/datasets/macabdul9/MATH-500/blob/main/README.md",
            "GAIR-NLP/LIMO: eval/data/math/test.jsonl",
        ),
        confirmed=True,
        licence="mit",
        note="500 rows. The hub states no licence; MATH itself is under the MIT licence.",
    )
    domain: ClassVar[str] = "math"

    split: str = Field("test", description="The split.")

    def question(self, row: Row, part: Part) -> Question:
        """The answer column as it stands. Raises Left."""
        answer = row["answer"]
        if not given(answer):
            raise Left("no_answer")
        return self.made(
            text(row["problem"] or ""),
            Answer(text=label(answer)),
            source_id=label(row["unique_id"]) if given(row["unique_id"]) else "",
            gold=row["solution"],
            meta={"subject": row["subject"], "level": row["level"]},
        )
