"""The one pool of killable processes: each job has a CPU limit and a wall limit, and over it its process is SIGKILLed.

A worker that dies on its own is replaced and its job tried once more; a worker that cannot start is an error at once,
never a loop. Workers hold no state that a job needs, and none outlives this process (see `sandbox.worker_loop`, the
other side of the pipe).
"""

import asyncio
import math
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Literal, Self

from sandbox.launch import Channel, Launch, processes
from sandbox.model import SandboxError
from sandbox.worker_loop import READY

_HEAD = 8  # bytes of a frame's length, as `worker_loop` writes it
_SMALL = 1 << 16  # bytes; a job below goes out in one write, since each wakes whoever relays it
_LONGEST = 2 << 30  # bytes; a longer answer is a broken worker
_START_S = 120.0  # a start imports libraries, perhaps on a busy machine
_LOOK_S = (0.02, 0.25)  # the shortest and longest pause between two looks at a running job's clock


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
    """A pool of at most `count` workers, started when first needed: processes that run `command`, or what it launches.

    Of processes, `memory_bytes` is each worker's address-space limit (RLIMIT_AS), and `env` the whole environment
    (None: this process's own); `PYTHONSAFEPATH` is always set. A worker is retired after `max_jobs` jobs. Use it
    as an async context manager, on the loop of one thread: the workers die with that thread.
    """

    def __init__(
        self,
        command: Sequence[str] | Launch,
        *,
        count: int,
        memory_bytes: int | None = None,
        env: Mapping[str, str] | None = None,
        max_jobs: int | None = None,
    ) -> None:
        self._launch = command if callable(command) else processes(command, memory_bytes=memory_bytes, env=env)
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
        worker = _Worker(await self._launch())
        self._living.add(worker)
        try:
            await worker.hello()
        except BaseException:
            self._bury(worker)
            raise
        return worker

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
    """A channel and the talk over it, in frames."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self.jobs = 0

    @property
    def alive(self) -> bool:
        return self._channel.alive

    async def hello(self) -> None:
        """Wait until the worker is ready. Raises SandboxError with what it wrote to stderr."""
        try:
            async with asyncio.timeout(_START_S):
                first = await self._frame()
        except TimeoutError:
            raise SandboxError(f"a worker was not ready after {_START_S:.0f} s: {self._channel.said()}") from None
        except _Died as died:
            raise SandboxError(f"a worker does not start: {died}") from None
        if first != READY:
            raise SandboxError(f"a worker does not speak the protocol: {first[:80]!r}")

    async def ask(self, job: bytes, cpu_s: float, wall_s: float) -> bytes:
        """The answer. Raises JobTimeout or _Died; after either, the worker is of no more use."""
        self.jobs += 1
        if cpu_s == math.inf:  # whoever watches the clock is inside
            try:
                async with asyncio.timeout(wall_s):
                    return await self._exchange(job)
            except TimeoutError:
                raise JobTimeout("wall") from None
        return await self._watched(job, cpu_s, wall_s)

    async def _watched(self, job: bytes, cpu_s: float, wall_s: float) -> bytes:
        exchange = asyncio.get_running_loop().create_task(self._exchange(job))
        started, cpu_before = time.monotonic(), self._channel.cpu_s()
        try:
            while True:
                wall_left = wall_s - (time.monotonic() - started)
                cpu_left = cpu_s - (self._channel.cpu_s() - cpu_before)
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
        self._channel.kill()

    async def reap(self) -> None:
        """Wait for the end of a killed worker, so that nothing of it is left."""
        await self._channel.reap()

    async def _exchange(self, job: bytes) -> bytes:
        try:
            head = len(job).to_bytes(_HEAD, "big")
            await self._channel.send(*((head + job,) if len(job) < _SMALL else (head, job)))
        except ConnectionError:
            raise _Died(await self._channel.ended()) from None
        return await self._frame()

    async def _frame(self) -> bytes:
        try:
            size = int.from_bytes(await self._channel.receive(_HEAD), "big")
            if size > _LONGEST:
                raise _Died(f"it announced an answer of {size} bytes")
            return await self._channel.receive(size)
        except (asyncio.IncompleteReadError, ConnectionError):
            raise _Died(await self._channel.ended()) from None
