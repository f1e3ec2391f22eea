"""Column types of a published set in a notation of a few words, and the Arrow types and features they stand for.

`"string"`, `"int64"`, `"bool"`... is a value, `[kind]` a list, `{"name": kind}` an object, `Labels(...)` a ClassLabel.
A `datasets.Sequence` of an object is stored as an object of lists, and is written so here.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

Features = Mapping[str, Any]


class Labels(tuple[str, ...]):
    """The names of a ClassLabel, in order: the column holds their numbers (int64; -1 where there is none)."""

    __slots__ = ()

    def __new__(cls, *names: str) -> "Labels":
        """Labels with these names."""
        return super().__new__(cls, names)

    def name(self, value: Any) -> str | None:
        """The name of a number, or of what is a name already; None for -1 and null. Raises ValueError, IndexError."""
        if value is None or value == -1:
            return None
        if isinstance(value, str):
            return self[self.index(value)]
        return self[value] if value >= 0 else self[len(self)]

    def __repr__(self) -> str:
        return f"ClassLabel({', '.join(self)})"


def arrow_type(kind: Any) -> "pa.DataType":
    """The Arrow type that a column of this kind has in Parquet."""
    import pyarrow as pa

    if isinstance(kind, Labels):
        return pa.int64()
    if isinstance(kind, str):
        return pa.type_for_alias(kind)
    if isinstance(kind, Mapping):
        return pa.struct([pa.field(name, arrow_type(inner)) for name, inner in kind.items()])
    (inner,) = kind
    return pa.list_(arrow_type(inner))


def written(kind: Any) -> str:
    """A kind as the docs and `doctor` print it."""
    if isinstance(kind, Labels):
        return repr(kind)
    if isinstance(kind, str):
        return kind
    if isinstance(kind, Mapping):
        return "{" + ", ".join(f"{name}: {written(inner)}" for name, inner in kind.items()) + "}"
    return f"list of {written(kind[0])}"


def read_features(found: Any) -> Any:
    """The features that `datasets` tells of a set, in this notation."""
    name = type(found).__name__
    if name == "Value":
        return str(found.dtype).replace("large_string", "string")
    if name == "ClassLabel":
        return Labels(*found.names)
    if isinstance(found, Mapping):
        return {key: read_features(inner) for key, inner in found.items()}
    if isinstance(found, list | tuple):
        return [read_features(found[0])]
    if hasattr(found, "feature"):  # Sequence, List, LargeList
        inner = read_features(found.feature)
        if name == "Sequence" and isinstance(inner, Mapping):
            return {key: [item] for key, item in inner.items()}
        return [inner]
    return name


def differences(declared: Features, found: Features) -> list[str]:
    """What of the declared columns is missing or has another type. Further columns are no difference."""
    said = []
    for name, kind in declared.items():
        if name not in found:
            said.append(f"no column '{name}'")
        elif not _same(kind, found[name]):
            said.append(f"'{name}' is {written(found[name])}, expected {written(kind)}")
    return said


def _same(declared: Any, found: Any) -> bool:
    if isinstance(declared, str | Labels) or isinstance(found, str | Labels):
        return type(declared) is type(found) and declared == found
    if isinstance(declared, Mapping) and isinstance(found, Mapping):
        return all(name in found and _same(kind, found[name]) for name, kind in declared.items())
    both = isinstance(declared, Sequence) and isinstance(found, Sequence)
    return both and _same(declared[0], found[0])
