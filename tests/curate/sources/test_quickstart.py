"""The bundled set: golds are right by running and comparing them, and each recorded answer belongs to a question."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from curate.records import Choice, Question, Tests
from curate.sources.boxed import last_boxed
from curate.sources.quickstart import QUESTIONS, Quickstart

EXPECTED = json.loads((Path(__file__).parent / "quickstart_expected.json").read_text("utf-8"))


def read() -> list[Question]:
    return [item for item in Quickstart().read() if isinstance(item, Question)]


def rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in QUESTIONS.with_name(name).read_text("utf-8").splitlines()]


def test_all_domains_and_kinds_of_truth() -> None:
    items = read()
    assert len(items) == len(rows("questions.jsonl")) >= 64
    domains = Counter(item.domain for item in items)
    assert domains["math"] >= 24
    assert domains["code"] >= 20
    assert domains["science"] >= 10
    assert domains["puzzle"] >= 10
    assert {item.truth.type for item in items} == {"answer", "tests", "choice", "reference"}
    forms = Counter(_form(json.loads(item.truth.cases)) for item in items if isinstance(item.truth, Tests))
    assert min(forms["stdin"], forms["call"], forms["asserts"]) >= 5
    assert any("class Solution" in (item.starter_code or "") for item in items)
    assert all(item.licence == "Apache-2.0" and item.source == "quickstart" and item.gold for item in items)
    assert len({item.problem for item in items}) == len(items)


def _form(cases: dict[str, Any]) -> str:
    return "asserts" if "asserts" in cases else "call" if "fn_name" in cases else "stdin"


def test_golds_state_the_answer() -> None:
    for item in read():
        if item.truth.type == "answer":
            assert last_boxed(item.gold or "") == item.truth.text
        if isinstance(item.truth, Choice):
            assert last_boxed(item.gold or "") == item.truth.letter
            index = ord(item.truth.letter) - ord("A")
            assert f"{item.truth.letter}. {item.truth.options[index]}" in item.problem


@pytest.mark.parametrize("item", [one for one in read() if isinstance(one.truth, Tests)], ids=lambda one: one.source_id)
def test_gold_programs_pass_their_tests(item: Question) -> None:
    """Run here without a sandbox: these programs are ours."""
    assert isinstance(item.truth, Tests)
    cases = json.loads(item.truth.cases)
    if _form(cases) == "stdin":
        for given, wanted in zip(cases["inputs"], cases["outputs"], strict=True):
            assert _run(item.gold or "", given) == wanted
        return
    if _form(cases) == "asserts":
        _run("\n\n".join([item.gold or "", *cases["asserts"]]), "")
        return
    name = cases["fn_name"]
    call = f"getattr(Solution() if 'Solution' in globals() else sys.modules['__main__'], {name!r})"
    loop = f"import json, sys\nfor args in json.load(sys.stdin):\n    print(json.dumps({call}(*args)))\n"
    printed = _run(f"{item.gold}\n{loop}", json.dumps(cases["inputs"])).splitlines()
    assert [json.loads(line) for line in printed] == cases["outputs"]


def _run(program: str, given: str) -> str:
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], input=given, capture_output=True, text=True, timeout=20, check=True
    )
    return done.stdout


def test_each_question_has_one_recorded_answer_and_an_expectation() -> None:
    ids = [item.source_id for item in read()]
    answers = rows("answers.jsonl")
    assert [row["source_id"] for row in answers] == ids
    assert [row["sample"] for row in answers] == [0] * len(ids)
    assert list(EXPECTED) == ids
    for row in answers:
        assert set(row) == {"source_id", "sample", "reasoning", "solution", "finish_reason"}
        assert (EXPECTED[row["source_id"]]["reason"] == "truncated") == (row["finish_reason"] == "length")
    outcomes = Counter((one["outcome"], one["reason"]) for one in EXPECTED.values())
    assert outcomes["pass", "ok"] > len(ids) / 2
    assert outcomes["fail", "time_limit"] <= 3  # a looping program takes its whole time limit
    assert {reason for outcome, reason in outcomes if outcome == "fail"} >= {
        "wrong_answer", "no_answer", "truncated", "time_limit", "runtime_error", "compile_error", "no_code",
    }  # fmt: skip


def test_the_same_at_every_read() -> None:
    assert read() == read()
    assert Quickstart().fingerprint() == Quickstart().fingerprint()
    assert Quickstart().rehearsal() == Quickstart()
