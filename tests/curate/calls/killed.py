"""The process that is killed: it asks the questions of a test, each once, until it has every answer."""

import asyncio
from pathlib import Path

import pyarrow as pa

import curate.calls.posted  # noqa: F401 - loaded before the process is forked
from curate.calls import client
from curate.calls.wire import Wire
from tests.curate.calls.till import ask_all

# Both load much more when they are first used: also before the fork, or each process would do it again.
pa.array([0])
Wire().client("http://127.0.0.1:9/v1", None)


def ask(folder: str, url: str, count: int, concurrency: int) -> None:
    client.RESEND_PAUSE_S = 0.01
    texts = [f"question {number}" for number in range(count)]
    asyncio.run(_ask(folder, url, texts, concurrency))


async def _ask(folder: str, url: str, texts: list[str], concurrency: int) -> None:
    calls = await ask_all(Path(folder), url, texts, concurrency=concurrency)
    assert calls.counters.failed == 0
