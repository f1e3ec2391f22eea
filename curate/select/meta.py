"""A question's own keys as columns: numbers, truth values or texts; a list or a block is no value."""

from typing import Any

import pyarrow as pa

_WORD = pa.dictionary(pa.int32(), pa.string())


def key_values(values: list[Any]) -> pa.Array:
    """The values of one key of `meta` as a column: numbers if all of them are, truths if all are, else texts."""
    plain = [value if isinstance(value, str | int | float | bool) else None for value in values]
    given = [value for value in plain if value is not None]
    if given and all(isinstance(value, bool) for value in given):
        return pa.array(plain, pa.bool_())
    if given and all(isinstance(value, int | float) and not isinstance(value, bool) for value in given):
        return pa.array([None if value is None else _float(value) for value in plain], pa.float64(), from_pandas=True)
    return pa.array([None if value is None else _text(str(value)) for value in plain], _WORD)


def family(value: Any) -> str:
    """What type of column a value belongs into; empty where it is none."""
    if isinstance(value, bool):
        return "truth"
    return "number" if isinstance(value, int | float) else "text" if isinstance(value, str) else ""


def _float(value: Any) -> float | None:
    try:
        return float(value)
    except OverflowError:  # a whole number of hundreds of digits
        return None


def _text(value: str) -> str:
    return value if value.isascii() else value.encode("utf-8", "replace").decode()
