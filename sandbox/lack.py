"""Whether a module that a program is said to miss is one that it imports and that this Python does not have."""

import ast
import sys
from collections.abc import Iterator
from importlib.machinery import PathFinder
from pathlib import Path

_IMPORTERS = ("__import__", "import_module")


def lacks(source: str, module: str) -> bool:
    """Whether `source` imports `module`, by a statement or a literal name, and no folder that tests see has it."""
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
    return PathFinder.find_spec(module, _folders()) is None


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


def _folders() -> list[str]:
    """Where installed packages lie: not the project's own folders, which no test sees."""
    return [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages", "lib-dynload")]
