"""Form `chat`: OpenAI's chat completions, which nearly every server speaks, through the official client.

The client only sends: its own retries are off, and what comes back is read here from the bytes, because a page of HTML,
an error or half an answer can come with status 200. Keys never reach an error text.
"""

import json
import re
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from time import time
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import openai

from curate.calls import completion
from curate.calls.model import Call, Reply
from curate.calls.secret import key_of, without_keys
from curate.calls.trouble import Busy, Denied, Refused, Trouble, Unclear, Unreachable

OPENAI_URL = "https://api.openai.com/v1"
_CONNECT_S = 30.0
_CONNECTIONS = 4096  # the endpoint's slots are the limit, not the pool
_NOT_CONNECTED = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, ConnectionRefusedError)
_QUOTA = re.compile(r"insufficient.?(quota|balance|credits|funds)|exceeded your current quota|billing", re.IGNORECASE)
_MODERATION = re.compile(r"moderation|flagged|content.?(policy|filter)", re.IGNORECASE)


class Chat:
    """The transport of form `chat`: one client per address and key."""

    def __init__(self) -> None:
        self._clients: dict[tuple[str, str | None], openai.AsyncOpenAI] = {}

    async def send(self, call: Call) -> Reply:
        """Send one request, not streamed. Raises a `Trouble`, or Prerequisite if its key variable is not set."""
        client = self._client(call)
        body = dict(call.body)
        if call.max_tokens is not None:
            body[_cap_name(call)] = call.max_tokens
        timeout = openai.Timeout(call.timeout_s, connect=_CONNECT_S, pool=None)
        try:
            came = await client.chat.completions.with_raw_response.create(
                model=body.pop("model", call.model), messages=body.pop("messages"), extra_body=body, timeout=timeout
            )
            text, request_id = came.http_response.content, came.headers.get("x-request-id")
        except openai.APIStatusError as error:
            raise _trouble(error.status_code, _words(error.body, error), error.response.headers) from None
        except openai.APIConnectionError as error:  # timeouts too
            raise _broken(error) from None
        except openai.OpenAIError as error:
            raise Unclear(without_keys(str(error))) from None
        return _reply(text, request_id)

    async def close(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            await client.close()

    def _client(self, call: Call) -> openai.AsyncOpenAI:
        name = (call.base_url or OPENAI_URL, call.api_key_env)
        if name not in self._clients:
            client = openai.AsyncOpenAI(
                base_url=name[0],
                api_key=key_of(call.api_key_env) or "none",
                max_retries=0,
                http_client=openai.DefaultAioHttpClient(limits=_limits()),
            )
            # The SDK takes these from the environment and would tell them to any server.
            client.organization = client.project = None
            self._clients[name] = client
        return self._clients[name]


def _limits() -> Any:
    # The SDK's pool type moves between releases (httpx, httpx2); its own default is of the right one.
    kind = type(openai.DEFAULT_CONNECTION_LIMITS)
    return kind(max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS)


def _cap_name(call: Call) -> str:
    # OpenAI's own reasoning models refuse `max_tokens`; other servers know nothing else.
    host = urlsplit(call.base_url or OPENAI_URL).hostname or ""
    return "max_completion_tokens" if host == "api.openai.com" else "max_tokens"


def _reply(text: bytes, request_id: str | None) -> Reply:
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError):
        raise Unclear(f"the answer is no JSON: {without_keys(text[:300].decode('utf-8', 'replace'))}") from None
    if not isinstance(raw, dict):
        raise Unclear(f"the answer is no JSON object: {without_keys(str(raw))}")
    if raw.get("error"):
        error = raw["error"]
        code = error.get("code") if isinstance(error, dict) else None
        raise _trouble(code if isinstance(code, int) else 200, _words(error), {})
    if not completion.message(raw):
        raise Unclear("the answer holds no message")
    reason = completion.finish_reason(raw)
    if reason == "insufficient_system_resource":  # DeepSeek gave up in the middle
        raise Unclear("the server ran out of resources while answering")
    model = raw.get("model")
    return Reply(
        raw=raw,
        model=model if isinstance(model, str) else None,
        truncated=reason == "length",
        usage=completion.usage(raw),
        request_id=request_id or (raw["id"] if isinstance(raw.get("id"), str) else None),
    )


def _trouble(status: int, words: str, headers: Any) -> Trouble:
    """Which trouble an HTTP status (200: an error in a good answer) and the server's words mean."""
    what = f"{status} {words}".strip()
    if status in (401, 402, 404) or (status in (200, 403, 429) and _QUOTA.search(words)):
        return Denied(what)
    if status == 403:
        return Refused(what) if _MODERATION.search(words) else Denied(what)
    if status in (429, 503, 529):
        return Busy(what, _retry_after(headers))
    if status >= 500 or status in (200, 408, 409):
        return Unclear(what)
    return Refused(what)


def _broken(error: openai.APIConnectionError) -> Trouble:
    chain = list(_causes(error))
    # Only what certainly never left this machine is free; the class names of the SDK do not tell.
    what = without_keys(str(chain[-1]) or type(chain[-1]).__name__)
    if any(isinstance(one, _NOT_CONNECTED) for one in chain):
        return Unreachable(f"no connection: {what}")
    return Unclear(f"the connection broke: {what}")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _retry_after(headers: Any) -> float | None:
    milliseconds, seconds = headers.get("retry-after-ms"), headers.get("retry-after")
    try:
        if milliseconds:
            return max(0.0, float(milliseconds) / 1000)
        return max(0.0, float(seconds)) if seconds else None
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(seconds).timestamp() - time())
    except (ValueError, TypeError):
        return None


def _words(body: Any, error: Exception | None = None) -> str:
    if isinstance(body, dict):
        inner = body.get("error", body)
        body = inner.get("message") or json.dumps(inner) if isinstance(inner, dict) else inner
        code = inner.get("code") if isinstance(inner, dict) else None
        body = f"{body} ({code})" if isinstance(code, str) and code not in str(body) else body
    return without_keys(str(body if body is not None else error))
