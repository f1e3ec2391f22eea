"""`kind: openr1_math`: the questions of OpenR1-Math-220k, which come from NuminaMath 1.5 with checked answers."""

from collections.abc import Iterator
from typing import ClassVar

from pydantic import Field

from curate.records import Answer, Drop, Question
from curate.sources._picked import Rows, among
from curate.sources._published import Left, Origin, Part, Published, Row
from curate.sources.values import given, label, text

_NO_ANSWER = frozenset({"proof", "notfound"})  # what NuminaMath 1.5 writes where a problem has no short answer


class OpenR1Math(Published):
    """OpenR1-Math's questions; its traces (`generations`) stay unread."""

    origin: ClassVar[Origin] = Origin(
        repo="open-r1/OpenR1-Math-220k",
        configs=("default", "extended"),
        features={
            "problem": "string",
            "solution": "string",
            "answer": "string",
            "problem_type": "string",
            "question_type": "string",
            "source": "string",
            "uuid": "string",
        },
        evidence=(
            "https://huggingface.co/datasets/open-r1/OpenR1-Math-220k/blob/"
            "075afe03dbbc6e7b8bd35af1e4259957f0beb07d/README.md",
            "https://huggingface.co/datasets/SII-BoHuang/steps-OpenR1-Math-220k/blob/main/train/dataset_info.json",
        ),
        confirmed=True,
        licence="apache-2.0",
        gigabytes=4.2,
        note="93,733 rows in `default`, 131,396 in `extended`. Its traces make up most of its 4 GB and are not loaded. "
        "An answer `proof` or `notfound` is none.",
    )
    domain: ClassVar[str] = "math"

    sources: tuple[str, ...] | None = Field(
        None, min_length=1, description="Only rows of these sources (`olympiads`, `amc_aime`...); others are not read."
    )

    def files(self, part: Part) -> tuple[str, ...]:
        """The files of a configuration: the default one lies in `data`."""
        folder = "data" if part.config in (None, "default") else part.config
        return (f"{folder}/{part.split}-*.parquet",)

    def items(self, rows: Rows) -> Iterator[Question | Drop]:
        """The rows of the chosen sources."""
        return super().items(among(self, rows, "source", self.sources))

    def question(self, row: Row, part: Part) -> Question:
        """The answer column as it stands. Raises Left."""
        if self.sources and not given(row["source"]):
            raise Left("no_subset")
        answer = label(row["answer"]) if given(row["answer"]) else ""
        if not answer or answer.lower() in _NO_ANSWER:
            raise Left("no_answer", found=answer)
        return self.made(
            text(row["problem"] or ""),
            Answer(text=answer),
            source_id=row["uuid"] or "",
            gold=row["solution"],
            meta={
                "subset": row["source"],
                "problem_type": row.get("problem_type"),
                "question_type": row.get("question_type"),
            },
        )
