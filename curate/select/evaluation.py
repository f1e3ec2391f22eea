"""Evaluates an expression over columns, some ten thousand rows at a time; every step keeps missing values missing."""

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curate.select.expression import Expression, Node

Mask = npt.NDArray[np.bool_]
_BATCH = 1 << 16  # rows evaluated at a time


def evaluate(expression: Expression, table: pa.Table) -> tuple[Mask, Mask]:
    """Of which rows (n,) it is true, and of which it is undecided because a value is missing."""
    table = table.select(sorted(expression.names) or ["seq"])
    true: list[Mask] = [np.zeros(0, dtype=np.bool_)]
    missing: list[Mask] = [np.zeros(0, dtype=np.bool_)]
    for batch in table.to_batches(max_chunksize=_BATCH):
        found = _value(expression.root, batch)
        if not isinstance(found, pa.Array):
            found = found.as_py() if isinstance(found, pa.Scalar) else bool(found)
            found = pa.array([found] * batch.num_rows, pa.bool_())
        found = _truth(found)
        missing.append(found.is_null().to_numpy(zero_copy_only=False))
        true.append(found.fill_null(False).to_numpy(zero_copy_only=False))
    return np.concatenate(true), np.concatenate(missing)


def _value(node: Node, batch: pa.RecordBatch) -> Any:
    """The value of a node: an array (n,), or a Python value where it has no column."""
    if node.do == "constant":
        return node.value
    if node.do == "column":
        return _column(batch.column(batch.schema.get_field_index(node.value)))
    if node.do in ("and", "or"):
        found = _value(node.parts[0], batch)
        for part in node.parts[1:]:
            found = _KLEENE[node.do](_truth(found), _truth(_value(part, batch)))
        return _truth(found)
    values = [_value(part, batch) for part in node.parts]
    return _DO[node.do](node, values)


def _column(values: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if pa.types.is_integer(values.type):
        return values.cast(pa.float64())
    return _finite(values) if pa.types.is_floating(values.type) else values


def _truth(value: Any) -> Any:
    if isinstance(value, pa.Array) and not pa.types.is_boolean(value.type):
        return pa.nulls(len(value), pa.bool_())  # a key of a question that holds no truth value
    return value if isinstance(value, pa.Array) else pa.scalar(value, pa.bool_())


def _compare(node: Node, values: list[Any]) -> Any:
    left, right = values
    if not any(isinstance(one, pa.Array) for one in values):
        return bool(getattr(operator, _PLAIN[node.value[1]])(left, right))
    if not _alike(left, right):  # a question's own key holds another type than it is compared with
        return pa.nulls(len(left if isinstance(left, pa.Array) else right), pa.bool_())
    return getattr(pc, node.value[1])(left, right)


_PLAIN = {"less": "lt", "less_equal": "le", "greater": "gt", "greater_equal": "ge", "equal": "eq", "not_equal": "ne"}


def _alike(left: Any, right: Any) -> bool:
    return _family(left) == _family(right)


def _family(value: Any) -> str:
    if isinstance(value, pa.Array):
        return "text" if pa.types.is_string(value.type) else "truth" if pa.types.is_boolean(value.type) else "number"
    return "text" if isinstance(value, str) else "truth" if isinstance(value, bool) else "number"


def _sum(node: Node, values: list[Any]) -> Any:
    left, right = values
    sign, name = node.value
    if "number" not in (_family(left), _family(right)) or not _alike(left, right):
        return pa.nulls(len(left if isinstance(left, pa.Array) else right), pa.float64())
    if sign == "/":
        right = pc.if_else(pc.equal(right, 0.0), pa.scalar(None, pa.float64()), right)  # no value, not infinity
    return _finite(getattr(pc, name)(left, right))


def _finite(values: pa.Array) -> pa.Array:
    """What is no number, or larger than any, is no value: else `!=` and `not` would be true of it."""
    return pc.if_else(pc.is_finite(values), values, pa.scalar(None, pa.float64()))


def _in(node: Node, values: list[Any]) -> Any:
    items, kind = node.value
    value = values[0]
    if not isinstance(value, pa.Array):
        return value in items
    if kind not in ("any", _family(value)):
        return pa.nulls(len(value), pa.bool_())
    found = pc.is_in(value, value_set=pa.array(items, value.type))
    return pc.if_else(value.is_valid(), found, pa.scalar(None, pa.bool_()))


def _contains(node: Node, values: list[Any]) -> Any:
    value = values[0]
    if not isinstance(value, pa.Array):
        return node.value in value
    return pc.match_substring(value, node.value) if _family(value) == "text" else pa.nulls(len(value), pa.bool_())


def _not(node: Node, values: list[Any]) -> Any:
    value = _truth(values[0])
    return pc.invert(value)


def _missing(node: Node, values: list[Any]) -> Any:
    value = values[0]
    gone = value.is_null(nan_is_null=True) if isinstance(value, pa.Array) else value is None
    return gone if node.do == "missing" else (pc.invert(gone) if isinstance(gone, pa.Array) else not gone)


def _function(node: Node, values: list[Any]) -> Any:
    if node.do == "len":
        value = values[0]
        return pc.utf8_length(value).cast(pa.float64()) if _family(value) == "text" else pa.nulls(len(value))
    if any(_family(one) != "number" for one in values):
        size = next(len(one) for one in values if isinstance(one, pa.Array))
        return pa.nulls(size, pa.float64())
    if node.do == "abs":
        return pc.abs(values[0])
    wise = pc.min_element_wise if node.do == "min" else pc.max_element_wise
    return wise(*values, skip_nulls=False)


_KLEENE: dict[str, Callable[[Any, Any], Any]] = {"and": pc.and_kleene, "or": pc.or_kleene}
_DO: dict[str, Callable[[Node, list[Any]], Any]] = {
    "compare": _compare,
    "sum": _sum,
    "in": _in,
    "contains": _contains,
    "not": _not,
    "missing": _missing,
    "given": _missing,
    "abs": _function,
    "min": _function,
    "max": _function,
    "len": _function,
}
