"""`kind:` -> class: the one registry.

A kind is a file: `curate/sources/jsonl.py` defines `kind: jsonl`, as the one subclass of `Kind` written in it. Folders
are listed without being imported; only the kinds that a recipe names are. Third parties add kinds under the entry
points `veristill.<folder>` (such as `veristill.sources`).
"""

import difflib
import importlib
import inspect
from importlib.metadata import EntryPoint, entry_points
from importlib.resources import files
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import CoreRef, GenerateJsonSchema
from pydantic_core import PydanticCustomError, core_schema

from curate.errors import InputError
from curate.keys import deciding

# What a kind derives from.
_KINDS = (
    "Source",
    "Published",
    "CodeSet",
    "Editions",
    "Label",
    "Gate",
    "Teacher",
    "Verifier",
    "Selector",
    "Reward",
    "Api",
    "Launcher",
)
# Words that users also know a kind by.
_ALIASES = {("curate.verifiers", "tests"): "code"}


class Kind(BaseModel):
    """A configured object: its fields are its YAML, one method does its work. It holds no handles and pickles.

    `version` is bumped whenever a default or a behaviour changes, because stored results are keyed by it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    version: ClassVar[int] = 1

    @classmethod
    def kind(cls) -> str:
        """The word that names this class in a recipe."""
        return cls.__module__.rsplit(".", 1)[-1]

    def spec(self) -> dict[str, Any]:
        """Kind, version and deciding options: what a result of this object is keyed by."""
        return {"kind": self.kind(), "version": self.version, "options": deciding(self)}


def kinds(folder: str) -> list[str]:
    """The names that `kind:` can take in `folder` (a package such as `curate.sources`), sorted."""
    own = [
        entry.name[:-3]
        for entry in files(folder).iterdir()
        if entry.name.endswith(".py") and not entry.name.startswith("_") and _defines_kind(entry.read_text("utf-8"))
    ]
    return sorted([*own, *(point.name for point in entry_points(group=_group(folder)))])


def find(folder: str, kind: str) -> type[Kind]:
    """The class of a kind. Raises KeyError if there is none of that name, InputError if a plugin of it is broken."""
    kind = _ALIASES.get((folder, kind), kind)
    if kind not in kinds(folder):
        raise KeyError(kind)
    for point in entry_points(group=_group(folder)):
        if point.name == kind:
            return _loaded(point)
    module = importlib.import_module(f"{folder}.{kind}")
    found = [
        value
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, Kind) and value.__module__ == module.__name__
    ]
    if len(found) != 1:
        raise TypeError(f"{module.__name__} must define exactly one kind, found {[c.__name__ for c in found]}")
    return found[0]


def _loaded(point: EntryPoint) -> type[Kind]:
    """The class that another distribution names. Raises InputError, which says whose defect it is."""
    owner = point.dist.name if point.dist is not None else "unknown"
    where = f"kind '{point.name}' of the package {owner} (entry point {point.group}: {point.value})"
    follow = f"repair, update or uninstall {owner}"
    try:
        loaded = point.load()
    except Exception as error:  # the boundary to plugins: importing one runs its code
        raise InputError(f"cannot be loaded: {type(error).__name__}: {error}", where=where, next=follow) from error
    if not (inspect.isclass(loaded) and issubclass(loaded, Kind)):
        raise InputError(f"is no kind but {loaded!r:.80}", where=where, next=follow)
    return loaded


def _group(folder: str) -> str:
    return f"veristill.{folder.rsplit('.', 1)[1]}"


def _defines_kind(text: str) -> bool:
    # A folder also holds files that serve its kinds; a kind says so by its base class, which is read, not imported.
    return any(f"({base})" in text for base in _KINDS)


class Plug:
    """Annotates a field that takes any kind of a folder: `Annotated[Source, Plug("curate.sources")]`.

    Accepts `{kind: x, ...}`, a bare string `x`, or a configured object.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self._build,
            serialization=core_schema.plain_serializer_function_ser_schema(self._dump),
        )

    def __get_pydantic_json_schema__(self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler) -> Any:
        # One definition a folder, however many fields take its kinds: written out in each of them, the schema would
        # grow with every kind that takes another kind.
        made: GenerateJsonSchema | None = getattr(handler, "generate_json_schema", None)
        if made is None:
            return self._choices(handler)
        name, reference = made.get_cache_defs_ref_schema(CoreRef(f"kinds.{_group(self.folder)[10:]}:{self.folder}"))
        if name not in made.definitions:
            made.definitions[name] = {}  # a kind may take kinds of its own folder
            made.definitions[name] = self._choices(handler)
        return reference

    def _choices(self, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        choices: list[dict[str, Any]] = []
        for name in kinds(self.folder):
            one = dict(handler.resolve_ref_schema(handler(find(self.folder, name).__pydantic_core_schema__)))
            one["properties"] = {"kind": {"const": name}, **one.get("properties", {})}
            one["required"] = ["kind", *one.get("required", [])]
            choices.append(one)
        return {"anyOf": [{"type": "string", "enum": kinds(self.folder)}, *choices]}

    def _build(self, value: Any) -> Kind:
        if isinstance(value, Kind):
            return value
        fields = {"kind": value} if isinstance(value, str) else value
        if not isinstance(fields, dict):
            raise PydanticCustomError("kind_type", "expected a kind name or a mapping with 'kind:'")
        name = fields.get("kind")
        if not isinstance(name, str):
            raise PydanticCustomError(
                "kind_missing", "'kind:' is missing; one of: {known}", {"known": ", ".join(kinds(self.folder))}
            )
        try:
            cls = find(self.folder, name)
        except KeyError:
            known = kinds(self.folder)
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean '{near[0]}'? " if near else ""
            raise PydanticCustomError(
                "kind_unknown",
                "there is no kind '{name}' in {folder}; {hint}known: {known}",
                {"name": name, "folder": _group(self.folder)[10:], "hint": hint, "known": ", ".join(known)},
            ) from None
        except InputError as error:  # as a problem of the recipe it also gets its line
            raise PydanticCustomError("kind_broken", "{what}", {"what": str(error)}) from error
        return cls.model_validate({key: item for key, item in fields.items() if key != "kind"})

    @staticmethod
    def _dump(value: Kind) -> dict[str, Any]:
        return {"kind": value.kind(), **value.model_dump(mode="json", exclude_defaults=True)}
