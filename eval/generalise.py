"""Does a student generalise or remember: its accuracy on items near to the training set, in the middle, and far off."""

from typing import Any, NamedTuple

from eval.graded import graded, without_nan
from eval.results import Samples
from eval.statistics import Difference, Estimate, estimate, unpaired

BANDS = ("far", "middle", "near")


class Band(NamedTuple):
    """A third of a benchmark's questions by likeness to the training set; `low` and `high` are its likeness."""

    name: str
    low: float
    high: float
    accuracy: Estimate


class Generalised(NamedTuple):
    """The bands of one benchmark, and near minus far (None where likeness does not tell questions apart)."""

    benchmark: str
    bands: tuple[Band, ...]
    gap: Difference | None
    unmeasured: int  # questions without a likeness

    def words(self) -> str:
        """What the data say, in a sentence."""
        if self.gap is None:
            return "all questions are equally near to the training set: nothing to compare"
        points = f"near minus far: {100 * self.gap.mean:+.1f} points"
        bounds = f"95 % interval {100 * self.gap.low:+.1f} to {100 * self.gap.high:+.1f}"
        if not self.gap.shown:
            return f"{points} ({bounds}): not shown that nearness matters"
        easier = "scores higher" if self.gap.mean > 0 else "scores lower"
        return f"{points} ({bounds}): the model {easier} on what is like its training set"

    def told(self) -> dict[str, Any]:
        """The same as JSON-like values."""
        return {
            "benchmark": self.benchmark,
            "bands": [{**one._asdict(), "accuracy": without_nan(one.accuracy._asdict())} for one in self.bands],
            "gap": without_nan(self.gap._asdict()) if self.gap is not None else None,
            "unmeasured": self.unmeasured,
            "words": self.words(),
        }


def generalised(samples: Samples) -> Generalised | None:
    """Accuracy by likeness; None where no question's likeness was measured.

    Bands are thirds of the questions; questions of equal likeness stay together, so bands may differ in size, and there
    may be fewer of them.
    """
    scores = graded(samples)
    near = {
        question: float(rows[0]["similarity"])
        for question, rows in zip(samples.question_ids, samples.rows, strict=True)
        if question in scores and rows[0]["similarity"] is not None
    }
    if not near:
        return None
    ordered = sorted(near.values())
    cuts = [ordered[len(ordered) // 3], ordered[2 * len(ordered) // 3]]
    bands: list[list[str]] = [[], [], []]
    for question, likeness in near.items():
        bands[sum(likeness >= cut and likeness > ordered[0] for cut in cuts)].append(question)
    made = tuple(
        Band(
            name,
            min(near[one] for one in band),
            max(near[one] for one in band),
            estimate({one: scores[one] for one in band}),
        )
        for name, band in zip(BANDS, bands, strict=True)
        if band
    )
    gap = None
    if bands[0] and bands[2]:
        far, close = ({one: scores[one] for one in band} for band in (bands[0], bands[2]))
        gap = unpaired(far, close)
    return Generalised(samples.bench, made, gap, len(scores) - len(near))
