"""A model on loopback whose answers are known: it says what a test makes of each request, and keeps what it saw."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.loopback import loopback

Says = Callable[[dict[str, Any]], str | tuple[str, str] | int]  # a number: the status of a refusal


class Model:
    """Answers chat and raw completions with what `says` makes of the body: a text, or a text and how it ended."""

    def __init__(self, says: Says, latency_s: float = 0.0) -> None:
        self.says, self.latency_s = says, latency_s
        self.url = ""
        self.seen: list[dict[str, Any]] = []
        self.sold: Counter[str] = Counter()  # by model, prompt and seed
        self.at_once = 0

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.seen.append(body)
        self.sold[f"{body['model']} {asked(body)} {body.get('seed')}"] += 1
        self.at_once += 1
        try:
            await asyncio.sleep(self.latency_s)
        finally:
            self.at_once -= 1
        said = self.says(body)
        if isinstance(said, int):
            return web.json_response({"error": {"message": "no"}}, status=said)
        text, finish = said if isinstance(said, tuple) else (said, "stop")
        choice: dict[str, Any] = {"index": 0, "finish_reason": finish}
        choice |= {"message": {"role": "assistant", "content": text}} if "messages" in body else {"text": text}
        usage = {"prompt_tokens": len(asked(body).split()), "completion_tokens": len(text.split())}
        return web.json_response({"id": "1", "model": f"{body['model']}-0001", "choices": [choice], "usage": usage})


def asked(body: dict[str, Any]) -> str:
    """The text of a request."""
    return str(body["messages"][-1]["content"] if "messages" in body else body["prompt"])


def jsonl(path: Path) -> dict[str, Any]:
    """A file of problems and answers in mathematics as a source."""
    return {"kind": "jsonl", "path": str(path), "domain": "math", "columns": {"problem": "problem", "answer": "answer"}}


@asynccontextmanager
async def serving(says: Says, latency_s: float = 0.0) -> AsyncIterator[Model]:
    model = Model(says, latency_s)
    routes = [web.post("/v1/chat/completions", model.handle), web.post("/v1/completions", model.handle)]
    async with loopback(*routes) as model.url:
        yield model
