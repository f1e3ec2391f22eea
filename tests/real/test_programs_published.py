"""Published problems: HumanEval's and MBPP's own solutions, and ours for CodeContests and LiveCodeBench, with variants.

Each verdict, in both modes, is that of the reference run.
"""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from curate.verifiers.testcases import read_tests
from sandbox import Limits, Program, Stdin
from tests.real.agreement import Named, compared
from tests.real.programs.contests import CODE_CONTESTS, LIVE_CODE_BENCH, Solution

pytestmark = [pytest.mark.real, pytest.mark.slow]
LIMITS = Limits(cpu_s=6.0, memory_mb=512)


def lines(path: Path) -> list[dict[str, Any]]:
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def variants(name: str, program: Program, solution: Solution) -> list[Named]:
    source = solution.source.lstrip("\n")
    found = [Named(name, program.model_copy(update={"source": source}), True)]
    for number, (old, new) in enumerate(solution.wrong):
        assert old in source, (name, old)
        broken = program.model_copy(update={"source": source.replace(old, new)})
        found.append(Named(f"{name} wrong {number}", broken, False))
    return found


async def test_code_contests(data_dir: Path) -> None:
    problems = lines(data_dir / "sandboxfusion/code_eval_code_contests.jsonl")
    rows = []
    for solution in CODE_CONTESTS:
        problem = problems[solution.place]
        tests = json.loads(problem["test"])
        cases = [Stdin(input=one["input"]["stdin"], expected=one["output"]["stdout"]) for one in tests]
        name = json.loads(problem["labels"])["name"]
        rows += variants(name, Program(source="", cases=cases, limits=LIMITS), solution)
    assert len(rows) == 4 * 13
    assert await compared(rows) == ([], [])


async def test_live_code_bench(data_dir: Path) -> None:
    problems = lines(data_dir / "sandboxfusion/code_eval_live_code_bench_v1.jsonl")
    rows = []
    for solution in LIVE_CODE_BENCH:
        suite = read_tests(problems[solution.place]["test"], {})
        program = Program(source="", cases=suite.cases, entry=suite.entry, limits=LIMITS)
        rows += variants(f"LiveCodeBench {solution.place}", program, solution)
    assert len(rows) == 4 * 3
    assert await compared(rows) == ([], [])


async def test_human_eval(data_dir: Path) -> None:
    rows = []
    for problem in lines(data_dir / "humaneval/HumanEval.jsonl.gz"):
        tests = json.dumps({"check": problem["test"], "entry_point": problem["entry_point"]})
        suite = read_tests(tests, {})
        source = problem["prompt"] + problem["canonical_solution"]
        rows.append(Named(problem["task_id"], Program(source=source, cases=suite.cases, entry=suite.entry), True))
    assert len(rows) == 164
    assert await compared(rows) == ([], [])


async def test_mbpp(data_dir: Path) -> None:
    rows = []
    for problem in lines(data_dir / "sandboxfusion/code_eval_mbpp.jsonl"):
        labels = problem["labels"]
        tests = [*problem["test_list"], *labels["challenge_test_list"]]
        setup = labels["test_setup_code"]
        suite = read_tests(json.dumps({"asserts": [f"{setup}\n{one}".lstrip() for one in tests]}), {})
        source = problem["canonical_solution"]
        rows.append(Named(f"MBPP {problem['id']}", Program(source=source, cases=suite.cases, entry=suite.entry), True))
    assert len(rows) == 20
    assert await compared(rows) == ([], [])
