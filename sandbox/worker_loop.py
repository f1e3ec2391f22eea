"""The worker's side of `sandbox.workers`: read a framed job, answer with one frame, die with the parent.

Standard library only, because it also runs inside the sandbox's zygote.
"""

import ctypes
import os
import select
import signal
import struct
import sys
from collections.abc import Callable
from functools import partial

PARENT = "VERISTILL_PARENT"  # the environment variable that holds the parent's process id
READY = b"ready"  # the first frame that a worker sends
_LENGTH = struct.Struct("!Q")
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_CHUNK = 1 << 20


def die_with_parent() -> None:
    """Have the kernel SIGKILL this process when the thread that started it ends; exits at once if that came first.

    The first process of a container has no such parent (`PARENT` is 0): it ends when its standard input does.
    """
    parent = os.environ.get(PARENT)
    if parent == "0":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if parent is not None and os.getppid() != int(parent):
        os._exit(1)


def private_pipes() -> tuple[int, int]:
    """Move the job and answer pipes off stdin and stdout, so that whatever prints or reads cannot touch them.

    Returns their two descriptors. Afterwards fd 0 reads nothing and fd 1 goes to stderr.
    """
    jobs, answers = os.dup(0), os.dup(1)  # os.dup makes them close-on-exec
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return jobs, answers


def read_frame(fd: int, *, patience_s: float | None = None) -> bytes | None:
    """The next frame of `fd`; None at its end, or if nothing comes for `patience_s` seconds.

    Raises EOFError for a frame that breaks off.
    """
    head = _read(fd, _LENGTH.size, patience_s)
    if not head:
        return None
    if len(head) < _LENGTH.size:
        raise EOFError("a frame breaks off in its length")
    (size,) = _LENGTH.unpack(head)
    body = _read(fd, size, patience_s)
    if len(body) < size:
        raise EOFError(f"a frame of {size} bytes breaks off after {len(body)}")
    return body


def write_frame(fd: int, body: bytes, *, patience_s: float | None = None) -> None:
    """Write one frame to `fd`, which does not block if `patience_s` is given.

    Raises TimeoutError when nobody has read for `patience_s` seconds.
    """
    head = _LENGTH.pack(len(body))
    written = _once(patience_s, fd, lambda: os.writev(fd, (head, memoryview(body)[:_CHUNK])))  # a write wakes a relay
    for part, done in ((head, written), (body, max(0, written - len(head)))):
        view = memoryview(part)[done:]
        while view:
            view = view[_once(patience_s, fd, partial(os.write, fd, view[:_CHUNK])) :]


def _once(patience_s: float | None, fd: int, write: Callable[[], int]) -> int:
    while True:
        try:
            return write()
        except BlockingIOError:
            if not select.select([], [fd], [], patience_s)[1]:
                raise TimeoutError(f"nobody has read for {patience_s} s") from None


def serve(handle: Callable[[bytes], bytes], *, lease_s: float | None = None) -> None:
    """Answer jobs until the parent closes the pipe, or sends or reads nothing for `lease_s` seconds.

    A container has such a lease: its pipes stay open when the engine between it and the parent dies, also in the middle
    of a frame.

    `handle` should turn every expected failure into an answer: what it raises ends this process with a traceback on
    stderr, and the parent gives the job to a fresh worker once.
    """
    die_with_parent()
    jobs, answers = private_pipes()
    os.set_blocking(answers, lease_s is None)
    write_frame(answers, READY, patience_s=lease_s)
    while (job := read_frame(jobs, patience_s=lease_s)) is not None:
        write_frame(answers, handle(job), patience_s=lease_s)
    sys.stderr.flush()


def _read(fd: int, size: int, patience_s: float | None) -> bytes:
    first = _next(fd, size, patience_s) if size else b""
    if len(first) == size or not first:
        return first
    parts = bytearray(first)
    while len(parts) < size:
        part = _next(fd, size - len(parts), patience_s)
        if not part:
            break
        parts += part
    return bytes(parts)


def _next(fd: int, size: int, patience_s: float | None) -> bytes:
    if patience_s is not None and not select.select([fd], [], [], patience_s)[0]:
        return b""
    return os.read(fd, min(size, _CHUNK))
