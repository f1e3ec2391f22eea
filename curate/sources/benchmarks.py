"""Benchmarks by name and version (`benchmarks.yaml`): the sources whose questions belong in no training set."""

from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, cast

import yaml
from pydantic import Field, ValidationError

from curate.errors import InputError
from curate.records import Record
from curate.sources.files import nearest

if TYPE_CHECKING:
    from curate.kinds import Source


class Benchmark(Record):
    """A benchmark: what it is, and its versions as sources (kind and fields), the first of them the default."""

    about: str
    versions: dict[str, dict[str, Any]] = Field(min_length=1)

    def version(self, name: str | None) -> str:
        """The version of this name, or the default. Raises KeyError."""
        if name is None:
            return next(iter(self.versions))
        if name not in self.versions:
            raise KeyError(name)
        return name


@lru_cache(maxsize=1)
def benchmarks() -> dict[str, Benchmark]:
    """All benchmarks by name."""
    text = (files("curate.sources") / "benchmarks.yaml").read_text("utf-8")
    return {name: Benchmark.model_validate(told) for name, told in yaml.safe_load(text).items()}


def split_name(name: str) -> tuple[str, str | None]:
    """Name and version of `name@version`."""
    bare, _, version = name.partition("@")
    return bare, version or None


def benchmark_source(name: str, fields: Mapping[str, Any] | None = None) -> "Source":
    """The source of a benchmark `name` or `name@version`, with further fields of its kind (`path`, `since`...).

    Raises InputError for a name, a version or a field that there is none of.
    """
    from curate.plug import find

    bare, version = split_name(name)
    known = benchmarks()
    if bare not in known:
        raise InputError(
            f"there is no benchmark '{bare}'",
            next=f"{nearest(bare, known)}known: {', '.join(known)}; or name a file that holds one",
        )
    try:
        told = known[bare].versions[known[bare].version(version)]
    except KeyError:
        versions = known[bare].versions
        raise InputError(
            f"the benchmark '{bare}' has no version '{version}'",
            next=f"{nearest(str(version), versions)}known: {', '.join(versions)}",
        ) from None
    kind = find("curate.sources", told["kind"])
    try:
        made = kind.model_validate({**{key: one for key, one in told.items() if key != "kind"}, **(fields or {})})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise InputError(
            f"{where}: {first['msg']}" if where else first["msg"], where=name, next=f"see the source {kind.kind()}"
        ) from None
    return cast("Source", made)
