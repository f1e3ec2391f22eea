"""What a test's values look like in its report, which is JSON; standard library only, since it runs in the test.

No method of the program's own is called.
"""

import json
from typing import Any

_DEEP = 200  # levels of nesting; more is no answer to any test
_DIGITS = 4000  # of a whole number that JSON may carry: readers refuse, or take quadratic time, for longer ones
_dumps, _bits = json.dumps, _DIGITS * 3  # some bits fewer than 4,000 digits have
_UNPATCHED = (int.__int__, int.bit_length, float.__float__, str.__str__, bytes.hex, bytearray.hex)
_int, _length, _float, _str, _hex, _array_hex = _UNPATCHED
_VIEWS: tuple[type, ...] = (type({}.keys()), type({}.items()))  # they equal sets of the same items
_TAGS: tuple[tuple[type, str], ...] = ((tuple, "tuple"), (set, "set"), (frozenset, "frozenset"))


class NotPlain(Exception):
    """A value that JSON cannot hold; its text says what it is."""


def plain(value: Any, depth: int = 0) -> Any:
    """The JSON value inside `value`, by the built-in type under it. Raises NotPlain."""
    if depth > _DEEP:
        raise NotPlain(f"a value nested more than {_DEEP} levels deep")
    if value is None or type(value) in (bool, int, float, str):
        return value
    kind = type(value)
    if issubclass(kind, (list, tuple)):
        base: Any = list if issubclass(kind, list) else tuple
        return [plain(item, depth + 1) for item in base.__iter__(value)]
    if issubclass(kind, dict):
        return {_key(key): plain(item, depth + 1) for key, item in dict.items(value)}
    for leaf, under in ((int, _int), (float, _float), (str, _str)):
        if issubclass(kind, leaf):
            return under(value)
    if kind.__module__ == "numpy" and hasattr(kind, "tolist"):
        return plain(value.tolist(), depth + 1)
    raise NotPlain(f"a value of type {kind.__qualname__[:100]}")


def _key(key: Any) -> str:
    """As JSON writes the keys of an object."""
    text = plain(key)
    if isinstance(text, (list, dict)):
        raise NotPlain("an object with a key that is neither text nor number")
    return text if isinstance(text, str) else _dumps(text)


def typed(value: Any, depth: int = 0) -> Any:
    """A JSON value from which `sandbox.typed.read` makes an object that equals what `value` equals.

    None, truth values, texts, floats, whole numbers and lists are themselves; everything else is an object of one key
    that names its type: `tuple`, `set`, `frozenset`, `dict` (of pairs), `int` (hexadecimal), `complex`, `bytes`,
    `fraction`, `decimal`, or `other` (the name of any other type), which equals nothing. A subclass is what it is built
    on. Raises NotPlain for a value that is too deep.
    """
    if depth > _DEEP:
        raise NotPlain(f"a value nested more than {_DEEP} levels deep")
    kind = type(value)
    if value is None or kind in (bool, float, str):
        return value
    if issubclass(kind, list):
        return [typed(item, depth + 1) for item in list.__iter__(value)]
    for base, tag in _TAGS:
        if issubclass(kind, base):
            return {tag: [typed(item, depth + 1) for item in base.__iter__(value)]}  # type: ignore[attr-defined]
    if issubclass(kind, dict):
        return {"dict": [[typed(key, depth + 1), typed(item, depth + 1)] for key, item in dict.items(value)]}
    if kind in _VIEWS:
        return {"set": [typed(item, depth + 1) for item in value]}
    return _typed_leaf(value, kind, depth)


def _typed_leaf(value: Any, kind: type, depth: int) -> Any:
    if issubclass(kind, int):
        number = _int(value)
        return number if _length(number) < _bits else {"int": hex(number)}
    if issubclass(kind, float):
        return _float(value)
    if issubclass(kind, str):
        return _str(value)
    if issubclass(kind, complex):
        return {"complex": [complex.real.__get__(value), complex.imag.__get__(value)]}
    if issubclass(kind, bytes):
        return {"bytes": _hex(value)}
    if issubclass(kind, bytearray):
        return {"bytes": _array_hex(value)}
    if kind.__module__ == "fractions" and kind.__name__ == "Fraction":
        return {"fraction": [typed(value.numerator), typed(value.denominator)]}
    if kind.__module__ == "decimal" and kind.__name__ == "Decimal":
        return {"decimal": str(value)}
    if kind.__module__ == "numpy" and hasattr(kind, "item") and getattr(value, "ndim", 1) == 0:
        item = value.item()
        if isinstance(item, bool):
            return int(item)  # a truth value of numpy's is not True, though it equals it
        is_wide = type(item) is kind  # a longdouble, which nothing of Python's holds
        return typed(float(item) if is_wide else item, depth + 1)
    return {"other": _str(kind.__qualname__)[:100]}
