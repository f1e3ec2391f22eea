"""Selectors: which attempts become rows, and why the others do not."""

import random
import time
from collections import Counter

import pyarrow as pa
import pytest
from pydantic import ValidationError

from curate.kinds import Opinion, Selector
from curate.plug import find, kinds
from curate.select.all import All
from curate.select.band import Band
from curate.select.columns import words
from curate.select.random import Random
from curate.select.verified import Verified

COLUMNS = ("seq", "question_id", "sample", "attempt_id", "domain", "source", "outcome", "reason", "finish_reason")
_WORDS = ("domain", "source", "outcome", "reason", "finish_reason")
ROWS = [
    ("math", "pass", "ok", "stop"),
    ("math", "fail", "wrong_answer", "stop"),
    ("math", "error", "infrastructure", "stop"),
    ("math", "fail", "truncated", "length"),
    ("science", "unsure", "no_verifier", "stop"),
    ("science", "fail", "judge_rejected", "stop"),
    ("science", "error", "infrastructure", "stop"),
    ("science", "error", "infrastructure", "failed"),
    ("science", "fail", "refused", "refused"),
]


def attempts(rows: list[tuple[str, str, str, str]]) -> pa.Table:
    records = [
        dict(zip(COLUMNS, (seq, f"q{seq}", 0, f"a{seq}", domain, "s", *rest), strict=True))
        for seq, (domain, *rest) in enumerate(rows)
    ]
    table = pa.Table.from_pylist(records)
    for name in _WORDS:  # as the run's own table holds them
        table = table.set_column(COLUMNS.index(name), name, table.column(name).dictionary_encode())
    return table


def kept(selector: Selector, rows: list[tuple[str, str, str, str]] = ROWS) -> list[int]:
    return [row for row, opinion in enumerate(selector.select(attempts(rows))) if opinion.kept]


def test_the_kinds_are_found() -> None:
    assert {"all", "random", "verified", "where"} <= set(kinds("curate.select"))
    assert find("curate.select", "random") is Random


def test_verified_keeps_what_passed_and_named_domains_as_they_are() -> None:
    assert kept(Verified()) == [0]
    assert kept(Verified(also=("science",))) == [0, 4, 5]
    opinions = Verified().select(attempts(ROWS))
    assert opinions[1] == Opinion(False, "not_verified", {"outcome": "fail", "reason": "wrong_answer"})
    assert opinions[3] == Opinion(False, "unfinished", {"finish_reason": "length"})
    assert all((opinion.reason is None) == opinion.kept for opinion in opinions)


def test_science_covers_its_parts() -> None:
    rows = [("physics", "unsure", "no_verifier", "stop"), ("geology", "unsure", "no_verifier", "stop")]
    assert kept(Verified(also=("science",)), rows) == [0]
    assert kept(Verified(also=("biology",)), rows) == []
    assert kept(Band(column="sample", max=-1, domains=("science",)), rows) == [1]  # the other domain stays as it is


def test_many_groups_take_no_longer_than_rows() -> None:
    table = attempts([(f"d{number}", "pass", "ok", "stop") for number in range(60_000)])
    began = time.process_time()
    codes, names = words(table, "domain")
    assert time.process_time() - began < 5  # with a search for each name it took minutes
    assert [names[code] for code in codes[:3]] == ["d0", "d1", "d2"] and len(names) == 60_000


def test_all_keeps_every_finished_attempt() -> None:
    assert kept(All()) == [0, 1, 2, 4, 5, 6]


def test_random_is_as_large_as_verified() -> None:
    assert len(kept(Random())) == 1
    assert len(kept(Random(also=("science",)))) == 3
    assert len(kept(Random(size=4))) == 4
    assert kept(Random(size=100)) == kept(All())
    assert kept(Random(size=0)) == []
    reasons = Counter(opinion.reason for opinion in Random(size=4).select(attempts(ROWS)))
    assert reasons == {None: 4, "unfinished": 3, "not_chosen": 2}


def test_random_depends_on_seed_and_attempt_alone() -> None:
    many = [("math", "pass" if number % 2 else "fail", "ok", "stop") for number in range(200)]
    table = attempts(many)
    order = list(range(200))
    random.Random(1).shuffle(order)
    shuffled = table.take(pa.array(order))
    chosen = chosen_ids(Random(seed=7), table)
    assert chosen == chosen_ids(Random(seed=7), shuffled)
    assert chosen != chosen_ids(Random(seed=8), table)
    assert len(chosen) == 100
    assert chosen_ids(Random(seed=7, size=50), table) < chosen
    passed = {f"a{number}" for number in range(200) if number % 2}
    assert 30 < len(chosen & passed) < 70  # half of what was chosen, whatever the verdict


def chosen_ids(selector: Selector, table: pa.Table) -> set[str]:
    opinions = selector.select(table)
    return {
        name for name, opinion in zip(table.column("attempt_id").to_pylist(), opinions, strict=True) if opinion.kept
    }


def test_no_attempts() -> None:
    for selector in (Verified(), All(), Random()):
        assert selector.select(attempts(ROWS).slice(0, 0)) == []


def test_bad_fields_are_refused() -> None:
    for fields in ({"size": -1}, {"like": "al"}, {"seed": "x"}, {"sizes": 1}):
        with pytest.raises(ValidationError):
            Random.model_validate(fields)
