"""Comparing two answers that were read: containers part by part, amounts with their units, the rest as values."""

from collections.abc import Sequence
from fractions import Fraction

from curate.verifiers.answers.families import Family, family, same_family
from curate.verifiers.answers.node import Node, number, substituted, symbols, walk
from curate.verifiers.answers.numeric import exact
from curate.verifiers.answers.policy import Policy
from curate.verifiers.answers.realsets import is_real_set, real_set, same_set, variable
from curate.verifiers.answers.relations import (
    is_equation,
    is_inequality,
    same_equation,
    same_inequality,
    settled,
    unnamed,
)
from curate.verifiers.answers.scalars import same_value
from curate.verifiers.answers.shapes import as_matrix, figures, number_sets, point
from curate.verifiers.answers.units import CELSIUS, FAHRENHEIT, PLAIN_DEGREE, Unit, unit

_LONGEST = 60  # parts of a set that are matched with each other
_MANY = ("list", "set", "seq")
_SCALAR = frozenset({"num", "const", "+", "-", "*", "/", "^", "fn", "qty", "%"})
_LETTER_UNITS = frozenset({"m", "s", "g", "h", "L", "l", "d", "cm", "mm", "km", "kg", "N", "J", "W", "V"})
# One unit of these dimensions over another: 60 minutes are an hour.
_STEPS = {
    "money": {100},
    "time": {60, 3600, 24, 7, 1440, 168},
    "length": {100, 1000, 12, 3, 36, 5280},
    "mass": {1000, 16, 10**6},
}


class Comparison:
    """Compares under one policy. Nothing raises on what was read."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy

    def same(self, gold: Node, answer: Node) -> bool | None:
        """True or False where the two surely agree or differ, None where this cannot tell."""
        gold, answer = as_matrix(settled(gold)), as_matrix(settled(answer))
        if gold == answer:
            return True
        if "call" in (gold.value, answer.value):
            gold, answer = point(gold, answer), point(answer, gold)
        families = family(gold), family(answer)
        if families != (None, None):
            return self._families(gold, answer, *families)
        found = self._relations(gold, answer)
        return self._values(gold, answer) if isinstance(found, str) else found

    # Names, equations, inequalities.
    def _relations(self, gold: Node, answer: Node) -> "bool | str | None":
        (name, value), (other_name, other) = unnamed(gold), unnamed(answer)
        if name is not None and other_name is not None:
            return self._both_named((name, value), (other_name, other), gold, answer)
        equations = is_equation(gold), is_equation(answer)
        if all(equations):
            return same_equation(gold, answer, self.policy)
        if name is not None and self.policy.prefix == "required" and not any(map(is_inequality, (gold, answer))):
            return False
        if name is not None or other_name is not None:
            return self.same(value, other)
        if any(equations):
            return self._equation_and_value(gold, answer) if equations[0] else self._equation_and_value(answer, gold)
        return "other"

    def _families(self, gold: Node, answer: Node, one: Family | None, other: Family | None) -> bool | None:
        if one is not None and other is not None:
            return same_family(one, other)
        wanted, single = (one, answer) if one is not None else (other, gold)
        return False if wanted is not None and wanted.of_all and self._one_number(unnamed(single)[1]) else None

    def _both_named(self, one: tuple[Node, Node], other: tuple[Node, Node], gold: Node, answer: Node) -> bool | None:
        (name, value), (other_name, other_value) = one, other
        if name.kind == "seq" and other_name.kind == "seq" and name != other_name:
            return self._by_name((name, value), (other_name, other_value))
        if name.kind == other_name.kind == "call" and name != other_name:
            if name.args[0] != other_name.args[0] or {one.args[1].kind for one in (name, other_name)} != {"sym"}:
                return None if self.same(value, other_value) else False  # `f(2) = 7` and `f(3) = 7`
            other_value = substituted(other_value, other_name.args[1].value, name.args[1])
        found = self.same(value, other_value)
        if name == other_name or "call" in (name.kind, other_name.kind) or name.kind != "sym":
            return found
        if found and other_name.kind == "sym":
            return True if symbols(value) else None  # two letters for one number: perhaps of two questions
        if is_equation(gold) and is_equation(answer) and (symbols(value) or symbols(other_value)):
            return same_equation(gold, answer, self.policy)
        return found

    def _by_name(self, one: tuple[Node, Node], other: tuple[Node, Node]) -> bool | None:
        """`x=2, y=7` and `y=7, x=2`: by name, whatever the order."""
        values = [
            dict(zip(names.args, parts.args, strict=True)) if len(names.args) == len(parts.args) else None
            for names, parts in (one, other)
        ]
        if values[0] is None or values[1] is None or set(values[0]) != set(values[1]):
            return None
        right = values[1]
        return _all([self.same(value, right[name]) for name, value in values[0].items()])

    def _equation_and_value(self, equation: Node, value: Node) -> bool | None:
        """`a + b = 13` answers what `13` answers; of `3x - y + 13 = 0` and `0` nothing is known."""
        left, right = equation.args
        if value.kind in _MANY or is_real_set(value):
            return None
        bare = not any(one.kind == "num" for one in walk(left)) and symbols(left)
        if not bare or symbols(right):
            return None
        return self.same(right, value)

    # Containers.
    def _values(self, gold: Node, answer: Node) -> bool | None:
        if number_sets(gold, answer):
            return True
        if is_real_set(gold) or is_real_set(answer):
            return self._real_sets(gold, answer)
        if is_inequality(gold) and is_inequality(answer):
            return same_inequality(gold, answer)
        if "rel" in (gold.kind, answer.kind):
            return None
        if gold.kind == answer.kind == "*" and figures(gold, answer):
            return None  # `ABCD` and `ABDC`
        if "matrix" in (gold.kind, answer.kind):
            return self._matrices(gold, answer)
        if gold.kind in _MANY or answer.kind in _MANY:
            return self._containers(gold, answer)
        if "ratio" in (gold.kind, answer.kind):
            return self._ratios(gold, answer)
        if "base" in (gold.kind, answer.kind):
            return self._bases(gold, answer)
        return self._amounts(gold, answer)

    def _real_sets(self, gold: Node, answer: Node) -> bool | None:
        sides = [real_set(one) for one in (gold, answer)]
        written = [one.kind in ("rel", "list") for one in (gold, answer)]
        if written[0] != written[1] and self.policy.inequality == "distinct":
            return False
        if sides[0] is not None and sides[1] is not None:
            if not same_set(sides[0], sides[1]):
                return False
            names = variable(gold), variable(answer)
            return True if None in names or names[0] == names[1] else None
        if all(written) and is_inequality(gold) and is_inequality(answer):
            return same_inequality(gold, answer)
        if gold.kind == answer.kind and gold.kind in ("seq", "cup"):
            return self._in_parts(gold, answer)
        sound = [one for one, side in zip((gold, answer), sides, strict=True) if side is None]
        if len(sound) != 1:
            return None
        parts = sound[0].args if sound[0].kind == "list" else sound
        finite = all(self._one_number(one) or str(one.value).startswith(r"\mathbb") for one in parts)
        return False if finite or (sound[0].value == "()" and len(sound[0].args) > 2) else None

    def _in_parts(self, gold: Node, answer: Node) -> bool | None:
        if gold.kind == "cup":
            return self._matched(gold.args, answer.args)
        if len(gold.args) != len(answer.args) or gold.value != answer.value:
            return False
        return _all([self.same(one, other) for one, other in zip(gold.args, answer.args, strict=True)])

    def _one_number(self, node: Node) -> bool:
        return all(one.kind in _SCALAR for one in walk(node))

    def _matrices(self, gold: Node, answer: Node) -> bool | None:
        if gold.kind == answer.kind:
            if gold.value != answer.value:
                straight = all(1 in one.value for one in (gold, answer)) and len(gold.args) == len(answer.args)
                return None if straight and self._pairs(gold.args, answer.args) else False
            return self._pairs(gold.args, answer.args)
        matrix, other = (gold, answer) if gold.kind == "matrix" else (answer, gold)
        if other.kind in ("seq", "list") and len(other.args) == len(matrix.args) and 1 in matrix.value:
            found = self._pairs(gold.args, answer.args)
            return None if found and other.kind == "list" else found
        return False if self._one_number(other) and len(matrix.args) > 1 else None

    def _containers(self, gold: Node, answer: Node) -> bool | None:
        if gold.kind not in _MANY or answer.kind not in _MANY:
            return self._container_and_one(gold, answer)
        if gold.kind == answer.kind == "seq":
            return self._sequences(gold, answer)
        if "seq" not in (gold.kind, answer.kind):
            return self._matched(gold.args, answer.args)
        return self._sequence_and_bag(gold, answer)

    def _container_and_one(self, gold: Node, answer: Node) -> bool | None:
        many, one = (gold, answer) if gold.kind in _MANY else (answer, gold)
        if len(many.args) == 1 and many.kind == "set":
            return self.same(*((many.args[0], one) if many is gold else (one, many.args[0])))
        if one.kind in ("ratio", "base", "rel") or not many.args:
            return None
        if many.kind == "list" and all(found.kind == "num" for found in many.args):
            # `12, 345` may be a number with its separator.
            digits = "".join(str(found.value[0]) for found in many.args)
            if one.kind == "num" and str(one.value[0]) == digits:
                return None
        if all(self.same(many.args[0], other) is False for other in many.args[1:]):
            return False  # at least two different parts
        return False if self.same(many.args[0], one) is False else None

    def _sequences(self, gold: Node, answer: Node) -> bool | None:
        if len(gold.args) != len(answer.args):
            return False
        found = self._pairs(gold.args, answer.args)
        if self.policy.order == "free" and found is False and gold.value == answer.value == "()":
            return self._matched(gold.args, answer.args)
        if gold.value == answer.value or found is False:
            return found
        if any(one.value in ("[)", "(]") for one in (gold, answer)) and len(gold.args) > 2:
            return None  # brackets that do not match
        if len(gold.args) > 2 or "<>" in (gold.value, answer.value) or real_set(gold) is None:
            return found  # points and vectors, whose brackets are a matter of habit
        return False

    def _sequence_and_bag(self, gold: Node, answer: Node) -> bool | None:
        """`(1, 2)` and `1, 2` in that order are the same; in another order, or as a set, it depends."""
        sequence, bag = (gold, answer) if gold.kind == "seq" else (answer, gold)
        if len(sequence.args) != len(bag.args):
            return False
        if bag.kind == "list" and self._pairs(gold.args, answer.args):
            return True if sequence.value in ("()", "<>") or len(sequence.args) > 2 else None
        return False if self._matched(gold.args, answer.args) is False else None

    def _pairs(self, gold: Sequence[Node], answer: Sequence[Node]) -> bool | None:
        if len(gold) != len(answer):
            return False
        return _all([self.same(one, other) for one, other in zip(gold, answer, strict=True)])

    def _matched(self, gold: Sequence[Node], answer: Sequence[Node]) -> bool | None:
        """Whether the parts agree in some order. Repetitions count once."""
        left, right = (self._distinct(side) for side in (gold, answer))
        if len(left) != len(right):
            return False if self._sure(left) and self._sure(right) else None
        if len(left) > _LONGEST:
            return None
        open_ones = list(right)
        doubtful = False
        for one in left:
            found = [self.same(one, other) for other in open_ones]
            if True in found:
                del open_ones[found.index(True)]
            elif None in found:
                doubtful = True
            else:
                return False
        return None if doubtful else True

    def _distinct(self, parts: Sequence[Node]) -> list[Node]:
        found = list(dict.fromkeys(parts))
        if len(found) > _LONGEST:
            return found
        return [one for place, one in enumerate(found) if not any(self.same(one, other) for other in found[:place])]

    def _sure(self, parts: Sequence[Node]) -> bool:
        """Whether all parts are known to differ from each other."""
        return len(parts) <= 20 and all(
            self.same(one, other) is False for place, one in enumerate(parts) for other in parts[:place]
        )

    # Amounts.
    def _ratios(self, gold: Node, answer: Node) -> bool | None:
        if gold.kind != answer.kind:
            ratio, other = (gold, answer) if gold.kind == "ratio" else (answer, gold)
            if len(ratio.args) != 2 or other.kind in ("base", "list", "set", "seq"):
                return None
            return self.same(Node("/", ratio.args), other)
        if len(gold.args) != len(answer.args):
            return False
        first, second = gold.args[0], answer.args[0]
        return _all(
            [
                self.same(Node("*", (one, second)), Node("*", (other, first)))
                for one, other in zip(gold.args[1:], answer.args[1:], strict=True)
            ]
        )

    def _bases(self, gold: Node, answer: Node) -> bool | None:
        """`2516_8`: the subscript may be left out, a value in another base is open."""
        if gold.kind == answer.kind:
            if gold.value[1] == answer.value[1]:
                return bool(gold.value == answer.value)
            return None if self._in_base(gold) == self._in_base(answer) is not None else False
        based, other = (gold, answer) if gold.kind == "base" else (answer, gold)
        value = exact(other, {}) if self._one_number(other) and other.kind not in ("qty", "%") else None
        if value is None:
            return None
        if str(value) == based.value[0]:
            return self.policy.base == "optional" or other is gold
        return None if self._in_base(based) == value else False

    def _in_base(self, node: Node) -> int | None:
        digits, base = node.value
        try:
            return int(digits, base) if len(digits) < 1000 else None
        except ValueError:
            return None

    def _amounts(self, gold: Node, answer: Node) -> bool | None:
        (value, measure), (other, other_measure) = _amount(gold), _amount(answer)
        if measure is None and other_measure is None:
            return self._percentages(value, other)
        if measure is None or other_measure is None:
            return self._unit_left_out(value, other, measure, other_measure)
        if measure.dimensions == other_measure.dimensions:
            if measure.scale == other_measure.scale:
                return same_value(value, other, self.policy)
            return same_value(_times(value, measure.scale), _times(other, other_measure.scale), self.policy)
        if {measure, other_measure} == {CELSIUS, FAHRENHEIT}:
            return same_value(_celsius(value, measure), _celsius(other, other_measure), self.policy)
        if measure.known() and other_measure.known():
            return False
        return False if same_value(value, other, self.policy) is False else None

    def _unit_left_out(self, value: Node, other: Node, measure: Unit | None, other_measure: Unit | None) -> bool | None:
        found = self._percentages(value, other)
        if found:
            return self.policy.units == "optional" or measure is None
        there = measure or other_measure
        assert there is not None
        bare, amount = (other, value) if other_measure is None else (value, other)
        if there == PLAIN_DEGREE:
            radians = Node("/", (Node("*", (amount, Node("const", (), "pi"))), number(180)))
            return True if same_value(radians, bare, self.policy) else found
        lettered = _lettered(bare)
        if lettered is not None:
            return self._amounts(Node("qty", (amount,), there), Node("qty", (lettered[0],), lettered[1]))
        if (
            found is False
            and measure is None
            and len(there.dimensions) == 1
            and not symbols(bare)
            and not symbols(amount)
        ):
            one, two = exact(bare, {}), exact(amount, {})
            steps = _STEPS.get(there.dimensions[0][0], ())
            if one and two and (one / two in steps or two / one in steps):
                return None  # perhaps in the unit that the question asked for
        return found

    def _percentages(self, gold: Node, answer: Node) -> bool | None:
        """`42%` beside a bare number is 0.42, 42, or either, as the policy says."""
        if (gold.kind == "%") == (answer.kind == "%"):
            if gold.kind == "%":
                return same_value(gold.args[0], answer.args[0], self.policy)
            return self._bare(gold, answer)
        marked = gold if gold.kind == "%" else answer
        fraction = Node("/", (marked.args[0], number(100)))
        readings = {"either": (fraction, marked.args[0]), "fraction": (fraction,), "number": (marked.args[0],)}
        found = [
            same_value(*((one, answer) if marked is gold else (gold, one)), self.policy)
            for one in readings[self.policy.percent]
        ]
        return True if True in found else None if None in found else False

    def _bare(self, gold: Node, answer: Node) -> bool | None:
        found = same_value(gold, answer, self.policy)
        if found is False and bool(symbols(gold)) != bool(symbols(answer)):
            lettered = _lettered(gold if symbols(gold) else answer)
            if lettered is not None and same_value(lettered[0], answer if symbols(gold) else gold, self.policy):
                return None  # `5 m` may be five metres
        return found


def _amount(node: Node) -> tuple[Node, Unit | None]:
    if node.kind == "qty":
        return node.args[0], node.value
    if node.kind == "-" and node.args[0].kind == "qty":
        return Node("-", node.args[0].args), node.args[0].value
    return node, None


def _lettered(node: Node) -> tuple[Node, Unit] | None:
    """A number beside the letter of a unit: `5 m`."""
    if node.kind == "*" and len(node.args) == 2 and node.args[1].kind == "sym" and node.args[1].value in _LETTER_UNITS:
        found = unit(node.args[1].value)
        if found is not None and not symbols(node.args[0]):
            return node.args[0], found
    return None


def _celsius(node: Node, measure: Unit) -> Node:
    if measure == CELSIUS:
        return node
    return Node("/", (Node("*", (Node("+", (node, number(-32))), number(5))), number(9)))


def _times(node: Node, scale: Fraction) -> Node:
    return Node("*", (node, number(scale)))


def _all(found: Sequence[bool | None]) -> bool | None:
    return False if False in found else None if None in found else True
