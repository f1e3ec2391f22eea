"""`kind: minerva`: the 272 undergraduate problems of the Minerva paper (OCWCourses), with their final answers."""

from typing import ClassVar

from pydantic import Field

from curate.records import Answer, Question
from curate.sources._published import Left, Origin, Part, Published, Row
from curate.sources.values import given, label, text


class Minerva(Published):
    """Minerva's problems from courses of physics, chemistry and mathematics: a benchmark for no training set."""

    origin: ClassVar[Origin] = Origin(
        repo="math-ai/minervamath",
        splits=("test",),
        features={"question": "string", "answer": "string"},
        evidence=(
            "https://huggingface.co/datasets/extraordinarylab/minerva-math/blob/main/README.md",
            "GAIR-NLP/LIMO: eval/data/minerva/test.jsonl",
        ),
        confirmed=False,
        licence=None,
        note="272 rows. The columns are those of copies that state them; public loaders read `question` and `answer`.",
    )
    domain: ClassVar[str] = "math"

    split: str = Field("test", description="The only split is `test`.")

    def question(self, row: Row, part: Part) -> Question:
        """The answer column as it stands. Raises Left."""
        answer = row["answer"]
        if not given(answer):
            raise Left("no_answer")
        return self.made(text(row["question"] or ""), Answer(text=label(answer)))
