"""Splits assert statements into calls that run in the test and claims on their values that are decided outside it.

`assert f(1) == [2]` runs `f(1)` and compares what it reports with `[2]` here, by Python's own equality: the expected
value never enters the test, and nothing that the program defines takes part in the comparison. `plan` promises that
the verdict is that of the statements run as they stand, in one process, in order. What cannot be split runs inside:
a claim on more than one call, or on an object that the test makes, since objects may compare as their class says.
"""

import ast
import builtins
import functools
import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sandbox import typed
from sandbox.compare import Unreadable
from sandbox.model import Assert, Case
from sandbox.outside import CONSTANTS, FUNCTIONS, KEYWORDS, OPERATORS, Refused, evaluate

_LONGEST = 1 << 18  # characters of statements that are parsed here; longer ones run inside
_BUILT_IN = frozenset(vars(builtins))
# With one argument that is a call of the program, they are run with it: what they give is all that is asked of it.
_TAKEN_ALONG = frozenset(
    ("list", "tuple", "set", "frozenset", "sorted", "dict", "len", "str", "int", "float", "bool", "sum", "min", "max",
     "any", "all")
)  # fmt: skip
_NOT_INSIDE = (ast.Await, ast.Yield, ast.YieldFrom, ast.NamedExpr)
_ITEMS = 1 << 15  # of a sequence that is asserted by its length: a value of more is not carried out of the test
_TYPES = frozenset(("int", "float", "complex", "str", "bytes", "bool", "list", "tuple", "dict", "set", "frozenset"))


@dataclass(frozen=True)
class Claim:
    """One thing asserted: an expression in which `_0`, `_1`... stand for the values of the calls before `needs`."""

    holds: ast.expr
    needs: int
    text: str
    first: int  # the first call of its own


@dataclass(frozen=True)
class Plan:
    """Expressions to run inside, in order, and what must hold of their values, in order."""

    calls: tuple[str, ...]
    claims: tuple[Claim, ...]

    def data(self) -> bytes:
        """The expressions as the test gets them: a JSON list of texts."""
        return json.dumps(self.calls).encode()


@dataclass(frozen=True)
class Broken:
    """The first claim that does not hold, and the value of its first call."""

    text: str
    got: str
    expected: str | None


@functools.lru_cache(maxsize=512)
def plan(code: str, entry: str | None) -> Plan | None:
    """How to decide assert statements outside the test; None where that cannot be done.

    Statements are `assert`, `import math`, constants, and a function of one argument made of the same, defined and
    then called once with a name, as HumanEval's `check`. What they call is any name that is not built in, and `entry`.
    """
    if len(code) > _LONGEST:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the test's own text
            tree = ast.parse(code)
        found = _Splitter(entry)
        found.read(tree.body)
    except (Refused, SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return Plan(tuple(found.calls), tuple(found.claims)) if found.calls else None


def is_weaker(case: Case, entry: str | None) -> bool:
    """Whether a test is decided inside, by statements that run as they stand."""
    return isinstance(case, Assert) and plan(case.code, entry) is None


def decide(planned: Plan, values: Sequence[Any]) -> tuple[Broken | None, bool]:
    """What a test's report of values says: the first claim that it breaks, and whether all claims could be decided.

    `values` are typed as `sandbox.inside.value` writes them, and may be fewer than the calls. Raises Unreadable.
    """
    found = [typed.read(value) for value in values[: len(planned.calls)]]
    for claim in planned.claims:
        if claim.needs > len(found):
            return None, False
        names = {f"_{number}": found[number] for number in range(claim.first, claim.needs)}
        try:
            holds = bool(evaluate(claim.holds, names))
        except RecursionError:
            raise Unreadable("it is nested too deep") from None
        except Exception:  # noqa: BLE001 - the boundary to the value, which the operators may not be made for
            holds = False
        if not holds:
            got = typed.shown(found[claim.first]) if claim.needs > claim.first else ""
            return Broken(claim.text, got, _expected(claim.holds)), True
    return None, len(found) == len(planned.calls) == len(values)


def _expected(holds: ast.expr) -> str | None:
    """The literal that a plain comparison names."""
    if not isinstance(holds, ast.Compare) or len(holds.ops) != 1 or not isinstance(holds.ops[0], ast.Eq | ast.Is):
        return None
    sides = [side for side in (holds.left, holds.comparators[0]) if not _is_value(side)]
    if len(sides) != 1:
        return None
    try:
        return typed.shown(evaluate(sides[0], {}))
    except Exception:  # noqa: BLE001 - the boundary to the test's text; evidence is no reason to fail
        return None


def _is_value(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id.startswith("_")


class _Splitter:
    """Reads statements into calls and claims. Raises Refused for what it cannot split."""

    def __init__(self, entry: str | None) -> None:
        self.calls: list[str] = []
        self.claims: list[Claim] = []
        self._entry = entry
        self._candidate: tuple[str, str] | None = None  # a parameter, and what it stands for
        self._closed: set[str] = set()  # names that statements bind, which no expression may use

    def read(self, body: Sequence[ast.stmt]) -> None:
        """A test's own statements: asserts, or one function with asserts and its call."""
        functions = [node for node in body if isinstance(node, ast.FunctionDef)]
        if not functions:
            self._statements(body)
            return
        rest = [node for node in body if node is not functions[0]]
        if len(functions) > 1 or not rest:
            raise Refused
        *before, last = rest
        if not isinstance(last, ast.Expr) or not isinstance(last.value, ast.Call):
            raise Refused
        self._closed = {target.id for node in before for target in _assigned(node)} | {functions[0].name}
        parameter = _only_parameter(functions[0])
        argument = _only_argument(last.value, functions[0].name)
        if argument in self._closed or parameter in self._closed:
            raise Refused
        self._candidate = parameter, argument
        self._statements(functions[0].body)

    def _statements(self, body: Sequence[ast.stmt]) -> None:
        for node in body:
            if isinstance(node, ast.Assert):
                for test in _conjuncts(node.test):
                    self._claim(test)
            elif not _is_idle(node):
                raise Refused

    def _claim(self, test: ast.expr) -> None:
        first = len(self.calls)
        holds = self._outside(test, certain=True, truth=True)
        alone = not any(isinstance(node, ast.Compare | ast.Call) for node in ast.walk(holds))
        if alone and any(self._has_call(call) for call in self._inner(test)):
            raise Refused  # a function of the program's own would be told what is expected, and decide
        if len(self.calls) == first and not isinstance(test, ast.Constant):
            raise Refused
        if len(self.calls) > first + 1:
            raise Refused  # one may change what another returned, or compare with it as its class says
        for node in ast.walk(holds):
            if isinstance(node, ast.BinOp):
                _check_size(node)
        self.claims.append(Claim(holds, len(self.calls), ast.unparse(test), first))

    def _inner(self, test: ast.expr) -> list[ast.expr]:
        """The arguments of the calls in `test`."""
        return [one for node in ast.walk(test) if isinstance(node, ast.Call) and self._is_call(node)
                for one in (*node.args, *(keyword.value for keyword in node.keywords))]  # fmt: skip

    def _is_called_with_calls(self, node: ast.Call | ast.Subscript) -> bool:
        """Whether something else than what is tested is given what the program returned: it may hold the answer."""
        given = (
            [node.slice] if isinstance(node, ast.Subscript) else [*node.args, *(word.value for word in node.keywords)]
        )
        inner = {_root(part) for one in given for part in ast.walk(one)
                 if isinstance(part, ast.Call) and self._is_call(part)}  # fmt: skip
        if not inner:
            return False
        tested = {self._entry, self._candidate and self._candidate[0]} - {None} or inner
        return _root(node) not in tested and _root(node) not in _TAKEN_ALONG | {"isinstance"}

    def _has_call(self, node: ast.expr) -> bool:
        return any(isinstance(part, ast.Call) and self._is_call(part) for part in ast.walk(node))

    def _is_call(self, node: ast.expr) -> bool:
        """Whether it is a call of something of the program's, and parts or methods of what that returns."""
        name, at = _root(node), node
        while isinstance(at, ast.Attribute | ast.Subscript):
            at = at.value
        return isinstance(at, ast.Call) and bool(name) and self._is_programs(name)

    def _is_programs(self, name: str) -> bool:
        if name == self._entry or (self._candidate and name == self._candidate[0]):
            return True
        return name not in _BUILT_IN and name != "math"

    def _outside(self, node: ast.expr, *, certain: bool, truth: bool = False) -> ast.expr:
        """`node` with names in place of its calls. `certain`: it is evaluated whatever the values are.

        `truth`: nothing but its truth matters; an object's is its own to tell.
        """
        if self._goes_inside(node):
            if not certain:  # inside it would run, or raise, where it should not
                raise Refused
            if not truth and self._makes_object(node):
                raise Refused
            text = ast.unparse(self._checked(node))
            self.calls.append(f"not not {text}" if truth else text)
            return ast.Name(f"_{len(self.calls) - 1}")
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return ast.UnaryOp(node.op, self._outside(node.operand, certain=certain, truth=True))
        if isinstance(node, ast.BoolOp):
            if not truth and self._has_call(node):
                raise Refused
            head = self._outside(node.values[0], certain=certain, truth=truth)
            rest = [self._outside(item, certain=False, truth=truth) for item in node.values[1:]]
            return ast.BoolOp(node.op, [head, *rest])
        return self._rebuilt(node, certain)

    def _goes_inside(self, node: ast.expr) -> bool:
        if self._is_call(node):
            return True
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.keywords:
            return False
        name = node.func.id
        if self._is_programs(name):
            return False
        if name == "isinstance":  # what crosses is of built-in types, whatever it was inside
            return len(node.args) == 2 and set(_names(node.args[1])) <= _TYPES and self._goes_inside(node.args[0])
        return name in _TAKEN_ALONG and len(node.args) == 1 and self._goes_inside(node.args[0])

    def _makes_object(self, node: ast.expr) -> bool:
        """Whether it calls a class, by its name: operators on what that makes are its own."""
        if not isinstance(node, ast.Call):
            return False
        name = node.func.attr if isinstance(node.func, ast.Attribute) else _root(node)
        function = "_" in name or (len(name) > 1 and name.isupper())  # as people name those
        return name[:1].isupper() and not function and name != self._entry

    def _checked(self, node: ast.expr) -> ast.expr:
        """`node` as it can run at the top of the program's module."""
        for part in ast.walk(node):
            if isinstance(part, ast.Call | ast.Subscript) and self._is_called_with_calls(part):
                raise Refused
            if isinstance(part, _NOT_INSIDE):
                raise Refused
            if isinstance(part, ast.Name) and part.id in self._closed:
                raise Refused
            if isinstance(part, ast.arg) and self._candidate and part.arg == self._candidate[0]:
                raise Refused
        if self._candidate is None:
            return node
        named = _Renamed(*self._candidate).visit(ast.parse(ast.unparse(node), mode="eval"))
        return named.body  # type: ignore[no-any-return]

    def _rebuilt(self, node: ast.expr, certain: bool) -> ast.expr:
        match node:
            case ast.Constant() if node.value is not Ellipsis:
                return node
            case ast.List() | ast.Tuple() | ast.Set():
                return type(node)([self._outside(item, certain=certain) for item in node.elts])
            case ast.Dict() if None not in node.keys:
                pairs = [(self._outside(key, certain=certain), self._outside(value, certain=certain))
                         for key, value in zip(node.keys, node.values, strict=True) if key]  # fmt: skip
                return ast.Dict([key for key, _ in pairs], [value for _, value in pairs])
            case ast.UnaryOp() if type(node.op) in OPERATORS:
                return ast.UnaryOp(node.op, self._outside(node.operand, certain=certain))
            case ast.BinOp() if type(node.op) in OPERATORS and not _is_format(node):
                left = self._outside(node.left, certain=certain)
                return ast.BinOp(left, node.op, self._outside(node.right, certain=certain))
            case ast.Compare(comparators=[first, *rest]) if all(type(op) in OPERATORS for op in node.ops):
                if any(isinstance(op, ast.Is | ast.IsNot) for op in node.ops) and not _is_single(first):
                    raise Refused  # what is one object inside need not be one here
                left, head = self._outside(node.left, certain=certain), self._outside(first, certain=certain)
                return ast.Compare(left, node.ops, [head, *(self._outside(item, certain=False) for item in rest)])
            case ast.Call():
                return self._function(node, certain)
            case ast.Attribute(value=ast.Name(id="math")) if f"math.{node.attr}" in CONSTANTS:
                return node
        raise Refused

    def _function(self, node: ast.Call, certain: bool) -> ast.expr:
        name = ast.unparse(node.func) if isinstance(node.func, ast.Name | ast.Attribute) else ""
        if name not in FUNCTIONS or not {word.arg for word in node.keywords} <= KEYWORDS:
            raise Refused
        arguments = [self._outside(item, certain=certain) for item in node.args]
        words = [ast.keyword(word.arg, self._outside(word.value, certain=certain)) for word in node.keywords]
        return ast.Call(node.func, arguments, words)


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Call | ast.Attribute | ast.Subscript):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def _check_size(node: ast.BinOp) -> None:
    """Raise Refused for an operation on constants that is not done here: inside, the limits of a test hold."""
    if any(isinstance(part, ast.Name) and part.id.startswith("_") for part in ast.walk(node)):
        return
    try:
        value = evaluate(node, {})
    except Refused:
        raise
    except Exception:  # noqa: BLE001 - the boundary to the test's text, which may assert that it divides by zero
        return
    if isinstance(value, str | bytes | list | tuple) and len(value) > _ITEMS:
        raise Refused


def _is_format(node: ast.BinOp) -> bool:
    return isinstance(node.op, ast.Mod) and isinstance(node.left, ast.Constant) and not _is_number(node.left.value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | complex)


def _is_single(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and (node.value is None or isinstance(node.value, bool))


class _Renamed(ast.NodeTransformer):
    """Names what a parameter stands for."""

    def __init__(self, parameter: str, argument: str) -> None:
        self._parameter, self._argument = parameter, argument

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(self._argument, node.ctx) if node.id == self._parameter else node


def _conjuncts(test: ast.expr) -> list[ast.expr]:
    """`a and b` asserts what `assert a` and `assert b` do."""
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        return [part for value in test.values for part in _conjuncts(value)]
    return [test]


def _is_idle(node: ast.stmt) -> bool:
    """Whether a statement has no effect on what is asserted."""
    if isinstance(node, ast.Import):
        return [(alias.name, alias.asname) for alias in node.names] == [("math", None)]
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant) or (isinstance(node.value, ast.Name) and node.value.id in _BUILT_IN)
    return isinstance(node, ast.Pass)


def _assigned(node: ast.stmt) -> list[ast.Name]:
    """The names that a statement before `check` binds to literals."""
    if isinstance(node, ast.Assign) and all(isinstance(target, ast.Name) for target in node.targets):
        ast.literal_eval(node.value)
        return [target for target in node.targets if isinstance(target, ast.Name)]
    if _is_idle(node):
        return []
    raise Refused


def _only_parameter(function: ast.FunctionDef) -> str:
    given = function.args
    names = [*given.posonlyargs, *given.args]
    others = [*given.kwonlyargs, *given.defaults, given.vararg, given.kwarg, *function.decorator_list]
    if len(names) != 1 or any(other is not None for other in others):
        raise Refused
    return names[0].arg


def _only_argument(call: ast.Call, function: str) -> str:
    if not isinstance(call.func, ast.Name) or call.func.id != function or call.keywords or len(call.args) != 1:
        raise Refused
    if not isinstance(call.args[0], ast.Name):
        raise Refused
    return call.args[0].id


def _names(node: ast.expr) -> list[str]:
    """The names in `int` or `(int, float)`; an unusable one otherwise."""
    parts = node.elts if isinstance(node, ast.Tuple) else [node]
    return [part.id if isinstance(part, ast.Name) else "" for part in parts]
