"""The tree that an answer is read into, and why a text has none."""

from fractions import Fraction
from typing import Any, NamedTuple


class Unread(Exception):
    """The text is outside the grammar: nothing can be said of it here."""


class Node(NamedTuple):
    """One part of an answer. The kinds, with what `args` and `value` hold:

    `num` (value: exact Fraction, decimals written or None) | `sym` (name) | `const` (pi, e, i, inf) |
    `+` `*` `/` `^` `-` `±` (operands; `*` with value "call" was written like `a(x)`) | `fn` (value: name) |
    `call` (a name and what it is applied to: `f(x)`) | `%` (one operand) | `qty` (one operand; value: Unit) |
    `base` (value: digits, base) | `seq` (value: its two brackets) | `set` | `list` (value: `,` or `or`) |
    `cup` `cap` `without` | `reals` | `matrix` (value: rows, columns; row by row) | `ratio` |
    `rel` (value: the operators between the operands).
    """

    kind: str
    args: tuple["Node", ...] = ()
    value: Any = None


def names(text: str) -> frozenset[str]:
    """The words of a text as a set: so tables of words read best."""
    return frozenset(text.split())


def number(value: Fraction | int, decimals: int | None = None) -> Node:
    """A `num` node; `decimals` counts the digits after the point, None for an integer."""
    return Node("num", (), (Fraction(value), decimals))


def walk(node: Node) -> list[Node]:
    """The node and everything below it."""
    found = [node]
    for one in found:
        found.extend(one.args)
    return found


def symbols(node: Node) -> frozenset[str]:
    """The names of the variables in it."""
    found = {one.value for one in walk(node) if one.kind == "sym"}
    return frozenset(found | {called(one) for one in walk(node) if one.kind == "call"})


def substituted(node: Node, name: str, value: Node) -> Node:
    """The node with `value` for the variable `name`."""
    if node.kind == "sym" and node.value == name:
        return value
    return node._replace(args=tuple(substituted(one, name, value) for one in node.args)) if node.args else node


def called(node: Node) -> str:
    """A name for the value of a function that is not known: `f(2)`."""
    return f"{node.args[0].value}({hash_free(node.args[1])})"


def hash_free(node: Node) -> str:
    """The node as text, the same in every process."""
    inner = ",".join(hash_free(one) for one in node.args)
    return f"{node.kind}:{node.value}({inner})" if inner else f"{node.kind}:{node.value}"
