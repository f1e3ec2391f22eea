"""The sections of a report that need no texts: scores, comparisons, published scores, charts, likeness, topics."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from eval.failures import topics
from eval.generalise import Generalised, generalised
from eval.graded import right
from eval.published import published
from eval.report.gathered import Gathered, Model
from eval.report.pictures import accuracy, heat, lengths, truncation, within_tokens
from eval.report.shape import Cell, Section, Table, between, cell, percent
from eval.report.warnings import warnings

_MOST_ROWS = 300  # of a table
_MEASURES = {
    "pass_at": "pass@k: any of k right",
    "majority_at": "majority@k: the most frequent answer",
    "best_of": "best of k by the reward",
    "weighted_majority_at": "majority@k, votes weighted by the reward",
}


def sections(found: Gathered) -> list[Section]:
    """All of them, in reading order; one without anything to say is left out."""
    made = [
        Section("warnings", "Before you believe a number", warnings(found)),
        Section("scores", "Scores", (_READING,), (_scores(found),), accuracy(found)),
        _comparison(found),
        _in_use(found),
        Section("samples-of-k", "Several samples of a question", tables=(_by_k(found),)),
        Section(
            "tokens",
            "Tokens",
            (_BUDGET,),
            (_tokens(found),),
            (*within_tokens(found), *lengths(found), *truncation(found)),
        ),
        _published(found),
        _likeness(found),
        Section("topics", "Failures by topic", (_TOPICS,), (_topics(found),)),
        Section("gradings", "Where the two gradings differ", tables=(_gradings(found),)),
        _questions(found),
    ]
    return [one for one in made if one.words or one.charts or any(table.rows for table in one.tables)]


_READING = (
    "Percent of right samples, the mean over questions. The interval (95 %) is over questions: with other questions of "
    "the same kind the score would lie in it. Run to run is the standard deviation between whole runs, the sampler's "
    "noise alone."
)
_BUDGET = "Lengths in output tokens. Accuracy within a budget: every answer with more output tokens counts as wrong."
_TOPICS = (
    "The worst first. Topics are what a benchmark says of its questions: more training questions of these topics may "
    "help, never the benchmark's own."
)


def _scores(found: Gathered) -> Table:
    head = (
        "benchmark", "model", "questions", "runs", "ours %", "95 %", "run to run", "evalchemy %", "95 % (evalchemy)",
        "truncated %", "mean tokens", "unsure", "error", "USD",
    )  # fmt: skip
    rows = []
    for model, bench, score in found.pairs():
        ours, theirs = score["ours"] or {}, score["evalchemy"] or {}
        rows.append(
            (
                cell(bench),
                cell(model.name),
                cell(score["questions"]),
                cell(score["runs"]),
                percent(ours.get("mean")),
                between(ours.get("low"), ours.get("high")),
                percent(ours.get("between_run_sd")),
                percent(theirs.get("mean")),
                between(theirs.get("low"), theirs.get("high")),
                percent(score["truncated"]),
                cell(None if score["mean_output_tokens"] is None else round(score["mean_output_tokens"])),
                cell(score["unsure"]),
                cell(score["error"]),
                cell(float(score["cost_usd"])),
            )
        )
    return _table("Scores", head, rows)


def _comparison(found: Gathered) -> Section:
    head = ("benchmark", "grading", "model", "%", "difference", "95 %", "p", "shown", "smallest", "what the data say")
    rows = []
    for other, several in found.compared:
        for one in several:
            gap = one.difference
            rows.append(
                (
                    cell(one.benchmark),
                    cell(one.grading),
                    cell(other),
                    percent(one.b.mean),
                    Cell(f"{100 * gap.mean:+.1f}", gap.mean),
                    between(gap.low, gap.high),
                    cell(float(f"{one.p:.2g}")),
                    cell(one.shown),
                    percent(gap.smallest),
                    cell(one.words(found.models[0].name, other)),
                )
            )
    words = (
        f"The model of the line minus {found.models[0].name}. Differences are over the questions that both "
        "answered; p takes into account how many comparisons this page makes (Holm). Smallest: the difference that so "
        "many questions show four times in five."
    )
    return Section(
        "comparison", "Against the first model", (words,) if rows else (), (_table("Comparison", head, rows),)
    )


def _in_use(found: Gathered) -> Section:
    told = found.general
    if told is None:
        return Section("in-use", "In use")
    share, bounds = told["student_share"], told["student_share_95"]
    rows = [
        (cell(name.replace("_", " ")), cell(told[name]))
        for name in ("prompts", "student_won", "base_won", "equal", "inconsistent", "undecided")
    ]
    rows.append((cell("student's share, ties as half"), percent(share)))
    if bounds is not None:
        rows.append((cell("95 %"), between(*bounds)))
    for what in ("refusals", "format_failures"):
        rows += [(cell(f"{what.replace('_', ' ')}, {side}"), percent(rate)) for side, rate in told[what].items()]
    who = f"{told['student']} (student) against {told['base']} (base)"
    words = f"Own prompts: {who}, judged by {told['judge']} in both orders."
    return Section("in-use", "In use", (words,), (_table("In use", ("what", "value"), rows),))


def _by_k(found: Gathered) -> Table:
    rows = [
        (
            cell(bench),
            cell(model.name),
            cell(words),
            cell(int(k)),
            percent(one["mean"]),
            between(one["low"], one["high"]),
        )
        for model, bench, score in found.pairs()
        for measure, words in _MEASURES.items()
        for k, one in score.get(measure, {}).items()
        if score["runs"] > 1
    ]
    return _table("By k", ("benchmark", "model", "measure", "k", "%", "95 %"), rows)


def _tokens(found: Gathered) -> Table:
    rows = []
    for model, bench, score in found.pairs():
        samples = model.of(bench)
        every = [row for question in samples.rows for row in question] if samples is not None else []
        told = {good: sorted(_lengths(every, right=good)) for good in (True, False)}
        both = sorted([*told[True], *told[False]])
        marks = [_quantile(both, share) for share in (0.1, 0.5, 0.9, 1.0)]
        marks += [_quantile(told[good], 0.5) for good in (True, False)]
        rows.append((cell(bench), cell(model.name), *map(cell, marks), percent(score["truncated"])))
    head = ("benchmark", "model", "10 %", "median", "90 %", "longest", "median if right", "if not", "truncated %")
    return _table("Tokens", head, rows)


def _lengths(rows: Sequence[dict[str, Any]], *, right: bool) -> Iterator[int]:
    for row in rows:
        if row["output_tokens"] is not None and row["outcome"] != "error" and (row["outcome"] == "pass") == right:
            yield int(row["output_tokens"])


def _quantile(ordered: Sequence[int], share: float) -> int | None:
    """The smallest length that at least this share of answers does not exceed."""
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)] if ordered else None


def _published(found: Gathered) -> Section:
    head = ("benchmark", "model", "published %", "harness", "source", "inside the interval of")
    rows = []
    for bench in found.benchmarks:
        for one in published(bench):
            inside = [
                model.name
                for model, of, score in found.pairs()
                if of == bench
                and (ours := score["evalchemy"] or score["ours"])
                and ours["low"] <= one.score <= ours["high"]
            ]
            told = (cell(bench), cell(one.model), percent(one.score), cell(one.harness), cell(one.source))
            rows.append((*told, cell(", ".join(inside))))
    words = (
        "Measured by others, in their own runs, and published without intervals; compare them with the column "
        "evalchemy. One that lies inside a model's interval is not told apart from it."
    )
    return Section("published", "Published scores", (words,) if rows else (), (_table("Published", head, rows),))


def _likeness(found: Gathered) -> Section:
    rows, words = [], []
    for model in found.models:
        for told in _generalised(model):
            words.append(f"{told.benchmark}, {model.name}: {told.words()}.")
            for band in told.bands:
                one = band.accuracy
                rows.append(
                    (
                        cell(told.benchmark),
                        cell(model.name),
                        cell(band.name),
                        Cell(f"{band.low:.2f} to {band.high:.2f}", band.low),
                        cell(one.questions),
                        percent(one.mean),
                        between(one.low, one.high),
                    )
                )
    head = ("benchmark", "model", "questions that are", "likeness", "questions", "ours %", "95 %")
    return Section("likeness", "Near the training set, far from it", tuple(words), (_table("Likeness", head, rows),))


def _generalised(model: Model) -> Iterator[Generalised]:
    for samples in model.samples:
        if (told := generalised(samples)) is not None:
            yield told


def _topics(found: Gathered) -> Table:
    rows = []
    for model in found.models:
        for one in topics(model.folder):
            rows.append(
                (
                    cell(model.name),
                    cell(one.benchmark),
                    cell(one.source),
                    cell(one.topic),
                    cell(one.accuracy.questions),
                    percent(one.accuracy.mean),
                    between(one.accuracy.low, one.accuracy.high),
                    cell(one.failed),
                    percent(one.truncated),
                )
            )
    head = ("model", "benchmark", "source", "topic", "questions", "ours %", "95 %", "never right", "truncated %")
    return _table("Topics", head, rows)


def _gradings(found: Gathered) -> Table:
    rows = []
    for model in found.models:
        for samples in model.samples:
            for question in samples.rows:
                rows += [_graded(model.name, samples.bench, row) for row in question if _differs(row)]
    head = ("model", "benchmark", "question", "run", "ours", "reason", "our answer", "evalchemy", "its answer")
    return _table("Gradings", head, rows)


def _differs(row: dict[str, Any]) -> bool:
    theirs = right(row, "evalchemy")
    return theirs is not None and theirs != right(row)


def _graded(model: str, bench: str, row: dict[str, Any]) -> tuple[Cell, ...]:
    private = bool(row["private"])
    return (
        cell(model),
        cell(bench),
        cell(row["seq"]),
        cell(row["run"]),
        cell(row["outcome"]),
        cell(row["reason"]),
        cell("(private)" if private else row["answer"]),
        cell("right" if row["evalchemy"] else "wrong"),
        cell("(private)" if private else row["evalchemy_answer"]),
    )


def _questions(found: Gathered) -> Section:
    charts = heat(found)
    lacking = sum(len(model.samples) for model in found.models) - len(charts)
    words = (f"{lacking:,} more maps are left out to keep this page small.",) if lacking else ()
    return Section("questions", "Every question in every run", words, charts=charts)


def _table(title: str, head: tuple[str, ...], rows: Sequence[tuple[Cell, ...]]) -> Table:
    """A table of at most 300 rows, which says what it leaves out."""
    note = f"the first {_MOST_ROWS} of {len(rows):,} lines; results.parquet has all" if len(rows) > _MOST_ROWS else ""
    return Table(title, head, tuple(rows[:_MOST_ROWS]), note)
