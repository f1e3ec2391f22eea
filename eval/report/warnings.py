"""What a reader must know before believing a number: claims within noise, answers cut, samples without a verdict."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from eval.graded import right
from eval.published import published
from eval.report.gathered import Gathered, Model
from eval.statistics import Z95, smallest_difference
from eval.unlike import unlike

_CUT = 0.02  # share of answers that the cap cut, from which on it is said


def warnings(found: Gathered) -> tuple[str, ...]:
    """Sentences, what is missing and comparisons first."""
    return (
        *_missing(found),
        *_unlike(found),
        *_noise(found),
        *_published(found),
        *(one for pair in found.pairs() for one in _of(*pair)),
    )


def _missing(found: Gathered) -> Iterator[str]:
    for model in found.models:
        asked = model.lock.get("questions")
        kept = asked.get("kept", 0) if isinstance(asked, dict) else 0
        if (lacking := kept - sum(len(one.rows) for one in model.samples)) > 0:
            yield f"{model.name}: {lacking:,} of {kept:,} questions have no sample: the scores are of the others."


def _unlike(found: Gathered) -> Iterator[str]:
    first = found.models[0]
    for other in found.models[1:]:
        for said in unlike(first.lock, other.lock):
            yield f"{first.name} and {other.name} were not evaluated alike: {said}."


def _noise(found: Gathered) -> Iterator[str]:
    first = found.models[0].name
    for other, several in found.compared:
        for one in several:
            if one.grading == "ours" and not one.shown and one.difference.mean:
                gap = one.difference
                yield (
                    f"{one.benchmark}: {other} is not shown to differ from {first}. The gap of "
                    f"{100 * gap.mean:+.1f} points is within noise: {_questions(gap.questions)} like these show "
                    f"{_points(gap.smallest)} and more."
                )


def _published(found: Gathered) -> Iterator[str]:
    for model, bench, score in found.pairs():
        ours = score["evalchemy"] or score["ours"]
        if ours is None:
            continue
        inside = [one.model for one in published(bench) if ours["low"] <= one.score <= ours["high"]]
        if inside:
            names = ", ".join(dict.fromkeys(inside))
            yield f"{bench}: the score of {model.name} is not told apart from those published of {names}."


def _of(model: Model, bench: str, score: Mapping[str, Any]) -> Iterator[str]:
    who = f"{bench}, {model.name}"
    ours = score["ours"]
    if ours is None:
        yield f"{who}: no sample has a verdict."
    elif ours["se"] is None:
        yield f"{who}: one question says nothing of others."
    elif (least := smallest_difference(math.sqrt(2) * (ours["high"] - ours["low"]) / 2 / Z95)) >= 0.05:
        yield (
            f"{who}: {_questions(ours['questions'])} tell it apart only from models that are {_points(least)} away "
            "(on other questions; on the same ones fewer points may do)."
        )
    if score["truncated"] >= _CUT:
        yield f"{who}: the cap on tokens cut {100 * score['truncated']:.1f} % of the answers, which count as wrong."
    if score["unsure"]:
        yield f"{who}: {score['unsure']:,} of {score['samples']:,} answers could not be decided and count as not right."
    if score["error"]:
        yield f"{who}: {score['error']:,} samples have no verdict because of trouble of ours and are left out."
    if differing := _gradings(model, bench):
        yield f"{who}: the two gradings differ on {differing:,} of {score['samples']:,} samples."


def _gradings(model: Model, bench: str) -> int:
    samples = model.of(bench)
    rows = (row for question in samples.rows for row in question) if samples is not None else ()
    return sum((theirs := right(row, "evalchemy")) is not None and theirs != right(row) for row in rows)


def _questions(count: int) -> str:
    return f"{count:,} question{'s' if count != 1 else ''}"


def _points(share: float) -> str:
    return f"{100 * share:.1f} points" if share == share else "nothing"
