"""The loop closed: where a model fails, by topic and source, and the questions to look at next.

What comes out is a list to learn topics from, never to train on: the questions of a benchmark must stay out of every
training set, and those whose authors ask for it are not shown at all.
"""

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from curate.run import replace_file
from eval.graded import right, without_nan
from eval.results import groups, read_results
from eval.scores import read_samples
from eval.statistics import Estimate, estimate

_NO_TOPIC = "(none)"


class Topic(NamedTuple):
    """What a model scores on the questions of one topic of one source."""

    benchmark: str
    source: str
    topic: str
    accuracy: Estimate
    failed: int  # questions that it never answered right
    truncated: float  # share of samples that the cap on tokens cut

    def told(self) -> dict[str, Any]:
        """The same as JSON-like values."""
        return {**self._asdict(), "accuracy": without_nan(self.accuracy._asdict())}


def topics(folder: Path) -> list[Topic]:
    """Every topic of the results in a folder, the worst first (by the upper bound of its accuracy)."""
    found: dict[tuple[str, str, str], dict[str, list[float]]] = defaultdict(dict)
    cut: dict[tuple[str, str, str], list[bool]] = defaultdict(list)
    for samples in read_samples(folder):
        for question, rows in zip(samples.question_ids, samples.rows, strict=True):
            scores = [score for row in rows if (score := right(row)) is not None]
            if scores:
                key = (samples.bench, rows[0]["source"] or _NO_TOPIC, rows[0]["topic"] or _NO_TOPIC)
                found[key][question] = scores
                cut[key] += [row["finish_reason"] == "length" for row in rows]
    made = [
        Topic(*key, estimate(scores), sum(not any(one) for one in scores.values()), sum(cut[key]) / len(cut[key]))
        for key, scores in found.items()
    ]
    return sorted(made, key=lambda one: (one.accuracy.high, one.accuracy.mean, one.benchmark, one.source, one.topic))


def write_failures(folder: Path, out: Path) -> int:
    """Write the questions that were never answered right to a .jsonl file; returns how many.

    Each line: benchmark, source, topic, question_id, problem (null where it is private), reasons, answers.
    """
    failed = _failed(folder)
    lines = [json.dumps(one, ensure_ascii=False) for one in _lines(folder, failed)]
    replace_file(out, "".join(f"{line}\n" for line in lines).encode("utf-8", "replace"))
    return len(lines)


def _failed(folder: Path) -> set[tuple[str, str]]:
    judged: dict[tuple[str, str], list[float]] = defaultdict(list)
    for row in read_results(folder, ["bench", "question_id", "outcome"]).to_pylist():
        if (score := right(row)) is not None:
            judged[row["bench"], row["question_id"]].append(score)
    return {key for key, scores in judged.items() if not any(scores)}


def _lines(folder: Path, failed: set[tuple[str, str]]) -> Iterator[dict[str, Any]]:
    columns = ["bench", "question_id", "run", "source", "topic", "problem", "private", "outcome", "reason", "answer"]
    held: dict[tuple[str, str], dict[str, Any]] = {}
    for table in groups(folder, columns):
        for row in table.to_pylist():
            key = (row["bench"], row["question_id"])
            if key not in failed:
                continue
            one = held.setdefault(
                key,
                {
                    "benchmark": row["bench"],
                    "source": row["source"],
                    "topic": row["topic"],
                    "question_id": row["question_id"],
                    "problem": None if row["private"] else row["problem"],
                    "reasons": [],
                    "answers": [],
                },
            )
            one["reasons"].append(row["reason"])
            one["answers"].append(None if row["private"] else row["answer"])
    yield from held.values()
