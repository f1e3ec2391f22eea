"""The process that is killed: it asks the questions of a test, each once, until it has every answer."""

import asyncio
from pathlib import Path

import curate.calls.posted  # noqa: F401 - loaded before the process is forked
from curate.calls import client
from tests.curate.calls.till import ask_all


def ask(folder: str, url: str, count: int, concurrency: int) -> None:
    client.RESEND_PAUSE_S = 0.01
    texts = [f"question {number}" for number in range(count)]
    asyncio.run(_ask(folder, url, texts, concurrency))


async def _ask(folder: str, url: str, texts: list[str], concurrency: int) -> None:
    calls = await ask_all(Path(folder), url, texts, concurrency=concurrency)
    assert calls.counters.failed == 0
