"""What the code verifier hands to the sandbox, and what it makes of the outcome (the sandbox itself is a recording)."""

import json

import pytest

from curate.records import Tests, Verdict
from curate.verifiers.code import Code
from sandbox.model import Limits, Outcome, Program, SandboxError
from tests.curate.verifiers.rows import attempt, question, resources

CASES = json.dumps({"inputs": ["1"], "outputs": ["1"]})


class Recorded:
    """A sandbox that answers each program with one outcome and remembers the programs."""

    def __init__(self, outcome: Outcome | Exception) -> None:
        self.outcome = outcome
        self.programs: list[Program] = []

    async def run(self, program: Program) -> Outcome:
        self.programs.append(program)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


PASSED = Outcome(status="pass", reason="ok", passed=1, run=1, total=1, measured={"cpu_s": 0.25, "backend": "x"})


async def judged(sandbox: Recorded, truth: Tests, solution: str, verifier: Code | None = None) -> Verdict:
    return await (verifier or Code()).verify(
        question(truth, domain="code"), attempt(solution), resources(sandbox=sandbox)
    )


async def test_a_pass() -> None:
    sandbox = Recorded(PASSED)
    verdict = await judged(sandbox, Tests(cases=CASES), "```python\nprint(1)\n```")
    assert (verdict.outcome, verdict.reason, verdict.seconds) == ("pass", "ok", 0.25)
    assert verdict.evidence == {
        "passed": 1,
        "run": 1,
        "total": 1,
        "limits": {"cpu_s": 6.0, "memory_mb": 1024, "output_mb": 64},
    }
    assert verdict.measured == {"cpu_s": 0.25, "backend": "x"}
    assert sandbox.programs[0].source == "print(1)\n"


async def test_limits_come_from_the_source_then_the_verifier() -> None:
    sandbox = Recorded(PASSED)
    await judged(sandbox, Tests(cases=CASES, time_s=1.5, memory_mb=256), "print(1)")
    await judged(sandbox, Tests(cases=CASES), "print(1)", Code(cpu_s=2, memory_mb=64, output_mb=1))
    await judged(sandbox, Tests(cases=CASES, time_s=2), "print(1)", Code(time_factor=5))
    assert [program.limits for program in sandbox.programs] == [
        Limits(cpu_s=3.0, memory_mb=256, output_mb=64),
        Limits(cpu_s=2.0, memory_mb=64, output_mb=1),
        Limits(cpu_s=10.0, memory_mb=1024, output_mb=64),
    ]


async def test_no_program() -> None:
    sandbox = Recorded(PASSED)
    verdict = await judged(sandbox, Tests(cases=CASES), "I cannot.")
    assert (verdict.outcome, verdict.reason, sandbox.programs) == ("fail", "no_code", [])


async def test_unreadable_tests_judge_nobody() -> None:
    sandbox = Recorded(PASSED)
    for solution in ("print(1)", "I cannot."):
        verdict = await judged(sandbox, Tests(cases="?"), solution)
        assert (verdict.outcome, verdict.reason, sandbox.programs) == ("error", "unreadable_tests", [])


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Outcome(status="fail", reason="time_limit", evidence={"test": 0}), ("fail", "time_limit")),
        (Outcome(status="fail", reason="process_limit"), ("fail", "process_limit")),
        (Outcome(status="error", reason="missing_module", evidence={"module": "x"}), ("error", "missing_module")),
        (Outcome(status="error", reason="infrastructure"), ("error", "infrastructure")),
        (SandboxError("gone"), ("error", "infrastructure")),
    ],
)
async def test_other_outcomes(outcome: Outcome | Exception, expected: tuple[str, str]) -> None:
    verdict = await judged(Recorded(outcome), Tests(cases=CASES), "print(1)")
    assert (verdict.outcome, verdict.reason) == expected
    if isinstance(outcome, Outcome):
        assert outcome.evidence.items() <= verdict.evidence.items()


async def test_weaker_tests_are_marked() -> None:
    outcome = PASSED.model_copy(update={"weaker": True})
    verdict = await judged(Recorded(outcome), Tests(cases='{"asserts": ["assert f(1)"]}'), "def f(x): return x")
    assert verdict.evidence["weaker"] is True


async def test_large_tests_are_read_off_the_loop() -> None:
    sandbox = Recorded(PASSED)
    cases = json.dumps({"inputs": ["1" * 300_000], "outputs": ["1"]})
    assert (await judged(sandbox, Tests(cases=cases), "print(1)")).outcome == "pass"
    assert (await judged(sandbox, Tests(cases="?" * 300_000), "print(1)")).reason == "unreadable_tests"


def test_the_alias_and_the_spec() -> None:
    from curate.plug import find

    assert find("curate.verifiers", "tests") is Code
    assert Code().spec() == {"kind": "code", "version": 3, "options": {}}
    assert Code(cpu_s=3).spec()["options"] == {"cpu_s": 3.0}
    assert Code().verifier_version().startswith("3+python3.")


async def test_the_question_chooses_its_rules_of_comparison_before_the_verifier() -> None:
    sandbox = Recorded(PASSED)
    own = json.dumps({"inputs": ["1"], "outputs": ["1"], "compare": "exact"})
    verdicts = [
        await judged(sandbox, Tests(cases=cases), "print(1)", Code(compare=compare))
        for cases, compare in ((CASES, "token"), (CASES, "lcb"), (own, "lcb"), (own, "token"))
    ]
    assert [program.compare for program in sandbox.programs] == ["token", "lcb", "exact", "exact"]
    assert [verdict.evidence.get("compare") for verdict in verdicts] == [None, "lcb", "exact", "exact"]
    unknown = json.dumps({"inputs": ["1"], "outputs": ["1"], "compare": "set"})
    verdict = await judged(sandbox, Tests(cases=unknown), "print(1)")
    assert (verdict.outcome, verdict.reason) == ("error", "unreadable_tests")
