"""Each kind of selector: what it keeps and why, whatever the order of rows, and the same for a seed."""

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from curate.kinds import Opinion, Selector
from curate.plug import find, kinds
from curate.select.all import All
from curate.select.balance import Balance
from curate.select.band import Band
from curate.select.best_of import BestOf
from curate.select.majority import Majority
from curate.select.mix import Mix
from curate.select.per_question import PerQuestion
from curate.select.random import Random
from curate.select.token_budget import TokenBudget
from curate.select.where import Where
from tests.curate.select.table import chosen, many, shuffled, table

SELECTORS: list[Selector] = [
    All(),
    Random(size=40),
    Random(like=(Where(expression="pass_rate > 0.3"), BestOf())),
    Random(like=(BestOf(),), same="tokens"),
    Where(expression="0 < pass_rate < 1 and chars < 4000"),
    BestOf(n=2),
    BestOf(by="longest"),
    BestOf(by="first_verified"),
    BestOf(by="score", prefer="highest"),
    BestOf(by="random", seed=3),
    PerQuestion(most=2, least=2),
    Band(column="pass_rate", min=0.25, max=0.75),
    Band(column="pass_rate", highest=0.5),
    Band(column="score", lowest=0.4, per="domain"),
    Mix(by="domain", weights={"math": 2, "code": 1}, size=60),
    Mix(by="source", caps={"s1": 5}, cap=20),
    Mix(by="meta.cluster", weights={"c1": 3}, prefer="lowest", column="tokens"),
    Balance(size=50),
    Balance(size=50, by="meta.cluster", within="random"),
    TokenBudget(tokens=20_000),
    TokenBudget(tokens=20_000, by="score"),
    Majority(min_samples=2),
]


def test_every_kind_is_here() -> None:
    elsewhere = {find("curate.select", name) for name in ("verified", "decontaminate")}  # have tests of their own
    assert {type(one) for one in SELECTORS} | elsewhere == {
        find("curate.select", name) for name in kinds("curate.select")
    }


@pytest.mark.parametrize("selector", SELECTORS, ids=lambda one: f"{one.kind()}-{SELECTORS.index(one)}")
def test_the_order_of_rows_does_not_matter(selector: Selector) -> None:
    attempts = many()
    kept = chosen(selector, attempts)
    assert 0 < len(kept) < attempts.num_rows
    for seed in (1, 2):
        mixed = shuffled(attempts, seed)
        assert chosen(selector, mixed) == kept
        told = dict(zip(mixed.column("attempt_id").to_pylist(), selector.select(mixed), strict=True))
        again = dict(zip(attempts.column("attempt_id").to_pylist(), selector.select(attempts), strict=True))
        assert told == again  # the reasons and the evidence too
    finished = attempts.column("finish_reason").to_pylist()
    ids = attempts.column("attempt_id").to_pylist()
    assert all(finished[ids.index(name)] == "stop" for name in kept)
    assert chosen(selector, attempts.slice(0, 0)) == []
    reads = selector.reads()
    assert reads <= set(attempts.column_names)
    assert chosen(selector, attempts.drop_columns([*{"score", "tokens", "meta.cluster"} - reads])) == kept


def test_a_seed_is_another_choice() -> None:
    attempts = many()
    for one in (Random(size=40), BestOf(by="random"), PerQuestion(most=1), Mix(size=30), Balance(size=30)):
        assert chosen(one, attempts) != chosen(one.model_copy(update={"seed": 9}), attempts)


def test_where_says_what_it_read() -> None:
    rows = [{"pass_rate": 0.5, "tokens": 10}, {"pass_rate": 1.0, "tokens": 10}, {"pass_rate": None, "tokens": 10}]
    opinions = Where(expression="0 < pass_rate < 1 and tokens < 16000").select(table(rows))
    assert list(opinions) == [
        Opinion(True, None, {"pass_rate": 0.5, "tokens": 10}),
        Opinion(False, "not_true", {"pass_rate": 1, "tokens": 10}),
        Opinion(False, "missing_value", {"tokens": 10}),
    ]


def test_best_of() -> None:
    rows: list[dict[str, Any]] = [
        {"seq": 0, "sample": 0, "chars": 30, "outcome": "fail"},
        {"seq": 0, "sample": 1, "chars": 20},
        {"seq": 0, "sample": 2, "chars": 40},
        {"seq": 0, "sample": 3, "chars": 5, "finish_reason": "length"},
        {"seq": 1, "sample": 0, "chars": 7, "outcome": "fail"},
    ]
    attempts = table(rows)
    assert chosen(BestOf(), attempts) == ["a1", "a4"]
    assert chosen(BestOf(by="longest"), attempts) == ["a2", "a4"]
    assert chosen(BestOf(by="first"), attempts) == ["a0", "a4"]
    assert chosen(BestOf(by="first_verified"), attempts) == ["a1"]
    assert chosen(BestOf(n=2), attempts) == ["a0", "a1", "a4"]
    assert BestOf().select(attempts)[2] == Opinion(False, "not_best", {"chars": 40, "rank": 3})
    assert BestOf(by="first_verified").select(attempts)[4].reason == "not_verified"


def test_per_question_drops_what_has_too_few() -> None:
    attempts = table([{"seq": 0, "sample": n} for n in range(5)] + [{"seq": 1}])
    reasons = Counter(one.reason for one in PerQuestion(most=3, least=2).select(attempts))
    assert reasons == {None: 3, "over_the_cap": 2, "too_few": 1}


def test_a_share_of_a_questions_score_keeps_or_drops_whole_questions() -> None:
    rows = [{"seq": seq, "sample": n, "difficulty": float(seq)} for seq in range(10) for n in range(1 + seq % 3)]
    attempts = table(rows)
    kept = set(chosen(Band(column="difficulty", highest=0.3), attempts))
    assert kept == {f"a{row}" for row, one in enumerate(rows) if one["seq"] >= 7}
    told = Band(column="difficulty", highest=0.3).select(attempts)[0]
    assert told == Opinion(False, "outside_share", {"difficulty": 0, "rank": 10, "of": 10})
    only = Band(column="difficulty", min=5, domains=("code",))
    assert len(chosen(only, attempts)) == attempts.num_rows  # another domain is none of its business
    tied = table([{"seq": seq, "sample": n, "difficulty": 1.0} for seq in range(8) for n in range(2)])
    half = chosen(Band(column="difficulty", lowest=0.5), tied)
    assert len(half) == 8 and len({int(name[1:]) // 2 for name in half}) == 4


@pytest.mark.parametrize(
    ("mix", "expected"),
    [
        (Mix(weights={"a": 1, "b": 1}, others=0, size=20), {"a": 10, "b": 10, "c": 0}),
        (Mix(weights={"a": 1, "b": 1}, others=0, size=200), {"a": 100, "b": 50, "c": 0}),  # no more than there is
        (Mix(weights={"a": 3, "b": 1}, others=0), {"a": 100, "b": 33, "c": 0}),
        (Mix(weights={"b": 1}, others=1, size=100), {"a": 45, "b": 45, "c": 10}),
        (Mix(size=16), {"a": 10, "b": 5, "c": 1}),
        (Mix(caps={"a": 7}), {"a": 7, "b": 50, "c": 10}),
        (Mix(cap=20), {"a": 20, "b": 20, "c": 10}),
        (Mix(caps={"a": 5}, size=60), {"a": 5, "b": 46, "c": 9}),
        (Mix(size=0), {"a": 0, "b": 0, "c": 0}),
    ],
)
def test_mix(mix: Mix, expected: dict[str, int]) -> None:
    have = {"a": 100, "b": 50, "c": 10}
    attempts = table([{"source": name} for name, count in have.items() for _ in range(count)])
    opinions = mix.select(attempts)
    words = attempts.column("source").to_pylist()
    kept = Counter(word for word, one in zip(words, opinions, strict=True) if one.kept)
    assert {name: kept[name] for name in have} == expected
    assert opinions[0].evidence["quota"] == expected["a"]


def test_mix_tells_of_groups_that_are_not_there() -> None:
    assert Mix(weights={"nowhere": 1}).select(table([{}])).notes == ("mix: no row has the source nowhere",)


def test_mix_never_exceeds_and_always_fills() -> None:
    source = np.random.default_rng(0)
    for _ in range(200):
        have = {f"g{n}": int(source.integers(0, 40)) for n in range(int(source.integers(1, 6)))}
        weights = {name: float(source.integers(0, 5)) for name in have if source.random() < 0.8}
        caps = {name: int(source.integers(0, 30)) for name in have if source.random() < 0.5}
        size = int(source.integers(0, 100))
        made = Mix(weights=weights, others=0.5, caps=caps, size=size)
        quotas = dict(zip(have, made.quotas(have), strict=True))
        limit = {name: min(rows, caps.get(name, rows)) for name, rows in have.items()}
        assert all(0 <= quotas[name] <= limit[name] for name in have)
        able = sum(limit[name] for name in have if not weights or weights.get(name, 0.5) > 0)
        assert sum(quotas.values()) == min(size, able)


def test_balance_draws_groups_alike_and_long_rows_first() -> None:
    rows = [{"domain": "math", "chars": n} for n in range(900)] + [{"domain": "code", "chars": n} for n in range(100)]
    attempts = table(rows)
    opinions = Balance(size=100).select(attempts)
    kept = [(row["domain"], row["chars"]) for row, one in zip(rows, opinions, strict=True) if one.kept]
    assert Counter(domain for domain, _ in kept)["math"] == pytest.approx(50, abs=18)
    assert np.mean([chars for domain, chars in kept if domain == "math"]) > 860  # of 0 to 899
    assert sorted(one.evidence["draw"] for one in opinions if one.kept) == list(range(1, 101))
    everything = Balance(size=5000).select(attempts)
    assert all(one.kept for one in everything)
    short = Balance(size=100, within="shortest").select(attempts)
    assert max(row["chars"] for row, one in zip(rows, short, strict=True) if one.kept) < 100


def test_a_token_budget_takes_whole_rows_and_grows() -> None:
    attempts = many()
    tokens = dict(zip(attempts.column("attempt_id").to_pylist(), attempts.column("tokens").to_pylist(), strict=True))
    before: set[str] = set()
    for budget in (500, 5_000, 50_000):
        kept = set(chosen(TokenBudget(tokens=budget), attempts))
        assert before <= kept
        assert budget - 1000 < sum(tokens[name] for name in kept) <= budget
        before = kept
    opinions = TokenBudget(tokens=100, by="tokens").select(
        table([{"tokens": 300.0}, {"tokens": 60.0}, {"tokens": 50.0}])
    )
    assert [one.reason for one in opinions] == ["larger_than_budget", None, "over_budget"]


def test_random_takes_the_size_of_any_selection() -> None:
    attempts = many()
    like = (Where(expression="pass_rate > 0.3"), BestOf(n=2))
    left = attempts
    for one in like:
        left = left.filter(pa.array([opinion.kept for opinion in one.select(left)]))
    assert len(chosen(Random(like=like), attempts)) == left.num_rows
    read = Random.model_validate({"like": ["all", {"kind": "best_of", "by": "score"}]})
    assert read.reads() == {"score"}
    assert Random.model_validate(read.model_dump(mode="json")) == read
    tokens = dict(zip(attempts.column("attempt_id").to_pylist(), attempts.column("tokens").to_pylist(), strict=True))
    spent = sum(tokens[name] for name in chosen(Random(like=like, same="tokens"), attempts))
    budget = sum(left.column("tokens").to_pylist())
    assert budget - 1000 < spent <= budget


def test_a_majority_is_a_pseudo_reference_and_never_a_pass() -> None:
    def votes(seq: int, said: list[float | None], **fields: Any) -> list[dict[str, Any]]:
        return [
            {"seq": seq, "sample": n, "truth": "unknown", "outcome": "unsure", "vote": one,
             "answer": None if one is None else f"v{one:g}", **fields}
            for n, one in enumerate(said)
        ]  # fmt: skip

    rows = [
        *votes(0, [0, 0, 1, None]),  # half of four agree
        *votes(1, [0, 1, None, None]),  # as many for one as for the other
        *votes(2, [0, 0]),  # too few
        *votes(3, [0, 0, None, None], finish_reason="stop"),
        {"seq": 4, "truth": "answer", "outcome": "pass", "vote": None, "answer": None},
        {"seq": 5, "truth": "answer", "outcome": "fail", "vote": None, "answer": None},
    ]
    attempts = table(rows)
    opinions = Majority().select(attempts)
    assert [one.reason for one in opinions] == [
        None, None, "minority", "no_answer", "no_majority", "no_majority", "no_answer", "no_answer",
        "too_few_samples", "too_few_samples", None, None, "no_answer", "no_answer", None, "not_verified",
    ]  # fmt: skip
    assert opinions[0].evidence == {"samples": 4, "agree": 2, "pseudo_reference": "v0"}
    assert opinions[2].evidence == {"samples": 4, "agree": 2, "majority": "v0"}
    assert [one.reason for one in Majority(min_share=0.6).select(attempts)][:2] == ["no_majority"] * 2
    assert [one.kept for one in Majority(known="none").select(attempts)][-2:] == [False, False]
    assert [one.kept for one in Majority(known="all").select(attempts)][-2:] == [True, True]
    failed = table([*rows[:2], {**rows[2], "finish_reason": "failed", "vote": None}, rows[3]])
    assert Majority(min_share=0.6).select(failed)[0].evidence["samples"] == 3  # trouble of ours is no vote


def test_bad_options_are_refused() -> None:
    for kind, options in [
        (Where, {"expression": "1 +"}),
        (Band, {"column": "x"}),
        (Band, {"column": "x", "highest": 0.5, "lowest": 0.5}),
        (Band, {"column": "x", "min": 2, "max": 1}),
        (Mix, {}),
        (Mix, {"size": 3, "prefer": "highest"}),
        (Mix, {"weights": {"a": -1}}),
        (PerQuestion, {"most": 1, "least": 2}),
        (TokenBudget, {"tokens": 0}),
        (Majority, {"known": "some"}),
        (Random, {"like": [{"kind": "nothing"}]}),
        (BestOf, {"n": 0}),
    ]:
        with pytest.raises(ValidationError):
            kind.model_validate(options)
