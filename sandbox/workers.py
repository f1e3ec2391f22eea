"""The one pool of killable processes: each job has a CPU limit and a wall limit, and over it its process is SIGKILLed.

A worker that dies on its own is replaced and its job tried once more; a worker that cannot start is an error at once,
never a loop. Workers hold no state that a job needs, and none outlives this process (see `sandbox.worker_loop`, the
other side of the pipe).
"""

import asyncio
import contextlib
import os
import resource
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from sandbox.model import SandboxError
from sandbox.worker_loop import PARENT, READY

_HEAD = 8  # bytes of a frame's length, as `worker_loop` writes it
_LONGEST = 2 << 30  # bytes; a longer answer is a broken worker
_START_S = 120.0  # a start imports libraries, perhaps on a busy machine
_TICK_S = 1.0 / os.sysconf("SC_CLK_TCK")
_LOOK_S = (0.02, 0.25)  # the shortest and longest pause between two looks at a running job's clock
_TAIL = 8192  # bytes of stderr kept for error messages
_CHUNK = 1 << 20  # bytes of a pipe read ahead


class JobTimeout(Exception):
    """A job went over its limit, and its worker was killed. `kind` names the clock: `cpu` or `wall`."""

    def __init__(self, kind: Literal["cpu", "wall"]) -> None:
        super().__init__(f"over the {kind} limit")
        self.kind = kind


class JobCrashed(Exception):
    """Two workers in a row died of a job. `how` says how the second ended, such as `SIGSEGV` or `exit 1: ...`."""

    def __init__(self, how: str) -> None:
        super().__init__(how)
        self.how = how


class _Died(Exception):
    """The worker ended in the middle of a job."""


class Workers:
    """A pool of at most `count` processes running `command`, started when first needed.

    `memory_bytes` is each worker's address-space limit (RLIMIT_AS). `env` is the whole environment of the workers
    (None: this process's own); `PYTHONSAFEPATH` is always set. A worker is retired after `max_jobs` jobs. Use it
    as an async context manager, on the loop of one thread: the workers die with that thread.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        count: int,
        memory_bytes: int | None = None,
        env: Mapping[str, str] | None = None,
        max_jobs: int | None = None,
    ) -> None:
        self._command = list(command)
        self._memory = memory_bytes
        self._env = {**(os.environ if env is None else env), "PYTHONSAFEPATH": "1", PARENT: str(os.getpid())}
        self._max_jobs = max_jobs
        self._slots = asyncio.Semaphore(count)
        self._idle: list[_Worker] = []
        self._living: set[_Worker] = set()
        self._burials: set[asyncio.Task[None]] = set()
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True
        for worker in tuple(self._living):  # one that is at work, too: its job ends in an error
            self._bury(worker)
        self._idle.clear()
        await asyncio.gather(*self._burials)

    async def run(self, job: bytes, *, cpu_s: float, wall_s: float) -> bytes:
        """Give `job` to a worker and return its answer; both are opaque bytes. The limits are in seconds.

        Raises JobTimeout (limit passed), JobCrashed (two workers died of it) or SandboxError (no worker can start).
        Cancelling kills the worker.
        """
        async with self._slots:
            try:
                return await self._once(job, cpu_s, wall_s)
            except _Died:
                pass
            try:
                return await self._once(job, cpu_s, wall_s)
            except _Died as died:
                raise JobCrashed(str(died)) from None

    async def _once(self, job: bytes, cpu_s: float, wall_s: float) -> bytes:
        worker = await self._take()
        try:
            answer = await worker.ask(job, cpu_s, wall_s)
        except BaseException:
            self._bury(worker)
            raise
        if self._closed or worker.jobs == self._max_jobs:
            self._bury(worker)
        else:
            self._idle.append(worker)
        return answer

    async def _take(self) -> "_Worker":
        if self._closed:
            raise SandboxError("the pool of workers is closed")
        while self._idle:
            worker = self._idle.pop()
            if worker.alive:
                return worker
            self._bury(worker)  # it died while idle: nobody's job is lost
        worker = _Worker(await self._spawn())
        self._living.add(worker)
        try:
            await worker.hello()
        except BaseException:
            self._bury(worker)
            raise
        return worker

    async def _spawn(self) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=pipe,
                stdout=pipe,
                stderr=pipe,
                env=self._env,
                start_new_session=True,
                limit=_CHUNK,
            )
        except OSError as error:
            raise SandboxError(f"cannot start a worker ({self._command[0]}): {error}") from error
        if self._memory is not None:
            with contextlib.suppress(ProcessLookupError):  # already dead: `hello` says why
                resource.prlimit(process.pid, resource.RLIMIT_AS, (self._memory, self._memory))
        return process

    def _bury(self, worker: "_Worker") -> None:
        """Kill at once, and reap in the background: this also runs while a task is being cancelled."""
        if worker not in self._living:
            return
        self._living.remove(worker)
        worker.kill()
        task = asyncio.get_running_loop().create_task(worker.reap())
        self._burials.add(task)
        task.add_done_callback(self._burials.discard)


class _Worker:
    """One process and the talk with it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin and process.stdout and process.stderr
        self._process = process
        self._jobs_in, self._answers, self._errors = process.stdin, process.stdout, process.stderr
        self._tail = b""
        self._listener = asyncio.get_running_loop().create_task(self._listen())
        self.jobs = 0

    @property
    def alive(self) -> bool:
        return self._process.returncode is None and not self._answers.at_eof()

    async def hello(self) -> None:
        """Wait until the worker is ready. Raises SandboxError with what it wrote to stderr."""
        try:
            async with asyncio.timeout(_START_S):
                first = await self._frame()
        except TimeoutError:
            raise SandboxError(f"a worker was not ready after {_START_S:.0f} s: {self._said()}") from None
        except _Died as died:
            raise SandboxError(f"a worker does not start: {died}") from None
        if first != READY:
            raise SandboxError(f"a worker does not speak the protocol: {first[:80]!r}")

    async def ask(self, job: bytes, cpu_s: float, wall_s: float) -> bytes:
        self.jobs += 1
        exchange = asyncio.get_running_loop().create_task(self._exchange(job))
        started, cpu_before = time.monotonic(), self._cpu()
        try:
            while True:
                wall_left = wall_s - (time.monotonic() - started)
                cpu_left = cpu_s - (self._cpu() - cpu_before)
                pause = min(max(_LOOK_S[0], min(cpu_left, wall_left)), _LOOK_S[1])
                done, _ = await asyncio.wait([exchange], timeout=pause)
                if done:
                    return exchange.result()
                if cpu_left <= 0:
                    raise JobTimeout("cpu")
                if wall_left <= 0:
                    raise JobTimeout("wall")
        finally:
            if not exchange.done():
                exchange.cancel()

    def kill(self) -> None:
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def reap(self) -> None:
        """Wait for the end of a killed worker, so that it leaves no zombie and no pipe."""
        self._jobs_in.close()
        await self._process.wait()
        self._listener.cancel()
        transport: asyncio.SubprocessTransport = self._process._transport  # type: ignore[attr-defined]
        transport.close()  # a grandchild that still holds a pipe must not keep it open here

    async def _exchange(self, job: bytes) -> bytes:
        try:
            self._jobs_in.write(len(job).to_bytes(_HEAD, "big"))
            self._jobs_in.write(job)
            await self._jobs_in.drain()
        except (BrokenPipeError, ConnectionResetError):
            raise _Died(await self._end()) from None
        return await self._frame()

    async def _frame(self) -> bytes:
        try:
            size = int.from_bytes(await self._answers.readexactly(_HEAD), "big")
            if size > _LONGEST:
                raise _Died(f"it announced an answer of {size} bytes")
            return await self._answers.readexactly(size)
        except (asyncio.IncompleteReadError, ConnectionResetError):
            raise _Died(await self._end()) from None

    async def _end(self) -> str:
        """How the process ended: its pipe is closed already, so it is killed if it has not ended by itself."""
        try:
            async with asyncio.timeout(1.0):
                code = await self._process.wait()
                await self._listener
        except TimeoutError:
            self.kill()
            code = await self._process.wait()
        if code < 0:
            return signal.Signals(-code).name if -code in signal.valid_signals() else f"signal {-code}"
        return f"exit {code}: {self._said()}"

    def _said(self) -> str:
        return self._tail.decode("utf-8", "replace").strip() or "it wrote nothing to stderr"

    async def _listen(self) -> None:
        while part := await self._errors.read(_TAIL):
            self._tail = (self._tail + part)[-_TAIL:]

    def _cpu(self) -> float:
        """CPU seconds of the process, its threads and those of its children that it has waited for (10 ms steps)."""
        try:
            stat = Path(f"/proc/{self._process.pid}/stat").read_bytes()
        except OSError:
            return 0.0
        fields = stat.rpartition(b")")[2].split()
        return sum(int(field) for field in fields[11:15]) * _TICK_S  # utime stime cutime cstime, proc(5)
