"""A reply that comes as a stream of events, put together again into what the same server says without streaming.

Streaming costs the client much more work; it is for servers that answer in no other way, or whose silence should be
noticed while they work.
"""

import json
from collections.abc import AsyncIterator
from typing import Any

from curate.calls.completion import dicts, said, thought
from curate.calls.trouble import Unclear

_TEXTS = ("content", "reasoning", "reasoning_content", "thinking", "refusal")
_ENDS = frozenset({"response.completed", "response.incomplete", "response.failed"})
_DONE = "[DONE]"


async def assembled(chunks: AsyncIterator[bytes]) -> dict[str, Any]:
    """The reply in the bytes of a stream. Raises Unclear where it ends before the answer does."""
    whole = _Whole()
    rest = b""
    data: list[str] = []
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            text = line.decode("utf-8", "replace").rstrip("\r")
            if text.startswith("data:"):
                data.append(text[5:].removeprefix(" "))
            elif not text and data:
                whole.take("\n".join(data))
                data = []
    if rest.startswith(b"data:"):  # the last event lacks its line end
        data.append(rest.decode("utf-8", "replace")[5:].strip())
    if data:
        whole.take("\n".join(data))
    return whole.reply()


class _Whole:
    """What the events so far add up to."""

    def __init__(self) -> None:
        self._raw: dict[str, Any] = {}
        self._message: dict[str, Any] = {}
        self._text: str | None = None  # of a raw completion
        self._reason: Any = None
        self._end: dict[str, Any] | None = None
        self._parts: dict[str, list[str]] = {}

    def take(self, data: str) -> None:
        """Take the data of one event. One that makes no sense is passed over: the end will tell."""
        if data.strip() == _DONE:
            return
        try:
            event = json.loads(data)
        except (ValueError, RecursionError):
            return
        if not isinstance(event, dict):
            return
        if event.get("type") in _ENDS and isinstance(event.get("response"), dict):
            self._end = event["response"]
        elif event.get("error"):
            self._end = {"error": event["error"]}
        else:
            self._chunk(event)

    def reply(self) -> dict[str, Any]:
        """The whole reply, in the form that it would have without streaming."""
        if self._end is not None:
            return self._end
        if self._reason is None:
            raise Unclear("the stream broke off before the answer had ended")
        texts = {name: "".join(parts) for name, parts in self._parts.items()}
        choice: dict[str, Any] = {"index": 0, "finish_reason": self._reason}
        if "text" in texts:
            choice["text"] = texts["text"]
        else:
            choice["message"] = {"role": "assistant", "content": None, **self._message, **texts}
        return {**self._raw, "choices": [choice]}

    def _chunk(self, event: dict[str, Any]) -> None:
        for name in ("id", "model", "created", "system_fingerprint", "usage", "provider"):
            if event.get(name) is not None:
                self._raw[name] = event[name]
        for choice in dicts(event.get("choices")):
            if choice.get("index", 0) != 0:
                continue
            if isinstance(choice.get("text"), str):
                self._parts.setdefault("text", []).append(choice["text"])
            delta = choice.get("delta")
            if isinstance(delta, dict):
                for name in _TEXTS:
                    if isinstance(delta.get(name), str):
                        self._parts.setdefault(name, []).append(delta[name])
                if isinstance(delta.get("content"), list):  # in parts, as Mistral does while a model thinks
                    for name, text in (("content", said(delta)), ("reasoning", thought({**delta, "reasoning": None}))):
                        self._parts.setdefault(name, []).append(text)
                self._details(delta)
            self._reason = choice.get("finish_reason") or self._reason

    def _details(self, delta: dict[str, Any]) -> None:
        found = self._message.setdefault("reasoning_details", []) if delta.get("reasoning_details") else []
        for one in dicts(delta.get("reasoning_details")):
            last = found[-1] if found else {}
            name = next((name for name in ("text", "summary") if isinstance(one.get(name), str)), None)
            same = isinstance(last.get(name), str) and all(last.get(key) == one.get(key) for key in ("type", "index"))
            if name is not None and same:
                last[name] += one[name]
            else:
                found.append(dict(one))
