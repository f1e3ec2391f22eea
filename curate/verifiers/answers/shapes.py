"""Matrices, points and figures: which answers are one, however they are written."""

from curate.verifiers.answers.node import Node


def as_matrix(node: Node) -> Node:
    """`[[1, 2], [3, 4]]` is a matrix, and so is a number times one."""
    if node.kind in ("*", "/", "-"):
        return _scaled(node)
    rows = node.args if node.kind == "seq" else ()
    listed = all(one.kind == "seq" and one.value == "[]" for one in (node, *rows))
    if not listed or len({len(one.args) for one in rows}) != 1:
        return node
    cells = tuple(cell for row in rows for cell in row.args)
    return Node("matrix", cells, (len(rows), len(rows[0].args)))


def _scaled(node: Node) -> Node:
    """A matrix, point or vector multiplied out: `-(1, 2)` is `(-1, -2)`."""
    many = [one for one in node.args if one.kind == "matrix" or (one.kind == "seq" and one.value in ("()", "<>"))]
    if len(many) != 1 or node.value == "call" or (node.kind == "/" and many[0] is not node.args[0]):
        return node
    cells = (Node(node.kind, tuple(cell if one is many[0] else one for one in node.args)) for cell in many[0].args)
    return Node(many[0].kind, tuple(cells), many[0].value)


def figures(one: Node, other: Node) -> bool:
    """Whether they are three capitals or more in two orders: a product, or the corners of two figures."""
    letters = [
        [part.value for part in node.args if part.kind == "sym" and part.value.isupper()] for node in (one, other)
    ]
    return len(letters[0]) > 2 and letters[0] != letters[1] and sorted(letters[0]) == sorted(letters[1])


def point(node: Node, other: Node) -> Node:
    """`B(3, -2)` beside another point is `B = (3, -2)`; beside a number it may be a count or a function's value."""
    if node.kind != "*" or node.value != "call" or len(node.args) != 2:
        return node
    name, place = node.args
    named = name.kind == "sym" and name.value[:1].isupper() and place.kind == "seq" and place.value == "()"
    points = other.kind in ("seq", "matrix", "rel") or other.value == "call"
    return Node("rel", (name, place), ("=",)) if named and points else node


def number_sets(one: Node, other: Node) -> bool:
    r"""Whether they are one set of numbers, with a plain letter for `\mathbb{R}` on one side."""
    letters = ["R" if node.kind == "reals" else node.value if node.kind == "sym" else "" for node in (one, other)]
    marked = [node.kind == "reals" or str(node.value).startswith(r"\mathbb") for node in (one, other)]
    return (
        any(marked) and letters[0] != "" and letters[0].removeprefix(r"\mathbb") == letters[1].removeprefix(r"\mathbb")
    )
