"""Are two expressions the same number, or the same function of their variables?

Rational functions are compared exactly at rational points, anything else at two precisions. "Different" is said only of
values that differ beyond doubt at a point where both are real (or both complex, where `i` occurs); what holds at
positive points alone, or depends on what `log` means, stays open.
"""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

from curate.verifiers.answers.doubts import known_elsewhere
from curate.verifiers.answers.node import Node, symbols, walk
from curate.verifiers.answers.numeric import DIGITS, Undecided, Undefined, approximate, context, exact
from curate.verifiers.answers.policy import Policy

_LARGEST = 400  # nodes of an expression that is evaluated
_VARIABLES = 8
# Points for the n-th variable: the numerators and denominators are primes, so that no honest formula has a zero there.
_POSITIVE = [(Fraction(37 + 94 * n, 101 + 6 * n), Fraction(173 + 10 * n, 101), Fraction(541 - 14 * n, 97),
              Fraction(2417 + 30 * n, 103)) for n in range(_VARIABLES)]  # fmt: skip
_NEGATIVE = [(Fraction(-71 - 6 * n, 53), Fraction(-211 + 12 * n, 31)) for n in range(_VARIABLES)]
_WHOLE = [(Fraction(4 + n), Fraction(7 + 2 * n), Fraction(10 + 3 * n), Fraction(15 + n)) for n in range(_VARIABLES)]
_INTEGERS = frozenset({"n", "k", "m", "N", "K", "j", "p", "q", "r"})  # names that often stand for whole numbers
_LOST = 25  # digits that cancelling terms may cost
_CERTAIN, _FEW = 9, 4  # significant digits from which a rounded value is the same; up to which it is another number


def same_value(gold: Node, answer: Node, policy: Policy) -> bool | None:
    """Whether two expressions agree; None where this cannot tell."""
    if gold == answer:
        return True
    found = _same_value(gold, answer, policy)
    return None if found is False and known_elsewhere(gold, answer) else found


def _same_value(gold: Node, answer: Node, policy: Policy) -> bool | None:
    infinite = [_infinity(node) for node in (gold, answer)]
    if any(infinite):
        return infinite[0] == infinite[1] if all(infinite) or not symbols(gold) | symbols(answer) else None
    names = sorted(symbols(gold) | symbols(answer))
    if len(names) > _VARIABLES or len(walk(gold)) > _LARGEST or len(walk(answer)) > _LARGEST:
        return None
    if not names:
        return _same_constant(gold, answer, policy)
    return _same_function(gold, answer, names)


def _infinity(node: Node) -> int:
    """1 for infinity, -1 for minus infinity, else 0."""
    if node.kind == "-":
        return -_infinity(node.args[0])
    return int(node.kind == "const" and node.value == "inf")


def constant(node: Node) -> Any | None:
    """The value of an expression without variables, exact or to many digits; None where it has none."""
    try:
        value = exact(node, {})
        return approximate(node, {}, DIGITS[0]) if value is None else value
    except (Undefined, Undecided):
        return None


def _same_constant(gold: Node, answer: Node, policy: Policy) -> bool | None:
    try:
        left, right = exact(gold, {}), exact(answer, {})
    except Undefined:
        return None
    if left is not None and right is not None:
        equal: bool | None = left == right
    else:
        equal = _agree(gold, answer, {})
    if equal is not False:
        return equal
    return _rounded(gold, answer, policy)


def _agree(gold: Node, answer: Node, env: dict[str, Fraction]) -> bool | None:
    """Whether the two values at one point agree, however `log` is read. None where that is open."""
    bases = (
        (0, 10)
        if any(one.kind == "fn" and one.value == "log" for node in (gold, answer) for one in walk(node))
        else (0,)
    )
    verdicts = {_agree_with(gold, answer, env, base) for base in bases}
    return verdicts.pop() if len(verdicts) == 1 else None


def _agree_with(gold: Node, answer: Node, env: dict[str, Fraction], log_base: int) -> bool | None:
    try:
        coarse = [approximate(node, env, DIGITS[0], log_base) for node in (gold, answer)]
        if _apart(*coarse) > 1e-6 and not any(map(_tiny, coarse)) and _plain(gold) and _plain(answer):
            return False  # no sum to lose digits in: one precision shows it
        fine = [approximate(node, env, DIGITS[1], log_base) for node in (gold, answer)]
    except (Undefined, Undecided, ValueError, OverflowError, ZeroDivisionError, TypeError):
        return None
    mp = context(DIGITS[1])
    coarse, fine = _zeroed(coarse, fine)
    if any(_apart(mp.mpmathify(a), b) > mp.mpf(10) ** (_LOST - DIGITS[0]) for a, b in zip(coarse, fine, strict=True)):
        return None  # too many digits of the lower precision were lost on the way
    gap = _apart(*fine)  # of as many digits, the higher precision has DIGITS[1] - _LOST left
    if gap < mp.mpf(10) ** (_LOST + 5 - DIGITS[1]):
        return True
    return False if gap > mp.mpf(10) ** (_LOST + 15 - DIGITS[1]) else None


def _zeroed(coarse: list[Any], fine: list[Any]) -> tuple[list[Any], list[Any]]:
    r"""The values, with 0 for one that shrinks with the precision: `\sin(\pi)` is not quite 0 at either."""
    mp = context(DIGITS[1])
    small = [abs(a) < mp.mpf(10) ** (10 - DIGITS[0]) and abs(b) < mp.mpf(10) ** (10 - DIGITS[1])
             for a, b in zip(coarse, fine, strict=True)]  # fmt: skip
    first, second = ([0 if zero else one for zero, one in zip(small, side, strict=True)] for side in (coarse, fine))
    return first, second


def _tiny(value: Any) -> bool:
    r"""Whether it may be zero but for the precision: `\sin\pi`."""
    return bool(0 < abs(value) < 10.0 ** (10 - DIGITS[0]))


def _plain(node: Node) -> bool:
    return all(one.kind != "+" for one in walk(node))


def _apart(one: Any, other: Any) -> Any:
    """The relative distance of two values."""
    size = max(abs(one), abs(other))
    return abs(one - other) / size if size else 0


def written(node: Node) -> tuple[Fraction, int] | None:
    """The last place of a number written as a decimal, and its significant digits; None for anything else."""
    if node.kind == "-":
        return written(node.args[0])
    if node.kind == "num" and node.value[1] is not None:
        value, decimals = node.value
        place = Fraction(10) ** -decimals
        return place, len(str(abs(int(value / place))))
    if node.kind == "*" and len(node.args) == 2 and node.args[1].kind == "^":
        first, power = written(node.args[0]), exact(node.args[1], {})
        if first and power and node.args[1].args[0] == Node("num", (), (Fraction(10), None)):
            return first[0] * power, first[1]
    return None


def _rounded(gold: Node, answer: Node, policy: Policy) -> bool | None:
    """Two constants that differ: is one of them the other, rounded? Few digits of an exact value are another number."""
    if not any(one.kind == "num" and one.value[1] is not None for node in (gold, answer) for one in walk(node)):
        return False
    left, right = (context(DIGITS[0]).mpmathify(_number(node)) for node in (gold, answer))
    gap, size = abs(left - right), max(abs(left), abs(right))
    if policy.tolerance and gap <= policy.tolerance * abs(left):
        return True
    of_gold, of_answer = written(gold), written(answer)
    if of_gold is None and of_answer is None:
        return None if gap <= size * 5e-3 else False
    near = gap * (1 - 1e-9) <= size * 5e-3
    if of_gold is not None and gap <= _mpf(of_gold[0]) * 0.5000001:
        return None  # the reference itself may be rounded
    if of_answer is None or not near:
        return False
    place, digits = _mpf(of_answer[0]), of_answer[1]
    if digits < _FEW or gap > place:
        return False
    return True if digits >= _CERTAIN and gap <= place * 0.5000001 and of_gold is None else None


def _number(node: Node) -> Any:
    value = constant(node)
    return _mpf(value) if isinstance(value, Fraction) else value


def _mpf(value: Fraction) -> Any:
    return context(DIGITS[0]).mpf(value.numerator) / value.denominator


def _same_function(gold: Node, answer: Node, names: Sequence[str]) -> bool | None:
    if _stepped(gold) or _stepped(answer):
        return _same_steps(gold, answer, names)
    if _discrete(gold) or _discrete(answer):
        return _everywhere(gold, answer, _points(names, _WHOLE))
    positive = _everywhere(gold, answer, _points(names, _POSITIVE))
    if positive is False and _INTEGERS & set(names) and _everywhere(gold, answer, _points(names, _WHOLE)) is not False:
        return None
    if positive is not True:
        return positive
    # Equal for positive values: for negative ones, too, unless one of the two is not real there.
    return True if _everywhere(gold, answer, _points(names, _NEGATIVE)) is not False else None


def _points(names: Sequence[str], table: Sequence[tuple[Fraction, ...]]) -> Iterable[dict[str, Fraction]]:
    for row in range(len(table[0])):
        yield {name: table[place][row] for place, name in enumerate(names)}


def _discrete(node: Node) -> bool:
    """Whether it means something for whole numbers only: `(-1)^n`, `n!`, `cos(n pi)`."""
    for one in walk(node):
        if one.kind == "^" and symbols(one.args[1]) and one.args[0].kind == "-":
            return True
        if one.kind == "fn" and one.value in ("factorial", "binom") and symbols(one):
            return True
    return False


def _stepped(node: Node) -> bool:
    """Whether a variable is rounded in it."""
    return any(one.kind == "fn" and one.value in ("floor", "ceil") and symbols(one) for one in walk(node))


def _same_steps(gold: Node, answer: Node, names: Sequence[str]) -> bool | None:
    r"""`\lceil n/2 \rceil` is `\lfloor (n+1)/2 \rfloor` for whole `n`: many in a row are tried, then fractions."""
    rows = ({name: Fraction(start + (place * start) % 7) for place, name in enumerate(names)} for start in range(5, 35))
    whole = _everywhere(gold, answer, rows)
    if whole is not True or _INTEGERS.issuperset(names):
        return whole
    return True if _everywhere(gold, answer, _points(names, _POSITIVE)) else None


def _everywhere(gold: Node, answer: Node, points: Iterable[dict[str, Fraction]]) -> bool | None:
    """True: they agree at every point that can be told; False: at one they surely differ; None: none can be told."""
    found: bool | None = None
    complex_too = any(one == Node("const", (), "i") for node in (gold, answer) for one in walk(node))
    for env in points:
        one = _at(gold, answer, env, complex_too)
        if one is False:
            return False
        found = True if one else found
    return found


def _at(gold: Node, answer: Node, env: dict[str, Fraction], complex_too: bool) -> bool | None:
    try:
        left, right = exact(gold, env), exact(answer, env)
        if left is not None and right is not None:
            return left == right or (None if _decimal(gold, answer) and _near(left, right) else False)
        equal = _agree(gold, answer, env)
        if equal is not False or complex_too:
            return equal
        sides = [approximate(node, env, DIGITS[0]) for node in (gold, answer)]
    except (Undefined, Undecided):
        return None
    if any(abs(context(DIGITS[0]).im(side)) > 1e-25 for side in sides):
        return None  # outside the reals, roots and logarithms are a matter of convention
    return None if _decimal(gold, answer) and _apart(*sides) < 5e-3 else False


def _decimal(*nodes: Node) -> bool:
    return any(one.kind == "num" and one.value[1] is not None for node in nodes for one in walk(node))


def _near(left: Fraction, right: Fraction) -> bool:
    return abs(left - right) * 200 <= max(abs(left), abs(right))
