"""Paths in a recipe: relative ones stand beside the recipe file; `${VAR:-default}` and `bundled:` are expanded.

Declare such a field as `path: RecipePath`; whoever reads the recipe sets its folder with `relative_to`.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.resources import files
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

BUNDLED = "bundled:"
_VARIABLE = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<or>:-(?P<default>[^}]*))?\}")
# A context variable, because pydantic's own context does not reach through the registry's plain validators.
_base: ContextVar[Path | None] = ContextVar("recipe_folder", default=None)


@contextmanager
def relative_to(folder: Path) -> Iterator[None]:
    """Resolve every `RecipePath` validated in this block against `folder`."""
    token = _base.set(folder)
    try:
        yield
    finally:
        _base.reset(token)


def resolve(path: Path) -> Path:
    """Expand `${VAR}`, `${VAR:-default}`, `bundled:` and `~`, and make a relative path stand beside the recipe.

    Outside `relative_to` a relative path stays as it is. Raises PydanticCustomError for an unset variable without a
    default, and for a text that is no path.
    """
    text = _VARIABLE.sub(_expand, str(path))
    if "${" in text:
        raise PydanticCustomError("path_variable", "write ${NAME} or ${NAME:-default} in a path")
    if "\0" in text or not text.strip():
        raise PydanticCustomError("path_text", "expected a path, found an empty text or one with a NUL byte")
    if text.startswith(BUNDLED):
        return Path(str(files("curate.sources"))) / "data" / text.removeprefix(BUNDLED)
    expanded = Path(text).expanduser()
    base = _base.get()
    return expanded if base is None else base / expanded


def _expand(match: re.Match[str]) -> str:
    value = os.environ.get(match["name"]) or match["default"]
    if value is None:
        raise PydanticCustomError(
            "path_variable",
            "the environment variable {name} is not set and the path gives no default; set it: export {name}=...",
            {"name": match["name"]},
        )
    return value


def _beside(name: object) -> object:
    return str(resolve(Path(name))) if isinstance(name, str) and name.endswith((".yaml", ".yml")) else name


PromptName = Annotated[str, BeforeValidator(_beside)]
"""The name of a prompt that comes with Veristill, or the path of a .yaml file, resolved when the recipe is read."""

RecipePath = Annotated[Path, AfterValidator(resolve), WithJsonSchema({"type": "string", "format": "path"})]
"""A path in a recipe, resolved when the recipe is read. A glob pattern is a path too: nothing is looked up here."""
