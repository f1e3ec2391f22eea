"""What rows are held against: a benchmark by name, or a user's own file of questions."""

import hashlib
from collections.abc import Iterable, Iterator
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema, PydanticCustomError

from curate.contamination.items import Item
from curate.errors import InputError, Prerequisite
from curate.keys import Operational, digest
from curate.paths import RecipePath
from curate.records import Question
from curate.sources.benchmarks import benchmark_source, benchmarks, split_name
from curate.sources.files import empty

if TYPE_CHECKING:
    from curate.kinds import Source

_FILES = (".jsonl", ".jsonl.gz", ".parquet")
_IDS = ("id", "unique_id", "task_id", "question_id", "problem_id", "ID")


class Against(BaseModel):
    """One benchmark: `{bench: NAME}` or `{file: PATH}`.

    In words: `aime24`, `livecodebench@release_v5`, `aime24=./aime.jsonl` (a local copy), `./my_bench.jsonl`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    bench: str | None = Field(None, description="A benchmark of `benchmarks.yaml`, as `name` or `name@version`.")
    path: Annotated[RecipePath | None, Operational()] = Field(
        None, description="The benchmark's files here, instead of the hub."
    )
    since: date | None = Field(None, description="LiveCodeBench: only contests on this day or later.")
    until: date | None = Field(None, description="LiveCodeBench: only contests on this day or earlier.")
    file: Annotated[RecipePath | None, Operational()] = Field(
        None, description="A file of questions of your own: .jsonl, .jsonl.gz or .parquet."
    )
    column: str | None = Field(None, description="Its column of questions; else problem, question, prompt...")
    private: bool = Field(False, description="Its questions are never shown in evidence; only places are.")

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        fields = dict(handler.resolve_ref_schema(handler(schema)))
        return {"anyOf": [{"type": "string", "description": "In words, such as `aime24`."}, fields]}

    @model_validator(mode="before")
    @classmethod
    def _in_words(cls, value: Any) -> Any:
        return read_words(value) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.bench is None) == (self.file is None):
            raise ValueError("say `bench:` (a known benchmark) or `file:` (one of your own)")
        if self.file is not None and (self.path or self.since or self.until):
            raise ValueError("`path`, `since` and `until` belong to `bench`")
        if self.bench is not None:
            if self.column is not None:
                raise ValueError("`column` belongs to `file`")
            try:
                self._source()
            except InputError as error:
                raise PydanticCustomError("benchmark", "{what}", {"what": f"{error.what}; {error.next}"}) from error
        return self

    @property
    def name(self) -> str:
        """What the evidence calls it."""
        if self.bench is not None:
            return self.bench
        assert self.file is not None
        return self.file.name

    def content(self) -> str:
        """What its items, and what is told of them, depend on. Raises InputError.

        The bytes and column of a file, or the benchmark and its version; and whether it may be shown.
        """
        if self.file is not None:
            return digest(self.name, file_mark(self.file), self.column, self.private)
        source = self._source()
        local = source.fingerprint() if self.path is not None else None
        return digest(self.bench, source.spec(), local, self.private)

    def items(self) -> Iterator[Item]:
        """The items. Raises InputError, and Prerequisite where the hub is needed and cannot be reached."""
        if self.file is not None:
            yield from self._of_file(self.file)
            return
        source = self._source()
        private = self.private or bool(getattr(getattr(source, "origin", None), "private_text", False))
        assert self.bench is not None
        try:
            for one in source.read():
                if isinstance(one, Question):
                    yield Item(self.bench, one.source_id, one.problem, private)
        except Prerequisite as error:
            follow = f"{error.next}; with a copy here: `path:` beside `bench: {self.bench}`, or `{self.bench}=PATH`"
            raise Prerequisite(error.what, where=error.where, next=follow) from error

    def rehearsal(self) -> Self:
        """The same over the few rows that come with Veristill; a user's file stays."""
        if self.file is not None:
            return self
        return self.model_copy(update={"path": getattr(self._source().rehearsal(), "path", None)})

    def _source(self) -> "Source":
        assert self.bench is not None
        told = {"path": self.path, "since": self.since, "until": self.until}
        return benchmark_source(self.bench, {name: value for name, value in told.items() if value is not None})

    def _of_file(self, path: Path) -> Iterator[Item]:
        from curate.audit.datasets import open_dataset
        from curate.tables import need_columns, question_column

        opened = open_dataset(str(path))
        column = self.column or question_column(opened, "`column:`")
        need_columns(opened, [column])
        names = [name for name in _IDS if name in opened.columns][:1]
        for number, row in enumerate(opened.rows([column, *names])):
            text = row.get(column)
            if isinstance(text, str) and text.strip():
                told = row.get(names[0]) if names else None
                yield Item(self.name, str(number if told is None else told), text, self.private)


def read_words(words: str) -> dict[str, Any]:
    """`Against` in words as its fields."""
    name, equals, path = words.partition("=")
    if equals and split_name(name)[0] in benchmarks():
        return {"bench": name, "path": path}
    if words.endswith(_FILES) or "/" in words:
        return {"file": words}
    return {"bench": words}


def read_items(against: Iterable[Against]) -> list[Item]:
    """All items. Raises InputError for a benchmark without a single one, and what reading them raises."""
    found: list[Item] = []
    for one in against:
        before = len(found)
        found.extend(one.items())
        if len(found) == before:
            raise empty(one.file or one.path or Path(one.name))
    return found


def file_mark(path: Path) -> str:
    """A hash of a file's bytes, read again only when it has changed. Raises InputError where there is none."""
    return _file_mark(*_state(path))


def _state(path: Path) -> tuple[str, int, int]:
    try:
        stat = path.stat()
    except OSError:
        from curate.sources.files import find

        find(path, ("",))  # raises the error that names what lies near
        raise
    return str(path), stat.st_size, stat.st_mtime_ns


@lru_cache(maxsize=256)
def _file_mark(path: str, size: int, changed: int) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:32]
