"""One program against all its tests: in which mode they run, in which batches, and which run again.

In mode `fast` a program's tests share a process as long as they pass. What does not pass there runs again in a process
of its own, which decides; where the two differ, nothing of the shared process counts. A share of the programs that
passed, chosen by their content, runs again as a whole in processes of their own.
"""

import asyncio
import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from sandbox import evidence
from sandbox.batch import cut, form, single
from sandbox.frames import Backend, Facts, Job
from sandbox.lack import lacks, usual
from sandbox.model import Assert, Call, Outcome, Program, SandboxError
from sandbox.tally import Tally
from sandbox.verdict import BadTest, Finding, judge

_LARGE = 1 << 20  # bytes of output from which comparing leaves the event loop to a thread
# What the kernel would end a shared process for, or what it does not have there: these programs need not try.
_APART = re.compile(
    r"\b(?:threading|_thread|multiprocessing|subprocess|concurrent|asyncio|signal|ctypes|resource|faulthandler|"
    r"fork|system|popen|kill|nice|chdir|umask|environ|putenv|atexit|setrlimit|__file__|inspect|"
    # What a process keeps between tests, and what writes at the end of an interpreter.
    r"getcontext|setcontext|__del__|finalize|weakref)\b|/dev/|/proc/|/tmp"
)


@dataclass
class Counts:
    """What a sandbox has done so far. `missing` counts modules by name.

    `fast`: programs whose pass rests on a shared process. `audits`: those of them that ran again apart, and
    `disagreements`: those that did not pass then. `reruns`: tests that did not pass in a shared process and ran again
    apart, and `overruled`: programs of which such a test then passed.
    """

    programs: int = 0
    fast: int = 0
    audits: int = 0
    disagreements: int = 0
    reruns: int = 0
    overruled: int = 0
    missing: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Terms:
    """How a sandbox runs programs. `there` are the modules that tests can import, `asked_for` those a user named."""

    backend: Backend
    mode: Literal["strict", "fast"]
    audit: float
    there: frozenset[str]
    asked_for: frozenset[str]
    counts: Counts


class Trial:
    """One program on its way to an outcome."""

    def __init__(self, program: Program, terms: Terms) -> None:
        self._program, self._terms = program, terms
        self._tally = Tally(program, terms.backend.name)
        self._source = program.source.encode("utf-8", "surrogatepass")
        wants_numpy = "numpy" in program.source and "numpy" in terms.there
        self._preload = "numpy" if wants_numpy else ""

    async def outcome(self) -> Outcome:
        """Run the tests. Raises nothing that is about the sandbox: that is the status `error`."""
        counts = self._terms.counts
        counts.programs += 1
        mode = "strict"
        if not self._may_share():
            await self._apart(0)
        elif await self._together():
            mode = "fast"
            counts.fast += 1
            if self._chosen():
                mode = "fast, audited"
                counts.audits += 1
                self._tally.forget()
                await self._apart(0)
                counts.disagreements += not self._tally.passed
        if not self._tally.passed:
            mode = "strict"
        found = self._tally.outcome(mode)
        if found.reason == "missing_module":
            counts.missing[found.evidence["module"]] += 1
        return found

    def _may_share(self) -> bool:
        cases = self._program.cases
        if self._terms.mode == "strict" or not cases:
            return False
        kinds = {form(case, self._program.entry)[0] for case in cases}
        return kinds <= {"stdin", "call"} and not _APART.search(self._program.source)

    def _chosen(self) -> bool:
        """Whether this program is in the sample; the same one always is."""
        digest = hashlib.sha256(b"audit" + self._source).digest()
        return int.from_bytes(digest[:8], "big") < self._terms.audit * 2**64

    async def _together(self) -> bool:
        """Tests in shared processes; True if all passed so. Else the findings of the tests by themselves stand."""
        at = 0
        while at < len(self._program.cases):
            found = await self._batch(at, "fast")
            for finding in found or [None]:
                if finding is None or finding.reason != "ok":
                    await self._settle(at)
                    return False
                self._tally.take(at, finding)
                at += 1
        return True

    async def _settle(self, number: int) -> None:
        """Decide about a test that did not pass in a shared process, and go on apart from there."""
        self._terms.counts.reruns += 1
        finding = await self._alone(number)
        if finding.reason == "ok":
            self._terms.counts.overruled += 1
            self._tally.forget()
            await self._apart(0)
        elif not self._tally.take(number, finding) and not self._program.stop_first:
            await self._apart(number + 1)

    async def _apart(self, start: int) -> None:
        """Tests from number `start` on, each in a process of its own."""
        at = start
        while at < len(self._program.cases):
            for finding in await self._batch(at, "strict"):
                assert finding is not None
                if not self._tally.take(at, finding) and self._program.stop_first:
                    return
                at += 1

    async def _batch(self, start: int, mode: Literal["strict", "fast"]) -> Sequence[Finding | None]:
        """Findings of some tests from `start` on; None for one that a shared process could not decide."""
        try:
            job = cut(self._program, start, mode, self._preload)
            numbers = range(start, start + len(job.tests))
            if mode == "strict" or len(numbers) == 1:
                return await self._judged(numbers, job)
            # The first test runs twice, and once more after all others: a program that goes by what earlier tests left,
            # be it how many or which they were, gives itself away.
            thrice = replace(job, tests=[job.tests[0], *job.tests, job.tests[0]])
            found = await self._judged([start, *numbers, start], thrice)
            if len(found) == len(numbers) + 2 and found.pop() != _OK:
                return []
            return found[1:] or found
        except (SandboxError, ValueError):
            if mode == "fast":
                return []
        return [await self._alone(start)]  # the test that broke it may be another one

    async def _alone(self, number: int) -> Finding:
        try:
            job = single(self._program, number, self._preload)
            (facts,) = await self._terms.backend.run(job, self._program.limits)
            self._tally.measure(facts)
            return await self._finding(number, facts)
        except (SandboxError, ValueError) as error:
            return Finding("infrastructure", {"message": evidence.message(str(error))})

    async def _judged(self, numbers: Sequence[int], job: Job) -> list[Finding | None]:
        findings: list[Finding | None] = []
        for number, facts in zip(numbers, await self._terms.backend.run(job, self._program.limits), strict=False):
            self._tally.measure(facts)
            if facts.end == "undone":
                findings.append(None)
                break
            findings.append(await self._finding(number, facts))
            if findings[-1] != _OK and (self._program.stop_first or job.mode == "fast"):
                break
        return findings

    async def _finding(self, number: int, facts: Facts) -> Finding:
        case, program = self._program.cases[number], self._program
        try:
            if len(facts.stdout) + len(facts.report) > _LARGE:
                finding = await asyncio.to_thread(judge, case, facts, program)
            else:
                finding = judge(case, facts, program)
        except BadTest as bad:
            return await self._bad_test(number, str(bad))
        except SandboxError as error:
            return Finding("infrastructure", {"message": evidence.message(str(error))})
        return self._proven(number, finding)

    async def _bad_test(self, number: int, said: str) -> Finding:
        """Prove that a test does not compile, by an empty program that cannot have said so."""
        empty = self._program.model_copy(update={"source": ""})
        (facts,) = await self._terms.backend.run(single(empty, number), empty.limits)
        try:
            judge(empty.cases[number], facts, empty)
        except BadTest:
            return Finding("infrastructure", {"message": f"the test does not compile: {said}"})
        return Finding("runtime_error", {"message": "the program reported a failure that did not happen"})

    def _proven(self, number: int, finding: Finding) -> Finding:
        """A module is missing only where the program or its test imports it: a program may say so of any module."""
        if finding.reason != "missing_module":
            return finding
        module, case = finding.evidence["module"], self._program.cases[number]
        texts = [self._program.source, *([case.code] if isinstance(case, Assert) else [])]
        if not any(lacks(text, module, self._terms.there) for text in texts):
            return Finding(
                "runtime_error", {"message": f"the program found no module {module}, which it does not import"}
            )
        if not usual(module) and module not in self._terms.asked_for:
            return Finding("runtime_error", {"message": f"ModuleNotFoundError: No module named '{module}'"})
        return finding


_OK = Finding("ok")


def needs_entry(program: Program) -> bool:
    """Whether the program has tests that call a function that it does not name."""
    return program.entry is None and any(isinstance(case, Call) for case in program.cases)
