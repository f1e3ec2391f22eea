"""Processes that end together: children die with their parent, a tree is ended whole, state files change at once.

Standard library only: runs in the training interpreter, on Linux.
"""

import contextlib
import ctypes
import json
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h


def die_with_parent(parent: int, number: int = signal.SIGKILL) -> None:
    """Have the kernel send `number` to this process when the thread that started it ends; ends at once if it has."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), number)


def end_with_parent() -> None:
    """End with the process that started this one; what is forked here (data workers) ends with it, too."""
    die_with_parent(os.getppid())
    forking: list[tuple[int, bool]] = []

    def before() -> None:
        forking.append((os.getpid(), threading.current_thread() is threading.main_thread()))

    def after_in_child() -> None:
        parent, lasting = forking[-1]
        if lasting:  # the kernel watches the thread that forked: only the main one is sure to last
            die_with_parent(parent)

    os.register_at_fork(before=before, after_in_parent=forking.clear, after_in_child=after_in_child)


def adopt_orphans() -> None:
    """Make this process the parent of whatever its children leave behind, so that `descendants` sees it."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def when_input_ends(act: Callable[[], None]) -> None:
    """Call `act` once standard input is at its end: whoever held its other side (ssh, a launcher) is gone."""

    def watch() -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 4096):
                pass
        act()

    threading.Thread(target=watch, daemon=True).start()


def descendants(root: int) -> list[int]:
    """Process ids below `root`, nearest first. What ended meanwhile is left out."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (parent := parent_of(int(entry.name))):
            children.setdefault(parent, []).append(int(entry.name))
    found, queue = [], [root]
    while queue:
        queue = [child for one in queue for child in children.get(one, [])]
        found += queue
    return found


def parent_of(pid: int) -> int | None:
    """The parent of a process that lives; None for one that ended, a zombie included."""
    try:
        # pid (command) state parent ...: a command may hold spaces and parentheses
        state, parent = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()[:2]
    except (OSError, ValueError):
        return None
    return None if state in "ZX" else int(parent)


def started(pid: int) -> str | None:
    """When a process started, in the kernel's clock ticks: with its id it names one process for good."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return None


def end_descendants(root: int, polite_s: float) -> None:
    """SIGTERM to all below `root`, SIGKILL to what is left after `polite_s` seconds; returns when none is left."""
    for pid in descendants(root):
        send(pid, signal.SIGTERM)
        send(pid, signal.SIGCONT)  # what is stopped would not hear the first
    deadline = time.monotonic() + polite_s
    while time.monotonic() < deadline and descendants(root):
        time.sleep(0.05)
    for _ in range(200):  # a tree may fork while it is ended
        left = descendants(root)
        if not left:
            return
        for pid in left:
            send(pid, signal.SIGKILL)
        time.sleep(0.05)


def send(pid: int, number: int) -> None:
    """A signal to a process that may have ended."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def write_state(path: Path, value: dict[str, Any]) -> None:
    """Replace a small JSON file, all or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(json.dumps(value), "utf-8")
    beside.replace(path)


def read_state(path: Path) -> dict[str, Any]:
    """A small JSON file; empty where there is none or it cannot be read now."""
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
