"""What a grading says of each sample: a score from 0 to 1, or nothing where trouble of ours left no verdict."""

from collections.abc import Mapping
from typing import Any

from eval.results import Samples

Scores = dict[str, list[float]]
GRADINGS = ("ours", "evalchemy")


def right(row: Mapping[str, Any], grading: str = "ours") -> float | None:
    """1.0 for a right sample, 0.0 for another; None where this grading has nothing to say of it."""
    if row["outcome"] == "error":
        return None
    if grading == "ours":
        return float(row["outcome"] == "pass")
    return None if row["evalchemy"] is None else float(row["evalchemy"])


def graded(samples: Samples, grading: str = "ours") -> Scores:
    """The scores of each question's samples that this grading has; a question without one is left out."""
    found = {}
    for question, rows in zip(samples.question_ids, samples.rows, strict=True):
        scores = [score for row in rows if (score := right(row, grading)) is not None]
        if scores:
            found[question] = scores
    return found


def without_nan(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same with None in the place of nan, which JSON does not know."""
    return {name: None if value != value else value for name, value in values.items()}
