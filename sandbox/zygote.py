"""The zygote: an interpreter that is started once, closes itself in, and forks a confined child for every test.

Run as a script by the backends, with one argument, its settings as JSON. Standard library only.
"""

import mmap
import os
import sys

_STACK = 8 << 20  # bytes of stack that threads get: libc takes the soft limit at exec for it
_LOW = 16  # descriptors below it are taken: they have a meaning in a test
_LARGE, _ROW = 2 << 20, 64 << 20  # bytes of a large page, and of addresses that are sure to have a place of their own
# Libraries of what is imported later.
_LIBRARIES = (
    *("_bisect", "_ctypes", "_datetime", "_decimal", "_heapq", "_json", "_opcode", "_random", "_sha512", "_statistics"),
    *("_struct", "_typing", "binascii", "math", "resource", "select"),
)
# Modules that ours need, some of which programs import.
_MODULES = ("atexit", "contextlib", "dataclasses", "importlib.machinery", "marshal", "struct", "threading", "weakref")


def main() -> None:
    """Serve tests until the host closes the pipe."""
    again = len(sys.argv) == 3
    if again:
        _line_up()
    import types

    package = types.ModuleType("sandbox")  # the package itself imports libraries that are not to exist here
    package.__path__ = [os.path.dirname(__file__)]  # noqa: PTH120 - few imports
    sys.modules["sandbox"] = package
    (_serve if again else _start_again)()


def _start_again() -> None:
    """As a process whose addresses are always the same, with its symbols looked up now instead of in each child."""
    import resource

    from sandbox.inside import kernel

    kernel.fixed_addresses()
    resource.setrlimit(resource.RLIMIT_STACK, (_STACK, resource.getrlimit(resource.RLIMIT_STACK)[1]))
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:], "again"], {**os.environ, "LD_BIND_NOW": "1"})


def _line_up() -> None:
    """Have the memory of Python's objects lie in one row, which `heap.gather` can make large pages of.

    Libraries are mapped first, and then what keeps the next mapping from beginning within a large page.
    """
    for library in _LIBRARIES:
        try:
            __import__(library)
        except ImportError:  # built in, or named otherwise
            continue
    row = mmap.mmap(-1, _ROW)
    with open("/proc/self/maps") as file:  # noqa: PTH123
        places = [[int(number, 16) for number in line.split(maxsplit=1)[0].split("-")] for line in file]
    row.close()
    rest = next((end % _LARGE for start, end in places if end - start == _ROW), 0)
    if rest:
        _plugs.append(mmap.mmap(-1, rest))


_plugs: list[mmap.mmap] = []


def _serve() -> None:
    """Close this process in and answer tests.

    The settings are `shown`, `paths` (to look for modules in) and `python`, and for a container `lease_s`.
    """
    import json
    import platform
    import site
    from contextlib import suppress

    from sandbox.inside import heap, jail, kernel, prelude, seccomp

    settings = json.loads(sys.argv[1])
    del os.environ["LD_BIND_NOW"]
    names = prelude.names()
    prelude.annotate()
    for module in _MODULES:
        __import__(module)
    heap.fill_holes()  # what runs in every test comes last, so that it lies together
    from sandbox.inside import answers, cell, streams
    from sandbox.worker_loop import serve

    site.setquit()  # `exit` and `quit`, which programs use and `-S` leaves out
    sys.set_int_max_str_digits(0)  # programs print long numbers, as they could before Python 3.11
    sys.executable = settings["python"]
    machine = platform.machine()
    for_test, for_shared = (kernel.Filter(seccomp.assemble(machine, layer)) for layer in ("test", "shared"))
    kernel.keep_code_mapped(("libpython", "libc.so", "python3"))
    try:
        apart = jail.enter(settings["shown"])  # nothing of the package can be read, so nothing imported, from here on
    except OSError as refused:
        sys.exit(str(refused))
    sys.path.extend(settings["paths"])
    for name in [name for name in sys.modules if name.partition(".")[0] == "sandbox"]:
        del sys.modules[name]
    while os.open(os.devnull, os.O_RDONLY) < _LOW:
        pass
    last_pid = None
    with suppress(OSError):
        last_pid = os.open("/proc/sys/kernel/ns_last_pid", os.O_WRONLY)
    confinement = cell.Confinement(apart, for_test, for_shared, last_pid)
    cell.block_signals()
    streams.prepare()
    desk = answers.Answers(names, confinement)
    heap.settle()
    heap.fill_holes()
    heap.gather()
    serve(desk.answer, lease_s=settings.get("lease_s"))


if __name__ == "__main__":
    main()
