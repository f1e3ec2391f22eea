"""Budget forcing over any completions endpoint (s1, arXiv:2501.19393): two calls or more for one answer.

The model thinks until its mark of the end; `times` times that mark is put off by a word and it thinks on; at the cap on
thinking it is told to answer. Each call is durable by itself: a sequence that was stopped goes on where it was.
"""

from collections.abc import Generator, Sequence
from typing import Any, NamedTuple

from curate.calls import completion
from curate.calls.client import Calls
from curate.calls.model import Call, Reply
from curate.kinds import Teacher
from curate.records import Attempt, Question
from curate.teachers._api import Api
from curate.teachers.completions import Completions
from curate.teachers.parse import attempt_of
from eval.block import Forcing
from eval.pose import USE

_Steps = Generator[Call, Reply, Reply]


class Variant(NamedTuple):
    """One combination of a forcing block: how often the end of thinking is put off, and the cap on thinking."""

    forcing: Forcing
    times: int
    max_thinking: int | None

    @property
    def name(self) -> str:
        """What it adds to the name of its model: `wait2`, `wait0-cap512`."""
        cap = "" if self.max_thinking is None else f"-cap{self.max_thinking}"
        return f"wait{self.times}{cap}"

    def told(self) -> dict[str, Any]:
        """It as plain values."""
        fields = self.forcing.model_dump(exclude={"times", "max_thinking"})
        return {**fields, "times": self.times, "max_thinking": self.max_thinking}

    def asked(self, model: Teacher) -> "ForcedModel":
        """The model, asked for raw completions. Raises TypeError for one that has no server (the block checks that)."""
        if not isinstance(model, Api):
            raise TypeError(f"{model.name()} has no server to be forced")
        shared = {name: getattr(model, name) for name in Api.model_fields if name in model.model_fields_set}
        return ForcedModel(**{**shared, "raw": self.forcing.raw})


def variants(forcing: Forcing | None) -> list[Variant]:
    """Every combination of a block, the smallest caps first."""
    if forcing is None:
        return []
    return [Variant(forcing, times, cap) for cap in forcing.max_thinking for times in forcing.times]


class ForcedModel(Completions):
    """A model whose answers come in pieces; what they come to is read as thinking and answer apart."""

    def parse(self, question: Question, sample: int, call: Call, reply: Reply) -> Attempt:
        """The attempt; the prompt has opened the thinking, but the reply already has it apart."""
        apart = call.model_copy(update={"body": {name: one for name, one in call.body.items() if name != "prompt"}})
        attempt = attempt_of(question, sample, apart, reply, self.name(), self._reading())
        return attempt.model_copy(update={"request_key": call.key})


class Forced:
    """The calls of a run, where each request for an answer is a sequence of them; all else is passed on."""

    def __init__(self, calls: Calls, variant: Variant) -> None:
        self._calls, self._variant = calls, variant

    def __getattr__(self, name: str) -> Any:
        return getattr(self._calls, name)

    async def ask(self, call: Call) -> Reply:
        """The reply to a whole sequence; `failed` where one of its calls failed. Raises as `Calls.ask`."""
        if call.use != USE:
            return await self._calls.ask(call)
        steps = forced(call, self._variant)
        asked = next(steps)
        while True:
            try:
                asked = steps.send(await self._calls.ask(asked))
            except StopIteration as end:
                return _reply(end)

    def lookup(self, calls: Sequence[Call]) -> dict[str, Reply]:
        """What is known now, by request key: whole sequences, and failures."""
        found = {call.key: self._known(call) for call in calls if call.use == USE}
        found |= dict(self._calls.lookup([call for call in calls if call.use != USE]))
        return {key: reply for key, reply in found.items() if reply is not None}

    def _known(self, call: Call) -> Reply | None:
        steps = forced(call, self._variant)
        asked = next(steps)
        while True:
            came = self._calls.lookup([asked]).get(asked.key)
            if came is None:
                return None
            try:
                asked = steps.send(came)
            except StopIteration as end:
                return _reply(end)


def forced(call: Call, variant: Variant) -> _Steps:
    """The calls of one sequence in order, each sent on with the reply to the one before; returns the whole reply.

    Thinking may use `max_thinking` tokens over all its pieces, by default what the call's own cap leaves beside the
    answer; a server that counts no tokens is taken to have used a piece's whole cap only where that cut it.
    """
    rule = variant.forcing
    room = (call.max_tokens or 0) - rule.max_answer
    left = variant.max_thinking if variant.max_thinking is not None else max(room, 1) if call.max_tokens else None
    thinking, waits, cut = "", 0, False
    replies: list[Reply] = []
    while True:
        reply = yield _piece(call, call.body["prompt"] + thinking, left, stop=rule.stop)
        replies.append(reply)
        if reply.status == "failed":
            return reply
        piece, ended, _ = _text(reply).partition(rule.stop)  # a server may leave the mark there, and write on
        thinking += piece
        cut = completion.cut(reply.raw) and not ended
        left = None if left is None else left - reply.usage.get("output", left if cut else 0)
        if cut or waits >= variant.times or (left is not None and left <= 0):
            break
        thinking = thinking.rstrip() + rule.wait
        waits += 1
    told = rule.at_cap if cut else ""
    reply = yield _piece(call, call.body["prompt"] + thinking + rule.answer + told, rule.max_answer, stop=None)
    replies.append(reply)
    return reply if reply.status == "failed" else _joined(replies, thinking, told + _text(reply))


def _piece(call: Call, prompt: str, cap: int | None, *, stop: str | None) -> Call:
    body = {**call.body, "prompt": prompt, **({"stop": [stop]} if stop else {})}
    # A reply that was cut later than this cap would serve it, and think longer than it may: the cap is part of the key.
    mark = f"{call.revision or ''} forced, at most {cap}"
    return call.model_copy(update={"body": body, "max_tokens": cap, "revision": mark})


def _text(reply: Reply) -> str:
    return completion.said(completion.message(reply.raw))


def _joined(replies: Sequence[Reply], thinking: str, answer: str) -> Reply:
    """One reply of all: its tokens and cost added, the prompt's counted once; it ends as the answer does."""
    last = replies[-1]
    usage = {"output": sum(one.usage.get("output", 0) for one in replies)}
    if "input" in replies[0].usage:
        usage["input"] = replies[0].usage["input"]
    costs = [one.cost for one in replies]
    reason = completion.finish_reason(last.raw)
    return last.model_copy(
        update={
            "raw": completion.completion(answer, reasoning=thinking.strip() or None, finish_reason=reason),
            "usage": usage,
            "cost": None if None in costs else sum(one or 0.0 for one in costs),
            "seconds": sum(one.seconds for one in replies),
        }
    )


def _reply(end: StopIteration) -> Reply:
    reply: Reply = end.value
    return reply
