"""How near each benchmark item is to the training set: what tells a student that generalises from one that remembers.

The measure is `decontaminate`'s own: the weighted share of an item's word triples (numbers masked) that one row holds,
1 for a short item that stands in a row whole. Rows stream past; memory goes with the benchmarks.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from curate.progress import Bar, Progress
from eval.block import Contamination
from eval.pose import BENCH

if TYPE_CHECKING:
    from curate.audit.datasets import Dataset
    from curate.contamination.items import Item
    from curate.questions import QuestionTable

_SIZE, _WHOLE = 3, 0  # n-grams of words; under 0 the index tells short items found whole


class Near(NamedTuple):
    """How near an item is to the training set (0 to 1), and to which row of it (from 0; None: to none)."""

    similarity: float
    row: str | None


Nearest = Mapping[tuple[str, str], Near]  # by benchmark and the question's `source_id`


def similarities(wanted: Contamination | None, questions: "QuestionTable", progress: Progress) -> Nearest:
    """The nearest row of each item; empty where no training set is named. Of equally near rows the first counts.

    Raises InputError for a training set that cannot be read, or that has no column of questions.
    """
    if wanted is None:
        return {}
    import numpy as np

    from curate.audit.datasets import open_dataset
    from curate.contamination.index import Index

    opened = open_dataset(wanted.against, wanted.config)
    column = _column(opened, wanted)
    index = Index(_items(questions))
    survey = index.survey()
    with progress.stage("survey of the training set", opened.count()) as bar:
        for texts in _texts(opened, column, bar):
            index.surveyed(survey, texts)
    index.weigh(survey)
    best = np.zeros(len(index.items))
    where = np.full(len(index.items), -1, dtype=np.int64)
    start = 0
    with progress.stage("likeness to the training set", opened.count()) as bar:
        for texts in _texts(opened, column, bar):
            shared = index.shared(index.spell(texts))
            scores = np.maximum(shared.scores[_SIZE], shared.scores[_WHOLE])
            order = np.lexsort((shared.rows, -scores, shared.items))
            items, first = np.unique(shared.items[order], return_index=True)
            place = order[first]  # of each item that occurs: its best row in this batch
            better = scores[place] > best[items]
            best[items[better]] = scores[place[better]]
            where[items[better]] = start + shared.rows[place[better]]
            start += len(texts)
    return {
        (spelt.item.bench, spelt.item.item): Near(round(min(score, 1.0), 4), None if row < 0 else str(row))
        for spelt, score, row in zip(index.items, best.tolist(), where.tolist(), strict=True)
    }


def _items(questions: "QuestionTable") -> "Iterator[Item]":
    import json

    from curate.contamination.items import Item

    for group in questions.groups(["problem", "source_id", "meta"]):
        for row in group.to_pylist():
            yield Item(json.loads(row["meta"])[BENCH], row["source_id"], row["problem"])


def _column(opened: "Dataset", wanted: Contamination) -> str:
    from curate.tables import need_columns, question_column

    column = wanted.column or question_column(opened, "`column:`")
    need_columns(opened, [column])
    return column


def _texts(opened: "Dataset", column: str, bar: Bar) -> Iterator[Sequence[str]]:
    from curate.tables import batches

    for batch in batches(opened, [column]):
        texts = [text or "" for text in batch.texts[column]]
        yield texts
        bar.advance(len(texts))
