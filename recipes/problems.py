"""What is wrong with a recipe, in words: every error of a validation with its line, key and nearest valid key."""

import difflib
import re
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from curate.errors import InputError, RecipeError
from curate.plug import Plug, find
from recipes.document import Document, Key, spoken, step_into

_EXPECTED = {
    "string_type": "expected text",
    "int_type": "expected a whole number",
    "int_parsing": "expected a whole number",
    "int_from_float": "expected a whole number",
    "float_type": "expected a number",
    "float_parsing": "expected a number",
    "bool_type": "expected true or false",
    "bool_parsing": "expected true or false",
    "list_type": "expected a list",
    "tuple_type": "expected a list",
    "dict_type": "expected a mapping of keys",
    "model_type": "expected a mapping of keys",
    "path_type": "expected a path",
    "finite_number": "expected a finite number",
}
# Patterns in words; the others are shown as they are.
_PATTERNS = {
    r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$": "letters, digits, `.`, `_` and `-`, the first a letter or digit, at most 100",
    r"^https?://": "an address that begins with http:// or https://",
}
# Values under such keys may be secrets written where a name was meant: they are never repeated.
_SECRET = re.compile(r"key|token$|secret|password|auth", re.IGNORECASE)


def recipe_error(document: Document, error: ValidationError, model: type[BaseModel]) -> RecipeError:
    """One RecipeError that lists every problem of a validation."""
    return listed(document.path, _problems(document, error, model))


def listed(path: Path, problems: Sequence[tuple[str, str]]) -> RecipeError:
    """One RecipeError for all problems (where, what), numbered where there are several."""
    if len(problems) == 1:
        where, what = problems[0]
        return RecipeError(what, where=where)
    lines = [f"  {number}. {where}: {what}" for number, (where, what) in enumerate(problems, 1)]
    return RecipeError(f"{len(problems)} errors\n" + "\n".join(lines), where=str(path))


def _problems(document: Document, error: ValidationError, model: type[BaseModel]) -> list[tuple[str, str]]:
    found: dict[tuple[int, str], list[str]] = {}
    unset: dict[str, int] = {}  # a variable that is not set: told once, however many paths name it
    items = error.errors(include_url=False)
    for item in items:
        if item["type"] == "too_short" and any(_within(other["loc"], item["loc"]) for other in items):
            continue  # empty only because its items were refused, which is told below
        trail = document.trail(_place(item))
        if item["type"] == "missing":
            trail = (*trail, item["loc"][-1])
        place = (document.line(trail), spell(trail))
        text = _say(item, trail, document, model)
        if item["type"] == "path_variable":
            unset[text] = unset.get(text, 0) + 1
            if unset[text] > 1:
                continue
        texts = found.setdefault(place, [])
        if text not in texts:  # the members of a union may all say the same
            texts.append(text)
    return [
        (f"{document.path}:{line}", f"{key}: {_joined([_counted(text, unset) for text in texts])}")
        for (line, key), texts in sorted(found.items())
    ]


def _place(item: Any) -> tuple[Key, ...]:
    """Where an error is: one of a whole recipe that is of one selector says of which."""
    place: tuple[Key, ...] = item["loc"]
    return (*place, "select", item["ctx"]["number"]) if item["type"] == "select_column" else place


def _counted(text: str, times: dict[str, int]) -> str:
    """The text, and how many other places it is true of."""
    return f"{text} ({times[text]} paths name it)" if times.get(text, 1) > 1 else text


def _within(place: tuple[Key, ...], outer: tuple[Key, ...]) -> bool:
    return len(place) > len(outer) and place[: len(outer)] == outer


def _joined(texts: list[str]) -> str:
    """The members of a union each say what they expected: say it once, with `or`."""
    expected = [text.removeprefix("expected ").split(", found ")[0] for text in texts if text.startswith("expected ")]
    if len(texts) > 1 and len(expected) == len(texts):
        _, found, value = texts[-1].partition(", found ")
        return "expected " + " or ".join(expected) + found + value
    return "; ".join(texts)


def _say(item: Any, trail: tuple[Key, ...], document: Document, model: type[BaseModel]) -> str:
    kind, value = item["type"], item["input"]
    if kind == "extra_forbidden":
        return f"unknown key; {nearest(str(trail[-1]), _keys_at(model, document.values, item['loc'][:-1]))}"
    if kind == "invalid_key":
        return "a key must be text; put it in quotes"
    if kind == "select_column":
        return str(item["ctx"]["what"])
    if kind == "missing":
        return "this key is missing"
    if kind in ("literal_error", "enum"):
        valid = [str(one) for one in re.findall(r"'([^']*)'", item["ctx"]["expected"])]
        return f"expected {item['ctx']['expected']}{_found(trail, value)}{_meant(value, valid)}"
    if kind == "too_short":
        return f"expected at least {item['ctx']['min_length']} item, found none"
    if kind == "string_pattern_mismatch" and item["ctx"]["pattern"] in _PATTERNS:
        return f"expected {_PATTERNS[item['ctx']['pattern']]}{_found(trail, value)}"
    if kind in _EXPECTED:
        quotes = "; put it in quotes" if kind == "string_type" and not isinstance(value, dict | list | None) else ""
        return _EXPECTED[kind] + _found(trail, value) + quotes
    text: str = item["msg"].removeprefix("Value error, ")
    if text.startswith("Input should be "):
        return "expected a value " + text.removeprefix("Input should be ") + _found(trail, value)
    return text


def _found(trail: tuple[Key, ...], value: Any) -> str:
    secret = any(isinstance(key, str) and _SECRET.search(key) for key in trail[-1:])
    return "" if secret and isinstance(value, str) else f", found {spoken(value)}"


def _meant(value: Any, valid: list[str]) -> str:
    near = difflib.get_close_matches(str(value), valid, 1)
    return f"; did you mean '{near[0]}'?" if near else ""


def nearest(word: str, valid: list[str]) -> str:
    """A hint: the nearest valid word where one is near, and what is valid."""
    near = difflib.get_close_matches(word, valid, 1)
    known = f"valid here: {', '.join(valid)}" if valid else "nothing is valid here"
    return f"did you mean '{near[0]}'? {known}" if near else known


def spell(trail: tuple[Key, ...]) -> str:
    """A key path as people write it: `annotate.teacher.model`, `sources[0].path`."""
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in trail)
    return text.removeprefix(".") or "the recipe"


def _keys_at(model: type[BaseModel], value: Any, place: tuple[Key, ...]) -> list[str]:
    """The keys that are valid at a place of the recipe; `place` may hold names that only the model knows."""
    annotation: Any = model
    for key in place:
        inner = _descend(annotation, key, value)
        annotation = annotation if inner is None else inner
        value = step_into(value, key)
    keys = [name for one in _models(annotation, value) for name in _names(one)]
    return ["kind", *keys] if _plugs(annotation) else keys


def _names(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _descend(annotation: Any, key: Key, value: Any) -> Any:
    """The annotation of one key under `annotation`; None where it cannot be told."""
    for model in _models(annotation, value):
        for name, field in model.model_fields.items():
            if key in (name, field.alias):
                return Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    for member in _members(annotation):
        inner = get_args(member)
        if get_origin(member) in (list, tuple) and inner and isinstance(key, int):
            return inner[0]
        if get_origin(member) is dict and isinstance(key, str):
            return inner[1]
    return None


def _models(annotation: Any, value: Any) -> list[type[BaseModel]]:
    """The models that `annotation` may mean for this value."""
    found: list[type[BaseModel]] = []
    for plug in _plugs(annotation):
        kind = value.get("kind") if isinstance(value, dict) else value
        try:
            found.append(find(plug.folder, str(kind)))
        except (KeyError, InputError):  # told where the kind itself is read
            continue
    if found:
        return found
    return [one for one in _members(annotation) if isinstance(one, type) and issubclass(one, BaseModel)]


def _plugs(annotation: Any) -> list[Plug]:
    return [meta for meta in getattr(annotation, "__metadata__", ()) if isinstance(meta, Plug)]


def _members(annotation: Any) -> list[Any]:
    """The members of a union, without what `Annotated` adds."""
    if get_origin(annotation) is Annotated:
        return _members(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return [inner for one in get_args(annotation) for inner in _members(one)]
    return [annotation]
