"""The standard streams of a test, and the end of an interpreter: what stands in buffers is written, what lives dies."""

import gc
import io
import os
import random
import sys
import types
import weakref
from typing import Any

_collect, _objects, _ref, _flush_text = gc.collect, gc.get_objects, weakref.ref, io.TextIOWrapper.flush


def prepare() -> None:
    """Set this process up as a test finds it, before it is forked: what is done here costs a test nothing.

    The standard streams read and write whatever descriptors 0 to 2 will be, and hold nothing yet. They are made on a
    file that can be sought in, as those of a test can: a stream asks that once.
    """
    kept = [os.dup(fd) for fd in (0, 1)]
    file = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1):
        os.dup2(file, fd)
    sys.stdin = sys.__stdin__ = stream(0, "r")  # type: ignore[misc]
    sys.stdout = sys.__stdout__ = stream(1, "w")  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = stream(2, "w")  # type: ignore[misc]
    for fd, before in enumerate(kept):
        os.dup2(before, fd)
        os.close(before)
    os.close(file)
    sys.argv = ["program.py"]
    sys.path.insert(0, "/tmp")
    random.seed(0)


def stream(fd: int, mode: str) -> io.TextIOWrapper:
    """As `open` makes it, at a fraction of the cost."""
    raw = io.FileIO(fd, mode, closefd=False)
    buffer = io.BufferedReader(raw) if mode == "r" else io.BufferedWriter(raw)
    text = io.TextIOWrapper(buffer, encoding="utf-8", errors="backslashreplace" if fd == 2 else "strict")
    text.mode = mode  # type: ignore[misc]
    return text


def flush_standard() -> None:
    """As CPython's `flush_std_files`: a closed or missing stream is no failure, one that cannot be written is."""
    for stream in (getattr(sys, "stdout", None), getattr(sys, "stderr", None)):
        if stream is not None and not _closed(stream):
            stream.flush()


def flush_own(stdout: io.TextIOWrapper) -> None:
    """Write out what stands in the stream that the test began with, as freeing it would."""
    try:
        _flush_text(stdout)
    except Exception:  # noqa: BLE001 - the boundary to the program: closed, detached, full
        return


def _closed(stream: Any) -> bool:
    try:
        return bool(stream.closed)
    except Exception:  # noqa: BLE001 - the boundary to the program: its stream
        return False


def free_main() -> None:
    """Let the program's objects die, as the end of an interpreter does: some write their output only then."""
    sys.stdin, sys.stdout, sys.stderr = sys.__stdin__, sys.__stdout__, sys.__stderr__
    main = _ref(module) if isinstance(module := sys.modules.pop("__main__", None), types.ModuleType) else lambda: None
    del module
    _collect()
    if (left := main()) is not None:  # another module holds it
        names = left.__dict__
        for name in [name for name in names if name != "__builtins__"]:
            names[name] = None
        _collect()


def flush_files() -> None:
    """Write out what stands in open files, as freeing them would; like there, a failure has no effect."""
    for kind in (io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom):
        for item in _objects():
            if issubclass(type(item), kind):
                try:
                    kind.flush(item)
                except Exception:  # noqa: BLE001 - the boundary to the program: closed, detached, full
                    continue
