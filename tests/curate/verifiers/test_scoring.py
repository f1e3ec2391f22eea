"""`score(spec, text)`: the same verdicts as a run's, from JSON alone, from any loop and any thread."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from curate.audit.cases import Chosen, case_of
from curate.calls.client import Calls
from curate.errors import InputError
from curate.ledger import Ledger
from curate.plug import find, kinds
from curate.records import Answer, Choice, Grid, Reference, Tests
from curate.resources import Machines, Resources
from curate.verdicts import Verdicts
from curate.verifiers import scoring
from curate.verifiers.code import Code
from curate.verifiers.judge import Judge
from curate.verifiers.router import Router
from curate.verifiers.scoring import Spec, json_schema, score, score_sync
from tests.curate.verifiers.rows import question


@pytest.fixture(scope="module", autouse=True)
def closing() -> Iterator[None]:
    yield
    scoring.close()


@pytest.fixture
async def resources(tmp_path: Path) -> AsyncIterator[Resources]:
    async with Ledger(tmp_path / "ledger") as ledger, Calls(ledger) as calls:
        yield Resources(ledger, calls, Verdicts(ledger))


def spec(kind: str, truth: Any, **fields: Any) -> dict[str, Any]:
    version = find("curate.verifiers", kind).version
    return {"kind": kind, "version": version, "truth": truth.model_dump(mode="json"), **fields}


CASES = [
    (spec("math", Answer(text="1/2")), "The answer is \\boxed{0.5}", "pass"),
    (spec("math", Answer(text="1/2")), "<think>\\boxed{0.5}</think>It is \\boxed{3}", "fail"),
    (spec("math", Answer(text="\\sqrt{2}")), "\\boxed{2^{1/2}}", "pass"),
    (spec("choice", Choice(letter="B", options=("x", "y"))), "I choose B.", "pass"),
    (spec("grid", Grid(cells=((1, 2), (3, 4)))), "1 2\n3 4", "pass"),
    (spec("exact", Reference(text="yes"), options={"ignore_case": True}), "\\boxed{YES}", "pass"),
    (spec("math", Answer(text="4")), "", "fail"),
    (spec("math", Answer(text="4")), "<think>no end \\boxed{4}", "fail"),
]


@pytest.mark.parametrize(("given", "text", "outcome"), CASES)
async def test_verdicts(given: dict[str, Any], text: str, outcome: str) -> None:
    assert (await score(given, text)).outcome == outcome
    assert (await score(json.dumps(given), text)).outcome == outcome


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<think>no end \\boxed{4}", "truncated"),
        ("<|begin_of_thought|>x<|end_of_thought|><|begin_of_solution|>\\boxed{4}", "truncated"),
        ("<|channel|>analysis<|message|>\\boxed{4}", "truncated"),
        ("<think>\\boxed{4}</think> \n", "no_answer"),
        ("thinking that a prompt opened</think>\\boxed{4}", "ok"),
    ],
)
async def test_an_audit_says_the_same_of_a_text(text: str, reason: str) -> None:
    row = {"problem": "2 + 2?", "domain": "math", "ground_truth_solution": "\\boxed{4}", "response": text}
    case = case_of(0, row, Chosen("response", None))
    async with Machines() as machines:
        handles = await machines.ready({"workers"})
        audited = (await Router().verify(case.question, case.attempt, handles, {})).verdict
    assert audited.reason == reason
    assert (await score(spec("math", Answer(text="4")), text)).reason == reason


def test_from_a_thread_without_a_loop_and_from_several_loops() -> None:
    found: list[str] = []

    def work(number: int) -> None:
        found.append(score_sync(CASES[0][0], f"\\boxed{{{number}/4}}").outcome)
        found.append(asyncio.run(score(CASES[0][0], f"\\boxed{{{number}/4}}")).outcome)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == ["fail"] * 6 + ["pass"] * 2


async def test_programs_run_and_the_handles_are_shared() -> None:
    cases = Tests(cases=json.dumps({"fn_name": "f", "inputs": [[1]], "outputs": [2]}))
    good = await score(spec("tests", cases), "```python\ndef f(x):\n    return x + 1\n```")
    assert (good.outcome, good.verifier) == ("pass", "code")
    assert (await score(spec("code", cases), "```python\ndef f(x):\n    return x\n```")).outcome == "fail"


def test_closing_and_opening_again() -> None:
    assert score_sync(CASES[2][0], "\\boxed{2^{1/2}}").outcome == "pass"
    scoring.close()
    scoring.close()
    assert score_sync(CASES[2][0], "\\boxed{2^{1/2}}").outcome == "pass"


async def test_a_judge_needs_the_handles_of_a_run(resources: Resources) -> None:
    given = spec("judge", Reference(text="Paris"), options={"model": {"kind": "fake", "error_rate": 0.0}})
    with pytest.raises(InputError, match="asks a model"):
        await score(given, "\\boxed{Paris}")
    assert (await score(given, "\\boxed{paris}", resources)).outcome == "pass"
    assert (await score(given, "\\boxed{Rome}", resources)).outcome == "fail"
    with pytest.raises(InputError, match="no model"):
        await score(spec("judge", Reference(text="Paris")), "\\boxed{Paris}", resources)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version": 99}, "version 99, here is version"),
        ({"kind": "mathh"}, "there is no verifier 'mathh'; known: choice"),
        ({"options": {"colour": 1}}, "options of exact: colour"),
        ({"truth": {"type": "verse"}}, "truth"),
        ({"reward": 1}, "reward"),
    ],
)
def test_a_specification_that_cannot_be_used(change: dict[str, Any], words: str) -> None:
    given = {**spec("exact", Answer(text="4")), **change}
    with pytest.raises(InputError, match=words):
        score_sync(given, "\\boxed{4}")
    with pytest.raises(InputError, match="no verifier specification"):
        score_sync("{", "4")


async def test_it_says_what_a_run_says() -> None:
    meta = {"func_name": "f"}
    cases = Tests(cases=json.dumps({"fn_name": "f", "inputs": [[1]], "outputs": [2]}))
    row = question(cases, domain="code", starter_code="def f(x):", meta=meta)
    read = Spec.of(Code(cpu_s=2.0), row)
    assert (read.options, read.starter_code, read.meta) == ({"cpu_s": 2.0}, "def f(x):", meta)
    assert Spec.model_validate_json(read.model_dump_json()) == read
    assert read.verifier() == Code(cpu_s=2.0)
    judge = Judge.model_validate({"model": {"kind": "fake", "seed": 3}, "votes": 3})
    assert Spec.of(judge, question("1")).verifier() == judge


async def test_a_truth_that_the_verifier_does_not_take() -> None:
    verdict = await score(spec("grid", Answer(text="4")), "4")
    assert (verdict.outcome, verdict.reason) == ("unsure", "not_applicable")


def test_the_json_schema_accepts_every_kind_and_refuses_others() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert {form["properties"]["kind"]["const"] for form in schema["anyOf"]} == set(kinds("curate.verifiers"))
    for given, _, _ in CASES:
        jsonschema.validate(given, schema)
    for change in ({"version": 99}, {"kind": "mathh"}, {"options": {"colour": 1}}, {"truth": {"type": "verse"}}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**CASES[0][0], **change}, schema)
