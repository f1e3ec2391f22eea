"""Reading a chat completion, the JSON object that OpenAI's API and its followers return; no field is trusted."""

import math
from typing import Any


def choice(raw: dict[str, Any]) -> dict[str, Any]:
    """The first choice; empty where there is none."""
    choices = raw.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, dict) else {}


def message(raw: dict[str, Any]) -> dict[str, Any]:
    """The message of the first choice; empty where there is none."""
    found = choice(raw).get("message")
    return found if isinstance(found, dict) else {}


def finish_reason(raw: dict[str, Any]) -> str | None:
    """Why the model stopped, in the server's words."""
    found = choice(raw).get("finish_reason")
    return found if isinstance(found, str) else None


def usage(raw: dict[str, Any]) -> dict[str, int]:
    """Tokens: `input`, `output`, `reasoning`; what is missing or cannot be true is left out."""
    found = raw.get("usage")
    if not isinstance(found, dict):
        return {}
    details = found.get("completion_tokens_details") or found.get("output_tokens_details")
    counts = {
        "input": _count(found.get("prompt_tokens", found.get("input_tokens"))),
        "output": _count(found.get("completion_tokens", found.get("output_tokens"))),
        "reasoning": _count(details.get("reasoning_tokens")) if isinstance(details, dict) else None,
    }
    known = {name: count for name, count in counts.items() if count is not None}
    if known.get("reasoning", 0) > known.get("output", math.inf):
        del known["reasoning"]
    return known


def _count(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        return None
    return int(value)


def completion(
    content: str | None, *, reasoning: str | None = None, finish_reason: str | None = "stop"
) -> dict[str, Any]:
    """A completion made up from its parts, for answers that come from no server."""
    parts: dict[str, Any] = {"role": "assistant", "content": content}
    if reasoning is not None:
        parts["reasoning"] = reasoning
    return {"choices": [{"index": 0, "message": parts, "finish_reason": finish_reason}]}
