"""CAMEL: a draw from each sub-topic that depends on content and seed alone; no row has a truth."""

import json
import random
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from curate.errors import InputError
from curate.records import Drop, Question, Unknown
from curate.sources._picked import Draw
from curate.sources._published import Part
from curate.sources.camel import Camel
from curate.sources.files import Place
from curate.sources.row_reader import RawRow

Lines = Callable[..., Path]
ROWS = [
    {
        "role_1": "Physicist",
        "topic;": f"topic {n % 3}",
        "sub_topic": f"sub {n % 7}",
        "message_1": f"What is {n} times two?",
        "message_2": f"{2 * n}",
    }
    for n in range(100)
]


def questions(path: Path, **options: Any) -> list[Question]:
    return [item for item in Camel(path=path, **options).read() if isinstance(item, Question)]


def test_two_of_each_sub_topic_and_a_drop_for_every_other_row(lines: Lines) -> None:
    items = list(Camel(path=lines(*ROWS)).read())
    kept = [item for item in items if isinstance(item, Question)]
    drops = [item for item in items if isinstance(item, Drop)]
    assert Counter(one.meta["sub_topic"] for one in kept) == {f"sub {n}": 2 for n in range(7)}
    assert len(kept) + len(drops) == len(ROWS)
    assert {drop.reason for drop in drops} == {"not_sampled"}
    assert drops[0].evidence["seed"] == 42
    assert len({drop.id for drop in drops}) == len(drops)


def test_the_draw_does_not_depend_on_the_order_of_the_rows(lines: Lines) -> None:
    shuffled = random.Random(1).sample(ROWS, len(ROWS))
    one, other = questions(lines(*ROWS)), questions(lines(*shuffled, name="other.jsonl"))
    assert {q.id for q in one} == {q.id for q in other}
    numbers = [int(q.problem.split()[2]) for q in one]
    assert numbers == sorted(numbers)  # the set's own order


def test_another_seed_draws_others_and_null_takes_all(lines: Lines) -> None:
    path = lines(*ROWS)
    assert {q.id for q in questions(path)} != {q.id for q in questions(path, seed=7)}
    assert len(questions(path, per_sub_topic=None)) == len(ROWS)
    assert len(questions(path, per_sub_topic=5)) == 35


def test_the_sets_own_answer_is_kept_and_never_a_truth(lines: Lines) -> None:
    (one,) = questions(lines(ROWS[3]), subject="chemistry")
    assert one.truth == Unknown()
    assert one.gold is None
    assert one.domain == "science"
    assert one.meta == {"subject": "chemistry", "topic": "topic 0", "sub_topic": "sub 3", "camel_answer": "6"}


def test_each_subject_is_its_own_repository() -> None:
    subjects = ("physics", "chemistry", "biology")
    assert [Camel(subject=name).hubs()[0].path for name in subjects] == [f"camel-ai/{name}" for name in subjects]


def test_the_column_is_spelt_with_its_semicolon(lines: Lines) -> None:
    plain = {("topic" if name == "topic;" else name): value for name, value in ROWS[0].items()}
    with pytest.raises(InputError, match="there is no column 'topic;'"):
        questions(lines(plain))


def test_a_draw_holds_only_what_it_keeps() -> None:
    draw = Draw(2, 0)
    for number in range(5000):
        raw = RawRow(Place("rows", number), {"x": number})
        draw.offer(f"group {number % 3}", (number,), number, Part("r", None, "train", "train"), raw)
        assert sum(map(len, draw._groups.values())) <= 6
    assert len(draw.drawn()) == 6


def test_a_zip_of_json_files_is_opened_as_the_hub_has_it(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "physics.zip", "w") as packed:
        for number, row in enumerate(ROWS[:14]):
            packed.writestr(f"{number:03d}.json", json.dumps(row, indent=2))
    items = list(Camel(path=tmp_path, per_sub_topic=1).read())
    assert sum(isinstance(item, Question) for item in items) == 7
    assert len(items) == 14


@pytest.mark.parametrize(("subject", "kept"), [("physics", 5), ("chemistry", 3), ("biology", 3)])
def test_each_subject_has_bundled_rows_of_its_own(subject: str, kept: int) -> None:
    items = list(Camel.model_validate({"subject": subject}).rehearsal().read())
    assert [item.meta["subject"] for item in items if isinstance(item, Question)] == [subject] * kept
