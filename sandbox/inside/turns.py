"""Runs several tests of one program after each other in one process: the body of mode `fast`.

Between two tests it puts back what programs usually change, as far as that is cheap. It stops at the first test that
does not end well and records nothing of that one: a process of its own decides there. The record of a script is the
size that its output has reached, that of a call is its report after its length.
"""

import atexit
import builtins
import gc
import json
import marshal
import os
import random
import re
import struct
import sys
import time
import types
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from sandbox.inside import runner, streams
from sandbox.inside.cell import REPORT_FD, depth
from sandbox.inside.shared import STDIN_FD, STDOUT_FD

SIZE = struct.Struct("!Q")
_SHARE_S = 0.25  # CPU seconds after which another process goes on, so that a slow program still has its whole limit
_REPEATED_S = 0.02  # of the first test, which runs twice: a longer one has the process to itself instead
_SHARE_BYTES = 8 << 20  # and bytes of output
_SEEK_SET, _SEEK_END = os.SEEK_SET, os.SEEK_END
_BETWEEN = 3  # calls from here to where a script starts, less the one that asks
# Renewing the state of random numbers costs as much as a small test.
_RANDOM = re.compile("rand|shuffle|choice|sample|uniform|gauss|seed")
_stream = streams.stream
_exec, _exit, _clock, _dumps, _pwrite, _loads = exec, os._exit, time.process_time, json.dumps, os.pwrite, marshal.loads
_dup2, _seek, _truncate, _set_depth = os.dup2, os.lseek, os.ftruncate, sys.setrecursionlimit


def scripts(source: str, tests: Sequence[bytes], names: Mapping[str, Any]) -> NoReturn:
    """Run the program as a script for one standard input after the other."""
    code = runner.compiled(source)
    state = _State(source)
    reached = at = 0
    for number, text in enumerate(tests):
        _input(text)
        _seek(STDOUT_FD, reached, _SEEK_SET)
        state.restore()
        status, report = _run(code, names)
        if report and report[0] == "prelude" and number == 0:  # as a test of its own, it starts again with these
            _truncate(STDOUT_FD, reached)
            _input(text)
            _seek(STDOUT_FD, reached, _SEEK_SET)
            state.restore()
            state.give(names)
            names = {}
            status, report = _run(code, names)
        if status or report:
            _exit(1)
        reached = _seek(STDOUT_FD, 0, _SEEK_END)
        at += _pwrite(REPORT_FD, SIZE.pack(reached), at)
        if _clock() > (_SHARE_S if number else _REPEATED_S) or reached > _SHARE_BYTES:
            break
    _exit(0)


def calls(source: str, entry: str, tests: Sequence[bytes], names: Mapping[str, Any], form: str) -> NoReturn:
    """Define the program afresh for each list of arguments, and call its `entry` with it.

    What it keeps in its own names would help a later call: a memo saves it the depth that it may not go to. `names` are
    those built in, the prelude's among them.
    """
    code = runner.compiled(source)
    state = _State(source)
    _input(b"")
    state.restore()
    built_in = state.built_in(names)
    at = 0
    for number, text in enumerate(tests):
        _set_depth(state.depth)
        module = runner.new_module("program")
        module.__dict__["__builtins__"] = built_in
        _exec(code, module.__dict__)
        function = runner.entry_of(module, entry)
        if function is None:
            _exit(1)
        report = runner.value_of(function(*_loads(text)), form)
        if report[0] != "value":
            _exit(1)
        body = _dumps(report).encode("utf-8", "surrogatepass")
        for part in (SIZE.pack(len(body)), body):
            at += _pwrite(REPORT_FD, part, at)
        if _clock() > (_SHARE_S if number else _REPEATED_S) or at > _SHARE_BYTES:
            break
    _exit(0)


class _State:
    """What is put back before each test."""

    def __init__(self, source: str) -> None:
        self._random, self._patches = _RANDOM.search(source), "builtins" in source
        self._path = list(sys.path)
        self._stderr: Any = sys.stderr
        self._builtins = dict(vars(builtins)) if self._patches else {}  # to copy it touches much memory
        self.depth = 1000 + depth() + _BETWEEN

    def give(self, names: Mapping[str, Any]) -> None:
        """Have the prelude's names from here on."""
        runner.give(names)
        self._builtins = dict(vars(builtins)) if self._patches else {}  # to copy it touches much memory

    def built_in(self, names: Mapping[str, Any]) -> Any:
        """What a module gets as its `__builtins__`: these names, since adding them to Python's own takes long.

        A program that changes what is built in, or may, gets them there nevertheless.
        """
        if self._patches:
            self.give(names)
            return builtins
        for stream in runner.STREAMS:
            names[stream] = getattr(sys, stream)  # type: ignore[index]
        return names

    def restore(self) -> None:
        sys.stdin = sys.__stdin__ = _stream(0, "r")  # type: ignore[misc]
        sys.stdout = sys.__stdout__ = _stream(1, "w")  # type: ignore[misc]
        sys.stderr = sys.__stderr__ = self._stderr  # type: ignore[misc]
        sys.argv = ["program.py"]
        sys.path[:] = self._path
        if self._random:
            random.seed(0)
        _set_depth(self.depth)
        sys.settrace(None)
        gc.enable()
        if self._patches and vars(builtins) != self._builtins:
            vars(builtins).clear()
            vars(builtins).update(self._builtins)


def _run(code: types.CodeType, names: Mapping[str, Any]) -> tuple[int, Any]:
    stdout = sys.stdout
    try:
        status, report = runner.run_main(code, names)
        if status or report:
            return status, report
        atexit._run_exitfuncs()
        streams.flush_standard()
        streams.flush_own(stdout)  # type: ignore[arg-type]
        left = sys.modules.pop("__main__").__dict__
        for name in [name for name in left if name != "__builtins__"]:
            left[name] = None
        return 0, None
    except BaseException:  # noqa: BLE001 - the boundary to the program
        return 1, None


def _input(text: bytes) -> None:
    _truncate(STDIN_FD, 0)
    at = 0
    while at < len(text):
        at += _pwrite(STDIN_FD, text[at : at + (1 << 24)] if len(text) > 1 << 24 else text, at)
    _seek(STDIN_FD, 0, _SEEK_SET)
    _dup2(STDIN_FD, 0)
    _dup2(STDOUT_FD, 1)
