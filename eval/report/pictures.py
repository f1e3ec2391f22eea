"""Which charts a report has, and of what."""

from collections.abc import Iterator

from eval.graded import GRADINGS
from eval.published import published
from eval.report import charts
from eval.report.charts import Line, Mark, colour
from eval.report.gathered import Gathered, Model
from eval.report.heat import heat_map
from eval.report.shape import Chart
from eval.results import Samples

_BINS = tuple(2**power for power in range(6, 18))  # upper bounds in output tokens: 64 to 131,072
_MOST = 40  # charts of one sort
_MOST_MARKS = 400  # lines of the chart of accuracies
_MOST_HEAT = 1_500_000  # characters of all heat maps


def accuracy(found: Gathered) -> tuple[Chart, ...]:
    """Both gradings of every model with intervals, and published scores as hollow marks, by benchmark."""
    marks: list[Mark] = []
    for bench in found.benchmarks:
        marks.append(Mark(bench, heading=True))
        for at, model in enumerate(found.models):
            score = model.score(bench) or {}
            for grading in GRADINGS:
                if (one := score.get(grading)) is not None:
                    label = f"{model.name}, {grading}"
                    marks.append(Mark(label, one["mean"], one["low"], one["high"], colour(at), grading != "ours"))
        marks += [Mark(f"{one.model}, published", one.score, colour="#888", hollow=True) for one in published(bench)]
    title = "Accuracy with 95 % intervals"
    return (Chart("accuracy", title, charts.intervals(marks[:_MOST_MARKS], title)),) if marks else ()


def within_tokens(found: Gathered) -> tuple[Chart, ...]:
    """Accuracy against the token budget: one chart a benchmark, one line a model."""
    made = []
    for bench in found.benchmarks[:_MOST]:
        drawn = []
        for at, model in enumerate(found.models):
            curve = (model.score(bench) or {}).get("within_tokens") or {}
            if curve:
                points = tuple((float(tokens), share) for tokens, share in curve.items())
                drawn.append(Line(model.name, points, colour(at)))
        if drawn:
            title = f"{bench}: accuracy within a budget of output tokens"
            made.append(Chart("budget", title, charts.lines(drawn, title)))
    return tuple(made)


def lengths(found: Gathered) -> tuple[Chart, ...]:
    """How long the answers are, right ones and others."""
    made = []
    for at, model, samples in _each(found):
        counts = _counts(samples)
        if counts:
            title = f"{samples.bench}, {model.name}: output tokens of an answer"
            made.append(Chart("lengths", title, charts.histogram(counts, title, colour(at))))
    return tuple(made)


def truncation(found: Gathered) -> tuple[Chart, ...]:
    """The share of answers that the cap on tokens cut."""
    marks = []
    for at, model in enumerate(found.models):
        for one in model.scores:
            marks.append(Mark(f"{one['benchmark']}, {model.name}", one["truncated"], colour=colour(at)))
    title = "Answers cut by the cap on tokens"
    return (Chart("truncation", title, charts.bars(marks, title)),) if marks else ()


def heat(found: Gathered) -> tuple[Chart, ...]:
    """Heat maps of questions over runs, up to 1.5 MB of them."""
    made: list[Chart] = []
    size = 0
    for _, model, samples in _each(found):
        title = f"{samples.bench}, {model.name}: questions across, runs down"
        drawn = heat_map(samples, title)
        size += len(drawn.svg)
        if size > _MOST_HEAT:
            break
        made.append(Chart("heat", f"{title} ({drawn.left_out})" if drawn.left_out else title, drawn.svg))
    return tuple(made)


def _each(found: Gathered) -> Iterator[tuple[int, Model, Samples]]:
    """Every model on every benchmark, by benchmark, up to 40 of them."""
    drawn = 0
    for bench in found.benchmarks:
        for at, model in enumerate(found.models):
            samples = model.of(bench)
            if samples is not None and drawn < _MOST:
                drawn += 1
                yield at, model, samples


def _counts(samples: Samples) -> list[tuple[str, int, int]]:
    """Right and other answers by length, from the first bin that has any to the last."""
    right, other = [0] * (len(_BINS) + 1), [0] * (len(_BINS) + 1)
    for question in samples.rows:
        for row in question:
            if row["output_tokens"] is not None and row["outcome"] != "error":
                at = sum(row["output_tokens"] > bound for bound in _BINS)
                (right if row["outcome"] == "pass" else other)[at] += 1
    used = [at for at in range(len(right)) if right[at] or other[at]]
    names = [f"≤ {bound:,}" for bound in _BINS] + [f"> {_BINS[-1]:,}"]
    return [(names[at], right[at], other[at]) for at in range(used[0], used[-1] + 1)] if used else []
