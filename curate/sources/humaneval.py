"""`kind: humaneval`: the functions of openai/openai_humaneval (Chen et al., 2021), tested by `check(candidate)`."""

import json
from typing import ClassVar

from pydantic import Field

from curate.records import Question, Tests
from curate.sources._published import Left, Origin, Part, Published, Row
from curate.sources.values import text


class Humaneval(Published):
    """HumanEval: 164 functions to write from their signature and docstring. A benchmark: not to be trained on."""

    domain: ClassVar[str] = "code"
    origin: ClassVar[Origin] = Origin(
        repo="openai/openai_humaneval",
        configs=("openai_humaneval",),
        splits=("test",),
        features=dict.fromkeys(("task_id", "prompt", "canonical_solution", "test", "entry_point"), "string"),
        evidence=("https://huggingface.co/datasets/openai_humaneval/blob/main/README.md (dataset_info)",),
        confirmed=True,
        licence="mit",
        files="{config}/{split}-*.parquet",
    )

    split: str = Field("test", description="The only split is `test`.")

    def question(self, row: Row, part: Part) -> Question:
        """The function of a row. Raises Left."""
        prompt, check, name = text(row["prompt"] or ""), text(row["test"] or ""), text(row["entry_point"] or "")
        if not check.strip() or not name:
            raise Left("no_tests")
        return self.made(
            prompt,
            Tests(cases=json.dumps({"check": check, "entry_point": name}, ensure_ascii=False)),
            source_id=row["task_id"],
            starter_code=prompt,
            gold=row["canonical_solution"] or None,
        )
