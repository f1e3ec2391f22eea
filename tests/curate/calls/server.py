"""A chat-completions server on loopback that does what each question says, and counts what it would bill.

The user message is a script of steps, one per request of that text, the last one repeated: `429 ok`, `cut html ok`...
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from tests.loopback import loopback


class Server:
    def __init__(self) -> None:
        self.url = ""
        self.seen: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.requests: Counter[str] = Counter()  # by script
        self.billed: Counter[str] = Counter()
        self.at_once = self.most_at_once = 0
        self.times: list[float] = []
        self.gate: asyncio.Event | None = None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.seen.append(body)
        self.headers.append(dict(request.headers))
        self.times.append(asyncio.get_running_loop().time())
        script = body["messages"][-1]["content"]
        steps = script.split()
        step = steps[min(self.requests[script], len(steps) - 1)]
        self.requests[script] += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if self.gate is not None:
                await self.gate.wait()
            return await self.answer(request, step, script)
        finally:
            self.at_once -= 1

    async def answer(self, request: web.Request, step: str, script: str) -> web.StreamResponse:
        name, _, number = step.partition(":")
        if name.isdecimal():
            headers = {"Retry-After": number} if number else {}
            words = {"429q": "You exceeded your current quota"}.get(step, "no")
            return web.json_response(
                {"error": {"message": f"{words}, sk-abc123def456", "code": None}}, status=int(name), headers=headers
            )
        if name == "quota":
            error = {"message": "You exceeded your current quota", "code": "insufficient_quota"}
            return web.json_response({"error": error}, status=429)
        if name == "context":
            error = {"message": "maximum context length exceeded", "code": "context_length_exceeded"}
            return web.json_response({"error": error}, status=400)
        self.billed[script] += 1
        if name == "hang":
            await asyncio.sleep(float(number))
        if name == "drop":
            assert request.transport is not None
            request.transport.close()
            await asyncio.sleep(0)
            return web.Response()
        if name == "half":
            response = web.StreamResponse(headers={"Content-Length": "1000", "Content-Type": "application/json"})
            await response.prepare(request)
            await response.write(b'{"choices": [')
            assert request.transport is not None
            request.transport.close()
            return response
        if name == "drip":  # keep-alive lines, as DeepSeek sends them under load
            response = web.StreamResponse(headers={"Content-Type": "application/json"})
            await response.prepare(request)
            for _ in range(8):
                await response.write(b"\n")
                await asyncio.sleep(0.15)
            await response.write(json.dumps(answer()).encode())
            return response
        return web.Response(body=BODIES[name](number), content_type="application/json")


def answer(content: Any = "The answer is 4.", finish: str | None = "stop", **message: Any) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "teacher-0001",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": content, **message}, "finish_reason": finish}
        ],
        "usage": {"prompt_tokens": 11, "completion_tokens": 7},
    }


def dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


BODIES: dict[str, Any] = {
    "ok": lambda _: dumped(answer()),
    "hang": lambda _: dumped(answer()),
    "html": lambda _: b"<html><body>Bad gateway</body></html>",
    "cut": lambda _: dumped(answer())[:60],
    "error200": lambda _: dumped({"error": {"message": "upstream failed", "code": 502}}),
    "busy200": lambda _: dumped({"error": {"message": "slow down", "code": 429}}),
    "nochoices": lambda _: dumped({**answer(), "choices": []}),
    "nullchoices": lambda _: dumped({**answer(), "choices": None}),
    "array": lambda _: b"[1, 2]",
    "nomessage": lambda _: dumped({**answer(), "choices": [{"index": 0, "finish_reason": "stop"}]}),
    "overloaded": lambda _: dumped(answer(None, "insufficient_system_resource")),
    "null": lambda _: dumped(answer(None)),
    "length": lambda _: dumped(answer("The answer", "length")),
    "nousage": lambda _: dumped({**answer(), "usage": None}),
    "oddusage": lambda _: dumped(
        {**answer(), "usage": {"prompt_tokens": float("nan"), "completion_tokens": 5,
                               "completion_tokens_details": {"reasoning_tokens": 9}}}
    ),
    "surrogate": lambda _: dumped(answer("half a pair \ud83d and a NUL \x00 here")),
}  # fmt: skip


@asynccontextmanager
async def serving() -> AsyncIterator[Server]:
    server = Server()
    async with loopback(web.post("/v1/chat/completions", server.handle)) as server.url:
        yield server
