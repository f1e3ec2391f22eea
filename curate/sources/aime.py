"""`kind: aime`: the thirty problems of an AIME year, 2024 or 2025; answers are whole numbers from 0 to 999.

Several people have put them on the hub, in their own words and columns; `repo` chooses among those known here.
"""

from collections.abc import Mapping
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from curate.records import Answer, Question
from curate.sources._editions import Editions, either
from curate.sources._published import Left, Origin, Part, Row
from curate.sources.values import given, label, text

Repo = Literal["HuggingFaceH4/aime_2024", "Maxwell-Jia/AIME_2024", "math-ai/aime25", "opencompass/AIME2025"]
_FIRST: dict[int, Repo] = {2024: "HuggingFaceH4/aime_2024", 2025: "math-ai/aime25"}
_TEXTS = {"problem": "string", "answer": "string"}
_EDITIONS = {
    "HuggingFaceH4/aime_2024": Origin(
        repo="HuggingFaceH4/aime_2024",
        features={"id": "int64", **_TEXTS, "solution": "string", "url": "string", "year": "string"},
        evidence=(
            "https://huggingface.co/datasets/HuggingFaceH4/aime_2024/blob/main/README.md",
            "https://huggingface.co/datasets/AI-MO/aimo-validation-aime/blob/"
            "1f8807dabb2265892a7c2cb5e73d95d25df4507b/README.md",
        ),
        confirmed=True,
        licence=None,
        note="`year: 2024`: the 30 problems of AIME I and II.",
    ),
    "Maxwell-Jia/AIME_2024": Origin(
        repo="Maxwell-Jia/AIME_2024",
        features={"ID": "string", "Problem": "string", "Solution": "string", "Answer": "int64"},
        evidence=("https://huggingface.co/datasets/Maxwell-Jia/AIME_2024/blob/main/README.md",),
        confirmed=False,
        licence="mit",
        note="The column names stand on its page; that `Answer` is a number was not seen stated. Text is read as well.",
    ),
    "math-ai/aime25": Origin(
        repo="math-ai/aime25",
        splits=("test",),
        features={**_TEXTS, "id": "string"},
        evidence=(
            "https://huggingface.co/datasets/math-ai/aime25",
            "https://huggingface.co/datasets/MultiturnRL/AIME25/blob/main/README.md",
        ),
        confirmed=True,
        licence="apache-2.0",
        note="`year: 2025`: the 30 problems of AIME I and II.",
    ),
    "opencompass/AIME2025": Origin(
        repo="opencompass/AIME2025",
        configs=("AIME2025-I", "AIME2025-II"),
        splits=("test",),
        features={"question": "string", "answer": "string"},
        evidence=("https://huggingface.co/datasets/opencompass/AIME2025/tree/main",),
        confirmed=False,
        licence="mit",
        note="15 problems in each configuration. The column names stand in public loaders, their types were not seen.",
    ),
}


class Aime(Editions):
    """AIME: a benchmark, whose questions belong in no training set."""

    editions: ClassVar[Mapping[str, Origin]] = _EDITIONS
    origin: ClassVar[Origin] = _EDITIONS["HuggingFaceH4/aime_2024"]
    domain: ClassVar[str] = "math"

    year: Literal[2024, 2025] = Field(2024, description="The year of the contest.")
    repo: Repo | None = Field(None, description="Another repository of the same year; by default its first.")

    @model_validator(mode="after")
    def _of_the_year(self) -> Self:
        if self.repo is not None and str(self.year) not in self.repo and f"aime{self.year % 100}" not in self.repo:
            raise ValueError(f"{self.repo} is not of the year {self.year}")
        return self

    def edition_name(self) -> str:
        """The repository that is read."""
        return self.repo or _FIRST[self.year]

    def question(self, row: Row, part: Part) -> Question:
        """The answer column as a number; files of one's own may also call it `expected_answer`. Raises Left."""
        answer = either(row, "answer", "Answer", "expected_answer")
        if not given(answer):
            raise Left("no_answer")
        named = next((row[name] for name in ("id", "ID") if given(row.get(name))), "")
        gold = next(
            (row[name] for name in ("solution", "Solution", "reference_solution") if given(row.get(name))), None
        )
        return self.made(
            text(either(row, "problem", "Problem", "question") or ""),
            Answer(text=label(answer)),
            source_id=label(named),
            gold=gold,
            licence=self.edition_origin().licence,
            meta={"url": row.get("url"), "year": self.year},
        )
