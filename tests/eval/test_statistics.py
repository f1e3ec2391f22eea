"""Errors and tests of difference: by hand, against simulations with a known truth, and in another order."""

import math

import numpy as np
import pytest

from eval import statistics
from eval.statistics import estimate, holm, interval, paired, smallest_difference, unpaired


def answers(shares: list[float], runs: int = 1, seed: int = 0) -> dict[str, list[float]]:
    random = np.random.default_rng(seed)
    return {f"q{at}": [float(one) for one in random.random(runs) < share] for at, share in enumerate(shares)}


def test_the_error_is_that_of_question_means() -> None:
    one = estimate({"a": [1, 1, 1], "b": [0, 0, 0], "c": [1, 0, 1], "d": [0, 1, 0]})
    means = [1, 0, 2 / 3, 1 / 3]
    assert one.mean == pytest.approx(0.5)
    assert one.se == pytest.approx(np.std(means, ddof=1) / 2)
    assert (one.questions, one.samples) == (4, 12)
    runs = [2 / 4, 2 / 4, 2 / 4]
    assert one.between_run_sd == pytest.approx(np.std(runs, ddof=1))


def test_more_runs_of_the_same_questions_do_not_hide_that_questions_are_few() -> None:
    shares = [0.9] * 15 + [0.1] * 15
    few, many = estimate(answers(shares, 1)), estimate(answers(shares, 64))
    assert many.se > 0.9 * math.sqrt(0.16 * 30 / 29 / 30)  # the spread of questions stays
    assert many.between_run_sd is not None
    assert many.between_run_sd < many.se
    assert few.between_run_sd is None


def test_the_order_of_questions_is_nothing() -> None:
    scores = answers([0.2, 0.5, 0.7, 0.9] * 5, 3)
    assert estimate(scores) == estimate(dict(reversed(scores.items())))


@pytest.mark.parametrize(("right", "n"), [(0, 30), (30, 30), (1, 1)])
def test_questions_that_all_went_the_same_way_have_an_interval_too(right: int, n: int) -> None:
    low, high = interval(np.array([1.0] * right + [0.0] * (n - right)))
    assert high - low > 0.1
    assert low <= right / n <= high


def test_intervals_hold_the_truth_as_often_as_they_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "RESAMPLES", 500)
    random = np.random.default_rng(3)
    for a, b, n, runs in ((0.5, 0.5, 30, 5), (0.1, 4, 30, 1), (9, 0.5, 30, 5), (0.2, 8, 300, 1)):
        held = 0
        for _ in range(200):
            means = random.binomial(runs, random.beta(a, b, n)) / runs
            low, high = interval(means)
            held += low <= a / (a + b) <= high
        assert held >= 0.9 * 200, (a, b, n, runs)


def test_a_pair_is_compared_on_its_shared_questions() -> None:
    a = {"a": [1.0], "b": [0.0], "c": [0.0], "only a": [1.0]}
    b = {"a": [1.0], "b": [1.0], "c": [1.0], "only b": [0.0]}
    found = paired(a, b)
    assert (found.questions, found.mean) == (3, pytest.approx(2 / 3))
    assert found.p == pytest.approx(2 / 4)  # of four sign patterns of two gaps, two are as large
    assert not found.shown


def test_the_sign_test_tries_every_sign_of_few_questions() -> None:
    ten = {f"q{at}": [0.0] for at in range(10)}
    assert paired(ten, {name: [1.0] for name in ten}).p == pytest.approx(2 / 2**10)
    assert paired(ten, ten).p == 1.0


def test_a_difference_that_is_none_is_shown_about_as_often_as_the_level_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "RESAMPLES", 400)
    random = np.random.default_rng(11)
    shown = 0
    for turn in range(300):
        shares = list(random.beta(1, 1, 60))
        shown += paired(answers(shares, 2, seed=2 * turn), answers(shares, 2, seed=2 * turn + 1)).shown
    assert shown <= 0.09 * 300


def test_pairing_sees_what_the_unpaired_test_does_not() -> None:
    a = {f"q{at}": [float(at % 2)] for at in range(200)}
    b = {name: [1.0] if at < 16 else one for at, (name, one) in enumerate(a.items())}  # eight more are right
    assert paired(a, b).p < 0.02
    assert unpaired(a, b).p > 0.3


def test_few_questions_that_all_went_one_way_leave_room_for_others() -> None:
    same = {f"q{at}": [1.0] for at in range(30)}
    found = paired(same, same)
    assert found.low == pytest.approx(-found.high)
    assert 0.1 < found.high < 0.13  # at most so many of 30 may go another way
    assert 0.1 < found.smallest < 0.25
    ten = {name: same[name] for name in list(same)[:10]}
    better = paired({name: [0.0] for name in ten}, ten)
    assert (better.high, better.shown) == (1.0, True)
    assert 0.3 < better.low < 0.6


def test_bands_of_a_few_questions_are_not_told_apart() -> None:
    a, b = {"a": [0.0], "b": [0.0]}, {"c": [1.0], "d": [1.0]}
    found = unpaired(a, b)
    assert not found.shown
    assert found.p > 0.2  # of six ways to deal them, two are as far apart
    assert found.low < 0.35
    far = unpaired({f"a{at}": [0.0] for at in range(10)}, {f"b{at}": [1.0] for at in range(10)})
    assert far.shown
    assert 0.5 < far.low < 0.8


def test_the_unpaired_interval_holds_the_difference_as_often_as_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "RESAMPLES", 300)
    random = np.random.default_rng(5)
    held = shown = 0
    for turn in range(200):
        a, b = (answers(list(random.beta(6, 2, 15)), 2, seed=2 * turn + one) for one in (0, 1))
        found = unpaired(a, b)
        held += found.low <= 0 <= found.high
        shown += found.shown
    assert held >= 0.92 * 200
    assert shown <= 0.08 * 200


def test_one_question_shows_nothing() -> None:
    found = paired({"a": [0.0]}, {"a": [1.0]})
    assert not found.shown
    assert math.isnan(found.smallest)


def test_no_question_is_an_error() -> None:
    with pytest.raises(ValueError, match="no question"):
        estimate({})
    with pytest.raises(ValueError, match="share no question"):
        paired({"a": [1.0]}, {"b": [1.0]})


def test_the_smallest_difference_is_seen_four_times_in_five() -> None:
    se = 0.02
    assert smallest_difference(se) == pytest.approx(2.8016 * se, rel=1e-3)
    random = np.random.default_rng(0)
    seen = np.abs(random.normal(smallest_difference(se), se, 100_000)) > 1.959964 * se
    assert seen.mean() == pytest.approx(0.8, abs=0.01)


def test_several_comparisons_are_adjusted() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.6]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []
