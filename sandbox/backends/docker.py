"""Tests in Docker containers: one warm, hardened container a worker, with the zygote of the `namespaces` backend in it.

The container is the outer wall (no network, nothing to write to, no capability, limits on memory, processes and CPUs);
the cells that the zygote sets up inside it, without any privilege, keep tests from each other.
"""

import asyncio
import json
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from sandbox.backends import engine
from sandbox.backends.container import Container, off_loop
from sandbox.backends.exchange import exchange
from sandbox.frames import Facts, Job
from sandbox.launch import Channel
from sandbox.model import Container as Wanted
from sandbox.model import Limits, SandboxError
from sandbox.workers import Workers

if TYPE_CHECKING:
    from docker import APIClient

_PACKAGE = Path(__file__).parent.parent
_INSIDE = ("zygote.py", "worker_loop.py", "inside/*.py")  # all that the zygote imports of us
_MIB = 1 << 20
_OVER = 512 * _MIB  # of a container's memory, beside a test's: the zygote, and its copies of a job
_MEMORY = 2048 * _MIB  # of a container, unless a test needs more
_PROCESSES = 256
_RETURN_S = 30.0  # for an engine that was restarted to answer again
_PAUSE_S = 0.25


class Docker:
    """A pool of containers. An async context manager; `run` is safe to call from any number of tasks at once."""

    name = "docker"

    def __init__(self, workers: int, *, packages: Sequence[str] = (), container: Wanted | None = None) -> None:
        self._workers = Workers(self._launch, count=workers)
        self._packages, self._container = packages, container or Wanted()
        self._client: APIClient | None = None
        self._pool = uuid.uuid4().hex
        self._image = ""
        self._memory, self._processes = _MEMORY, _PROCESSES
        self._started: set[Container] = set()
        self._fitting = asyncio.Lock()
        self._gone = False
        self._files = _files()

    async def __aenter__(self) -> Self:
        self._client = client = await off_loop(engine.connect)
        try:
            await off_loop(self._prepare, client)
            await self._workers.__aenter__()
        except BaseException:
            await off_loop(engine.clear, client, self._pool)
            client.close()
            raise
        return self

    def _prepare(self, client: "APIClient") -> None:
        from docker.errors import DockerException

        try:
            engine.check_machine(client)
            engine.sweep(client)
            self._image = engine.ready_image(client, self._container.image, self._packages)
        except (DockerException, OSError) as error:
            raise SandboxError(f"the Docker engine cannot prepare the sandbox's image: {str(error)[:300]}") from None

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._workers.__aexit__(kind, error, trace)
        if self._client is not None:
            await off_loop(engine.clear, self._client, self._pool)
            self._client.close()

    async def run(self, job: Job, limits: Limits) -> list[Facts]:
        """See `Backend`."""
        await self._make_room(limits)
        return await exchange(self._workers, job, limits, _advice)

    async def _launch(self) -> Channel:
        """A container whose zygote is about to say that it is ready; waits for an engine that is being restarted."""
        from docker.errors import DockerException

        deadline = time.monotonic() + (0.0 if self._gone else _RETURN_S)
        while True:
            try:
                channel = await self._start()
            except (DockerException, OSError) as error:
                if not _unreachable(error):
                    raise SandboxError(f"the engine does not start a container: {_said(error)}") from None
                if time.monotonic() >= deadline:
                    self._gone = True
                    raise SandboxError(f"the Docker engine went away: {_said(error)}") from None
                await asyncio.sleep(_PAUSE_S)
            else:
                self._gone = False
                return channel

    async def _start(self) -> Container:
        assert self._client is not None
        name = await off_loop(
            engine.create,
            self._client,
            self._image,
            pool=self._pool,
            memory=self._memory,
            processes=self._processes,
            runtime=self._container.runtime,
        )
        container = Container(self._client, name)
        try:
            await container.start()
            await container.send(len(self._files).to_bytes(8, "big"), self._files)
        except BaseException:
            await container.reap()
            raise
        self._started = {one for one in self._started if one.alive} | {container}
        return container

    async def _make_room(self, limits: Limits) -> None:
        """Let containers hold a test of these limits, those that run and those to come."""
        memory = _OVER + (limits.memory_mb + 3 * limits.output_mb) * _MIB
        processes = limits.processes + 64
        if memory <= self._memory and processes <= self._processes:
            return
        async with self._fitting:
            if memory <= self._memory and processes <= self._processes:
                return
            self._memory, self._processes = max(memory, self._memory), max(processes, self._processes)
            names = [one.name for one in self._started if one.alive]
            try:
                await off_loop(engine.fit, self._client, names, memory=self._memory, processes=self._processes)
            except Exception:  # noqa: BLE001 - the boundary to the engine: one of them may just have ended
                for one in self._started:  # a fresh one has the new limits from the start
                    one.kill()


def _files() -> bytes:
    found = {
        f"sandbox/{path.relative_to(_PACKAGE)}": path.read_text()
        for pattern in _INSIDE
        for path in sorted(_PACKAGE.glob(pattern))
    }
    return json.dumps(found).encode()


def _unreachable(error: Exception) -> bool:
    """Whether nobody answered, as against an answer that says no."""
    from docker.errors import APIError

    return not isinstance(error, APIError) or error.status_code is None


def _said(error: Exception) -> str:
    return str(getattr(error, "explanation", None) or error)[:300]


def _advice(detail: str) -> str:
    if "unknown or invalid runtime name" in detail or "Unknown runtime" in detail:
        return "register the runtime with the engine (docs/how-to/docker.md), or leave `runtime` out"
    if "clone" in detail or "unshare" in detail or "mount" in detail:
        return (
            "allow user namespaces on the engine's machine, or use the sandbox 'namespaces' (docs/reference/sandbox.md)"
        )
    return "see docs/reference/sandbox.md, 'Docker'"
