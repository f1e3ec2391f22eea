"""From a stored reply to an attempt: where the thinking is, and whether there is an answer at all.

An answer counts as finished only if the server says that the model stopped by itself, the text is not empty, and no
mark of thinking was left open. Everything else keeps its text and says what is wrong with it.
"""

import re
from typing import Any, NamedTuple

from curate.calls import completion
from curate.calls.model import Call, Reply
from curate.keys import digest
from curate.records import Attempt, FinishReason, Question
from curate.teachers.split import Marks, opened_by, split

_SURROGATE = re.compile("[\ud800-\udfff]")
_STOPPED = frozenset({"stop", "eos", "eos_token", "end_turn", "stop_sequence", "completed"})
_REFUSED = frozenset({"content_filter", "refusal", "safety", "recitation"})


class Reading(NamedTuple):
    """How to read the replies of one model."""

    marks: Marks | None = None  # those around its thinking, where they are not the usual ones
    needs_reasoning: bool = False  # an answer without thinking is malformed
    as_is: bool = False  # the text is the solution, marks and all


USUAL = Reading()


def attempt_of(
    question: Question, sample: int, call: Call, reply: Reply, teacher: str, reading: Reading = USUAL
) -> Attempt:
    """The attempt that a reply holds; never raises on what a model wrote."""
    key = call.key
    reasoning, solution, finish = _read(call, reply, reading)
    return Attempt(
        id=digest("attempt", question.id, teacher, sample, key),
        question_id=question.id,
        sample=sample,
        teacher=teacher,
        model=reply.model,
        reasoning=reasoning,
        solution=solution,
        finish_reason=finish,
        request_key=key,
        usage=reply.usage,
        cost=reply.cost,
    )


def _read(call: Call, reply: Reply, reading: Reading) -> tuple[str | None, str, FinishReason]:
    if reply.status == "failed":
        return None, "", "failed"
    message = completion.message(reply.raw)
    text, apart = _clean(completion.said(message)), _clean(completion.thought(message)).strip() or None
    if reading.as_is:
        return apart, text, _finish(reply.raw, text, whole=True)
    prompt = call.body.get("prompt")
    if isinstance(prompt, str):  # a raw prompt may have begun the thinking
        text = opened_by(prompt, reading.marks) + text
    parts = split(text, thinking_known=apart is not None, marks=reading.marks)
    thoughts = dict.fromkeys(part for part in (apart, parts.reasoning) if part)  # some servers give it in both ways
    reasoning = "\n\n".join(thoughts) or None
    whole = parts.whole and not (reading.needs_reasoning and reasoning is None)
    return reasoning, parts.solution, _finish(reply.raw, parts.solution, whole=whole)


def _finish(raw: dict[str, Any], solution: str, *, whole: bool) -> FinishReason:
    said = (completion.finish_reason(raw) or "").lower()
    if completion.cut(raw):
        return "length"
    if said in _REFUSED or completion.message(raw).get("refusal"):
        return "refused"
    if not whole:
        return "malformed"
    if not solution.strip():
        return "empty"
    return "stop" if said in _STOPPED else "malformed"


def _clean(text: str) -> str:
    # Half of a surrogate pair is no text that can be published; the ledger keeps it as it came.
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)
