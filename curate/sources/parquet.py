"""`kind: parquet`: Parquet files, read one row group at a time in batches cut by bytes.

Only the mapped columns are read. Memory is one batch (about 8 MB, or one row where that is larger) and what pyarrow
needs to decode it, whatever the size of the file.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field, model_validator

from curate.errors import InputError
from curate.keys import Operational, digest
from curate.kinds import Source
from curate.paths import RecipePath
from curate.records import Drop, Question
from curate.sources._first import First
from curate.sources.arrow import value_of
from curate.sources.columns import Columns
from curate.sources.files import Place, empty, find, fingerprint, stem, unreadable
from curate.sources.row_reader import RawRow, RowReader, need_domain
from curate.sources.values import WrongType

_SUFFIXES = (".parquet",)
_BATCH_BYTES = 8 << 20
_BATCH_ROWS = 1024


class Parquet(Source):
    """Questions from a Parquet file, a folder or a glob of them."""

    version: ClassVar[int] = 2
    path: Annotated[RecipePath, Operational()] = Field(description="A .parquet file, a folder or a glob.")
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
        reader = RowReader(self.columns, self.name or stem(self.path), self.domain, self.licence)
        return reader.read(lambda: self._rows(reader))

    def fingerprint(self) -> str:
        """A hash of the bytes of all files. Raises InputError."""
        return digest(self.name or stem(self.path), fingerprint(find(self.path, _SUFFIXES)))

    def rehearsal(self) -> Source:
        """The first rows of the user's own file: it is here, and reading them costs nothing."""
        return First(source=self)

    def _rows(self, reader: RowReader) -> Iterator[RawRow]:
        found = False
        for path in find(self.path, _SUFFIXES):
            for row in rows_of(path, partial(_chosen, path, reader)):
                found = True
                yield row
                del row
        if not found:
            raise empty(self.path)


def rows_of(path: Path, choose: Callable[[list[str]], list[str]]) -> Iterator[RawRow]:
    """The rows of one file as they stand, in order, with the columns that `choose` picks. Raises InputError."""
    number = 0
    try:
        # No pre-buffering: it would hold whole column chunks of a group, 1 GB in some published files.
        with pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20) as file:
            columns = choose(file.schema_arrow.names)
            for group in range(file.num_row_groups):
                size = _batch_size(file.metadata.row_group(group))
                for batch in file.iter_batches(size, row_groups=[group], columns=columns, use_threads=False):
                    for row in range(batch.num_rows):
                        number += 1
                        yield RawRow(Place(str(path), number), _values(batch, row, Place(str(path), number)))
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise unreadable(path, error) from None
        raise InputError(
            f"not a readable Parquet file: {str(error).splitlines()[0]}",
            where=f"{path}:{number + 1}",
            next="copy or download the file again",
        ) from None


def _values(batch: pa.RecordBatch, row: int, place: Place) -> dict[str, Any]:
    try:
        return {name: value_of(column[row]) for name, column in zip(batch.schema.names, batch.columns, strict=True)}
    except WrongType as error:
        raise InputError(str(error), where=str(place), next="mend the row in the source") from None
    except UnicodeDecodeError as error:
        raise InputError(
            f"not UTF-8: byte {error.start + 1} of a text is 0x{error.object[error.start]:02x}",
            where=str(place),
            next="mend the row in the source",
        ) from None


def _chosen(path: Path, reader: RowReader, known: list[str]) -> list[str]:
    reader.check(Place(str(path), 1), [dict.fromkeys(known)])
    mapped = set(reader.columns.mapped().values())
    return [name for name in known if name in mapped or name in {one.split(".")[0] for one in mapped}]


def _batch_size(group: pq.RowGroupMetaData) -> int:
    a_row = group.total_byte_size / max(1, group.num_rows)  # uncompressed bytes
    return max(1, min(_BATCH_ROWS, int(_BATCH_BYTES / max(1.0, a_row))))
