"""Where the rows of a known set come from: files here, the hub, and bundled rows with the hub's types."""

import itertools
from collections.abc import Iterable, Iterator, Sequence, Set
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.errors import InputError
from curate.sources import jsonl, parquet
from curate.sources.features import Features, arrow_type
from curate.sources.files import empty
from curate.sources.hf import Hf
from curate.sources.row_reader import RawRow

if TYPE_CHECKING:
    import pyarrow as pa


class KnownHub(Hf):
    """A set of the hub whose columns are known: only those are read, and nothing is guessed of their types."""

    types: dict[str, Any]

    def _reading(self, form: str) -> dict[str, Any]:
        if form == "parquet":
            return {"columns": list(self.types)}
        from datasets import Features as Declared

        return {"features": Declared.from_arrow_schema(schema(self.types))}


def schema(features: Features) -> "pa.Schema":
    """The Arrow schema of declared columns."""
    import pyarrow as pa

    return pa.schema([pa.field(name, arrow_type(kind)) for name, kind in features.items()])


def typed(declared: Sequence[Features], rows: Iterable[RawRow]) -> Iterator[RawRow]:
    """Rows of JSON, each with the types of the columns that it has; a wrong type or other columns: InputError."""
    import pyarrow as pa

    for raw in rows:
        features = next((one for one in declared if one.keys() == raw.values.keys()), None)
        if features is None:
            strange = ", ".join(sorted(raw.values.keys() ^ declared[0].keys()))
            raise InputError(f"not the declared columns: {strange}", where=str(raw.place))
        try:
            (values,) = pa.Table.from_pylist([dict(raw.values)], schema=schema(features)).to_pylist()
        except (pa.ArrowException, TypeError) as error:
            raise InputError(f"not of the declared types: {error}", where=str(raw.place)) from None
        yield RawRow(raw.place, values)


def rows_of(path: Path, needed: Set[str]) -> Iterator[RawRow]:
    """The rows of a file; of a Parquet file that has all of the `needed` columns, these alone. Raises InputError."""

    def choose(known: list[str]) -> list[str]:
        return [name for name in known if name in needed] if needed and needed <= set(known) else known

    rows = parquet.rows_of(path, choose) if path.name.endswith(".parquet") else jsonl.rows_of(path)
    first = next(rows, None)
    if first is None:
        raise empty(path)
    return itertools.chain([first], rows)
