"""`kill -9` in the middle of an evaluation: the same command asks again at most what was in flight."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from curate.calls.payments import unanswered
from curate.ledger import Ledger
from eval.results import read_results
from tests.eval.scripted import Model, jsonl, serving

ROOT = Path(__file__).resolve().parents[2]
QUESTIONS, RUNS, CONCURRENCY = 30, 4, 8


def block(url: str, path: Path) -> dict[str, Any]:
    rows = [{"problem": f"What is {n} + 1?", "answer": str(n + 1)} for n in range(QUESTIONS)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    model = {"kind": "openai", "model": "m", "base_url": url, "concurrency": CONCURRENCY}
    source = jsonl(path)
    return {"models": {"m": model}, "benchmarks": [{"source": source}], "runs": RUNS}


async def started(folder: Path, told: dict[str, Any]) -> asyncio.subprocess.Process:
    command = [sys.executable, "-P", "-m", "tests.eval.killed", str(folder), json.dumps(told)]
    return await asyncio.create_subprocess_exec(*command, env={**os.environ, "PYTHONPATH": str(ROOT)})


async def sold(model: Model, least: int) -> None:
    async with asyncio.timeout(120):
        while sum(model.sold.values()) < least:
            await asyncio.sleep(0.01)


@pytest.mark.slow
async def test_only_what_was_in_flight_is_asked_again(tmp_path: Path) -> None:
    whole = QUESTIONS * RUNS
    async with serving(lambda body: "It is \\boxed{7}.", latency_s=0.05) as model:
        told = block(model.url, tmp_path / "q.jsonl")
        process = await started(tmp_path, told)
        await sold(model, 25)
        process.send_signal(signal.SIGKILL)
        assert await process.wait() == -signal.SIGKILL
        while model.at_once:  # the server still works for the dead process
            await asyncio.sleep(0.01)
        ledger = Ledger(tmp_path / "ledger", read_only=True)
        kept, open_ = ledger.count("reply"), unanswered(ledger, "demo/eval")
        ledger.close()
        before = sum(model.sold.values())
        assert 25 <= before < whole
        assert kept + open_ >= before
        assert open_ <= CONCURRENCY
        process = await started(tmp_path, told)
        assert await process.wait() == 0
        again = sum(count - 1 for count in model.sold.values())
    assert len(model.sold) == whole
    assert again == before - kept <= open_
    rows = read_results(tmp_path / "runs" / "demo" / "eval" / "m").to_pylist()
    assert len(rows) == whole
    assert sum(row["outcome"] == "pass" for row in rows) == RUNS  # of the one question whose answer is 7
