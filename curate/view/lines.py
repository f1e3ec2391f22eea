"""A shelf of JSON lines: one pass notes where each line starts, and rows are read from there.

A gzip file is unpacked into a temporary file on the way, since it cannot be entered in the middle.
"""

import codecs
import gzip
import tempfile
import zlib
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO

from curate.errors import InputError
from curate.sources.files import Place
from curate.sources.jsonl import parse
from curate.view.shelf import Facets, Shelf, turns_length

_BATCH = 256  # lines
_LOOKED_AT = 100  # rows whose columns count: a writer may leave out what a row does not have


class LinesShelf(Shelf):
    """A `.jsonl` or `.jsonl.gz` file; `texts` are the columns whose characters are counted in the one pass."""

    def __init__(self, path: Path, texts: Sequence[str], columns: Sequence[str]) -> None:
        self.name = str(path)
        self.columns = columns
        self._path, self._texts = path, texts
        self._starts = array("q")
        self._numbers = array("q")  # line numbers, for messages: blank lines are no rows
        self._lengths = array("q")
        self._lock = Lock()
        self._spool: Any = tempfile.TemporaryFile() if path.suffix == ".gz" else None  # noqa: SIM115 - `close` ends it
        self._file: BinaryIO = self._spool or path.open("rb")

    def facets(self, names: Sequence[str]) -> Iterator[Facets]:
        """As `Shelf.facets`; after it every row can be read and its length is known."""
        batch: list[list[str | None]] = []
        for row in self._pass():
            batch.append([None if row.get(name) is None else str(row[name]) for name in names])
            if len(batch) == _BATCH:
                yield _turned(names, batch)
                batch = []
        yield _turned(names, batch)

    def lengths(self, names: Sequence[str]) -> Iterator[list[int]]:
        """As `Shelf.lengths`, from the pass that `facets` made."""
        for start in range(0, len(self._lengths), 8192):
            yield self._lengths[start : start + 8192].tolist()

    def row(self, number: int) -> dict[str, Any]:
        """As `Shelf.row`."""
        with self._lock:
            self._file.seek(self._starts[number])
            line = self._file.readline()
        return _row(line, Place(self.name, self._numbers[number]))

    def close(self) -> None:
        """Close the file; the unpacked one goes with it."""
        self._file.close()

    def _pass(self) -> Iterator[dict[str, Any]]:
        start = number = 0
        try:
            with gzip.open(self._path) if self._spool else self._path.open("rb") as file:
                for number, line in enumerate(file, start=1):
                    if self._spool:
                        with self._lock:
                            self._spool.seek(start)
                            self._spool.write(line)
                    if not line.isspace():
                        row = _row(line, Place(self.name, number))
                        self._lengths.append(sum(_length(row.get(name)) for name in self._texts))
                        self._numbers.append(number)
                        self._starts.append(start)
                        yield row
                    start += len(line)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise InputError(
                f"the gzip data is damaged or ends too early ({error})", where=f"{self.name}:{number + 1}"
            ) from error


def first_columns(path: Path) -> list[str]:
    """The columns of the first rows. Raises InputError for an empty file, and where one of these rows is broken."""
    found: dict[str, None] = {}
    rows = 0
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.isspace():
                    found |= dict.fromkeys(_row(line, Place(str(path), number)))
                    rows += 1
                if rows == _LOOKED_AT:
                    break
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"not a gzip file: {error}", where=str(path), next="copy it again") from error
    if not rows:
        raise InputError("the file is empty", where=str(path), next="check that the right file is named")
    return list(found)


def _row(line: bytes, place: Place) -> dict[str, Any]:
    row = parse(line.removeprefix(codecs.BOM_UTF8), place)
    # JSON can spell half of a surrogate pair, which no page can hold.
    return _unicode(row) if b"\\ud" in line.lower() else row


def _unicode(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_unicode(item) for item in value]
    return {_unicode(name): _unicode(item) for name, item in value.items()} if isinstance(value, dict) else value


def _length(value: object) -> int:
    return len(value) if isinstance(value, str) else turns_length(value)


def _turned(names: Sequence[str], batch: list[list[str | None]]) -> Facets:
    return Facets(len(batch), {name: [line[place] for line in batch] for place, name in enumerate(names)})
