"""s1K: what counts as a short answer, and what only a judge can compare."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from curate.records import Answer, Drop, Question, Reference, Truth
from curate.sources.s1k import S1k

Lines = Callable[..., Path]


def row(solution: str | None, **more: Any) -> dict[str, Any]:
    fixed = {"question": "How many?", "cot_type": "math", "source_type": "made", "metadata": "{}"}
    return {"solution": solution, **fixed, **more}


def truth(path: Path) -> Truth:
    (item,) = S1k(path=path).read()
    assert isinstance(item, Question)
    assert item.gold
    return item.truth


@pytest.mark.parametrize("number", ["128", "-3", "0.25", "1,000", "2/3"])
def test_a_bare_number_is_the_answer(lines: Lines, number: str) -> None:
    assert truth(lines(row(number))) == Answer(text=number)


def test_a_boxed_answer_counts_but_not_where_a_proof_is_asked_for(lines: Lines) -> None:
    worked = r"So $a = \boxed{\frac{1}{2}}$."
    assert truth(lines(row(worked))) == Answer(text=r"\frac{1}{2}")
    for asked in ("Prove that $a = 1/2$.", "Let a be given. Show that it is 1/2."):
        assert truth(lines(row(worked, question=asked))) == Reference(text=worked)


def test_metadata_answer_only_where_it_is_known_to_be_one(lines: Lines) -> None:
    told = {"metadata": "{'answer': '\\\\frac{1}{n}', 'difficulty': 5.0}"}
    assert truth(lines(row("By symmetry.", source_type="KbsdJames/Omni-MATH", **told))) == Answer(text=r"\frac{1}{n}")
    assert truth(lines(row("By symmetry.", source_type="elsewhere", **told))) == Reference(text="By symmetry.")
    broken = row("By symmetry.", source_type="KbsdJames/Omni-MATH", metadata="{'answer': ")
    assert truth(lines(broken)) == Reference(text="By symmetry.")


def test_a_sentence_is_a_reference(lines: Lines) -> None:
    assert truth(lines(row("The pressure doubles."))) == Reference(text="The pressure doubles.")


@pytest.mark.parametrize("edition", ["1.0", "1.1"])
def test_both_editions_have_the_same_questions(edition: Any) -> None:
    found = [item for item in S1k(edition=edition).rehearsal().read() if isinstance(item, Question)]
    assert [one.domain for one in found] == ["math"] * 4 + ["science", "puzzle"]
    assert [type(one.truth) for one in found] == [Answer, Answer, Answer, Reference, Reference, Reference]
    assert {one.licence for one in found} == {{"1.0": "apache-2.0", "1.1": "mit"}[edition]}


def test_without_a_solution_the_row_is_dropped(lines: Lines) -> None:
    (item,) = S1k(path=lines(row(None))).read()
    assert isinstance(item, Drop)
    assert item.reason == "no_solution"
