"""`kind: code` (also `tests`): does the program in a solution pass the question's unit tests in the sandbox?

The program is found by `program`, the tests are read by `testcases`; everything that runs, runs inside the sandbox.
"""

import asyncio
import contextlib
import sys
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, ClassVar
from weakref import WeakKeyDictionary

from pydantic import Field

from curate.kinds import Verifier
from curate.records import Attempt, Question, Tests, Truth, Verdict
from curate.verifiers.program import find_program
from curate.verifiers.testcases import SURROGATE, Suite, UnreadableTests, read_tests
from curate.verifiers.verdict import shown, verdict_of
from sandbox.model import Compare, Limits, Outcome, Program, SandboxError

if TYPE_CHECKING:
    from curate.resources import Resources
    from sandbox import Sandbox

_HUGE = 1 << 24  # characters: such tests are judged one question at a time, for each is in memory several times
_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()
_LARGE = 1 << 17  # characters: longer tests and solutions are read off the event loop


class Code(Verifier):
    """Runs the program of an answer against its tests. Limits are per test."""

    version: ClassVar[int] = 3
    takes: ClassVar[tuple[type[Truth], ...]] = (Tests,)
    needs: ClassVar[frozenset[str]] = frozenset({"sandbox"})

    time_factor: float = Field(2.0, gt=0, description="multiplies the time limit that the source states")
    cpu_s: float = Field(6.0, gt=0, description="CPU seconds a test where the source states no limit")
    memory_mb: int = Field(1024, gt=0, description="MiB a test where the source states no limit")
    output_mb: int = Field(64, gt=0, description="MiB of output a test")
    compare: Compare = Field("token", description="rules of comparison, where the question names none")
    packages: tuple[str, ...] = Field((), description="what programs may import: `sandbox.packages`")

    def verifier_version(self) -> str:
        """Our version and the sandbox's Python, such as `1+python3.11`."""
        return f"{self.version}+python{sys.version_info.major}.{sys.version_info.minor}"

    def reads(self, question: Question) -> Any:
        """What else of the question decides the verdict: the starter code and the function's name."""
        return [question.starter_code, question.meta.get("func_name"), question.meta.get("metadata")]

    async def verify(self, question: Question, attempt: Attempt, resources: "Resources") -> Verdict:
        """The verdict of all tests, which stop at the first that does not pass; needs `resources.sandbox`."""
        truth = question.truth
        assert isinstance(truth, Tests)
        assert resources.sandbox is not None
        limits = self._limits(truth)
        async with _turn(truth):
            return await self._run(question, attempt, resources.sandbox, limits)

    async def _run(self, question: Question, attempt: Attempt, sandbox: "Sandbox", limits: Limits) -> Verdict:
        setting = {"limits": {"cpu_s": limits.cpu_s, "memory_mb": limits.memory_mb, "output_mb": limits.output_mb}}
        try:
            program = await self._program(question, attempt.solution, limits)
        except UnreadableTests as error:
            return verdict_of(self, "error", "unreadable_tests", {"message": shown(str(error))})
        if program is None:
            return verdict_of(self, "fail", "no_code", {})
        if not program.source.isascii() and SURROGATE.search(program.source):
            return verdict_of(self, "fail", "compile_error", {"message": "the program is not Unicode text", **setting})
        try:
            outcome = await sandbox.run(program)
        except SandboxError as error:
            return verdict_of(self, "error", "infrastructure", {"message": error.what, **setting})
        # The usual rules go without saying.
        return self._judged(outcome, setting if program.compare == "token" else {"compare": program.compare, **setting})

    def _limits(self, truth: Tests) -> Limits:
        return Limits(
            cpu_s=truth.time_s * self.time_factor if truth.time_s else self.cpu_s,
            memory_mb=truth.memory_mb or self.memory_mb,
            output_mb=self.output_mb,
        )

    async def _program(self, question: Question, solution: str, limits: Limits) -> Program | None:
        truth = question.truth
        assert isinstance(truth, Tests)

        def build() -> Program | None:
            suite: Suite = read_tests(truth.cases, question.meta)
            source = find_program(solution, entry=suite.entry, starter=question.starter_code)
            if source is None:
                return None
            rules = suite.compare or self.compare
            return Program(source=source, cases=suite.cases, entry=suite.entry, limits=limits, compare=rules)

        if len(truth.cases) + len(solution) > _LARGE:
            return await asyncio.to_thread(build)
        return build()

    def _judged(self, outcome: Outcome, setting: dict[str, Any]) -> Verdict:
        evidence = {
            **outcome.evidence,
            "passed": outcome.passed,
            "run": outcome.run,
            "total": outcome.total,
            **({"weaker": True} if outcome.weaker else {}),
            **setting,
        }
        verdict = verdict_of(self, outcome.status, outcome.reason, evidence)
        seconds = float(outcome.measured.get("cpu_s", 0.0))
        return verdict.model_copy(update={"seconds": seconds, "measured": dict(outcome.measured)})


def _turn(truth: Tests) -> AbstractAsyncContextManager[object]:
    if len(truth.cases) < _HUGE:
        return contextlib.nullcontext()
    return _turns.setdefault(asyncio.get_running_loop(), asyncio.Lock())
