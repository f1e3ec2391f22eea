"""A YAML text with its places: what it says as plain values, and the line where each key of it stands.

Promises that nothing is guessed: a duplicate key, a tab, a second document or an unknown tag is an error with its line.
"""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from curate.errors import RecipeError

LARGEST = 4 << 20  # bytes; no recipe comes near it, and a data file given by mistake is not parsed

Key = str | int


class Document:
    """One YAML mapping. `values` is its content; `trail` and `line` find a place in it."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        try:
            loader = yaml.SafeLoader(text)
            node = loader.get_single_node()
            if node is None:
                raise RecipeError("the recipe is empty", where=str(path), next="start from `veristill init`")
            if not isinstance(node, yaml.MappingNode):
                raise RecipeError(
                    f"a recipe is a mapping of keys (`name: ...`), found {_noun(node)} at the top level",
                    where=self._at(node.start_mark),
                )
            self._refuse_duplicates(node)
            self.values: dict[str, Any] = loader.construct_document(node)
        except yaml.MarkedYAMLError as error:
            raise self._syntax_error(error) from None
        except yaml.reader.ReaderError as error:
            line = text.count("\n", 0, error.position) + 1
            raise RecipeError(
                f"the character {chr(error.character)!r} is not allowed in YAML", where=f"{path}:{line}"
            ) from None
        except RecursionError:
            raise RecipeError("the recipe is nested too deeply", where=str(path)) from None
        except ValueError as error:  # a date such as 2024-13-45, or an integer of thousands of digits
            raise RecipeError(f"a value cannot be read: {error}", where=str(path)) from None
        self._node = node

    @classmethod
    def read(cls, path: Path) -> "Document":
        """Read a file. Raises RecipeError for whatever keeps it from being one YAML mapping in UTF-8."""
        try:
            with path.open("rb") as handle:
                data = handle.read(LARGEST + 1)
        except OSError as error:
            raise RecipeError(f"the recipe cannot be read: {error.strerror}", where=str(path)) from None
        if len(data) > LARGEST:
            raise RecipeError(f"a file of more than {LARGEST >> 20} MB is no recipe", where=str(path))
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise RecipeError(
                f"the recipe is not UTF-8: byte 0x{data[error.start]:02x} at offset {error.start}",
                where=f"{path}:{line}",
                next="save the file as UTF-8",
            ) from None
        return cls(path, text)

    def trail(self, place: tuple[Key, ...]) -> tuple[Key, ...]:
        """The part of `place` that stands in the document: names that a validator made up in between are left out."""
        return tuple(key for key, _, _ in self._steps(place))

    def line(self, place: tuple[Key, ...]) -> int:
        """The line of the innermost key of `place` that stands in the document, counted from 1."""
        line = self._node.start_mark.line
        for _, mark, _ in self._steps(place):
            line = mark.line
        return int(line) + 1

    def _steps(self, place: tuple[Key, ...]) -> Iterator[tuple[Key, Any, Any]]:
        node: Any = self._node
        for key in place:
            found = _child(node, key)
            if found is not None:
                mark, node = found
                yield key, mark, node

    def _refuse_duplicates(self, root: Any) -> None:
        seen: set[int] = set()  # aliases may make the tree a graph
        stack = [root]
        while stack:
            node = stack.pop()
            if id(node) in seen or isinstance(node, yaml.ScalarNode):
                continue
            seen.add(id(node))
            if isinstance(node, yaml.SequenceNode):
                stack.extend(node.value)
                continue
            first: dict[str, Any] = {}
            for key, value in node.value:
                stack.append(value)
                if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                    continue
                if key.value in first:
                    raise RecipeError(
                        f"the key '{key.value}' stands twice; its first place is line {first[key.value].line + 1}",
                        where=self._at(key.start_mark),
                    )
                first[key.value] = key.start_mark

    def _syntax_error(self, error: yaml.MarkedYAMLError) -> RecipeError:
        mark = error.problem_mark or error.context_mark
        what = " ".join(part for part in (error.context, error.problem) if part)
        if "'\\t'" in what:
            what = "a tab stands where YAML wants spaces; indent with spaces"
        return RecipeError(f"not valid YAML: {what}", where=self._at(mark) if mark else str(self.path))

    def _at(self, mark: Any) -> str:
        return f"{self.path}:{mark.line + 1}:{mark.column + 1}"


def _child(node: Any, key: Key) -> tuple[Any, Any] | None:
    """The mark and the node of one key of a mapping, or of one position of a list."""
    if isinstance(node, yaml.MappingNode):
        for name, value in reversed(node.value):  # merged keys come first, the mapping's own last
            if isinstance(name, yaml.ScalarNode) and name.value == str(key):
                return name.start_mark, value
    elif isinstance(node, yaml.SequenceNode) and isinstance(key, int) and 0 <= key < len(node.value):
        return node.value[key].start_mark, node.value[key]
    return None


def step_into(value: Any, key: Key) -> Any:
    """What stands under `key` of plain values; the value itself where it has no such key."""
    if isinstance(value, dict):
        return value.get(key, value)
    if isinstance(value, list) and isinstance(key, int) and 0 <= key < len(value):
        return value[key]
    return value


def _noun(node: Any) -> str:
    return "a list" if isinstance(node, yaml.SequenceNode) else "a single value"


def spoken(value: Any) -> str:
    """A short name for what a YAML value is, for error messages."""
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, date):
        return f"the date {value}"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
