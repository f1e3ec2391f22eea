"""`kill -9` at random moments of a run: what has an answer is never asked again, and at most what was in flight is."""

import asyncio
import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import pytest

from curate.calls.payments import unanswered
from curate.ledger import Ledger
from tests.curate.calls import killed
from tests.curate.calls.till import Till, open_till

COUNT, CONCURRENCY = 70, 16
KILLS = int(os.environ.get("VERISTILL_KILLS", "20"))  # 50 take two minutes
_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["tests.curate.calls.killed"])


async def run(folder: Path, till: Till, kill_after_s: float | None = None) -> int | None:
    """A process that asks everything; returns its exit code."""
    process = _forks.Process(target=killed.ask, args=(str(folder), till.url, COUNT, CONCURRENCY))
    process.start()
    began, answers = time.monotonic(), sum(till.sold.values())
    while process.is_alive():
        await asyncio.sleep(0.005)
        assert time.monotonic() - began < 100, "the run hangs"
        if sum(till.sold.values()) == answers:  # it has only begun when the first answer is out
            began = time.monotonic() if kill_after_s is not None else began
        elif kill_after_s is not None and time.monotonic() - began >= kill_after_s:
            assert process.pid is not None
            process.kill()
            break
    await asyncio.to_thread(process.join)
    return process.exitcode


@pytest.mark.slow
@pytest.mark.parametrize("part", range(KILLS // 10))
async def test_ten_kills(part: int, tmp_path: Path) -> None:
    chance = random.Random(part)
    killed_in_time = 0
    for number in range(10):
        folder = tmp_path / str(number)
        async with open_till(
            Till({"500": 0.05, "429": 0.05}, latency_s=0.03, seed=100 * part + number, once=True)
        ) as till:
            code = await run(folder, till, chance.uniform(0.0, 0.2))
            killed_in_time += code == -signal.SIGKILL
            with opened(folder) as ledger:
                replies = {key for key, _, _ in ledger.scan("reply")}
                open_sends = unanswered(ledger, "r")
            assert open_sends <= CONCURRENCY
            while till.at_once:  # the server still works for the dead process, and bills it
                await asyncio.sleep(0.01)
            sold_before = sum(till.sold.values())
            assert len(replies) <= sold_before <= len(replies) + open_sends
            assert await run(folder, till) == 0
            again = sum(count - 1 for count in till.sold.values())
            assert again <= open_sends
            assert again == sold_before - len(replies)
            assert len(till.sold) == COUNT
            with opened(folder) as ledger:
                assert ledger.count("reply") == COUNT
                assert unanswered(ledger, "r") == 0
    assert killed_in_time >= 7  # the others had ended before


class opened:
    """The ledger that a dead process left, to be read."""

    def __init__(self, folder: Path) -> None:
        self._ledger = Ledger(folder, read_only=True)

    def __enter__(self) -> Ledger:
        return self._ledger

    def __exit__(self, *_: object) -> None:
        self._ledger.close()
