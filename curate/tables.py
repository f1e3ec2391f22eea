"""What verbs that take FILE and write OUT share: reading named text columns in batches, and OUT with its state.

OUT is written all or nothing. Until then `OUT.state/` holds what was found, one JSON line a row in row order: a kill
loses none that was added, a power cut those of a second. A state of another input or other options is begun anew.
"""

import errno
import fcntl
import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from io import FileIO
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from curate.errors import InputError, Stopped
from curate.sources.files import nearest

if TYPE_CHECKING:
    import pyarrow as pa

    from curate.audit.datasets import Dataset

# Where a file of questions mostly has them, in the order in which they are looked for.
QUESTIONS = ("problem", "question", "prompt", "query", "instruction", "text", "Problem", "Question")
_SYNC_S = 1.0
_ROWS = 10_000  # of a row group of OUT
_BATCH_ROWS, _BATCH_CHARS = 1024, 4 << 20


class Batch(NamedTuple):
    """Rows `start`, `start` + 1, ... of a table: of each named column its texts, None where there is none."""

    start: int
    texts: dict[str, list[str | None]]


def batches(dataset: "Dataset", columns: Sequence[str], start: int = 0) -> Iterator[Batch]:
    """Read text columns from row `start` on, in order: at most 1,024 rows or 4 M characters, or one row, at a time.

    Numbers count as their text. Raises InputError for a column that is not there or holds something else.
    """
    need_columns(dataset, columns)
    rows = dataset.rows(columns)
    held: dict[str, list[str | None]] = {name: [] for name in columns}
    begin, chars = start, 0
    for number, row in enumerate(rows):
        if number < start:
            continue
        for name in columns:
            text = _text(row.get(name), dataset.name, number, name)
            held[name].append(text)
            chars += len(text or "")
        if number + 1 - begin >= _BATCH_ROWS or chars >= _BATCH_CHARS:
            yield Batch(begin, held)
            held, begin, chars = {name: [] for name in columns}, number + 1, 0
    if any(held.values()):
        yield Batch(begin, held)


def need_columns(dataset: "Dataset", columns: Sequence[str]) -> None:
    """Raise InputError for a column that the table does not have."""
    for name in columns:
        if name not in dataset.columns:
            shown = ", ".join(map(str, list(dataset.columns)[:30]))
            raise InputError(
                f"there is no column '{name}'",
                where=dataset.name,
                next=f"{nearest(name, dataset.columns)}it has: {shown}",
            )


def question_column(dataset: "Dataset", by: str = "--column") -> str:
    """The first of `QUESTIONS` that the table has. Raises InputError where it has none, with what names one (`by`)."""
    found = next((name for name in QUESTIONS if name in dataset.columns), None)
    if found is None:
        shown = ", ".join(map(str, list(dataset.columns)[:30]))
        raise InputError("which column holds the texts?", where=dataset.name, next=f"say it with {by}; it has: {shown}")
    return found


def _text(value: Any, name: str, row: int, column: str) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return str(value)
    raise InputError(
        f"'{column}' holds no text but a {type(value).__name__}", where=f"{name}, row {row}", next="name a text column"
    )


def distinct_files(given: str, out: Path) -> None:
    """Raise InputError where the output is the input."""
    source = Path(given)
    if out.exists() and source.exists() and out.samefile(source):
        raise InputError("the output is the input", where=str(out), next="name another file")


class State:
    """The open state of the verb that writes `out`. Use as a context manager; one process at a time.

    A record is a list of JSON values that begins with its row number and goes on with OUT's columns; what comes after
    those is the verb's own.
    """

    def __init__(self, out: Path, verb: str, identity: dict[str, Any], schema: "pa.Schema") -> None:
        """`identity` names the input and all that decides a record. Raises InputError for an `out` of another sort."""
        if out.suffix not in (".jsonl", ".parquet"):
            raise InputError("the output must end in .jsonl or .parquet", where=str(out))
        if out.is_dir():
            raise InputError("the output is a folder", where=str(out), next="name a file")
        self._out, self._verb, self._schema = out, verb, schema
        self.folder = out.with_name(out.name + ".state")
        self._path = self.folder / "findings.jsonl"
        self._identity = json.dumps(identity, sort_keys=True, default=str)
        self._lock = -1
        self._file: FileIO | None = None  # unbuffered: what is written outlives this process
        self._synced = time.monotonic()
        self.restarted = False  # a state was there, of something else

    def __enter__(self) -> Self:
        self._open()
        return self

    def __exit__(self, *error: object) -> None:
        self._close()
        os.close(self._lock)

    def _close(self) -> None:
        if self._file is not None:
            self.sync()
            self._file.close()
            self._file = None

    def _open(self) -> None:
        known = self.folder / f"{self._verb}.json"
        if self.folder.exists() and any(self.folder.iterdir()) and not (self.folder / "lock").exists():
            raise InputError(
                f"this folder is not the state of {_an(self._verb)}", where=str(self.folder), next="move it away"
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise Stopped(
                f"another {self._verb} is writing here",
                where=str(self._out),
                next="wait for it to end, or name another OUT",
            ) from None
        if not known.exists() or known.read_text("utf-8") != self._identity:
            self.restarted = known.exists()
            for old in self.folder.iterdir():
                if old.name != "lock":
                    old.unlink()
            draft = self.folder / "draft.tmp"
            draft.write_text(self._identity, "utf-8")
            draft.replace(known)
        self._file = FileIO(self._path, "a")

    def resume(self, take: Callable[[list[Any]], bool]) -> int:
        """Hand every record that is kept to `take`; returns the number of the first row that has none.

        A torn line, and what comes after the first record that `take` refuses, is let go of and done again.
        """
        assert self._file is not None
        kept = number = 0
        with self._path.open("rb") as lines:
            for line in lines:
                record = _record(line)
                if record is None or record[0] != number or not take(record):
                    break
                kept += len(line)
                number += 1
        self._file.truncate(kept)  # what is added goes to the end, wherever that is
        return number

    def add(self, record: Sequence[Any]) -> None:
        """Keep the next row's record."""
        self.add_many([record])

    def add_many(self, records: Sequence[Sequence[Any]]) -> None:
        """Keep the next rows' records: one write for many."""
        assert self._file is not None
        lines = b"".join(_bytes(json.dumps(record, ensure_ascii=False)) + b"\n" for record in records)
        if self._file.write(lines) < len(lines):  # the next line would make a whole one of this
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._path))
        if time.monotonic() - self._synced > _SYNC_S:
            self.sync()

    def complete(self, *, keep: bool = False) -> None:
        """Write OUT, all or nothing, and remove the state, unless it is to be kept so that the verb can go on."""
        self._close()
        with self._path.open("rb") as lines:
            self.write(map(json.loads, lines), keep=keep)

    def write(self, records: Iterable[Sequence[Any]], *, keep: bool = False) -> None:
        """The same with records that the state does not hold, in row order: of a verb that keeps something else."""
        draft = self.folder / f"out{self._out.suffix}"
        rows = (dict(zip(self._schema.names, record, strict=False)) for record in records)
        if self._out.suffix == ".jsonl":
            _write_lines(rows, draft)
        else:
            _write_parquet(rows, draft, self._schema)
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        draft.replace(self._out)
        if not keep:
            for one in self.folder.iterdir():
                if one.name != "lock":  # it goes last: a folder without it is taken for someone else's
                    one.unlink(missing_ok=True)
            shutil.rmtree(self.folder, ignore_errors=True)

    def sync(self) -> None:
        """Make durable what was added."""
        assert self._file is not None
        os.fsync(self._file.fileno())
        self._synced = time.monotonic()


def _an(verb: str) -> str:
    return f"an {verb}" if verb[0] in "aeiou" else f"a {verb}"


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")  # a lone surrogate of a text must not end the work


def _record(line: bytes) -> list[Any] | None:
    if not line.endswith(b"\n"):
        return None
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, list) and record else None


def _write_lines(rows: Iterator[dict[str, Any]], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _write_parquet(rows: Iterator[dict[str, Any]], path: Path, schema: "pa.Schema") -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        while part := list(islice(rows, _ROWS)):
            writer.write_table(pa.Table.from_pylist(part, schema))
