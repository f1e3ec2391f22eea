"""`kind: code_contests`: the problems of deepmind/code_contests (Li et al., 2022), streamed: it is over 100 GB."""

import json
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, get_args

from pydantic import Field

from curate.records import Question, Tests
from curate.sources._code import CodeSet, problem_id
from curate.sources._published import Left, Origin, Part, Row
from curate.sources.features import Labels
from curate.sources.values import solution_texts, text

Kept = Literal["public", "private", "generated"]
_SITES = Labels("UNKNOWN_SOURCE", "CODECHEF", "CODEFORCES", "HACKEREARTH", "CODEJAM", "ATCODER", "AIZU")
_LANGUAGES = Labels("UNKNOWN_LANGUAGE", "PYTHON", "CPP", "PYTHON3", "JAVA")
_DIFFICULTIES = Labels(
    "UNKNOWN_DIFFICULTY", "EASY", "MEDIUM", "HARD", "HARDER", "HARDEST", "EXTERNAL", *"ABCDEFGHIJKLMNOPQRSTUV"
)
_TESTS = {"input": ["string"], "output": ["string"]}
_PYTHON = "PYTHON3"


class CodeContests(CodeSet):
    """CodeContests: 13,328 problems for training, 117 and 165 for validation and testing, some with 100 MB of tests."""

    origin: ClassVar[Origin] = Origin(
        repo="deepmind/code_contests",
        splits=("train", "valid", "test"),
        features={
            "name": "string",
            "description": "string",
            "public_tests": _TESTS,
            "private_tests": _TESTS,
            "generated_tests": _TESTS,
            "source": _SITES,
            "difficulty": _DIFFICULTIES,
            "solutions": {"language": [_LANGUAGES], "solution": ["string"]},
            "cf_contest_id": "int64",
            "cf_index": "string",
            "cf_rating": "int64",
            "cf_tags": ["string"],
            "time_limit": {"seconds": "int64", "nanos": "int64"},
            "memory_limit_bytes": "int64",
            "input_file": "string",
            "output_file": "string",
        },
        evidence=(
            "https://huggingface.co/datasets/deepmind/code_contests/blob/main/README.md",
            "https://huggingface.co/datasets/LenDigLearn/code_contests-de/blob/main/README.md (dataset_info of a copy)",
            "https://huggingface.co/datasets/TheFactoryX/edition_0694_deepmind-code_contests-readymade (viewer)",
            "open-thoughts/open-thoughts: open_thoughts/code/constants.py (names of sources and languages)",
        ),
        confirmed=True,
        licence="cc-by-4.0",
        gigabytes=100,
        files="data/{split}-*.parquet",
        note="The widths of numbers were seen in copies of it. Its wrong solutions are not read.",
    )

    split: str = Field(
        "all", description="`train`, `valid`, `test`, or `all` of them, which is what OpenThoughts reads."
    )
    drop_file_io: bool = Field(
        True,
        description="Drop a problem whose programs read or write a named file (`reads_files`), which tests over stdin "
        "cannot check; if not, it is judged by stdin all the same, as in OpenThoughts.",
    )
    tests: tuple[Kept, ...] = Field(get_args(Kept), min_length=1, description="Which of its tests, in this order.")

    def question(self, row: Row, part: Part) -> Question:
        """The problem of a row. Raises Left."""
        problem, solutions = text(row["description"] or ""), _python(row["solutions"])
        self.wanted(problem, solutions)
        files = [name for name in (row.get("input_file"), row.get("output_file")) if name]
        if files and self.drop_file_io:
            raise Left("reads_files", files=files)
        limit = row["time_limit"] or {}
        return self.made(
            problem,
            Tests(
                cases=self._cases(row),
                time_s=((limit.get("seconds") or 0) + (limit.get("nanos") or 0) / 1e9) or None,
                memory_mb=((row["memory_limit_bytes"] or 0) >> 20) or None,
            ),
            source_id=problem_id(problem),
            meta={
                "name": row["name"],
                "difficulty": _DIFFICULTIES.name(row["difficulty"]),
                "site": _SITES.name(row["source"]),
                "url": _url(row),
                "files": files or None,
                "rating": row["cf_rating"] or None,
                "tags": [tag for tag in row["cf_tags"] or [] if tag] or None,
                "solutions": solutions or None,
            },
        )

    def _cases(self, row: Row) -> str:
        inputs: list[str] = []
        outputs: list[str] = []
        for kept in self.tests:
            tests = row[f"{kept}_tests"] or {}
            inputs += tests.get("input") or []
            outputs += tests.get("output") or []
        if len(inputs) != len(outputs):
            raise Left("unreadable_tests", detail=f"{len(inputs)} inputs and {len(outputs)} outputs")
        if not inputs:
            raise Left("no_tests")
        return json.dumps({"inputs": inputs, "outputs": outputs}, ensure_ascii=False)


def _python(solutions: Mapping[str, Any] | None) -> list[str]:
    """The first accepted solutions in Python 3."""
    both = zip((solutions or {}).get("language") or [], (solutions or {}).get("solution") or [], strict=True)
    return solution_texts([code for language, code in both if _LANGUAGES.name(language) == _PYTHON])


def _url(row: Row) -> str | None:
    contest, index = row["cf_contest_id"], row["cf_index"]
    return f"https://codeforces.com/problemset/problem/{contest}/{index}" if contest and index else None
