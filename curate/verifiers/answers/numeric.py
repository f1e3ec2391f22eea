"""The value of an expression, exactly where it is rational and to many digits where it is not.

Every step is bounded before it is taken, so that no power or factorial of a model's making costs more than
milliseconds. The irrational part runs at two precisions: digits that do not repeat at the higher one prove nothing.
"""

import math
import threading
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from curate.verifiers.answers.node import Node, called, names

_BITS = 30_000  # of an exact number's top or bottom
_FACTORIAL = 2_500
_EXPONENT = 1e5  # largest argument of exp, in nepers, and of a power's logarithm
_ARGUMENT = 1e12  # largest argument of a trigonometric function
DIGITS = (40, 110)  # decimal digits of the two precisions

Value = Any  # Fraction, or mpmath's mpf or mpc


class Undefined(Exception):
    """The expression has no value there: a division by zero, a logarithm of zero."""


class Undecided(Exception):
    """What the expression asks for is not computed here, or would cost too much."""


_CONTEXTS = threading.local()


def context(digits: int) -> Any:
    """The calling thread's mpmath context of that many digits (contexts hold their precision, so none is shared)."""
    held: dict[int, Any] | None = getattr(_CONTEXTS, "held", None)
    if held is None:
        held = _CONTEXTS.held = {}
    if digits not in held:
        from mpmath import MPContext  # type: ignore[import-untyped]  # loaded where first needed: 0.1 s

        held[digits] = MPContext()
        held[digits].dps = digits
    return held[digits]


def exact(node: Node, env: Mapping[str, Fraction]) -> Fraction | None:
    """The value as a fraction; None where it is irrational or not computed. Raises Undefined."""
    try:
        return _Exact(env).of(node)
    except Undecided:
        return None


def approximate(node: Node, env: Mapping[str, Fraction], digits: int, log_base: int = 0) -> Value:
    """The value to about `digits` digits, real or complex. `log_base` is what a bare `log` means (0: e).

    Raises Undefined or Undecided.
    """
    return _Real(env, context(digits), log_base).of(node)


class _Exact:
    def __init__(self, env: Mapping[str, Fraction]) -> None:
        self.env = env

    def of(self, node: Node) -> Fraction:
        kind = node.kind
        if kind == "num":
            value: Fraction = node.value[0]
            return value
        if kind in ("sym", "call"):
            return self.env[called(node) if kind == "call" else node.value]
        args = node.args
        if kind == "+":
            return self._small(sum((self.of(one) for one in args), Fraction(0)))
        if kind == "*":
            return self._product(args)
        if kind == "/":
            bottom = self.of(args[1])
            if not bottom:
                raise Undefined("division by zero")
            return self._small(self.of(args[0]) / bottom)
        if kind == "^":
            return self._power(self.of(args[0]), self.of(args[1]))
        if kind == "fn":
            return self._function(node.value, args)
        if kind not in ("-", "%"):
            raise Undecided(kind)
        return -self.of(args[0]) if kind == "-" else self.of(args[0]) / 100

    def _product(self, args: tuple[Node, ...]) -> Fraction:
        value = Fraction(1)
        for one in args:
            value = self._small(value * self.of(one))
        return value

    def _small(self, value: Fraction) -> Fraction:
        if value.numerator.bit_length() > _BITS or value.denominator.bit_length() > _BITS:
            raise Undecided("too large")
        return value

    def _power(self, base: Fraction, exponent: Fraction) -> Fraction:
        if exponent.denominator != 1:
            raise Undecided("a root")
        if not base and exponent <= 0:
            raise Undefined("0^0")
        size = max(base.numerator.bit_length(), base.denominator.bit_length())
        if abs(base) != 1 and base and size * abs(exponent) > _BITS:
            raise Undecided("too large")
        power = int(exponent)
        if abs(base) == 1:
            power %= 2
        return Fraction(base**power)

    def _function(self, name: str, args: tuple[Node, ...]) -> Fraction:
        if name not in _EXACT:
            raise Undecided(name)
        values = [self.of(one) for one in args]
        if name == "abs":
            return abs(values[0])
        if name == "floor":
            return Fraction(math.floor(values[0]))
        if name == "ceil":
            return Fraction(math.ceil(values[0]))
        if name == "root":
            return _exact_root(values[0], values[1])
        if name in ("max", "min"):
            return max(values) if name == "max" else min(values)
        if name == "conj":
            return values[0]
        if any(value.denominator != 1 for value in values):
            raise Undecided(name)
        whole = [int(value) for value in values]
        return Fraction(_whole(name, whole))


_EXACT = names("abs floor ceil root max min conj factorial semifactorial binom gcd lcm")


def _whole(name: str, values: list[int]) -> int:
    if name in ("factorial", "semifactorial"):
        if not 0 <= values[0] <= _FACTORIAL:
            raise Undecided("factorial")
        return math.factorial(values[0]) if name == "factorial" else math.prod(range(values[0], 0, -2))
    if name == "binom":
        if not (0 <= values[1] <= _FACTORIAL and 0 <= values[0] <= 10**6):
            raise Undecided("binomial")
        return math.comb(values[0], values[1])
    return math.gcd(*values) if name == "gcd" else math.lcm(*values)


def _exact_root(value: Fraction, index: Fraction) -> Fraction:
    if index.denominator != 1 or not 2 <= index <= 64 or (value < 0 and index % 2 == 0):
        raise Undecided("a root")
    degree = int(index)
    top, bottom = _whole_root(abs(value.numerator), degree), _whole_root(value.denominator, degree)
    return Fraction(top if value >= 0 else -top, bottom)


def _whole_root(value: int, degree: int) -> int:
    if degree == 2:
        root = math.isqrt(value)
    elif value.bit_length() > 900:
        raise Undecided("a large root")
    else:
        root = round(value ** (1 / degree))
    if root**degree != value:
        raise Undecided("an irrational root")
    return root


_TRIGONOMETRIC = names("sin cos tan cot sec csc")
_DIRECT = {
    "sinh": "sinh", "cosh": "cosh", "tanh": "tanh", "coth": "coth", "sech": "sech", "csch": "csch",
    "arcsin": "asin", "arccos": "acos", "arctan": "atan", "arccot": "acot", "arcsec": "asec", "arccsc": "acsc",
    "arcsinh": "asinh", "arccosh": "acosh", "arctanh": "atanh", "conj": "conj", "Re": "re", "Im": "im",
    "floor": "floor", "ceil": "ceil", "abs": "fabs",
}  # fmt: skip


class _Real:
    def __init__(self, env: Mapping[str, Fraction], mp: Any, log_base: int) -> None:
        self.env, self.mp, self.log_base = env, mp, log_base

    def of(self, node: Node) -> Value:
        kind, args = node.kind, node.args
        if kind in ("num", "sym", "call", "const"):
            return self._leaf(node)
        if kind == "^":
            return self._power(args[0], args[1])
        if kind == "fn":
            return self._function(node.value, args)
        if kind == "qty" and dict(node.value.dimensions) != {"angle": 1}:  # a sum of degrees is one of numbers
            raise Undecided(kind)
        if kind not in ("+", "*", "/", "-", "%", "qty"):
            raise Undecided(kind)
        values = [self.of(one) for one in args]
        if kind == "+":
            return self.mp.fsum(values)
        if kind == "*":
            return self.mp.fprod(values)
        if kind == "/":
            if not values[1]:
                raise Undefined("division by zero")
            return values[0] / values[1]
        return {"-": -values[0], "%": values[0] / 100}.get(kind, values[0])

    def _leaf(self, node: Node) -> Value:
        if node.kind == "const":
            return self._constant(node.value)
        if node.kind == "num":
            return self._fraction(node.value[0])
        return self._fraction(self.env[called(node) if node.kind == "call" else node.value])

    def _fraction(self, value: Fraction) -> Value:
        return self.mp.mpf(value.numerator) / value.denominator

    def _constant(self, name: str) -> Value:
        if name == "inf":
            raise Undecided("infinity")
        return {"pi": +self.mp.pi, "e": +self.mp.e}.get(name, self.mp.mpc(0, 1))

    def _power(self, base_node: Node, exponent_node: Node) -> Value:
        base, exponent = self.of(base_node), self.of(exponent_node)
        if not base:
            if self.mp.re(exponent) <= 0:
                raise Undefined("0^0")
            return base
        size = abs(self.mp.log(abs(base))) * abs(exponent)
        if size > _EXPONENT:
            raise Undecided("too large")
        if exponent == int(self.mp.re(exponent)):
            return base ** int(self.mp.re(exponent))
        return self.mp.power(base, exponent)

    def _function(self, name: str, args: tuple[Node, ...]) -> Value:
        mp = self.mp
        if name in _TRIGONOMETRIC:
            angle = self._angle(args[0])
            value = getattr(mp, name)(angle)
            if abs(value) > mp.mpf(10) ** (mp.dps // 2):
                raise Undefined("a pole")
            return value
        if name in ("ln", "log", "lg"):
            return self._logarithm(name, args)
        values = [self.of(one) for one in args]
        if name == "exp":
            if abs(values[0]) > _EXPONENT:
                raise Undecided("too large")
            return mp.exp(values[0])
        if name == "root":
            return self._root(values[0], values[1])
        if name == "factorial":
            return self._factorial(values[0])
        if name == "binom":
            top, bottom = values
            return self._factorial(top) / (self._factorial(bottom) * self._factorial(top - bottom))
        if name in ("max", "min") and all(not mp.im(value) for value in values):
            return max(values) if name == "max" else min(values)
        if name in _DIRECT and len(values) == 1:
            if name.endswith("h") and abs(values[0]) > _EXPONENT:
                raise Undecided("too large")
            return getattr(mp, _DIRECT[name])(values[0])
        raise Undecided(name)

    def _angle(self, node: Node) -> Value:
        r"""The argument of a trigonometric function, in radians: `\sin 30^\circ` has one in degrees."""
        if any(part.kind == "qty" for part in (node, *node.args)):
            value = self.of(node) * self.mp.pi / 180
        else:
            value = self.of(node)
        if abs(value) > _ARGUMENT:
            raise Undecided("too large an angle")
        return value

    def _logarithm(self, name: str, args: tuple[Node, ...]) -> Value:
        value = self.of(args[0])
        base = self.of(args[1]) if len(args) > 1 else (10 if name == "lg" else self.log_base if name == "log" else 0)
        if not value:
            raise Undefined("the logarithm of zero")
        if not base:
            return self.mp.log(value)
        bottom = self.mp.log(base)
        if not bottom:
            raise Undefined("a logarithm to base one")
        return self.mp.log(value) / bottom

    def _root(self, value: Value, index: Value) -> Value:
        if not index:
            raise Undefined("a root of index zero")
        whole = int(self.mp.re(index)) if index == int(self.mp.re(index)) else 0
        if abs(whole) > 10_000:
            raise Undecided("a root of high index")
        if whole % 2 and not self.mp.im(value) and self.mp.re(value) < 0:
            return -self.mp.power(-self.mp.re(value), self.mp.one / whole)
        if whole == 2:
            return self.mp.sqrt(value)
        if not value:
            return value
        return self.mp.power(value, self.mp.one / index)

    def _factorial(self, value: Value) -> Value:
        if abs(value) > _FACTORIAL:
            raise Undecided("factorial")
        real = self.mp.re(value)
        if not self.mp.im(value) and real < 0 and real == int(real):
            raise Undefined("the factorial of a negative integer")
        return self.mp.gamma(value + 1)
