"""`kind: test_gate`: tests that reject their solution, accept a program that solves nothing, or have two answers."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from curate.clean._cap import cap
from curate.clean._trivial import TRICKS, accepts, trivial_programs
from curate.clean.test_gate import TestGate, accepted
from curate.kinds import Opinion, Unexamined
from curate.records import Answer, Question, Tests
from curate.resources import Machines, Resources
from curate.verifiers.testcases import read_tests
from sandbox import Assert, Call, Program, Stdin
from sandbox.model import Outcome

DOUBLE = "n = int(input())\nprint(n * 2)"
CPP = "#include <iostream>\nint main() { int n; std::cin >> n; std::cout << 2 * n; }"
PAIRS = {"inputs": ["3\n", "0\n", "-7\n"], "outputs": ["6\n", "0\n", "-14\n"]}
ADD = {"fn_name": "add", "inputs": [[1, 2], [5, -5], [0, 4]], "outputs": [3, 0, 4]}
SUBSET = {"inputs": ["4\n1 2 3 4\n"], "outputs": ["1 4\n"]}  # any pair that sums to 5


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def resources() -> AsyncIterator[Resources]:
    async with Machines(count=2) as machines:
        yield await machines.ready({"sandbox"})


def _question(tests: Any, *solutions: str, gold: str | None = None, **fields: Any) -> Question:
    text = tests if isinstance(tests, str) else json.dumps(tests)
    meta = {"solutions": list(solutions), **fields.pop("meta", {})}
    truth = Tests(cases=text, **fields.pop("truth", {}))
    return Question.of(
        problem="p", domain="code", truth=truth, source="s", source_id="1", gold=gold, meta=meta, **fields
    )


CASES: dict[str, tuple[Question, str | None]] = {
    "a right solution": (_question(PAIRS, gold=DOUBLE), None),
    "in a fence": (_question(PAIRS, gold=f"Doubling does it.\n\n```python\n{DOUBLE}\n```\n"), None),
    "no solution, good tests": (_question(PAIRS), None),
    "wrong expectation": (
        _question({"inputs": ["3\n", "0\n"], "outputs": ["6\n", "1\n"]}, gold=DOUBLE),
        "tests_reject_gold",
    ),
    "three right solutions": (_question(PAIRS, DOUBLE, "print(int(input()) << 1)", "n=int(input());print(n+n)"), None),
    "all wrong alike": (
        _question({"inputs": ["3\n"], "outputs": ["7\n"]}, DOUBLE, "print(int(input()) * 2)"),
        "tests_reject_gold",
    ),
    "one accepted solution is rejected": (
        _question(SUBSET, "input()\nprint('1 4')", "input()\nprint('2 3')"),
        "multiple_answers",
    ),
    "the third one disagrees": (
        _question(SUBSET, "input()\nprint('1 4')", "print('1 4')", "print('2 3')"),
        "multiple_answers",
    ),
    "rejected with two answers": (_question(SUBSET, "print('2 3')", "print('3 2')"), "multiple_answers"),
    "another Python beside a right one": (_question(PAIRS, "print int(raw_input()) * 2", DOUBLE), None),
    "only another Python": (_question(PAIRS, "print int(raw_input()) * 2"), "tests_reject_gold"),
    "other languages beside it": (_question(PAIRS, CPP, CPP + "//", CPP + "///", "print(int(input()) * 2)"), None),
    "only another language": (_question(PAIRS, CPP), "tests_reject_gold"),
    "gold in prose": (_question(PAIRS, gold="Double the number and print it."), None),
    "prose beside a program": (_question(PAIRS, DOUBLE, gold="Double the number and print it."), None),
    "a fence in its comments": (_question(PAIRS, gold=f'"""So:\n\n```python\nprint(1)\n```\n"""\n{DOUBLE}'), None),
    "the starter goes before": (
        _question(ADD, gold="    return a + b", starter_code="def add(a, b):\n"),
        None,
    ),
    "all wrong alike, written otherwise": (
        _question({"inputs": ["3\n"], "outputs": ["7.5\n"]}, "print(int(input()) * 2.0)", "print('6.000 ')"),
        "tests_reject_gold",
    ),
    "a crash": (_question(PAIRS, gold=DOUBLE + "\nraise SystemExit(3)"), "tests_reject_gold"),
    "always empty": (_question({"inputs": ["1\n", "2\n"], "outputs": ["", "\n"]}), "tests_accept_trivial"),
    "echo": (_question({"inputs": ["1 2\n", "3\n"], "outputs": ["1 2\n", "3\n"]}), "tests_accept_trivial"),
    "constant": (_question({"inputs": ["1\n", "2\n"], "outputs": ["YES\n", "YES\n"]}), "tests_accept_trivial"),
    "one example": (_question({"inputs": ["1\n"], "outputs": ["a b c\n"]}), "tests_accept_trivial"),
    "function": (_question(ADD, gold="def add(a, b):\n    return a + b\n"), None),
    "method": (
        _question(ADD, gold="class Solution:\n    def add(self, a, b):\n        return a + b\n"),
        None,
    ),
    "function that gives its argument": (
        _question({"fn_name": "same", "inputs": [[1], ["x"]], "outputs": [1, "x"]}),
        "tests_accept_trivial",
    ),
    "function of one value": (
        _question({"fn_name": "f", "inputs": [[1], [2]], "outputs": [[17], [17]]}),
        "tests_accept_trivial",
    ),
    "asserts": (
        _question({"asserts": ["assert add(1, 2) == 3", "assert add(0, 1) == 1"]}, gold="def add(a, b): return a + b"),
        None,
    ),
    "asserts of one value": (
        _question({"asserts": ["assert set(f(1)) == {4}", "assert f(2) == [4]", "assert f(3) == [4]"]}),
        None,  # the first assert compares no call: nothing tells what a constant program should give
    ),
    "asserts of one literal": (
        _question({"asserts": ["assert f(1) == 'ab'", "assert f(2) == 'ab'"]}, gold="def f(n): return 'ab'"),
        "tests_accept_trivial",
    ),
    "unreadable": (_question("{", gold=DOUBLE), "unreadable_tests"),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.asyncio(loop_scope="module")
async def test_opinions(name: str, resources: Resources) -> None:
    question, reason = CASES[name]
    gate = TestGate()
    assert gate.reads(question) is not None
    opinion = await gate.examine(question, resources)
    assert (opinion.kept, opinion.reason) == (reason is None, reason), opinion
    assert await gate.examine(question, resources) == opinion  # evidence repeats
    json.dumps(opinion.evidence)


@pytest.mark.asyncio(loop_scope="module")
async def test_evidence_shows_the_test_and_the_answers(resources: Resources) -> None:
    question, _ = CASES["wrong expectation"]
    evidence = (await TestGate().examine(question, resources)).evidence
    assert evidence["reason"] == "wrong_answer" and evidence["test"] == 1
    assert (evidence["input"], evidence["expected"], evidence["got"]) == ("0\n", "1\n", "0\n")
    trivial = (await TestGate().examine(CASES["echo"][0], resources)).evidence
    assert trivial["trivial"] == "echo"


@pytest.mark.asyncio(loop_scope="module")
async def test_options(resources: Resources) -> None:
    two = _question(SUBSET, "print('1 4')", "print('1 4')  # again", "print('2 3')")
    assert (await TestGate(solutions=2, trivial=()).examine(two, resources)).kept
    assert (await TestGate(trivial=()).examine(two, resources)).reason == "multiple_answers"
    one = _question({"inputs": ["1\n"], "outputs": ["a\n"]})
    assert TestGate(trivial=()).reads(one) is None  # nothing to run
    assert (await TestGate(trivial=("nothing", "echo")).examine(one, resources)).kept
    slow = _question(
        PAIRS, gold="import time\ns = time.process_time()\nwhile time.process_time() - s < 1: pass\n" + DOUBLE
    )
    assert (await TestGate(cpu_s=0.3).examine(slow, resources)).evidence["reason"] == "time_limit"
    assert (await TestGate().examine(slow, resources)).kept


@pytest.mark.asyncio(loop_scope="module")
async def test_the_cap_runs_part_of_the_tests_and_says_so(resources: Resources) -> None:
    inputs = [f"{n}\n" + "x" * (n * 50) for n in range(100)]
    tests = {"inputs": inputs, "outputs": [f"{n * 2}\n" for n in range(100)]}
    opinion = await TestGate(max_test_mb=0.02).examine(_question(tests, gold=DOUBLE), resources)
    assert opinion.kept
    evidence = opinion.evidence
    assert evidence["tests_of"] == 100 and 5 < evidence["tests"] < 60
    assert sum(evidence["taken"].values()) == evidence["tests"]
    assert {"first", "small", "edge", "large"} == set(evidence["taken"])


async def test_trouble_of_ours_is_no_opinion() -> None:
    class Broken:
        def __init__(self, reason: Any) -> None:
            self.reason = reason

        async def run(self, program: Program) -> Outcome:
            return Outcome(status="error", reason=self.reason, evidence={"message": "gone", "module": "numpy"})

    for reason in ("infrastructure", "missing_module"):
        resources: Any = type("R", (), {"sandbox": Broken(reason)})()
        with pytest.raises(Unexamined, match=r"gone|numpy"):
            await TestGate(trivial=()).examine(_question(PAIRS, gold=DOUBLE), resources)


def test_what_decides_an_opinion() -> None:
    base = TestGate().reads(_question(PAIRS, DOUBLE))
    assert TestGate().reads(_question(PAIRS, DOUBLE, "print(1)")) != base
    assert TestGate().reads(_question(PAIRS, DOUBLE, starter_code="def f(): ...")) != base
    assert TestGate().reads(_question(PAIRS, DOUBLE).model_copy(update={"seq": 9, "source_id": "other"})) == base
    many = [f"print({n})" for n in range(6)]
    assert TestGate().reads(_question(PAIRS, *many)) != TestGate().reads(_question(PAIRS, *many[:3]))
    assert TestGate(trivial=()).reads(_question(PAIRS)) is None  # nothing to run
    question = Question.of(problem="p", domain="math", truth=Answer(text="1"), source="s", source_id="1", gold="1")
    assert TestGate().reads(question) is None


def test_accepted_solutions_come_from_gold_and_meta() -> None:
    assert accepted(_question(PAIRS, "b", "a", "b", " ", gold="a")) == ["a", "b"]
    assert accepted(_question(PAIRS, meta={"solutions": '["x", "y"]'})) == ["x", "y"]
    assert accepted(_question(PAIRS, meta={"solutions": "print(1)"})) == ["print(1)"]


@pytest.mark.parametrize("name", [name for name, (_, reason) in CASES.items() if reason == "tests_accept_trivial"])
@pytest.mark.asyncio(loop_scope="module")
async def test_what_is_told_by_comparing_is_what_running_shows(name: str, resources: Resources) -> None:
    """A trick found without the sandbox really passes in it."""
    suite = read_tests(CASES[name][0].truth.cases, {})  # type: ignore[union-attr]
    first = suite.cases[0]
    trick = accepts(suite.cases, TRICKS, "token")
    if isinstance(first, Assert):
        assert trick is None
        return
    assert trick is not None
    value = first.expected
    script = {
        "nothing": "pass",
        "echo": "import sys; sys.stdout.write(sys.stdin.read())",
        "constant": "print('YES')",
        "first_output": f"print({value!r}, end='')",
    }
    function = {"echo": "return args[0]", "constant": "return 0", "first_output": f"return {value!r}"}
    source = script[trick] if isinstance(first, Stdin) else f"def {suite.entry}(*args):\n    {function[trick]}"
    assert resources.sandbox is not None
    outcome = await resources.sandbox.run(Program(source=source, cases=suite.cases, entry=suite.entry))
    assert outcome.status == "pass", outcome


def test_tricks_are_chosen() -> None:
    cases = [Stdin(input="1", expected="0\n"), Stdin(input="2", expected="0\n")]
    assert accepts(cases, TRICKS, "token") == "constant"
    assert accepts(cases, ("nothing", "first_output"), "token") == "first_output"
    assert accepts(cases, ("nothing", "echo"), "token") is None
    calls = [Call(args=[1], expected=[7]), Call(args=[2], expected=7)]
    assert accepts(calls, TRICKS, "token") == "first_output"
    assert list(trivial_programs([Assert(code="assert 1 == 1")], None, TRICKS)) == []  # nothing is called
    named = list(trivial_programs([Assert(code="import f\nassert len(g(2)) == 3")], None, TRICKS))
    assert len({one.source for one in named}) == len(named) > 5 and all("def g" in one.source for one in named)
    literal = list(trivial_programs([Assert(code="assert g(2) == 1")], "g", TRICKS))
    assert [one.trick for one in literal] == ["echo", "constant", "constant"]  # 1 and True, which is 1


def test_the_cap_keeps_every_kind_and_repeats() -> None:
    sizes = [10, 500, 20, 30, 4000, 15, 900, 5, 60, 70, 80, 2000]
    cases = [Stdin(input=f"{n} " + "y" * size, expected="YES\n") for n, size in enumerate(sizes)]
    cases[8] = Stdin(input="1000000000", expected="YES\n")
    cases[9] = Stdin(input="3", expected="-1\n")
    found = cap(cases, 3000)
    assert found == cap(cases, 3000)
    assert 0 in found.kept and 7 in found.kept  # the first and the smallest
    assert {8, 9} <= set(found.kept)  # the largest number, the rarest output
    assert any(sizes[number] >= 900 for number in found.kept)  # something large
    assert sum(len(cases[n].input) + len(cases[n].expected) for n in found.kept) <= 3000
    assert cap(cases, 1 << 30).kept == tuple(range(len(cases)))
    assert cap(cases, 1).kept == (0,)


def test_an_opinion_survives_its_storage() -> None:
    opinion = Opinion(False, "multiple_answers", {"test": 1, "taken": {"small": 2}})
    assert Opinion(*json.loads(json.dumps(list(opinion)))) == opinion
