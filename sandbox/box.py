"""The sandbox as its users see it: give it a Program, get an Outcome."""

import asyncio
import os
import time
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Literal, Self

from sandbox import evidence
from sandbox.backends.namespaces import Namespaces
from sandbox.lack import lacks
from sandbox.model import Assert, Call, Case, Outcome, Program, SandboxError
from sandbox.selftest import self_test
from sandbox.verdict import BadTest, Facts, Finding, job, judge

_LARGE = 1 << 20  # bytes of output from which comparing leaves the event loop to a thread
_OURS = ("missing_module", "infrastructure")


class Sandbox:
    """Runs programs that nobody trusts against their tests.

        async with Sandbox() as sandbox:
            outcome = await sandbox.run(Program(source=..., cases=[Stdin(input="3 4", expected="7")]))

    `workers` tests run at once (default: one a core). Opening it proves, with programs that try it, that the isolation
    holds, and raises SandboxError where it does not: there is no run without isolation. Open it in the main thread: the
    end of that thread ends its processes.
    """

    def __init__(self, backend: Literal["auto", "namespaces"] = "auto", workers: int | None = None) -> None:
        if backend not in ("auto", "namespaces"):
            raise SandboxError(f"there is no sandbox backend '{backend}'", next="use 'auto' or 'namespaces'")
        self._count = workers if workers is not None else len(os.sched_getaffinity(0))
        self._open: Namespaces | None = None
        self._stack = AsyncExitStack()
        self._runner: asyncio.Runner | None = None

    @property
    def backend(self) -> str:
        """The name of the backend in use: `namespaces`."""
        return Namespaces.name

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            backend = await stack.enter_async_context(Namespaces(self._count))
            await self_test(backend)
            self._open = backend
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open = None
        await self._stack.aclose()

    def __enter__(self) -> Self:
        """Open it for `run_sync`, which then keeps its processes between programs."""
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
        """As `run`, without an event loop. Outside a `with` block it opens and closes the sandbox each time."""
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
        if program.entry is None and any(isinstance(case, Call) for case in program.cases):
            raise ValueError("a program with Call cases needs `entry`, the name of the function to call")
        tally = _Tally(program, self.backend)
        for number, case in enumerate(program.cases):
            finding = await self._one(program, case, tally)
            if not tally.take(number, case, finding) and program.stop_first:
                break
        return tally.outcome()

    async def _one(self, program: Program, case: Case, tally: "_Tally") -> Finding:
        """One test. What breaks in the sandbox itself is a finding too, and never one about the program."""
        try:
            facts = await self._facts(program, case)
            tally.measure(facts)
            if len(facts.stdout) + len(facts.report) > _LARGE:
                finding = await asyncio.to_thread(judge, case, facts, program.limits)
            else:
                finding = judge(case, facts, program.limits)
            return _proven(program, case, finding)
        except BadTest as bad:
            return await self._bad_test(program, case, str(bad))
        except (SandboxError, ValueError) as error:
            return Finding("infrastructure", {"message": evidence.message(str(error))})

    async def _facts(self, program: Program, case: Case) -> Facts:
        assert self._open is not None
        return await self._open.run(job(program, case), program.limits)

    async def _bad_test(self, program: Program, case: Case, said: str) -> Finding:
        """Prove that a test does not compile, by an empty program that cannot have said so."""
        empty = program.model_copy(update={"source": ""})
        try:
            judge(case, await self._facts(empty, case), program.limits)
        except BadTest:
            return Finding("infrastructure", {"message": f"the test does not compile: {said}"})
        return Finding("runtime_error", {"message": "the program reported a failure that did not happen"})


def _proven(program: Program, case: Case, finding: Finding) -> Finding:
    """A module is missing only where the program or its test imports it: a program may say so of any module."""
    if finding.reason != "missing_module":
        return finding
    module = finding.evidence["module"]
    texts = [program.source, *([case.code] if isinstance(case, Assert) else [])]
    if any(lacks(text, module) for text in texts):
        return finding
    return Finding("runtime_error", {"message": f"the program found no module {module}, which it does not import"})


class _Tally:
    """Adds up findings to an Outcome."""

    def __init__(self, program: Program, backend: str) -> None:
        self._program, self._backend = program, backend
        self._failed: tuple[Finding, dict[str, Any]] | None = None
        self._broken: tuple[Finding, dict[str, Any]] | None = None
        self._passed = self._run = 0
        self._cpu_s = self._peak_mb = 0.0
        self._started = time.monotonic()

    def measure(self, facts: Facts) -> None:
        self._cpu_s += facts.cpu_s
        self._peak_mb = max(self._peak_mb, facts.peak_mb)

    def take(self, number: int, case: Case, finding: Finding) -> bool:
        """Count one test; whether it passed."""
        self._run += 1
        if finding.reason == "ok":
            self._passed += 1
            return True
        found = finding, {"test": number, **_given(case), **finding.evidence}
        if finding.reason in _OURS:
            self._broken = self._broken or found
        else:
            self._failed = self._failed or found
        return False

    def outcome(self) -> Outcome:
        total = len(self._program.cases)
        nothing = Finding("infrastructure"), {"message": "the program has no tests"}
        # A test that failed decides, whatever became of the others; one that we could not run leaves it open.
        worst = self._failed or self._broken or (nothing if total == 0 else None)
        return Outcome(
            status="pass" if worst is None else "fail" if self._failed else "error",
            reason="ok" if worst is None else worst[0].reason,
            passed=self._passed,
            run=self._run,
            total=total,
            weaker=any(isinstance(case, Assert) for case in self._program.cases),
            evidence={} if worst is None else worst[1],
            measured={
                "cpu_s": round(self._cpu_s, 4),
                "wall_s": round(time.monotonic() - self._started, 4),
                "peak_mb": round(self._peak_mb, 1),
                "backend": self._backend,
            },
        )


def _given(case: Case) -> dict[str, str]:
    if isinstance(case, Assert):
        return {"input": evidence.shown(case.code)}
    return {"input": evidence.value(list(case.args)) if isinstance(case, Call) else evidence.shown(case.input)}
