"""Two models on the same questions: the difference, how sure it is, and the smallest one that the set could show."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from curate.errors import InputError
from eval.graded import GRADINGS, graded, without_nan
from eval.results import Samples
from eval.scores import read_samples
from eval.statistics import LEVEL, Difference, Estimate, estimate, holm, paired, unpaired


class Compared(NamedTuple):
    """One benchmark under one grading: both models, and B minus A. `p` is adjusted for all comparisons made."""

    benchmark: str
    grading: str
    a: Estimate
    b: Estimate
    difference: Difference
    p: float
    left_out: int  # questions that only one of the two has a graded answer to

    @property
    def shown(self) -> bool:
        """Whether the data show that the models differ, with all comparisons taken into account."""
        return self.difference.shown and self.p < LEVEL

    def words(self, a: str = "A", b: str = "B") -> str:
        """What the data say, in a sentence; `a` and `b` are what the two models are called in it."""
        gap = self.difference
        points = f"{abs(100 * gap.mean):.1f} points"
        bounds = f"95 % interval {100 * gap.low:+.1f} to {100 * gap.high:+.1f}, p = {self.p:.2g}"
        if self.shown:
            return f"{b} is {'better' if gap.mean > 0 else 'worse'} by {points} ({bounds})"
        least = f"{100 * gap.smallest:.1f} points" if gap.smallest == gap.smallest else "nothing"
        return (
            f"not shown: {b} minus {a} is {100 * gap.mean:+.1f} points ({bounds}); "
            f"{gap.questions} questions like these would show {least} and more"
        )

    def told(self) -> dict[str, Any]:
        """The same as JSON-like values."""
        return {
            "benchmark": self.benchmark,
            "grading": self.grading,
            "a": without_nan(self.a._asdict()),
            "b": without_nan(self.b._asdict()),
            "difference": without_nan(self.difference._asdict()),
            "p_adjusted": self.p,
            "left_out": self.left_out,
            "shown": self.shown,
            "words": self.words(),
        }


def compare(a: Path, b: Path) -> list[Compared]:
    """Compare the results in two folders, benchmark by benchmark that both have, under each grading that both have.

    Raises InputError where there is nothing to compare.
    """
    of_a = {one.bench: one for one in read_samples(a)}
    of_b = {one.bench: one for one in read_samples(b)}
    both = [name for name in of_a if name in of_b]
    if not both:
        raise InputError(
            "the two evaluations have no benchmark of the same version in common",
            where=f"{a}: {', '.join(of_a)}; {b}: {', '.join(of_b)}",
            next="evaluate both on the same benchmark and version",
        )
    return adjusted([one for name in both for one in _compared(of_a[name], of_b[name])])


def adjusted(found: Sequence[Compared]) -> list[Compared]:
    """The same with p values that take into account how many comparisons of a grading there are (Holm)."""
    made = list(found)
    for grading in GRADINGS:
        at = [number for number, one in enumerate(made) if one.grading == grading]
        for number, p in zip(at, holm([made[number].difference.p for number in at]), strict=True):
            made[number] = made[number]._replace(p=p)
    return made


def _compared(a: Samples, b: Samples) -> list[Compared]:
    found = []
    for grading in GRADINGS:
        ours, theirs = graded(a, grading), graded(b, grading)
        if not ours or not theirs:
            continue
        shared = ours.keys() & theirs.keys()
        difference = paired(ours, theirs) if shared else unpaired(ours, theirs)
        left_out = len(ours.keys() ^ theirs.keys()) if shared else 0
        found.append(Compared(a.bench, grading, estimate(ours), estimate(theirs), difference, difference.p, left_out))
    return found
