"""The durable store of everything that was paid for or computed: requests sent, replies, verdicts, troubles.

Records are immutable and keyed by content, so whoever needs the same thing again, in this run or another, finds it.
`put` returns when a record would survive a power cut. `kill -9` at any moment loses nothing that `put` acknowledged and
doubles nothing. One process at a time writes a ledger (the lock of the root sees to it); any number may read.

    <root>/ledger/ledger.json                        {"format": 1, "partitions": P}
    <root>/ledger/partition=0000/journal-*.sqlite    the young records (on a network file system: on local scratch)
    <root>/ledger/partition=0000/segment-*/          the sealed ones, one Parquet file per kind
"""

import asyncio
import contextlib
import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from curate.errors import InputError, Stopped
from curate.journal import Entry
from curate.partition import Partition, disk_trouble
from curate.scratch import journal_folder
from curate.segments import sync

__all__ = ["Entry", "Ledger"]

KINDS = ("sent", "reply", "paid", "batch", "verdict", "opinion", "measure", "trouble")
_FORMAT = 1


class Ledger:
    """The ledger in folder `root`. `async with` it to write; with `read_only=True` it can be used without a loop.

    `also` are the folders of other ledgers, read for replies and verdicts that this one does not have.
    Raises InputError for a folder that is no ledger, or cannot be written.
    """

    def __init__(self, root: Path, *, read_only: bool = False, partitions: int = 1, also: Sequence[Path] = ()) -> None:
        self.folder = Path(root)
        self._read_only = read_only
        self._others = [Ledger(_existing(Path(path)), read_only=True) for path in also]
        try:
            count = self._format(partitions)
            names = [self.folder / f"partition={number:04d}" for number in range(count)]
            if read_only:
                names = [name for name in names if name.is_dir()]
            self._partitions = [Partition(name, read_only=read_only) for name in names]
        except (OSError, sqlite3.Error) as error:
            raise disk_trouble(error, self.folder) from error

    def _format(self, partitions: int) -> int:
        path = self.folder / "ledger.json"
        if path.exists():
            try:
                found = json.loads(path.read_text("utf-8"))
                if found["format"] != _FORMAT:
                    raise InputError(f"ledger format {found['format']} is not known here", where=str(path))
                return int(found["partitions"])
            except (ValueError, KeyError, TypeError) as error:
                raise InputError(f"this is not a ledger ({error})", where=str(path)) from error
        if not self._read_only:
            self.folder.mkdir(parents=True, exist_ok=True)
            draft = path.with_suffix(".tmp")
            with draft.open("w", encoding="utf-8") as file:
                json.dump({"format": _FORMAT, "partitions": partitions}, file)
                file.flush()
                os.fsync(file.fileno())
            draft.rename(path)
            sync(self.folder)
        return partitions

    async def __aenter__(self) -> Self:
        if not self._read_only:
            for partition in self._partitions:
                partition.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._read_only:
            # Unsealed records are as safe as sealed ones, so trouble in sealing must not hide what ended the run.
            with contextlib.suppress(Stopped):
                await self.seal()
        await asyncio.to_thread(self.close)

    def close(self) -> None:
        """Let go of the files. `async with` does it; a read-only ledger may be closed by hand."""
        for partition in self._partitions:
            partition.close()
        for other in self._others:
            other.close()

    def have(self, kind: str, keys: Sequence[str]) -> set[str]:
        """Those of `keys` that a record of this kind exists for, here or in `also`."""
        found: set[str] = set()
        for partition, mine in self._split(keys):
            found |= partition.have(kind, mine)
        for other in self._others:
            found |= other.have(kind, [key for key in keys if key not in found])
        return found

    def get(self, kind: str, keys: Sequence[str]) -> dict[str, list[bytes]]:
        """The bodies of every record of `keys`, ordered by tag; keys without a record are left out."""
        return {key: [tags[tag] for tag in sorted(tags)] for key, tags in self.tagged(kind, keys).items()}

    def tagged(self, kind: str, keys: Sequence[str]) -> dict[str, dict[str, bytes]]:
        """The same by tag: the bodies of every record of `keys`."""
        found: dict[str, dict[str, bytes]] = {}
        for partition, mine in self._split(keys):
            for key, tag, body in partition.get(kind, mine):
                found.setdefault(key, {}).setdefault(tag, body)
        for other in self._others:
            for key, tags in other.tagged(kind, keys).items():
                found[key] = {**tags, **found.get(key, {})}
        return found

    async def put(self, entries: Sequence[Entry]) -> None:
        """Make records durable; returns when they are. One that exists stays as it is (a `trouble` is replaced).

        Raises Stopped when the disk is full or sick (then nothing more is written), and for a `sent` already when it is
        nearly full, so that answers under way still find room.
        """
        shares: dict[Partition, list[Entry]] = {}
        for entry in entries:
            if entry.kind not in KINDS or len(entry.key) != 32:
                raise ValueError(f"not a ledger record: {entry.kind!r} {entry.key!r}")
            partition = self._partitions[self._home(entry.key)]
            if entry.kind == "sent" and partition.low:
                raise Stopped(
                    "the disk is nearly full, nothing more is sent; every answer is safe",
                    where=str(self.folder),
                    next="make room, then run the same command again",
                )
            shares.setdefault(partition, []).append(entry)
        await asyncio.gather(*(partition.put(share) for partition, share in shares.items()))

    def scan(self, kind: str) -> Iterator[tuple[str, str, bytes]]:
        """(key, tag, body) of each own record of a kind, in the order written within each partition.

        What is put meanwhile may or may not appear. A `trouble` that was replaced after sealing comes twice, the newest
        last.
        """
        for partition in self._partitions:
            yield from partition.scan(kind)

    def count(self, kind: str) -> int:
        """Number of own records of a kind."""
        return sum(partition.count(kind) for partition in self._partitions)

    async def seal(self) -> None:
        """Write what the journals hold into segments."""
        await asyncio.gather(*(partition.seal() for partition in self._partitions))

    def damage(self) -> list[str]:
        """One line for each damaged file met so far: what is lost. Lost records are simply not there any more."""
        own = [line for partition in self._partitions for line in partition.damage()]
        return own + [line for other in self._others for line in other.damage()]

    def journal_folder(self) -> Path:
        """Where the journal lies: in the ledger, or on local scratch if that is on a network file system."""
        return journal_folder(self.folder / "partition=0000")

    def _home(self, key: str) -> int:
        return int(key[:8], 16) % len(self._partitions)

    def _split(self, keys: Sequence[str]) -> Iterator[tuple[Partition, list[str]]]:
        if len(self._partitions) == 1:
            yield self._partitions[0], list(keys)
            return
        shares: dict[int, list[str]] = {}
        for key in keys if self._partitions else ():
            shares.setdefault(self._home(key), []).append(key)
        for number, share in shares.items():
            yield self._partitions[number], share


def _existing(folder: Path) -> Path:
    if (folder / "ledger.json").is_file():
        return folder
    raise InputError("there is no ledger here", where=str(folder), next="name the --root of an earlier run")
