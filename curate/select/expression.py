"""Expressions over the columns of attempts: parsed into a small tree of checked parts (`evaluation` computes it).

Python's own grammar reads them and nothing of Python runs them: what is not on the list below is an error, told when
the recipe is read. Missing values follow three-valued logic: a comparison with one is undecided.
"""

import ast
import difflib
import math
import operator
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Literal, NamedTuple, Self

LONGEST = 2000  # characters
_MOST, _DEEPEST = 200, 24  # nodes of the tree, and its depth
_EXACT = 1 << 53  # beyond it a float does not hold every whole number

Type = Literal["number", "text", "truth", "any"]

_COMPARE: dict[type[ast.cmpop], tuple[str, str]] = {
    ast.Lt: ("<", "less"),
    ast.LtE: ("<=", "less_equal"),
    ast.Gt: (">", "greater"),
    ast.GtE: (">=", "greater_equal"),
    ast.Eq: ("==", "equal"),
    ast.NotEq: ("!=", "not_equal"),
}
_SUMS: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "add"),
    ast.Sub: ("-", "subtract"),
    ast.Mult: ("*", "multiply"),
    ast.Div: ("/", "divide"),
}
_FOLD: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
_CALL: dict[str, Callable[..., float]] = {"abs": abs, "len": len, "min": min, "max": max}
_FUNCTIONS = {"abs": (1, 1), "len": (1, 1), "min": (2, 8), "max": (2, 8)}  # the least and most arguments
_OTHER = {
    "&&": "write `and`",
    "||": "write `or`",
    "===": "write `==`",
    "<>": "write `!=`",
}


_SINGLE = re.compile(r"(?<![=<>!])=(?!=)")


class ExpressionError(ValueError):
    """What is wrong with an expression, in words."""


class Node(NamedTuple):
    """A part of an expression: what it does, to what, and what comes of it (`any`: only the data can tell)."""

    do: str
    parts: tuple["Node", ...] = ()
    value: Any = None
    type: Type = "any"


class Expression(NamedTuple):
    """A checked expression and the names of the columns that it reads."""

    root: Node
    names: frozenset[str]

    @classmethod
    @lru_cache(maxsize=256)
    def read(cls, text: str) -> Self:
        """Parse a text. Raises ExpressionError, which is a ValueError."""
        if len(text) > LONGEST:
            raise ExpressionError(f"the expression has {len(text)} characters; at most {LONGEST} are read")
        try:
            tree = ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            hint = next((advice for sign, advice in _OTHER.items() if sign in text), None)
            hint = hint or ("write `==` to compare" if _SINGLE.search(text) else None)
            where = f" at character {error.offset}" if isinstance(error, SyntaxError) and error.offset else ""
            raise ExpressionError(f"cannot be read{where}" + (f": {hint}" if hint else "")) from None
        reader = _Reader()
        root = reader.node(tree, 0)
        if root.type not in ("truth", "any"):
            raise ExpressionError(f"the whole expression must be true or false, not a {root.type}")
        return cls(root, frozenset(reader.names))

    def typed(self, types: Mapping[str, str]) -> Self:
        """Check every name and comparison against the types of the columns. Raises ExpressionError."""
        if _typed(self.root, types) not in ("truth", "any"):
            raise ExpressionError(
                f"the whole expression must be true or false: compare '{self.root.value}' with something"
            )
        return self


def nearest(name: str, known: list[str]) -> str:
    """Words for a name that there is not: the nearest one that there is, and all of them."""
    near = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean '{near[0]}'? " if near else ""
    return f"there is no column '{name}'; {hint}columns: {', '.join(known)}, and meta.<key> of a question"


class _Reader:
    """Turns Python's tree into ours, bounded in size and depth."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self._count = 0

    def node(self, tree: ast.expr, depth: int) -> Node:
        self._count += 1
        if self._count > _MOST or depth > _DEEPEST:
            raise ExpressionError(f"the expression is too long: at most {_MOST} parts, nested {_DEEPEST} deep")
        read = getattr(self, f"_{type(tree).__name__.lower()}", None)
        if read is None:
            raise ExpressionError(f"'{_shown(tree)}' cannot stand in an expression")
        node: Node = read(tree, depth + 1)
        return node

    def _name(self, tree: ast.Name, depth: int) -> Node:
        self.names.add(tree.id)
        return Node("column", value=tree.id)

    def _attribute(self, tree: ast.Attribute, depth: int) -> Node:
        if not (isinstance(tree.value, ast.Name) and tree.value.id == "meta"):
            raise ExpressionError(f"'{_shown(tree)}' is no column; only meta has parts: meta.level")
        self.names.add(f"meta.{tree.attr}")
        return Node("column", value=f"meta.{tree.attr}")

    def _constant(self, tree: ast.Constant, depth: int) -> Node:
        value = tree.value
        if isinstance(value, bool):
            return Node("constant", value=value, type="truth")
        if isinstance(value, int | float):
            if isinstance(value, int) and abs(value) > _EXACT:
                raise ExpressionError(f"the number {_short(str(value))} is too large to compare exactly")
            return _constant(float(value))
        if isinstance(value, str):
            _need_text(value)
            return Node("constant", value=value, type="text")
        if value is None:
            raise ExpressionError("None can only follow `is` or `is not`")
        raise ExpressionError(f"'{_shown(tree)}' cannot stand in an expression")

    def _boolop(self, tree: ast.BoolOp, depth: int) -> Node:
        parts = tuple(self.node(one, depth) for one in tree.values)
        word = "and" if isinstance(tree.op, ast.And) else "or"
        for part in parts:
            _need(part, ("truth", "any"), word)
        return Node(word, parts, type="truth")

    def _unaryop(self, tree: ast.UnaryOp, depth: int) -> Node:
        part = self.node(tree.operand, depth)
        if isinstance(tree.op, ast.Not):
            _need(part, ("truth", "any"), "not")
            return Node("not", (part,), type="truth")
        if isinstance(tree.op, ast.UAdd | ast.USub):
            _need(part, ("number", "any"), "-")
            if part.do == "constant":
                return part._replace(value=-part.value if isinstance(tree.op, ast.USub) else part.value)
            if isinstance(tree.op, ast.UAdd):
                return part
            return Node("sum", (Node("constant", value=0.0, type="number"), part), ("-", "subtract"), "number")
        raise ExpressionError("`~` cannot stand in an expression: write `not`")

    def _binop(self, tree: ast.BinOp, depth: int) -> Node:
        if type(tree.op) not in _SUMS:
            hint = ": write `and`" if isinstance(tree.op, ast.BitAnd) else ""
            hint = ": write `or`" if isinstance(tree.op, ast.BitOr) else hint
            raise ExpressionError(f"'{_shown(tree)}': only + - * / are known{hint}")
        parts = (self.node(tree.left, depth), self.node(tree.right, depth))
        for part in parts:
            _need(part, ("number", "any"), _SUMS[type(tree.op)][0])
        sign = _SUMS[type(tree.op)][0]
        if all(part.do == "constant" for part in parts):
            if sign == "/" and parts[1].value == 0:
                raise ExpressionError(f"'{_shown(tree)}' divides by zero")
            return _constant(_FOLD[sign](parts[0].value, parts[1].value))
        return Node("sum", parts, _SUMS[type(tree.op)], "number")

    def _compare(self, tree: ast.Compare, depth: int) -> Node:
        found: list[Node] = []
        left = tree.left
        for op, right in zip(tree.ops, tree.comparators, strict=True):
            found.append(self._pair(left, op, right, depth))
            left = right
        return found[0] if len(found) == 1 else Node("and", tuple(found), type="truth")

    def _pair(self, left: ast.expr, op: ast.cmpop, right: ast.expr, depth: int) -> Node:
        if isinstance(op, ast.Is | ast.IsNot):
            if not (isinstance(right, ast.Constant) and right.value is None):
                raise ExpressionError("after `is` only None can stand: write `==`")
            return Node("missing" if isinstance(op, ast.Is) else "given", (self.node(left, depth),), type="truth")
        if isinstance(op, ast.In | ast.NotIn):
            node = self._within(self.node(left, depth), right, depth)
            return node if isinstance(op, ast.In) else Node("not", (node,), type="truth")
        sign, name = _COMPARE[type(op)]
        parts = (self.node(left, depth), self.node(right, depth))
        kinds = {part.type for part in parts} - {"any"}
        if len(kinds) > 1:
            raise ExpressionError(f"`{sign}` compares a {parts[0].type} with a {parts[1].type}")
        return Node("compare", parts, (sign, name), "truth")

    def _within(self, left: Node, right: ast.expr, depth: int) -> Node:
        if isinstance(right, ast.List | ast.Tuple | ast.Set):
            items = [self.node(one, depth) for one in right.elts]
            if any(item.do != "constant" for item in items):
                raise ExpressionError("the list after `in` may only hold numbers and texts")
            kinds = {item.type for item in items} | ({left.type} - {"any"})
            if len(kinds) > 1:
                raise ExpressionError("the list after `in` must hold what it is asked for: all numbers or all texts")
            return Node("in", (left,), (tuple(item.value for item in items), next(iter(kinds), "any")), "truth")
        inner = self.node(right, depth)
        _need(inner, ("text", "any"), "in")
        if left.do != "constant" or left.type != "text":
            raise ExpressionError('write a list after `in`, or a text before it: "geometry" in meta.subject')
        return Node("contains", (inner,), left.value, "truth")

    def _call(self, tree: ast.Call, depth: int) -> Node:
        name = tree.func.id if isinstance(tree.func, ast.Name) else _shown(tree.func)
        if name not in _FUNCTIONS or tree.keywords:
            raise ExpressionError(f"there is no function '{name}' here; functions: {', '.join(_FUNCTIONS)}")
        least, most = _FUNCTIONS[name]
        if not least <= len(tree.args) <= most:
            raise ExpressionError(f"{name} takes {least} to {most} values")
        parts = tuple(self.node(one, depth) for one in tree.args)
        for part in parts:
            _need(part, ("text", "any") if name == "len" else ("number", "any"), name)
        if all(part.do == "constant" for part in parts):
            return _constant(float(_CALL[name](*(part.value for part in parts))))
        return Node(name, parts, type="number")


def _constant(value: float) -> Node:
    if not math.isfinite(value):
        raise ExpressionError("a number is too large: nothing could be compared with it")
    return Node("constant", value=value, type="number")


def _need_text(value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ExpressionError("a text holds half of a surrogate pair, which no column can hold") from None


def _shown(tree: ast.AST) -> str:
    try:
        return _short(ast.unparse(tree))
    except RecursionError:
        return "…"


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:59] + "…"


def _need(node: Node, types: tuple[Type, ...], word: str) -> None:
    if node.type not in types:
        raise ExpressionError(f"`{word}` takes a {types[0]}, not a {node.type}")


def _typed(node: Node, types: Mapping[str, str]) -> str:
    """The type of a node once the columns are known. Raises ExpressionError."""
    if node.do == "column":
        if node.value.startswith("meta."):
            return "any"
        if node.value not in types:
            raise ExpressionError(nearest(node.value, sorted(types)))
        return types[node.value]
    found = [_typed(part, types) for part in node.parts]
    known = {one for one in found if one != "any"}
    if node.do == "compare" and len(known) > 1:
        raise ExpressionError(f"`{node.value[0]}` compares a {found[0]} with a {found[1]}")
    if node.do == "in" and node.value[1] != "any" and known - {node.value[1]}:
        raise ExpressionError(f"`in` looks for a {found[0]} among {node.value[1]}s")
    wanted: dict[str, Type] = {"and": "truth", "or": "truth", "not": "truth", "sum": "number", "abs": "number"}
    wanted |= {"min": "number", "max": "number", "len": "text", "contains": "text"}
    if node.do in wanted and known - {wanted[node.do]}:
        wrong = next(iter(known - {wanted[node.do]}))
        raise ExpressionError(
            f"`{node.value[0] if node.do == 'sum' else node.do}` takes a {wanted[node.do]}, not a {wrong}"
        )
    return node.type
