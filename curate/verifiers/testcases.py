"""The test-case contract: every form of test text that sources write, read into the sandbox's cases.

Forms: `{"inputs", "outputs"[, "fn_name"]}` (TACO, APPS, OpenThoughts), LiveCodeBench's list of `{input, output,
testtype}` and its base64 + zlib + pickle text (both as `{"public_test_cases", "private_test_cases"}`), `{"asserts":
[...]}` (MBPP), `{"check", "entry_point"}` (HumanEval).
An object may also name the rules of comparison for its question: `"compare": "token" | "lcb" | "exact"`.
Whatever cannot be read raises `UnreadableTests`: tests that we misread must never judge anybody.
"""

import ast
import base64
import binascii
import io
import json
import keyword
import pickle
import pickletools
import re
import sys
import threading
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, NamedTuple, get_args

from sandbox.model import Assert, Call, Case, Compare, Stdin

_INFLATED = 1 << 30  # bytes that a compressed test text may grow to
_LITERAL = 1 << 24  # characters read as a Python literal, which costs some 50 bytes each
_DIGITS = 100_000  # of one integer: reading is quadratic, and this takes 0.1 s
_BASE64 = re.compile(r"[A-Za-z0-9+/\s]+={0,2}\s*")
SURROGATE = re.compile("[\ud800-\udfff]")
_SCALARS = (str, int, float)
# What str, list, dict and numbers are pickled with; nothing that imports, calls or builds.
_DATA = """
    PROTO FRAME STOP MARK NONE NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT UNICODE
    BINUNICODE SHORT_BINUNICODE BINUNICODE8 STRING BINSTRING SHORT_BINSTRING EMPTY_LIST LIST APPEND APPENDS
    EMPTY_DICT DICT SETITEM SETITEMS EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 MEMOIZE GET BINGET LONG_BINGET PUT
    BINPUT LONG_BINPUT
"""
_OPCODES = frozenset(_DATA.split())


class UnreadableTests(ValueError):
    """Why the tests of a question cannot be read."""


class Suite(NamedTuple):
    """The tests of one question; `entry` is the function that they call, if they call one.

    `compare`: the rules of comparison that the question asks for, None where it leaves them to the verifier.
    """

    cases: Sequence[Case]
    entry: str | None
    compare: Compare | None = None


def read_tests(text: str, meta: Mapping[str, Any]) -> Suite:
    """Read a test text; `meta` may hold LiveCodeBench's `func_name` (or `metadata` with it).

    Raises UnreadableTests. CPU-bound: some rows hold hundreds of megabytes.
    """
    try:
        tests = _decode(text)
        if isinstance(tests, Mapping) and "input_output" in tests:
            tests = _decode(tests["input_output"])
        return _suite(tests, meta)._replace(compare=_compare(tests))
    except UnreadableTests:
        raise
    except (RecursionError, MemoryError, OverflowError) as error:
        raise UnreadableTests(f"too deep or too large: {type(error).__name__}") from None
    except ValueError as error:
        raise UnreadableTests(str(error)[:200]) from None


def _compare(tests: Any) -> Compare | None:
    rules = tests.get("compare") if isinstance(tests, Mapping) else None
    for known in get_args(Compare):
        if rules == known:
            return known  # type: ignore[no-any-return]
    if rules is None:
        return None
    raise UnreadableTests(f"no known rules of comparison: {str(rules)[:40]!r}")


def _suite(tests: Any, meta: Mapping[str, Any]) -> Suite:
    if isinstance(tests, list):
        return _livecodebench(tests, _function_name(meta))
    if not isinstance(tests, Mapping):
        raise UnreadableTests(f"expected an object or a list, found {type(tests).__name__}")
    if "private_test_cases" in tests:
        return _livecodebench(_both(tests), _function_name(meta))
    if "asserts" in tests:
        codes = tests["asserts"]
        if not isinstance(codes, list) or not codes or not all(isinstance(code, str) for code in codes):
            raise UnreadableTests("'asserts' must be a list of statements, and not empty")
        return Suite([Assert(code=code) for code in codes], _identifier(tests.get("fn_name")))
    if "check" in tests:
        entry = _identifier(tests.get("entry_point"))
        if entry is None or not isinstance(tests["check"], str):
            raise UnreadableTests("'check' needs its code and an 'entry_point'")
        return Suite([Assert(code=f"{tests['check']}\n\ncheck({entry})\n")], entry)
    if "inputs" in tests and "outputs" in tests:
        return _pairs(tests, _identifier(tests.get("fn_name")))
    raise UnreadableTests(f"no known form of tests; the keys are {sorted(map(str, tests))[:8]}")


def _pairs(tests: Mapping[str, Any], entry: str | None) -> Suite:
    inputs, outputs = tests["inputs"], tests["outputs"]
    if not isinstance(inputs, list) or not isinstance(outputs, list):
        raise UnreadableTests("'inputs' and 'outputs' must be lists")
    if not inputs or len(inputs) != len(outputs):
        raise UnreadableTests(f"{len(inputs)} inputs and {len(outputs)} outputs")
    if entry is None:
        return Suite([Stdin(input=_lines(i), expected=_lines(o)) for i, o in zip(inputs, outputs, strict=True)], None)
    return Suite([_call(i, o) for i, o in zip(inputs, outputs, strict=True)], entry)


def _call(arguments: Any, expected: Any) -> Call:
    """A call: a list of arguments and the value, or LiveCodeBench's texts of one JSON value a line."""
    if isinstance(arguments, list):
        return Call(args=arguments, expected=expected)
    if isinstance(arguments, str) and isinstance(expected, str):
        return Call(args=[_json(line) for line in arguments.split("\n") if line.strip()], expected=_json(expected))
    raise UnreadableTests("with 'fn_name', each input must be a list of arguments, or JSON values one a line")


def _lines(entry: Any) -> str:
    """One stdin or stdout entry: a text, or a list of lines."""
    if isinstance(entry, str):
        # Half a surrogate pair cannot be written to a pipe. Asking for ASCII first is free, however long the text.
        if not entry.isascii() and SURROGATE.search(entry):
            raise UnreadableTests("an entry is not Unicode text")
        return entry
    if isinstance(entry, list) and all(isinstance(line, _SCALARS) for line in entry):
        return _lines("\n".join(_scalar(line) for line in entry))
    if isinstance(entry, _SCALARS):
        return _scalar(entry)
    raise UnreadableTests(f"an entry must be a text or a list of lines, found {type(entry).__name__}")


def _scalar(value: str | float) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(Decimal(value))  # unlike str(int), without a limit of 4,300 digits
    return str(value)


def _livecodebench(tests: list[Any], entry: str | None) -> Suite:
    cases: list[Case] = []
    for test in tests:
        if not isinstance(test, Mapping) or not isinstance(test.get("input"), str | list) or "output" not in test:
            raise UnreadableTests("each test of a list needs 'input' and 'output'")
        if test.get("testtype", "stdin") != "functional":
            cases.append(Stdin(input=_lines(test["input"]), expected=_lines(test["output"])))
            continue
        if entry is None:
            raise UnreadableTests("functional tests, but no 'func_name' in the question's metadata")
        cases.append(_call(_lines(test["input"]), _lines(test["output"])))
    if not cases:
        raise UnreadableTests("an empty list of tests")
    return Suite(cases, entry if any(isinstance(case, Call) for case in cases) else None)


def _both(row: Mapping[str, Any]) -> list[Any]:
    """The public tests of a LiveCodeBench row, then its private ones."""
    found = [_decode(row[name]) for name in ("public_test_cases", "private_test_cases") if row.get(name)]
    if not all(isinstance(tests, list) for tests in found):
        raise UnreadableTests("public and private tests must be lists")
    return [test for tests in found for test in tests]


def _function_name(meta: Mapping[str, Any]) -> str | None:
    inner = meta.get("metadata")
    if isinstance(inner, str):
        try:
            inner = json.loads(inner)
        except ValueError:
            inner = None
    places = [meta, inner] if isinstance(inner, Mapping) else [meta]
    return _identifier(next((place["func_name"] for place in places if place.get("func_name")), None))


def _identifier(name: Any) -> str | None:
    if name is None or name == "":
        return None
    if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name):
        raise UnreadableTests(f"not the name of a function: {str(name)[:40]!r}")
    return name


def _decode(text: str) -> Any:
    """JSON, else compressed text, else a Python literal."""
    if not isinstance(text, str):
        return text
    try:
        return _json(text)
    except UnreadableTests:
        if len(text) > 8 and _BASE64.fullmatch(text):
            return _compressed(text)
        return _literal(text)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise UnreadableTests(f"not JSON: {error.msg} at character {error.pos}") from None
    except ValueError:
        with _unlimited_digits():
            return json.loads(text, parse_int=_integer)


def _integer(digits: str) -> int:
    if len(digits) > _DIGITS:
        raise UnreadableTests(f"an integer of {len(digits)} digits")
    return int(digits)


def _literal(text: str) -> Any:
    if len(text) > _LITERAL or re.search(rf"\d{{{_DIGITS + 1}}}", text):
        raise UnreadableTests("not JSON, and too large for a Python literal")
    try:
        with _unlimited_digits():
            return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError):
        raise UnreadableTests("neither JSON nor a Python literal") from None


def _compressed(text: str) -> Any:
    """LiveCodeBench's private tests: base64 of zlib of a pickle that holds JSON text or plain containers."""
    try:
        inflate = zlib.decompressobj()
        data = inflate.decompress(base64.b64decode(text, validate=False), _INFLATED)
        if inflate.unconsumed_tail or not inflate.eof:
            raise UnreadableTests("the compressed tests are cut off or too large")
        for opcode, argument, _ in pickletools.genops(data):
            if opcode.name not in _OPCODES:
                raise UnreadableTests(f"a pickle that does more than hold data ({opcode.name})")
            # A sparse memo would make the unpickler allocate its whole index range.
            if opcode.name == "LONG_BINPUT" and isinstance(argument, int) and argument > len(data):
                raise UnreadableTests("a pickle with a sparse memo")
        with _unlimited_digits():
            return _decode(_DataUnpickler(io.BytesIO(data)).load())
    except (binascii.Error, zlib.error, pickle.UnpicklingError, ValueError, EOFError, IndexError, KeyError) as error:
        raise UnreadableTests(f"the compressed tests cannot be read: {error}") from None


class _DataUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        raise UnreadableTests(f"a pickle that imports {module}.{name}")

    def persistent_load(self, pid: Any) -> Any:
        raise UnreadableTests("a pickle with outside references")


_digits_lock = threading.Lock()
_digits_users: list[int] = []  # the limit to put back, once per user inside


@contextmanager
def _unlimited_digits() -> Iterator[None]:
    """Lift Python's limit on the length of integers; it belongs to the process, so the last user puts it back."""
    with _digits_lock:
        _digits_users.append(_digits_users[-1] if _digits_users else sys.get_int_max_str_digits())
        sys.set_int_max_str_digits(0)
    try:
        yield
    finally:
        with _digits_lock:
            limit = _digits_users.pop()
            if not _digits_users:
                sys.set_int_max_str_digits(limit)
