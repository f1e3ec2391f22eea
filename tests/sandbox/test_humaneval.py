"""The published HumanEval problems: every canonical solution passes, and none that is broken does."""

import asyncio
import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from sandbox import Assert, Limits, Outcome, Program, Sandbox

LIMITS = Limits(cpu_s=3.0)


@pytest.fixture(scope="module")
def problems(data_dir: Path) -> list[dict[str, Any]]:
    with gzip.open(data_dir / "humaneval" / "HumanEval.jsonl.gz", "rt") as file:
        return [json.loads(line) for line in file]


async def _all(programs: list[Program]) -> list[Outcome]:
    async with Sandbox(workers=2) as sandbox:
        return await asyncio.gather(*map(sandbox.run, programs))


def _program(problem: dict[str, Any], body: str) -> Program:
    test = f"{problem['test']}\ncheck({problem['entry_point']})"
    return Program(source=problem["prompt"] + body, cases=[Assert(code=test)], limits=LIMITS)


@pytest.mark.real
async def test_canonical_solutions_pass(problems: list[dict[str, Any]]) -> None:
    outcomes = await _all([_program(problem, problem["canonical_solution"]) for problem in problems])
    assert len(outcomes) == 164
    assert [outcome for outcome in outcomes if outcome.status != "pass"] == []
    weaker = [problem["task_id"] for problem, outcome in zip(problems, outcomes, strict=True) if outcome.weaker]
    # Loops, and values of their own.
    assert weaker == [f"HumanEval/{number}" for number in (32, 33, 38, 44, 50, 53, 151)]


@pytest.mark.real
@pytest.mark.parametrize(
    ("body", "reasons"),
    [
        # One test gives the value to a function that stands in the prompt, which cannot compute with it.
        ("    return None\n", {"wrong_answer": 163, "runtime_error": 1}),
        ("    raise ValueError('no')\n", {"runtime_error": 164}),
        ("    return (\n", {"compile_error": 164}),
        ("    import os; os._exit(0)\n", {"runtime_error": 164}),
    ],
)
async def test_broken_solutions_do_not(problems: list[dict[str, Any]], body: str, reasons: dict[str, int]) -> None:
    outcomes = await _all([_program(problem, body) for problem in problems])
    assert {outcome.status for outcome in outcomes} == {"fail"}
    assert Counter(outcome.reason for outcome in outcomes) == reasons
