r"""The grammar of answers: a recursive descent from tokens to one `Node`.

From loose to tight: lists, relations and ratios, unions, sums, products (written or implied), powers, and what stands
alone. It reads what answers hold and nothing else: anything further (sums with limits, integrals, prose) is Unread.
"""

from curate.verifiers.answers import commands, measures
from curate.verifiers.answers.node import Node, Unread, names, number, symbols
from curate.verifiers.answers.tokens import FUNCTIONS, Token, tokenise

_DEEPEST = 40  # groups inside one another
_RELATIONS = frozenset("=<>≤≥≠≈∈")
_CLOSERS = {"(": ")", "[": "]", r"\{": r"\}", "{": "}", "⟨": "⟩", "⌊": "⌋", "⌈": "⌉"}
_CONSTANTS = frozenset({"pi", "e", "i", "inf"})
_FUNCTION_LETTERS = frozenset("fghFGHP")
_FUNCTION_NAMES = frozenset("fghFGH")
_MINUS_ONE = Node("-", (number(1),))
_STARTS = frozenset({"(", "[", "{", r"\{", "⟨", "⌊", "⌈"})
_ARGUMENT_COMMANDS = names(
    r"\frac \sqrt \binom \dbinom \tbinom \overline \bar \vec \hat \widehat \tilde \overrightarrow \underline \cbrt \abs"
    r" \begin \mathbb \overleftrightarrow \dot \angle \triangle \boxed \fbox"
)


class Reader:
    """Reads one cleaned answer; `ambiguous` says that it may be read otherwise too (`1/2x`)."""

    def __init__(self, text: str, *, grouped: bool) -> None:
        self.tokens = tokenise(text, grouped=grouped)
        self.place = 0
        self.depth = 0
        self.bars = 0
        self.ambiguous = False

    def answer(self) -> Node:
        """The whole answer. Raises Unread."""
        node = self._over(self.listed("end"))
        if self.kind != "end":
            raise Unread(self.value)
        return node

    # What is ahead.
    @property
    def token(self) -> Token:
        """The token ahead."""
        return self.tokens[self.place]

    @property
    def kind(self) -> str:
        """Its kind."""
        return self.tokens[self.place].kind

    @property
    def value(self) -> str:
        """Its value, empty for a number."""
        value = self.tokens[self.place].value
        return value if isinstance(value, str) else ""

    def sign(self, *signs: str) -> bool:
        """Whether one of these signs is ahead."""
        return self.kind == "o" and self.value in signs

    def take(self) -> Token:
        """The token ahead, which is then behind."""
        token = self.token
        if token.kind != "end":
            self.place += 1
        return token

    def expect(self, sign: str) -> None:
        """Go past this sign. Raises Unread."""
        if not self.sign(sign):
            raise Unread(f"expected {sign}")
        self.place += 1

    # Lists, relations, unions.
    def listed(self, *closers: str) -> Node:
        """What stands between brackets, or the whole: one relation, or a list of them."""
        self.depth += 1
        if self.depth > _DEEPEST:
            raise Unread("nested too deep")
        items = [self.relation()]
        either = ","
        while self.sign(",", ";", "or"):
            while self.sign(",", ";", "or"):  # `1, 2, and 3`
                either = "or" if self.take().value == "or" else either
            if self.kind == "end" or (self.kind == "o" and self.value in closers):
                break
            items.append(self.relation())
        self.depth -= 1
        return items[0] if len(items) == 1 else Node("list", tuple(items), either)

    def relation(self) -> Node:
        """One answer of a list: a ratio, a relation, or less."""
        parts, signs = [self.united()], []
        if self.sign(":"):
            while self.sign(":"):
                self.take()
                parts.append(self.united())
            return Node("ratio", tuple(parts))
        while self.kind == "o" and self.value in _RELATIONS:
            signs.append(self.take().value)
            parts.append(self.united())
        return Node("rel", tuple(parts), tuple(signs)) if signs else parts[0]

    def united(self) -> Node:
        """Sets joined, or less."""
        node = self.sum()
        while self.sign("∪", "∩", "∖"):
            kind = {"∪": "cup", "∩": "cap", "∖": "without"}[self.take().value]
            other = self.sum()
            node = Node(kind, (*node.args, other)) if node.kind == kind == "cup" else Node(kind, (node, other))
        return node

    # Sums and products.
    def sum(self) -> Node:
        """Terms, with the unit that follows them."""
        terms = [self.signed()]
        while self.sign("+", "-", "±", "∓"):
            sign = self.take().value
            term = self.product()
            terms.append(term if sign == "+" else Node("-" if sign == "-" else "±", (term,)))
        return measures.quantity(self, terms[0] if len(terms) == 1 else Node("+", tuple(terms)))

    def signed(self) -> Node:
        """A term with its signs."""
        if self.sign("+"):
            self.take()
            return self.signed()
        if self.sign("-", "±", "∓"):
            sign = self.take().value
            self.depth += 1
            if self.depth > _DEEPEST:
                raise Unread("nested too deep")
            inner = self.signed()
            self.depth -= 1
            return Node("-" if sign == "-" else "±", (inner,))
        return self.product()

    def product(self) -> Node:
        """Factors, with or without a sign between."""
        node = self.power()
        while True:
            if self.sign("*", "/"):
                sign = self.take().value
                if self.kind == "w" or self.kind == "end":
                    raise Unread("nothing to multiply")
                other = self.negative_or_power()
                node = Node("/", (node, other)) if sign == "/" else times(node, other)
                self.ambiguous |= sign == "/" and self.starts() and not self.sign("(")
            elif self.starts():
                node = self.beside(node)
            else:
                return node

    def beside(self, node: Node) -> Node:
        """A factor without a sign between: a mixed number, `f(x)`, or a product."""
        before = self.tokens[self.place - 1]
        if self.kind == "n" and before.kind == "n":
            return self._mixed(node)
        if self.value == r"\frac" and before.kind == "n" and node.kind == "num" and node.value[1] is None:
            return self._with_fraction(node, self.power())
        inverse = node.kind == "^" and node.args[0].value in _FUNCTION_NAMES and node.args[1] == _MINUS_ONE
        called = self.sign("(") and (before.kind == "l" or inverse or (node.kind == "sym" and before.value == "'"))
        other = self.power()
        if called and node == Node("sym", (), "C") and other.kind == "seq" and len(other.args) == 2:
            return Node("fn", other.args, "binom")  # C(10, 3)
        if called and inverse:
            return Node("call", (Node("sym", (), f"{node.args[0].value}^-1"), other))
        if called and node.kind == "sym" and other.kind not in ("seq", "set") and self._applied(node, other):
            return Node("call", (node, other))
        if called and node.kind == "*" and node.value is None and node.args[-1].kind == "sym" and not symbols(other):
            return Node("*", (*node.args[:-1], Node("call", (node.args[-1], other))))
        return Node("*", (node, other), "call") if called and node.kind in ("sym", "*") else times(node, other)

    def _with_fraction(self, node: Node, other: Node) -> Node:
        r"""`3\frac{1}{2}`, perhaps of a percent or a degree."""
        part = other.args[0] if other.kind in ("%", "qty") else other
        if part.kind == "/" and all(one.kind == "num" and one.value[1] is None for one in part.args):
            if part.args[0].value[0] < part.args[1].value[0]:
                mixed = Node("+", (node, part))
                return mixed if part is other else Node(other.kind, (mixed,), other.value)
            self.ambiguous = True
        return times(node, other)

    def _applied(self, name: Node, inner: Node) -> bool:
        """Whether `f(...)` is a function's value and no product: by its letter, or by a number for its argument."""
        return name.value.rstrip("'") in _FUNCTION_LETTERS or not symbols(inner)

    def _mixed(self, node: Node) -> Node:
        """`3 1/2`: whole number, space, fraction."""
        top, slash, bottom = (self.tokens[min(self.place + step, len(self.tokens) - 1)] for step in range(3))
        whole = node.kind == "num" and node.value[1] is None
        if not (whole and slash.value == "/" and bottom.kind == "n" and top.value[1] is None and bottom.value[0]):
            raise Unread("two numbers side by side")
        self.place += 3
        return Node("+", (node, number(top.value[0] / bottom.value[0])))

    def negative_or_power(self) -> Node:
        """What follows a sign of multiplication."""
        if self.sign("-"):
            self.take()
            return Node("-", (self.power(),))
        return self.power()

    def starts(self) -> bool:
        """Whether a factor can begin here."""
        token = self.token
        if token.kind in ("n", "l"):
            return True
        if token.kind == "c":
            if token.value == r"\frac" and measures.fraction_ahead(self):
                return False
            return token.value in _ARGUMENT_COMMANDS or token.value[1:] in FUNCTIONS
        if token.kind == "o":
            return token.value in _STARTS or (token.value in "|‖" and not self.bars)
        return False

    # Powers and what follows a factor.
    def power(self) -> Node:
        """A factor with what is written behind it."""
        node = self.primary()
        while True:
            if self.sign("!"):
                self.take()
                twice = self.sign("!")
                self.place += twice
                node = Node("fn", (node,), "semifactorial" if twice else "factorial")
            elif self.sign("'"):
                self.take()
                if node.kind != "sym":
                    raise Unread("'")
                node = Node("sym", (), node.value + "'")
            elif self.sign("^"):
                self.take()
                node = self._raised(node)
            elif self.sign("_"):
                node = self._subscript(node)
            elif self.sign("%"):
                self.take()
                node = Node("%", (node,))
            else:
                return node

    def _raised(self, node: Node) -> Node:
        braced = self.sign("{")
        ahead = self.tokens[self.place + braced]
        if ahead.value in (r"\circ", r"\prime") or (ahead.kind == "o" and ahead.value == "°"):
            if braced and self.tokens[self.place + 2].value != "}":
                raise Unread("^")
            self.place += 3 if braced else 1
            if ahead.value == r"\prime" and node.kind == "sym":
                return Node("sym", (), node.value + "'")
            if ahead.value == r"\prime":
                raise Unread("minutes of arc")
            return Node("qty", (node,), measures.degree(self))
        exponent = self.exponent()
        if node.kind == "fn" and node.value == "of":
            raise Unread("^")
        return Node("^", (node, exponent))

    def exponent(self) -> Node:
        """What stands behind `^` or `_`: a group, or one factor with its sign."""
        if self.sign("{"):
            return self.group()
        if self.sign("-", "+"):
            sign = self.take().value
            node = self.primary()
            return Node("-", (node,)) if sign == "-" else node
        return self.primary()

    def _subscript(self, node: Node) -> Node:
        digits = self.tokens[self.place - 1].raw
        self.take()
        name = self._subscript_text()
        if node.kind == "num":
            if not (name.isdigit() and digits.isdigit() and 2 <= int(name[:3]) <= 36):
                raise Unread("_")
            return Node("base", (), (digits.lstrip("0") or "0", int(name)))
        if node.kind == "sym":
            return Node("sym", (), f"{node.value}_{name}")
        raise Unread("_")

    def _subscript_text(self) -> str:
        """The subscript as it stands; spelling decides whether two names are one."""
        if not self.sign("{"):
            token = self.take()
            if token.kind not in ("n", "l"):
                raise Unread("_")
            return token.raw if token.kind == "n" else token.value
        self.take()
        parts: list[str] = []
        while not self.sign("}"):
            token = self.take()
            if token.kind == "c" and token.value[1:] not in FUNCTIONS:
                raise Unread("_")
            if token.kind == "end" or token.value == "{" or len(parts) > 8:
                raise Unread("_")
            parts.append(token.raw if token.kind == "n" else token.value)
        self.take()
        return "".join(parts)

    # What stands alone.
    def primary(self) -> Node:
        """What stands alone: a number, a letter, a command, a bracket."""
        token = self.take()
        if token.kind == "n":
            return self._number(token)
        if token.kind == "l":
            name = token.value
            return Node("const", (), name) if name in _CONSTANTS else Node("sym", (), name)
        if token.kind == "c":
            return commands.read(self, token.value)
        if token.kind == "o":
            return self._bracketed(token.value)
        raise Unread(token.raw)

    def _number(self, token: Token) -> Node:
        value, decimals = token.value
        if self.kind == "c" and self.value in (r"\overline", r"\bar", r"\dot"):
            return commands.recurring(self, token)
        if self.sign("…"):
            raise Unread("…")
        return number(value, decimals)

    def group(self) -> Node:
        """What stands between braces that only group."""
        self.expect("{")
        if self.sign("}"):
            raise Unread("{}")
        bars, self.bars = self.bars, 0
        node = self.listed("}")
        node = self._over(node)
        self.expect("}")
        self.bars = bars
        return node

    def _over(self, top: Node) -> Node:
        r"""`{a \over b}` and `{a \choose b}`."""
        if self.kind != "c" or self.value not in (r"\over", r"\choose"):
            return top
        name = self.take().value
        bottom = self.listed("}", "end")
        return Node("/", (top, bottom)) if name == r"\over" else Node("fn", (top, bottom), "binom")

    def _bracketed(self, opener: str) -> Node:
        if opener == "{":
            self.place -= 1
            return self.group()
        if opener in ("|", "‖"):
            self.bars += 1
            node = self.listed(opener)
            self.expect(opener)
            self.bars -= 1
            return Node("fn", (node,), "abs" if opener == "|" else "norm")
        if opener in measures.CURRENCIES:
            return measures.money(self, opener)
        if opener not in _CLOSERS:
            raise Unread(opener)
        if opener == r"\{" and self.sign(r"\}"):
            self.take()
            return Node("set")
        bars, self.bars = self.bars, 0
        node = self._sequence(opener, _CLOSERS[opener], {"(": "]", "[": ")"}.get(opener, ""))
        self.bars = bars
        return node

    def _sequence(self, opener: str, closer: str, other: str) -> Node:
        inner = self.listed(closer, other)
        found = self.take().value
        if not (found in (closer, other) and found):
            raise Unread(f"expected {closer}")
        if opener in ("⌊", "⌈"):
            return Node("fn", (inner,), "floor" if opener == "⌊" else "ceil")
        if opener == r"\{":
            return Node("set", inner.args if inner.kind == "list" else (inner,))
        if inner.kind == "list":
            return Node("seq", inner.args, _brackets(opener, found))
        if found != closer or opener == "⟨":
            raise Unread(f"expected {closer}")
        return inner


def times(one: Node, other: Node) -> Node:
    """A product, flat."""
    if one.kind == "*" and one.value is None:
        return Node("*", (*one.args, other))
    return Node("*", (one, other))


def _brackets(opener: str, closer: str) -> str:
    return "<>" if opener == "⟨" else opener + closer
