"""What is done about an answer that the cap on tokens cut: kept as it is, or asked for once more in a stated way.

Nothing is paid for again unless the recipe says so, and then once: what was asked stands in the ledger like any reply.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, model_validator

from curate.calls import completion
from curate.calls.model import Call, Reply
from curate.kinds import Teacher
from curate.records import Record

if TYPE_CHECKING:
    from curate.calls.client import Calls

Action = Literal["keep", "drop", "retry_larger", "continue"]


class OnLength(Record):
    """The rule of a recipe; a bare word `x` means `{action: x}`."""

    action: Action = Field(
        "keep",
        description="keep: labelled as truncated. drop: left out. retry_larger: asked once more under max_tokens."
        " continue: the rest is asked for.",
    )
    max_tokens: int | None = Field(None, ge=1, description="The larger cap of retry_larger.")
    times: int = Field(1, ge=1, le=64, description="How often continue asks for more, each time under the usual cap.")

    @model_validator(mode="before")
    @classmethod
    def _word(cls, value: Any) -> Any:
        return {"action": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.action == "retry_larger") != (self.max_tokens is not None):
            raise ValueError("retry_larger, and only it, has max_tokens: the larger cap")
        if self.times != 1 and self.action != "continue":
            raise ValueError("times is for continue alone")
        return self


KEEP = OnLength()


async def answer(teacher: Teacher, call: Call, rule: OnLength, calls: "Calls") -> Reply:
    """The reply to a call, and to what the rule has asked after it. A further call that failed makes it `failed`."""
    reply = await calls.ask(call)
    for turn in range(_turns(rule)):
        more = _further(teacher, call, reply, rule, turn)
        if more is None:
            return reply
        came = await calls.ask(more)
        if came.status == "failed":
            return came
        reply = _instead(reply, came) if rule.action == "retry_larger" else joined(reply, came)
    return reply


class Stored(NamedTuple):
    """What the ledger holds of one answer: the replies that it took, and what they come to together."""

    replies: tuple[Reply, ...]
    reply: Reply | None  # None: the rule asks for more than is there


def stored_answers(asked: Sequence[tuple[Teacher, Call]], rule: OnLength, calls: "Calls") -> dict[str, Stored]:
    """What the ledger holds of the same, by the key of each call."""
    first = calls.lookup([call for _, call in asked])
    found = {key: Stored((reply,), reply) for key, reply in first.items()}
    open_ = {call.key: (teacher, call) for teacher, call in asked}
    for turn in range(_turns(rule)):
        further: dict[str, Call] = {}
        for key, (teacher, call) in open_.items():
            so_far = found[key].reply if key in found else None
            more = None if so_far is None else _further(teacher, call, so_far, rule, turn)
            if more is not None:
                further[key] = more
        open_ = {key: open_[key] for key in further}
        came = calls.lookup(list(further.values()))
        for key, more in further.items():
            found[key] = _grown(found[key], came.get(more.key), rule)
    return found


def known_replies(asked: Sequence[tuple[Teacher, Call]], rule: OnLength, calls: "Calls") -> dict[str, Reply]:
    """What `answer` would return without asking anybody; what it would still ask for is left out."""
    return {key: one.reply for key, one in stored_answers(asked, rule, calls).items() if one.reply is not None}


def _grown(stored: Stored, came: Reply | None, rule: OnLength) -> Stored:
    if came is None or stored.reply is None:
        return Stored(stored.replies, None)
    replies = (*stored.replies, came)
    if came.status == "failed":
        return Stored(replies, came)
    if rule.action == "retry_larger":
        return Stored(replies, _instead(stored.reply, came))
    return Stored(replies, joined(stored.reply, came))


def uncut(attempts: pa.Table) -> pa.Table:
    """The rows of an attempts table without those that were cut: what `drop` publishes, whatever the view."""
    return attempts.filter(pc.not_equal(attempts.column("finish_reason").cast("string"), "length"))


def joined(begun: Reply, rest: Reply) -> Reply:
    """One reply of two: its texts one after the other, its tokens and cost added; it ends as the second does."""
    before, after = completion.message(begun.raw), completion.message(rest.raw)
    text = completion.said(before)
    message = {"role": "assistant", "content": text + completion.said(after)}
    reason = completion.finish_reason(rest.raw)
    thought, more = completion.thought(before), completion.thought(after)
    if thought or more:
        message["reasoning"] = thought + more
    if after.get("refusal"):
        message["refusal"] = after["refusal"]
    if more and text.strip():
        reason = "misplaced"  # the rest of a solution came back as thinking: nobody knows where it belongs
    choice = {"index": 0, "message": message, "finish_reason": reason}
    names = begun.usage.keys() & rest.usage.keys()
    costs = (begun.cost, rest.cost)
    return rest.model_copy(
        update={
            "raw": {"choices": [choice]},
            "usage": {name: begun.usage[name] + rest.usage[name] for name in sorted(names)},
            "cost": None if costs[0] is None or costs[1] is None else costs[0] + costs[1],
            "seconds": begun.seconds + rest.seconds,
        }
    )


def _instead(cut: Reply, whole: Reply) -> Reply:
    return whole.model_copy(update={"replaced_usd": cut.cost or 0.0})


def _turns(rule: OnLength) -> int:
    return {"retry_larger": 1, "continue": rule.times}.get(rule.action, 0)


def _further(teacher: Teacher, call: Call, reply: Reply, rule: OnLength, turn: int) -> Call | None:
    """What the rule asks after a reply; None where it asks for nothing."""
    if reply.status == "failed" or not reply.truncated:
        return None
    if rule.action == "continue":
        return teacher.further(call, reply)
    larger = rule.max_tokens
    if larger is None or call.max_tokens is None or larger <= call.max_tokens:
        return None
    return call.model_copy(update={"max_tokens": larger})
