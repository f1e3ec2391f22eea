r"""Answers with a parameter: `x = \frac{\pi}{4} + n\pi, n \in \mathbb{Z}` and `x \equiv 3 \pmod 7`.

Two families of numbers are one where they advance by the same step and start a whole number of steps apart.
"""

from itertools import pairwise
from typing import NamedTuple

from curate.verifiers.answers.node import Node, number, substituted, symbols
from curate.verifiers.answers.policy import Policy
from curate.verifiers.answers.scalars import constant, same_value

_WHOLE = Node("sym", (), r"\mathbbZ")
_CLOSE = 1e-25


class Family(NamedTuple):
    """The value that a whole number gives, which letter stands for that number, and the name given (`x`), if any.

    `of_all`: all solutions were asked for, so that one number is not the answer; of a residue that may be asked.
    """

    value: Node
    parameter: str
    name: Node | None
    of_all: bool


def family(node: Node) -> Family | None:
    """What `node` says, if it is one value for each whole number."""
    if node.kind != "list" or len(node.args) != 2:
        return None
    value, member = node.args
    if member.kind != "rel" or member.value != ("∈",) or member.args[1] != _WHOLE or member.args[0].kind != "sym":
        return None
    name = None
    if value.kind == "rel" and value.value == ("=",) and value.args[0].kind == "sym":
        name, value = value.args
    parameter = str(member.args[0].value)
    if value.kind in ("rel", "list", "seq", "set") or parameter not in symbols(value):
        return None
    return Family(value, parameter, name, parameter != "ell")


def same_family(one: Family, other: Family) -> bool | None:
    """Whether two families hold the same numbers."""
    if one.name is not None and other.name is not None and one.name != other.name:
        return None
    if same_value(one.value, substituted(other.value, other.parameter, Node("sym", (), one.parameter)), Policy()):
        return True
    lines = _line(one), _line(other)
    if lines[0] is None or lines[1] is None:
        return None
    (start, step), (other_start, other_step) = lines[0], lines[1]
    if (
        same_value(step, other_step, Policy()) is False
        and same_value(step, Node("-", (other_step,)), Policy()) is False
    ):
        return False
    apart = constant(Node("/", (Node("+", (start, Node("-", (other_start,)))), step)))
    if apart is None:
        return None
    gap = abs(apart - round(float(apart))) if abs(apart) < 1e6 else None
    return None if gap is None else True if gap < _CLOSE else False if gap > 1e-6 else None


def _line(one: Family) -> tuple[Node, Node] | None:
    """The family's value at 0, and what it grows by; None unless it is a line through constants."""
    if symbols(one.value) != {one.parameter}:
        return None
    at = [substituted(one.value, one.parameter, number(place)) for place in range(4)]
    steps = [Node("+", (high, Node("-", (low,)))) for low, high in pairwise(at)]
    straight = all(same_value(steps[0], step, Policy()) for step in steps[1:])
    return (at[0], steps[0]) if straight and same_value(steps[0], number(0), Policy()) is False else None
