"""A worker that is a container: one hardened container, one zygote in it, and the engine's attach stream to talk to it.

Attached before it is started, so no byte is missed. The stream is the container's standard input and output: when this
process ends, however it ends, the engine closes the input, and the container ends with it.
"""

import asyncio
import contextlib
import functools
import socket
import struct
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from sandbox.launch import CHUNK, Tail, how_ended

if TYPE_CHECKING:
    from docker import APIClient

_HEAD = struct.Struct(">B3xL")  # of a piece of the stream: which stream, and its length (Docker API, "Attach")
_ERRORS = 2
_T = TypeVar("_T")


class Container:
    """A `sandbox.launch.Channel` to the first process of a container that is made and started by `start`."""

    def __init__(self, client: "APIClient", name: str) -> None:
        self._client, self.name = client, name
        self._tail = Tail()
        self._buffer = bytearray()
        self._read: asyncio.StreamReader | None = None
        self._write: asyncio.StreamWriter | None = None
        self._removal: asyncio.Future[None] | None = None

    async def start(self) -> None:
        """Attach to the container and start it. Raises what docker raises."""
        stream = await off_loop(self._attach)
        self._read, self._write = await asyncio.open_connection(sock=stream, limit=CHUNK)
        await off_loop(self._client.start, self.name)

    def _attach(self) -> socket.socket:
        """A socket of our own to the container's three standard streams."""
        wanted = {"stream": 1, "stdin": 1, "stdout": 1, "stderr": 1}
        theirs = self._client.attach_socket(self.name, params=wanted)
        try:
            ours = socket.socket(fileno=socket.dup(theirs.fileno()))
        finally:
            theirs.close()
        ours.setblocking(False)
        return ours

    @property
    def alive(self) -> bool:
        """As the stream shows it."""
        return self._read is not None and not self._read.at_eof() and self._removal is None

    async def send(self, *parts: bytes) -> None:
        """See `Channel`."""
        assert self._write is not None
        for part in parts:
            self._write.write(part)
        await self._write.drain()

    async def receive(self, size: int) -> bytes:
        """See `Channel`; what is standard error's goes to `said`."""
        assert self._read is not None
        while len(self._buffer) < size:
            stream, length = _HEAD.unpack(await self._read.readexactly(_HEAD.size))
            piece = await self._read.readexactly(length)
            if stream == _ERRORS:
                self._tail.add(piece)
            elif not self._buffer and length == size:
                return piece
            else:
                self._buffer += piece
        taken = bytes(memoryview(self._buffer)[:size])
        del self._buffer[:size]
        return taken

    def cpu_s(self) -> float:
        """Unknown here: tests are watched inside."""
        return 0.0

    def said(self) -> str:
        """See `Channel`."""
        return str(self._tail)

    def kill(self) -> None:
        """Close the stream, which ends a zygote that is well, and remove the container, which ends any."""
        if self._removal is None:
            if self._write is not None:
                self._write.close()
            self._removal = asyncio.ensure_future(off_loop(self._remove))

    async def ended(self) -> str:
        """Also drains what it wrote to stderr at last."""
        with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
            async with asyncio.timeout(1.0):
                await self.receive(1 << 62)
        code = await off_loop(self._code)
        self.kill()
        return how_ended(code, self.said()) if code is not None else f"its container is gone: {self.said()}"

    async def reap(self) -> None:
        """Wait until the container is removed, or nobody is there to remove it."""
        self.kill()
        assert self._removal is not None
        await asyncio.shield(self._removal)

    def _code(self) -> int | None:
        """Its exit code as `Popen` has it; None where the engine cannot tell."""
        from docker.errors import DockerException

        try:
            state: Mapping[str, Any] = self._client.inspect_container(self.name)["State"]
        except (DockerException, OSError):
            return None
        code = int(state["ExitCode"])
        return None if state["Running"] else 128 - code if code > 128 else code

    def _remove(self) -> None:
        """An engine that is gone takes its containers with it, or forgets them when it starts again."""
        from docker.errors import DockerException

        with contextlib.suppress(DockerException, OSError):
            self._client.remove_container(self.name, force=True, v=True)


async def off_loop(act: Callable[..., _T], *arguments: Any, **named: Any) -> _T:
    """Call what waits for the engine in a thread; it is not left half done when the caller is cancelled."""
    work = asyncio.get_running_loop().run_in_executor(None, functools.partial(act, *arguments, **named))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        with contextlib.suppress(Exception):  # the boundary to the engine: only the cancellation is told
            await work
        raise
