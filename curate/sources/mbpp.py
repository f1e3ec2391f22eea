"""`kind: mbpp`: the small Python tasks of google-research-datasets/mbpp (Austin et al., 2021), tested by asserts."""

import ast
import json
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field

from curate.records import Question, Tests
from curate.sources._published import Left, Origin, Part, Published, Row
from curate.sources.values import text

_FULL = {
    "task_id": "int32",
    "text": "string",
    "code": "string",
    "test_list": ["string"],
    "test_setup_code": "string",
    "challenge_test_list": ["string"],
}
_SANITIZED = {
    "source_file": "string",
    "task_id": "int32",
    "prompt": "string",
    "code": "string",
    "test_imports": ["string"],
    "test_list": ["string"],
}


class Mbpp(Published):
    """MBPP: 974 tasks, of which `sanitized` holds 427 that were checked by hand."""

    domain: ClassVar[str] = "code"
    origin: ClassVar[Origin] = Origin(
        repo="google-research-datasets/mbpp",
        configs=("full", "sanitized"),
        splits=("train", "test", "validation", "prompt"),
        features=_FULL,
        others={"sanitized": _SANITIZED},
        evidence=(
            "https://huggingface.co/datasets/mbpp/commit/eca9357a29a516f4fb477e2b856630033f165fd8 (dataset_info)",
            "https://huggingface.co/datasets/mbpp/commit/5388f0135701bca8eb6695a075124a7615a987ae (files)",
            "https://huggingface.co/datasets/Valliappan/mbpp2/blob/main/README.md (a copy of sanitized)",
        ),
        confirmed=True,
        licence="cc-by-4.0",
        files="{config}/{split}-*.parquet",
    )

    show: Literal["all", "first", "none"] = Field(
        "all", description="Tests shown in the problem, as the paper's prompt does: they tell the function's name."
    )
    challenge: bool = Field(False, description="Also test with `challenge_test_list`, where there is one.")

    def question(self, row: Row, part: Part) -> Question:
        """The task of a row. Raises Left."""
        task, code = text(row.get("text") or row.get("prompt") or ""), text(row["code"] or "")
        tests = [test for test in row["test_list"] or [] if test.strip()]
        if not tests:
            raise Left("no_tests")
        setup = "\n".join([*(row.get("test_imports") or []), row.get("test_setup_code") or ""]).strip()
        run = [*tests, *(row.get("challenge_test_list") or [] if self.challenge else [])]
        cases: dict[str, Any] = {"asserts": [f"{setup}\n{test}" if setup else test for test in run]}
        if name := _function(code, tests):
            cases["fn_name"] = name
        return self.made(
            task.rstrip() + _shown(tests, self.show),
            Tests(cases=json.dumps(cases, ensure_ascii=False)),
            source_id=str(row["task_id"]),
            gold=code or None,
            meta={"task_id": row["task_id"]},
        )


def _shown(tests: Sequence[str], show: str) -> str:
    kept = {"all": tests, "first": tests[:1], "none": []}[show]
    return "\n\nYour code should pass these tests:\n\n" + "\n".join(kept) if kept else ""


def _function(code: str, tests: Sequence[str]) -> str | None:
    """The one function that the solution defines and the tests call; None where there are none or several."""
    try:
        defined = {one.name for one in ast.parse(code).body if isinstance(one, ast.FunctionDef)}
        called = {
            one.func.id
            for one in ast.walk(ast.parse("\n".join(tests)))
            if isinstance(one, ast.Call) and isinstance(one.func, ast.Name)
        }
    except (SyntaxError, ValueError):
        return None
    both = defined & called
    return both.pop() if len(both) == 1 else None
