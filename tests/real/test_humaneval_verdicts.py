"""HumanEval: every canonical solution passes; no broken variant does, and each says why."""

import ast
import gzip
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from curate.records import Tests
from curate.verifiers.code import Code
from sandbox import Sandbox
from tests.real.verdicts import Recorded, disagreements, judge_all, reasons

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]

# For each way to break a program, the reasons that may be given and how often. One test calls another function of the
# program with what the broken one returned: there None is a runtime error of the program.
ALLOWED = {
    "dropped": {"fail/wrong_answer": 164, "fail/runtime_error": 164, "fail/time_limit": 5},
    "none": {"fail/wrong_answer": 164, "fail/runtime_error": 3},
    "raises": {"fail/runtime_error": 164},
    "loops": {"fail/time_limit": 164},
}
BODIES = {"none": "return None", "raises": "raise ValueError('broken')", "loops": "while True: pass"}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as opened:
        yield opened


@pytest.fixture(scope="module")
def problems(data_dir: Path) -> list[dict[str, Any]]:
    with gzip.open(data_dir / "humaneval/HumanEval.jsonl.gz", "rt", encoding="utf-8") as file:
        found = [json.loads(line) for line in file]
    assert len(found) == 164
    return found


def recorded(problem: dict[str, Any], solution: str, *, right: bool, variant: str = "") -> Recorded:
    cases = json.dumps({"check": problem["test"], "entry_point": problem["entry_point"]})
    return Recorded(f"{problem['task_id']} {variant}", Tests(cases=cases), solution, right, problem["prompt"])


def broken(problem: dict[str, Any], variant: str) -> str:
    """The canonical program with the body of its function replaced, or without its last statement."""
    tree = ast.parse(problem["prompt"] + problem["canonical_solution"])
    function = next(
        node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == problem["entry_point"]
    )
    if variant == "dropped":
        function.body = function.body[:-1] or [ast.Pass()]
    else:
        function.body = ast.parse(BODIES[variant]).body
    return ast.unparse(tree)


def really_broken(problem: dict[str, Any], program: str) -> bool:
    """What a plain Python run of program and tests says: it fails, or it has not ended after 10 s."""
    text = f"{program}\n{problem['test']}\ncheck({problem['entry_point']})\n"
    try:
        ended = subprocess.run([sys.executable, "-I", "-S", "-"], input=text.encode(), capture_output=True, timeout=10)
    except subprocess.TimeoutExpired:
        return True
    return ended.returncode != 0


@pytest.mark.parametrize("form", ["body", "whole", "fenced"])
async def test_canonical_solutions_pass(problems: list[dict[str, Any]], sandbox: Sandbox, form: str) -> None:
    rows = []
    for problem in problems:
        body, whole = problem["canonical_solution"], problem["prompt"] + problem["canonical_solution"]
        fenced = f"Here it is:\n\n```python\n{whole}```\n\nFor example:\n\n```\nTrue\n```\n"
        rows.append(recorded(problem, {"body": body, "whole": whole, "fenced": fenced}[form], right=True))
    verdicts = await judge_all(Code(), rows, sandbox=sandbox)
    assert not disagreements(rows, verdicts)
    weaker = {row.name.split("/")[1].strip() for row, verdict in zip(rows, verdicts, strict=True)
              if verdict.evidence.get("weaker")}  # fmt: skip
    assert weaker == {"32", "33", "38", "44", "50", "53", "151"}  # loops of their own, or values that the program makes


@pytest.mark.slow
async def test_broken_variants_fail_for_the_right_reason(problems: list[dict[str, Any]], sandbox: Sandbox) -> None:
    judged = 0
    for variant, allowed in ALLOWED.items():
        programs = [broken(problem, variant) for problem in problems]
        # A loop at the start of every call needs no run of 10 s to be known for endless.
        with ThreadPoolExecutor(2) as pool:
            known = [True] * 164 if variant == "loops" else list(pool.map(really_broken, problems, programs))
        rows = [
            recorded(problem, f"```python\n{program}\n```", right=False, variant=variant)
            for problem, program, is_broken in zip(problems, programs, known, strict=True)
            if is_broken
        ]
        verifier = Code(cpu_s=0.1) if variant == "loops" else Code()
        verdicts = await judge_all(verifier, rows, sandbox=sandbox)
        assert not disagreements(rows, verdicts)
        told = reasons(verdicts)
        print(variant, len(rows), told)
        assert all(count <= allowed.get(reason, 0) for reason, count in told.items()), told
        judged += len(rows)
    assert judged >= 550


async def test_a_program_that_does_not_compile(problems: list[dict[str, Any]], sandbox: Sandbox) -> None:
    rows = [
        recorded(problem, f"```python\n{problem['prompt']}    return (\n```", right=False) for problem in problems[:10]
    ]
    verdicts = await judge_all(Code(), rows, sandbox=sandbox)
    assert set(reasons(verdicts)) == {"fail/compile_error"}
