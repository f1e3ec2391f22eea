"""The attempts table: one small label per attempt (no texts), and what each selector thought of it.

Selectors see only this table. It is rebuilt by every run from the ledger, in `seq` order, so that the same answers
and verdicts always give the same selection.
"""

import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curate.kinds import Selector
from curate.labels import Labelled
from curate.records import Drop, Question
from curate.run import Run
from curate.solve import Solved

_WORD = pa.dictionary(pa.int32(), pa.string())
SCHEMA = pa.schema(
    [
        pa.field("seq", pa.int64()),
        pa.field("sample", pa.int32()),
        pa.field("question_id", pa.string()),
        pa.field("attempt_id", pa.string()),
        pa.field("domain", _WORD),
        pa.field("source", _WORD),
        pa.field("outcome", _WORD),
        pa.field("reason", _WORD),
        pa.field("finish_reason", _WORD),
    ]
)
_CHUNK = 8192  # rows held as Python objects
_HELD = 8  # chunks held in memory; more go to a file, so that a million answers take no more than these


class AttemptTable:
    """Collects attempts in any order; `table` gives them in `seq`, `sample` order.

    What is too much for memory lies in a file without a name in `folder` (None: the usual place); it ends with us.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._rows: list[tuple[object, ...]] = []
        self._chunks: list[pa.RecordBatch] = []
        self._file: IO[bytes] | None = None
        self._spilled: pa.ipc.RecordBatchStreamWriter | None = None
        self._unasked: list[tuple[int, str]] = []

    def add(self, question: Question, solved: Solved) -> None:
        """Add the decided attempts of one question."""
        if solved.unasked:
            self._unasked.append((question.seq, question.id))
        for attempt, verdict in ((one.attempt, one.verdict) for one in solved.decided):
            self._rows.append(
                (
                    question.seq,
                    attempt.sample,
                    question.id,
                    attempt.id,
                    question.domain,
                    question.source,
                    verdict.outcome,
                    verdict.reason,
                    attempt.finish_reason,
                )
            )
        if len(self._rows) >= _CHUNK:
            self._cut()

    def table(self) -> pa.Table:
        """All attempts, ordered."""
        self._cut()
        self._gather()
        whole = pa.Table.from_batches(self._chunks, SCHEMA).unify_dictionaries()
        return whole.sort_by([("seq", "ascending"), ("sample", "ascending")]).combine_chunks()

    def drops(self) -> Iterator[Drop]:
        """Questions for which there was nothing to ask: no teacher has a recorded answer to them."""
        for seq, id_ in sorted(self._unasked):
            yield Drop(unit="question", id=id_, seq=seq, stage="annotate", reason="no_recorded_answer")

    def _cut(self) -> None:
        if self._rows:
            by_column = zip(*self._rows, strict=True)
            columns = [pa.array(values, field.type) for values, field in zip(by_column, SCHEMA, strict=True)]
            self._chunks.append(pa.RecordBatch.from_arrays(columns, schema=SCHEMA))
            self._rows = []
        if len(self._chunks) > _HELD:
            if self._spilled is None:
                self._file = tempfile.TemporaryFile(dir=self._folder, prefix=".attempts-")  # noqa: SIM115 - ends with us
                self._spilled = pa.ipc.new_stream(self._file, SCHEMA)
            for chunk in self._chunks:
                self._spilled.write_batch(chunk)
            self._chunks = []

    def _gather(self) -> None:
        if self._file is None or self._spilled is None:
            return
        self._spilled.close()
        self._file.seek(0)
        self._chunks = [*pa.ipc.open_stream(self._file), *self._chunks]
        self._file.close()
        self._file = self._spilled = None


def select(run: Run, attempts: pa.Table, selectors: Sequence[Selector]) -> tuple[pa.Table, list[Labelled]]:
    """Apply the selectors one after another; write their labels; return the attempts that remain, and the counts."""
    run.labels.mkdir(exist_ok=True)
    for old in run.labels.glob("select-*.parquet"):
        old.unlink()
    counts: list[Labelled] = []
    for number, selector in enumerate(selectors):
        opinions = selector.select(attempts)
        if len(opinions) != attempts.num_rows:
            raise TypeError(f"{selector.kind()} gave {len(opinions)} opinions on {attempts.num_rows} attempts")
        kept = pa.array([one.kept for one in opinions], pa.bool_())
        reasons = Counter(one.reason or "?" for one in opinions if not one.kept)
        name = f"select-{number}-{selector.kind()}"
        labels = attempts.select(["seq", "sample", "question_id", "attempt_id"])
        labels = labels.append_column("kept", kept)
        labels = labels.append_column("reason", pa.array([one.reason for one in opinions], pa.string()))
        evidence = [
            json.dumps(one.evidence, ensure_ascii=False, sort_keys=True) if one.evidence else "{}" for one in opinions
        ]
        labels = labels.append_column("evidence", pa.array(evidence, pa.string()))
        partial = run.labels / f".{name}.tmp"
        pq.write_table(labels, partial, compression="zstd")
        partial.replace(run.labels / f"{name}.parquet")
        counts.append(
            Labelled(
                stage=f"{number}-{selector.kind()}",
                seen=attempts.num_rows,
                kept=attempts.num_rows - reasons.total(),
                dropped=reasons.total(),
                reasons=dict(sorted(reasons.items())),
            )
        )
        attempts = attempts.filter(kept)
    return attempts, counts


def select_drops(run: Run) -> Iterator[Drop]:
    """The attempts that selection left out."""
    for path in sorted(run.labels.glob("select-*.parquet")):
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches():
                for row in pc.filter(batch, pc.invert(batch.column("kept"))).to_pylist():
                    yield Drop(
                        unit="attempt",
                        id=row["attempt_id"],
                        seq=row["seq"],
                        stage=path.stem,
                        reason=row["reason"],
                        evidence=json.loads(row["evidence"]),
                    )
