"""How sure a score is. The question is the unit: samples of one question are no further evidence of how others go.

Standard errors are those of the mean of question means (clustered by question: Miller 2024, "Adding Error Bars to
Evals"), intervals come from a bootstrap over questions by a fixed seed, so that the same results give the same report.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 10_000
_CHUNK = 1 << 22  # drawn numbers in memory at a time
Z95, _Z80 = 1.959963984540054, 0.8416212335729143  # quantiles of the normal distribution at 97.5 % and 80 %
_EXACT = 16  # questions that differ, up to which every sign is tried
LEVEL = 0.05


class Estimate(NamedTuple):
    """A mean over questions with what is known of its error. Shares, not percent."""

    mean: float
    se: float  # of the mean, over questions; nan for a single question
    low: float  # bounds of the 95 % interval
    high: float
    questions: int
    samples: int
    between_run_sd: float | None  # of the accuracies of whole runs: the sampler's noise alone; None with one run


class Difference(NamedTuple):
    """Model B minus model A. `paired`: over the questions that both answered."""

    mean: float
    se: float
    low: float
    high: float
    p: float  # two-sided, that a difference this large arises where there is none
    smallest: float  # that this set would show at the 5 % level in four of five repetitions
    questions: int
    paired: bool

    @property
    def shown(self) -> bool:
        """Whether the data show a difference: at the 5 % level, and with an interval that leaves out 0."""
        return self.p < LEVEL and not self.low <= 0 <= self.high


Scores = Mapping[str, Sequence[float]]
"""The scores (0 to 1) of the samples of each question, in the order of runs."""


def estimate(scores: Scores, seed: int = 0) -> Estimate:
    """The mean of the questions' means, its error and its interval. Raises ValueError where there is no question."""
    means = _means(scores)
    if not len(means):
        raise ValueError("there is no question to estimate from")
    n = len(means)
    mean = float(means.mean())
    se = float(means.std(ddof=1) / math.sqrt(n)) if n > 1 else math.nan
    low, high = interval(means, seed)
    return Estimate(mean, se, low, high, n, sum(len(one) for one in scores.values()), _between_runs(scores))


def interval(means: NDArray[np.float64], seed: int = 0) -> tuple[float, float]:
    """The 95 % interval of a mean of shares: a bootstrap over questions, nowhere narrower than Wilson's interval.

    A bootstrap knows nothing of what it has not seen: questions that (nearly) all went the same way would give an
    interval of width (nearly) 0. Wilson's is taken at the effective number of questions, n p (1 - p) / variance, as for
    proportions of clustered samples (Korn and Graubard 1998; Franco et al. 2019), and at n where nothing varies.
    """
    mean, n, spread = float(means.mean()), len(means), float(means.var())
    if n == 1 or spread < 1e-12:
        return _wilson(mean, n)
    low, high = (float(one) for one in np.quantile(_resampled_means(means, seed), (0.025, 0.975)))
    least = _wilson(mean, n * max(mean * (1 - mean) / spread, 1.0))
    return min(low, least[0]), max(high, least[1])


def paired(a: Scores, b: Scores, seed: int = 0) -> Difference:
    """B minus A on the questions that both have. Raises ValueError where there is none.

    The standard error is that of the questions' differences, the interval a bootstrap over them, p that of a test which
    flips the signs of the differences (all of them for up to 16 questions that differ, else 10,000 times). Wilson's
    bound of 0 of n questions that went another way widens an interval of no width, and bounds what the set could show.
    """
    both = sorted(a.keys() & b.keys())
    if not both:
        raise ValueError("the two models share no question")
    gaps = _means({one: b[one] for one in both}) - _means({one: a[one] for one in both})
    n, mean = len(gaps), float(gaps.mean())
    se = float(gaps.std(ddof=1) / math.sqrt(n)) if n > 1 else math.nan
    unseen = _wilson(0.0, n)[1]
    if n > 1 and gaps.std() > 0:
        low, high = (float(one) for one in np.quantile(_resampled_means(gaps, seed), (0.025, 0.975)))
    elif n > 1:
        low, high = mean - unseen * (1 + mean), mean + unseen * (1 - mean)
    else:  # one question: nothing says how others would differ
        low, high = -1.0, 1.0
    smallest = smallest_difference(max(se, unseen / Z95)) if n > 1 else math.nan
    return Difference(mean, se, low, high, _flipped(gaps, seed), smallest, n, True)


def unpaired(a: Scores, b: Scores, seed: int = 0) -> Difference:
    """B minus A where the two answered different questions. Raises ValueError where one has none.

    The interval is put together from both models' (Newcombe 1998, method 10, by Zou and Donner 2008 for any two
    intervals), p is that of a test which shuffles the questions between the two 10,000 times.
    """
    one, two = estimate(a, seed), estimate(b, seed)
    gap = two.mean - one.mean
    low = gap - math.hypot(two.mean - two.low, one.high - one.mean)
    high = gap + math.hypot(two.high - two.mean, one.mean - one.low)
    known = [0.0 if math.isnan(each.se) else each.se for each in (one, two)]
    se = max(math.hypot(*known), (high - low) / 2 / Z95)
    p = _shuffled(_means(a), _means(b), seed)
    n = min(one.questions, two.questions)
    return Difference(gap, se, low, high, p, smallest_difference(se), n, False)


def smallest_difference(se: float) -> float:
    """The difference that a test at the 5 % level sees in 80 of 100 repetitions: 2.80 standard errors of it."""
    return (Z95 + _Z80) * se


def holm(p_values: Sequence[float]) -> list[float]:
    """The p values of several comparisons made at once, adjusted (Holm 1979), in their order."""
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, at in enumerate(sorted(range(len(p_values)), key=lambda at: p_values[at])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[at]))
        adjusted[at] = largest
    return adjusted


def _means(scores: Scores) -> NDArray[np.float64]:
    # By name of the question: the same results in another order give the same bootstrap.
    return np.array([math.fsum(scores[one]) / len(scores[one]) for one in sorted(scores) if len(scores[one])])


def _between_runs(scores: Scores) -> float | None:
    runs = min((len(one) for one in scores.values() if len(one)), default=0)
    if runs < 2:
        return None
    accuracies = [math.fsum(one[run] for one in scores.values() if len(one)) for run in range(runs)]
    return float(np.std(accuracies, ddof=1)) / sum(1 for one in scores.values() if len(one))


def _resampled_means(values: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    random = np.random.default_rng(seed)
    at_once = max(1, _CHUNK // len(values))
    parts = []
    for start in range(0, RESAMPLES, at_once):
        count = min(at_once, RESAMPLES - start)
        parts.append(values[random.integers(0, len(values), (count, len(values)))].mean(axis=1))
    return np.concatenate(parts)


def _flipped(gaps: NDArray[np.float64], seed: int) -> float:
    """The two-sided p of a sign-flip test. Questions that do not differ flip to themselves and are left out."""
    differing = gaps[np.abs(gaps) > 1e-12]
    k = len(differing)
    if not k:
        return 1.0
    seen = abs(float(differing.sum())) - 1e-9  # sums of the same numbers in another order must count as equal
    if k <= _EXACT:
        signs = 1 - 2 * ((np.arange(1 << k)[:, None] >> np.arange(k)) & 1)
        return float((np.abs(signs @ differing) >= seen).mean())
    random = np.random.default_rng(seed)
    at_once, found = max(1, _CHUNK // k), 0
    for start in range(0, RESAMPLES, at_once):
        count = min(at_once, RESAMPLES - start)
        signs = random.integers(0, 2, (count, k)) * 2 - 1
        found += int((np.abs(signs @ differing) >= seen).sum())
    return (found + 1) / (RESAMPLES + 1)  # the data themselves are one of the sign patterns


def _shuffled(a: NDArray[np.float64], b: NDArray[np.float64], seed: int) -> float:
    """The two-sided p of a test that deals all questions to the two anew."""
    both = np.concatenate([a, b])
    total, seen = float(both.sum()), abs(float(b.mean() - a.mean())) - 1e-9
    random = np.random.default_rng(seed)
    found = 0
    for _ in range(RESAMPLES):
        part = float(random.permutation(both)[: len(b)].sum())
        found += abs(part / len(b) - (total - part) / len(a)) >= seen
    return (found + 1) / (RESAMPLES + 1)


def _wilson(share: float, n: float) -> tuple[float, float]:
    z2 = Z95**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    # Floating point must not leave out the share itself where it is 0 or 1.
    return min(max(0.0, middle - half), share), max(min(1.0, middle + half), share)
