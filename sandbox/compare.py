"""Typed comparison of what a test printed or returned with what it should have; on the host, on bytes, never in a test.

Three sets of rules; a question chooses one (`Program.compare`). In all of them order, case and number of things matter,
nothing matches as a set, what follows a right beginning counts, white space at the end of lines and of the text does
not, and output that is not UTF-8 matches nothing.

`token`, the default. Standard output (`same_output`): both texts are split into tokens at white space (space, tab, line
end, form feed), so empty lines and the places of line ends do not matter either.
  - A token that is not a number with a point or an exponent must be there exactly: `3` is not `3.0` and not `03`.
  - A token written with a point or an exponent (`0.5`, `1e9`) takes any decimal number within 1e-6 of it, absolutely or
    relative to it; one token at a time.
Returned values (`same_value`). Both are JSON values: a tuple is a list, keys of objects are texts.
  - `true`, `false`, `null` and texts match only themselves: `true` is not 1.
  - A whole number takes that number only, written as 2 or 2.0; a number with a fraction part type takes any number
    within 1e-6, absolutely or relative. `nan` matches `nan`, an infinity itself.
  - Lists match in order; objects by their sets of keys.
  - As the OpenThoughts test cases have it, an expected one-element list may also hold the value itself.

`lcb`, the rules of LiveCodeBench's runner (Jain et al., 2024). Output: line by line, without the white space around
each line and around the text; a line that differs matches where both are decimal numbers between white space that are
equal exactly (`1.0` is `1`, `1e9` is `1000000000`, `0.1` is not `0.1000001`). Values: equal as Python has it, without
tolerance: 1 is 1.0 and `true`; a tuple is a list.

`exact`. Output: line by line, also the white space at the beginning of lines and within them. Values: equal and of the
same type, so 2 is not 2.0; a tuple is a list; `nan` is itself.
"""

import json
import math
import re
from collections.abc import Callable, Iterator
from decimal import Decimal, InvalidOperation
from itertools import zip_longest
from typing import Any, Literal

TOLERANCE = 1e-6
_DECIMAL = re.compile(rb"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_TOKEN = re.compile(rb"[^ \t\n\r\f\v]+")
_SHORT = 1 << 20  # bytes of output that may be split at once; longer ones are split as they are compared
_LINE = re.compile(rb"[^\n]*\n|[^\n]+")
_LONG = 4000  # digits; Python refuses to read more than 4,300 into an int, since that takes quadratic time


class Unreadable(Exception):
    """A test's report is not the JSON that it should be."""


class _Digits(str):
    """A whole number too long to be read: its digits."""


Rules = Literal["token", "lcb", "exact"]


def same_output(expected: str, got: bytes, rules: Rules = "token") -> bool:
    """Whether a test printed what it should; see the rules above. Its memory use does not grow with the outputs."""
    try:
        got.decode("utf-8")
    except UnicodeDecodeError:
        return False
    wanted = expected.encode("utf-8", "surrogatepass")
    if rules == "exact":
        return all(one == other for one, other in zip_longest(_lines(wanted), _lines(got), fillvalue=b""))
    if rules == "lcb":
        pairs = zip_longest(_lines(wanted.strip()), _lines(got.strip()))
        return all(_same_line(one, other) for one, other in pairs)
    if wanted.rstrip() == got.rstrip():
        return True
    if len(wanted) + len(got) < _SHORT and wanted.split() == got.split():
        return True
    return all(_same_token(one, other) for one, other in zip_longest(_tokens(wanted), _tokens(got)))


def _lines(text: bytes) -> Iterator[bytes]:
    return (match[0].rstrip() for match in _LINE.finditer(text))


def _same_line(expected: bytes | None, got: bytes | None) -> bool:
    if expected is None or got is None:
        return False
    one, other = expected.strip(), got.strip()
    if one == other:
        return True
    try:
        wanted, found = one.decode("utf-8").split(), other.decode("utf-8").split()
        return len(wanted) == len(found) and all(map(_same_decimal, wanted, found))
    except (InvalidOperation, ValueError):
        return False


def _same_decimal(expected: str, got: str) -> bool:
    return Decimal(expected) == Decimal(got)


def _tokens(text: bytes) -> Iterator[bytes]:
    return (match[0] for match in _TOKEN.finditer(text))


def _same_token(expected: bytes | None, got: bytes | None) -> bool:
    if expected == got:
        return True
    if expected is None or got is None:
        return False
    if not any(mark in expected for mark in (b".", b"e", b"E")):
        return False
    if not (_DECIMAL.fullmatch(expected) and _DECIMAL.fullmatch(got)):
        return False
    return _near(float(expected), float(got))


def _near(expected: float, got: float) -> bool:
    if math.isnan(expected) or math.isnan(got):
        return math.isnan(expected) and math.isnan(got)
    if math.isinf(expected) or math.isinf(got):
        return expected == got
    return abs(expected - got) <= TOLERANCE * max(1.0, abs(expected))


def read_report(text: bytes) -> list[Any]:
    """Parse a test's report: JSON text that the program may have written, so nothing in it is sure.

    Whole numbers of more than 4,000 digits stay digits. Raises Unreadable.
    """
    try:
        report = json.loads(text.decode("utf-8", "surrogatepass"), parse_int=_whole)
    except (ValueError, RecursionError) as error:
        raise Unreadable(str(error)) from None
    if not isinstance(report, list) or not report or not isinstance(report[0], str):
        raise Unreadable("it is not a list that begins with its kind")
    return report


def _whole(digits: str) -> int | _Digits:
    return int(digits) if len(digits) <= _LONG else _Digits(digits)


def same_value(expected: Any, got: Any, rules: Rules = "token") -> bool:
    """Whether a call returned what it should; `got` comes from `read_report`. See the rules above."""
    same_leaf = _LEAVES[rules]
    if _same(expected, got, same_leaf):
        return True
    alone = rules == "token" and isinstance(expected, (list, tuple)) and len(expected) == 1
    return alone and _same(expected[0], got, same_leaf)


def _same(expected: Any, got: Any, same_leaf: Callable[[Any, Any], bool]) -> bool:
    pairs = [(expected, got)]  # a stack, so that no depth of nesting can exhaust ours
    while pairs:
        one, other = pairs.pop()
        if isinstance(one, (list, tuple)):
            if not isinstance(other, list) or len(one) != len(other):
                return False
            pairs.extend(zip(one, other, strict=True))
        elif isinstance(one, dict):
            named = {_key(key): value for key, value in one.items()}
            if not isinstance(other, dict) or named.keys() != other.keys():
                return False
            pairs.extend((value, other[key]) for key, value in named.items())
        elif isinstance(other, (list, dict)) or not same_leaf(one, other):
            return False
    return True


def _same_leaf(expected: Any, got: Any) -> bool:
    if expected is None or isinstance(expected, (bool, str)):
        return type(expected) is type(got) and bool(expected == got)
    if isinstance(got, bool):
        return False
    if isinstance(expected, int):
        if isinstance(got, _Digits):
            return _digits(expected) == got
        return isinstance(got, (int, float)) and expected == got
    if isinstance(expected, float):
        return isinstance(got, (int, float)) and _near_number(expected, got)
    return False


def _equal_leaf(expected: Any, got: Any) -> bool:
    """As Python's `==`."""
    if isinstance(got, _Digits):
        return isinstance(expected, int) and _digits(expected) == got
    return bool(expected == got)


def _exact_leaf(expected: Any, got: Any) -> bool:
    if isinstance(expected, float) and isinstance(got, float):
        return _same_float(expected, got)
    if isinstance(got, _Digits):
        return type(expected) is int and _digits(expected) == got
    return type(expected) is type(got) and bool(expected == got)


def _same_float(expected: float, got: float) -> bool:
    return expected == got or (math.isnan(expected) and math.isnan(got))


_LEAVES: dict[Rules, Callable[[Any, Any], bool]] = {"token": _same_leaf, "lcb": _equal_leaf, "exact": _exact_leaf}


def _near_number(expected: float, got: float) -> bool:
    try:
        return _near(expected, float(got))
    except OverflowError:  # a whole number that no float can hold
        return False


def _digits(number: int) -> str:
    return format(Decimal(number), "f")  # exact at any length, and not subject to Python's limit of digits


def _key(key: Any) -> str:
    """As JSON writes the keys of an object."""
    return key if isinstance(key, str) else json.dumps(key)
