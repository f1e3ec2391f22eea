"""Golden keys: a changed key pays for every answer again, so it must be a decision."""

import pytest

from curate.calls.model import Call
from curate.keys import deciding, digest
from curate.records import Answer, Choice, Question, Tests


def test_golden_digests() -> None:
    assert digest("ab") != digest("a", "b")
    assert digest(1) != digest("1") != digest(1.0)
    assert digest(True) != digest(1)
    assert digest({"a": 1, "b": [None]}) == digest({"b": [None], "a": 1})
    assert digest("x" * (1 << 20) + "y") != digest("x" * (1 << 20) + "z")
    assert digest("\ud800") != digest("\ud801")
    with pytest.raises(TypeError):
        digest(object())


def test_golden_question_ids() -> None:
    question = Question.of(problem="What is 1 + 1?", domain="math", truth=Answer(text="2"), source="s", source_id="7")
    assert (question.id, question.truth_key) == GOLDEN_QUESTION
    same = Question.of(
        problem="What is 1 + 1?",
        domain="math",
        truth=Answer(text="2"),
        source="t",
        source_id="8",
        gold="g",
        licence="MIT",
    )
    assert same.id == question.id
    for change in (
        {"problem": "What is 1 + 2?"}, {"domain": "puzzle"}, {"truth": Answer(text="3")},
        {"truth": Choice(letter="A")}, {"starter_code": "x"},
    ):  # fmt: skip
        fields = {"problem": "What is 1 + 1?", "domain": "math", "truth": Answer(text="2"), **change}
        assert Question.of(**fields, source="s", source_id="7").id != question.id


def test_golden_request_key() -> None:
    call = Call(form="chat", model="m", body={"messages": [{"role": "user", "content": "hi"}], "temperature": 0.7})
    assert call.key == GOLDEN_REQUEST
    same = call.model_copy(update={"max_tokens": 9, "base_url": "http://x", "timeout_s": 1.0, "concurrency": 1})
    assert same.key == call.key
    assert call.model_copy(update={"sample": 1}).key != call.key
    assert call.model_copy(update={"model": "n"}).key != call.key
    assert call.model_copy(update={"revision": "2"}).key != call.key


def test_untested_hides_the_cases_and_keeps_the_identity() -> None:
    question = Question.of(
        problem="p", domain="code", truth=Tests(cases='{"inputs": ["1"], "outputs": ["2"]}'), source="s", source_id="1"
    )
    seen = question.untested()
    assert seen.truth.cases == ""
    assert (seen.id, seen.truth_key) == (question.id, question.truth_key)


def test_deciding_leaves_out_defaults() -> None:
    assert deciding(Tests(cases="x")) == {"cases": "x"}


GOLDEN_QUESTION = ("37fe095fc0e66ec310967cf314397c48", "4e36d1252cc30d9023e4bca927b0d444")
GOLDEN_REQUEST = "214f8b5633d3b9ac10b6d015ee25891e"
