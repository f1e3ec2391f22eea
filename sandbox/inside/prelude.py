"""The names that programs of competitive programming take for granted, without importing them."""

import builtins
import typing
from typing import Any

_STARRED = (
    *("string", "re", "datetime", "collections", "heapq", "bisect", "copy", "math", "random", "statistics"),
    *("itertools", "functools", "operator", "io", "sys", "json", "typing"),
)
_PLAIN = ("int", "str", "float", "bool", "Any", "List[int]", "List[str]", "List[float]", "List[List[int]]")
_ANNOTATIONS = (
    *(f"{kind}[{one}]" for kind in ("List", "Optional", "Set", "Iterable") for one in _PLAIN),
    *(f"{kind}[{pair}]" for kind in ("Dict", "Tuple") for pair in ("int, int", "str, int", "int, str", "str, str")),
)


def names() -> dict[str, Any]:
    """What programs of competitive programming take for granted, as the LiveCodeBench runner gives it.

    What is built in already keeps its meaning: `pow` is not `math.pow`.
    """
    found: dict[str, Any] = {}
    for module in _STARRED:
        exec(f"from {module} import *", found)  # noqa: S102 - from the list above
    exec(f"import {', '.join(_STARRED)}", found)  # noqa: S102
    own = vars(builtins)
    return {name: value for name, value in found.items() if name not in own and name != "__builtins__"}


def annotate() -> None:
    """Write the usual annotations once: `typing` keeps what it made, and finds it at once in every fork."""
    for text in _ANNOTATIONS:
        eval(text, vars(typing))  # noqa: S307 - of the list above
