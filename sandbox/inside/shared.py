"""One process, in namespaces of its own, for several tests of one program: the cell of mode `fast`.

The kernel ends it at the first call that outlives a test: it can start no process or thread, send no signal, set no
timer and write no file, so all that one test can leave to the next is in this process. What it says of its tests is its
own word, and decides nothing but which outputs the host compares.
"""

import _signal  # type: ignore[import-not-found] # `signal` wraps it in enumerations that cost more than the calls
import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import NamedTuple, NoReturn

from sandbox.inside import kernel
from sandbox.inside.cell import (
    NAMESPACES,
    CellError,
    Confinement,
    content,
    give_up,
    limit,
    memory_file,
    space,
    take_files,
)
from sandbox.inside.jail import PROC_FLAGS
from sandbox.inside.watch import Ending, Limits, Watch, own_pages

STDIN_FD, STDOUT_FD = 7, 8  # the same files as 0 and 1, to put those back
_SAY_FD = 5


class Shared(NamedTuple):
    """How the process ended, what it wrote, and its record of the tests that it finished."""

    ending: Ending
    records: bytes
    stdout: bytes


@dataclass(frozen=True)
class _Files:
    stdin: int
    stdout: int
    report: int
    say: int


def run(limits: Limits, body: Callable[[], NoReturn], confinement: Confinement) -> Shared:
    """Run `body`, which takes one test after the other, under the limits of one test. Raises CellError."""
    with ExitStack() as stack:
        hear, say = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        stack.callback(os.close, hear)
        stack.callback(os.close, say)
        files = _Files(memory_file(stack), memory_file(stack), memory_file(stack), say)
        usual, addresses = own_pages(1), space(limits)
        child = kernel.fork_into(NAMESPACES)
        if child == 0:
            _child(limits, addresses, files, body, confinement)
        watch = Watch(child, limits, files.stdout, usual, alone=True)
        ending = watch.ending()
        while watch.reap():
            os.kill(child, _signal.SIGKILL)
            _signal.sigtimedwait([_signal.SIGCHLD], 0.05)
        try:
            said = os.read(hear, 500)
        except BlockingIOError:
            said = b""
        if said != b"c":
            raise CellError(said.decode(errors="replace") or "the tests' process died before it was confined")
        return Shared(ending, content(files.report, limits.output), content(files.stdout, limits.output))


def _child(
    limits: Limits, addresses: int, files: _Files, body: Callable[[], NoReturn], confinement: Confinement
) -> NoReturn:
    try:
        try:
            kernel.mount("proc", "/proc", "proc", PROC_FLAGS | kernel.MS_RDONLY)
            take_files(files.stdin, files.stdout, files.report, os.open(os.devnull, os.O_RDWR))
            for fd, place in ((files.say, _SAY_FD), (files.stdin, STDIN_FD), (files.stdout, STDOUT_FD)):
                os.dup2(fd, place, inheritable=False)
            os.close(4)
            os.closerange(STDOUT_FD + 1, 1 << 20)
            limit(limits, addresses, others=3)
            give_up(confinement)
            _signal.pthread_sigmask(_signal.SIG_SETMASK, ())
            confinement.shared_filter.load()
        except BaseException as error:
            os.write(files.say, f"{type(error).__name__}: {error}".encode())
            raise
        os.write(_SAY_FD, b"c")
        os.close(_SAY_FD)
        body()
    finally:
        os._exit(1)
