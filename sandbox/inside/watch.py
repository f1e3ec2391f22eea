"""Watches one test, or the tests that share a process, from outside: limits, and the end as the kernel tells it."""

import os
import time
from collections.abc import Iterable
from typing import NamedTuple

from sandbox.inside import kernel

_LOOK = kernel.pause(0.025)  # between two looks at a running test
_CLOSE_LOOK = kernel.pause(0.005)  # and at one that uses half its memory: a fast one fills some 20 MB meanwhile
_DISK_SHARE = 0.1  # of the time it waits for a disk is idle: the machine's doing mostly, but vfork can wait so for ever
_TICK_S = 1.0 / os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
# By a name of this module's: looking into another one writes to memory that forks share.
_await_child, _wait, _has_child = kernel.await_child, kernel.wait, kernel.has_child
_pread, _clock = os.pread, time.monotonic


class Limits(NamedTuple):
    """Of one test with all its processes. `memory` and `output` are bytes; `idle_s` is time in which nothing ran."""

    cpu_s: float
    idle_s: float
    memory: int
    output: int
    processes: int


class Ending(NamedTuple):
    """What the kernel says of a test: nothing here can be forged by the program.

    `end`: `exit`, `signal`, or the limit that it was killed for: `cpu`, `idle`, `memory`, `output`.
    """

    end: str
    code: int
    cpu_s: float
    wall_s: float
    peak_mb: float


class Watch:
    """Children of this process, one after the other, and in an init whatever else is in its pid namespace.

    SIGCHLD must be blocked here. `usual` is the memory, in pages, that every fork of this process starts with.
    """

    def __init__(self, usual: int, *, alone: bool) -> None:
        self._usual, self._alone = usual, alone

    def ending(self, child: int, limits: Limits, stdout: int) -> Ending:
        """Wait for the child's end, or for the limit that it passes; reap whatever is orphaned meanwhile.

        What still lives then is the caller's to kill.
        """
        self._child, self._limits, self._stdout = child, limits, stdout
        self._cpu_s = self._largest = 0.0  # of what was reaped: seconds, and KiB of the largest
        self._end: tuple[str, int] | None = None
        started = _clock()
        looked, idle, cpu_before, pages = started, 0.0, 0.0, 0
        pause, over = _LOOK, None
        while True:
            _await_child(pause)
            self.reap()
            now = _clock()
            if self._end is not None:
                break
            group = self._look()
            idle += group.idle * max(0.0, now - looked - (group.cpu_s - cpu_before))
            cpu_before, looked, pages = group.cpu_s, now, group.pages
            pause = _LOOK if pages * _PAGE < limits.memory / 2 else _CLOSE_LOOK
            if over := self._passed(group, idle):
                break
        cpu = cpu_before if over else self._cpu_s
        end, code = (over, 0) if over else self._over_at_last(cpu) or self._end or ("exit", 1)
        peak = max(self._largest * 1024, (self._usual + pages) * _PAGE) / 2**20
        return Ending(end, code, cpu, now - started, peak)

    def reap(self) -> bool:
        """Reap what has ended; whether there is any child left."""
        while True:
            if self._end is not None and (self._alone or not _has_child()):
                return False
            ended = _wait(self._child if self._alone else -1)
            if ended is None:
                return True
            self._cpu_s += ended.cpu_s
            self._largest = max(self._largest, ended.largest)
            if ended.child == self._child:
                killed = ended.status & 0x7F
                self._end = ("signal", killed) if killed else ("exit", ended.status >> 8 & 0xFF)

    def _over_at_last(self, cpu_s: float) -> tuple[str, int] | None:
        """The limit that was passed between two looks."""
        limits = self._limits
        if cpu_s > limits.cpu_s:
            return "cpu", 0
        if _pread(self._stdout, 1, limits.output):
            return "output", 0
        return ("memory", 0) if self._largest * 1024 - self._usual * _PAGE > limits.memory else None

    def _passed(self, group: "_Group", idle: float) -> str | None:
        limits = self._limits
        if group.cpu_s > limits.cpu_s:
            return "cpu"
        if idle > limits.idle_s:
            return "idle"
        if os.fstat(self._stdout).st_size > limits.output:
            return "output"
        if group.pages * _PAGE > limits.memory and (self._alone or _proportional() > limits.memory):
            return "memory"
        return None

    def _look(self) -> "_Group":
        """At those that were reaped, and those that live."""
        if self._alone:
            names: Iterable[str] = [str(self._child)]
        else:
            names = [name for name in os.listdir("/proc") if name.isdigit() and name != "1"]  # noqa: PTH208
        cpu, pages, idle = self._cpu_s, 0, 1.0
        for name in names:
            try:
                fields = _stat(f"/proc/{name}")
                idle = min(idle, _IDLE.get(fields[0], 1.0))
                if idle:  # the state is that of the first thread, which often waits for one that works
                    idle = min(idle, _idle_threads(f"/proc/{name}/task"))
            except OSError:  # it ended meanwhile
                continue
            cpu += sum(map(int, fields[11:15])) * _TICK_S  # utime stime cutime cstime, proc(5)
            pages += max(0, int(fields[21]) - self._usual)  # rss, less what every fork of this process has
        return _Group(cpu, pages, idle)


class _Group(NamedTuple):
    """All processes of a test together. `pages` counts what forks share more than once.

    `idle` is the share of the time now that counts as idle: none of it while a thread runs or waits for a CPU, so that
    a busy machine changes no verdict.
    """

    cpu_s: float
    pages: int
    idle: float


_IDLE = {b"R": 0.0, b"D": _DISK_SHARE}  # by state of a thread, proc(5)


def own_pages() -> tuple[int, int]:
    """Of this process, in pages: its address space, and what of it is in memory. See proc(5), statm."""
    file = os.open("/proc/self/statm", os.O_RDONLY)
    try:
        space, resident, _ = os.read(file, 100).split(maxsplit=2)
        return int(space), int(resident)
    finally:
        os.close(file)


def _idle_threads(folder: str) -> float:
    least = 1.0
    for name in os.listdir(folder):  # noqa: PTH208
        try:
            least = min(least, _IDLE.get(_stat(f"{folder}/{name}")[0], 1.0))
        except OSError:  # it ended meanwhile
            continue
        if not least:
            break
    return least


def _stat(folder: str) -> list[bytes]:
    """The fields of a process or thread after its name; the first is its state."""
    with open(f"{folder}/stat", "rb") as file:  # noqa: PTH123 - looked at often
        return file.read().rpartition(b")")[2].split()


def _proportional() -> int:
    """Bytes of memory that the processes of the cell use, shared pages counted once: exact, and slow."""
    total = 0
    for name in os.listdir("/proc"):  # noqa: PTH208
        if name.isdigit() and name != "1":
            try:
                with open(f"/proc/{name}/smaps_rollup", "rb") as file:  # noqa: PTH123
                    total += int(file.read().partition(b"\nPss:")[2].split()[0]) * 1024
            except (OSError, IndexError):  # it ended meanwhile, or lets nobody look: all of it counts then
                total += _resident(f"/proc/{name}") * _PAGE
    return total


def _resident(folder: str) -> int:
    """Pages that a process has in memory, shared ones included; 0 where it has ended."""
    try:
        return int(_stat(folder)[21])
    except OSError:
        return 0
