"""Reads what `sandbox.inside.value.typed` wrote into plain Python objects, and shows them in evidence.

The report is untrusted: whatever it holds becomes data of built-in types, in time that grows with its length, or
Unreadable.
"""

from collections.abc import Callable, Hashable, Iterator
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from itertools import groupby
from typing import Any

from sandbox import evidence
from sandbox.compare import Unreadable

_DEEP = 220  # levels of nesting; the writer ends at 200
_BITS = 1 << 17  # of a fraction's two numbers, or a decimal's digits: what is dearer to reduce is no answer
_ALIKE = 64  # keys of one hash: more of them are an attack on our time, since each is compared with all


class Other:
    """An object of a type that is not read: it equals nothing, and its truth is not known."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __eq__(self, other: object) -> bool:
        return False

    def __bool__(self) -> bool:
        raise TypeError("its truth is not known")


def read(tree: Any, depth: int = 0) -> Any:
    """The object that a typed JSON value stands for. Raises Unreadable."""
    if depth > _DEEP:
        raise Unreadable("it is nested too deep")
    if tree is None or type(tree) in (bool, int, float, str):
        return tree
    if isinstance(tree, list):
        return [read(item, depth + 1) for item in tree]
    if not isinstance(tree, dict) or len(tree) != 1:
        raise Unreadable("it holds a value of no known form")
    ((tag, content),) = tree.items()
    if tag in ("tuple", "set", "frozenset") and isinstance(content, list):
        items = [read(item, depth + 1) for item in content]
        return tuple(items) if tag == "tuple" else (set if tag == "set" else frozenset)(_spread(items))
    if tag == "dict" and isinstance(content, list):
        pairs = [_pair(item, depth) for item in content]
        _spread([key for key, _ in pairs])
        return dict(pairs)
    if tag in _LEAVES:
        try:
            return _LEAVES[tag](content)
        except (ValueError, TypeError, ArithmeticError, InvalidOperation):
            raise Unreadable(f"it holds no {tag}") from None
    raise Unreadable("it holds a value of no known type")


def _pair(item: Any, depth: int) -> tuple[Any, Any]:
    if not isinstance(item, list) or len(item) != 2:
        raise Unreadable("it holds a dict with an item that is no pair")
    return read(item[0], depth + 1), read(item[1], depth + 1)


def _spread(keys: list[Hashable]) -> list[Hashable]:
    """`keys`, if they can be put into a set in time that grows with their number."""
    try:
        hashes = sorted(map(hash, keys))
    except (TypeError, ValueError):
        raise Unreadable("it holds a key that cannot be one") from None
    if any(sum(1 for _ in alike) > _ALIKE for _, alike in groupby(hashes)):
        raise Unreadable("it holds keys that are made to collide")
    return keys


def _integer(content: Any) -> int:
    return int(content, 16)


def _complex(content: Any) -> complex:
    real, imaginary = content
    return complex(float(real), float(imaginary))


def _fraction(content: Any) -> Fraction:
    upper, lower = (read(part) for part in content)
    if type(upper) is not int or type(lower) is not int or max(upper.bit_length(), lower.bit_length()) > _BITS:
        raise ValueError
    return Fraction(upper, lower)


def _decimal(content: Any) -> Decimal:
    if len(content) > _BITS:
        raise ValueError
    return Decimal(content)


def _other(content: Any) -> Other:
    if not isinstance(content, str):
        raise ValueError
    return Other(content)


_LEAVES: dict[str, Callable[[Any], Any]] = {
    "int": _integer,
    "complex": _complex,
    "bytes": bytes.fromhex,
    "fraction": _fraction,
    "decimal": _decimal,
    "other": _other,
}


def shown(value: Any) -> str:
    """A value as Python writes it, cut; sets are sorted, so that the text repeats."""
    return evidence.shown(_text(value, evidence.LONGEST + 1))


def _text(value: Any, depth: int) -> str:
    """`depth` is how many levels may still be opened: each costs a character at least, so none deeper is seen."""
    if isinstance(value, str | bytes):
        return repr(value[: evidence.LONGEST + 1])
    if isinstance(value, list | tuple):
        inner = _joined((_text(item, depth - 1) for item in value), depth)
        return f"[{inner}]" if isinstance(value, list) else f"({inner}{',' if len(value) == 1 else ''})"
    if isinstance(value, set | frozenset):
        if not value:
            return f"{type(value).__name__}()"
        inner = _joined(iter(sorted(_text(item, depth - 1) for item in value)), depth)
        return f"{{{inner}}}" if isinstance(value, set) else f"frozenset({{{inner}}})"
    if isinstance(value, dict):
        pairs = (f"{_text(key, depth - 1)}: {_text(item, depth - 1)}" for key, item in value.items())
        return f"{{{_joined(pairs, depth)}}}"
    if isinstance(value, Other):
        return f"an object of type {value.kind}"
    if isinstance(value, int) and value.bit_length() > 14_000:
        return f"a number of about {int(value.bit_length() * 0.30103)} digits"
    return repr(value)


def _joined(parts: Iterator[str], depth: int) -> str:
    text = ""
    if depth <= 0:
        return "…"
    for part in parts:
        text += (", " if text else "") + part
        if len(text) > evidence.LONGEST:
            break
    return text
