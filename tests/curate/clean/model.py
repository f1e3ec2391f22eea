"""A small model behind an address, for gates: it adds, now and then wrongly, and rates; what it bills can be read."""

import json
import re
from collections import Counter
from typing import Any

from aiohttp import web

from curate.keys import digest
from tests.curate.calls.server import answer

_SUM = re.compile(r"What is (\d+) \+ 1\?")


class SmallModel:
    """Answers `What is N + 1?`: sample after sample right with the chance N / 10, by the request's seed."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: Counter[tuple[int, Any]] = Counter()  # by number and seed
        self.usd = 0.0  # at $1 a million tokens of input, $10 of output
        self.sick: set[int] = set()  # numbers that it refuses
        self.latency_s = 0.0
        self.rating: str | None = None  # what it says to everything else than a sum

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = json.loads(await request.read())
        found = _SUM.search(body["messages"][-1]["content"])
        assert found is not None
        number = int(found[1])
        self.asked[number, body.get("seed")] += 1
        if number in self.sick:
            return web.json_response({"error": {"message": "I am sick"}}, status=400)
        # Billed when it begins, so that what a client abandons is billed as well.
        self.usd += (100 * 1.0 + (10 + number) * 10.0) / 1e6
        if self.latency_s:
            import asyncio

            await asyncio.sleep(self.latency_s)
        chance = int(digest(number, body.get("seed"))[:8], 16) / 2**32
        text = self.rating or f"It is \\boxed{{{number + 1 if chance < number / 10 else 0}}}."
        usage = {"prompt_tokens": 100, "completion_tokens": 10 + number}
        return web.json_response({**answer(text), "usage": usage})
