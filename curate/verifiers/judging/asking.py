"""One vote of a judge: a call through the one client, in the strictest reply form that its server takes.

Servers differ in `response_format`: a JSON schema is tried first, then plain JSON, then nothing; the first request to a
server finds out, alone, and the others go by it.
"""

import asyncio
import re
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from weakref import WeakKeyDictionary

from curate.calls.model import Call, Reply
from curate.kinds import Ask, Teacher
from curate.verifiers.judging.reply import Word, read_reply, response_schema

if TYPE_CHECKING:
    from curate.calls.client import Calls
    from curate.resources import Resources

ReplyForm = Literal["auto", "schema", "object", "text"]
_FORMS: tuple[Literal["schema", "object", "text"], ...] = ("schema", "object", "text")
_NOT_TAKEN = re.compile(r"(?:400|405|415|422|501)\b")  # the body is refused, perhaps for its response_format

_DECIDING: tuple[Word, ...] = ("equal", "different")
# What a vote came to where it is no verdict.
Lack = Literal["unparsable", "truncated", "refused", "empty", "failed"]
_LACKS: dict[str, Lack] = {"length": "truncated", "refused": "refused", "empty": "empty", "failed": "failed"}


class Vote(NamedTuple):
    """One reply: its word, or what it lacks, with the judge's own sentence and what it cost (USD; None: unknown)."""

    word: Word | Lack
    why: str = ""
    model: str | None = None
    cost: float | None = None
    asked: tuple[str, ...] = ()  # keys of its requests


class Poll(NamedTuple):
    """What votes are asked with: the model, the form of its reply, and the cap on its tokens."""

    model: Teacher
    says: Literal["verdict", "correct"]
    form: ReplyForm
    max_tokens: int


async def vote(poll: Poll, ask: Ask, sample: int, resources: "Resources") -> Vote:
    """Ask for one vote. A call without success is the word `failed`; raises Stopped where no more may be sent."""
    calls = resources.calls
    call, reply = await _asked(poll, ask, sample, resources, calls)
    if call is None:
        return Vote("failed", "there is no recorded reply")
    attempt = poll.model.parse(ask.question(), sample, call, reply)
    paid = (attempt.model, attempt.cost, (call.key,) if call.stored else ())
    if attempt.finish_reason != "stop":
        why = (reply.error or "")[:200] if attempt.finish_reason == "failed" else ""
        return Vote(_LACKS.get(attempt.finish_reason, "unparsable"), why, *paid)
    said = read_reply(attempt.solution, poll.says)
    return Vote(said.word or "unparsable", said.why, *paid)


class _Known:
    """The reply form that one model's server takes; None until a request found out."""

    def __init__(self) -> None:
        self.form: Literal["schema", "object", "text"] | None = None
        self.lock = asyncio.Lock()


_known: WeakKeyDictionary["Calls", dict[str, _Known]] = WeakKeyDictionary()


async def _asked(
    poll: Poll, ask: Ask, sample: int, resources: "Resources", calls: "Calls"
) -> tuple[Call | None, Reply]:
    def built(form: Literal["schema", "object", "text"]) -> Call | None:
        wanted = ask._replace(response_format=_response_format(form, poll.says))
        call = poll.model.ask(wanted, sample, resources)
        if call is None:
            return None
        cap = call.max_tokens or poll.max_tokens
        return call.model_copy(update={"max_tokens": cap, "use": resources.judged_for, "gives_up": True})

    call = built("text")
    if call is None:
        return None, Reply(status="failed")
    if call.form not in ("chat", "responses") or poll.form == "text":
        return call, await calls.ask(call)
    if poll.form != "auto":
        call = built(poll.form)
        assert call is not None
        return call, await calls.ask(call)
    known = _known.setdefault(calls, {}).setdefault(f"{call.base_url} {call.model}", _Known())
    if known.form is None:
        async with known.lock:
            if known.form is None:
                return await _first(known, built, calls)
    call = built(known.form)
    assert call is not None
    return call, await calls.ask(call)


async def _first(known: _Known, built: Any, calls: "Calls") -> tuple[Call, Reply]:
    """Ask in one form after the other until one is taken; where none is, it is this request that is refused."""
    for form in _FORMS:
        call: Call = built(form)
        reply = await calls.ask(call)
        if reply.status == "ok":
            known.form = form
        if reply.status == "ok" or not _NOT_TAKEN.match(reply.error or ""):
            return call, reply
    return call, reply


def _response_format(form: str, says: Literal["verdict", "correct"]) -> dict[str, Any] | None:
    if form == "text":
        return None
    if form == "object":
        return {"type": "json_object"}
    schema = {"name": "verdict", "strict": True, "schema": response_schema(says)}
    return {"type": "json_schema", "json_schema": schema}


def majority(votes: list[Vote], wanted: int) -> Word | None:
    """The word that more than half of the `wanted` votes say, whatever further votes may say."""
    for word in _DECIDING:
        if 2 * sum(one.word == word for one in votes) > wanted:
            return word
    return None
