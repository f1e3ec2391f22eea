"""What the API forms share: one client per address and key, sending JSON, and reading what comes back from the bytes.

The official client only sends: its own retries are off, and nothing that comes back is trusted, because a page of HTML,
an error or half an answer can come with status 200. Keys never reach an error text.
"""

import json
import re
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from time import time
from typing import Any

import aiohttp
import openai

from curate.calls import completion
from curate.calls.forms import DATA
from curate.calls.model import Call, Reply
from curate.calls.secret import key_of, without_keys
from curate.calls.stream import assembled
from curate.calls.trouble import Busy, Denied, Refused, Trouble, Unclear, Unreachable

OPENAI_URL = "https://api.openai.com/v1"
_CONNECT_S = 30.0
_CONNECTIONS = 4096  # the endpoint's slots are the limit, not the pool
# The client then hands over the response as it came.
_RAW = {"X-Stainless-Raw-Response": "raw"}
_NOT_CONNECTED = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, ConnectionRefusedError)
_QUOTA = re.compile(r"insufficient.?(quota|balance|credits|funds)|exceeded your current quota|billing", re.IGNORECASE)
# How aiohttp and the official client begin the words of an error without a body of its own: "404: Not Found".
_NUMBERED = re.compile(r"^(?:Error code: ?)?[45]\d\d\b[:\s-]*")
_MODERATION = re.compile(r"moderation|flagged|content.?(policy|filter)", re.IGNORECASE)
# Ends that are the server's, not the model's: DeepSeek's, the Responses API's, OpenRouter's and vLLM's, SGLang's.
_UNFINISHED = frozenset(
    {"insufficient_system_resource", "failed", "cancelled", "queued", "in_progress", "error", "abort"}
)


class Wire:
    """The clients of a process, by address and key."""

    def __init__(self) -> None:
        self._clients: dict[tuple[str, str | None], openai.AsyncOpenAI] = {}

    async def post(self, call: Call, path: str, body: dict[str, Any]) -> Reply:
        """Post a body to `path` and read the reply. Raises a `Trouble`, or Prerequisite if the key is not set."""
        client = self.client(call.base_url, call.api_key_env)
        timeout = openai.Timeout(call.timeout_s, connect=_CONNECT_S, pool=None)
        try:
            came: Any = await client.post(
                path, cast_to=object, body=body, options={"headers": _RAW, "timeout": timeout, "max_retries": 0}
            )
            text, request_id = came.http_response.content, came.headers.get("x-request-id")
        except openai.OpenAIError as error:
            raise trouble_in(error) from None
        except UnicodeEncodeError:  # of the body: it has not left
            raise
        except Exception as error:  # noqa: BLE001 - the boundary to the SDK's transport, which does not wrap each error
            raise Unclear(f"the answer is no HTTP: {without_keys(str(error) or type(error).__name__)}") from None
        return read(text, request_id, data=call.form in DATA)

    async def streamed(self, call: Call, body: dict[str, Any]) -> Reply:
        """The same as a stream of events, in which `timeout_s` is the longest silence."""
        client = self.client(call.base_url, call.api_key_env)
        forms: dict[str, Any] = {
            "chat": client.chat.completions,
            "completions": client.completions,
            "responses": client.responses,
        }
        timeout = openai.Timeout(call.timeout_s, connect=_CONNECT_S, pool=None)
        asked = {name: body[name] for name in ("model", "messages", "prompt", "input") if name in body}
        # The last event then holds the tokens; the Responses API sends them anyway.
        usage = {} if call.form == "responses" else {"stream_options": {"include_usage": True}}
        rest = {name: value for name, value in body.items() if name not in asked}
        sending = forms[call.form].with_streaming_response.create(
            **asked, extra_body={**rest, **usage, "stream": True}, timeout=timeout
        )
        try:
            async with sending as came:
                if "event-stream" not in came.headers.get("content-type", ""):
                    return read(await came.read(), came.headers.get("x-request-id"))
                raw = await assembled(came.iter_bytes())
        except openai.OpenAIError as error:
            raise trouble_in(error) from None
        except (Trouble, UnicodeEncodeError):
            raise
        except Exception as error:  # noqa: BLE001 - the boundary to the SDK's stream, which does not wrap its errors
            raise Unclear(f"the stream broke: {without_keys(str(error) or type(error).__name__)}") from None
        return reply_of(raw, came.headers.get("x-request-id"))

    def client(self, base_url: str | None, api_key_env: str | None) -> openai.AsyncOpenAI:
        """The client for an address (None: OpenAI) and the variable of a key."""
        name = (base_url or OPENAI_URL, api_key_env)
        if name not in self._clients:
            client = openai.AsyncOpenAI(
                base_url=name[0],
                api_key=key_of(api_key_env) or "none",
                max_retries=0,
                http_client=openai.DefaultAioHttpClient(limits=_limits()),
            )
            # The SDK takes these from the environment and would tell them to any server.
            client.organization = client.project = None
            self._clients[name] = client
        return self._clients[name]

    async def close(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            await client.close()


def _limits() -> Any:
    # The SDK's pool type moves between releases (httpx, httpx2); its own default is of the right one.
    kind = type(openai.DEFAULT_CONNECTION_LIMITS)
    return kind(max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS)


def read(text: bytes, request_id: str | None, *, data: bool = False) -> Reply:
    """The reply in the bytes of a good answer. Raises Unclear or another `Trouble` where there is none in them.

    With `data` it is of a form whose reply holds numbers.
    """
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError):
        raise Unclear(f"the answer is no JSON: {without_keys(text[:300].decode('utf-8', 'replace'))}") from None
    if not isinstance(raw, dict):
        raise Unclear(f"the answer is no JSON object: {without_keys(str(raw))}")
    return reply_of(raw, request_id, data=data)


def reply_of(raw: dict[str, Any], request_id: str | None = None, *, data: bool = False) -> Reply:
    """The reply that a JSON object of any API form is. Raises a `Trouble` where it is none."""
    if raw.get("error"):
        error = raw["error"]
        code = error.get("code") if isinstance(error, dict) else None
        raise trouble_of(_status(code), words_of(error), {})
    reason = completion.finish_reason(raw)
    if reason in _UNFINISHED:
        raise Unclear(f"the server did not finish the answer: {reason}")
    if not (raw.get("data") if data else completion.message(raw)):
        raise Unclear("the answer holds no data" if data else "the answer holds no message")
    usage = completion.usage(raw)
    model, mark = raw.get("model"), raw.get("system_fingerprint")
    return Reply(
        raw=raw,
        model=model if isinstance(model, str) else None,
        fingerprint=mark if isinstance(mark, str) and mark else None,
        truncated=completion.cut(raw),
        usage={"output": 0, **usage} if data and usage else usage,
        request_id=request_id or (raw["id"] if isinstance(raw.get("id"), str) else None),
    )


def _status(code: Any) -> int:
    # Providers number their errors as they like: only what is an HTTP status means one.
    found = int(code) if isinstance(code, str) and code.isascii() and code.isdecimal() else code
    return found if isinstance(found, int) and 400 <= found < 600 else 200


def trouble_in(error: openai.OpenAIError) -> Trouble:
    """Which trouble an exception of the SDK is."""
    if isinstance(error, openai.APIStatusError):
        return trouble_of(error.status_code, words_of(error.body, error), error.response.headers)
    if isinstance(error, openai.APIConnectionError):  # timeouts too
        return _broken(error)
    return Unclear(without_keys(str(error)))


def trouble_of(status: int, words: str, headers: Any) -> Trouble:
    """Which trouble an HTTP status (200: an error in a good answer) and the server's words mean."""
    words = _NUMBERED.sub("", words) if words.startswith(("Error code:", str(status))) else words
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
    except (ValueError, TypeError, OverflowError):
        return None


def words_of(body: Any, error: Exception | None = None) -> str:
    """A server's words in the body of an error, short and without keys."""
    if isinstance(body, dict):
        inner = body.get("error", body)
        body = inner.get("message") or json.dumps(inner) if isinstance(inner, dict) else inner
        code = inner.get("code") if isinstance(inner, dict) else None
        body = f"{body} ({code})" if isinstance(code, str) and code not in str(body) else body
    return without_keys(str(body if body is not None else error))
