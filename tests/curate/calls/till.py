"""A server with a till: it draws a fault for each request by chance of its own, and adds up what it bills.

Each question has its own number of tokens. Billed are answers that were sent whole (`sold`), and those that were worked
on and broke on their way (`lost`): their number is all that a client can know.
"""

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from curate.calls.budget import Budget
from curate.calls.client import Calls
from curate.calls.model import Call
from curate.ledger import Ledger
from tests.curate.calls.server import answer

TROUBLE = {"429": 0.05, "500": 0.05, "drop": 0.02, "cut": 0.02}


class Till:
    def __init__(
        self,
        faults: Mapping[str, float],
        *,
        latency_s: float = 0.0,
        room: int = 10**9,
        length: float = 0.0,
        seed: int = 0,
        once: bool = False,
    ) -> None:
        self.url = ""
        self.asked: Counter[str] = Counter()
        self.sold: Counter[str] = Counter()
        self.lost: Counter[str] = Counter()
        self.statuses: Counter[str] = Counter()
        self.input_tokens = self.output_tokens = 0
        self.at_once = self.most_at_once = 0
        self.denied = 0  # a status that every request gets from now on
        self.headers_of_429 = {"retry-after-ms": "20"}
        self._faults, self._latency_s, self._room, self._length = dict(faults), latency_s, room, length
        self._once = once  # faults only for the first request of each question
        self._chance = random.Random(seed)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        text = json.loads(await request.read())["messages"][-1]["content"]
        self.asked[text] += 1
        if self.denied:
            self.statuses[str(self.denied)] += 1
            return web.json_response({"error": {"message": "no"}}, status=self.denied)
        fault = "429" if self.at_once >= self._room else "ok" if self._once and self.asked[text] > 1 else self._draw()
        self.statuses[fault] += 1
        if fault == "429":
            return web.json_response({"error": {"message": "slow down"}}, status=429, headers=self.headers_of_429)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(self._latency_s)
            return await self._answer(request, text, fault)
        finally:
            self.at_once -= 1

    async def _answer(self, request: web.Request, text: str, fault: str) -> web.StreamResponse:
        if fault == "500":
            self.lost[text] += 1
            return web.json_response({"error": {"message": "sick"}}, status=500)
        body = json.dumps(self.reply(text)).encode()
        if fault in ("drop", "cut"):
            self.lost[text] += 1
            if fault == "cut":
                return web.Response(body=body[: len(body) // 2], content_type="application/json")
            assert request.transport is not None
            request.transport.close()
            await asyncio.sleep(0)
            return web.Response()
        asked, out = tokens(text)
        self.sold[text] += 1
        self.input_tokens += asked
        self.output_tokens += out
        return web.Response(body=body, content_type="application/json")

    def reply(self, text: str) -> dict[str, Any]:
        asked, out = tokens(text)
        finish = "length" if random.Random(f"cut {text}").random() < self._length else "stop"
        return {
            **answer(f"The answer to {text}. " + "x" * out, finish),
            "usage": {"prompt_tokens": asked, "completion_tokens": out},
        }

    def _draw(self) -> str:
        point = self._chance.random()
        for fault, share in self._faults.items():
            point -= share
            if point < 0:
                return fault
        return "ok"


def tokens(text: str) -> tuple[int, int]:
    """Tokens of a question and of its answer."""
    chance = random.Random(text)
    return chance.randint(5, 60), chance.randint(20, 400)


@asynccontextmanager
async def open_till(till: Till) -> AsyncIterator[Till]:
    # The handlers alone: a web application around them costs more than the till itself.
    server = web.Server(till.handle)  # type: ignore[arg-type]
    runner = web.ServerRunner(server)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=4096)
    await site.start()
    till.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    try:
        yield till
    finally:
        await runner.cleanup()


def call(url: str, text: str, **fields: Any) -> Call:
    """A question to a till."""
    body = {"model": "teacher", "messages": [{"role": "user", "content": text}]}
    known = {"model": "teacher", "base_url": url, "max_tokens": 500, "timeout_s": 60.0}
    return Call(form="chat", body=body, **{**known, **fields})


async def ask_all(folder: Path, url: str, texts: list[str], budget: Budget | None = None, **fields: Any) -> Calls:
    """Ask every question as a run does, with a bounded number of questions at once.

    Raises what stopped it, after waiting for what is in flight.
    """
    waiting = iter(texts)
    async with Ledger(folder) as ledger, Calls(ledger, budget, run="r") as calls:

        async def some() -> None:
            for text in waiting:
                await calls.ask(call(url, text, **fields))

        width = 2 * fields.get("concurrency", 64)
        ended = await asyncio.gather(*(some() for _ in range(width)), return_exceptions=True)
        for wrong in ended:
            if isinstance(wrong, BaseException):
                raise wrong
        return calls
