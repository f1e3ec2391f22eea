"""Recorded programs graded as LiveCodeBench's: every verdict is what the sandbox says of that program by itself."""

import asyncio
import json
import os
import time
from functools import lru_cache
from pathlib import Path

import pytest

from curate.isolation import SandboxBlock
from eval.block import Eval
from eval.pose import Setting
from eval.results import read_results
from eval.sample import Evaluated, evaluate
from sandbox import Limits, Stdin
from tests.real.programs import graphs, plain, styles
from tests.real.programs.problem import Problem

PROGRAMS = int(os.environ.get("VERISTILL_PROGRAMS", "120"))  # 1000: a minute or two
COLUMNS = ("question_title", "platform", "contest_id", "starter_code")
LIMITS = Limits(cpu_s=1.0, memory_mb=512, output_mb=64)  # some wrong programs never end


@lru_cache(maxsize=1)
def problems() -> list[Problem]:
    every = [one for module in (plain, graphs, styles) for family in module.families() for one in family.problems()]
    return every[:: max(1, 4 * len(every) // PROGRAMS)][: max(1, PROGRAMS // 4)]


def programs(problem: Problem) -> list[str]:
    """The right program and the wrong ones; as often as it takes to come to so many, each a text of its own."""
    copies = max(1, -(-PROGRAMS // (4 * len(problems()))))
    return [f"# {copy}\n{source}" for copy in range(copies) for source in (problem.source, *problem.wrong)]


def fenced(problem: Problem) -> list[str]:
    """The same in answers; before every fourth stands an earlier draft, which is right."""
    draft = f"A draft:\n```python\n{problem.source}```\nBetter:\n"
    return [
        f"{draft if number % 4 == 3 else 'So:'}\n```python\n{source}```\nDone."
        for number, source in enumerate(programs(problem))
    ]


def written(folder: Path, chosen: list[Problem]) -> tuple[Path, Path]:
    """The problems as LiveCodeBench's file, and the answers as a recording."""
    questions, recorded = folder / "lcb.jsonl", folder / "recorded.jsonl"
    with questions.open("w") as asked, recorded.open("w") as said:
        for number, problem in enumerate(chosen):
            cases = [
                {"input": case.input, "output": case.expected, "testtype": "stdin"}
                for case in problem.cases
                if isinstance(case, Stdin)
            ]
            row = {
                **dict.fromkeys(COLUMNS, ""), "question_id": f"p{number}", "question_content": f"Print {problem.name}.",
                "contest_date": "2024-09-01", "difficulty": "easy", "metadata": "{}",
                "public_test_cases": json.dumps(cases), "private_test_cases": "[]",
            }  # fmt: skip
            asked.write(json.dumps(row) + "\n")
            for sample, text in enumerate(fenced(problem)):
                said.write(json.dumps({"source_id": f"p{number}", "sample": sample, "solution": text}) + "\n")
    return questions, recorded


async def graded(folder: Path, chosen: list[Problem]) -> Evaluated:
    questions, recorded = written(folder, chosen)
    block = Eval.model_validate(
        {
            "models": {"recorded": {"kind": "replay", "path": str(recorded)}},
            "benchmarks": [
                {
                    "bench": "livecodebench",
                    "path": str(questions),
                    "runs": len(programs(chosen[0])),
                    "verify": {"kind": "code", "cpu_s": LIMITS.cpu_s, "memory_mb": LIMITS.memory_mb},
                }
            ],
            "preset": "openthinker",
        }
    )
    setting = Setting(folder, "lcb", SandboxBlock(backend="namespaces"), quiet=True)
    (one,) = (await asyncio.to_thread(evaluate, block, setting)).models
    return one


@pytest.mark.slow
async def test_every_verdict_is_the_sandbox_s_own(tmp_path: Path) -> None:
    chosen = problems()
    began = time.process_time(), time.monotonic()
    one = await graded(tmp_path, chosen)
    took = time.process_time() - began[0], time.monotonic() - began[1]
    print(f"{one.rows} programs in {took[1]:.1f} s, of it {took[0]:.1f} s of this process")
    assert one.rows == len(programs(chosen[0])) * len(chosen) >= PROGRAMS
    assert "error" not in one.outcomes
    rows = read_results(one.folder).to_pylist()
    async with SandboxBlock(backend="namespaces").sandbox(2) as sandbox:
        each = [problem.program(text, limits=LIMITS) for problem in chosen for text in programs(problem)]
        alone = await asyncio.gather(*(sandbox.run(program) for program in each))
    assert [row["outcome"] for row in rows] == [outcome.status for outcome in alone]
    assert [row["evalchemy"] for row in rows] == [outcome.status == "pass" for outcome in alone]
    assert all(row["outcome"] == "pass" for row in rows[::4])  # the right programs
    wrong = [row["outcome"] for number, row in enumerate(rows) if number % 4]
    assert wrong.count("fail") >= 0.92 * len(wrong)  # with some parameters a variant is right after all
