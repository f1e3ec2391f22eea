"""Opens the dataset that an audit reads: a file, a folder that `load_dataset` opens, or a hub id.

Rows come in order and one at a time, so that the size of the whole never counts.
"""

import gzip
import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from curate.errors import InputError
from curate.sources import jsonl, parquet
from curate.sources.files import empty, find
from curate.sources.hf import Hf
from curate.sources.row_reader import RawRow

PREFERRED = "metadata"  # the config with the columns of OpenThoughts
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_LINES = (".jsonl", ".jsonl.gz")
_LOOK = 100  # rows whose columns are looked at where no schema names them
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Dataset:
    """A readable dataset. `identity` changes with its content; `rows` reads the named columns, at least."""

    name: str
    columns: Sequence[str]
    identity: Any
    rows: Callable[[Sequence[str]], Iterator[Mapping[str, Any]]]
    count: Callable[[], int | None]  # rows, where that can be known without parsing them; may take minutes


def open_dataset(name: str, config: str | None = None) -> Dataset:
    """Open a `.jsonl`, `.jsonl.gz` or `.parquet` file, a dataset folder or a hub id; `config` is for the last two.

    Without `config`, `metadata` is taken where there is one. Raises InputError, Prerequisite.
    """
    path = Path(name)
    if path.is_dir():
        return _folder(path, config)
    if path.is_file():
        if name.endswith(_LINES):
            return _json_lines(name, [path])
        if path.suffix == ".parquet":
            return _parquet(name, [path])
        raise InputError("not a dataset file", where=name, next="expected .jsonl, .jsonl.gz or .parquet")
    if not _HUB_ID.fullmatch(name) or name.endswith((*_LINES, ".parquet")):
        find(path, ("",))  # raises the error that names what lies near
    return _loaded(Hf(path=name, config=config or _preferred(name), domain="any"), name)


def _folder(path: Path, config: str | None) -> Dataset:
    # The layout that we publish is read as Parquet: no cache is written, and rows of 200 MB stay one at a time.
    own = sorted((path / (config or PREFERRED)).glob("train-*.parquet"))
    if own:
        return _parquet(str(path), own)
    if (path / "recipe.lock.yaml").is_file():
        dataset = path / "dataset"
        follow = f"did you mean {dataset}?" if dataset.is_dir() else "nothing was published in it yet"
        raise InputError("this is the folder of a run, not a dataset", where=str(path), next=follow)
    folder = str(path.absolute())
    return _loaded(Hf(path=folder, config=config or _preferred(folder), domain="any"), str(path))


def _json_lines(name: str, paths: Sequence[Path]) -> Dataset:
    def rows(columns: Sequence[str]) -> Iterator[Mapping[str, Any]]:
        return _values(raw for path in paths for raw in jsonl.rows_of(path))

    def count() -> int:
        return sum(map(_lines, paths))

    known = dict.fromkeys(key for row in itertools.islice(rows(()), _LOOK) for key in row)
    if not known:
        raise empty(paths[0])
    return Dataset(name, list(known), _files(paths), rows, count)


def _parquet(name: str, paths: Sequence[Path]) -> Dataset:
    def rows(columns: Sequence[str]) -> Iterator[Mapping[str, Any]]:
        def chosen(known: list[str]) -> list[str]:
            return [column for column in known if column in columns]

        return _values(raw for path in paths for raw in parquet.rows_of(path, chosen))

    def count() -> int:
        return sum(pq.read_metadata(path).num_rows for path in paths)

    known: list[str] = []

    def look(names: list[str]) -> list[str]:
        known.extend(names)
        return []

    if next(parquet.rows_of(paths[0], look), None) is None and count() == 0:
        raise empty(paths[0])
    return Dataset(name, known, _files(paths), rows, count)


def _loaded(source: Hf, name: str) -> Dataset:
    def rows(columns: Sequence[str]) -> Iterator[Mapping[str, Any]]:
        return _values(source.rows())

    first = next(rows(()))  # an empty dataset raises
    return Dataset(name, list(first), [source.path, source.config, source.fingerprint()], rows, source.stated)


def _preferred(path: str) -> str | None:
    from datasets import get_dataset_config_names

    try:
        return PREFERRED if PREFERRED in get_dataset_config_names(path) else None
    except Exception:  # noqa: BLE001 - boundary to `datasets`: opening the dataset will say what is wrong
        return None


def _values(rows: Iterator[RawRow]) -> Iterator[Mapping[str, Any]]:
    for raw in rows:
        held = [raw.values]
        del raw
        yield held.pop()  # one row may hold 200 MB: only its taker decides when they are let go of


def _files(paths: Sequence[Path]) -> list[Any]:
    """What tells one state of files from another, without reading them: hashing 100 GB would take minutes."""
    stats = [path.stat() for path in paths]
    return [[str(path.absolute()), one.st_size, one.st_mtime_ns] for path, one in zip(paths, stats, strict=True)]


def _lines(path: Path) -> int:
    found, last = 0, b"\n"
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            found += chunk.count(b"\n")
            last = chunk[-1:]
    return found + (last != b"\n")
