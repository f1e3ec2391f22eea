"""The journal: the young part of a ledger partition, one SQLite file (WAL) that survives `kill -9` and power loss.

One thread writes it (`curate.partition`); any thread may read what is committed. It knows nothing of segments.
"""

import contextlib
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import zstandard

from curate.fault import point
from curate.wal import commits_in_wal


class Entry(NamedTuple):
    """One immutable record: `kind` (`sent`, `reply`, `verdict`, `trouble`), `key` (32 hex digits), `tag`, `body`.

    (kind, key, tag) is unique. The tag of a `sent` is its send id, of a `reply` the token cap it was asked under, of a
    `verdict` nothing, of a call's `trouble` the send id that failed.
    """

    kind: str
    key: str
    tag: str
    body: bytes


_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS entries (seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, key BLOB NOT NULL,"
    " tag TEXT NOT NULL, body BLOB NOT NULL, UNIQUE (kind, key, tag))"
)
_PAGE = 256  # records read at a time: a long read transaction would keep the WAL from being reused
_MANY = 500  # keys in one IN (...); SQLite's own limit was 999 for long


class Journal:
    """One journal file, read and written, or only read. Raises sqlite3.Error where the file or its disk is sick."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        self.damage: list[str] = []
        self.rows = 0
        self.bytes = 0
        self._lock = threading.Lock()  # one read connection, any thread
        self._damaged: set[tuple[bytes, str]] = set()
        self._zip = zstandard.ZstdCompressor(level=3, write_checksum=True)
        self._copy: tempfile.TemporaryDirectory[str] | None = None
        self._write: sqlite3.Connection | None = None
        if read_only:
            self._read = self._connect_read_only()
        else:
            commits = commits_in_wal(path)
            self._write = _connect(str(path))
            self._write.execute("PRAGMA journal_mode=WAL")
            self._write.execute("PRAGMA synchronous=FULL")
            self._write.execute(_SCHEMA)
            self._note_lost(commits)
            self._read = _connect(str(path))
        self._check()

    def _connect_read_only(self) -> sqlite3.Connection:
        address = self.path.absolute().as_uri() + "?mode=ro"
        try:
            found = _connect(address, uri=True)
            found.execute("SELECT count(*) FROM sqlite_master").fetchone()
            return found
        except sqlite3.OperationalError:
            # A WAL file on a disk that we may not write to cannot be opened in place: read a copy.
            self._copy = tempfile.TemporaryDirectory(prefix="veristill-")
            for source in (self.path, self.path.with_name(self.path.name + "-wal")):
                if source.exists():
                    shutil.copy(source, self._copy.name)
            return _connect(str(Path(self._copy.name) / self.path.name))

    def _note_lost(self, commits: list[int]) -> None:
        assert self._write is not None
        valid = self._write.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()[1]
        lost = sum(1 for frame in commits if frame > valid)
        if lost:
            self.damage.append(f"{self.path}: its end is damaged: {lost} commits are lost and will be done again")

    def _check(self) -> None:
        with self._lock:
            if not self._read.execute("SELECT 1 FROM sqlite_master WHERE name = 'entries'").fetchone():
                # Its writer died before the table was there: to a reader an empty one of its own is the same.
                self._read.execute(_SCHEMA.replace("CREATE TABLE", "CREATE TEMP TABLE"))
            found = self._read.execute("PRAGMA quick_check(1)").fetchone()[0]
            if found != "ok":
                raise sqlite3.DatabaseError(str(found))
            rows, size = self._read.execute("SELECT count(*), coalesce(sum(length(body)), 0) FROM entries").fetchone()
        self.rows, self.bytes = int(rows), int(size)

    def commit(self, entries: Sequence[Entry]) -> None:
        """Write all of them durably, or none. One that exists stays as it is; a `trouble` replaces the older one."""
        assert self._write is not None
        rows = [(e.kind, bytes.fromhex(e.key), e.tag, self._zip.compress(e.body)) for e in entries]
        self._write.execute("BEGIN IMMEDIATE")
        try:
            for row in rows:
                how = "REPLACE" if row[0] == "trouble" or row[1:3] in self._damaged else "IGNORE"
                self._write.execute(f"INSERT OR {how} INTO entries (kind, key, tag, body) VALUES (?, ?, ?, ?)", row)
            point("ledger.commit")
            self._write.execute("COMMIT")
        except sqlite3.Error:
            with contextlib.suppress(sqlite3.Error):  # SQLite may have rolled back by itself
                self._write.execute("ROLLBACK")
            raise
        point("ledger.committed")
        self.rows += len(rows)
        self.bytes += sum(len(row[3]) for row in rows)

    def have(self, kind: str, keys: Sequence[str]) -> set[str]:
        """Those of `keys` that it holds a record of."""
        found: set[str] = set()
        for part in _parts(keys):
            rows = self._query(
                f"SELECT DISTINCT key FROM entries WHERE kind = ? AND key IN ({_marks(part)})", kind, part
            )
            found.update(row[0].hex() for row in rows)
        return found

    def get(self, kind: str, keys: Sequence[str]) -> list[tuple[str, str, bytes]]:
        """(key, tag, body) of each record of `keys`."""
        found = []
        for part in _parts(keys):
            sql = f"SELECT key, tag, body FROM entries WHERE kind = ? AND key IN ({_marks(part)})"
            found += [row for row in map(self._unpack, self._query(sql, kind, part)) if row]
        return found

    def scan(self, kind: str) -> Iterator[tuple[str, str, bytes]]:
        """(key, tag, body) of each record of a kind, in the order written."""
        last = -1
        while True:
            with self._lock:
                rows = self._read.execute(
                    "SELECT key, tag, body, seq FROM entries WHERE kind = ? AND seq > ? ORDER BY seq LIMIT ?",
                    (kind, last, _PAGE),
                ).fetchall()
            if not rows:
                return
            last = rows[-1][3]
            yield from filter(None, map(self._unpack, rows))

    def kinds(self) -> list[str]:
        """The kinds it holds records of."""
        with self._lock:
            return [row[0] for row in self._read.execute("SELECT DISTINCT kind FROM entries ORDER BY kind")]

    def count(self, kind: str) -> int:
        """Number of records of a kind."""
        with self._lock:
            return int(self._read.execute("SELECT count(*) FROM entries WHERE kind = ?", (kind,)).fetchone()[0])

    def close(self) -> None:
        """Let go of the file; it stays."""
        with self._lock:
            self._read.close()
        if self._write is not None:
            self._write.close()

    def retire(self) -> None:
        """Write no more: the records now stand in a segment. Readers under way go on, even when the file is deleted."""
        if self._write is not None:
            self._write.close()

    def _query(self, sql: str, kind: str, keys: Sequence[str]) -> list[tuple[bytes, str, bytes]]:
        if self._write is not None and not self.rows:  # a young one of our own: the usual case of a run that goes on
            return []
        with self._lock:
            return self._read.execute(sql, (kind, *map(bytes.fromhex, keys))).fetchall()

    def _unpack(self, row: tuple[bytes, str, bytes]) -> tuple[str, str, bytes] | None:
        try:
            body = zstandard.ZstdDecompressor().decompress(row[2])
        except zstandard.ZstdError:
            if (row[0], row[1]) not in self._damaged:
                self._damaged.add((row[0], row[1]))
                self.damage.append(f"{self.path}: record {row[0].hex()} is damaged and will be done again")
            return None
        return row[0].hex(), row[1], body


def salvage(path: Path) -> list[Entry]:
    """What can still be read of a damaged journal, record by record."""
    found: list[Entry] = []
    with contextlib.suppress(sqlite3.Error):
        sick = _connect(str(path))
        last = path.stat().st_size // 64  # no record takes less
        with contextlib.suppress(sqlite3.Error):
            last = int(sick.execute("SELECT max(seq) FROM entries").fetchone()[0] or 0)
        for seq in range(1, last + 1):
            with contextlib.suppress(sqlite3.Error, zstandard.ZstdError, TypeError):
                row = sick.execute("SELECT kind, key, tag, body FROM entries WHERE seq = ?", (seq,)).fetchone()
                if row:
                    body = zstandard.ZstdDecompressor().decompress(row[3])
                    found.append(Entry(row[0], row[1].hex(), row[2], body))
        sick.close()
    return found


def remove(path: Path) -> None:
    """Delete a journal's files."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def id_of(path: Path) -> str:
    """What a journal and the segment made from it have in common: `00000007-1f2e3d4c`, a number and a random mark.

    Ids sort by age. The mark keeps apart the journals that two machines wrote on their own disks.
    """
    return path.name.split(".")[0].split("-", 1)[1]


def _connect(address: str, *, uri: bool = False) -> sqlite3.Connection:
    return sqlite3.connect(address, isolation_level=None, check_same_thread=False, uri=uri, timeout=30)


def _parts(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(keys), _MANY):
        yield keys[start : start + _MANY]


def _marks(keys: Sequence[str]) -> str:
    return ",".join("?" * len(keys))
