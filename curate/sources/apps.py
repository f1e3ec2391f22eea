"""`kind: apps`: the programming problems of codeparrot/apps (Hendrycks et al., 2021), with tests and solutions."""

from typing import ClassVar

from pydantic import Field

from curate.records import Question, Tests
from curate.sources._code import CodeSet, accepted, need_tests, problem_id, site
from curate.sources._published import PARQUET, Origin, Part, Row
from curate.sources.values import text


class Apps(CodeSet):
    """APPS: 5,000 problems for training and 5,000 for testing; the configurations are levels of difficulty."""

    origin: ClassVar[Origin] = Origin(
        repo="codeparrot/apps",
        configs=("all", "introductory", "interview", "competition"),
        splits=("train", "test"),
        features={
            "problem_id": "int64",
            "question": "string",
            "solutions": "string",
            "input_output": "string",
            "difficulty": "string",
            "url": "string",
            "starter_code": "string",
        },
        evidence=(
            "https://huggingface.co/datasets/codeparrot/apps/blob/main/README.md",
            "https://huggingface.co/datasets/metr-evals/apps/blob/main/README.md (dataset_info of a Parquet copy)",
        ),
        confirmed=True,
        licence="mit",
        gigabytes=1.3,
        revision=PARQUET,
        files="{config}/{split}/*.parquet",
        note="The main branch has a loading script; the hub's Parquet branch is read instead.",
    )

    split: str = Field("all", description="`train`, `test`, or `all` of them, which is what OpenThoughts reads.")

    def question(self, row: Row, part: Part) -> Question:
        """The problem of a row. Raises Left."""
        problem, solutions = text(row["question"] or ""), accepted(row["solutions"])
        self.wanted(problem, solutions)
        cases, function = need_tests(text(row["input_output"] or ""))
        return self.made(
            problem,
            Tests(cases=cases),
            source_id=problem_id(problem),
            starter_code=row["starter_code"] or None,
            meta={
                "fn_name": function,
                "problem_id": row["problem_id"],
                "difficulty": (row["difficulty"] or "").upper() or None,
                "site": site(row["url"]) or "UNKNOWN_SOURCE",
                "url": row["url"] or None,
                "solutions": solutions or None,
            },
        )
