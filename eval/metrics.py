"""What n samples of one question say: pass@k, majority@k, best-of-n, accuracy under a token budget.

Every function takes the samples of one question and returns what k of them, drawn without replacement, would score on
average: exactly wherever that can be counted. Pure.
"""

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from itertools import combinations
from random import Random

# Subsets of samples that are gone through for the weighted vote; above it, that many are drawn by a fixed seed.
_SUBSETS = 2000


def pass_at_k(n: int, correct: int, k: int) -> float:
    """The chance that at least one of k samples is right, of n samples of which `correct` are.

    Unbiased: 1 - C(n - c, k) / C(n, k) (Chen et al. 2021, "Evaluating Large Language Models Trained on Code"). Raises
    ValueError unless 0 <= correct <= n and 1 <= k <= n.
    """
    _check(n, correct, k)
    return 1.0 - math.comb(n - correct, k) / math.comb(n, k)


def g_pass_at_k(n: int, correct: int, k: int, share: float) -> float:
    """The chance that at least the share `share` (0 to 1) of k samples is right, and at least one of them.

    G-Pass@k of Liu et al. 2024, "Are Your LLMs Capable of Stable Reasoning?". Raises ValueError as `pass_at_k`, and for
    a share outside 0 to 1.
    """
    _check(n, correct, k)
    if not 0 <= share <= 1:
        raise ValueError(f"a share lies between 0 and 1, not at {share}")
    least = max(math.ceil(round(k * share, 9)), 1)  # 0.2 * 5 must not need two of five
    ways = sum(math.comb(correct, right) * math.comb(n - correct, k - right) for right in range(least, k + 1))
    return ways / math.comb(n, k)


def mg_pass_at_k(n: int, correct: int, k: int) -> float:
    """The mean of G-Pass@k over shares from one half to 1: 2/k times the sum over i/k for i > k/2 (the same paper)."""
    _check(n, correct, k)
    return 2 / k * sum(g_pass_at_k(n, correct, k, right / k) for right in range(math.ceil(k / 2) + 1, k + 1))


def majority_at_k(answers: Sequence[Hashable | None], correct: Sequence[float], k: int) -> float:
    """The mean score of the most frequent answer among k samples; a tie is broken by chance, evenly.

    `answers` are classes of equal answers; None has no answer and no vote. The score of a class is the mean of its
    samples' (0 or 1 where the verifier is consistent). Self-consistency of Wang et al. 2022, averaged over all subsets
    of k samples without going through them. Raises ValueError unless 1 <= k <= n.
    """
    _check(len(answers), 0, k)
    votes = Counter(answer for answer in answers if answer is not None)
    silent = sum(answer is None for answer in answers)
    total = 0.0
    for answer, count in votes.items():
        score = sum(right for other, right in zip(answers, correct, strict=True) if other == answer) / count
        if score:
            others = [one for other, one in votes.items() if other != answer]
            total += score * sum(
                math.comb(count, top) * _wins(others, silent, k - top, top) for top in range(1, min(count, k) + 1)
            )
    return total / math.comb(len(answers), k)


def _wins(others: Sequence[int], silent: int, left: int, top: int) -> float:
    """Ways to draw `left` samples of other answers and silent ones, none over `top`, weighted by 1 / (ties + 1)."""
    if left < 0:
        return 0.0
    ways: Counter[tuple[int, int]] = Counter({(0, 0): 1})  # (drawn, answers that reach `top` too)
    for count in others:
        grown: Counter[tuple[int, int]] = Counter()
        for (drawn, ties), ways_so_far in ways.items():
            for more in range(min(count, top, left - drawn) + 1):
                grown[drawn + more, ties + (more == top)] += ways_so_far * math.comb(count, more)
        ways = grown
    return sum(found * math.comb(silent, left - drawn) / (ties + 1) for (drawn, ties), found in ways.items())


def best_of_k(scores: Sequence[float | None], correct: Sequence[float], k: int) -> float:
    """The mean score of the sample that a reward model likes best among k; equal rewards are chosen from evenly.

    A sample without a reward (None) is chosen only where none has one. Exact over all subsets. Raises ValueError unless
    1 <= k <= n.
    """
    _check(len(scores), 0, k)
    liked: dict[float, list[float]] = {}
    for score, right in zip(scores, correct, strict=True):
        liked.setdefault(-math.inf if score is None else score, []).append(right)
    total, below = 0.0, len(scores)
    for score in sorted(liked, reverse=True):
        group = liked[score]
        with_it, below = below, below - len(group)
        total += (math.comb(with_it, k) - math.comb(below, k)) * sum(group) / len(group)
    return total / math.comb(len(scores), k)


def weighted_majority_at_k(
    answers: Sequence[Hashable | None], scores: Sequence[float | None], correct: Sequence[float], k: int
) -> float:
    """As `majority_at_k`, where each vote weighs what a reward model gives its sample (at least 0; None: 0).

    Exact up to 2,000 subsets; above, the mean over 2,000 that a fixed seed draws. Raises ValueError unless 1 <= k <= n,
    and for a negative reward, which is no weight: map rewards to positive numbers first.
    """
    n = len(answers)
    _check(n, 0, k)
    weights = [score or 0.0 for score in scores]
    if any(weight < 0 for weight in weights):
        raise ValueError("a negative reward is no weight of a vote")
    if math.comb(n, k) <= _SUBSETS:
        subsets = [list(chosen) for chosen in combinations(range(n), k)]
    else:
        random = Random(0)
        subsets = [random.sample(range(n), k) for _ in range(_SUBSETS)]
    return sum(_vote(answers, weights, correct, chosen) for chosen in subsets) / len(subsets)


def _vote(
    answers: Sequence[Hashable | None], weights: Sequence[float], correct: Sequence[float], chosen: Sequence[int]
) -> float:
    votes: dict[Hashable, list[int]] = {}
    for at in chosen:
        if answers[at] is not None:
            votes.setdefault(answers[at], []).append(at)
    if not votes:
        return 0.0
    weight = {answer: math.fsum(weights[at] for at in sorted(members)) for answer, members in votes.items()}
    top = max(weight.values())
    winners = [members for answer, members in votes.items() if math.isclose(weight[answer], top, abs_tol=1e-12)]
    return sum(sum(correct[at] for at in members) / len(members) for members in winners) / len(winners)


def within_budget(tokens: Sequence[int | None], correct: Sequence[float], budget: int) -> float:
    """The mean score where an answer of more than `budget` output tokens (or of an unknown number) counts as wrong."""
    if not tokens:
        raise ValueError("there is no sample")
    kept = (right for used, right in zip(tokens, correct, strict=True) if used is not None and used <= budget)
    return sum(kept) / len(tokens)


def _check(n: int, correct: int, k: int) -> None:
    if not 0 <= correct <= n:
        raise ValueError(f"{correct} of {n} samples cannot be right")
    if not 1 <= k <= n:
        raise ValueError(f"k = {k} samples cannot be drawn from {n}")
