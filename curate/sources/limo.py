"""`kind: limo`: the questions of LIMO, 817 competition problems picked for how much they teach."""

from typing import ClassVar

from curate.records import Answer, Question
from curate.sources._published import Left, Origin, Part, Published, Row
from curate.sources.values import given, label, text


class Limo(Published):
    """LIMO's questions and answers. Its `solution` column is a model's trace and stays unread: it is no reference."""

    origin: ClassVar[Origin] = Origin(
        repo="GAIR/LIMO",
        features={"question": "string", "solution": "string", "answer": "string"},
        evidence=(
            "https://huggingface.co/datasets/GAIR/LIMO/tree/main",
            "https://huggingface.co/datasets/sunyiyou/limo/blob/main/README.md",
        ),
        confirmed=True,
        licence="apache-2.0",
        note="817 rows, one JSON lines file; the column types are those of a copy that states them.",
    )
    domain: ClassVar[str] = "math"

    def question(self, row: Row, part: Part) -> Question:
        """The answer column as it stands. Raises Left."""
        answer = row["answer"]
        if not given(answer):
            raise Left("no_answer")
        return self.made(text(row["question"] or ""), Answer(text=label(answer)))
