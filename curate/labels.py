"""Label tables: what each cleaning stage thought of each question it saw, and which questions are still kept.

A stage never rewrites rows. Its table (`labels/<n>-<kind>.parquet`: seq, kept, reason, evidence) is kept while the
stage and everything before it are unchanged.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from curate.keys import digest
from curate.kinds import Label, Opinion
from curate.progress import Progress
from curate.questions import QuestionTable
from curate.records import Drop, Record
from curate.run import Run

_KEY = b"veristill.key"
_SCHEMA = pa.schema(
    [
        pa.field("seq", pa.int64()),
        pa.field("id", pa.string()),
        pa.field("kept", pa.bool_()),
        pa.field("reason", pa.string()),
        pa.field("evidence", pa.string()),
    ]
)


class Labelled(Record):
    """The counts of one label stage: `seen == kept + dropped` (law 3)."""

    stage: str
    seen: int
    kept: int
    dropped: int
    reasons: dict[str, int]
    reused: bool = False


class Kept:
    """Which `seq` are still in the flow: one byte a row."""

    def __init__(self, rows: int) -> None:
        self._mask: npt.NDArray[np.bool_] = np.zeros(rows, dtype=np.bool_)

    def set(self, seqs: Sequence[int], kept: bool) -> None:
        """Put rows in or out."""
        self._mask[np.asarray(seqs, dtype=np.int64)] = kept

    def __contains__(self, seq: int) -> bool:
        return bool(self._mask[seq])

    def __len__(self) -> int:
        return int(self._mask.sum())

    def only(self, table: pa.Table) -> pa.Table:
        """The rows of a table (with a `seq` column) still in the flow; not copied where that is all of them."""
        mask = self._mask[table.column("seq").to_numpy()]
        return table if mask.all() else table.filter(pa.array(mask))


def clean(
    run: Run, stages: Sequence[Label], rows: int, input_key: str, progress: Progress | None
) -> tuple[Kept, list[Labelled]]:
    """Run the cleaning stages over the questions table of `rows` rows read.

    Returns what is kept and the counts of each stage. `progress` None only reads: it ends before the first stage
    whose labels are not there, so that fewer counts than stages come back.
    """
    table = QuestionTable(run.questions)
    kept = Kept(rows)
    for group in table.groups(["seq"]):
        kept.set(group.column("seq").to_pylist(), True)
    counts: list[Labelled] = []
    key = input_key
    for number, stage in enumerate(stages):
        name = f"{number}-{stage.kind()}"
        key = digest("label", 1, stage.spec(), key)
        path = run.labels / f"{name}.parquet"
        reused = _key_of(path) == key
        if not reused:
            if progress is None:
                return kept, counts
            run.labels.mkdir(exist_ok=True)
            _label(stage, table, kept, path, key, progress)
        counts.append(_apply(path, name, kept, reused))
    if progress is not None:
        names = {f"{number}-{stage.kind()}.parquet" for number, stage in enumerate(stages)}
        for old in run.labels.glob("[0-9]*-*.parquet"):
            if old.name not in names:
                old.unlink()
    return kept, counts


def label_drops(run: Run, stages: Sequence[Label]) -> Iterator[Drop]:
    """The drops of the cleaning stages, stage by stage, in `seq` order."""
    for number, stage in enumerate(stages):
        name = f"{number}-{stage.kind()}"
        with pq.ParquetFile(run.labels / f"{name}.parquet") as file:
            for batch in file.iter_batches():
                for row in batch.to_pylist():
                    if not row["kept"]:
                        yield Drop(
                            unit="question",
                            id=row["id"],
                            seq=row["seq"],
                            stage=name,
                            reason=row["reason"],
                            evidence=json.loads(row["evidence"]),
                        )


def _label(stage: Label, table: QuestionTable, kept: Kept, path: Path, key: str, progress: Progress) -> None:
    columns = list(dict.fromkeys(["seq", "id", *stage.columns]))
    partial = path.with_name(f".{path.name}.tmp")
    schema = _SCHEMA.with_metadata({_KEY: key.encode()})
    groups: Iterator[pa.Table] = map(kept.only, table.groups(columns))
    if stage.whole:
        groups = iter([pa.concat_tables(list(groups))])
    with progress.stage(path.stem, len(kept)) as bar, pq.ParquetWriter(partial, schema, compression="zstd") as writer:
        for group in groups:
            opinions = stage.label(group)
            if len(opinions) != group.num_rows:
                raise TypeError(f"{stage.kind()} gave {len(opinions)} opinions on {group.num_rows} rows")
            writer.write_table(_table(group, opinions, schema))
            bar.advance(group.num_rows)
    partial.replace(path)


def _table(group: pa.Table, opinions: list[Opinion], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_arrays(
        [
            group.column("seq").combine_chunks(),
            group.column("id").combine_chunks(),
            pa.array([one.kept for one in opinions], pa.bool_()),
            pa.array([one.reason for one in opinions], pa.string()),
            pa.array([json.dumps(one.evidence, ensure_ascii=False, sort_keys=True) for one in opinions], pa.string()),
        ],
        schema=schema,
    )


def _apply(path: Path, name: str, kept: Kept, reused: bool) -> Labelled:
    reasons: Counter[str] = Counter()
    seen = 0
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(columns=["seq", "kept", "reason"]):
            seen += batch.num_rows
            for row in batch.filter(pa.array([not one for one in batch.column("kept").to_pylist()])).to_pylist():
                reasons[row["reason"] or "?"] += 1
                kept.set([row["seq"]], False)
    dropped = sum(reasons.values())
    return Labelled(
        stage=name,
        seen=seen,
        kept=seen - dropped,
        dropped=dropped,
        reasons=dict(sorted(reasons.items())),
        reused=reused,
    )


def _key_of(path: Path) -> str | None:
    if not path.exists():
        return None
    metadata = pq.read_schema(path).metadata or {}
    found: bytes | None = metadata.get(_KEY)
    return found.decode() if found else None
