"""A run folder, its locks and its event log.

    <root>/ledger/             answers and verdicts, shared by every run under this root
    <root>/runs/<name>/        recipe.lock.yaml, questions/, labels/, dataset/, report.md, report.json,
                               drops.parquet, events.jsonl

One process writes under a root at a time, and one publishes a run: both locks are the kernel's (flock), so a killed
process never leaves one behind.
"""

import errno
import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from curate.errors import InputError, Stopped


class Run:
    """The folder of one recipe under a root; creating the object touches nothing."""

    def __init__(self, root: Path, name: str) -> None:
        self.root = root
        self.name = name
        self.folder = root / "runs" / name
        self.questions = self.folder / "questions"
        self.labels = self.folder / "labels"
        self.dataset = self.folder / "dataset"

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the root for writing. Raises Stopped (exit 4) while another process holds it."""
        with usable(self.root):
            self.folder.mkdir(parents=True, exist_ok=True)
            handle = locked(self.root / ".veristill.lock", "another veristill command is writing here")
        try:
            yield
        finally:
            os.close(handle)

    @contextmanager
    def publishing(self, *, wait: bool) -> Iterator[None]:
        """Hold this run's dataset/ and reports for replacing them, waiting for another process or raising Stopped."""
        with usable(self.root):
            path = self.folder / ".publish.lock"
            handle = locked(path, "another veristill command is publishing this run", wait=wait)
        try:
            yield
        finally:
            os.close(handle)

    def event(self, name: str, **fields: Any) -> None:
        """Append one line to events.jsonl: what happened and when. Read by people, never by us."""
        line = json.dumps({"at": round(time.time(), 3), "event": name, **fields}, ensure_ascii=False)
        with (self.folder / "events.jsonl").open("a", encoding="utf-8") as log:
            log.write(line + "\n")

    def write(self, name: str, text: str) -> None:
        """Replace a text file of the run folder, all or nothing."""
        replace_file(self.folder / name, text.encode())


@contextmanager
def usable(root: Path, advice: str = "choose another folder with --root") -> Iterator[None]:
    """Turn what a file system refuses into the error that a user can act on, `advice` where it cannot be written."""
    try:
        yield
    except OSError as error:
        where = str(error.filename or root)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise full(where) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.ENOENT):
            raise InputError(f"cannot write here: {error.strerror}", where=where, next=advice) from error
        raise


def full(where: str) -> Stopped:
    """The error for a full disk: nothing that was stored is lost."""
    return Stopped("the disk is full", where=where, next="free some space, then run the same command: it goes on")


def replace_file(path: Path, data: bytes) -> None:
    """Write a file under a temporary name, make it durable, then rename it: readers see the old or the new, whole."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with partial.open("wb") as handle:
            handle.write(data)
            handle.flush()
            os.fsync(handle.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def fresh_folder(path: Path) -> Path:
    """An empty folder `<path>.tmp` beside `path`; what a killed process left there is removed."""
    partial = path.with_name(path.name + ".tmp")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    return partial


def replace_folder(partial: Path, path: Path) -> None:
    """Put a finished folder in the place of an old one."""
    shutil.rmtree(path, ignore_errors=True)
    partial.rename(path)


def locked(path: Path, held: str, *, wait: bool = False) -> int:
    """Hold the file `path` until the handle that is returned is closed. Raises Stopped, with `held`, or waits."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError as error:
        holder = os.pread(handle, 64, 0).decode("utf-8", "replace").strip()
        os.close(handle)
        by = f" (process {holder})" if holder else ""
        raise Stopped(
            held + by, where=str(path.parent), next="wait for it to end, or use another folder with --root"
        ) from error
    os.ftruncate(handle, 0)
    os.pwrite(handle, str(os.getpid()).encode(), 0)
    return handle
