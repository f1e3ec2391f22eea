"""One partition of the ledger: a journal that one thread writes, and the segments it is sealed into.

Everything that is queued when the thread comes round goes into one commit, so the cost of a disk flush is shared. A
record is in the journal, in a segment, or (for a moment) in both; readers see the union and count it once.
"""

import asyncio
import contextlib
import errno
import os
import queue
import secrets
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from curate.errors import InputError, Stopped
from curate.fault import point
from curate.journal import Entry, Journal, id_of, remove, salvage
from curate.scratch import journal_folder
from curate.segments import Segments, seal, sync

SEAL_BYTES = 64 << 20  # compressed; a segment of this size is read and listed comfortably on any store
SEAL_ROWS = 200_000
SEAL_SECONDS = 600.0  # what a lost node can lose at most
_QUEUE_BYTES = 32 << 20  # beyond it, `put` waits: a stalled disk stops the sending
_COMMIT_BYTES = 8 << 20
_LOW_WATER = 64 << 20  # free bytes below which nothing new is sent, so that answers under way still fit


class _Job(NamedTuple):
    entries: list[Entry]  # empty: seal
    done: "asyncio.Future[None]"
    size: int


class Partition:
    """Opened by `open_` to read; `start` adds the writer thread. Closed by `close`."""

    def __init__(self, folder: Path, *, read_only: bool) -> None:
        self.folder = folder
        self.low = False  # the disk is nearly full
        self._read_only = read_only
        self._notes: list[str] = []
        self._swap = threading.Lock()  # a reader sees the journal's records before or after sealing, never neither
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._broken: BaseException | None = None
        self._queued = 0
        self._room = asyncio.Event()
        for attempt in range(5):
            try:
                self._open()
                return
            except (FileNotFoundError, sqlite3.OperationalError):
                # A reader can meet a journal that its writer seals at this moment; the next look finds the segment.
                if not read_only or attempt == 4:
                    raise
                time.sleep(0.1)

    def _open(self) -> None:
        if not self._read_only:
            self.folder.mkdir(parents=True, exist_ok=True)
            for draft in self.folder.glob("segment-*.tmp"):
                _remove_tree(draft)
        self._place = journal_folder(self.folder)
        self._journals: tuple[Journal, ...] = ()  # oldest first; the last one is written
        paths = sorted(self._place.glob("journal-*.sqlite"), key=id_of)
        if self._read_only:
            # Journals before segments: a writer that seals one meanwhile renames its segment into place before it
            # removes the journal, so in this order every record is met, and what is met twice is left out again.
            for path in paths:
                self._adopt(path)
            self._segments = Segments(self.folder)
            sealed = self._segments.ids()
            young: tuple[Journal, ...] = self._journals
            self._journals = tuple(journal for journal in young if id_of(journal.path) not in sealed)
        else:
            self._segments = Segments(self.folder)
            sealed = self._segments.ids()
            for path in paths:
                if id_of(path) in sealed:
                    self._forget(path)  # killed between sealing and this
                else:
                    self._adopt(path)
        self._note_elsewhere()
        self._born = time.monotonic()
        if not self._read_only and not self._journals:
            self._begin()
        self._look_at_disk()

    def _adopt(self, path: Path) -> None:
        try:
            journal = Journal(path, read_only=self._read_only)
            self._notes += journal.damage
            journal.damage.clear()
            self._journals = (*self._journals, journal)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            saved = salvage(path)
            self._notes.append(f"{path}: damaged ({error}); {len(saved)} records saved, any others will be done again")
            if not self._read_only:
                fresh = self._new_journal()
                fresh.commit(saved)
                for suffix in ("-wal", "-shm"):
                    path.with_name(path.name + suffix).unlink(missing_ok=True)
                path.rename(path.with_suffix(".damaged"))
                self._journals = (*self._journals, fresh)

    def _note_elsewhere(self) -> None:
        # Only where the journal does not lie beside the segments: it may be on another machine's disk.
        for mark in sorted(self.folder.glob("journal-*.at")):
            if id_of(mark) in self._segments.ids():
                continue
            if not (self._place / f"journal-{id_of(mark)}.sqlite").exists():
                at = mark.read_text("utf-8", "replace").strip()
                self._notes.append(
                    f"the answers of a run that did not end are at {at}; run once there to bring them in"
                )

    def _new_journal(self) -> Journal:
        taken = [*self.folder.glob("segment-*"), *self.folder.glob("journal-*"), *self._place.glob("journal-*")]
        number = 1 + max([0, *(int(id_of(path).split("-")[0]) for path in taken)])
        path = self._place / f"journal-{number:08d}-{secrets.token_hex(4)}.sqlite"
        if self._place != self.folder:
            self._mark(path).write_text(f"{socket.gethostname()}:{path}\n", "utf-8")
        journal = Journal(path)
        sync(self._place)
        return journal

    def _mark(self, journal: Path) -> Path:
        return self.folder / f"journal-{id_of(journal)}.at"

    def _forget(self, journal: Path) -> None:
        remove(journal)
        self._mark(journal).unlink(missing_ok=True)

    def _begin(self) -> None:
        self._journals = (*self._journals, self._new_journal())
        self._born = time.monotonic()

    # Reading: any thread.

    def have(self, kind: str, keys: Sequence[str]) -> set[str]:
        """Those of `keys` that a record of this kind has."""
        found = set()
        for journal in self._journals:  # journals first: see `_swap`
            found |= journal.have(kind, keys)
        return found | self._segments.have(kind, [key for key in keys if key not in found])

    def get(self, kind: str, keys: Sequence[str]) -> list[tuple[str, str, bytes]]:
        """(key, tag, body) of each record of `keys`, the newest of each (key, tag) first."""
        found = [one for journal in reversed(self._journals) for one in journal.get(kind, keys)]
        return found + self._segments.get(kind, keys)

    def scan(self, kind: str) -> Iterator[tuple[str, str, bytes]]:
        """(key, tag, body) of each record of a kind, in the order written, as of now."""
        with self._swap:
            names, journals = self._segments.names(), self._journals
        yield from self._segments.scan(kind, names)
        for journal in journals:
            yield from journal.scan(kind)

    def count(self, kind: str) -> int:
        """Number of records of a kind."""
        with self._swap:
            names, journals = self._segments.names(), self._journals
            return self._segments.count(kind, names) + sum(journal.count(kind) for journal in journals)

    def damage(self) -> list[str]:
        """What was found damaged so far, one line each."""
        return [*self._notes, *(line for journal in self._journals for line in journal.damage), *self._segments.damage]

    # Writing: the event loop queues, the thread writes.

    def start(self) -> None:
        """Start the writer thread; called on the event loop that will `put`."""
        self._loop = asyncio.get_running_loop()
        self._room.set()
        self._thread = threading.Thread(target=self._work, name=f"ledger-{self.folder.name}", daemon=True)
        self._thread.start()

    async def put(self, entries: list[Entry]) -> None:
        """Returns when the entries are durable. Raises Stopped when the disk is full or sick."""
        size = sum(len(entry.body) + 64 for entry in entries)
        while self._queued and self._queued + size > _QUEUE_BYTES:
            self._room.clear()
            await self._room.wait()
        await self._queue(entries, size)

    async def seal(self) -> None:
        """Write what the journal holds into a segment."""
        await self._queue([], 0)

    async def _queue(self, entries: list[Entry], size: int) -> None:
        if self._broken is not None:
            raise self._broken
        done: asyncio.Future[None] = self._loop.create_future()
        self._queued += size
        self._jobs.put(_Job(entries, done, size))
        await done

    def close(self) -> None:
        """Stop the thread and let go of the files; blocks until what is queued is written."""
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join()
            self._thread = None
        for journal in self._journals:
            journal.close()
            if not journal.rows and not self._read_only:
                self._forget(journal.path)

    def _work(self) -> None:
        going = True
        while going:
            batch, going = self._next()
            error: BaseException | None = None
            try:
                if self._broken is not None:
                    raise self._broken
                self._write([entry for job in batch for entry in job.entries])
                if any(not job.entries for job in batch) or (going and self._due()):
                    self._seal()
            except (sqlite3.Error, OSError) as trouble:
                error = self._broken = disk_trouble(trouble, self.folder)
            except BaseException as trouble:  # noqa: BLE001 - the writer thread: those who wait must hear of anything
                error = self._broken = trouble
            with contextlib.suppress(RuntimeError):  # the loop is gone: nobody waits
                self._loop.call_soon_threadsafe(self._settle, batch, error)

    def _next(self) -> tuple[list[_Job], bool]:
        batch: list[_Job] = []
        size = 0
        with contextlib.suppress(queue.Empty):
            wait = max(0.05, self._born + SEAL_SECONDS - time.monotonic())
            job = self._jobs.get(timeout=wait)
            while job is not None:
                batch.append(job)
                size += job.size
                if size >= _COMMIT_BYTES:
                    return batch, True
                job = self._jobs.get_nowait()
            return batch, False
        return batch, True

    def _write(self, entries: list[Entry]) -> None:
        fresh = self._not_known(entries)
        if fresh:
            self._journals[-1].commit(fresh)
            self._look_at_disk()

    def _not_known(self, entries: list[Entry]) -> list[Entry]:
        # The journal refuses doubles by itself; this looks at what is sealed. Send ids are unique anyway.
        known: set[tuple[str, str, str]] = set()
        for kind in {entry.kind for entry in entries} - {"sent", "paid", "trouble"}:
            keys = list(self._segments.have(kind, [entry.key for entry in entries if entry.kind == kind]))
            known.update((kind, key, tag) for key, tag, _ in self._segments.get(kind, keys))
        return [entry for entry in entries if (entry.kind, entry.key, entry.tag) not in known]

    def _due(self) -> bool:
        journal = self._journals[-1]
        if time.monotonic() - self._born >= SEAL_SECONDS:
            self._born = time.monotonic()
            return journal.rows > 0
        return journal.bytes >= SEAL_BYTES or journal.rows >= SEAL_ROWS

    def _seal(self) -> None:
        for journal in self._journals:
            if not journal.rows:
                continue
            made = seal(journal, self.folder)
            with self._swap:
                self._segments.add(made)
                self._journals = tuple(one for one in self._journals if one is not journal)
            point("ledger.sealed")
            self._notes += journal.damage
            journal.retire()
            self._forget(journal.path)
        if not self._journals:
            self._begin()

    def _look_at_disk(self) -> None:
        with contextlib.suppress(OSError):
            disk = os.statvfs(self._place if self._place.exists() else self.folder)
            self.low = disk.f_bavail * disk.f_frsize < min(_LOW_WATER, disk.f_blocks * disk.f_frsize // 20)

    def _settle(self, batch: list[_Job], error: BaseException | None) -> None:
        for job in batch:
            self._queued -= job.size
            if job.done.done():
                continue
            if error is None:
                job.done.set_result(None)
            else:
                job.done.set_exception(error)
        self._room.set()


def disk_trouble(error: sqlite3.Error | OSError, folder: Path) -> Stopped | InputError:
    """What the user is told when the disk will not have it: Stopped, or InputError where we may not write at all."""
    name = getattr(error, "sqlite_errorname", "") or ""
    number = getattr(error, "errno", None)
    if number in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST) or "READONLY" in name:
        return InputError(f"cannot be written ({error})", where=str(folder), next="choose another --root")
    if name == "SQLITE_FULL" or number in (errno.ENOSPC, errno.EDQUOT):
        what, first = "the disk is full", "make room"
    else:
        what, first = f"the ledger cannot be written ({error})", "check the disk"
    return Stopped(
        f"{what}; every answer that was counted is safe",
        where=str(folder),
        next=f"{first}, then run the same command again",
    )


def _remove_tree(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
