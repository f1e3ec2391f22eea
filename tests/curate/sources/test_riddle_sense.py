"""RiddleSense: the reference's shuffle row for row, and letters that the choice verifier agrees with."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest

from curate.records import Choice, Drop, Question
from curate.sources.riddle_sense import RiddleSense
from curate.verifiers.choice import find_letter

Lines = Callable[..., Path]


def riddle(number: int, key: str = "B") -> dict[str, Any]:
    texts = [f"thing {number}-{letter}" for letter in "abcde"]
    return {"answerKey": key, "question": f"Riddle {number}?", "choices": {"label": list("ABCDE"), "text": texts}}


def test_the_same_rows_in_the_same_order_as_datasets_shuffles_them(lines: Lines) -> None:
    rows = [riddle(number) for number in range(300)]
    items = list(RiddleSense(path=lines(*rows), take=50).read())
    table = datasets.Dataset.from_list(rows).shuffle(seed=42).take(50)
    asked = [item.problem.splitlines()[0] for item in items if isinstance(item, Question)]
    assert asked == table["question"][:]
    drops = [item for item in items if isinstance(item, Drop)]
    assert len(drops) == 250
    assert drops[0].evidence == {"source": "riddle_sense", "place": drops[0].evidence["place"], "take": 50, "seed": 42}


def test_fewer_rows_than_are_taken_and_no_shuffle(lines: Lines) -> None:
    path = lines(*[riddle(number) for number in range(5)])
    assert len([item for item in RiddleSense(path=path).read() if isinstance(item, Question)]) == 5
    plain = RiddleSense(path=path, seed=None, take=2).read()
    assert [item.problem[:9] for item in plain if isinstance(item, Question)] == ["Riddle 0?", "Riddle 1?"]


def test_the_question_lists_its_options_as_the_reference_does(lines: Lines) -> None:
    (item,) = RiddleSense(path=lines(riddle(7, "D"))).read()
    assert isinstance(item, Question)
    assert item.problem == ("Riddle 7?\nA: thing 7-a\nB: thing 7-b\nC: thing 7-c\nD: thing 7-d\nE: thing 7-e")
    assert item.truth == Choice(letter="D", options=tuple(f"thing 7-{letter}" for letter in "abcde"))


@pytest.mark.parametrize(
    "said",
    ["\\boxed{D}", "The answer is D: thing 7-d.", "**Answer:** thing 7-d", "D: thing 7-d", "It is \\boxed{thing 7-d}"],
)
def test_the_verifier_reads_the_letter_however_it_is_said(said: str) -> None:
    named = find_letter(said, tuple(f"thing 7-{letter}" for letter in "abcde"))
    assert named is not None
    assert named.letter == "D"


def test_a_row_whose_answer_is_hidden_or_stands_twice_is_dropped(lines: Lines) -> None:
    twice = riddle(1)
    twice["choices"]["text"][3] = twice["choices"]["text"][1]
    items = list(RiddleSense(path=lines(riddle(0, ""), twice, riddle(2, "Z")), seed=None).read())
    assert [item.reason for item in items if isinstance(item, Drop)] == ["no_answer", "wrong_type", "wrong_type"]


def test_the_hub_is_read_without_its_loading_script() -> None:
    (hub,) = RiddleSense(split="validation").hubs()
    assert (hub.path, hub.revision, hub.data_files) == (
        "INK-USC/riddle_sense",
        "refs/convert/parquet",
        ("default/validation/*.parquet",),
    )
    assert json.loads(RiddleSense().model_dump_json())["take"] == 1250
