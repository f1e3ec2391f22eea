"""A recording: a file of answers that were given before, indexed once and then read answer by answer.

The index holds some 40 bytes an answer, whatever its length; texts are read from the file when they are wanted. What
cannot be read in place (.gz, Parquet) is unpacked once into a temporary file without a name.
"""

import gzip
import hashlib
import json
import os
import tempfile
import zlib
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic_core import from_json

from curate.errors import InputError, Stopped
from curate.sources.files import find, nearest, unreadable
from curate.sources.values import MISSING, NotUnicode, WrongType, label, lookup, names, plain

_SUFFIXES = (".jsonl", ".jsonl.gz", ".parquet")
_LONGEST = 1 << 28  # bytes of one line
_BATCH = 64  # Parquet rows in memory at a time


class Recording:
    """Answers by (key, sample). `column` holds the key, `sample` (default: the column of that name, if any) the number.

    Without a sample column equal keys count up from 0.

    Raises InputError, with file and line, for a file that is no recording.
    """

    def __init__(self, path: Path, column: str, sample: str | None) -> None:
        found = find(path, _SUFFIXES)
        if len(found) > 1:
            raise InputError(
                f"these are {len(found)} files", where=str(path), next="name one; give each its own teacher"
            )
        self.path = found[0]
        self.unkeyed = 0  # rows that name no question
        self._column = column
        self._sample = sample
        self._first: dict[str, Any] = {}
        self._high, self._low, self._nth = array("Q"), array("Q"), array("Q")
        self._offset, self._length, self._line = array("Q"), array("Q"), array("Q")
        try:
            self._file = self._index()
        except OSError as error:
            raise _disk(self.path, error) from error
        self._sort()

    def __len__(self) -> int:
        return len(self._rows)

    def has(self, column: str) -> bool:
        """Whether the first row has this column."""
        return lookup(self._first, column) is not MISSING

    def need(self, columns: Iterable[str]) -> None:
        """Raise InputError for a column that the first row does not have."""
        for name in columns:
            if not self.has(name):
                known = names(self._first)
                raise InputError(
                    f"there is no column '{name}'; {nearest(name, known)}columns: {', '.join(known)}",
                    where=str(self.path),
                )

    def find(self, key: str, sample: int) -> dict[str, Any] | None:
        """The row recorded for a key and sample; None if there is none. Any thread."""
        high, low = _hash(key)
        start, end = (int(np.searchsorted(self._keys, np.uint64(high), side)) for side in ("left", "right"))
        same = np.flatnonzero(self._rows["low"][start:end] == np.uint64(low)) + start
        for at in same[self._rows["nth"][same] == sample]:
            self._met[at] = True
            row = self._rows[at]
            text = os.pread(self._file.fileno(), int(row["length"]), int(row["offset"]))
            return _parse(text, f"{self.path}:{row['line']}")
        return None

    def unused(self) -> int:
        """Rows that nobody asked for: of no question, of a sample that is not asked for, or without a key."""
        return int(len(self._met) - self._met.sum()) + self.unkeyed

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _index(self) -> IO[bytes]:
        file, lines = _opened(self.path)
        for number, offset, text in lines:
            where = f"{self.path}:{number}"
            row = _parse(text, where)
            if not self._first:
                self._first = row
                if self._sample is None and self.has("sample"):
                    self._sample = "sample"
                self.need([self._column, *([self._sample] if self._sample else [])])
            value = lookup(row, self._column)
            if value is MISSING or value is None:
                self.unkeyed += 1
                continue
            high, low = _hash(_label(value, self._column, where))
            self._high.append(high)
            self._low.append(low)
            self._nth.append(self._number(row, where))
            self._offset.append(offset)
            self._length.append(len(text))
            self._line.append(number)
        if not self._first:
            raise InputError("holds no answers", where=str(self.path), next="check how the file was made")
        return file

    def _number(self, row: dict[str, Any], where: str) -> int:
        if self._sample is None:
            return 0
        value = lookup(row, self._sample)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**32:
            raise InputError(f"column '{self._sample}' must be a sample number from 0, found {value!r}", where=where)
        return value

    def _sort(self) -> None:
        high, low, nth = (np.frombuffer(column, np.uint64) for column in (self._high, self._low, self._nth))
        order = np.lexsort((np.arange(len(high)), nth, low, high))  # the last key is the first to sort by
        self._rows = np.zeros(
            len(order),
            [("high", "u8"), ("low", "u8"), ("offset", "u8"), ("length", "u4"), ("line", "u4"), ("nth", "u4")],
        )
        for name, column in (("offset", self._offset), ("length", self._length), ("line", self._line)):
            self._rows[name] = np.frombuffer(column, np.uint64)[order]
        self._rows["high"], self._rows["low"], self._rows["nth"] = high[order], low[order], nth[order]
        self._keys = self._rows["high"].copy()  # of its own: searching a field of the rows would copy it each time
        self._met = np.zeros(len(order), bool)
        same = (self._rows["high"][1:] == self._rows["high"][:-1]) & (self._rows["low"][1:] == self._rows["low"][:-1])
        if self._sample is None:
            places = np.arange(len(order))
            starts = (
                np.maximum.accumulate(np.where(np.concatenate([[False], same]), 0, places)) if len(order) else places
            )
            self._rows["nth"] = places - starts
        else:
            self._refuse_doubles(same & (self._rows["nth"][1:] == self._rows["nth"][:-1]))
        del self._high, self._low, self._nth, self._offset, self._length, self._line

    def _refuse_doubles(self, doubles: Any) -> None:
        if doubles.any():
            at = int(np.flatnonzero(doubles)[0])
            first, second = sorted(int(self._rows["line"][place]) for place in (at, at + 1))
            raise InputError(
                f"sample {self._rows['nth'][at]} of the same '{self._column}' stands also in line {first}",
                where=f"{self.path}:{second}",
                next="number the samples of a question from 0, or take the column out",
            )


_Lines = Iterator[tuple[int, int, bytes]]  # line number from 1, offset, text without its line end


def _opened(path: Path) -> tuple[IO[bytes], _Lines]:
    """The file that answers can be read from later, and its lines now; they are to be read to the end."""
    file = path.open("rb")
    start = file.read(4)
    file.seek(0)
    if start[:2] == b"\x1f\x8b":
        spool = _spool()
        return spool, _unpacked(spool, _gzip_lines(file, path))
    if start == b"PAR1":
        file.close()
        spool = _spool()
        return spool, _unpacked(spool, _parquet_lines(path))
    return file, _lines(file, path)


def _spool() -> IO[bytes]:
    return tempfile.TemporaryFile(prefix="veristill-")  # closed with its Recording


def _lines(file: IO[bytes], path: Path) -> _Lines:
    number = offset = 0
    while text := file.readline(_LONGEST):
        number += 1
        if len(text) == _LONGEST:
            raise InputError("the line is too long for an answer", where=f"{path}:{number}")
        if text.strip():
            yield number, offset, text.rstrip(b"\r\n")
        offset += len(text)


def _unpacked(spool: IO[bytes], lines: Iterable[tuple[int, bytes]]) -> _Lines:
    offset = 0
    for number, text in lines:
        spool.write(text)
        yield number, offset, text
        offset += len(text)
    spool.flush()


def _gzip_lines(file: IO[bytes], path: Path) -> Iterator[tuple[int, bytes]]:
    try:
        with file, gzip.open(file) as plain_file:
            for number, _, text in _lines(plain_file, path):  # type: ignore[arg-type]
                yield number, text
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"the gzip file is damaged: {error}", where=str(path)) from error


def _parquet_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    number = 0
    try:
        with pq.ParquetFile(path) as table:
            for batch in table.iter_batches(_BATCH):
                for row in batch.to_pylist():
                    number += 1
                    yield number, json.dumps(plain(row), ensure_ascii=False).encode()
    except (pa.ArrowException, NotUnicode) as error:
        raise InputError(f"this is no readable Parquet file: {error}", where=str(path)) from error


def _parse(text: bytes, where: str) -> dict[str, Any]:
    try:
        row = from_json(text, allow_inf_nan=True, cache_strings="keys")
    except ValueError:
        try:
            row = json.loads(text.decode())  # slower, but reads lone surrogates, which models do write
        except UnicodeDecodeError as error:
            raise InputError(f"is not UTF-8: byte {error.start} of the line", where=where) from None
        except (ValueError, RecursionError) as error:
            raise InputError(f"is not JSON: {error}", where=where, next="each line must be one JSON object") from None
    if not isinstance(row, dict):
        raise InputError("is not a JSON object", where=where, next="each line must be one JSON object")
    return row


def _label(value: Any, column: str, where: str) -> str:
    try:
        return label(value)
    except (WrongType, NotUnicode) as error:
        raise InputError(f"column '{column}': {error}", where=where) from None


def _hash(key: str) -> tuple[int, int]:
    found = hashlib.sha256(key.strip().encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(found[:8], "big"), int.from_bytes(found[8:16], "big")


def _disk(path: Path, error: OSError) -> InputError | Stopped:
    if error.errno in (28, 122):  # ENOSPC, EDQUOT: unpacking
        room = tempfile.gettempdir()
        return Stopped(f"there is no room to unpack {path.name}", where=room, next="set TMPDIR to a larger disk")
    return unreadable(path, error)
