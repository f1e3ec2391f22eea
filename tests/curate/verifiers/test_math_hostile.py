"""Hostile answers end soon, pass nothing, and take no worker with them: from asyncio, a thread and the main thread."""

import asyncio
import resource
import signal
import threading
import time
from pathlib import Path

import pytest

from curate.records import Verdict
from curate.verifiers.math import CPU_S, Math, compare
from curate.verifiers.scoring import close
from sandbox.workers import Workers
from tests.curate.verifiers.math_hostile import HOSTILE
from tests.curate.verifiers.rows import attempt, question, resources

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]
LIMIT_S = 2.0
GOOD = r"\int_0^7 1 dx"  # only an algebra system reads it
assert len(HOSTILE) >= 60
MARK = Path("/tmp/veristill-was-here")


async def judged(workers: Workers, gold: str, solution: str) -> Verdict:
    return await Math().verify(question(gold), attempt(solution), resources(workers=workers))


@pytest.mark.parametrize("name", HOSTILE)
async def test_each_ends_within_its_limit(workers: Workers, name: str) -> None:
    await judged(workers, "7", rf"\boxed{{{GOOD}}}")  # a worker is warm
    before, started = time.process_time(), time.monotonic()
    verdict = await judged(workers, "7", rf"\boxed{{{HOSTILE[name]}}}")
    own, wall = time.process_time() - before, time.monotonic() - started
    assert verdict.outcome in ("fail", "unsure"), verdict
    assert own < LIMIT_S - CPU_S  # of this process; the worker's share is at most CPU_S
    assert wall < 8 * LIMIT_S  # only a backup: other work may share the machine


async def test_all_at_once_leave_good_workers(workers: Workers) -> None:
    MARK.unlink(missing_ok=True)
    alarm = signal.getsignal(signal.SIGALRM)
    # Beside references of other kinds, in turn: each has met a number above.
    golds = [r"x^2+\frac{1}{\sqrt{2}}", "(1,2)"]
    pairs = [(golds[number % 2], text) for number, text in enumerate(HOSTILE.values())]
    verdicts = await asyncio.gather(*(judged(workers, gold, rf"\boxed{{{text}}}") for gold, text in pairs))
    assert {verdict.outcome for verdict in verdicts} <= {"fail", "unsure"}
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 2 << 20  # KiB
    good = await asyncio.gather(*(judged(workers, "7", rf"\boxed{{{GOOD}}}") for _ in range(8)))
    assert {verdict.outcome for verdict in good} == {"pass"}
    assert signal.getsignal(signal.SIGALRM) is alarm
    assert not MARK.exists()


async def test_as_the_reference_they_pass_nothing_else(workers: Workers) -> None:
    verdicts = await asyncio.gather(*(judged(workers, text, r"\boxed{7}") for text in HOSTILE.values()))
    assert {verdict.outcome for verdict in verdicts} <= {"fail", "unsure"}


@pytest.mark.parametrize("where", ["main", "thread"])
async def test_from_threads_and_the_main_thread(where: str) -> None:
    names = list(HOSTILE)[0 if where == "main" else 4 :: 8]
    found: dict[str, str] = {}

    def work() -> None:
        for name in names:
            found[name] = compare("7", rf"\boxed{{{HOSTILE[name]}}}").outcome
        found["good"] = compare("7", rf"It is \boxed{{{GOOD}}}").outcome

    if where == "main":
        work()
    else:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join(120)
        assert not thread.is_alive()
    close()
    assert found.pop("good") == "pass"
    assert set(found) == set(names)
    assert set(found.values()) <= {"fail", "unsure"}
