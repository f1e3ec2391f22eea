"""`kind: test_gate`: are the tests of a question worth an answer? Accepted solutions must pass, trivial programs fail.

It runs before a token is spent, in the sandbox. What it drops: `tests_reject_gold`, `tests_accept_trivial`,
`multiple_answers` (accepted solutions disagree on a test) and `unreadable_tests`.
"""

import ast
import asyncio
import itertools
import json
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from pydantic import Field

from curate.clean._cap import cap
from curate.clean._trivial import TRICKS, Trick, accepts, trivial_programs
from curate.kinds import Gate, Opinion, Unexamined
from curate.records import Question, Tests
from curate.verifiers.code import Code
from curate.verifiers.program import blocks, find_program
from curate.verifiers.testcases import SURROGATE, UnreadableTests, read_tests
from curate.verifiers.verdict import shown
from sandbox.compare import same_output
from sandbox.model import Case, Compare, Limits, Outcome, Program, SandboxError

if TYPE_CHECKING:
    from curate.resources import Resources
    from sandbox import Sandbox

_FACTS = ("test", "input", "expected", "got", "message", "module")  # of an outcome's evidence


class _Suite(NamedTuple):
    """The tests to run, and what is said of those left out by the cap."""

    cases: Sequence[Case]
    entry: str | None
    compare: Compare
    evidence: dict[str, Any]


class TestGate(Gate):
    """Runs accepted solutions and trivial programs against each question's tests; the limits are those of `code`.

    A question without an accepted solution is only tried with trivial programs; one without tests is kept.
    """

    __test__: ClassVar[bool] = False  # not a pytest class, whatever its name
    needs: ClassVar[frozenset[str]] = frozenset({"sandbox"})

    solutions: int = Field(3, ge=1, le=64, description="Accepted solutions to run, where a question has as many.")
    trivial: tuple[Trick, ...] = Field(TRICKS, description="Trivial programs that must fail: all, or some of them.")
    max_test_mb: float | None = Field(
        None, gt=0, description="Cap on the tests that are run, in million characters: small, edge and large ones."
    )
    time_factor: float = Field(2.0, gt=0, description="multiplies the time limit that the source states")
    cpu_s: float = Field(6.0, gt=0, description="CPU seconds a test where the source states no limit")
    memory_mb: int = Field(1024, gt=0, description="MiB a test where the source states no limit")
    output_mb: int = Field(64, gt=0, description="MiB of output a test")
    compare: Compare = Field(
        "token", description="rules of comparison where the question names none: token, lcb, exact"
    )

    def reads(self, question: Question) -> Any | None:
        """The accepted solutions, what turns them into programs, and the version of `code`, whose rules judge them."""
        if not isinstance(question.truth, Tests):
            return None
        if not self.trivial and not accepted(question):
            return None
        meta = [question.meta.get(name) for name in ("solutions", "func_name", "metadata")]
        told = [question.gold, question.starter_code, json.dumps(meta, sort_keys=True, default=str)]
        return [*told, Code().verifier_version()]

    async def examine(self, question: Question, resources: "Resources") -> Opinion:
        """The opinion; needs `resources.sandbox`. Raises Unexamined where the sandbox failed."""
        assert resources.sandbox is not None
        try:
            suite = await asyncio.to_thread(self._suite, question)
        except UnreadableTests as error:
            return Opinion(False, "unreadable_tests", {"message": shown(str(error))})
        limits = self._limits(question)
        golds = accepted(question)
        programs = await asyncio.to_thread(_programs, golds, suite.entry, question, self.solutions)
        outcomes = [await _run(resources.sandbox, source, suite, limits) for source in programs]
        evidence = {"solutions": len(golds), "programs": len(programs), "tests": len(suite.cases), **suite.evidence}
        if programs and (found := _against_gold(outcomes, evidence, suite.compare)) is not None:
            return found
        trick = await asyncio.to_thread(accepts, suite.cases, self.trivial, suite.compare)
        if trick is not None:
            return Opinion(False, "tests_accept_trivial", {**evidence, "trivial": trick})
        for program in trivial_programs(suite.cases, suite.entry, self.trivial):
            outcome = await _run(resources.sandbox, program.source, suite, limits)
            if outcome.status == "pass":
                return Opinion(False, "tests_accept_trivial", {**evidence, "trivial": program.trick})
        return Opinion(True, None, evidence)

    def _limits(self, question: Question) -> Limits:
        truth = question.truth
        assert isinstance(truth, Tests)
        return Limits(
            cpu_s=truth.time_s * self.time_factor if truth.time_s else self.cpu_s,
            memory_mb=truth.memory_mb or self.memory_mb,
            output_mb=self.output_mb,
        )

    def _suite(self, question: Question) -> _Suite:
        truth = question.truth
        assert isinstance(truth, Tests)
        suite = read_tests(truth.cases, question.meta)
        compare = suite.compare or self.compare
        if self.max_test_mb is None:
            return _Suite(suite.cases, suite.entry, compare, {})
        found = cap(suite.cases, int(self.max_test_mb * 1e6))
        if len(found.kept) == len(suite.cases):
            return _Suite(suite.cases, suite.entry, compare, {})
        cases = [suite.cases[number] for number in found.kept]
        return _Suite(cases, suite.entry, compare, {"tests_of": len(suite.cases), "taken": found.taken})


def accepted(question: Question) -> list[str]:
    """The accepted solutions that a source gave: its gold, then `meta["solutions"]` (a list, or its JSON text)."""
    more = question.meta.get("solutions") or []
    if isinstance(more, str):
        try:
            more = json.loads(more)
        except ValueError:
            more = [more]
    texts = [question.gold, *(more if isinstance(more, list) else [])]
    return list(dict.fromkeys(text for text in texts if isinstance(text, str) and text.strip()))


def _programs(golds: Sequence[str], entry: str | None, question: Question, most: int) -> list[str]:
    """The first `most` accepted solutions that are Python.

    Where none is, those that stand for a program all the same: what runs them says what is wrong with them.
    """
    found = (_program(text, entry, question) for text in golds)
    programs = [one for one in found if one is not None and not SURROGATE.search(one)]
    return list(itertools.islice(filter(_is_python, programs), most)) or programs[:most]


def _program(text: str, entry: str | None, question: Question) -> str | None:
    """The program of an accepted solution, which may be bare code or the rest of the starter code."""
    starter, fenced = question.starter_code, bool(blocks(text))
    if fenced and _is_python(text):
        return text  # the fences stand in its comments
    if not fenced and starter and "def " in starter and "def " not in text:
        whole = starter.rstrip("\n") + "\n" + text
        if _is_python(whole):
            return whole
    found = find_program(text, entry=entry, starter=starter)
    # A gold solution may be prose; the column of solutions holds programs, in whatever language.
    return text if found is None and text != question.gold else found


def _is_python(text: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes are the program's business
            ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


async def _run(sandbox: "Sandbox", source: str, suite: _Suite, limits: Limits) -> Outcome:
    try:
        program = Program(source=source, cases=suite.cases, entry=suite.entry, limits=limits, compare=suite.compare)
        outcome = await sandbox.run(program)
    except SandboxError as error:
        raise Unexamined(error.what) from error
    if outcome.reason == "infrastructure":
        raise Unexamined(str(outcome.evidence.get("message", "the sandbox failed")))
    return outcome


def _against_gold(outcomes: Sequence[Outcome], evidence: dict[str, Any], rules: Compare) -> Opinion | None:
    """What the accepted solutions say of the tests; None: nothing against them.

    A solution that crashes or takes too long says nothing where another one gives answers: it may be written for
    another Python or machine.
    """
    answered = [one for one in outcomes if one.reason in ("ok", "wrong_answer")]
    wrong = [one for one in answered if one.reason == "wrong_answer"]
    if answered and not wrong:
        return None
    lacking = [str(one.evidence.get("module")) for one in outcomes if one.reason == "missing_module"]
    if lacking and not answered:
        raise Unexamined(f"the sandbox has no module {lacking[0]}")
    first = wrong[0] if wrong else outcomes[0]
    told = {name: first.evidence[name] for name in _FACTS if name in first.evidence}
    evidence = {**evidence, "reason": first.reason, **told}
    if len(wrong) < len(answered) or not all(_same_answer(first, one, rules) for one in wrong):
        return Opinion(False, "multiple_answers", evidence)
    return Opinion(False, "tests_reject_gold", evidence)


def _same_answer(one: Outcome, other: Outcome, rules: Compare) -> bool:
    """Whether two wrong programs failed the same test with what its rules call the same output."""
    if one.evidence.get("test") != other.evidence.get("test"):
        return False
    first, second = (str(each.evidence.get("got")) for each in (one, other))
    return any(same_output(a, b.encode("utf-8", "replace"), rules) for a, b in ((first, second), (second, first)))
