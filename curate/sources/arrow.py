"""Values of Arrow columns as Python values that say the same: floats of few bits and maps, which `as_py` alters."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa

from curate.sources.values import WrongType


def value_of(scalar: pa.Scalar) -> Any:
    """The scalar as a Python value: a float32 0.1 is 0.1 (not 0.10000000149011612), a map is an object."""
    value = scalar.as_py()
    return exact(value, scalar.type) if inexact(scalar.type) else value


@cache
def inexact(kind: pa.DataType) -> bool:
    """Whether values of this type may need `exact`: a row of 200 MB is not walked through for nothing."""
    if pa.types.is_float16(kind) or pa.types.is_float32(kind) or pa.types.is_map(kind):
        return True
    if pa.types.is_struct(kind):
        return any(inexact(field.type) for field in kind)
    inner = getattr(kind, "value_type", None)  # of every sort of list, and of what is encoded by a dictionary
    return inner is not None and inexact(inner)


def exact(value: Any, kind: pa.DataType) -> Any:
    """What `as_py` made of a value of type `kind`, with short floats as they print and maps as objects.

    Raises WrongType for a map that holds one key twice.
    """
    if value is None or not inexact(kind):
        return value
    if pa.types.is_float16(kind) or pa.types.is_float32(kind):
        return float(str((np.float16 if pa.types.is_float16(kind) else np.float32)(value)))
    if pa.types.is_map(kind):
        pairs = value.items() if isinstance(value, Mapping) else value
        found = {exact(key, kind.key_type): exact(item, kind.item_type) for key, item in pairs}
        if len(found) < len(value):
            raise WrongType("a map holds one key twice")
        return found
    if pa.types.is_dictionary(kind):
        return exact(value, kind.value_type)
    if isinstance(value, Mapping):
        inner = {field.name: field.type for field in kind}
        return {name: exact(item, inner[name]) if name in inner else item for name, item in value.items()}
    if isinstance(value, list):
        return [exact(item, kind.value_type) for item in value]
    return value
