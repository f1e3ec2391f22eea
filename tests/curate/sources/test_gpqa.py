"""GPQA: the order of the options depends on content and seed alone, and the letter always names the right text."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from curate.explain import _told
from curate.records import Choice, Drop, Question
from curate.sources.gpqa import RIGHT, WRONG, Gpqa
from curate.withheld import HIDDEN

Lines = Callable[..., Path]


def row(number: int, order: tuple[int, int, int] = (0, 1, 2)) -> dict[str, Any]:
    wrong = [f"wrong {number}-{which}" for which in order]
    return {
        "Question": f"Question {number}?",
        RIGHT: f"right {number}\n",
        **dict(zip(WRONG, wrong, strict=True)),
        "Record ID": f"rec{number}",
    }


def questions(path: Path, **options: Any) -> list[Question]:
    return [item for item in Gpqa(path=path, **options).read() if isinstance(item, Question)]


def choice(question: Question) -> Choice:
    assert isinstance(question.truth, Choice)
    return question.truth


def test_the_letter_names_the_right_text_and_the_letters_are_spread(lines: Lines) -> None:
    found = questions(lines(*[row(number) for number in range(400)]))
    for number, question in enumerate(found):
        truth = choice(question)
        assert truth.options[ord(truth.letter) - ord("A")] == f"right {number}"
        assert question.problem.endswith(f"D. {truth.options[3]}")
    counts = Counter(choice(question).letter for question in found)
    assert all(60 < counts[letter] < 140 for letter in "ABCD"), counts


def test_the_order_does_not_depend_on_the_columns_or_on_other_rows(lines: Lines) -> None:
    (alone,) = questions(lines(row(5, (2, 0, 1))))
    among = questions(lines(*[row(number) for number in range(9)], name="other.jsonl"))
    assert alone.id == among[5].id
    assert choice(alone).options == choice(among[5]).options


def test_another_seed_gives_another_order(lines: Lines) -> None:
    path = lines(*[row(number) for number in range(20)])
    one, other = questions(path), questions(path, seed=1)
    assert [choice(q).options for q in one] != [choice(q).options for q in other]
    assert [set(choice(q).options) for q in one] == [set(choice(q).options) for q in other]


def test_equal_or_missing_options_are_dropped(lines: Lines) -> None:
    equal, missing = row(0), row(1)
    equal[WRONG[1]] = "right 0"
    missing[WRONG[2]] = None
    drops = [item for item in Gpqa(path=lines(equal, missing)).read() if isinstance(item, Drop)]
    assert [drop.reason for drop in drops] == ["equal_options", "no_answer"]
    assert all("Question" not in str(drop.evidence) for drop in drops)


def test_no_text_of_it_is_told(lines: Lines) -> None:
    (question,) = questions(lines(row(0)))
    assert question.meta["private_text"] is True
    told = str(_told(question, HIDDEN))
    assert not any(text in told for text in ("Question 0?", "right 0", "wrong 0"))
    assert choice(question).letter in told
    (dropped,) = Gpqa(path=lines({**row(1), "Question": ["Question 1?"]})).read()
    assert isinstance(dropped, Drop)
    assert dropped.evidence["detail"] == "WrongType"


def test_the_set_says_that_its_text_is_private_and_gated() -> None:
    assert Gpqa.origin.gated
    assert Gpqa.origin.private_text
    assert [hub.config for hub in Gpqa(config="gpqa_main").hubs()] == ["gpqa_main"]
