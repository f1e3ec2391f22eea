r"""The commands that answers use: fractions, roots, functions, binomials, matrices, names with a mark above them."""

import re
from fractions import Fraction
from typing import TYPE_CHECKING

from curate.verifiers.answers.node import Node, Unread, hash_free, names, number, symbols
from curate.verifiers.answers.tokens import FUNCTIONS, Token, written_number

if TYPE_CHECKING:
    from curate.verifiers.answers.grammar import Reader

_TWO = names(r"\frac \binom \dbinom \tbinom")
_MATRICES = names("pmatrix bmatrix matrix array Bmatrix smallmatrix cases")
_MARKS = names(r"\vec \hat \widehat \tilde \overrightarrow \underline \overleftrightarrow \dot \overline \bar")
_SETS = names("Z Q N C")
_ARROWS = names(r"\vec \overrightarrow")
_INVERSES = {
    "sin": "arcsin", "cos": "arccos", "tan": "arctan", "cot": "arccot", "sec": "arcsec", "csc": "arccsc",
    "sinh": "arcsinh", "cosh": "arccosh", "tanh": "arctanh",
}  # fmt: skip
_D = Node("sym", (), "d")
_COLUMNS = re.compile(r"[lcr|]+")


def read(reader: "Reader", name: str) -> Node:
    """The node that the command just taken begins. Raises Unread."""
    if name in _TWO:
        top, bottom = argument(reader), argument(reader)
        if name == r"\frac" and (_of_d(top) or top == _D) and _of_d(bottom):
            return _derivative(top, bottom)
        return Node("/", (top, bottom)) if name == r"\frac" else Node("fn", (top, bottom), "binom")
    if name in (r"\sqrt", r"\cbrt"):
        return _root(reader, name)
    if name[1:] in FUNCTIONS:
        return _function(reader, name[1:])
    if name in _MARKS:
        return _marked(reader, name)
    if name == r"\abs":
        return Node("fn", (argument(reader),), "abs")
    if name in (r"\boxed", r"\fbox"):
        return argument(reader)
    if name == r"\emptyset":
        return Node("set")
    if name == r"\mathbb":
        return _set_of_numbers(reader)
    if name in (r"\angle", r"\triangle", r"\measuredangle"):
        return Node("sym", (), name + _lettering(name, _letters(reader)))
    if name == r"\begin":
        return _matrix(reader)
    raise Unread(name)


def _of_d(node: Node) -> bool:
    """`dx`, `dx^2` or `d^2y`: a `d` with one letter."""
    if node.kind != "*" or len(node.args) != 2:
        return False
    parts = [one.args[0] if one.kind == "^" else one for one in node.args]
    return parts[0] == _D and parts[1].kind == "sym"


def _derivative(top: Node, bottom: Node) -> Node:
    """`dy/dx` as one name, for its letters are no factors. Raises Unread for `d/dx`, which applies to what follows."""
    if not _of_d(top):
        raise Unread("a derivative to be taken")
    return Node("sym", (), "/".join("".join(map(_spelt, part.args)) for part in (top, bottom)))


def _spelt(node: Node) -> str:
    return node.value if node.kind == "sym" else f"{node.args[0].value}^{hash_free(node.args[1])}"


def argument(reader: "Reader") -> Node:
    r"""What a command applies to: a group, or the next single digit or letter (`\frac12`)."""
    token = reader.token
    if reader.sign("{"):
        return reader.group()
    if token.kind == "n":
        digit, rest = token.raw[:1], token.raw[1:]
        if not digit.isdigit() or (rest and not rest.isdigit()):
            raise Unread(token.raw)
        if rest:
            reader.tokens[reader.place] = Token("n", written_number(rest), rest)
        else:
            reader.take()
        return number(int(digit))
    if token.kind == "l" or (token.kind == "c" and token.value in (r"\sqrt", r"\frac")):
        return reader.primary()
    raise Unread("a command without its argument")


def digits_of(reader: "Reader") -> str:
    """The digits under a bar."""
    braced = reader.sign("{")
    reader.place += braced
    token = reader.take()
    if token.kind != "n" or not token.raw.isdigit() or len(token.raw) > 100:
        raise Unread("a bar over no digits")
    if braced:
        reader.expect("}")
    return token.raw


def recurring(reader: "Reader", token: Token) -> Node:
    r"""`0.1\overline{6}`: the digits under the bar repeat for ever."""
    if "." not in token.raw and not (reader.tokens[reader.place - 1].raw.endswith(".")):
        raise Unread("a bar over a whole number")
    reader.take()
    digits = digits_of(reader)
    shift = Fraction(1, 10 ** len(token.raw.partition(".")[2]))
    return number(token.value[0] + shift * Fraction(int(digits), 10 ** len(digits) - 1))


def _root(reader: "Reader", name: str) -> Node:
    index = number(3 if name == r"\cbrt" else 2)
    if reader.sign("[") and name == r"\sqrt":
        reader.take()
        index = reader.listed("]")
        reader.expect("]")
    if reader.sign("("):
        reader.take()
        inner = reader.listed(")")
        reader.expect(")")
        return Node("fn", (inner, index), "root")
    if reader.kind == "n" and len(reader.token.raw) > 1:
        raise Unread("a root over several digits without braces")
    return Node("fn", (argument(reader), index), "root")


def _function(reader: "Reader", name: str) -> Node:
    lower: Node | None = None
    power: Node | None = None
    while reader.sign("_", "^"):
        if reader.take().value == "_":
            lower = reader.exponent()
        else:
            power = reader.exponent()
    if lower is not None and name != "log":
        raise Unread(f"{name} with a subscript")
    if power is not None and power == Node("-", (number(1),)):
        name, power = _INVERSES.get(name, ""), None
        if not name:
            raise Unread("an inverse function")
    inner = _applied(reader)
    arguments = inner.args if inner.kind == "seq" and name in ("max", "min", "gcd", "lcm") else (inner,)
    node = Node("fn", arguments if lower is None else (inner, lower), name)
    return Node("^", (node, power)) if power is not None else node


def _applied(reader: "Reader") -> Node:
    r"""What a function applies to: parentheses, or the factors up to the next function (`\sin 2x`)."""
    if reader.sign("(", "|", "[", "{"):
        return reader.primary()
    if reader.sign("-"):
        reader.take()
        return Node("-", (_applied(reader),))
    if reader.kind not in ("n", "l", "c"):
        raise Unread("a function of nothing")
    if reader.kind == "c" and reader.value[1:] in FUNCTIONS:
        return reader.primary()
    factors = [reader.power()]
    while reader.starts() and not (reader.kind == "c" and reader.value[1:] in FUNCTIONS) and not reader.sign("(", "["):
        if reader.kind == "n":
            raise Unread("a number after the argument")
        factors.append(reader.power())
    return factors[0] if len(factors) == 1 else Node("*", tuple(factors))


def _letters(reader: "Reader") -> list[str]:
    found = []
    braced = reader.sign("{")
    reader.place += braced
    while reader.kind == "l":
        found.append(reader.take().value)
    if braced:
        reader.expect("}")
    if not found:
        raise Unread("a sign without letters")
    return found


def _lettering(name: str, letters: list[str]) -> str:
    r"""The letters of a figure's name in the order that tells it from others: an angle's vertex stays in the middle."""
    if name == r"\triangle" or (len(letters) == 2 and name not in _ARROWS and "".join(letters).isupper()):
        letters = sorted(letters)
    elif len(letters) == 3 and name in (r"\angle", r"\measuredangle", r"\widehat", r"\hat") and letters[2] < letters[0]:
        letters = letters[::-1]
    return "".join(letters)


def _set_of_numbers(reader: "Reader") -> Node:
    braced = reader.sign("{")
    reader.place += braced
    letter = reader.take().value
    if braced:
        reader.expect("}")
    if letter != "R" and letter not in _SETS:
        raise Unread("a set of numbers")
    return Node("reals") if letter == "R" else Node("sym", (), rf"\mathbb{letter}")


def _marked(reader: "Reader", name: str) -> Node:
    r"""`\vec{v}` and `\overline{AB}` are names, `\overline{3+i}` is a conjugate."""
    inner = argument(reader)
    name = r"\overline" if name == r"\bar" else name
    if inner.kind in ("sym", "*") and all(one.kind == "sym" for one in inner.args):
        return Node("sym", (), name + _lettering(name, [one.value for one in inner.args or (inner,)]))
    if name in (r"\vec", r"\underline", r"\hat", r"\widehat"):
        return inner
    if name == r"\overline" and not symbols(inner):
        return Node("fn", (inner,), "conj")
    raise Unread(name)


def _environment(reader: "Reader") -> str:
    reader.expect("{")
    name = ""
    while reader.kind in ("l", "w"):
        name += reader.take().value
    reader.expect("}")
    if name not in _MATRICES:
        raise Unread(name)
    return name


def _skip_group(reader: "Reader") -> None:
    """Go on behind the next closing brace."""
    while not reader.sign("}"):
        if reader.take().kind == "end":
            raise Unread("a group without an end")
    reader.take()


def _matrix(reader: "Reader") -> Node:
    name = _environment(reader)
    if name == "array" and reader.sign("{"):
        _skip_group(reader)
    rows: list[list[Node]] = [[]]
    while True:
        if reader.kind == "c" and reader.value == r"\hline":
            reader.take()
            continue
        if reader.kind == "c" and reader.value == r"\end":
            break
        rows[-1].append(reader.listed("&"))
        if reader.kind == "c" and reader.value == "\\\\":
            reader.take()
            rows.append([])
        elif reader.sign("&"):
            reader.take()
        elif not (reader.kind == "c" and reader.value == r"\end"):
            raise Unread("a matrix")
    _skip_group(reader)
    rows = [row for row in rows if row]
    if not rows or len({len(row) for row in rows}) != 1:
        raise Unread("a matrix with uneven rows")
    cells = tuple(cell for row in rows for cell in row)
    if name == "cases":  # a system; of a function in pieces nothing is known here
        if len(rows[0]) > 1 or any(cell.kind != "rel" for cell in cells):
            raise Unread(name)
        return Node("list", cells, ",") if len(cells) > 1 else cells[0]
    return Node("matrix", cells, (len(rows), len(rows[0])))
