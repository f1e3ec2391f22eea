"""Whether a module that a program is said to miss is one that it imports and that is not there."""

import ast
import sys
from collections.abc import Container, Iterator

from sandbox.packages import USUAL

# The modules of `packages.USUAL` that are not named as their packages are.
_IMPORTED_AS = {
    "more-itertools": "more_itertools",
    "z3-solver": "z3",
    "scikit-learn": "sklearn",
    "ac-library-python": "atcoder",
}
_USUAL = frozenset(_IMPORTED_AS.get(name, name) for name in USUAL)
_IMPORTERS = ("__import__", "import_module")


def usual(module: str) -> bool:
    """Whether judges of programming problems usually have a module: to miss it is our lack, not the program's error."""
    return module in _USUAL


def lacks(source: str, module: str, there: Container[str]) -> bool:
    """Whether `source` imports `module`, by a statement or a literal name, and it is not among those `there`."""
    if not module.isidentifier() or module not in source:
        return False
    if module in sys.builtin_module_names or module in sys.stdlib_module_names:
        return False
    try:
        tree = ast.parse(source.removeprefix("\ufeff"))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    if module not in {name.partition(".")[0] for name in _imported(tree)}:
        return False
    return module not in there


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
        elif isinstance(node, ast.Call) and _name(node.func) in _IMPORTERS and node.args:
            first = node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield first.value


def _name(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""
