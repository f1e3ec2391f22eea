"""`kind: jsonl`: JSON lines (`.jsonl`, `.jsonl.gz`), one object a line, read line by line.

A line is held once as bytes and once as values, never the file: 200 MB of tests in one row are read in 400 MB.
"""

import gzip
import json
import zlib
from collections.abc import Iterator
from io import BufferedIOBase
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator
from pydantic_core import from_json

from curate.errors import InputError
from curate.keys import Operational, digest
from curate.kinds import Source
from curate.paths import RecipePath
from curate.records import Drop, Question
from curate.sources._first import First
from curate.sources.columns import Columns
from curate.sources.files import Place, empty, find, fingerprint, stem, unreadable
from curate.sources.row_reader import RawRow, RowReader, need_domain
from curate.sources.values import integer

_SUFFIXES = (".jsonl", ".jsonl.gz")
_LONGEST = 1 << 30  # bytes; a longer "line" is no JSON lines file, and could not be held
_LARGE = 16 << 20
_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"


class Jsonl(Source):
    """Questions from a file, a folder or a glob of JSON lines."""

    version: ClassVar[int] = 2
    path: Annotated[RecipePath, Operational()] = Field(description="A .jsonl or .jsonl.gz file, a folder or a glob.")
    name: str | None = Field(None, description="The source's name in the dataset; by default the file's own.")
    domain: str | None = Field(None, description="The domain of rows that name none.")
    licence: str | None = Field(None, description="The licence of rows that name none.")
    columns: Columns = Columns()

    @model_validator(mode="after")
    def _domain(self) -> Self:
        need_domain(self.domain, self.columns)
        return self

    def read(self) -> Iterator[Question | Drop]:
        """Yield the questions, file by file in sorted order. Raises InputError."""
        return self._reader().read(self._rows)

    def fingerprint(self) -> str:
        """A hash of the bytes of all files. Raises InputError."""
        return digest(self._reader().name, fingerprint(find(self.path, _SUFFIXES)))

    def rehearsal(self) -> Source:
        """The first rows of the user's own file: it is here, and reading them costs nothing."""
        return First(source=self)

    def _reader(self) -> RowReader:
        return RowReader(self.columns, self.name or stem(self.path), self.domain, self.licence)

    def _rows(self) -> Iterator[RawRow]:
        found = False
        for path in find(self.path, _SUFFIXES):
            for row in rows_of(path):
                found = True
                yield row
                del row
        if not found:
            raise empty(self.path)


def parse(line: bytes | str, place: Place) -> dict[str, Any]:
    """The object on a line. Raises InputError naming the line and, where it breaks, the column or byte."""
    try:
        value = json.loads(line) if isinstance(line, str) else from_json(line)
    except ValueError:
        value = _parse_strictly(line, place)  # lone surrogates are rows that we drop; the rest gets an exact message
    if not isinstance(value, dict):
        shown = "a list" if isinstance(value, list) else type(value).__name__
        raise InputError(
            f"expected a JSON object, found {shown}",
            where=str(place),
            next="write one object a line (a file that is one JSON list must be split first)",
        )
    return value


def _parse_strictly(line: bytes | str, place: Place) -> Any:
    try:
        content = line if isinstance(line, str) else line.decode("utf-8")
        return json.loads(content.rstrip("\r\n"), parse_int=integer)
    except UnicodeDecodeError as error:
        what, follow = f"not UTF-8: byte {error.start + 1} of the line is 0x{line[error.start]:02x}", "save it as UTF-8"
    except json.JSONDecodeError as error:
        what, follow = f"broken JSON at column {error.colno}: {error.msg}", "mend the line, or take it out"
    except (ValueError, RecursionError) as error:
        what, follow = f"JSON that cannot be read: {error}", "mend the line, or take it out"
    asked = "is this a JSON lines file? " if place.number == 1 else ""
    raise InputError(what, where=str(place), next=asked + follow)


def rows_of(path: Path) -> Iterator[RawRow]:
    """The rows of one file as they stand, in order. Raises InputError."""
    number = 0
    try:
        with _open(path) as file:
            while line := file.readline(_LONGEST):
                number += 1
                if len(line) == _LONGEST:
                    raise InputError(
                        f"the line is longer than {_LONGEST >> 20} MB",
                        where=f"{path}:{number}",
                        next="write one JSON object a line",
                    )
                if number == 1 and line.startswith(_BOM):
                    line = line[len(_BOM) :]
                if line.isspace() or not line:
                    continue
                # A row may hold 200 MB. jiter needs a buffer of that size beside the bytes; text that is pure ASCII is
                # parsed without one, and replaces the bytes. No copy outlives its use.
                content = line.decode("ascii") if len(line) > _LARGE and line.isascii() else line
                del line
                row = RawRow(Place(str(path), number), parse(content, Place(str(path), number)))
                del content
                yield row
                del row
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(
            f"the gzip data is damaged or ends too early ({error})",
            where=f"{path}:{number + 1}",
            next="copy or download the file again",
        ) from None
    except OSError as error:
        raise unreadable(path, error) from None


def _open(path: Path) -> BufferedIOBase:
    with path.open("rb") as file:
        zipped = file.read(2) == _GZIP
    return gzip.GzipFile(path) if zipped else path.open("rb")
