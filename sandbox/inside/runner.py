"""Runs one program in the test's own process, as a script, for one call, or with assert statements after it.

It reports on a descriptor, as JSON, what the exit code cannot say. The program shares the process and could write there
too, so the host takes a report for no more than the program's own word; only the end of assert statements is proven,
by a number that the host's side of the cell made up and that is read here when they have ended.

    ["value", v]  ["end", number]  ["raised", type, text, where]  ["exited", text]  ["memory"]  ["compile", text]
    ["missing", module]  ["no entry", name]  ["not json", type]  ["bad test", text]  ["prelude", name]
"""

import atexit
import builtins
import gc
import importlib.machinery
import io
import json
import marshal
import os
import random
import sys
import threading
import types
import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn

from sandbox.inside.cell import PROOF_FD, REPORT_FD

# The program may patch any module: what the runner needs later, it holds by its own name from the start.
_compile, _exec, _exit, _dumps, _pwrite, _truncate = compile, exec, os._exit, json.dumps, os.pwrite, os.ftruncate
_set_digits, _read, _collect, _objects, _ref = (
    sys.set_int_max_str_digits,
    os.read,
    gc.collect,
    gc.get_objects,
    weakref.ref,
)

PROGRAM, TEST = "/tmp/program.py", "<test>"  # the file names in tracebacks; the first exists
_BUILT_IN = frozenset(name for name in vars(builtins) if not name.startswith("__"))
_TEXT = 400  # characters of an exception's text
_DEEP = 200  # levels of nesting in a returned value; more is no answer to any test
_STARRED = (
    *("string", "re", "datetime", "collections", "heapq", "bisect", "copy", "math", "random", "statistics"),
    *("itertools", "functools", "operator", "io", "sys", "json", "typing"),
)

Report = list[Any]


def prelude() -> dict[str, Any]:
    """What programs of competitive programming take for granted, as the LiveCodeBench runner gives it.

    What is built in already keeps its meaning: `pow` is not `math.pow`.
    """
    names: dict[str, Any] = {}
    for module in _STARRED:
        _exec(f"from {module} import *", names)
    _exec(f"import {', '.join(_STARRED)}", names)
    own = vars(builtins)
    return {name: value for name, value in names.items() if name not in own and name != "__builtins__"}


def script(source: str, names: Mapping[str, Any], *, given: bool) -> NoReturn:
    """Run the program as `python program.py` would, its end included, and end the process with its exit code.

    `given`: with the prelude's `names` built in. Else a program that ends for want of one of them reports it.
    """
    _fresh_streams()
    code = _compiled(source)
    if given:
        _give(names)
    else:
        _note_missing(names)
    status, report = _run_main(code, {} if given else names)
    try:  # as the interpreter ends: wait for threads, call exit functions, flush, free everything
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        _flush_standard()
        _free_main()
        _flush_files()
    except BaseException as error:  # noqa: BLE001 - the boundary to the program
        status, report = status or 1, report or _raised(error)
    _leave(status, report)


def _run_main(code: types.CodeType, missing: Mapping[str, Any]) -> tuple[int, Report | None]:
    """Nothing of the program is held here when this returns."""
    main = _module("__main__")
    main.__dict__["__builtins__"] = builtins
    try:
        _exec(code, main.__dict__)
    except SystemExit as leaving:
        return _status(leaving)
    except BaseException as error:  # noqa: BLE001 - the boundary to the program
        return 1, _wanted(error, missing) or _raised(error)
    return 0, None


def _give(names: Mapping[str, Any]) -> None:
    vars(builtins).update(names)
    for stream in ("stdin", "stdout", "stderr", "argv"):  # the prelude's `from sys import *`, with the test's own
        setattr(builtins, stream, getattr(sys, stream))


def _wanted(error: BaseException | None, names: Mapping[str, Any]) -> Report | None:
    return ["prelude", error.name] if type(error) is NameError and error.name in names else None


def _note_missing(names: Mapping[str, Any]) -> None:
    """End at once where a thread ends for want of one of `names`: Python would go on without it."""
    usual = threading.excepthook

    def hook(failed: threading.ExceptHookArgs) -> None:
        if wanted := _wanted(failed.exc_value, names):
            _leave(1, wanted)
        usual(failed)

    threading.excepthook = hook


def call(source: str, entry: str, args: bytes, names: Mapping[str, Any]) -> NoReturn:
    """Define the program, call its `entry` (of `class Solution`, or else of the module) and report the value."""
    _fresh_streams()
    code = _compiled(source)
    _give(names)
    module = _module("program")
    try:
        _exec(code, module.__dict__)
        function = _entry(module, entry)
        if function is None:
            _leave(1, ["no entry", entry])
        value = function(*marshal.loads(args))
    except BaseException as error:  # noqa: BLE001 - the boundary to the program
        _leave(1, _raised(error))
    _leave(0, _value(value))


def asserts(source: str, test: str, entry: str | None, names: Mapping[str, Any]) -> NoReturn:
    """Define the program, then run the test's statements with its names; prove it after the last of them.

    The statements get the prelude's modules and classes, not its functions: `operator.add` is nobody's answer to a
    question for `add`.
    """
    _fresh_streams()
    plain = {name: value for name, value in names.items() if _is_module(value) or not name[0].islower()}
    plain |= vars(builtins)
    try:
        check = _compile(test, TEST, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        _leave(1, ["bad test", _text(error)])
    code = _compiled(source)
    _give(names)
    module = _module("program")
    try:
        _exec(code, module.__dict__)
        _exec(check, {**_visible(module.__dict__, check, entry), "__builtins__": plain})
    except BaseException as error:  # noqa: BLE001 - the boundary to the program
        _leave(1, _raised(error, test))
    _leave(0, ["end", _read(PROOF_FD, 64).decode()])


def _visible(names: dict[str, Any], check: types.CodeType, entry: str | None) -> dict[str, Any]:
    """The program's names as its test sees them: `abs` is Python's own there, unless `abs` is what is tested.

    Without `entry` that is the one name of the program that the test uses, if it uses one alone.
    """
    used = {name for name in _names(check) if name in names and not name.startswith("__")}
    tested = {entry} if entry is not None else used if len(used) == 1 else set()
    return {name: value for name, value in names.items() if name not in _BUILT_IN or name in tested}


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)


def _compiled(source: str) -> types.CodeType:
    """The program's code, its text in a file of its own, where `inspect` and `open(__file__)` find it."""
    with open(PROGRAM, "wb") as file:  # noqa: PTH123
        file.write(source.encode("utf-8", "surrogatepass"))
    try:
        return _compile(source.removeprefix("\ufeff"), PROGRAM, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
        _leave(1, ["compile", _text(error)])


def _fresh_streams() -> None:
    """Standard streams on the test's own descriptors, and the state that Python's own fork would have renewed."""
    sys.stdin = sys.__stdin__ = open(0, encoding="utf-8", closefd=False)  # type: ignore[misc] # noqa: SIM115
    sys.stdout = sys.__stdout__ = open(1, "w", encoding="utf-8", closefd=False)  # type: ignore[misc] # noqa: SIM115
    sys.stderr = sys.__stderr__ = open(2, "w", encoding="utf-8", closefd=False)  # type: ignore[misc] # noqa: SIM115
    sys.argv = ["program.py"]
    sys.path.insert(0, "/tmp")
    random.seed(0)
    frame, depth = sys._getframe(), 0
    while frame := frame.f_back:  # type: ignore[assignment]
        depth += 1
    sys.setrecursionlimit(1000 + depth)  # as deep as in an interpreter of its own


def _module(name: str) -> types.ModuleType:
    module = types.ModuleType(name)
    module.__file__ = PROGRAM
    sys.modules[name] = sys.modules["__main__"] = module
    return module


def _entry(module: types.ModuleType, name: str) -> Callable[..., Any] | None:
    solution = module.__dict__.get("Solution")
    if isinstance(solution, type) and hasattr(solution, name):
        method: Callable[..., Any] = getattr(solution(), name)
        return method
    return module.__dict__.get(name)


def _is_module(value: Any) -> bool:
    return isinstance(value, types.ModuleType)


def _status(leaving: SystemExit) -> tuple[int, Report | None]:
    """What `sys.exit(code)` means: nothing is 0, a number is itself, anything else is printed and means 1."""
    code = leaving.code
    if code is None:
        return 0, None
    if isinstance(code, int):
        return code & 0xFF, (["exited", f"exit code {code & 0xFF}"] if code & 0xFF else None)
    return 1, ["exited", f"exit code 1: {str(code)[:_TEXT]}"]


def _raised(error: BaseException, test: str = "") -> Report:
    if isinstance(error, MemoryError):
        error.__traceback__ = None  # its frames hold the memory
        return ["memory"]
    frames = []
    trace = error.__traceback__
    while trace:
        frames.append((trace.tb_frame.f_code.co_filename, trace.tb_lineno))
        trace = trace.tb_next
    if type(error) is ModuleNotFoundError and _lacking(error.name):
        return ["missing", error.name]
    ours = [frame for frame in frames if frame[0] in (PROGRAM, TEST)]
    where, line = ours[-1] if ours else (PROGRAM, 0)
    text = _text(error)
    lines = test.splitlines()
    if where == TEST and 0 < line <= len(lines):
        text = f"{text} in: {lines[line - 1].strip()[:_TEXT]}"
    return ["raised", type(error).__qualname__, text, "test" if where == TEST else "program"]


def _lacking(module: str | None) -> bool:
    """Whether this interpreter has no such module, as opposed to a part of one that it has."""
    top = (module or "").partition(".")[0]
    if not top or top in sys.builtin_module_names or top in sys.stdlib_module_names:
        return False
    return importlib.machinery.PathFinder.find_spec(top) is None


def _text(error: BaseException) -> str:
    name = type(error).__qualname__
    try:
        return f"{name}: {str(error)[:_TEXT]}".rstrip(": ")
    except BaseException:  # noqa: BLE001 - the boundary to the program: its `__str__`
        return name


def _value(value: Any) -> Report:
    _set_digits(0)
    try:
        return ["value", _plain(value, 0)]
    except _NotJson as error:
        return ["not json", str(error)]
    except BaseException as error:  # noqa: BLE001 - the boundary to the program
        return _raised(error)


class _NotJson(Exception):
    pass


def _plain(value: Any, depth: int) -> Any:
    """The JSON value inside `value`, by the built-in type under it; no method of the program's own is called."""
    if depth > _DEEP:
        raise _NotJson(f"a value nested more than {_DEEP} levels deep")
    if value is None or type(value) in (bool, int, float, str):
        return value
    kind = type(value)
    if issubclass(kind, (list, tuple)):
        base: Any = list if issubclass(kind, list) else tuple
        return [_plain(item, depth + 1) for item in base.__iter__(value)]
    if issubclass(kind, dict):
        return {_key(key): _plain(item, depth + 1) for key, item in dict.items(value)}
    for plain in (int, float, str):
        if issubclass(kind, plain):
            return {int: int.__int__, float: float.__float__, str: str.__str__}[plain](value)
    if kind.__module__ == "numpy" and hasattr(kind, "tolist"):
        return _plain(value.tolist(), depth + 1)
    raise _NotJson(f"a value of type {kind.__qualname__[:100]}")


def _key(key: Any) -> str:
    """As JSON writes the keys of an object."""
    plain = _plain(key, 0)
    if isinstance(plain, (list, dict)):
        raise _NotJson("an object with a key that is neither text nor number")
    return plain if isinstance(plain, str) else _dumps(plain)


def _flush_standard() -> None:
    """As CPython's `flush_std_files`: a closed or missing stream is no failure, one that cannot be written is."""
    for stream in (getattr(sys, "stdout", None), getattr(sys, "stderr", None)):
        if stream is not None and not _closed(stream):
            stream.flush()


def _closed(stream: Any) -> bool:
    try:
        return bool(stream.closed)
    except Exception:  # noqa: BLE001 - the boundary to the program: its stream
        return False


def _free_main() -> None:
    """Let the program's objects die, as the end of an interpreter does: some write their output only then."""
    sys.stdin, sys.stdout, sys.stderr = sys.__stdin__, sys.__stdout__, sys.__stderr__
    main = _ref(module) if _is_module(module := sys.modules.pop("__main__", None)) else lambda: None
    del module
    _collect()
    if (left := main()) is not None:  # another module holds it
        names = left.__dict__
        for name in [name for name in names if name != "__builtins__"]:
            names[name] = None
        _collect()


def _flush_files() -> None:
    """Write out what stands in open files, as freeing them would; like there, a failure has no effect."""
    for kind in (io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom):
        for item in _objects():
            if issubclass(type(item), kind):
                try:
                    kind.flush(item)
                except Exception:  # noqa: BLE001 - the boundary to the program: closed, detached, full
                    continue


def _leave(status: int, report: Report | None) -> NoReturn:
    try:
        if report is not None:
            _set_digits(0)
            text = _dumps(report).encode("utf-8", "surrogatepass")
            _truncate(REPORT_FD, 0)
            at = 0
            while at < len(text):
                at += _pwrite(REPORT_FD, text[at : at + (1 << 20)], at)
    except MemoryError:
        _pwrite(REPORT_FD, b'["memory"]', 0)
        status = 1
    finally:
        _exit(status)
