"""Puts a finished folder in the place of an old one, so that a reader or a killed process never meets half a dataset.

Beside `dataset/` stand, while a publish is at work: `dataset.tmp` (being written), `dataset.check` (the loading
library's cache) and `dataset.old` (moved aside). Who calls holds the run's publishing lock, so the names are fixed.
"""

import os
import shutil
from pathlib import Path

from curate import fault


def beside(target: Path, role: str) -> Path:
    """`dataset.<role>` beside `dataset`."""
    return target.with_name(f"{target.name}.{role}")


def sweep(target: Path) -> None:
    """Undo what a killed publish left: unfinished folders go; a dataset moved aside without a successor comes back."""
    old = beside(target, "old")
    if old.exists() and not target.exists():
        old.rename(target)
    for role in ("tmp", "check", "old"):
        shutil.rmtree(beside(target, role), ignore_errors=True)


def swap(staged: Path, target: Path) -> None:
    """Make `staged` durable and put it in the place of `target`; the old folder goes last."""
    _sync(staged)
    old = beside(target, "old")
    if target.exists():
        target.rename(old)
    fault.point("publish.swap")
    staged.rename(target)
    _sync_folder(target.parent)
    shutil.rmtree(old, ignore_errors=True)


def _sync(folder: Path) -> None:
    for parent, _, names in os.walk(folder):
        for name in names:
            with (Path(parent) / name).open("rb") as file:
                os.fsync(file.fileno())
        _sync_folder(Path(parent))


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
