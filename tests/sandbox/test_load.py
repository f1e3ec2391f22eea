"""A busy machine changes no verdict: real programs with ten tests each, alone and with eight busy loops beside them.

60 programs here; `VERISTILL_LOAD=500` runs as many.
"""

import asyncio
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from sandbox import Limits, Program, Sandbox, Stdin
from tests.real.programs import calls, graphs, plain, styles

COUNT = int(os.environ.get("VERISTILL_LOAD", "60"))
LOOPS = 8
TESTS = 10

# As near to their limits as verdicts may be expected to stay: a fifth of the CPU time, and idle for a while.
_WORKS = "n = int(input())\nx = 0\nfor i in range(10**6): x ^= i * n\nprint(n)"
_SLEEPS = "import time\nn = int(input())\ntime.sleep(0.15)\nprint(n)"
_LOOPS = "n = int(input())\nwhile n == 7: pass\nprint(n)"


def programs(count: int) -> list[Program]:
    """Right and wrong ones of every family, in a seeded order, and some that work, sleep or loop for long."""
    found = []
    for family in (*plain.families(), *graphs.families(), *styles.families(), *calls.families()):
        for problem in family.problems():
            for source in (problem.source, *problem.wrong):
                program = problem.program(source, limits=Limits(cpu_s=4.0, memory_mb=512))
                found.append(program.model_copy(update={"cases": program.cases[:TESTS]}))
    random.Random("load").shuffle(found)
    tests = [Stdin(input=f"{n}\n", expected=f"{n}\n") for n in range(TESTS)]
    long = [Program(source=source, cases=tests, limits=Limits(cpu_s=2.0)) for source in (_WORKS, _SLEEPS, _LOOPS)]
    return [*long, *found][:count]


@contextmanager
def busy(loops: int) -> Iterator[None]:
    """So many processes that never wait."""
    running = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(loops)]
    try:
        yield
    finally:
        for one in running:
            one.kill()
            one.wait()


async def verdicts(chosen: list[Program], mode: Any) -> list[tuple[Any, ...]]:
    """Everything of an outcome that must repeat."""
    async with Sandbox(mode=mode) as box:
        outcomes = await asyncio.gather(*map(box.run, chosen))
    return [(one.status, one.reason, one.passed, one.run, one.weaker, one.evidence) for one in outcomes]


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["fast", "strict"])
async def test_busy_loops_change_no_verdict(mode: str) -> None:
    chosen = programs(COUNT)
    assert len(chosen) == COUNT
    alone = await verdicts(chosen, mode)
    with busy(LOOPS):
        beside = await verdicts(chosen, mode)
    changed = [(a, b) for a, b in zip(alone, beside, strict=True) if a != b]
    assert changed == []
    statuses = [one[0] for one in alone]
    assert statuses.count("pass") > COUNT // 8
    assert statuses.count("fail") > COUNT // 8
    assert "error" not in statuses
    assert alone[2][1] == "time_limit"
