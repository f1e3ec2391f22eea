"""Reading what the API forms return (chat completions, raw completions, Responses); no field is trusted.

Whatever the form, `message` is a chat message: its text in `content`, what was thought apart in `reasoning`.
"""

import math
from typing import Any

_MOST = 10**9  # tokens of one answer: a count beyond it is no count
_CUT = frozenset({"length", "max_tokens", "max_output_tokens", "model_length"})
_APART = frozenset({"thinking", "reasoning"})  # parts of a content that are no part of the answer


def choice(raw: dict[str, Any]) -> dict[str, Any]:
    """The first choice; empty where there is none."""
    choices = raw.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, dict) else {}


def message(raw: dict[str, Any]) -> dict[str, Any]:
    """The message of the first choice, or one made of the items of a Responses answer; empty where there is none."""
    if isinstance(raw.get("output"), list) and "choices" not in raw:
        return _of_items([item for item in raw["output"] if isinstance(item, dict)])
    first = choice(raw)
    found = first.get("message")
    if isinstance(found, dict):
        return found
    return {"content": first["text"]} if isinstance(first.get("text"), str) else {}


def finish_reason(raw: dict[str, Any]) -> str | None:
    """Why the model stopped, in the server's words; for an incomplete Responses answer, what it lacked."""
    found = choice(raw).get("finish_reason")
    if "choices" not in raw and isinstance(raw.get("status"), str):
        details = raw.get("incomplete_details")
        found = details.get("reason") if isinstance(details, dict) and raw["status"] == "incomplete" else raw["status"]
    return found if isinstance(found, str) else None


def cut(raw: dict[str, Any]) -> bool:
    """Whether the cap on tokens ended the answer."""
    return (finish_reason(raw) or "").lower() in _CUT


def usage(raw: dict[str, Any]) -> dict[str, int]:
    """Tokens: `input` (of it `cached`), `output` (of it `reasoning`); what is missing or cannot be true is left out."""
    found = raw.get("usage")
    if not isinstance(found, dict):
        return {}
    put, out = _details(found, "prompt_tokens", "input_tokens"), _details(found, "completion_tokens", "output_tokens")
    counts = {
        "input": _count(found.get("prompt_tokens", found.get("input_tokens"))),
        "output": _count(found.get("completion_tokens", found.get("output_tokens"))),
        "cached": _count(put.get("cached_tokens", found.get("prompt_cache_hit_tokens"))),
        "reasoning": _count(out.get("reasoning_tokens")),
    }
    known = {name: count for name, count in counts.items() if count is not None}
    for part, whole in (("reasoning", "output"), ("cached", "input")):
        if known.get(part, 0) > known.get(whole, math.inf):
            del known[part]
    return known


def completion(
    content: str | None, *, reasoning: str | None = None, finish_reason: str | None = "stop"
) -> dict[str, Any]:
    """A completion made up from its parts, for answers that come from no server."""
    parts: dict[str, Any] = {"role": "assistant", "content": content}
    if reasoning is not None:
        parts["reasoning"] = reasoning
    return {"choices": [{"index": 0, "message": parts, "finish_reason": finish_reason}]}


def _of_items(items: list[dict[str, Any]]) -> dict[str, Any]:
    said: list[str] = []
    refused: list[str] = []
    thought: list[str] = []
    for item in items:
        if item.get("type") == "reasoning":
            # Open models give the thoughts themselves in `content`, OpenAI's only a summary.
            thought += texts(item.get("content")) or texts(item.get("summary"))
        elif item.get("type") == "message":
            said += texts(item.get("content"))
            refused += texts(item.get("content"), "refusal")
    found: dict[str, Any] = {"role": "assistant", "content": "".join(said)}
    if thought:
        found["reasoning"] = "\n\n".join(thought)
    if refused:
        found["refusal"] = "\n".join(refused)
    return found


def said(message: dict[str, Any]) -> str:
    """The text of a message, which may come in parts; without those that are thinking."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    return "".join(texts([one for one in dicts(content) if one.get("type") not in _APART]))


def thought(message: dict[str, Any]) -> str:
    """The thinking that a server gave apart: as vLLM, DeepSeek and SGLang, Ollama, OpenRouter, or Mistral do."""
    for name in ("reasoning", "reasoning_content", "thinking"):
        found = message.get(name)
        if isinstance(found, str) and found.strip():
            return found
    details = [one.get("text") or one.get("summary") for one in dicts(message.get("reasoning_details"))]
    if not details:  # or as one of the parts of the content
        details = [_inner(part) for part in dicts(message.get("content")) if part.get("type") in _APART]
    return "\n\n".join(text for text in details if isinstance(text, str))


def texts(parts: Any, name: str = "text") -> list[str]:
    """The texts called `name` in a list of content parts."""
    return [text for text in (part.get(name) for part in dicts(parts)) if isinstance(text, str)]


def _inner(part: dict[str, Any]) -> Any:
    inner = part.get("thinking") or part.get("text")
    return "".join(texts(inner)) if isinstance(inner, list) else inner


def dicts(value: Any) -> list[dict[str, Any]]:
    """The objects in a list; none where it is no list."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _details(found: dict[str, Any], *names: str) -> dict[str, Any]:
    for name in names:
        details = found.get(f"{name}_details")
        if isinstance(details, dict):
            return details
    return {}


def _count(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MOST:  # NaN neither
        return None
    return int(value)
