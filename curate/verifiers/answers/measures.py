"""What may follow a value: percent and degree signs, words that multiply it, units."""

from itertools import pairwise
from typing import TYPE_CHECKING

from curate.verifiers.answers.node import Node, Unread, number
from curate.verifiers.answers.units import CELSIUS, FAHRENHEIT, PLAIN_DEGREE, Unit, unit

if TYPE_CHECKING:
    from curate.verifiers.answers.grammar import Reader

_MULTIPLES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12, "dozen": 12}
_JOINS = ("/", "^", "*")
_SCALES = {"C": CELSIUS, "Celsius": CELSIUS, "F": FAHRENHEIT, "Fahrenheit": FAHRENHEIT}
CURRENCIES = frozenset("$€£¥")


def quantity(reader: "Reader", node: Node) -> Node:
    """The value just read, with the percent sign, the multiple or the unit that follows it. Raises Unread."""
    if reader.value == r"\frac" and fraction_ahead(reader):
        return Node("qty", (node,), _fraction_unit(reader))
    if reader.kind not in ("w", "o"):
        return node
    if reader.sign("%"):
        reader.take()
        return Node("%", (node,))
    if reader.sign("¢", *CURRENCIES) and node.kind != "qty":
        return Node("qty", (node,), _currency(reader.take().value))
    if reader.sign("°"):
        reader.take()
        return Node("qty", (node,), degree(reader))
    return _worded(reader, node) if reader.kind == "w" else node


def degree(reader: "Reader") -> Unit:
    """The unit of a degree sign just taken: of an angle, or of a temperature where `C` or `F` follows."""
    scale = _SCALES.get(reader.value.strip(" .~")) if reader.kind in ("l", "w") else None
    if scale is None:
        return PLAIN_DEGREE
    reader.take()
    return scale


def _worded(reader: "Reader", node: Node) -> Node:
    word = reader.value.lower().strip(" .\\")
    if word in ("percent", "%", "per cent"):
        reader.take()
        return Node("%", (node,))
    if word in _MULTIPLES:
        reader.take()
        inner = node.args[0] if node.kind == "qty" else node
        many = Node("*", (inner, number(_MULTIPLES[word])))
        return quantity(reader, Node("qty", (many,), node.value) if node.kind == "qty" else many)
    found = unit(_unit_text(reader))
    if found is None:
        raise Unread("words")
    if node.kind == "qty":
        return Node("qty", node.args, _joined(node.value, found))
    return _then_less(reader, Node("qty", (node,), found))


def _then_less(reader: "Reader", more: Node) -> Node:
    """`5 feet 6 inches`: an amount, and what it has beyond that in a smaller unit."""
    if reader.kind != "n" or more.args[0].kind != "num":
        return more
    rest = quantity(reader, reader.power())
    total = added([more, rest])
    if total is None:
        raise Unread("two amounts side by side")
    return total


def added(amounts: list[Node]) -> Node | None:
    """Amounts of one dimension in smaller and smaller units as one; None for any others."""
    units = [one.value for one in amounts if one.kind == "qty" and one.value.known() and one.args[0].kind != "-"]
    if len(units) < len(amounts) or len({one.dimensions for one in units}) > 1 or units[0] == PLAIN_DEGREE:
        return None
    if any(one.scale <= other.scale for one, other in pairwise(units)):
        return None
    terms = [Node("*", (one.args[0], number(one.value.scale / units[-1].scale))) for one in amounts]
    return Node("qty", (Node("+", tuple(terms)),), units[-1])


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
    braced = False
    while True:
        token = reader.token
        after = parts[-1] if parts else ""
        joins = bool(parts) and token.kind == "o" and token.value in _JOINS
        if token.kind == "w" or joins or (token.kind == "l" and after in _JOINS):
            parts.append(token.value)
        elif (token.kind == "n" and after in ("^", "^-")) or (token.value == "-" and after == "^"):
            parts[-1] += token.raw
        elif after == "^" and reader.sign("{"):
            braced = True
        elif braced and reader.sign("}"):
            braced = False
        else:
            return " ".join(parts)
        reader.place += 1


def money(reader: "Reader", sign: str) -> Node:
    """The amount behind a sign of currency."""
    amount = reader.negative_or_power()
    if reader.value == r"\frac" and amount.kind == "num":
        amount = reader.beside(amount)
    return Node("qty", (amount,), _currency(sign))


def _currency(sign: str) -> Unit:
    found = unit(sign)
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
