"""Starting workers: a worker is a process of this machine, or something else that a channel of bytes leads to.

`sandbox.workers` watches, kills and replaces them; how one is started, reached and ended stands behind `Channel`.
"""

import asyncio
import contextlib
import os
import resource
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from sandbox.model import SandboxError
from sandbox.worker_loop import PARENT

CHUNK = 1 << 20  # bytes of a pipe read ahead
_TICK_S = 1.0 / os.sysconf("SC_CLK_TCK")
_TAIL = 8192  # bytes of stderr kept for error messages


class Channel(Protocol):
    """A worker that was started: bytes go in, bytes come out, and it can be killed."""

    @property
    def alive(self) -> bool:
        """Whether it may still answer."""
        ...

    async def send(self, *parts: bytes) -> None:
        """Raises ConnectionError if the worker has ended."""
        ...

    async def receive(self, size: int) -> bytes:
        """Exactly `size` bytes. Raises ConnectionError or asyncio.IncompleteReadError if it ends before."""
        ...

    def cpu_s(self) -> float:
        """CPU seconds of the worker with its children, as far as they can be known; 0 where they cannot."""
        ...

    def said(self) -> str:
        """The last of what it wrote to stderr."""
        ...

    def kill(self) -> None:
        """Begin to end it, whatever it does; without waiting."""
        ...

    async def ended(self) -> str:
        """How it ended, such as `SIGSEGV` or `exit 1: ...`. It is killed if it has not ended by itself."""
        ...

    async def reap(self) -> None:
        """Wait until nothing is left of a killed worker."""
        ...


Launch = Callable[[], Awaitable[Channel]]


def processes(
    command: Sequence[str], *, memory_bytes: int | None = None, env: Mapping[str, str] | None = None
) -> Launch:
    """Start workers as processes of this machine, in sessions of their own.

    `memory_bytes` is each one's RLIMIT_AS, `env` the whole environment (None: this process's own).
    """
    whole = {**(os.environ if env is None else env), "PYTHONSAFEPATH": "1", PARENT: str(os.getpid())}
    pipe = asyncio.subprocess.PIPE

    async def launch() -> Channel:
        try:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=pipe, stdout=pipe, stderr=pipe, env=whole, start_new_session=True, limit=CHUNK
            )
        except OSError as error:
            raise SandboxError(f"cannot start a worker ({command[0]}): {error}") from error
        if memory_bytes is not None:
            with contextlib.suppress(ProcessLookupError):  # already dead: the first frame says why
                resource.prlimit(process.pid, resource.RLIMIT_AS, (memory_bytes, memory_bytes))
        return _Process(process)

    return launch


class Tail:
    """The last bytes of a stream, for error messages."""

    def __init__(self) -> None:
        self._bytes = b""

    def add(self, part: bytes) -> None:
        """Keep what is last."""
        self._bytes = (self._bytes + part)[-_TAIL:]

    def __str__(self) -> str:
        return self._bytes.decode("utf-8", "replace").strip() or "it wrote nothing to stderr"


def how_ended(code: int, said: str) -> str:
    """In words, from a code as `Popen.returncode` has it."""
    if code < 0:
        return signal.Signals(-code).name if -code in signal.valid_signals() else f"signal {-code}"
    return f"exit {code}: {said}"


class _Process:
    """A process and its three pipes."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin and process.stdout and process.stderr
        self._process = process
        self._in, self._out, self._errors = process.stdin, process.stdout, process.stderr
        self._tail = Tail()
        self._listener = asyncio.get_running_loop().create_task(self._listen())

    @property
    def alive(self) -> bool:
        return self._process.returncode is None and not self._out.at_eof()

    async def send(self, *parts: bytes) -> None:
        for part in parts:
            self._in.write(part)
        await self._in.drain()

    async def receive(self, size: int) -> bytes:
        return await self._out.readexactly(size)

    def cpu_s(self) -> float:
        """Of the process, its threads and those of its children that it has waited for (10 ms steps)."""
        try:
            stat = Path(f"/proc/{self._process.pid}/stat").read_bytes()
        except OSError:
            return 0.0
        fields = stat.rpartition(b")")[2].split()
        return sum(int(field) for field in fields[11:15]) * _TICK_S  # utime stime cutime cstime, proc(5)

    def said(self) -> str:
        return str(self._tail)

    def kill(self) -> None:
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def ended(self) -> str:
        try:
            async with asyncio.timeout(1.0):  # its pipe is closed already
                code = await self._process.wait()
                await self._listener
        except TimeoutError:
            self.kill()
            code = await self._process.wait()
        return how_ended(code, self.said())

    async def reap(self) -> None:
        self._in.close()
        await self._process.wait()
        self._listener.cancel()
        transport: asyncio.SubprocessTransport = self._process._transport  # type: ignore[attr-defined]
        transport.close()  # a grandchild that still holds a pipe must not keep it open here

    async def _listen(self) -> None:
        while part := await self._errors.read(_TAIL):
            self._tail.add(part)
