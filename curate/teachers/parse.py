"""From a stored reply to an attempt: where the thinking is, and whether there is an answer at all.

An answer counts as finished only if the server says that the model stopped by itself, the text is not empty, and no
mark of thinking was left open. Everything else keeps its text and says what is wrong with it.
"""

import re
from typing import Any

from curate.calls import completion
from curate.calls.model import Call, Reply
from curate.keys import digest
from curate.records import Attempt, FinishReason, Question
from curate.teachers.split import split

_SURROGATE = re.compile("[\ud800-\udfff]")
_STOPPED = frozenset({"stop", "eos", "eos_token", "end_turn", "stop_sequence", "completed"})
_CUT = frozenset({"length", "max_tokens", "max_output_tokens"})
_REFUSED = frozenset({"content_filter", "refusal", "safety", "recitation"})


def attempt_of(question: Question, sample: int, call: Call, reply: Reply, teacher: str) -> Attempt:
    """The attempt that a reply holds; never raises on what a model wrote."""
    key = call.key
    reasoning, solution, finish = _read(reply)
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


def _read(reply: Reply) -> tuple[str | None, str, FinishReason]:
    if reply.status == "failed":
        return None, "", "failed"
    message = completion.message(reply.raw)
    text, apart = _text(message.get("content")), _thinking(message)
    parts = split(text, thinking_known=apart is not None)
    thoughts = [part for part in (apart, parts.reasoning) if part]
    return "\n\n".join(thoughts) or None, parts.solution, _finish(reply.raw, parts.solution, parts.whole)


def _finish(raw: dict[str, Any], solution: str, whole: bool) -> FinishReason:
    said = (completion.finish_reason(raw) or "").lower()
    if said in _CUT:
        return "length"
    if said in _REFUSED or completion.message(raw).get("refusal"):
        return "refused"
    if not whole:
        return "malformed"
    if not solution.strip():
        return "empty"
    return "stop" if said in _STOPPED else "malformed"


def _thinking(message: dict[str, Any]) -> str | None:
    """The thinking that the server gave apart: vLLM and Ollama, DeepSeek and SGLang, Ollama's own, OpenRouter."""
    for name in ("reasoning", "reasoning_content", "thinking"):
        if isinstance(message.get(name), str) and message[name].strip():
            return _clean(message[name]).strip()
    details = message.get("reasoning_details")
    if isinstance(details, list):
        texts = [one.get("text") or one.get("summary") for one in details if isinstance(one, dict)]
        return _clean("\n\n".join(text for text in texts if isinstance(text, str))).strip() or None
    return None


def _text(content: Any) -> str:
    if isinstance(content, str):
        return _clean(content)
    if isinstance(content, list):  # content parts
        texts = [part.get("text") for part in content if isinstance(part, dict)]
        return _clean("".join(text for text in texts if isinstance(text, str)))
    return ""


def _clean(text: str) -> str:
    # Half of a surrogate pair is no text that can be published; the ledger keeps it as it came.
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)
