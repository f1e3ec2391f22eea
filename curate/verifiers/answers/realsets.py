"""Sets of real numbers: intervals, unions, inequalities in one variable, in one canonical form.

Endpoints are numbers to 40 digits; a set with an endpoint that is none (`(a, b)`) has no canonical form.
"""

from typing import Any, NamedTuple

from curate.verifiers.answers.node import Node, symbols
from curate.verifiers.answers.numeric import DIGITS, Undecided, Undefined, approximate, context

_FLIP = {"<": ">", ">": "<", "≤": "≥", "≥": "≤"}
_CLOSE = 1e-30  # endpoints nearer than this are one


class End(NamedTuple):
    """One end of an interval: its place, and whether the place belongs to it."""

    at: Any
    closed: bool


Interval = tuple[End, End]
RealSet = tuple[Interval, ...]


def is_real_set(node: Node) -> bool:
    """Whether it can be nothing but a set of reals: unions, inequalities, rays, half-open intervals."""
    if node.kind in ("cup", "cap", "without", "reals"):
        return True
    if node.kind == "seq" and len(node.args) == 2:
        return node.value in ("(]", "[)") or any(_is_infinite(one) for one in node.args)
    if node.kind == "list":
        return any(map(is_real_set, node.args)) and all(one.kind == "rel" for one in node.args)
    return node.kind == "rel" and bool(set(node.value) & set("<>≤≥≠")) and variable(node) is not None


def variable(node: Node) -> str | None:
    """The one variable of an inequality whose other sides are constants."""
    if node.kind == "list":
        together = {variable(one) for one in node.args}
        return together.pop() if len(together) == 1 else None
    if node.kind != "rel":
        return None
    names = [one.value for one in node.args if one.kind == "sym"]
    constants = [one for one in node.args if not symbols(one)]
    return str(names[0]) if len(names) == 1 and len(constants) == len(node.args) - 1 else None


def real_set(node: Node) -> RealSet | None:
    """The canonical form, or None where it is no set of reals with numbers for ends."""
    try:
        return _joined(_of(node))
    except (Undefined, Undecided):
        return None


def same_set(one: RealSet, other: RealSet) -> bool:
    """Whether two canonical forms are one."""
    return len(one) == len(other) and all(
        _same_end(a, b) for left, right in zip(one, other, strict=True) for a, b in zip(left, right, strict=True)
    )


def _same_end(one: End, other: End) -> bool:
    if one.closed != other.closed:
        return False
    if one.at == other.at:
        return True
    if context(DIGITS[0]).inf in (abs(one.at), abs(other.at)):
        return False
    return bool(abs(one.at - other.at) <= _CLOSE * max(abs(one.at), abs(other.at)))


def _is_infinite(node: Node) -> bool:
    inner = node.args[0] if node.kind == "-" else node
    return inner.kind == "const" and inner.value == "inf"


def _value(node: Node) -> Any:
    mp = context(DIGITS[0])
    if _is_infinite(node):
        return -mp.inf if node.kind == "-" else mp.inf
    if symbols(node):
        raise Undecided("an end that is no number")
    value = approximate(node, {}, DIGITS[0])
    if mp.im(value):
        raise Undecided("a complex end")
    return mp.re(value)


def _of(node: Node) -> list[Interval]:
    inf = context(DIGITS[0]).inf
    if node.kind == "reals":
        return [(End(-inf, False), End(inf, False))]
    if node.kind == "seq" and len(node.args) == 2 and node.value[0] in "([" and node.value[1] in ")]":
        low, high = map(_value, node.args)
        if low > high:
            raise Undecided("ends the wrong way round")
        closed = (node.value[0] == "[" and low != -inf, node.value[1] == "]" and high != inf)
        return [(End(low, closed[0]), End(high, closed[1]))]
    if node.kind == "set":
        return [(End(value, True), End(value, True)) for value in map(_value, node.args)]
    if node.kind == "cup" or (node.kind == "list" and node.value == "or" and variable(node)):
        return [interval for one in node.args for interval in _of(one)]
    if node.kind == "cap":
        return _intersection(_of(node.args[0]), _of(node.args[1]))
    if node.kind == "without":
        return _intersection(_of(node.args[0]), _complement(_of(node.args[1])))
    if node.kind == "list" and variable(node):
        return _listed(node)
    if node.kind == "rel":
        return _inequality(node)
    raise Undecided(node.kind)


def _listed(node: Node) -> list[Interval]:
    """Inequalities with commas between: together where that leaves anything, else side by side."""
    parts = [_of(one) for one in node.args]
    both = parts[0]
    for one in parts[1:]:
        both = _intersection(both, one)
    return both or [interval for one in parts for interval in one]


def _inequality(node: Node) -> list[Interval]:
    if variable(node) is None:
        raise Undecided("no inequality in one variable")
    inf = context(DIGITS[0]).inf
    place = next(index for index, one in enumerate(node.args) if one.kind == "sym")
    found = [(End(-inf, False), End(inf, False))]
    for index, sign in enumerate(node.value):
        if place not in (index, index + 1):
            continue
        other = _value(node.args[index + 1 if index == place else index])
        if index != place:
            sign = _FLIP.get(sign, sign)
        found = _intersection(found, _half(sign, other))
    return found


def _half(sign: str, at: Any) -> list[Interval]:
    inf = context(DIGITS[0]).inf
    if sign in "<≤":
        return [(End(-inf, False), End(at, sign == "≤"))]
    if sign in ">≥":
        return [(End(at, sign == "≥"), End(inf, False))]
    if sign == "=":
        return [(End(at, True), End(at, True))]
    if sign == "≠":
        return [(End(-inf, False), End(at, False)), (End(at, False), End(inf, False))]
    raise Undecided(sign)


def _complement(parts: list[Interval]) -> list[Interval]:
    inf = context(DIGITS[0]).inf
    rest: list[Interval] = []
    low = End(-inf, False)
    for start, end in _joined(parts):
        rest.append((low, End(start.at, not start.closed and abs(start.at) != inf)))
        low = End(end.at, not end.closed and abs(end.at) != inf)
    rest.append((low, End(inf, False)))
    return [one for one in rest if _holds_any(one)]


def _holds_any(interval: Interval) -> bool:
    low, high = interval
    return bool(low.at < high.at or (low.at == high.at and low.closed and high.closed))


def _intersection(one: list[Interval], other: list[Interval]) -> list[Interval]:
    found = []
    for a in one:
        for b in other:
            low = max(a[0], b[0], key=lambda end: (end.at, not end.closed))
            high = min(a[1], b[1], key=lambda end: (end.at, end.closed))
            if _holds_any((low, high)):
                found.append((low, high))
    return found


def _joined(parts: list[Interval]) -> RealSet:
    """Sorted, and merged where two parts touch."""
    parts = sorted((one for one in parts if _holds_any(one)), key=lambda one: (one[0].at, not one[0].closed))
    found: list[Interval] = []
    for low, high in parts:
        if found:
            last_low, last_high = found[-1]
            if low.at < last_high.at or (low.at == last_high.at and (low.closed or last_high.closed)):
                found[-1] = (last_low, max(last_high, high, key=lambda end: (end.at, end.closed)))
                continue
        found.append((low, high))
    return tuple(found)
