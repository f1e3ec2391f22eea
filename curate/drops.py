"""Drops on disk: every question, attempt or row that left the flow, with the stage and the reason.

Stages keep their own drops beside their labels; `drops.parquet` is their union, written when a run publishes.
"""

import json
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from curate.records import Drop

SCHEMA = pa.schema(
    [
        pa.field("unit", pa.string()),
        pa.field("id", pa.string()),
        pa.field("seq", pa.int64()),
        pa.field("stage", pa.string()),
        pa.field("reason", pa.string()),
        pa.field("evidence", pa.string()),
    ]
)
_BATCH = 10_000


class DropWriter:
    """Writes drops one by one; the file is there, whole, when `close` was called."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._partial = path.with_name(f".{path.name}.tmp")
        self._writer = pq.ParquetWriter(self._partial, SCHEMA, compression="zstd")
        self._batch: list[dict[str, object]] = []

    def add(self, drop: Drop) -> None:
        """Add one drop."""
        self._batch.append({**drop.model_dump(exclude={"evidence"}), "evidence": _text(drop)})
        if len(self._batch) >= _BATCH:
            self._cut()

    def close(self) -> None:
        """Write what is left and put the file in its place."""
        self._cut()
        self._writer.close()
        self._partial.replace(self._path)

    def _cut(self) -> None:
        self._writer.write_table(pa.Table.from_pylist(self._batch, SCHEMA))
        self._batch = []


def write_drops(path: Path, drops: Iterable[Drop]) -> None:
    """Write drops, read lazily, to a Parquet file."""
    writer = DropWriter(path)
    for drop in drops:
        writer.add(drop)
    writer.close()


def read_drops(path: Path) -> Iterable[Drop]:
    """Yield the drops of a file written by `write_drops`; none where there is no file."""
    if not path.exists():
        return
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(_BATCH):
            for row in batch.to_pylist():
                yield Drop(**{**row, "evidence": json.loads(row["evidence"])})


def _text(drop: Drop) -> str:
    return json.dumps(drop.evidence, ensure_ascii=False, sort_keys=True, default=str)
