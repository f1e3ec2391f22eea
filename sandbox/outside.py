"""Evaluates what is asserted of values, on the host: a small part of Python, over objects of built-in types alone.

Nothing in it is chosen by the value: the text of the test says what is done, and no operation can take long.
"""

import ast
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

_BITS = 1 << 20  # of numbers that are multiplied, divided or raised
_ITEMS = 1 << 22  # of a repeated sequence


class Refused(Exception):
    """An expression, or an operation, that is not done here."""


def _times(one: Any, other: Any) -> Any:
    for sequence, count in ((one, other), (other, one)):
        if isinstance(sequence, str | bytes | list | tuple):
            if isinstance(count, int) and len(sequence) * count > _ITEMS:
                raise Refused
            return sequence * count
    return _small(one) * _small(other)


def _power(one: Any, other: Any) -> Any:
    if isinstance(one, int) and isinstance(other, int) and one.bit_length() * abs(other) > _BITS:
        raise Refused
    if not isinstance(one, int | float) or not isinstance(other, int | float):
        raise Refused
    return one**other


def _shifted(one: Any, other: Any) -> Any:
    if not isinstance(one, int) or not isinstance(other, int) or other > _BITS:
        raise Refused
    return one << other


def _small(number: Any) -> Any:
    if isinstance(number, str | bytes) or (isinstance(number, int) and number.bit_length() > _BITS):
        raise Refused  # a text on the left of % is a format
    return number


def _of_small(act: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda one, other: act(_small(one), _small(other))


OPERATORS: Mapping[type, Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: _times,
    ast.Div: _of_small(operator.truediv),
    ast.FloorDiv: _of_small(operator.floordiv),
    ast.Mod: _of_small(operator.mod),
    ast.Pow: _power,
    ast.LShift: _shifted,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
    ast.Not: operator.not_,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda item, group: operator.contains(group, item),
    ast.NotIn: lambda item, group: not operator.contains(group, item),
}
FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "abs": abs, "round": round, "len": len, "sorted": sorted, "set": set, "frozenset": frozenset, "tuple": tuple,
    "list": list, "dict": dict, "min": min, "max": max, "float": float,
    "math.isclose": math.isclose, "math.isnan": math.isnan, "math.isinf": math.isinf, "math.sqrt": math.sqrt,
    "math.fabs": math.fabs,
}  # fmt: skip
KEYWORDS = frozenset({"rel_tol", "abs_tol", "reverse", "ndigits"})
# Not `math.nan`: a list that holds it equals another only where both hold the same object.
CONSTANTS: Mapping[str, float] = {"math.pi": math.pi, "math.e": math.e, "math.inf": math.inf}


def evaluate(node: ast.expr, names: Mapping[str, Any]) -> Any:
    """The value of an expression that `sandbox.asserts` has built. Raises what the operators raise, and Refused."""
    match node:
        case ast.Name(id=name):
            return names[name]
        case ast.Constant(value=value):
            return value
        case ast.List() | ast.Tuple() | ast.Set() | ast.Dict():
            return _display(node, names)
        case ast.UnaryOp(op=op, operand=operand):
            return OPERATORS[type(op)](evaluate(operand, names))
        case ast.BinOp(left=left, op=op, right=right):
            return OPERATORS[type(op)](evaluate(left, names), evaluate(right, names))
        case ast.BoolOp(op=op, values=values):
            return _either(values, names, stop=isinstance(op, ast.Or))
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            return _chain(evaluate(left, names), ops, comparators, names)
        case ast.Call(func=function, args=arguments, keywords=words):
            return _called(ast.unparse(function), arguments, words, names)
        case ast.Attribute():
            return CONSTANTS[ast.unparse(node)]
    raise Refused


def _display(node: ast.List | ast.Tuple | ast.Set | ast.Dict, names: Mapping[str, Any]) -> Any:
    if isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        return {evaluate(key, names): evaluate(value, names) for key, value in pairs if key}
    items = [evaluate(item, names) for item in node.elts]
    return items if isinstance(node, ast.List) else tuple(items) if isinstance(node, ast.Tuple) else set(items)


def _called(name: str, arguments: list[ast.expr], words: list[ast.keyword], names: Mapping[str, Any]) -> Any:
    given = {word.arg: evaluate(word.value, names) for word in words if word.arg}
    return FUNCTIONS[name](*(evaluate(argument, names) for argument in arguments), **given)


def _either(values: list[ast.expr], names: Mapping[str, Any], *, stop: bool) -> Any:
    value = None
    for part in values:
        value = evaluate(part, names)
        if bool(value) is stop:
            break
    return value


def _chain(left: Any, ops: list[ast.cmpop], comparators: list[ast.expr], names: Mapping[str, Any]) -> bool:
    for op, part in zip(ops, comparators, strict=True):
        right = evaluate(part, names)
        if not OPERATORS[type(op)](left, right):
            return False
        left = right
    return True
