"""One program's cell: fresh pid, mount, ipc and host-name namespaces, confined once, with a process for every test.

`run` is called in the zygote and forks the cell's init, which no line of the program runs in and no test can touch. It
forks a child for each test, kills whatever a test leaves running, and ends where a test leaves anything else: a fresh
cell goes on then. So nothing passes from one test to the next.
"""

import _signal  # type: ignore[import-not-found] # `signal` wraps it in enumerations that cost more than the calls
import functools
import gc
import json
import marshal
import os
import resource
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from types import CodeType
from typing import NamedTuple, NoReturn

from sandbox.inside import kernel
from sandbox.inside.jail import NOBODY, PROC_FLAGS
from sandbox.inside.watch import Ending, Limits, Watch, own_pages

NAMESPACES = kernel.CLONE_NEWPID | kernel.CLONE_NEWNS | kernel.CLONE_NEWIPC | kernel.CLONE_NEWUTS
PROGRAM = "/tmp/program.py"
REPORT_FD, PROOF_FD, _SAY_FD, CODE_FD = 3, 4, 5, 6  # in a test
_SCRATCH = "size=64m,nr_inodes=16384,mode=1777"  # the tests' own /tmp
_SCRATCH_FLAGS = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOATIME
_STACK = 120 << 20  # bytes; the kernel leaves 128 MiB below the main stack, whatever the limit was at exec
_FILES = 256  # open files
_RESERVED = 4 << 30  # bytes of addresses on top of the memory limit: stacks that threads reserve and never touch
_PAGE, _SMALL, _NO_FD, _SEEK_END = resource.getpagesize(), 1 << 15, 1 << 20, os.SEEK_END
# By names of this module's: looking into another one writes to memory that forks share.
_setrlimit, _dup2, _closerange, _exit = resource.setrlimit, os.dup2, os.closerange, os._exit
_open, _close, _read, _pread, _pwrite, _lseek = os.open, os.close, os.read, os.pread, os.pwrite, os.lseek
_BETWEEN = 7  # calls from where the init goes from test to test to where a test's program starts
_SHARE_S = 0.25  # CPU seconds after which the host judges what there is, before more is spent
_SHARE_BYTES = 16 << 20  # and bytes of output
_CODE = 1 << 20  # bytes of a compiled program that the init reads for all tests; a longer one each test reads itself
_A_MOMENT = kernel.pause(0.05)  # until what was killed has ended
_LIMITED = (
    resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE, resource.RLIMIT_CORE,
    resource.RLIMIT_NPROC, resource.RLIMIT_MEMLOCK, resource.RLIMIT_MSGQUEUE,
)  # fmt: skip


class CellError(Exception):
    """A cell could not be set up, or its init died: our trouble, whatever the program is."""


@dataclass(frozen=True)
class Confinement:
    """What a zygote has ready for its cells. `apart`: tests are another user than the zygote and the inits are."""

    apart: bool
    test_filter: kernel.Filter
    shared_filter: kernel.Filter
    last_pid: int | None  # to write the next process id to; None where the kernel has no such file


@dataclass
class Desk:
    """The files of one test, and how it ended: `ending` is set once it has. Proof is not for tests that need none."""

    stdin: int | None
    stdout: int
    report: int
    proof: int | None = None
    number: str = ""
    ending: Ending | None = None


class Strict(NamedTuple):
    """Tests to run, each in a process of its own.

    `code` is a file in which the first test leaves the compiled program for the others, before any of it runs. `ready`
    does in the init what all tests need. `body` runs one test by its number, the second time with True, with the
    compiled program where the init has it, and does not return; `again` says of a report that the test must run a
    second time.
    """

    limits: Limits
    source: bytes
    code: int
    ready: Callable[[], None]
    body: Callable[[int, bool, CodeType | None], NoReturn]
    again: Callable[[bytes], bool]
    stop_first: bool


def run(strict: Strict, desks: Sequence[Desk], confinement: Confinement) -> int:
    """Run the tests of `desks` in order; how many were run, at least one. Raises CellError.

    The numbers of proof are made up after the fork: each is in no memory of the cell until it is read.
    """
    with ExitStack() as open_files:
        told, tell = os.pipe()
        open_files.callback(os.close, told)
        proofs = [_pipe(open_files) if desk.proof == -1 else (None, -1) for desk in desks]
        for desk, (read_end, _) in zip(desks, proofs, strict=True):
            desk.proof = read_end
        init = kernel.fork_into(NAMESPACES)
        if init == 0:
            os.close(told)
            for _, write_end in proofs:
                if write_end >= 0:
                    os.close(write_end)
            _Init(strict, desks, confinement).main(tell)
        os.close(tell)
        for desk, (_, write_end) in zip(desks, proofs, strict=True):
            if write_end >= 0:
                desk.number = os.urandom(16).hex()
                with suppress(BrokenPipeError):
                    os.write(write_end, desk.number.encode())
        facts = _read_all(told)
        _, status = os.waitpid(init, 0)
    try:
        rows = [Ending(*row) for row in json.loads(facts)]
    except (ValueError, TypeError):
        how = os.waitstatus_to_exitcode(status)
        raise CellError(f"a cell broke ({how}): {facts[:500].decode(errors='replace')}") from None
    for desk, ending in zip(desks, rows, strict=False):
        desk.ending = ending
    return len(rows)


@functools.lru_cache(8)
def limit(limits: Limits, addresses: int, others: int) -> list[kernel.Step]:
    """To set the kernel's own limits; `others` processes are not the test's and count with it.

    `addresses` are those of the process that a test is forked from, in pages: its limit comes on top.
    """
    most = (
        limits.memory + _RESERVED + addresses * _PAGE,
        int(limits.cpu_s) + 2,  # whole seconds; the watch is more exact and comes first
        limits.output + 1,
        _FILES,
        0,
        limits.processes + others,
        0,
        0,
    )
    hard_stack = _hard(resource.RLIMIT_STACK)  # stays: programs raise their own limit to it
    steps: list[kernel.Step] = [(_setrlimit, (resource.RLIMIT_STACK, (min(_STACK, hard_stack), _told(hard_stack))))]
    for what, wanted in zip(_LIMITED, most, strict=True):
        one = min(wanted, _hard(what))
        steps.append((_setrlimit, (what, (one, one))))
    return steps


@functools.cache
def _hard(what: int) -> int:
    """The hard limit that this process has, and all that it forks begin with."""
    hard = resource.getrlimit(what)[1]
    return sys.maxsize if hard == resource.RLIM_INFINITY else hard


def _told(hard: int) -> int:
    return resource.RLIM_INFINITY if hard == sys.maxsize else hard


@functools.lru_cache(1)
def giving_up(confinement: Confinement) -> list[kernel.Step]:
    """To give up every capability, and the zygote's user where it is another."""
    if confinement.apart:  # from root to another user: the kernel takes the capabilities
        return [(os.setresgid, (NOBODY, NOBODY, NOBODY)), (os.setresuid, (NOBODY, NOBODY, NOBODY))]
    return [kernel.no_capabilities()]


@dataclass
class _Init:
    """The first process of the cell."""

    strict: Strict
    desks: Sequence[Desk]
    confinement: Confinement
    changed: kernel.Changes | None = None
    code: CodeType | None = None
    watch: Watch = field(init=False)
    steps: list[kernel.Step] = field(init=False)
    rows: list[Ending] = field(default_factory=list)

    def main(self, tell: int) -> NoReturn:
        try:
            self._confine()
            self._all()
            text = json.dumps(self.rows).encode()
        except BaseException as error:  # noqa: BLE001 - the boundary of the cell: the zygote raises CellError
            text = f"{type(error).__name__}: {error}".encode()
        try:
            os.write(tell, text)
        finally:
            os._exit(0)

    def _confine(self) -> None:
        kernel.mount("tmpfs", "/tmp", "tmpfs", _SCRATCH_FLAGS, _SCRATCH)
        kernel.mount("proc", "/proc", "proc", PROC_FLAGS | kernel.MS_RDONLY)
        os.chdir("/tmp")
        os.setsid()  # no signal that a test sends to its process group reaches beyond the cell
        program = os.open(PROGRAM, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o444)
        _write_all(program, self.strict.source)
        os.close(program)
        with suppress(OSError):  # none left of this user's: then every test has a cell of its own
            self.changed = kernel.Changes("/tmp")
        addresses, usual = own_pages()
        self.watch = Watch(usual, alone=False)
        kernel.take(limit(self.strict.limits, addresses, 0 if self.confinement.apart else 2))
        self.confinement.test_filter.load()

    def _all(self) -> None:
        spent, written, limits = 0.0, 0, self.strict.limits
        hear, say = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        sys.setrecursionlimit(1000 + depth() + _BETWEEN)  # programs go as deep as in an interpreter of their own
        self.strict.ready()
        gc.freeze()  # what is here is no garbage: collections in tests need not look at it
        os.dup2(say, _SAY_FD, inheritable=False)
        os.dup2(self.strict.code, CODE_FD, inheritable=False)
        self.steps = self._steps()
        for number, desk in enumerate(self.desks):
            ending = self._one(number, desk, hear, limits, again=False)
            if desk.stdin is not None and self.strict.again(_pread(desk.report, 64, 0)):
                for fd in (desk.stdout, desk.report):
                    os.ftruncate(fd, 0)
                for fd in (desk.stdin, desk.stdout, desk.report):
                    os.lseek(fd, 0, os.SEEK_SET)
                # What its first run spent is gone: a program may ask for this itself.
                left = limits._replace(cpu_s=limits.cpu_s - ending.cpu_s)
                ending = self._one(number, desk, hear, left, again=True)
            self.rows.append(ending)
            spent += ending.cpu_s
            written += _lseek(desk.stdout, 0, _SEEK_END) + _lseek(desk.report, 0, _SEEK_END)
            failed = ending.code != 0 or ending.end != "exit"
            if (failed and self.strict.stop_first) or spent > _SHARE_S or written > _SHARE_BYTES:
                break
            if self.changed is None or self.changed:
                break
            if self.code is None:
                self._take_code(whole=not failed)

    def _take_code(self, *, whole: bool) -> None:
        """Read the program that the first test compiled before any line of it ran, unless that was killed meanwhile."""
        if not whole:
            os.ftruncate(self.strict.code, 0)
            return
        text = os.pread(self.strict.code, _CODE + 1, 0)
        if 0 < len(text) <= _CODE:
            self.code = marshal.loads(text)
            gc.freeze()

    def _one(self, number: int, desk: Desk, hear: int, limits: Limits, *, again: bool) -> Ending:
        # A test's files lie where it will look for them: here it costs no copy. What it sets on one ends with it.
        nothing = _open(os.devnull, os.O_RDWR)
        take_files(nothing if desk.stdin is None else desk.stdin, desk.stdout, desk.report, nothing)
        _dup2(nothing if desk.proof is None else desk.proof, PROOF_FD, False)
        _close(nothing)
        if self.confinement.last_pid is not None:
            _pwrite(self.confinement.last_pid, b"1", 0)  # the test is process 2, as each one is
        child = kernel.fork()
        if child == 0:
            self._test(number, again)
        ending = self.watch.ending(child, limits, desk.stdout)
        while self.watch.reap():
            with suppress(ProcessLookupError):
                os.kill(-1, _signal.SIGKILL)
            kernel.await_child(_A_MOMENT)
        try:
            said = _read(hear, 500)
        except BlockingIOError:
            said = b""
        if said != b"c":
            raise CellError(said.decode(errors="replace") or "the test died before it was confined")
        return ending

    def _steps(self) -> list[kernel.Step]:
        """How a test gives up what it has of the init, and says so."""
        return [
            *giving_up(self.confinement),
            kernel.dumpable(True),  # /proc/self is the test's own, and the init may read its memory maps
            (_signal.pthread_sigmask, (_signal.SIG_SETMASK, ())),
            (os.write, (_SAY_FD, b"c")),
            (os.close, (_SAY_FD,)),
        ]

    def _test(self, number: int, again: bool) -> NoReturn:
        """The process of a test. It tells the init that it is confined, or why it is not, and then is the program's."""
        try:
            try:
                _closerange(CODE_FD + 1 if self.code is None else CODE_FD, _NO_FD)
                kernel.take(self.steps)
            except BaseException as error:
                os.write(_SAY_FD, f"{type(error).__name__}: {error}".encode())
                raise
            self.strict.body(number, again, self.code)
        finally:
            _exit(1)


def depth() -> int:
    """How many calls the caller is in."""
    frame, count = sys._getframe(1), 0
    while frame := frame.f_back:  # type: ignore[assignment]
        count += 1
    return count


def take_files(stdin: int, stdout: int, report: int, nothing: int) -> None:
    """Put these descriptors, which are none of 0 to 6, where a program and its runner look for them."""
    _dup2(stdin, 0)
    _dup2(stdout, 1)
    _dup2(nothing, 2)
    _dup2(report, REPORT_FD, False)


def content(fd: int, most: int) -> bytes:
    """The text of a file, cut one byte above `most`."""
    first = _pread(fd, min(_SMALL, most + 1), 0)
    if len(first) < _SMALL:
        return first
    parts, at = [first], len(first)
    while at <= most and (part := _pread(fd, min(1 << 24, most + 1 - at), at)):
        parts.append(part)
        at += len(part)
    return b"".join(parts)


def memory_file(stack: ExitStack, text: bytes = b"") -> int:
    """An open file in memory, at its start."""
    fd = os.memfd_create("file")
    stack.callback(os.close, fd)
    if text:
        _write_all(fd, text)
        os.lseek(fd, 0, os.SEEK_SET)
    return fd


def block_signals() -> None:
    """Let no signal reach the zygote or an init but those that they wait for: a test may send its init any."""
    _signal.pthread_sigmask(_signal.SIG_SETMASK, range(1, _signal.NSIG))


def _pipe(stack: ExitStack) -> tuple[int, int]:
    read_end, write_end = os.pipe()
    stack.callback(os.close, read_end)
    stack.callback(os.close, write_end)
    return read_end, write_end


def _write_all(fd: int, text: bytes) -> None:
    view = memoryview(text)
    while view:
        view = view[os.write(fd, view) :]


def _read_all(fd: int) -> bytes:
    parts = []
    while part := os.read(fd, 65536):
        parts.append(part)
    return b"".join(parts)
