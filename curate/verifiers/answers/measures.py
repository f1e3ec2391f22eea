"""What may follow a value: percent and degree signs, words that multiply it, units."""

from typing import TYPE_CHECKING

from curate.verifiers.answers.node import Node, Unread, number
from curate.verifiers.answers.units import PLAIN_DEGREE, Unit, unit

if TYPE_CHECKING:
    from curate.verifiers.answers.grammar import Reader

_MULTIPLES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12, "dozen": 12}
_JOINS = ("/", "^", "*")


def quantity(reader: "Reader", node: Node) -> Node:
    """The value just read, with the percent sign, the multiple or the unit that follows it. Raises Unread."""
    if reader.value == r"\frac" and fraction_ahead(reader):
        return Node("qty", (node,), _fraction_unit(reader))
    if reader.kind not in ("w", "o"):
        return node
    if reader.sign("%"):
        reader.take()
        return Node("%", (node,))
    if reader.sign("°"):
        reader.take()
        return Node("qty", (node,), PLAIN_DEGREE)
    return _worded(reader, node) if reader.kind == "w" else node


def _worded(reader: "Reader", node: Node) -> Node:
    word = reader.value.lower().strip(" .\\")
    if word in ("percent", "%", "per cent"):
        reader.take()
        return Node("%", (node,))
    if word in _MULTIPLES:
        reader.take()
        return quantity(reader, Node("*", (node, number(_MULTIPLES[word]))))
    found = unit(_unit_text(reader))
    if found is None:
        raise Unread("words")
    if node.kind == "qty":
        return Node("qty", node.args, _joined(node.value, found))
    return Node("qty", (node,), found)


def fraction_ahead(reader: "Reader") -> bool:
    r"""Whether a fraction of units comes next: `\frac{\text{km}}{\text{h}}`."""
    ahead = reader.tokens[reader.place + 1 : reader.place + 3]
    return len(ahead) == 2 and ahead[0].value == "{" and ahead[1].kind == "w"


def _fraction_unit(reader: "Reader") -> Unit:
    reader.take()
    parts = []
    for _ in range(2):
        reader.expect("{")
        parts.append(_unit_text(reader))
        reader.expect("}")
    found = unit("/".join(parts))
    if found is None:
        raise Unread("words in a fraction")
    return found


def _unit_text(reader: "Reader") -> str:
    """The words ahead, with the powers and slashes between them."""
    parts: list[str] = []
    while True:
        token = reader.token
        after = parts[-1] if parts else ""
        joins = bool(parts) and token.kind == "o" and token.value in _JOINS
        if token.kind == "w" or joins or (token.kind == "l" and after in _JOINS):
            parts.append(token.value)
        elif token.kind == "n" and after == "^":
            parts.append(token.raw)
        elif token.value == "-" and after == "^":
            raise Unread("a negative power of a unit")
        elif not (after == "^" and reader.sign("{")) and not (parts[-2:-1] == ["^"] and reader.sign("}")):
            return " ".join(parts).replace("^ ", "^")
        reader.place += 1


def dollar() -> Unit:
    """The unit that a dollar sign before a number means."""
    found = unit("$")
    assert found is not None
    return found


def _joined(one: Unit, other: Unit) -> Unit:
    """`$5 dollars` is in dollars, `$5 a day` in dollars a day."""
    if one == other:
        return one
    merged = dict(one.dimensions)
    for name, exponent in other.dimensions:
        merged[name] = merged.get(name, 0) + exponent
    return Unit(tuple(sorted(merged.items())), one.scale * other.scale)
