"""The forms that are one HTTP request each: `chat`, `responses` (items, reasoning among them), `completions` (raw).

Besides these, the forms of `curate.calls.forms.DATA`: what a reward model or an embedding model says in numbers.
"""

import json
from typing import Any
from urllib.parse import urlsplit

from curate.calls.forms import DATA
from curate.calls.model import Call, Reply
from curate.calls.wire import OPENAI_URL, Wire

# Where each form goes, and what it calls the cap on the tokens of an answer.
_FORMS = {
    "chat": ("/chat/completions", "max_tokens"),
    "responses": ("/responses", "max_output_tokens"),
    "completions": ("/completions", "max_tokens"),
}


class Posted:
    """The transport of these forms."""

    def __init__(self) -> None:
        self._wire = Wire()

    async def send(self, call: Call) -> Reply:
        """Send one request. Raises a `Trouble`, or Prerequisite if its key variable is not set."""
        body = sent_body(call)
        try:
            return await self._send(call, body)
        except UnicodeEncodeError:
            return await self._send(call, sendable(body))

    async def _send(self, call: Call, body: dict[str, Any]) -> Reply:
        if call.stream:
            return await self._wire.streamed(call, body)
        return await self._wire.post(call, path(call), body)

    async def close(self) -> None:
        """Close the connections."""
        await self._wire.close()


def sendable(body: dict[str, Any]) -> dict[str, Any]:
    """The body; where it holds half of a surrogate pair, which no server takes, with that replaced."""
    text = json.dumps(body, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        whole: dict[str, Any] = json.loads(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
        return whole
    return body


def path(call: Call) -> str:
    """The path under the address that a call goes to."""
    return f"/{call.form}" if call.form in DATA else _FORMS[call.form][0]


def sent_body(call: Call) -> dict[str, Any]:
    """The body of a call with the cap on its tokens."""
    if call.max_tokens is None or call.form in DATA:
        return call.body
    name = _FORMS[call.form][1]
    # OpenAI's own reasoning models refuse `max_tokens`; other servers know nothing else.
    if call.form == "chat" and (urlsplit(call.base_url or OPENAI_URL).hostname or "") == "api.openai.com":
        name = "max_completion_tokens"
    return {**call.body, name: call.max_tokens}
