"""`kind: taco`: the programming problems of BAAI/TACO (Li et al., 2023), with their tests and accepted solutions."""

from typing import ClassVar

from pydantic import Field

from curate.records import Question, Tests
from curate.sources._code import CodeSet, accepted, megabytes, need_tests, problem_id, seconds, site
from curate.sources._published import Origin, Part, Row
from curate.sources.values import text

_TEXTS = (
    "question", "solutions", "starter_code", "input_output", "difficulty", "name", "source", "tags", "skill_types",
    "url", "time_limit", "memory_limit",
)  # fmt: skip


class Taco(CodeSet):
    """TACO: 25,443 problems for training and 1,000 for testing, from Codeforces, CodeChef, AtCoder and others."""

    origin: ClassVar[Origin] = Origin(
        repo="BAAI/TACO",
        configs=("ALL",),
        splits=("train", "test"),
        features=dict.fromkeys(_TEXTS, "string"),
        evidence=(
            "https://huggingface.co/datasets/BAAI/TACO/blob/main/README.md (dataset_info)",
            "open-thoughts/open-thoughts: open_thoughts/code/standardize.py",
        ),
        confirmed=True,
        licence="apache-2.0",
        gigabytes=4.7,
        files="{config}/{split}-*.parquet",
        note="The repository also holds a loading script; its Parquet files are read instead.",
    )

    split: str = Field("all", description="`train`, `test`, or `all` of them, which is what OpenThoughts reads.")

    def question(self, row: Row, part: Part) -> Question:
        """The problem of a row. Raises Left."""
        problem, solutions = text(row["question"] or ""), accepted(row["solutions"])
        self.wanted(problem, solutions)
        cases, function = need_tests(text(row["input_output"] or ""))
        tests = Tests(
            cases=cases,
            time_s=seconds(row["time_limit"]),
            memory_mb=megabytes(row["memory_limit"]),
        )
        return self.made(
            problem,
            tests,
            source_id=problem_id(problem),
            starter_code=row["starter_code"] or None,
            meta={
                "fn_name": function,
                "name": row["name"],
                "difficulty": (row["difficulty"] or "").upper() or None,
                "site": (row["source"] or "").upper() or site(row["url"]),
                "url": row["url"],
                "tags": row["tags"],
                "skills": row["skill_types"],
                "solutions": solutions or None,
            },
        )
