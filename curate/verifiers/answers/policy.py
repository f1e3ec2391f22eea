"""The choices of taste in comparing answers, with their defaults."""

from typing import Literal, NamedTuple


class Policy(NamedTuple):
    """What counts as the same answer where mathematics does not say. The defaults are the `math` verifier's."""

    percent: Literal["either", "fraction", "number"] = "either"  # what 42% equals beside 42%: 0.42, 42, or each of them
    units: Literal["optional", "required"] = "optional"  # may a unit of the reference be left out
    base: Literal["optional", "required"] = "optional"  # may the subscript of `2516_8` be left out
    prefix: Literal["optional", "required"] = "optional"  # may the `x =` of the reference be left out
    inequality: Literal["interval", "distinct"] = "interval"  # is `x < 3` the interval (-inf, 3)
    order: Literal["strict", "free"] = "strict"  # does the order within parentheses count
    scale: Literal["free", "fixed"] = "free"  # is `2x + 2y = 4` the equation `x + y = 2`
    tolerance: float = 0.0  # relative difference at which a decimal still equals the reference


DEFAULT = Policy()


class Decision(NamedTuple):
    """`equal` is None where this cannot tell; `ask` then says whether an algebra system may know."""

    equal: bool | None
    by: str
    ask: bool = False


YES = Decision(True, "value")
NO = Decision(False, "value")
