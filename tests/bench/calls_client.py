"""One client of `calls_peers`, in a process of its own: asks as many questions as told and prints what that took.

    python -P tests/bench/calls_client.py raw|openai|ours URL REQUESTS IN_FLIGHT       prints one JSON object

CPU is that of the whole process, threads and all, from the first request to the last byte on disk, without imports.
"""

import asyncio
import json
import resource
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))


def messages(number: int) -> list[dict[str, str]]:
    """The same request for every client."""
    return [{"role": "user", "content": f"[{number}] What is 2 + 2? Reason step by step."}]


@asynccontextmanager
async def measured(told: dict[str, Any]) -> AsyncIterator[None]:
    """Add CPU and wall seconds of the block, and the peak of memory, to `told`."""
    cpu, wall = time.process_time(), time.monotonic()
    yield
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    told.update(cpu_s=time.process_time() - cpu, wall_s=time.monotonic() - wall, rss_mb=peak)


async def workers(requests: int, in_flight: int, ask: Callable[[int], Awaitable[str]]) -> int:
    """Ask with a fixed number of workers; returns how many answers came."""
    left, got = iter(range(requests)), 0

    async def work() -> None:
        nonlocal got
        for number in left:
            answered = await ask(number)
            got += bool(answered)

    await asyncio.gather(*(work() for _ in range(in_flight)))
    return got


async def raw(url: str, requests: int, in_flight: int, told: dict[str, Any]) -> None:
    """The floor: aiohttp, a JSON body there and back; nothing is kept."""
    import aiohttp

    connector = aiohttp.TCPConnector(limit=in_flight)
    async with aiohttp.ClientSession(connector=connector) as session, measured(told):

        async def ask(number: int) -> str:
            body = {"model": "bench", "messages": messages(number), "max_tokens": 4096}
            async with session.post(f"{url}/chat/completions", json=body) as response:
                return str((await response.json())["choices"][0]["message"]["content"])

        told["answers"] = await workers(requests, in_flight, ask)


async def openai(url: str, requests: int, in_flight: int, told: dict[str, Any]) -> None:
    """The official client over aiohttp, alone: nothing is kept."""
    from openai import DEFAULT_CONNECTION_LIMITS, AsyncOpenAI, DefaultAioHttpClient, Timeout

    limits = type(DEFAULT_CONNECTION_LIMITS)(max_connections=in_flight, max_keepalive_connections=in_flight)
    client = AsyncOpenAI(
        base_url=url,
        api_key="none",
        max_retries=0,
        timeout=Timeout(600, connect=120, pool=None),
        http_client=DefaultAioHttpClient(limits=limits),
    )
    async with client, measured(told):

        async def ask(number: int) -> str:
            said: Any = messages(number)
            found = await client.chat.completions.create(model="bench", messages=said, max_tokens=4096)
            return found.choices[0].message.content or ""

        told["answers"] = await workers(requests, in_flight, ask)


async def ours(url: str, requests: int, in_flight: int, told: dict[str, Any]) -> None:
    """Solving as a run does it: prompt, key, ledger, budget, scheduling, parsing, a verdict and the counts."""
    import curate.calls.posted  # noqa: F401 - imported by the first request otherwise
    from curate.attempts import AttemptTable
    from curate.calls.budget import Caps
    from curate.engine.local import Local
    from curate.ingest import ingest
    from curate.progress import Progress
    from curate.questions import QuestionTable
    from curate.records import Question
    from curate.report import SolveCounts
    from curate.resources import open_resources
    from curate.run import Run
    from curate.solve import Solved

    with tempfile.TemporaryDirectory(prefix="calls-") as folder:
        flow, run, progress = (
            recipe(Path(folder), url, requests, in_flight),
            Run(Path(folder), "b"),
            Progress(quiet=True),
        )
        with run.writing():
            ingest(run, flow.sources, None, progress)
            counts, attempts = SolveCounts(), AttemptTable()

            def done(question: Question, solved: Solved) -> None:
                counts.add(question, solved)
                attempts.add(question, solved)

            async with measured(told), open_resources(run, flow, caps=Caps(max_cost_usd=1000.0)) as resources:
                await Local(progress).solve(QuestionTable(run.questions).groups(), flow.work(), resources, done)
            told["answers"] = counts.answered


def recipe(folder: Path, url: str, requests: int, in_flight: int) -> Any:
    """A recipe that asks `requests` questions without a truth, under a budget."""
    from recipes.schema import Recipe

    with (folder / "q.jsonl").open("w") as file:
        file.writelines(json.dumps({"problem": messages(number)[0]["content"]}) + "\n" for number in range(requests))
    teacher = {
        "kind": "openai", "model": "bench", "base_url": url, "concurrency": in_flight, "max_tokens": 4096,
        "price": {"input": 0.5, "output": 2.0},
    }  # fmt: skip
    source = {"kind": "jsonl", "path": str(folder / "q.jsonl"), "domain": "open"}
    return Recipe.model_validate({"name": "b", "sources": [source], "annotate": {"teacher": teacher}})


def main() -> None:
    """Run one client."""
    name, url, requests, in_flight = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    told: dict[str, Any] = {}
    asyncio.run({"raw": raw, "openai": openai, "ours": ours}[name](url, requests, in_flight, told))
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
