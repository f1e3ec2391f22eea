"""The floor: what the same interpreter costs that only forks and ends, and what it costs with the program in it.

Nothing is isolated here. `empty`: fork, exit, wait, as `os.fork` does it. `bare`: the same by libc's own fork, without
Python's at-fork functions. `program`: `bare`, and the child runs the test, its standard streams two files in memory.
`none`: the tests run in the process itself, one after another: the programs' own work.
"""

import ctypes
import io
import os
import sys
import time
from collections.abc import Callable
from typing import Any

_PRELOADED = (
    *("string", "re", "datetime", "collections", "heapq", "bisect", "copy", "math", "random", "statistics"),
    *(
        "itertools",
        "functools",
        "operator",
        "io",
        "sys",
        "json",
        "typing",
        "threading",
        "marshal",
        "importlib.machinery",
    ),
)


def run(variant: str, items: list[dict[str, Any]], workers: int, say: Callable[..., None]) -> None:
    """Run all tests of `items` in `workers` processes; say how long it took."""
    for name in _PRELOADED:
        __import__(name)
    once = {"empty": _empty, "bare": _bare, "program": _program, "none": _none}[variant]
    sys.set_int_max_str_digits(0)
    once(items[0], items[0]["tests"][0])
    say(ready=True)
    began = time.monotonic()
    told = [_share(items[number::workers], once) for number in range(workers)]
    right = sum(int(os.read(fd, 100)) for fd, _ in told)
    for fd, pid in told:
        os.close(fd)
        os.waitpid(pid, 0)
    say(done=True, wall_s=time.monotonic() - began, right=right)
    alone = []
    for item in items[:30]:
        began = time.monotonic()
        for test in item["tests"]:
            once(item, test)
        alone.append(time.monotonic() - began)
    say(alone_s=alone)


def _share(items: list[dict[str, Any]], once: Callable[..., bool]) -> tuple[int, int]:
    hear, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        right = sum(all([once(item, test) for test in item["tests"]]) for item in items)
        os.write(tell, str(right).encode())
        os._exit(0)
    os.close(tell)
    return hear, pid


def _empty(item: dict[str, Any], test: dict[str, Any]) -> bool:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    return os.waitpid(pid, 0)[1] == 0


_libc_fork = ctypes.PyDLL(None).fork


def _bare(item: dict[str, Any], test: dict[str, Any]) -> bool:
    pid = _libc_fork()
    if pid == 0:
        os._exit(0)
    return os.waitpid(pid, 0)[1] == 0


def _program(item: dict[str, Any], test: dict[str, Any]) -> bool:
    given, said = os.memfd_create("in"), os.memfd_create("out")
    os.write(given, test["input"].encode())
    os.lseek(given, 0, os.SEEK_SET)
    pid = _libc_fork()
    if pid == 0:
        try:
            os.dup2(given, 0)
            os.dup2(said, 1)
            sys.stdin, sys.stdout = open(0), open(1, "w")  # noqa: SIM115
            _exec(item, test)
            sys.stdout.flush()
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    text = os.pread(said, 1 << 20, 0).decode()
    os.close(given)
    os.close(said)
    return bool(text)


def _none(item: dict[str, Any], test: dict[str, Any]) -> bool:
    usual = sys.stdin, sys.stdout
    sys.stdin, sys.stdout = io.StringIO(test["input"]), io.StringIO()
    try:
        _exec(item, test)
        return bool(sys.stdout.getvalue())
    finally:
        sys.stdin, sys.stdout = usual


def _exec(item: dict[str, Any], test: dict[str, Any]) -> None:
    names: dict[str, Any] = {"__name__": "__main__"}
    if item["kind"] == "stdin":
        exec(compile(item["source"], "program.py", "exec"), names)
        return
    if "code" not in item:  # a process that stays defines a program once
        exec(compile(item["source"], "program.py", "exec"), names)
        of_class = "Solution" in names and hasattr(names["Solution"], item["entry"])
        item["code"] = getattr(names["Solution"](), item["entry"]) if of_class else names[item["entry"]]
    print(item["code"](*test["args"]))
