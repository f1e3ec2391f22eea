"""One test: fresh user, pid, mount, network, ipc and host-name namespaces, with a trusted init that watches it.

`run` is called in the zygote and forks the init; the init forks the test, which gives up everything before it runs a
line of the program. When the init ends, the kernel kills whatever the test left running, and its /tmp is gone.
"""

import fcntl
import json
import os
import platform
import resource
import secrets
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn

from sandbox.inside import kernel, seccomp
from sandbox.inside.jail import NOBODY, PROC_FLAGS, map_ids

_FRESH = (
    kernel.CLONE_NEWUSER | kernel.CLONE_NEWPID | kernel.CLONE_NEWNS
    | kernel.CLONE_NEWNET | kernel.CLONE_NEWIPC | kernel.CLONE_NEWUTS
)  # fmt: skip
_FILTER = seccomp.assemble(platform.machine())
_SCRATCH = "size=64m,nr_inodes=16384,mode=1777"  # the test's own /tmp
_STACK = 120 << 20  # bytes; the kernel leaves 128 MiB below the main stack, whatever the limit was at exec
_FILES = 256  # open files
_RESERVED = 4 << 30  # bytes of addresses on top of the memory limit: stacks that threads reserve and never touch
_LOOK_S = 0.025  # between two looks at a running test
_CLOSE_LOOK_S = 0.005  # and at one that uses half its memory: a fast one fills some 20 MB meanwhile
_DISK_SHARE = 0.1  # of the time it waits for a disk is idle: the machine's doing mostly, but vfork can wait so for ever
_TICK_S = 1.0 / os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
REPORT_FD, PROOF_FD, _SAY_FD = 3, 4, 5
_CONFINED = b"confined"


@dataclass(frozen=True)
class Limits:
    """Of one test with all its processes. `memory` and `output` are bytes; `idle_s` is time in which nothing ran."""

    cpu_s: float
    idle_s: float
    memory: int
    output: int
    processes: int


@dataclass(frozen=True)
class Ending:
    """What the kernel says of a test: nothing here can be forged by the program.

    `end`: `exit`, `signal`, or the limit that it was killed for: `cpu`, `idle`, `memory`, `output`.
    """

    end: str
    code: int
    cpu_s: float
    wall_s: float
    peak_mb: float


class Ended(NamedTuple):
    """A test that ended: how, what it wrote to stdout and to its report, and what only its pipe could tell it.

    Both texts are cut one byte above `Limits.output`.
    """

    ending: Ending
    stdout: bytes
    report: bytes
    proof: str


class CellError(Exception):
    """A cell could not be set up, or its init died: our trouble, whatever the program is."""


def run(limits: Limits, stdin: bytes, body: Callable[[], NoReturn]) -> Ended:
    """Run `body` confined, with `stdin` as standard input, a report at fd 3, and a proof to be read from fd 4.

    The proof is made up after the fork: it is in no memory of the test until it is read. Raises CellError.
    """
    files = [os.memfd_create(name) for name in ("stdin", "stdout", "report")]
    told, tell = os.pipe()
    proof, prove = os.pipe()
    try:
        _fill(files[0], stdin)
        user, group = os.geteuid(), os.getegid()
        init = kernel.fork_into(_FRESH)
        if init == 0:
            os.close(told)
            os.close(prove)
            _init(limits, [*files, proof], tell, body, (user, group))
        os.close(tell)
        tell = -1
        number = secrets.token_hex(16)
        os.write(prove, number.encode())
        os.close(prove)
        prove = -1
        facts = _read_all(told)
        _, status = os.waitpid(init, 0)
        try:
            ending = Ending(**json.loads(facts))
        except (ValueError, TypeError):
            how = os.waitstatus_to_exitcode(status)
            raise CellError(f"a cell broke ({how}): {facts[:500].decode(errors='replace')}") from None
        return Ended(ending, _content(files[1], limits.output), _content(files[2], limits.output), number)
    finally:
        for fd in (*files, told, tell, proof, prove):
            if fd >= 0:
                os.close(fd)


def _init(
    limits: Limits, files: list[int], tell: int, body: Callable[[], NoReturn], owner: tuple[int, int]
) -> NoReturn:
    """The first process of the cell. It runs no line of the program, and no process in the cell can touch it."""
    try:
        map_ids(NOBODY, *owner)
        kernel.set_dumpable(False)
        kernel.mount("tmpfs", "/tmp", "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, _SCRATCH)
        kernel.mount("proc", "/proc", "proc", PROC_FLAGS)
        os.chdir("/tmp")
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
        hear, say = os.pipe()
        started = time.monotonic()
        child = kernel.fork()
        if child == 0:
            _test(limits, [*files, say], body)
        os.close(say)
        if (said := _read_all(hear)) != _CONFINED:
            raise CellError(said.decode(errors="replace") or "the test died before it was confined")
        ending = _watch(child, limits, files[1], started)
        os.write(tell, json.dumps(ending).encode())
    except BaseException as error:  # noqa: BLE001 - the boundary of the cell: the zygote is told, and raises CellError
        os.write(tell, f"{type(error).__name__}: {error}".encode())
    finally:
        os._exit(0)


def _test(limits: Limits, files: list[int], body: Callable[[], NoReturn]) -> NoReturn:
    """The process of the test. It tells the init that it is confined, or why it is not, and then is the program's."""
    try:
        try:
            _confine(limits, files)
        except BaseException as error:
            os.write(_SAY_FD, f"{type(error).__name__}: {error}".encode())
            raise
        os.write(_SAY_FD, _CONFINED)
        os.close(_SAY_FD)
        body()
    finally:
        os._exit(1)


def _confine(limits: Limits, files: list[int]) -> None:
    """Give up descriptors, resources and rights; what comes after can get none of them back."""
    os.setsid()
    stdin, stdout, report, proof, say = files
    nothing = os.open(os.devnull, os.O_WRONLY)
    high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 16) for fd in (stdin, stdout, nothing, report, proof, say)]
    for target, fd in enumerate(high):
        os.dup2(fd, target, inheritable=target < REPORT_FD)
    os.closerange(_SAY_FD + 1, 1 << 20)
    kernel.set_dumpable(True)  # /proc/self is the test's own again, and its init may read its memory maps
    _write("/proc/self/oom_score_adj", "1000")  # under pressure the kernel takes the test first
    kernel.read_only("/proc")
    cpu = int(limits.cpu_s) + 2  # whole seconds; the init is more exact and comes first
    for what, most in (
        # On top of the zygote, its job included. The init watches what of it is used.
        (resource.RLIMIT_AS, limits.memory + _RESERVED + _own_pages(0) * _PAGE),
        (resource.RLIMIT_CPU, cpu),
        (resource.RLIMIT_FSIZE, limits.output + 1),
        (resource.RLIMIT_NOFILE, _FILES),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, limits.processes + 1),  # the init counts too
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
    ):
        hard = resource.getrlimit(what)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (most, most))
    hard = resource.getrlimit(resource.RLIMIT_STACK)[1]  # stays: programs raise their own limit to it
    resource.setrlimit(resource.RLIMIT_STACK, (_STACK if hard == resource.RLIM_INFINITY else min(_STACK, hard), hard))
    kernel.drop_capabilities()
    kernel.no_new_privileges()
    kernel.load_filter(_FILTER)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])


def _watch(child: int, limits: Limits, stdout: int, started: float) -> dict[str, Any]:
    """Wait for the test's end, or for the limit that it passes; reap whatever is orphaned meanwhile."""
    usual, pause = _own_pages(1), _LOOK_S
    cpu_before, looked, idle = 0.0, started, 0.0
    while True:
        signal.sigtimedwait([signal.SIGCHLD], pause)
        end = _reap(child)
        now = time.monotonic()
        group = _Group.look(usual) if end is None else _Group.ended()
        largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss << 10
        if end is None:
            idle += group.idle * max(0.0, now - looked - (group.cpu_s - cpu_before))
            cpu_before, looked = group.cpu_s, now
            pause = _LOOK_S if group.pages * _PAGE < limits.memory / 2 else _CLOSE_LOOK_S
            over = _passed(limits, group, idle, stdout)
            if over is None:
                continue
            end = over, 0
        elif group.cpu_s > limits.cpu_s:
            end = "cpu", 0
        elif os.fstat(stdout).st_size > limits.output:
            end = "output", 0
        elif largest - usual * _PAGE > limits.memory:  # between two looks
            end = "memory", 0
        peak = max(largest, (usual + group.pages) * _PAGE) / 2**20
        return {"end": end[0], "code": end[1], "cpu_s": group.cpu_s, "wall_s": now - started, "peak_mb": peak}


def _reap(child: int) -> tuple[str, int] | None:
    """Reap every ended process; how `child` ended, if it has."""
    end = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return end
        if pid == 0:
            return end
        if pid == child:
            end = ("signal", os.WTERMSIG(status)) if os.WIFSIGNALED(status) else ("exit", os.WEXITSTATUS(status))


def _passed(limits: Limits, group: "_Group", idle: float, stdout: int) -> str | None:
    if group.cpu_s > limits.cpu_s:
        return "cpu"
    if idle > limits.idle_s:
        return "idle"
    if os.fstat(stdout).st_size > limits.output:
        return "output"
    if group.pages * _PAGE > limits.memory and _proportional() > limits.memory:
        return "memory"
    return None


@dataclass(frozen=True)
class _Group:
    """All processes of the cell together, the init apart. `pages` counts what forks share more than once.

    `idle` is the share of the time now that counts as idle: none of it while a thread runs or waits for a CPU, so that
    a busy machine changes no verdict.
    """

    cpu_s: float
    pages: int
    idle: float

    @classmethod
    def ended(cls) -> "_Group":
        """Those that were reaped."""
        times = resource.getrusage(resource.RUSAGE_CHILDREN)
        return cls(times.ru_utime + times.ru_stime, 0, 1.0)

    @classmethod
    def look(cls, usual: int) -> "_Group":
        """Those that were reaped, and those that live."""
        cpu, pages, idle = cls.ended().cpu_s, 0, 1.0
        for name in os.listdir("/proc"):  # noqa: PTH208
            if not name.isdigit() or name == "1":
                continue
            try:
                fields = _stat(f"/proc/{name}")
                idle = min(idle, _IDLE.get(fields[0], 1.0))
                if idle:  # the state is that of the first thread, which often waits for one that works
                    idle = min(idle, _idle_threads(f"/proc/{name}/task"))
            except OSError:  # it ended meanwhile
                continue
            cpu += sum(map(int, fields[11:15])) * _TICK_S  # utime stime cutime cstime, proc(5)
            pages += max(0, int(fields[21]) - usual)  # rss, less what every fork of the zygote has
        return cls(cpu, pages, idle)


_IDLE = {b"R": 0.0, b"D": _DISK_SHARE}  # by state of a thread, proc(5)


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
            except (OSError, IndexError):  # it ended meanwhile
                continue
    return total


def _own_pages(field: int) -> int:
    """Of this process, in pages: 0, its address space; 1, what of it is in memory. See proc(5), statm."""
    with open("/proc/self/statm", "rb") as file:  # noqa: PTH123
        return int(file.read().split()[field])


def _fill(fd: int, text: bytes) -> None:
    view = memoryview(text)
    while view:
        view = view[os.write(fd, view) :]
    os.lseek(fd, 0, os.SEEK_SET)


def _content(fd: int, most: int) -> bytes:
    parts, at = [], 0
    while at <= most and (part := os.pread(fd, min(1 << 24, most + 1 - at), at)):
        parts.append(part)
        at += len(part)
    return b"".join(parts)


def _read_all(fd: int) -> bytes:
    parts = []
    while part := os.read(fd, 65536):
        parts.append(part)
    return b"".join(parts)


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:  # noqa: PTH123
        file.write(text)
