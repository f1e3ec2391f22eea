"""Equations, inequalities and names: which part of `x = 3/7 ≈ 0.43` is the answer, and when two equations are one."""

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

from curate.verifiers.answers.measures import added
from curate.verifiers.answers.node import Node, symbols, walk
from curate.verifiers.answers.numeric import DIGITS, Undecided, Undefined, approximate, context, exact
from curate.verifiers.answers.policy import Policy
from curate.verifiers.answers.scalars import _NEGATIVE, _POSITIVE, _VARIABLES, _points, same_value

_ORDER = frozenset("<>≤≥")
_MEMBERSHIP = frozenset("=∈")


def named(node: Node) -> bool:
    r"""Whether it is a name: `x`, `f(2)`, `AB`, `S_{10}`, `(x, y)`, `|AB|`, `\angle A`, `\sin A`, `BC/AB`."""
    if node.kind in ("sym", "call"):
        return True
    if node.kind == "*":
        if node.value == "call":
            return node.args[0].kind in ("sym", "^") and bool(symbols(node.args[0]))
        return all(one.kind == "sym" and one.value[:1].isupper() for one in node.args)
    if node.kind == "/":
        return all(one.kind in ("sym", "*") and named(one) for one in node.args)
    if node.kind in ("seq", "list"):
        return all(one.kind == "sym" for one in node.args)
    return node.kind == "fn" and len(node.args) == 1 and named(node.args[0])


def settled(node: Node) -> Node:
    """An answer without what it was derived from or rounded to: `x = 3*5 = 15` is `x = 15`, `2/3 ≈ 0.67` is `2/3`."""
    if node.kind == "±":
        return Node("list", (node.args[0], Node("-", node.args)), ",")
    if node.kind == "list":
        parts: list[Node] = []
        for one in map(settled, node.args):
            parts.extend(one.args if one.kind == "list" else (one,))
        return _whole_list(Node("list", tuple(parts), node.value))
    if node.kind == "set" and any(one.kind == "±" for one in node.args):
        return Node("set", settled(Node("list", node.args, ",")).args)
    if node.kind == "rel" and set(node.value) <= {"=", "≈", "∈"}:
        return _settled_chain(node)
    if node.kind in ("+", "*", "/", "seq") and sum(one.kind in ("±", "∓") for one in walk(node)) == 1:
        return Node("list", (_signed(node, False), _signed(node, True)), ",")
    return node


def _whole_list(node: Node) -> Node:
    r"""`1 hour and 30 minutes` is one amount; `x \ne 1, 2` is `x \ne 1, x \ne 2`."""
    first = node.args[0]
    if first.kind == "qty" and node.value == ",":
        return added(list(node.args)) or node
    if first.kind == "rel" and first.value == ("≠",) and not any(symbols(one) for one in node.args[1:]):
        rest = (Node("rel", (first.args[0], one), ("≠",)) for one in node.args[1:])
        return Node("list", (first, *rest), ",")
    return node


def _signed(node: Node, minus: bool) -> Node:
    """The expression with each `±` read one way."""
    args = tuple(_signed(one, minus) for one in node.args)
    if node.kind in ("±", "∓"):
        return Node("-", args) if minus != (node.kind == "∓") else args[0]
    return Node(node.kind, args, node.value)


def _settled_chain(node: Node) -> Node:
    parts, signs = list(node.args), list(node.value)
    if "≈" in signs:
        place = signs.index("≈")
        exact_part = parts[: place + 1]
        if len(exact_part) == 1 and named(exact_part[0]):
            parts, signs = [parts[0], parts[place + 1]], ["="]
        else:
            parts, signs = exact_part, signs[:place]
    names = [one for one in parts if named(one)]
    values = [one for one in parts if not named(one)]
    if len(values) > 1 and "∈" not in signs and not any(symbols(one) for one in values):
        # A derivation, whose steps must agree before its end counts.
        agree = all(same_value(values[0], one, Policy()) for one in values[1:])
        values = values[-1:] if agree else values
    if len(values) == 1 and (len(names) <= 1 or len(parts) > 2):
        value = settled(values[0])
        return Node("rel", (names[0], value), ("=",)) if names else value
    if len(parts) == 1:
        return settled(parts[0])
    return Node("rel", tuple(parts), tuple(signs))


def unnamed(node: Node) -> tuple[Node | None, Node]:
    """The name that an answer gives its value, or None, and the value."""
    if node.kind == "rel" and len(node.args) == 2 and node.value[0] in _MEMBERSHIP:
        left, right = node.args
        if named(left) and not (node.value[0] == "=" and right.kind == "sym" and left.kind != "sym"):
            return left, right
        if named(right) and node.value[0] == "=":
            return right, left
    if node.kind == "list" and len(node.args) > 1:
        parts = [unnamed(one) for one in node.args]
        names, values = [one[0] for one in parts], tuple(one[1] for one in parts)
        if names[0] is not None and all(one in (None, names[0]) for one in names):
            return names[0], Node("list", values, node.value)
        if all(name is not None and name.kind == "sym" for name in names) and len(set(names)) == len(names):
            return Node("seq", tuple(name for name in names if name is not None), "()"), Node("seq", values, "()")
    return None, node


def is_equation(node: Node) -> bool:
    """Whether it is one `left = right`."""
    return node.kind == "rel" and node.value == ("=",)


def is_inequality(node: Node) -> bool:
    """Whether it is an inequality of one or two signs."""
    return node.kind == "rel" and set(node.value) <= _ORDER


def same_equation(gold: Node, answer: Node, policy: Policy) -> bool | None:
    """Whether two equations say the same: their sides' differences are proportional."""
    one, other = _difference(gold), _difference(answer)
    if symbols(one) != symbols(other):
        return False if symbols(one) and symbols(other) else None
    ratio = _ratio(one, other)
    if ratio is None:
        return None
    if ratio is not False:
        return policy.scale == "free" or abs(abs(ratio) - 1) < 1e-12
    if all(_polynomial(side) for side in (one, other)):
        return False
    # Not proportional, yet perhaps multiplied by what is never zero.
    if _solves(gold, other) or _solves(answer, one):
        return True
    # A solution of one that the other refuses decides.
    return False if _refuses(gold, other) or _refuses(answer, one) else None


def same_inequality(gold: Node, answer: Node) -> bool | None:
    """Whether two inequalities in several variables say the same."""
    if len(gold.value) != 1 or len(answer.value) != 1:
        return None
    sides = [_downward(one) for one in (gold, answer)]
    ratio = _ratio(sides[0][0], sides[1][0])
    if ratio is None or (ratio is False and not all(_polynomial(side[0]) for side in sides)):
        return None
    if ratio is False:
        return False
    return bool(sides[0][1] == sides[1][1] and context(DIGITS[1]).re(ratio) > 0)


def _downward(node: Node) -> tuple[Node, bool]:
    """An inequality as `difference < 0` (or `<=`: False)."""
    difference = _difference(node)
    if node.value[0] in "≥>":
        difference = Node("-", (difference,))
    return difference, node.value[0] in "<>"


def _difference(node: Node) -> Node:
    return Node("+", (node.args[0], Node("-", (node.args[1],))))


def _polynomial(node: Node) -> bool:
    for one in walk(node):
        if (one.kind == "/" and symbols(one.args[1])) or (one.kind == "fn" and symbols(one)):
            return False
        if one.kind == "^" and (symbols(one.args[1]) or (symbols(one) and not _natural(one.args[1]))):
            return False
        if one.kind not in ("num", "sym", "const", "+", "-", "*", "/", "^", "fn"):
            return False
    return True


def _natural(node: Node) -> bool:
    return node.kind == "num" and node.value[0].denominator == 1


def _ratio(one: Node, other: Node) -> Any:
    """What the first is of the second, wherever they are; False where that changes from point to point, else None."""
    mp = context(DIGITS[1])
    names = sorted(symbols(one) | symbols(other))
    if len(names) > _VARIABLES:
        return None
    ratios = []
    for env in _many(names):
        try:
            left, right = (approximate(side, env, DIGITS[1]) for side in (one, other))
        except (Undefined, Undecided, ValueError, OverflowError, ZeroDivisionError, TypeError):
            continue
        if not right or not left:
            continue
        ratios.append(left / right)
    if len(ratios) < 2:
        return None
    gap = max(abs(ratio - ratios[0]) for ratio in ratios) / abs(ratios[0])
    if gap < mp.mpf(10) ** -60:
        return ratios[0]
    return False if gap > 1e-9 else None


def _many(names: list[str]) -> Iterable[dict[str, Fraction]]:
    yield from _points(names, _POSITIVE)
    yield from _points(names, _NEGATIVE)


def _solves(equation: Node, other: Node) -> bool:
    """Whether `other = 0` is linear in the name of `name = expression`, and the expression its solution."""
    name, value = unnamed(equation)
    if name is None or name.kind != "sym" or name.value in symbols(value) or not symbols(value):
        return False
    for env in _points(sorted(symbols(value)), _POSITIVE):
        try:
            solved = exact(value, env)
            if solved is None or symbols(other) - set(env) - {name.value}:
                return False
            at = [exact(other, {**env, name.value: solved + step}) for step in range(3)]
        except Undefined:
            return False
        if at[0] != 0 or not at[1] or at[2] is None or at[2] != 2 * at[1]:
            return False
    return True


def _refuses(equation: Node, other: Node) -> bool:
    """Whether a solution of `name = expression` surely does not solve `other = 0`."""
    name, value = unnamed(equation)
    if name is None or name.kind != "sym" or name.value in symbols(value):
        return False
    names = sorted(symbols(value))
    for env in _points(names, _POSITIVE) if names else [{}]:
        try:
            solved = exact(value, env)
            if solved is None or symbols(other) - set(names) - {name.value}:
                return False
            if abs(approximate(other, {**env, name.value: solved}, DIGITS[1])) > 1e-6:
                return True
        except (Undefined, Undecided, ValueError, OverflowError, ZeroDivisionError, TypeError):
            continue
    return False
