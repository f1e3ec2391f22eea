"""The sandbox as its users see it: give it a Program, get an Outcome."""

import asyncio
import os
import re
from collections.abc import Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Literal, Self

from sandbox.backends.choose import Choice, Setting, enter
from sandbox.model import Container, Outcome, Program, SandboxError
from sandbox.trial import Counts, Terms, Trial, needs_entry


class Sandbox:
    """Runs programs that nobody trusts against their tests.

        async with Sandbox() as sandbox:
            outcome = await sandbox.run(Program(source=..., cases=[Stdin(input="3 4", expected="7")]))

    `workers` programs run at once (default: one a core). In mode `fast` the tests of a program share a process as long
    as they pass, and a share `audit` of the programs that passed runs again in mode `strict`, with a process for every
    test (docs/reference/sandbox.md, "Modes"); `counts` says how they compare. `backend` "auto" takes Docker where an
    engine answers (`DOCKER_HOST`) and its self-test passes, else namespaces. `packages` (pip requirements) can be
    imported by tests besides those that judges usually have; `runtime` (such as runsc) and `image` are Docker's.

    Opening it proves, with programs that try it, that the isolation holds, and raises SandboxError where it does not:
    there is no run without isolation. Open it in the main thread: the end of that thread ends its processes.
    """

    def __init__(
        self,
        backend: Literal["auto", "docker", "namespaces"] = "auto",
        workers: int | None = None,
        *,
        mode: Literal["fast", "strict"] = "fast",
        audit: float = 0.02,
        packages: Sequence[str] = (),
        container: Container = Container(),  # noqa: B008 - frozen
    ) -> None:
        count = workers if workers is not None else len(os.sched_getaffinity(0))
        self._setting = Setting(backend, count, tuple(packages), container)
        self._setting.check()
        if mode not in ("fast", "strict"):
            raise SandboxError(f"there is no sandbox mode '{mode}'", next="use 'fast' or 'strict'")
        if not 0 <= audit <= 1:
            raise SandboxError(f"audit is a share of the programs, not {audit}", next="use a number from 0 to 1")
        self._mode, self._audit = mode, audit
        self.counts = Counts()
        self._open: Choice | None = None
        self._stack = AsyncExitStack()
        self._runner: asyncio.Runner | None = None

    @property
    def backend(self) -> str:
        """The name of the backend in use, `docker` or `namespaces`; before it is open, of the one asked for."""
        return self._setting.backend if self._open is None else self._open.backend.name

    @property
    def why(self) -> str:
        """Why it is this backend, for people; empty before it is open."""
        return "" if self._open is None else self._open.why

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            self._open = await enter(stack, self._setting)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open = None
        await self._stack.aclose()

    def __enter__(self) -> Self:
        """Open it for `run_sync`, which then keeps its processes between programs. SandboxError in an event loop."""
        _without_loop()
        self._runner = asyncio.Runner()
        try:
            self._runner.run(self.__aenter__())
        except BaseException:
            self._runner.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            self._runner.run(self.__aexit__(kind, error, trace))
            self._runner.close()
            self._runner = None

    def run_sync(self, program: Program) -> Outcome:
        """As `run`, without an event loop. Outside a `with` block it opens and closes the sandbox each time.

        Raises SandboxError where an event loop runs already: its thread would wait for itself.
        """
        _without_loop()
        if self._runner is not None:
            return self._runner.run(self.run(program))
        with self:
            return self.run_sync(program)

    async def run(self, program: Program) -> Outcome:
        """Run a program against its tests, in order. Safe to call from many tasks at once.

        Trouble of ours is the status `error`. Raises SandboxError if no process can be started at all, ValueError for
        Call cases without `entry`.
        """
        if self._open is None:
            raise SandboxError("the sandbox is not open", next="use it as 'async with Sandbox() as sandbox:'")
        if needs_entry(program):
            raise ValueError("a program with Call cases needs `entry`, the name of the function to call")
        choice, setting = self._open, self._setting
        asked_for = frozenset(name_of(one) for one in setting.packages)
        terms = Terms(choice.backend, self._mode, self._audit, choice.modules, asked_for, self.counts)
        return await Trial(program, terms).outcome()


def _without_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise SandboxError(
        "an event loop runs here, as it does in a notebook",
        next="use 'async with Sandbox() as sandbox:' and 'await sandbox.run(program)'",
    )


def name_of(requirement: str) -> str:
    """The module that a pip requirement most likely brings."""
    return re.split(r"[^A-Za-z0-9._-]", requirement.strip(), maxsplit=1)[0].replace("-", "_")
