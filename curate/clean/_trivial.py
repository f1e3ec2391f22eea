"""Programs that solve nothing: each test suite worth asking a teacher about fails all of them.

They print nothing, repeat their input, give a constant, or give what the first test expects.
"""

import ast
import builtins
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple

from sandbox.compare import same_output, same_value
from sandbox.model import Assert, Call, Case, Compare, Stdin

Trick = Literal["nothing", "echo", "constant", "first_output"]
TRICKS: tuple[Trick, ...] = ("nothing", "echo", "constant", "first_output")

_CONSTANTS: tuple[Any, ...] = (0, 1, -1, True, False, "", [])
_WORDS = ("0", "1", "-1", "YES", "NO")
_BUILTINS = frozenset(dir(builtins))


class Trivial(NamedTuple):
    """A program and the trick that it is."""

    trick: Trick
    source: str


def accepts(cases: Sequence[Case], tricks: Sequence[Trick], rules: Compare) -> Trick | None:
    """The first trick that passes every test, told by comparing alone; tests that are code need `trivial_programs`.

    What such a program would print or return is known without running it.
    """
    if any(isinstance(case, Assert) or (isinstance(case, Call) and case.equality != "json") for case in cases):
        return None
    for trick, guess in _guesses(cases[0]):
        if trick in tricks and all(_matches(case, guess, rules) for case in cases):
            return trick
    return None


def _guesses(first: Case) -> Iterator[tuple[Trick, Callable[[Case], Any]]]:
    script = isinstance(first, Stdin)
    yield "nothing", lambda _: "" if script else None
    yield "echo", lambda case: case.input if isinstance(case, Stdin) else next(iter(getattr(case, "args", ())), None)
    for value in _WORDS if script else _CONSTANTS:
        yield "constant", partial(_given, value)
    if not isinstance(first, Assert):
        yield "first_output", partial(_given, first.expected)
        if isinstance(first.expected, list) and len(first.expected) == 1:
            yield "first_output", partial(_given, first.expected[0])


def _given(value: Any, _: Case) -> Any:
    return value


def _matches(case: Case, guess: Callable[[Case], Any], rules: Compare) -> bool:
    got = guess(case)
    if isinstance(case, Stdin):
        return isinstance(got, str) and same_output(case.expected, got.encode("utf-8", "replace"), rules)
    return isinstance(case, Call) and same_value(case.expected, got, rules)


def trivial_programs(cases: Sequence[Case], entry: str | None, tricks: Sequence[Trick]) -> Iterator[Trivial]:
    """The trivial programs for tests that are code, where the function that they call can be told.

    `entry` names it, else the first assert does. Where the first comparison with a literal can be read, constants
    that are something else are left out: they fail it.
    """
    name = entry or next(filter(None, (_called(case) for case in cases)), None)
    codes = [case.code for case in cases if isinstance(case, Assert)]
    if name is None or not codes:
        return
    seen: set[str] = set()
    for one in _functions(name, list(_compared(codes[0], name))):
        if one.trick in tricks and one.source not in seen:
            seen.add(one.source)
            yield one


def _functions(name: str, literals: list[Any]) -> Iterator[Trivial]:
    if not literals or None in literals:
        yield Trivial("nothing", _function(name, "return None"))
    yield Trivial("echo", _function(name, "return args[0] if args else None"))
    for value in _CONSTANTS:
        if not literals or value in literals:
            yield Trivial("constant", _function(name, f"return {value!r}"))
    for value in literals:
        yield Trivial("first_output", _function(name, f"return {value!r}"))


def _function(name: str, body: str) -> str:
    # `Solution` too, for tests that make one.
    function = f"def {name}(*args, **kwargs):\n    {body}\n"
    return f"{function}\n\nclass Solution:\n    def {name}(self, *args, **kwargs):\n        {body}\n"


def _compared(code: str, name: str) -> Iterator[Any]:
    """The literal that the first `assert name(...) == literal` compares with."""
    for node in _walk(code):
        if isinstance(node, ast.Compare) and len(node.ops) == 1 and isinstance(node.ops[0], ast.Eq):
            sides = (node.left, node.comparators[0])
            if any(_calls(side) in (name, "candidate") for side in sides):
                for side in sides:
                    try:
                        yield ast.literal_eval(side)
                    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
                        continue
                    return


def _called(case: Case) -> str | None:
    """The function that an assert statement calls."""
    if not isinstance(case, Assert):
        return None
    asserts = (node for node in _walk(case.code) if isinstance(node, ast.Assert))
    calls = (_calls(node) for one in asserts for node in ast.walk(one))
    return next((name for name in calls if name and name not in _BUILTINS), None)


def _calls(node: ast.AST) -> str | None:
    return node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else None


def _walk(code: str) -> Iterator[ast.AST]:
    try:
        yield from ast.walk(ast.parse(code))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
