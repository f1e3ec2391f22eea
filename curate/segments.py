"""Segments: the sealed part of a ledger partition, immutable folders of one Parquet file per kind of record.

Records stand in the order they were written, in row groups of about 1 MB: whoever reads in nearly that order decodes
each group once, and a single record costs one group. A folder appears whole (by rename) or not at all.
"""

import os
import shutil
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from curate.fault import point
from curate.journal import Journal, id_of
from curate.keyindex import KeyIndex

_GROUP_BYTES = 1 << 20
_CACHE_BYTES = 32 << 20
_OPEN_FILES = 16
_SCHEMA = pa.schema([("key", pa.binary(16)), ("tag", pa.string()), ("body", pa.binary())])


class Segments:
    """The sealed records of one partition. Damaged files are named in `damage` and read as far as they go."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.damage: list[str] = []
        self._names = sorted((p for p in folder.glob("segment-*") if p.suffix != ".tmp"), key=id_of)
        self._index: dict[str, KeyIndex] = {}
        self._files: OrderedDict[Path, tuple[pq.ParquetFile, Any]] = OrderedDict()
        self._groups: OrderedDict[tuple[Path, int], pa.Table] = OrderedDict()
        self._held = 0
        self._lock = threading.RLock()

    def ids(self) -> set[str]:
        """The ids of the segments, which are those of the journals they were made from."""
        return {id_of(path) for path in self._names}

    def add(self, path: Path) -> None:
        """Take in a segment that was just sealed."""
        with self._lock:
            self._names.append(path)
            for kind, index in self._index.items():
                index.add(len(self._names) - 1, self._keys(path / f"{kind}.parquet"))

    def have(self, kind: str, keys: Sequence[str]) -> set[str]:
        """Those of `keys` that a record of this kind has."""
        with self._lock:
            return {key for key, _, _ in self._indexed(kind).find(keys)}

    def get(self, kind: str, keys: Sequence[str]) -> list[tuple[str, str, bytes]]:
        """(key, tag, body) of each record of `keys`; of one that was replaced, the newest first."""
        with self._lock:
            found = []
            for key, segment, row in self._indexed(kind).find(keys):
                record = self._record(self._names[segment] / f"{kind}.parquet", row)
                if record is not None:
                    found.append((key, *record))
            return found

    def scan(self, kind: str, names: Iterable[Path] | None = None) -> Iterator[tuple[str, str, bytes]]:
        """(key, tag, body) of each record of a kind, in the order written; `names` are those of an earlier moment."""
        for folder in self.names() if names is None else names:
            path = folder / f"{kind}.parquet"
            for number in range(self._group_count(path)):
                table = self._group(path, number, keep=False)
                if table is not None:
                    columns = (table[name].to_pylist() for name in ("key", "tag", "body"))
                    for key, tag, body in zip(*columns, strict=True):
                        yield key.hex(), tag, body

    def names(self) -> list[Path]:
        """The folders of the segments, oldest first."""
        return list(self._names)

    def count(self, kind: str, names: Iterable[Path] | None = None) -> int:
        """Number of records of a kind."""
        with self._lock:
            opened = (self._open(f / f"{kind}.parquet") for f in (self._names if names is None else names))
            return sum(one[0].metadata.num_rows for one in opened if one)

    def _indexed(self, kind: str) -> KeyIndex:
        if kind not in self._index:
            index = KeyIndex()
            for number, folder in enumerate(self._names):
                index.add(number, self._keys(folder / f"{kind}.parquet"))
            self._index[kind] = index
        return self._index[kind]

    def _keys(self, path: Path) -> bytes:
        opened = self._open(path)
        if opened is None:
            return b""
        try:
            column = opened[0].read(columns=["key"])["key"].combine_chunks()
        except (OSError, pa.ArrowException) as error:
            self._report(path, error)
            return b""
        whole = column.buffers()[1].to_pybytes() if len(column) else b""
        return bytes(whole[column.offset * 16 : (column.offset + len(column)) * 16])

    def _record(self, path: Path, row: int) -> tuple[str, bytes] | None:
        opened = self._open(path)
        if opened is None:
            return None
        bounds = opened[1]
        number = int(np.searchsorted(bounds, row, "right")) - 1
        table = self._group(path, number, keep=True)
        if table is None:
            return None
        at = row - int(bounds[number])
        return table["tag"][at].as_py(), table["body"][at].as_py()

    def _group_count(self, path: Path) -> int:
        with self._lock:
            opened = self._open(path)
            return opened[0].num_row_groups if opened else 0

    def _group(self, path: Path, number: int, *, keep: bool) -> pa.Table | None:
        with self._lock:
            if (path, number) in self._groups:
                self._groups.move_to_end((path, number))
                return self._groups[path, number]
            opened = self._open(path)
            if opened is None:
                return None
            try:
                table = opened[0].read_row_group(number, use_threads=False)
            except (OSError, pa.ArrowException) as error:
                self._report(path, error)
                return None
            if keep and table.nbytes <= _CACHE_BYTES // 2:
                self._groups[path, number] = table
                self._held += table.nbytes
                while self._held > _CACHE_BYTES:
                    self._held -= self._groups.popitem(last=False)[1].nbytes
            return table

    def _open(self, path: Path) -> tuple[pq.ParquetFile, Any] | None:
        if path in self._files:
            self._files.move_to_end(path)
            return self._files[path]
        if not path.exists():
            return None  # a segment has files only for the kinds it holds
        try:
            file = pq.ParquetFile(path, page_checksum_verification=True)
            metadata = file.metadata
            sizes = [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]
        except (OSError, pa.ArrowException) as error:
            self._report(path, error)
            return None
        self._files[path] = (file, np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)]))
        if len(self._files) > _OPEN_FILES:
            self._files.popitem(last=False)[1][0].close()
        return self._files[path]

    def _report(self, path: Path, error: Exception) -> None:
        line = f"{path}: damaged, what it holds will be done again ({str(error).splitlines()[0][:120]})"
        if line not in self.damage:
            self.damage.append(line)


def seal(journal: Journal, folder: Path) -> Path:
    """Write the segment of a journal into `folder` and return its path, once it is durable. The journal stays."""
    made = folder / f"segment-{id_of(journal.path)}"
    draft = made.with_suffix(".tmp")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    try:
        for kind in journal.kinds():
            _write(draft / f"{kind}.parquet", journal.scan(kind))
        sync(draft)
        point("ledger.seal")
        draft.rename(made)
    except OSError:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    sync(folder)
    return made


def _write(path: Path, records: Iterable[tuple[str, str, bytes]]) -> None:
    options: dict[str, Any] = {"compression": "zstd", "use_dictionary": False, "write_page_checksum": True}
    with path.open("wb") as file:
        with pq.ParquetWriter(file, _SCHEMA, write_statistics=False, **options) as writer:
            for group in _grouped(records):
                columns = [[bytes.fromhex(one[0]) for one in group], [o[1] for o in group], [o[2] for o in group]]
                arrays = [pa.array(column, field.type) for column, field in zip(columns, _SCHEMA, strict=True)]
                writer.write_table(pa.Table.from_arrays(arrays, schema=_SCHEMA))
        file.flush()
        os.fsync(file.fileno())


def _grouped(records: Iterable[tuple[str, str, bytes]]) -> Iterator[list[tuple[str, str, bytes]]]:
    group: list[tuple[str, str, bytes]] = []
    size = 0
    for record in records:
        group.append(record)
        size += len(record[2]) + 32
        if size >= _GROUP_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


def sync(folder: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
