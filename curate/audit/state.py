"""`OUT.state/`: what an audit has found so far, so that a killed one goes on; and the writing of OUT itself.

Findings are appended in row order as JSON lines: a kill loses none that was added, a power cut those of a second. A
state of another input, other options or other verifiers is of no use and is begun anew.
"""

import errno
import fcntl
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from io import FileIO
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, Self

import pyarrow as pa
import pyarrow.parquet as pq

from curate.errors import InputError, Stopped

SCHEMA = pa.schema(
    [
        pa.field("row", pa.int64()),
        pa.field("outcome", pa.string()),
        pa.field("reason", pa.string()),
        pa.field("verifier", pa.string()),
        pa.field("verifier_version", pa.string()),
        pa.field("evidence", pa.string()),
        pa.field("seconds", pa.float64()),
    ]
)
_OURS = "infrastructure"  # the reason of a row that is judged again
_SYNC_S = 1.0
_ROWS = 10_000  # of a row group


class Finding(NamedTuple):
    """One row's verdict, with what the summary counts it under."""

    row: int
    outcome: str
    reason: str
    verifier: str
    verifier_version: str
    evidence: str  # JSON text, keys sorted
    seconds: float  # of CPU
    domain: str
    source: str
    label: bool | None


class State:
    """The open state of the audit that writes `out`. Use as a context manager; one process at a time."""

    def __init__(self, out: Path, identity: dict[str, Any]) -> None:
        """`identity` names the input, the options and the verifiers. Raises InputError for an `out` of another sort."""
        if out.suffix not in (".jsonl", ".parquet"):
            raise InputError("the output must end in .jsonl or .parquet", where=str(out))
        if out.is_dir():
            raise InputError("the output is a folder", where=str(out), next="name a file")
        self._out = out
        self.folder = out.with_name(out.name + ".state")
        self._path = self.folder / "findings.jsonl"
        self._identity = json.dumps(identity, sort_keys=True, default=str)
        self._lock = -1
        self._file: FileIO | None = None  # unbuffered: what is written outlives this process
        self._synced = time.monotonic()
        self.restarted = False  # a state was there, of something else
        self._trouble = False  # of ours, in some row

    def __enter__(self) -> Self:
        self._open()
        return self

    def __exit__(self, *error: object) -> None:
        self._close()
        os.close(self._lock)

    def _close(self) -> None:
        if self._file is not None:
            self._sync()
            self._file.close()
            self._file = None

    def _open(self) -> None:
        known = self.folder / "audit.json"
        if self.folder.exists() and any(self.folder.iterdir()) and not (self.folder / "lock").exists():
            raise InputError("this folder is not the state of an audit", where=str(self.folder), next="move it away")
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise Stopped(
                "another audit is writing here", where=str(self._out), next="wait for it to end, or name another OUT"
            ) from None
        if not known.exists() or known.read_text("utf-8") != self._identity:
            self.restarted = known.exists()
            self._path.unlink(missing_ok=True)
            draft = self.folder / "audit.tmp"
            draft.write_text(self._identity, "utf-8")
            draft.replace(known)
        self._file = FileIO(self._path, "a")

    def resume(self, found: Callable[[Finding], None]) -> int:
        """Hand every finding that is kept to `found`; returns the number of the first row that is not.

        A torn line, and what comes after the first row that ended in trouble of ours, is let go of and done again.
        """
        assert self._file is not None
        kept = number = 0
        with self._path.open("rb") as lines:
            for line in lines:
                finding = _finding(line)
                if finding is None or finding.row != number or finding.reason == _OURS:
                    break
                found(finding)
                kept += len(line)
                number += 1
        self._file.truncate(kept)  # what is added goes to the end, wherever that is
        return number

    def add(self, finding: Finding) -> None:
        """Keep the next row's finding."""
        assert self._file is not None
        line = json.dumps(finding, ensure_ascii=False).encode() + b"\n"
        if self._file.write(line) < len(line):  # the next line would make a whole one of this
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._path))
        self._trouble = self._trouble or finding.reason == _OURS
        if time.monotonic() - self._synced > _SYNC_S:
            self._sync()

    def complete(self) -> None:
        """Write OUT, all or nothing, and remove the state; where trouble of ours left rows open it stays, to go on."""
        self._close()
        draft = self.folder / f"out{self._out.suffix}"
        write = _write_lines if self._out.suffix == ".jsonl" else _write_parquet
        with self._path.open("rb") as lines:
            write(map(_row, lines), draft)
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        draft.replace(self._out)
        if not self._trouble:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _sync(self) -> None:
        assert self._file is not None
        os.fsync(self._file.fileno())
        self._synced = time.monotonic()


def _finding(line: bytes) -> Finding | None:
    if not line.endswith(b"\n"):
        return None
    try:
        return Finding(*json.loads(line))
    except (ValueError, TypeError):
        return None


def _row(line: bytes) -> dict[str, Any]:
    return dict(zip(SCHEMA.names, json.loads(line), strict=False))  # a finding begins with OUT's columns


def _write_lines(rows: Iterator[dict[str, Any]], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _write_parquet(rows: Iterator[dict[str, Any]], path: Path) -> None:
    with pq.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
        while part := list(islice(rows, _ROWS)):
            writer.write_table(pa.Table.from_pylist(part, SCHEMA))
