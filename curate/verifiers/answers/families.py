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
    """The values that a whole number gives, which letter stands for that number, and the name given (`x`), if any.

    `of_all`: all solutions were asked for, so that one number is not the answer; of a residue that may be asked.
    """

    values: tuple[Node, ...]
    parameter: str
    name: Node | None
    of_all: bool


def family(node: Node) -> Family | None:
    """What `node` says, if it is values for each whole number."""
    if node.kind != "list" or len(node.args) < 2:
        return None
    *values, member = node.args
    if member.kind != "rel" or member.value != ("∈",) or member.args[1] != _WHOLE or member.args[0].kind != "sym":
        return None
    name = None
    if len(values) == 1 and values[0].kind == "rel" and values[0].value == ("=",) and values[0].args[0].kind == "sym":
        name, value = values[0].args
        values = list(value.args) if value.kind == "list" else [value]
    parameter = str(member.args[0].value)
    if any(one.kind in ("rel", "list", "seq", "set") or parameter not in symbols(one) for one in values):
        return None
    return Family(tuple(values), parameter, name, parameter != "ell")


def same_family(one: Family, other: Family) -> bool | None:
    """Whether two families hold the same numbers."""
    if one.name is not None and other.name is not None and one.name != other.name:
        return None
    letter = Node("sym", (), one.parameter)
    others = [substituted(value, other.parameter, letter) for value in other.values]
    found = [[_same_numbers(value, against, one.parameter) for against in others] for value in one.values]
    if len(others) == len(one.values) and all(True in row for row in (*found, *zip(*found, strict=True))):
        return True
    return False if len(others) == len(one.values) == 1 and found == [[False]] else None


def _same_numbers(one: Node, other: Node, parameter: str) -> bool | None:
    if same_value(one, other, Policy()):
        return True
    line, other_line = _line(one, parameter), _line(other, parameter)
    if line is None or other_line is None:
        return None
    (start, step), (other_start, other_step) = line, other_line
    if all(same_value(step, sign, Policy()) is False for sign in (other_step, Node("-", (other_step,)))):
        return False
    apart = constant(Node("/", (Node("+", (start, Node("-", (other_start,)))), step)))
    if apart is None or abs(apart) > 1e6:
        return None
    gap = abs(apart - round(float(apart)))
    return True if gap < _CLOSE else False if gap > 1e-6 else None


def _line(value: Node, parameter: str) -> tuple[Node, Node] | None:
    """The value at 0, and what it grows by; None unless it is a line through constants."""
    if symbols(value) != {parameter}:
        return None
    at = [substituted(value, parameter, number(place)) for place in range(4)]
    steps = [Node("+", (high, Node("-", (low,)))) for low, high in pairwise(at)]
    straight = all(same_value(steps[0], step, Policy()) for step in steps[1:])
    return (at[0], steps[0]) if straight and same_value(steps[0], number(0), Policy()) is False else None
