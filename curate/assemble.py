"""Assemble: joins questions, ledger and selection in `seq` order, in one pass, into `dataset/`.

The same recipe, sources and replies give the same bytes: nothing measured goes in, and the order is that of ingest.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from curate.labels import Kept
from curate.progress import Bar
from curate.publish.writer import DatasetWriter, Published
from curate.questions import QuestionTable, questions_of
from curate.records import Question
from curate.resources import Resources
from curate.run import Run
from curate.solve import Decided, Solved, Work, decide

_ATTEMPTS = 256  # held at a time: one batch of ledger reads


@dataclass(frozen=True)
class Selection:
    """Which questions are in the flow, which of their attempts were counted, and which of those were selected.

    Only what was counted is published: another process may be adding attempts meanwhile.
    """

    kept: Kept
    counted: "Samples"
    selected: "Samples"


class Samples:
    """The samples of each question in an ordered table of attempts."""

    def __init__(self, attempts: pa.Table) -> None:
        # Taken out once: a column of many chunks is copied by each `to_numpy`.
        self._seqs = attempts.column("seq").to_numpy()
        self._samples = attempts.column("sample").to_numpy()

    def of(self, seq: int) -> set[int]:
        """The samples of the question at `seq`."""
        low, high = np.searchsorted(self._seqs, [seq, seq + 1])
        return set(self._samples[low:high].tolist())


def decided_now(
    groups: Iterator[pa.Table], work: Work, resources: Resources
) -> Iterator[tuple[pa.Table, list[tuple[Question, Solved]]]]:
    """What the ledger says of the questions of row groups, slice by slice, in order; nothing is asked.

    A question with very many samples comes several times, with one part of them each time.
    """
    batch = max(1, _ATTEMPTS // work.asking.most)
    for group in groups:
        for start in range(0, group.num_rows, batch):
            part = group.slice(start, batch)
            questions = list(questions_of(part, tests=False))
            for samples in work.asking.parts():
                yield part, list(zip(questions, decide(questions, work, resources, samples), strict=True))
            del part
        del group  # before the next one is read: a row may hold 200 MB


def publish_dataset(
    writer: DatasetWriter, run: Run, selection: Selection, work: Work, resources: Resources, bar: Bar
) -> dict[str, int]:
    """Write `dataset/`: every decided attempt to `unverified`, the selected ones to the other configs.

    Returns the rows of each config. Raises Failed where it could not be loaded back; the old dataset then stays.
    """
    groups = map(selection.kept.only, QuestionTable(run.questions).groups())
    with writer:
        for part, solved in decided_now(groups, work, resources):
            rows: list[Published] = []
            for row, (question, one) in enumerate(solved):
                counted, selected = selection.counted.of(question.seq), selection.selected.of(question.seq)
                rows += [
                    _published(row, question, this, this.attempt.sample in selected)
                    for this in one.decided
                    if this.attempt.sample in counted
                ]
            writer.add_batch(part, rows)
            bar.advance(len(solved))
            del part
        bar.note = "loading it back"
        return dict(writer.finish().rows)


def _published(row: int, question: Question, decided: Decided, selected: bool) -> Published:
    return Published(
        row=row,
        attempt=decided.attempt,
        verdict=decided.verdict,
        selected=selected,
        verdict_key=decided.verdict_key,
        source_revision=question.meta.get("revision"),
    )
