"""OpenAI's Batch API as `curate.calls.batch` needs it: make a batch, find it again, look at it, read its results."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterable, Iterator
from tempfile import TemporaryFile
from typing import Any, BinaryIO, NamedTuple, cast

import openai

from curate.calls.batch_notes import Kin
from curate.calls.model import Call
from curate.calls.posted import path, sendable, sent_body
from curate.calls.secret import without_keys
from curate.calls.trouble import Denied, Trouble, Unclear
from curate.calls.wire import Wire, trouble_in
from curate.errors import VeristillError

_MARK = "veristill"  # the name of our tag in a batch's metadata
_DELETE_S = 10.0  # for which the end of a run waits until files are deleted
_OVER = frozenset({"completed", "failed", "expired", "cancelled"})


class Gone(Denied):
    """The server knows nothing of it: it was deleted, or belongs to another account."""


class State(NamedTuple):
    """How far a batch is."""

    status: str
    files: tuple[str, ...] = ()  # ids of what it has written: answers and errors
    words: str = ""  # why it failed
    lines: int = 0  # results that those files should hold
    asked: str | None = None  # id of the file of its requests

    @property
    def over(self) -> bool:
        """Whether nothing more comes."""
        return self.status in _OVER


def line(call: Call, key: str) -> bytes:
    """The line of a batch file that asks for a call."""
    asked = {"custom_id": key, "method": "POST", "url": f"/v1{path(call)}", "body": sendable(sent_body(call))}
    return json.dumps(asked, separators=(",", ":")).encode() + b"\n"


class BatchServer:
    """The Batch API at every address. Each method raises a `Trouble`."""

    def __init__(self) -> None:
        self._wire = Wire()
        self._deletions: set[asyncio.Task[None]] = set()

    async def upload(self, kin: Kin, tag: str, lines: Iterable[bytes]) -> str:
        """Upload the requests of a batch; the id of the file."""
        with TemporaryFile() as file:
            await asyncio.to_thread(file.writelines, lines)
            file.seek(0)
            sent = (f"{tag}.jsonl", cast("BinaryIO", file))
            with _asking():
                return _text((await self._client(kin).files.create(file=sent, purpose="batch")).id)

    async def make(self, kin: Kin, tag: str, file_id: str, endpoint: Any) -> str:
        """Make a batch of an uploaded file; its id."""
        with _asking():
            made = await self._client(kin).batches.create(
                input_file_id=file_id, endpoint=endpoint, completion_window="24h", metadata={_MARK: tag}
            )
            return _text(made.id)

    async def find(self, kin: Kin, tag: str) -> str | None:
        """The id of the batch with a tag; None if there is none."""
        with _asking():
            async for one in self._client(kin).batches.list(limit=100):
                if isinstance(one.metadata, dict) and one.metadata.get(_MARK) == tag:
                    return _text(one.id)
        return None

    async def state(self, kin: Kin, batch_id: str) -> State:
        """How far a batch is."""
        with _asking():
            one = await self._client(kin).batches.retrieve(batch_id)
            data = getattr(one.errors, "data", None)
            words = "; ".join(f"{each.code}: {each.message}" for each in data[:3]) if isinstance(data, list) else ""
            files = tuple(_text(name) for name in (one.output_file_id, one.error_file_id) if name)
            counts = [getattr(one.request_counts, name, None) for name in ("completed", "failed")]
            lines = sum(count for count in counts if isinstance(count, int))
            asked = one.input_file_id if isinstance(one.input_file_id, str) and one.input_file_id else None
            return State(_text(one.status), files, without_keys(words), lines, asked)

    async def results(self, kin: Kin, file_id: str) -> AsyncIterator[dict[str, Any]]:
        """The lines of a file of results, as it comes. Lines that are no JSON objects are left out."""
        rest = b""
        with _asking():
            async with self._client(kin).files.with_streaming_response.content(file_id) as came:
                async for chunk in came.iter_bytes():
                    # By hand: a text's own line separators (U+2028) would be taken for line ends.
                    *whole, rest = (rest + chunk).split(b"\n")
                    for found in filter(None, map(_object, whole)):
                        yield found
        if (last := _object(rest)) is not None:
            yield last

    def forget(self, kin: Kin, file_id: str | None) -> None:
        """Delete a file that is not needed any more, if that can be done: storage counts, but nothing hangs on it."""
        if file_id is not None:
            task = asyncio.create_task(self._delete(kin, file_id))
            self._deletions.add(task)
            task.add_done_callback(self._deletions.discard)

    async def _delete(self, kin: Kin, file_id: str) -> None:
        with contextlib.suppress(Trouble, VeristillError), _asking():
            await self._client(kin).files.delete(file_id)

    async def close(self) -> None:
        """Close the connections, when what is being deleted is gone or has taken too long."""
        if self._deletions:
            _, late = await asyncio.wait(self._deletions, timeout=_DELETE_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self._wire.close()

    def _client(self, kin: Kin) -> openai.AsyncOpenAI:
        return self._wire.client(kin.base_url, kin.api_key_env)


@contextlib.contextmanager
def _asking() -> Iterator[None]:
    """Whatever goes wrong with a question to the server is a `Trouble`."""
    try:
        yield
    except (Trouble, VeristillError):
        raise
    except openai.NotFoundError as error:
        raise Gone(str(trouble_in(error))) from None
    except openai.OpenAIError as error:
        raise trouble_in(error) from None
    except Exception as error:  # noqa: BLE001 - the boundary to the SDK: a page of HTML is no object, a stream breaks off
        raise Unclear(f"the answer makes no sense: {without_keys(str(error) or type(error).__name__)}") from None


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise Unclear("the server's answer on a batch makes no sense")
    return value


def _object(text: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
