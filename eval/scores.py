"""From results to scores: one benchmark of one model at a time, each number with its error, as `scores.json` holds it.

An answer that has no verdict because of trouble of ours (`error`) is neither right nor wrong: it is left out and
counted. An answer that no verifier could decide (`unsure`) is not right, and is counted too.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from curate.run import replace_file
from eval import metrics
from eval.generalise import generalised
from eval.graded import GRADINGS, graded, without_nan
from eval.results import SCORES, Samples, by_question, read_results
from eval.statistics import Estimate, estimate

Rows = Sequence[Mapping[str, Any]]
_KS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_CURVE = tuple(2**power for power in range(8, 18))  # token budgets: 256 to 131,072


def scores_of(samples: Samples) -> dict[str, Any]:
    """All scores of one benchmark, as JSON-like values: shares from 0 to 1, tokens in tokens."""
    rows = [row for question in samples.rows for row in question]
    outcomes = [row["outcome"] for row in rows]
    tokens = [row["output_tokens"] for row in rows if row["output_tokens"] is not None]
    told: dict[str, Any] = {
        "benchmark": samples.bench,
        "questions": len(samples.rows),
        "samples": len(rows),
        "runs": max((len(question) for question in samples.rows), default=0),
        "unsure": outcomes.count("unsure"),
        "error": outcomes.count("error"),
        "truncated": sum(row["finish_reason"] == "length" for row in rows) / max(len(rows), 1),
        "mean_output_tokens": sum(tokens) / len(tokens) if tokens else None,
        "cost_usd": sum(row["cost_usd"] or 0.0 for row in rows),
    }
    for grading in GRADINGS:
        scores = graded(samples, grading)
        told[grading] = _estimate(estimate(scores)) if scores else None
    told.update(_by_k(samples))
    told["within_tokens"] = _curve(samples)
    if (near := generalised(samples)) is not None:
        told["likeness"] = near.told()
    return told


def _by_k(samples: Samples) -> dict[str, Any]:
    """pass@k, majority@k and, with rewards, best-of-k and the weighted vote: the mean over questions with its error.

    k goes up to the fewest samples that a question has: each k is over the same questions.
    """
    questions = [kept for question in samples.rows if (kept := _judged(question))]
    least = min((len(question) for question in questions), default=0)
    ks = [k for k in _KS if k <= least]
    if least and least not in ks:
        ks.append(least)
    # Answers that could not be compared because of trouble of ours say nothing of a majority.
    voted = [question for question in questions if not any(_unclassed(row) for row in question)]
    voted = voted if any(row["answer_class"] is not None for question in voted for row in question) else []
    liked = any(row["score"] is not None for question in questions for row in question)
    told = {"pass_at": _at(questions, ks, _pass), "majority_at": _at(voted, ks, _majority) if voted else {}}
    if liked:
        told["best_of"] = _at(questions, ks, _best)
        told["weighted_majority_at"] = _at(voted, ks, _weighted) if voted else {}
    return told


def _judged(question: Rows) -> Rows:
    return [row for row in question if row["outcome"] != "error"]


def _unclassed(row: Mapping[str, Any]) -> bool:
    return row["answer"] is not None and row["answer_class"] is None


def _at(questions: Sequence[Rows], ks: Sequence[int], measure: Callable[[Rows, int], float]) -> dict[str, Any]:
    each = {str(k): estimate({str(at): [measure(question, k)] for at, question in enumerate(questions)}) for k in ks}
    return {k: {"mean": one.mean, "se": _number(one.se), "low": one.low, "high": one.high} for k, one in each.items()}


def _right(question: Rows) -> list[float]:
    return [float(row["outcome"] == "pass") for row in question]


def _pass(question: Rows, k: int) -> float:
    return metrics.pass_at_k(len(question), int(sum(_right(question))), k)


def _majority(question: Rows, k: int) -> float:
    return metrics.majority_at_k([row["answer_class"] for row in question], _right(question), k)


def _best(question: Rows, k: int) -> float:
    return metrics.best_of_k([row["score"] for row in question], _right(question), k)


def _weighted(question: Rows, k: int) -> float:
    scores = [row["score"] for row in question]
    least = min((one for one in scores if one is not None), default=0.0)
    if least < 0:  # rewards of any sign: weights from 0 up, in the same order and distances
        scores = [None if one is None else one - least for one in scores]
    return metrics.weighted_majority_at_k([row["answer_class"] for row in question], scores, _right(question), k)


def _curve(samples: Samples) -> dict[str, float]:
    """Accuracy where answers longer than a budget of output tokens count as wrong, up to the longest answer."""
    questions = [kept for question in samples.rows if (kept := _judged(question))]
    used = [row["output_tokens"] for question in questions for row in question if row["output_tokens"] is not None]
    if not used:
        return {}
    budgets = [one for one in _CURVE if one < max(used)] + [max(used)]
    return {
        str(budget): sum(
            metrics.within_budget([row["output_tokens"] for row in question], _right(question), budget)
            for question in questions
        )
        / len(questions)
        for budget in budgets
    }


def _estimate(one: Estimate) -> dict[str, Any]:
    return without_nan(one._asdict())


def _number(value: float) -> float | None:
    return value if value == value else None  # JSON knows no nan


def read_samples(folder: Path) -> list[Samples]:
    """The samples in a folder of results, without texts. Raises InputError."""
    return by_question(read_results(folder))


def write_scores(folder: Path) -> dict[str, Any]:
    """Compute the scores of the results in a folder, write `scores.json` there, and return them."""
    told = {"benchmarks": [scores_of(samples) for samples in read_samples(folder)]}
    replace_file(folder / SCORES, (json.dumps(told, indent=1, ensure_ascii=False) + "\n").encode())
    return told
