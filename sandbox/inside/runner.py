"""Runs one program in the test's own process, as a script, for one call, or with assert statements after it.

It reports on a descriptor, as JSON, what the exit code cannot say. The program shares the process and could write there
too, so the host takes a report for no more than the program's own word; only the end of assert statements is proven,
by a number that the host's side of the cell made up and that is read here when they have ended.

    ["value", v]  ["values", [v...], null or what was raised]  ["end", number]
    ["raised", type, text, where]  ["exited", text]  ["memory"]  ["compile", text]
    ["missing", module]  ["no entry", name]  ["not json", type]  ["bad test", text]  ["prelude", name]
"""

import _thread
import atexit
import builtins
import gc
import importlib.machinery
import json
import marshal
import os
import re
import sys
import threading
import types
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, NoReturn

from sandbox.inside import streams
from sandbox.inside.cell import CODE_FD, PROGRAM, PROOF_FD, REPORT_FD
from sandbox.inside.value import NotPlain, typed
from sandbox.inside.value import plain as _plain

# The program may patch any module: what the runner needs later, it holds by its own name from the start.
_eval, _pread, _fstat = eval, os.pread, os.fstat
_threads: Callable[[], int] = _thread._count
_at_end_of_threads: list[Any] = threading._threading_atexits  # type: ignore[attr-defined] # of concurrent.futures
_compile, _exec, _exit, _dumps, _pwrite, _truncate = compile, exec, os._exit, json.dumps, os.pwrite, os.ftruncate
_set_digits, _read, _collect, _objects, _ref = (
    sys.set_int_max_str_digits,
    os.read,
    gc.collect,
    gc.get_objects,
    weakref.ref,
)

TEST = "<test>"  # the file name in tracebacks, beside PROGRAM, which exists
_BUILT_IN = frozenset(name for name in vars(builtins) if not name.startswith("__"))
# What can write when objects die: a program that has none of it ends without freeing them, which costs as much as it.
_AT_THE_END = re.compile(
    r"__del__|yield|open|IO|\bio\b|finalize|weakref|wrap|Wrapper|exec|eval|__import__|importlib|getattr"
)
STREAMS = ("stdin", "stdout", "stderr", "argv")  # of the prelude's `from sys import *`: with the test's own
_TEXT = 400  # characters of an exception's text

Report = list[Any]
Code = types.CodeType | None


class Source(NamedTuple):
    """A program: its text, and whether something of it may write only when it dies."""

    text: str
    lives_on: bool


def read(text: str) -> Source:
    """What all tests of a program need to know of it."""
    return Source(text, _AT_THE_END.search(text) is not None)


def script(source: Source, code: Code, names: Mapping[str, Any], *, given: bool) -> NoReturn:
    """Run the program as `python program.py` would, its end included, and end the process with its exit code.

    `given`: with the prelude's `names` built in. Else a program that ends for want of one of them reports it.
    """
    stdout = sys.stdout
    code = _compiled(source, code)
    if given:
        give(names)
    else:
        _note_missing(names)
    status, report = run_main(code, {} if given else names)
    try:  # as the interpreter ends: wait for threads, call exit functions, flush, free everything
        if _threads() or _at_end_of_threads:
            threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        streams.flush_standard()
        if source.lives_on:
            streams.free_main()
            streams.flush_files()
        streams.flush_own(stdout)  # type: ignore[arg-type]
    except BaseException as error:  # noqa: BLE001 - the boundary to the program
        status, report = status or 1, report or _raised(error)
    _leave(status, report)


def run_main(code: types.CodeType, missing: Mapping[str, Any]) -> tuple[int, Report | None]:
    """Nothing of the program is held here when this returns."""
    main = new_module("__main__")
    main.__dict__["__builtins__"] = builtins
    try:
        _exec(code, main.__dict__)
    except SystemExit as leaving:
        return _status(leaving)
    except BaseException as error:  # noqa: BLE001 - the boundary to the program
        return 1, _wanted(error, missing) or _raised(error)
    return 0, None


def give(names: Mapping[str, Any]) -> None:
    """Build the prelude's names in."""
    vars(builtins).update(names)
    for stream in STREAMS:
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


def call(source: Source, code: Code, entry: str, args: bytes, form: str) -> NoReturn:
    """Define the program, call its `entry` (of `class Solution`, or else of the module) and report the value."""
    code = _compiled(source, code)
    module = new_module("program")
    try:
        _exec(code, module.__dict__)
        function = entry_of(module, entry)
        if function is None:
            _leave(1, ["no entry", entry])
        value = function(*marshal.loads(args))
    except BaseException as error:  # noqa: BLE001 - the boundary to the program
        _leave(1, _raised(error))
    _leave(0, value_of(value, form))


def asserts(source: Source, code: Code, test: str, entry: str | None, names: Mapping[str, Any]) -> NoReturn:
    """Define the program, then run the test's statements with its names; prove it after the last of them.

    The statements get the prelude's modules and classes, not its functions: `operator.add` is nobody's answer to a
    question for `add`.
    """
    plain = _plain_names(names)
    try:
        check = _compile(test, TEST, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        _leave(1, ["bad test", _text(error)])
    code = _compiled(source, code)
    give(names)
    module = new_module("program")
    try:
        _exec(code, module.__dict__)
        _exec(check, {**_visible(module.__dict__, _names(check), entry), "__builtins__": plain})
    except BaseException as error:  # noqa: BLE001 - the boundary to the program
        _leave(1, _raised(error, test))
    _leave(0, ["end", _read(PROOF_FD, 64).decode()])


def values(source: Source, code: Code, test: str, entry: str | None, names: Mapping[str, Any]) -> NoReturn:
    """Define the program, then report the values of the test's expressions (a JSON list), up to one that raises."""
    texts = json.loads(test)
    plain = _plain_names(names)
    codes = [_compile(text, TEST, "eval", dont_inherit=True) for text in texts]
    code = _compiled(source, code)
    give(names)
    module = new_module("program")
    found: list[Any] = []
    at = ""
    try:
        _exec(code, module.__dict__)
        used = [name for part in codes for name in _names(part)]
        scope = {**_visible(module.__dict__, used, entry), "__builtins__": plain}
        for at, part in zip(texts, codes, strict=True):  # noqa: B007 - told where it raises
            found.append(typed(_eval(part, scope)))
    except NotPlain as error:
        _leave(1, ["values", found, ["raised", "ValueError", str(error), "test"]])
    except BaseException as error:  # noqa: BLE001 - the boundary to the program
        _leave(1, ["values", found, _raised(error, at)])
    _leave(0, ["values", found, None])


def _plain_names(names: Mapping[str, Any]) -> dict[str, Any]:
    plain = {name: value for name, value in names.items() if _is_module(value) or not name[0].islower()}
    return plain | vars(builtins)


def _visible(names: dict[str, Any], told: Iterable[str], entry: str | None) -> dict[str, Any]:
    """The program's names as its test sees them: `abs` is Python's own there, unless `abs` is what is tested.

    Without `entry` that is the one name of the program that the test uses, if it uses one alone.
    """
    used = {name for name in told if name in names and not name.startswith("__")}
    tested = {entry} if entry is not None else used if len(used) == 1 else set()
    return {name: value for name, value in names.items() if name not in _BUILT_IN or name in tested}


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)


def _compiled(source: Source, code: Code) -> types.CodeType:
    """The program's code: compiled by the first test that comes to it, and left in a file for the others of its cell.

    No line of the program has run yet, and none will run with the file of the code open. `code` is what was read from
    it before.
    """
    if code is not None:
        return code
    text = _pread(CODE_FD, _fstat(CODE_FD).st_size, 0)
    code = marshal.loads(text) if text else compiled(source.text)
    if not text:
        text, at = marshal.dumps(code), 0
        while at < len(text):
            at += _pwrite(CODE_FD, text[at:], at)
    os.close(CODE_FD)
    assert code is not None
    return code


def compiled(source: str) -> types.CodeType:
    """The program's code; ends the process where it has none."""
    try:
        return _compile(source.removeprefix("\ufeff"), PROGRAM, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
        _leave(1, ["compile", _text(error)])


def new_module(name: str) -> types.ModuleType:
    """The module that the program's code runs in, which is also the main one."""
    module = types.ModuleType(name)
    module.__file__ = PROGRAM
    sys.modules[name] = sys.modules["__main__"] = module
    return module


def entry_of(module: types.ModuleType, name: str) -> Callable[..., Any] | None:
    """What a call test calls: the method of a fresh `Solution`, else the function; None where there is neither."""
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


def value_of(value: Any, form: str = "json") -> Report:
    """The report of a returned value."""
    _set_digits(0)
    try:
        return ["value", typed(value) if form == "python" else _plain(value)]
    except NotPlain as error:
        return ["not json", str(error)]
    except BaseException as error:  # noqa: BLE001 - the boundary to the program
        return _raised(error)


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
