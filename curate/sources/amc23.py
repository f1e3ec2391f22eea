"""`kind: amc23`: the forty AMC 12 problems of 2023 that evaluations use, rewritten so that answers are numbers."""

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from curate.records import Answer, Question
from curate.sources._editions import Editions, either
from curate.sources._published import Left, Origin, Part, Row
from curate.sources.values import given, label, text

_EDITIONS = {
    "math-ai/amc23": Origin(
        repo="math-ai/amc23",
        splits=("test",),
        features={"id": "int64", "question": "string", "answer": "string", "url": "string"},
        evidence=(
            "https://huggingface.co/datasets/math-ai/amc23/tree/56929da58f5de03e3c4ada30a2eec359303bf155",
            "https://huggingface.co/datasets/FlippyDora/amc23/blob/main/README.md",
            "GAIR-NLP/LIMO: eval/data/amc/test.jsonl",
        ),
        confirmed=False,
        licence=None,
        note="40 rows. `question` and `answer` are read by public loaders; whether the answer is text or a number was "
        "not seen, and both are read (`27.0` is 27).",
    ),
    "AI-MO/aimo-validation-amc": Origin(
        repo="AI-MO/aimo-validation-amc",
        features={"id": "int64", "problem": "string", "answer": "float64", "url": "string"},
        evidence=(
            "https://huggingface.co/datasets/AI-MO/aimo-validation-amc/tree/main",
            "https://huggingface.co/datasets/FlippyDora/amc23/blob/main/README.md",
        ),
        confirmed=False,
        licence="apache-2.0",
        note="83 rows of 2022 and 2023: the set that OpenThoughts decontaminates against. The columns are those of "
        "a cut of it that states them.",
    ),
}
_WHOLE = re.compile(r"(-?\d+)\.0+")


class Amc23(Editions):
    """AMC 12 of 2023: a benchmark, whose questions belong in no training set."""

    editions: ClassVar[Mapping[str, Origin]] = _EDITIONS
    origin: ClassVar[Origin] = _EDITIONS["math-ai/amc23"]
    domain: ClassVar[str] = "math"

    repo: Literal["math-ai/amc23", "AI-MO/aimo-validation-amc"] = Field(
        "math-ai/amc23", description="The repository to read."
    )

    def edition_name(self) -> str:
        """The repository that is read."""
        return self.repo

    def question(self, row: Row, part: Part) -> Question:
        """The answer column as a number. Raises Left."""
        answer = either(row, "answer", "expected_answer")
        if not given(answer):
            raise Left("no_answer")
        return self.made(
            text(either(row, "question", "problem") or ""),
            Answer(text=_number(answer)),
            source_id=label(row["id"]) if given(row.get("id")) else "",
            licence=self.edition_origin().licence,
            meta={"url": row.get("url")},
        )


def _number(value: Any) -> str:
    written = label(value)
    whole = _WHOLE.fullmatch(written)
    return whole[1] if whole else written
