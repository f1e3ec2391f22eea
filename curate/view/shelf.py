"""Shelves: rows of a dataset by number, read when they are asked for, and its small columns in one pass.

A shelf never holds a dataset: memory is bounded by one row group (or one batch, where a file has huge groups).
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curate.errors import InputError

UNLISTED: Final = "test_cases"  # up to hundreds of megabytes a row: never scanned, shown only where it is small
_GROUP_BYTES = 128 << 20  # uncompressed; larger row groups are walked in batches instead of being read whole
_TESTS_BYTES = 64 << 20  # of a row group's tests; larger ones are not shown
_BATCH = 64  # rows; a trace is up to 130 KB


class Facets(NamedTuple):
    """A batch of small columns; null is None."""

    rows: int
    columns: dict[str, list[str | None]]


class Shelf(ABC):
    """The rows of one dataset. `row` may be called from any thread, while a scan runs in another."""

    name: str
    columns: Sequence[str]

    @abstractmethod
    def facets(self, names: Sequence[str]) -> Iterator[Facets]:
        """Batches of the named small columns, in row order. Raises InputError for a broken row."""

    @abstractmethod
    def lengths(self, names: Sequence[str]) -> Iterator[list[int]]:
        """Batches of the characters that the named text columns hold together, in row order."""

    @abstractmethod
    def row(self, number: int) -> dict[str, Any]:
        """The row `number`, counted from 0. Raises InputError where it cannot be read."""

    def close(self) -> None:
        """Let go of files."""
        return


class ParquetShelf(Shelf):
    """Parquet files, in order. They stay open, so that a dataset replaced meanwhile can still be read."""

    def __init__(self, name: str, paths: Sequence[Path]) -> None:
        self.name = name
        self._files = [_opened(path) for path in paths]
        self.columns = self._files[0].schema_arrow.names
        # One entry a row group: the number of its first row, its file and its number there.
        self._starts: list[int] = []
        self._places: list[tuple[pq.ParquetFile, int]] = []
        rows = 0
        for file in self._files:
            for group in range(file.num_row_groups):
                self._starts.append(rows)
                self._places.append((file, group))
                rows += file.metadata.row_group(group).num_rows
        self.rows = rows
        self._lock = Lock()
        self._held: tuple[int, pa.Table] | None = None

    def facets(self, names: Sequence[str]) -> Iterator[Facets]:
        """As `Shelf.facets`: reads these columns alone."""
        for file in self._files:
            for batch in file.iter_batches(batch_size=8192, columns=list(names), use_threads=False):
                yield Facets(batch.num_rows, {name: _words(batch.column(name)) for name in names})

    def lengths(self, names: Sequence[str]) -> Iterator[list[int]]:
        """As `Shelf.lengths`: decompresses the texts, a batch at a time."""
        for file in self._files:
            for batch in file.iter_batches(batch_size=_BATCH, columns=list(names), use_threads=False):
                yield characters([batch.column(name) for name in names], batch.num_rows)

    def row(self, number: int) -> dict[str, Any]:
        """As `Shelf.row`; the tests come only where they are small."""
        place = int(np.searchsorted(self._starts, number, side="right")) - 1
        file, group = self._places[place]
        about = file.metadata.row_group(group)
        names = [name for name in self.columns if name != UNLISTED or _size(about, name) < _TESTS_BYTES]
        offset = number - self._starts[place]
        try:
            with self._lock:
                if about.total_byte_size > _GROUP_BYTES:
                    return _walked(file, group, names, offset)
                if self._held is None or self._held[0] != place:
                    self._held = None  # one group in memory, never two
                    self._held = (place, file.read_row_group(group, columns=names))
                return _plain(self._held[1].slice(offset, 1))
        except (pa.ArrowException, OSError) as error:
            raise InputError(f"row {number} cannot be read: {error}", where=self.name) from error

    def close(self) -> None:
        """Close the files."""
        for file in self._files:
            file.close()


class LoadedShelf(Shelf):
    """A dataset that `datasets` has opened: Arrow files on the disk, mapped."""

    def __init__(self, name: str, data: Any) -> None:
        self.name = name
        self._data = data
        self.columns = list(data.column_names)
        self.rows = len(data)

    def facets(self, names: Sequence[str]) -> Iterator[Facets]:
        """As `Shelf.facets`."""
        if not names:
            yield Facets(self.rows, {})
            return
        for batch in self._tables(names, 8192):
            yield Facets(batch.num_rows, {name: _words(batch.column(name)) for name in names})

    def lengths(self, names: Sequence[str]) -> Iterator[list[int]]:
        """As `Shelf.lengths`."""
        for batch in self._tables(names, _BATCH):
            yield characters([batch.column(name) for name in names], batch.num_rows)

    def row(self, number: int) -> dict[str, Any]:
        """As `Shelf.row`."""
        return dict(self._data[number])

    def _tables(self, names: Sequence[str], size: int) -> Iterator[Any]:
        return iter(self._data.select_columns(list(names)).with_format("arrow").iter(batch_size=size))


def characters(columns: Sequence[Any], rows: int) -> list[int]:
    """Characters per row over text columns and columns of `{from, value}` turns; null counts 0."""
    total = np.zeros(rows, dtype=np.int64)
    for column in columns:
        chunk = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        total += _string_lengths(chunk) if _is_text(chunk.type) else _turn_lengths(chunk.to_pylist())
    found: list[int] = total.tolist()
    return found


def turns_length(turns: object) -> int:
    """Characters in a list of `{from, value}` turns; anything else counts 0."""
    if not isinstance(turns, list):
        return 0
    texts = [turn.get("value") for turn in turns if isinstance(turn, Mapping)]
    return sum(len(text) for text in texts if isinstance(text, str))


def _turn_lengths(values: Sequence[object]) -> "np.ndarray[Any, np.dtype[np.int64]]":
    return np.array([turns_length(value) for value in values], dtype=np.int64)


def _string_lengths(chunk: Any) -> "np.ndarray[Any, np.dtype[np.int64]]":
    found: np.ndarray[Any, np.dtype[np.int64]] = pc.fill_null(pc.utf8_length(chunk), 0).to_numpy(zero_copy_only=False)
    return found.astype(np.int64)


def _is_text(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _words(column: Any) -> list[str | None]:
    return [value if value is None or isinstance(value, str) else str(value) for value in column.to_pylist()]


def _opened(path: Path) -> pq.ParquetFile:
    try:
        # Buffered: a column chunk is then read piece by piece, not whole.
        return pq.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False)
    except pa.ArrowInvalid as error:
        raise InputError(f"not a Parquet file: {error}", where=str(path), next="copy or write it again") from error


def _size(about: Any, name: str) -> int:
    """Uncompressed bytes of a top-level column in a row group."""
    columns = (about.column(number) for number in range(about.num_columns))
    return sum(column.total_uncompressed_size for column in columns if column.path_in_schema.split(".")[0] == name)


def _walked(file: pq.ParquetFile, group: int, names: list[str], offset: int) -> dict[str, Any]:
    for batch in file.iter_batches(batch_size=_BATCH, row_groups=[group], columns=names, use_threads=False):
        if offset < batch.num_rows:
            return _plain(pa.Table.from_batches([batch.slice(offset, 1)]))
        offset -= batch.num_rows
    raise InputError("the row group is shorter than the file says")


def _plain(table: pa.Table) -> dict[str, Any]:
    found: dict[str, Any] = table.to_pylist()[0]
    return found
