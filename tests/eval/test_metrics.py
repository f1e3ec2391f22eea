"""Metrics against counting by hand: every subset of k samples is gone through, and published tables of cases."""

import json
import math
from itertools import combinations
from pathlib import Path
from random import Random

import pytest

from eval.metrics import (
    best_of_k,
    g_pass_at_k,
    majority_at_k,
    mg_pass_at_k,
    pass_at_k,
    weighted_majority_at_k,
    within_budget,
)

CASES = [(n, k) for n in range(1, 8) for k in range(1, n + 1)]


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


@pytest.mark.parametrize(("n", "k"), CASES)
def test_pass_at_k_is_the_mean_over_all_subsets(n: int, k: int) -> None:
    for correct in range(n + 1):
        right = [1.0] * correct + [0.0] * (n - correct)
        counted = mean([max(chosen) for chosen in combinations(right, k)])
        assert pass_at_k(n, correct, k) == pytest.approx(counted, abs=1e-12)


def test_pass_at_1_is_the_accuracy_and_large_numbers_are_exact() -> None:
    assert pass_at_k(64, 28, 1) == pytest.approx(28 / 64)
    assert pass_at_k(1000, 1, 1000) == 1.0
    assert 0 < pass_at_k(100_000, 1, 10) < 2e-4


@pytest.mark.parametrize("wrong", [(3, 4, 1), (3, -1, 1), (3, 1, 0), (3, 1, 4)])
def test_impossible_numbers_are_refused(wrong: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="cannot be"):
        pass_at_k(*wrong)


@pytest.mark.parametrize("seed", range(40))
def test_majority_is_the_mean_over_all_subsets(seed: int) -> None:
    random = Random(seed)
    n = random.randint(1, 8)
    answers = [random.choice([0, 1, 2, 3, None]) for _ in range(n)]
    truth = {answer: float(random.random() < 0.4) for answer in (0, 1, 2, 3)}
    right = [truth.get(answer, 0.0) if answer is not None else 0.0 for answer in answers]
    for k in range(1, n + 1):
        counted = []
        for chosen in combinations(answers, k):
            votes = [answer for answer in chosen if answer is not None]
            top = max((votes.count(answer) for answer in votes), default=0)
            winners = {answer for answer in votes if votes.count(answer) == top}
            counted.append(mean([truth[answer] for answer in winners]) if winners else 0.0)
        assert majority_at_k(answers, right, k) == pytest.approx(mean(counted), abs=1e-12)


def test_majority_by_hand() -> None:
    assert majority_at_k(["a", "a", "b"], [1, 1, 0], 3) == 1.0
    assert majority_at_k(["a", "b", "b"], [1, 0, 0], 3) == 0.0
    assert majority_at_k(["a", "b"], [1, 0], 2) == 0.5  # a tie is broken evenly
    assert majority_at_k(["a", None, None], [1, 0, 0], 3) == 1.0  # who has no answer has no vote
    assert majority_at_k([None, None], [0, 0], 1) == 0.0
    assert majority_at_k(["a"] * 40 + ["b"] * 24, [1.0] * 40 + [0.0] * 24, 64) == 1.0


@pytest.mark.parametrize("seed", range(30))
def test_best_of_k_is_the_mean_over_all_subsets(seed: int) -> None:
    random = Random(seed)
    n = random.randint(1, 7)
    scores = [random.choice([None, -1.5, 0.0, 0.5, 0.5, 2.0]) for _ in range(n)]
    right = [float(random.random() < 0.5) for _ in range(n)]
    value = [-math.inf if score is None else score for score in scores]
    for k in range(1, n + 1):
        counted = []
        for chosen in combinations(range(n), k):
            top = max(value[at] for at in chosen)
            # Ties are broken by a fixed preference of the whole set, each equally likely: even among those drawn.
            counted.append(mean([right[at] for at in chosen if value[at] == top]))
        assert best_of_k(scores, right, k) == pytest.approx(mean(counted), abs=1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_the_weighted_vote_with_equal_weights_is_the_majority(seed: int) -> None:
    random = Random(seed)
    n = random.randint(1, 7)
    answers = [random.choice([0, 1, 2, None]) for _ in range(n)]
    right = [float(answer == 1) for answer in answers]
    for k in range(1, n + 1):
        assert weighted_majority_at_k(answers, [0.3] * n, right, k) == pytest.approx(majority_at_k(answers, right, k))


def test_the_weighted_vote_by_hand() -> None:
    answers, right = ["a", "b", "b"], [1.0, 0.0, 0.0]
    assert weighted_majority_at_k(answers, [0.9, 0.2, 0.3], right, 3) == 1.0
    assert weighted_majority_at_k(answers, [0.4, 0.2, 0.3], right, 3) == 0.0
    assert weighted_majority_at_k(answers, [0.5, 0.2, 0.3], right, 3) == 0.5
    assert weighted_majority_at_k(answers, [0.9, None, None], right, 3) == 1.0
    with pytest.raises(ValueError, match="negative"):
        weighted_majority_at_k(answers, [-1, 1, 1], right, 3)


def test_the_drawn_weighted_vote_is_near_the_counted_one() -> None:
    random = Random(5)
    answers = [random.choice("aab") for _ in range(24)]
    right = [float(answer == "a") for answer in answers]
    counted = majority_at_k(answers, right, 5)  # 42,504 subsets
    assert weighted_majority_at_k(answers, [1.0] * 24, right, 5) == pytest.approx(counted, abs=0.03)


def test_within_a_budget_long_answers_are_wrong() -> None:
    tokens, right = [100, 200, None, 400], [1.0, 1.0, 1.0, 1.0]
    assert [within_budget(tokens, right, budget) for budget in (99, 100, 200, 400)] == [0, 0.25, 0.5, 0.75]


@pytest.mark.real
@pytest.mark.parametrize("suite", ["g_pass_at_k", "gpqa_instruct_pass_at_k"])
def test_lightevals_cases(data_dir: Path, suite: str) -> None:
    for case in json.loads((data_dir / "lighteval_cases" / f"{suite}.json").read_text())["test_cases"]:
        gold = case["doc"]["choices"][case["doc"]["gold_index"]]
        k, n = case["metric_params"]["k"], case["metric_params"]["n"]
        said = case["model_response"]["text"]
        right = sum(_letter(one) == gold if suite.startswith("gpqa") else one == gold for one in said[:n])
        for name, expected in case["expected_output"].items():
            if name.startswith("gpqa"):
                got = pass_at_k(n, right, k)
            elif name.startswith("mg-"):
                got = mg_pass_at_k(n, right, k)
            else:
                got = g_pass_at_k(n, right, k, float(name.rpartition("_")[2]))
            assert got == pytest.approx(expected, abs=case["tolerance"]), (case["name"], name)


def _letter(text: str) -> str:
    """The letter of a choice as these cases write it, last of all: case matters to them."""
    return text.strip("() ")[-1:]
