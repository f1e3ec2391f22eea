"""Reads the answers of some rows of an ordered table of attempts again, as the ledger gives them, batch by batch."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.assemble import decided_now
from curate.labels import Kept
from curate.questions import SCHEMA, QuestionTable
from curate.records import Attempt, Question
from curate.resources import Resources
from curate.run import Run
from curate.solve import Work

_COLUMNS = [name for name in SCHEMA.names if name != "test_cases"]


class Answers:
    """The answers that the rows (n,) of a table of attempts stand for; `rows` is the number of rows of the sources."""

    def __init__(self, run: Run, attempts: pa.Table, work: Work, resources: Resources, rows: int) -> None:
        self._run, self._work, self._resources, self._count = run, work, resources, rows
        self._seqs, self._samples = (attempts.column(name).to_numpy() for name in ("seq", "sample"))

    def batches(self, which: npt.NDArray[np.bool_]) -> Iterator[list[tuple[int, Question, Attempt]]]:
        """The rows of `which` (n,) by number, in order, with their questions (without tests) and answers."""
        table = QuestionTable(self._run.questions)
        kept = Kept(self._count)
        kept.set(self._seqs[which].tolist(), True)
        groups = filter(len, map(kept.only, table.groups(_COLUMNS)))
        for _, part in decided_now(groups, self._work, self._resources):
            batch = []
            for question, solved in part:
                for one in solved.decided:
                    row = self._row(question.seq, one.attempt.sample)
                    if row is not None and which[row]:
                        batch.append((row, question, one.attempt))
            if batch:
                yield batch

    def _row(self, seq: int, sample: int) -> int | None:
        low, high = np.searchsorted(self._seqs, [seq, seq + 1])
        at = int(low + np.searchsorted(self._samples[low:high], sample))
        return at if at < high and self._samples[at] == sample else None
