"""`kind: exact`: what is set aside, by default and by option."""

from typing import Any

import pytest

from curate.records import Answer, Choice, Reference
from curate.verifiers.exact import SameText
from tests.curate.verifiers.rows import attempt, question, resources


@pytest.mark.parametrize(
    ("reference", "solution", "options", "outcome"),
    [
        ("Paris", "The answer is \\boxed{Paris}.", {}, "pass"),
        ("Paris", "The answer is \\boxed{ Paris }.", {}, "pass"),
        ("New York", "\\boxed{New \n  York}", {}, "pass"),
        ("caf\u00e9", "\\boxed{cafe\u0301}", {}, "pass"),
        ("Paris", "\\boxed{paris}", {}, "fail"),
        ("Paris", "\\boxed{paris}", {"ignore_case": True}, "pass"),
        ("STRASSE", "\\boxed{straße}", {"ignore_case": True}, "pass"),
        ("it's", "\\boxed{its!}", {}, "fail"),
        ("it's", "\\boxed{its!}", {"ignore_punctuation": True}, "pass"),
        ("1/2", "\\boxed{0.5}", {}, "fail"),
        ("abc", "abc\n", {"of": "solution"}, "pass"),
        ("abc", "the abc", {"of": "solution"}, "fail"),
        ("abc", "<think>x</think> abc", {"of": "solution"}, "pass"),
        ("abc", "I do not know", {}, "fail"),
        ("abc", "", {"of": "solution"}, "fail"),
    ],
)
async def test_the_same_text(reference: str, solution: str, options: dict[str, Any], outcome: str) -> None:
    for truth in (Answer(text=reference), Reference(text=reference)):
        verdict = await SameText(**options).verify(question(truth), attempt(solution), resources())
        assert verdict.outcome == outcome, verdict.evidence
        assert verdict.verifier == "exact"


async def test_a_letter_and_no_answer() -> None:
    verdict = await SameText().verify(question(Choice(letter="B")), attempt("\\boxed{B}"), resources())
    assert verdict.outcome == "pass"
    none = await SameText().verify(question("x"), attempt("who knows"), resources())
    assert (none.outcome, none.reason) == ("fail", "no_answer")
