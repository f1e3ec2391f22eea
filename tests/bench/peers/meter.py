"""What a process and all that comes of it costs: CPU time, and memory at its peak.

As root a control group counts them, those that ended, were orphaned or belong to a daemon included. Without it the
process tree is added up, which misses what is in nobody's tree; `Meter.how` says which it was.
"""

import os
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

_V1, _V2 = Path("/sys/fs/cgroup/cpuacct"), Path("/sys/fs/cgroup")
_MEMORY = Path("/sys/fs/cgroup/memory")
_TICK_S = 1.0 / os.sysconf("SC_CLK_TCK")
_LOOK_S = 0.02


class Meter:
    """Counts what enters it. A context manager; leaving it removes the group, which must be empty by then."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._folders = [folder / name for folder in _roots()]
        self._roots: list[int] = []
        self._peak = 0
        self._stop = threading.Event()
        self._looker: threading.Thread | None = None

    @property
    def how(self) -> str:
        """`cgroup` or `process tree`."""
        return "cgroup" if self._folders else "process tree"

    def __enter__(self) -> Self:
        for folder in self._folders:
            folder.mkdir()
            if (whole := folder / "memory.use_hierarchy").exists() and whole.read_text().strip() == "0":
                whole.write_text("1")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop_looking()
        if self._folders:  # a container engine makes it in every hierarchy
            for folder in {*self._folders, *_V2.glob(f"*/{self.name}")}:
                _remove(folder)

    def enter(self, pid: int) -> None:
        """Count a process, and what it starts from now on."""
        for folder in self._folders:
            (folder / "cgroup.procs").write_text(str(pid))
        self._roots.append(pid)

    def members(self) -> list[int]:
        """The processes that are in it now."""
        if not self._folders:
            return [one for root in self._roots for one in descendants(root)]
        folder = self._folders[0]
        return [int(pid) for path in [folder, *folder.rglob("*/")] for pid in _words(path / "cgroup.procs")]

    def cpu_s(self) -> float:
        """Seconds of CPU time that were used in it."""
        if not self._folders:
            return sum(_tree_cpu_s(root) for root in self._roots)
        if (v1 := self._folders[0] / "cpuacct.usage").exists():
            return int(v1.read_text()) / 1e9
        words = _words(self._folders[0] / "cpu.stat")
        return int(words[words.index("usage_usec") + 1]) / 1e6

    def look(self) -> None:
        """Follow its memory from now on."""
        self._peak, self._stop = 0, threading.Event()
        self._looker = threading.Thread(target=self._follow, args=(self._stop,))
        self._looker.start()

    def stop_looking(self) -> float:
        """MB at the peak since `look`: anonymous pages and shared memory."""
        if self._looker is not None:
            self._stop.set()
            self._looker.join()
            self._looker = None
        return self._peak / 2**20

    def _follow(self, stop: threading.Event) -> None:
        while True:
            self._peak = max(self._peak, self._memory())
            if stop.wait(_LOOK_S):
                return

    def _memory(self) -> int:
        if not self._folders:
            return sum(_resident(pid) for pid in self.members())
        words = _words(self._folders[-1] / "memory.stat")
        found = dict(zip(words[::2], words[1::2], strict=False))
        if "total_rss" in found:
            return int(found["total_rss"]) + int(found.get("total_shmem", 0))
        return int(found.get("anon", 0)) + int(found.get("shmem", 0))


def _roots() -> list[Path]:
    """Folders in which a group can be made: for CPU time first, for memory last."""
    if os.geteuid() != 0:
        return []
    if _V1.is_dir() and _MEMORY.is_dir():
        return [_V1, _MEMORY]
    if "cpu" in _words(_V2 / "cgroup.subtree_control") and "memory" in _words(_V2 / "cgroup.subtree_control"):
        return [_V2]
    return []


def _words(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:
        return []


def _remove(folder: Path) -> None:
    """Groups go from the leaves up; one whose last process is just ending is tried again."""
    for path in [*sorted((one for one in folder.rglob("*/")), key=lambda one: -len(one.parts)), folder]:
        for _ in range(50):
            try:
                path.rmdir()
                break
            except OSError:
                time.sleep(0.1)


def descendants(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    try:
        tasks = list(Path(f"/proc/{pid}/task").glob("*/children"))
    except OSError:  # it ended in this very moment
        return found
    for task in tasks:
        for child in map(int, _words(task)):
            found += descendants(child)
    return found


def _tree_cpu_s(pid: int) -> float:
    total = 0.0
    for one in descendants(pid):
        try:
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += sum(map(int, fields[11:15])) * _TICK_S  # its own and its children's, proc(5)
    return total


def _resident(pid: int) -> int:
    words = _words(Path(f"/proc/{pid}/statm"))
    return int(words[1]) * os.sysconf("SC_PAGE_SIZE") if words else 0
