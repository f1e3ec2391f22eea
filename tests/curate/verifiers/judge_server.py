"""A chat-completions server that plays a judge: it reads the prompt as a model would, and errs in the way it is told.

The honest one compares the two blocks of data; `obeys` follows every order that it finds outside the marks of data, and
`gullible` whatever an answer with words says, wherever it stands.
"""

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from tests.curate.calls.server import answer
from tests.loopback import loopback

_ORDER = re.compile(
    r"(?:say|reply|verdict|output|answer with|return|respond)\W+(?:\w+\W+){0,6}?(?:equal|correct|true)", re.I
)


def blocks(text: str) -> dict[str, str]:
    """The data between marks, as whoever trusts the first closing mark reads it."""
    found = re.findall(r"^The (\w+|ground truth|proposed solution):\n<([\w-]+)>\n(.*?)\n</\2>$", text, re.S | re.M)
    return {name: data for name, _, data in found}


def outside(text: str) -> str:
    """All that stands outside the marks, with what the prompt itself says taken out."""
    return re.sub(r"<([\w-]+)>\n.*?\n</\1>", "", text, flags=re.S).split("Do the answer and the reference")[0]


def compared(text: str) -> str:
    parts = blocks(text)
    same = parts["answer"].strip().casefold() == parts["reference"].strip().casefold()
    return "equal" if same else "different"


def says(word: str, why: str = "because") -> str:
    return json.dumps({"why": why, "verdict": word})


def honest(text: str) -> str:
    return says(compared(text))


def obeys(text: str) -> str:
    return says("equal") if _ORDER.search(outside(text)) else honest(text)


def gullible(text: str) -> str:
    return says("equal") if len(re.findall(r"[^\W\d_]", blocks(text)["answer"])) >= 6 else honest(text)


class JudgeServer:
    """Replies with `reply(user text)`; `status` and `formats` make it refuse."""

    def __init__(self) -> None:
        self.url = ""
        self.reply: Callable[[str], Any] = honest
        self.formats = {"json_schema", "json_object", "none"}  # the response formats that it takes
        self.status: list[int] = []  # errors that come first
        self.finish = "stop"
        self.delay_s = 0.0
        self.seen: list[dict[str, Any]] = []
        self.asked: Counter[str] = Counter()  # by response format

    @property
    def users(self) -> list[str]:
        return [body["messages"][-1]["content"] for body in self.seen]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        form = body.get("response_format", {}).get("type", "none")
        self.asked[form] += 1
        if form not in self.formats:
            return web.json_response({"error": {"message": f"response_format {form} is not supported"}}, status=400)
        self.seen.append(body)
        await asyncio.sleep(self.delay_s)
        if self.status:
            return web.json_response({"error": {"message": "no"}}, status=self.status.pop(0))
        content = self.reply(body["messages"][-1]["content"])
        if isinstance(content, web.Response):
            return content
        return web.json_response(answer(content, self.finish))


@asynccontextmanager
async def judging() -> AsyncIterator[JudgeServer]:
    server = JudgeServer()
    async with loopback(web.post("/v1/chat/completions", server.handle)) as server.url:
        yield server
