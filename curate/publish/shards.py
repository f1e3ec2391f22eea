"""Writes one config as Parquet shards whose row groups and files are cut by bytes, never by row counts or workers.

The same rows in the same order give the same bytes under one pyarrow version, however they were batched.
"""

from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curate.errors import Failed
from curate.publish.reopen import Sums, plain, row_digest

# A reader holds one row group: the contract allows 64 MB; three configs are buffered at once here, each with a copy
# while a group is written, so 8 (100,000 small rows: peak RSS 40 MB below that of 16).
GROUP_BYTES = 8 << 20
# Arrow's `string` addresses 2^31 - 1 bytes in one array; a single row must stay below that.
ROW_BYTES_MAX = (1 << 31) - (1 << 20)
# Columns of few distinct values, where a dictionary saves space; texts would only pay for being hashed.
_REPEATED = {
    "system", "domain", "source", "licence", "finish_reason", "outcome", "reason", "verifier", "verifier_version",
    "model", "source_revision",
}  # fmt: skip


class Shards:
    """An open config: `add` takes tables of its rows in order, `close` writes what is buffered and ends the file."""

    def __init__(self, folder: Path, schema: pa.Schema, shard_bytes: int) -> None:
        self.schema = schema
        self.sums = Sums(schema.names)
        self._folder = folder
        self._shard_bytes = shard_bytes
        self._pending: list[pa.Table] = []
        self._pending_bytes = 0
        self._files = 0
        self._sink: BinaryIO | None = None
        self._writer: pq.ParquetWriter | None = None
        folder.mkdir()

    def add(self, table: pa.Table) -> None:
        """Append rows; raises Failed for a row that is too large for Arrow's string type."""
        start = 0
        for row, size in enumerate(_row_bytes(table).tolist()):
            if size > ROW_BYTES_MAX:
                raise Failed(
                    f"a row of {size >> 20} MB does not fit into a Parquet row",
                    where=f"{self._folder.name}, row {self.sums.rows + row}",
                    next="cut its test cases, or filter it out in the source",
                )
            if self._pending_bytes and self._pending_bytes + size > GROUP_BYTES:
                self._pending.append(table.slice(start, row - start))
                start = row
                self._cut()
            self._pending_bytes += size
        self._pending.append(table.slice(start))
        if self._pending_bytes >= GROUP_BYTES:  # full: a huge row is let go of before the next one is read
            self._cut()

    def close(self) -> None:
        """Write the last row group and end the last file; a config without rows is one file without rows."""
        self._cut()
        if self._files == 0:
            self._open()
        self._end()

    def abandon(self) -> None:
        """Let go of the file; what it holds no longer matters."""
        self._pending = []
        if self._writer is not None:
            self._writer.is_open = False  # or its destructor would go on writing
        if self._sink is not None:
            self._sink.close()

    def _cut(self) -> None:
        pending, self._pending, self._pending_bytes = self._pending, [], 0
        # One chunk per column: pages are cut per chunk, and batching must not show in the bytes.
        group = pa.concat_tables([part for part in pending if part.num_rows]).combine_chunks() if pending else None
        del pending
        if group is None or not group.num_rows:
            return
        if self._writer is None:
            self._open()
        assert self._writer is not None
        assert self._sink is not None
        self._writer.write_table(group, row_group_size=group.num_rows)
        self._count(group)
        del group
        pa.default_memory_pool().release_unused()
        if self._sink.tell() >= self._shard_bytes:
            self._end()

    def _count(self, group: pa.Table) -> None:
        self.sums.rows += group.num_rows
        for name in group.column_names:
            for chunk in group.column(name).chunks:
                self.sums.add_column(name, chunk)
        if self.sums.first is None:
            self.sums.first = _digest(group.slice(0, 1))
        self.sums.last = _digest(group.slice(group.num_rows - 1, 1))

    def _open(self) -> None:
        self._sink = (self._folder / f"train-{self._files:05d}.parquet").open("xb")
        # No statistics: they would copy the largest text of each group into the footer. No Arrow schema either: the
        # Parquet types alone say all, and older readers meet nothing that they do not know.
        self._writer = pq.ParquetWriter(
            self._sink,
            self.schema,
            compression="zstd",
            use_dictionary=[name for name in self.schema.names if name in _REPEATED],
            write_statistics=False,
            store_schema=False,
            data_page_version="2.0",  # a huge value is compressed without being copied first (measured: -200 MB)
        )
        self._files += 1

    def _end(self) -> None:
        if self._writer is not None and self._sink is not None:
            self._writer.close()
            self._sink.close()
        self._writer = self._sink = None


def _row_bytes(table: pa.Table) -> npt.NDArray[np.int64]:
    """Content bytes of each row: the UTF-8 length of its texts."""
    total = np.zeros(table.num_rows, dtype=np.int64)
    for column in table.columns:
        if pa.types.is_string(column.type):
            total += _lengths(column)
        elif pa.types.is_list(column.type):  # conversations: every row has the same number of turns
            values = pa.chunked_array([chunk.flatten().field("value") for chunk in column.chunks], pa.string())
            total += _lengths(values).reshape(table.num_rows, -1).sum(axis=1)
        else:
            total += 8
    return total


def _lengths(column: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    lengths: npt.NDArray[np.int64] = pc.fill_null(pc.binary_length(column), 0).to_numpy().astype(np.int64)
    return lengths


def _digest(row: pa.Table) -> str:
    return row_digest(plain(column[0]) for column in row.columns)
