r"""Names whose value the question or a convention may know: answers that hold different ones do not surely differ.

`\Gamma(5)` is 24 and `\overrightarrow{AB} + \overrightarrow{BC}` is `\overrightarrow{AC}`, but neither can be computed
from how it is written.
"""

import re

from curate.verifiers.answers.node import Node, called, symbols, walk

_ARROW = re.compile(r"\\(?:vec|overrightarrow)[A-Z]{2}|\\overline[a-z]")
_DERIVATIVE = re.compile(r"d.*/d.*|.*'")
_NUMBERED = re.compile(r"[A-Za-z]+_\d+")


def known_elsewhere(gold: Node, answer: Node) -> bool:
    """Whether two values that differ as they stand may be one for somebody who knows what the names mean."""
    one, other = _meant(gold), _meant(answer)
    if one != other:
        return True
    if _imaginary(gold) != _imaginary(answer) and "j" in symbols(gold) ^ symbols(answer):
        return True  # `3 + 4j`
    names = symbols(gold), symbols(answer)
    if all(names) or not any(names):
        return False
    return all(_NUMBERED.fullmatch(name) for name in names[0] | names[1])  # `F_{10}` and 55


def _meant(node: Node) -> frozenset[str]:
    """Values of functions (`f(2)`, `P(X = 2)`), vectors from point to point, conjugates, derivatives."""
    found = {called(one) for one in walk(node) if one.kind == "call"}
    for one in walk(node):
        if one.kind == "sym" and (_ARROW.fullmatch(one.value) or _DERIVATIVE.fullmatch(one.value)):
            found.add(one.value)
    return frozenset(found)


def _imaginary(node: Node) -> bool:
    return any(one == Node("const", (), "i") for one in walk(node))
