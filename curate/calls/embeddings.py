"""The ways to embed texts: each text is a call of its own, kept and paid for by itself; many go in one request.

What waits together for one model is sent together (`embeddings`, a server's), or encoded together (`encoder`, a model
on this machine). The reply to a text is its part of what came; its share of the tokens goes by its bytes.
"""

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, NamedTuple

from curate.calls.model import Call, Reply
from curate.calls.posted import Posted
from curate.calls.trouble import Refused, Trouble, Unclear
from curate.keys import digest

if TYPE_CHECKING:
    from model2vec import StaticModel

MOST = 32  # texts of a request: the least that a common server takes by default (text-embeddings-inference)
_CHARS = 60_000  # and characters of it, unless one text is longer
_WAIT_S = 0.02  # for more texts to come

Waiting = tuple[Call, asyncio.Future[Reply]]


class Embeddings:
    """The transport of `embeddings`: OpenAI's, and what speaks as it does."""

    def __init__(self) -> None:
        self._posted = Posted()
        self._gathered = _Gathered(self._together)

    async def send(self, call: Call) -> Reply:
        """The reply to one text. Raises a `Trouble`: that of the request that it went with."""
        if not isinstance(call.body.get("input"), str):
            return await self._posted.send(call)
        return await self._gathered.put(call)

    async def close(self) -> None:
        """Close the connections; requests that nobody waits for end with them."""
        await self._gathered.end()
        await self._posted.close()

    async def _together(self, calls: list[Call]) -> list[Reply | Trouble]:
        if len(calls) == 1:
            return [await self._alone(calls[0])]
        texts = [call.body["input"] for call in calls]
        try:
            whole = await self._posted.send(calls[0].model_copy(update={"body": {**calls[0].body, "input": texts}}))
            return list(_parts(whole, texts))
        except Refused:  # one of them may be too long, which must not fail the others; nothing was billed
            return [await self._alone(call) for call in calls]
        except Trouble as trouble:
            return [trouble] * len(calls)

    async def _alone(self, call: Call) -> Reply | Trouble:
        try:
            return await self._posted.send(call)
        except Trouble as trouble:
            return trouble


class Encoder:
    """The transport of `encoder`: a model2vec model in a folder of this machine, the call's `base_url`-less `model`."""

    def __init__(self) -> None:
        self._models: dict[str, StaticModel] = {}
        self._gathered = _Gathered(self._together)

    async def send(self, call: Call) -> Reply:
        """The reply to one text. Raises Refused where the model cannot be read."""
        return await self._gathered.put(call)

    async def close(self) -> None:
        """Let go of what is being encoded."""
        await self._gathered.end()

    async def _together(self, calls: list[Call]) -> list[Reply | Trouble]:
        try:
            return list(await asyncio.to_thread(self._encoded, calls))
        except Exception as error:  # noqa: BLE001 - the boundary to a model file and its library
            return [Refused(f"{calls[0].model}: {type(error).__name__}: {error}"[:300])] * len(calls)

    def _encoded(self, calls: list[Call]) -> list[Reply]:
        from model2vec import StaticModel

        name = calls[0].model
        if name not in self._models:
            self._models[name] = StaticModel.from_pretrained(name)
        # Half of a surrogate pair is nothing that a tokenizer takes, and would fail its neighbours too.
        texts = [call.body["input"].encode("utf-8", "replace").decode() for call in calls]
        vectors = self._models[name].encode(texts)
        raws = [{"data": [{"index": 0, "embedding": [round(float(one), 6) for one in each]}]} for each in vectors]
        return [Reply(raw=raw, model=name, usage={"input": 0, "output": 0}) for raw in raws]


class _Group(NamedTuple):
    waiting: list[Waiting]
    full: asyncio.Event


class _Gathered:
    """Calls that differ in nothing but their text, handed over together; whoever comes first waits for the others."""

    def __init__(self, together: Any) -> None:
        self._together = together
        self._groups: dict[str, _Group] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def put(self, call: Call) -> Reply:
        rest = {name: value for name, value in call.body.items() if name != "input"}
        key = digest(call.base_url, call.api_key_env, call.model, rest)
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = _Group([], asyncio.Event())
            task = asyncio.create_task(self._sent(key, group))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        mine: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        group.waiting.append((call, mine))
        size = sum(len(one.body["input"]) for one, _ in group.waiting)
        if len(group.waiting) >= MOST or size >= _CHARS:
            self._groups.pop(key, None)
            group.full.set()
        return await mine

    async def _sent(self, key: str, group: _Group) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(group.full.wait(), _WAIT_S)
        if self._groups.get(key) is group:
            del self._groups[key]
        here = [(call, future) for call, future in group.waiting if not future.done()]
        if not here:
            return
        try:
            found = await self._together([call for call, _ in here])
        except BaseException as error:  # whoever waits must hear of it, whatever it is
            found = [error] * len(here)
            if not isinstance(error, Exception):
                raise
        finally:
            for (_, future), one in zip(here, found, strict=True):
                if not future.done():
                    future.set_exception(one) if isinstance(one, BaseException) else future.set_result(one)

    async def end(self) -> None:
        """End what nobody waits for any more: it was abandoned."""
        for task in self._tasks:
            task.cancel()
        while self._tasks:
            await asyncio.wait(self._tasks)


def _parts(whole: Reply, texts: list[str]) -> list[Reply]:
    """The reply to each text. Raises Unclear where there is not exactly one vector for each."""
    data = whole.raw.get("data")
    found = [one for one in data if isinstance(one, dict)] if isinstance(data, list) else []
    places = [one.get("index", place) for place, one in enumerate(found)]
    held = dict(zip(places, found, strict=True)) if all(type(place) is int for place in places) else {}
    if len(found) != len(texts) or held.keys() != set(range(len(texts))):
        raise Unclear(f"the answer holds {len(held)} vectors for {len(texts)} texts")
    rest = {name: value for name, value in whole.raw.items() if name not in ("data", "usage")}
    shares = _shares(whole.usage, [len(text.encode("utf-8", "replace")) + 1 for text in texts])
    return [
        whole.model_copy(update={"raw": {**rest, "data": [{**held[place], "index": 0}]}, "usage": shares[place]})
        for place in range(len(texts))
    ]


def _shares(usage: dict[str, int], sizes: list[int]) -> list[dict[str, int]]:
    """The tokens of a request by the sizes of its texts; together they are exactly those of the request."""
    total, before = sum(sizes), 0
    found: list[dict[str, int]] = []
    for size in sizes:
        after = before + size
        found.append({name: count * after // total - count * before // total for name, count in usage.items()})
        before = after
    return found
