"""Content hashes: what makes two questions, requests, verdicts or stages the same.

A key is derived from all that decides a result and from nothing else; tests freeze golden keys, so that a changed key
(which would pay for every answer again) is a decision and never an accident.
"""

import hashlib
from typing import Any

from pydantic import BaseModel

_SCALARS = (bool, int, float)
_LISTS = (list, tuple)
_SMALL = 4096  # characters of a text that is gathered with others, and texts gathered
_CHUNK = 1 << 20  # characters encoded at a time: a 200 MB text is hashed without a second copy of it


class Operational:
    """Marks a field that changes how a thing runs, not what it yields: `Annotated[int, Operational]`."""


def digest(*values: Any) -> str:
    """Hash JSON-like values (None, bool, int, float, str, list, tuple, dict) to 32 hex digits (128 bits of SHA-256).

    Types and lengths are part of the hash, so `["ab"]` and `["a", "b"]`, or `1` and `"1"`, differ. Dict order does not
    count. Raises TypeError for anything else.
    """
    state = hashlib.sha256()
    texts: list[str] = []
    _feed(state, texts, values)
    _flush(state, texts)
    return state.hexdigest()[:32]


def _feed(state: Any, texts: list[str], value: Any) -> None:
    # A request has tens of small values: they are gathered, and hashed as one text.
    if isinstance(value, str):
        texts.append(f"str:{len(value)}:")
        if len(value) <= _SMALL and len(texts) < _SMALL:
            texts.append(value)
            return
        _flush(state, texts)
        for start in range(0, len(value), _CHUNK):
            _flush(state, [value[start : start + _CHUNK]])
    elif value is None or isinstance(value, _SCALARS):
        texts.append(f"{type(value).__name__}:{value!r};")
    elif isinstance(value, _LISTS):
        texts.append(f"list:{len(value)}:")
        for item in value:
            _feed(state, texts, item)
    elif isinstance(value, dict):
        texts.append(f"dict:{len(value)}:")
        for key in sorted(value):
            _feed(state, texts, key)
            _feed(state, texts, value[key])
    else:
        raise TypeError(f"cannot hash a {type(value).__name__}")


def _flush(state: Any, texts: list[str]) -> None:
    # Model output may hold lone surrogates: they are hashed as they stand.
    state.update("".join(texts).encode("utf-8", "surrogatepass"))
    texts.clear()


def deciding(model: BaseModel) -> dict[str, Any]:
    """The fields of a configured object that decide its result: its dump without defaults and without `Operational`.

    Changing a default or a behaviour therefore needs a new `version` of the class.
    """
    kept: dict[str, Any] = {}
    for name, field in type(model).model_fields.items():
        if Operational in field.metadata or any(isinstance(m, Operational) for m in field.metadata):
            continue
        value = getattr(model, name)
        if value == field.get_default(call_default_factory=True):
            continue
        kept[name] = _plain(value)
    return kept


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        spec = getattr(value, "spec", None)
        return spec() if callable(spec) else deciding(value)
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        items = [_plain(item) for item in value]
        return sorted(items, key=repr) if isinstance(value, set | frozenset) else items
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)
