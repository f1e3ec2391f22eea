"""One process, in namespaces of its own, for several tests of one program: the cell of mode `fast`.

The kernel ends it at the first call that outlives a test: it can start no process or thread, send no signal, set no
timer and write no file, so all that one test can leave to the next is in this process. What it says of its tests is its
own word, and decides nothing but which outputs the host compares.
"""

import _signal  # type: ignore[import-not-found] # `signal` wraps it in enumerations that cost more than the calls
import os
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple, NoReturn

from sandbox.inside import kernel
from sandbox.inside.cell import (
    NAMESPACES,
    PROOF_FD,
    REPORT_FD,
    CellError,
    Confinement,
    content,
    giving_up,
    limit,
)
from sandbox.inside.jail import PROC_FLAGS
from sandbox.inside.watch import Ending, Limits, Watch, own_pages

STDIN_FD, STDOUT_FD = 7, 8  # the same files as 0 and 1, to put those back
_SAY_FD = 5
_NOTHING, _BOTH, _QUIET = os.devnull, os.O_RDWR, os.O_NONBLOCK | os.O_CLOEXEC
# By names of this module's: looking into another one writes to memory that forks share.
_memfd, _pipe2, _open, _close, _read = os.memfd_create, os.pipe2, os.open, os.close, os.read
_write, _closerange, _exit, _dup2 = os.write, os.closerange, os._exit, os.dup2
_PROC = kernel.mounting("proc", "/proc", "proc", PROC_FLAGS | kernel.MS_RDONLY)
_UNBLOCK: kernel.Step = (_signal.pthread_sigmask, (_signal.SIG_SETMASK, ()))
_CONFINED: tuple[kernel.Step, ...] = ((os.write, (_SAY_FD, b"c")), (os.close, (_SAY_FD,)))
_A_MOMENT = kernel.pause(0.05)  # until what was killed has ended


class Shared(NamedTuple):
    """How the process ended, what it wrote, and its record of the tests that it finished."""

    ending: Ending
    records: bytes
    stdout: bytes


class _Files(NamedTuple):
    stdin: int
    stdout: int
    report: int
    say: int
    nothing: int


def run(limits: Limits, body: Callable[[], NoReturn], confinement: Confinement) -> Shared:
    """Run `body`, which takes one test after the other, under the limits of one test. Raises CellError."""
    hear, say = _pipe2(_QUIET)
    files = _Files(_memfd("file"), _memfd("file"), _memfd("file"), say, _open(_NOTHING, _BOTH))
    try:
        addresses, usual = own_pages()
        steps = _steps(files, limit(limits, addresses, 3), confinement)
        child = kernel.fork_into(NAMESPACES)
        if child == 0:
            _child(say, steps, body)
        watch = Watch(usual, alone=True)
        ending = watch.ending(child, limits, files.stdout)
        while watch.reap():
            os.kill(child, _signal.SIGKILL)
            kernel.await_child(_A_MOMENT)
        try:
            said = _read(hear, 500)
        except BlockingIOError:
            said = b""
        if said != b"c":
            raise CellError(said.decode(errors="replace") or "the tests' process died before it was confined")
        return Shared(ending, content(files.report, limits.output), content(files.stdout, limits.output))
    finally:
        _close(hear)
        for fd in files:
            _close(fd)


def _steps(files: _Files, limiting: list[kernel.Step], confinement: Confinement) -> list[kernel.Step]:
    """How the process puts its files in place and gives up what it has of the zygote, and says so."""
    return [
        _PROC,
        (_dup2, (files.stdin, 0)),
        (_dup2, (files.stdout, 1)),
        (_dup2, (files.nothing, 2)),
        (_dup2, (files.report, REPORT_FD, False)),
        (_dup2, (files.say, _SAY_FD, False)),
        (_dup2, (files.stdin, STDIN_FD, False)),
        (_dup2, (files.stdout, STDOUT_FD, False)),
        (_close, (PROOF_FD,)),
        (_closerange, (STDOUT_FD + 1, 1 << 20)),
        *limiting,
        *giving_up(confinement),
        _UNBLOCK,
        confinement.shared_filter.loading(),
        *_CONFINED,
    ]


def _child(say: int, steps: list[kernel.Step], body: Callable[[], NoReturn]) -> NoReturn:
    try:
        try:
            kernel.take(steps)
        except BaseException as error:
            for fd in (say, _SAY_FD):  # one of them is open
                with suppress(OSError):
                    _write(fd, f"{type(error).__name__}: {error}".encode())
                    break
            raise
        body()
    finally:
        _exit(1)
