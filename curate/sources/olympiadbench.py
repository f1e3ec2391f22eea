"""`kind: olympiadbench`: the 675 English, text-only competition problems of OlympiadBench (He et al., 2024)."""

from typing import ClassVar

from pydantic import Field

from curate.records import Answer, Question
from curate.sources._published import Left, Origin, Part, Published, Row
from curate.sources.values import given, label, text


class Olympiadbench(Published):
    """OlympiadBench's open-ended mathematics: a benchmark, whose questions belong in no training set."""

    origin: ClassVar[Origin] = Origin(
        repo="math-ai/olympiadbench",
        splits=("test",),
        features={"id": "int64", "question": "string", "answer": "string"},
        evidence=(
            "https://huggingface.co/datasets/math-ai/olympiadbench/tree/04b13155943ca238da32b3bf182826824a022811",
            "https://huggingface.co/datasets/zkshan2002/olympiad_bench/blob/main/README.md",
            "GAIR-NLP/LIMO: eval/data/olympiadbench/test.jsonl",
        ),
        confirmed=False,
        licence="apache-2.0",
        revision="04b13155943ca238da32b3bf182826824a022811",
        note="675 rows. The commit that is read holds one file, test.jsonl, of the size of LIMO's copy, whose columns "
        "these are; later ones name the answer otherwise. The licence is that of the original set, "
        "Hothan/OlympiadBench.",
    )
    domain: ClassVar[str] = "math"

    split: str = Field("test", description="The only split is `test`.")

    def question(self, row: Row, part: Part) -> Question:
        """The answer column as it stands. Raises Left."""
        answer = row["answer"]
        if not given(answer):
            raise Left("no_answer")
        name = label(row["id"]) if given(row.get("id")) else ""
        return self.made(text(row["question"] or ""), Answer(text=label(answer)), source_id=name)
