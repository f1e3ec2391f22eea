"""`Published`: what all sources have in common that are one known set of the hub. Such a kind is one file:

    class Gsm8k(Published):  # in curate/sources/gsm8k.py; its bundled rows in curate/sources/data/gsm8k.jsonl
        origin: ClassVar[Origin] = Origin(repo="openai/gsm8k", configs=("main", "socratic"), ...)
        domain: ClassVar[str] = "math"

        def question(self, row: Row, part: Part) -> Question:
            raise Left("no_answer")               # a row that is no question: becomes a Drop with reason and evidence
            return self.made(row["question"], Answer(text=...), source_id=..., gold=..., meta={...})

`row["x"]` of a column that is not there stops the run with the columns that are; `row.get("x")` does not. Options are
further fields. What is no single pass (groups, samples) overrides `items`; what is several repositories, `parts`.
"""

import inspect
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Set
from pathlib import Path
from typing import Annotated, Any, ClassVar, NamedTuple, Self, TypeVar

from pydantic import Field, model_validator

from curate.errors import InputError
from curate.keys import Operational, digest
from curate.kinds import Source
from curate.paths import RecipePath
from curate.records import Drop, Question, Record, Truth
from curate.sources._places import KnownHub, rows_of, typed
from curate.sources.files import Place, find, fingerprint, nearest
from curate.sources.hf import Hf
from curate.sources.row_reader import STAGE, RawRow
from curate.sources.seen import Seen, another_name
from curate.sources.values import NotUnicode, WrongType, check_unicode, plain

T = TypeVar("T")
PARQUET = "refs/convert/parquet"  # the branch where the hub keeps every public set as Parquet, without its script
_SUFFIXES = (".jsonl", ".jsonl.gz", ".parquet")
_STRANGE = ("wrong_type", "unreadable_row")
_CHANGED = 20  # rows at the beginning of a set, none of which can be read: it has changed, or it is another one
_TOO_LARGE = 100.0  # GB: never downloaded whole
PRIVATE = "private_text"  # in the meta of a question whose set asks that nobody shows it in plain text


class Origin(Record):
    """Where a set lies on the hub and what its columns are, with the evidence for it."""

    repo: str
    configs: tuple[str, ...] = ()  # empty: the set has no named configuration; the first one is the default
    splits: tuple[str, ...] = ("train",)
    features: dict[str, Any]  # as `curate.sources.features` writes them: the columns that are read
    others: dict[str, dict[str, Any]] = Field(
        default_factory=dict
    )  # the columns of a configuration that has others than `features`
    evidence: tuple[str, ...]  # repository and path, or address, where the schema was read
    confirmed: bool  # False: some of it stands on a guess; `note` says what
    licence: str | None  # the hub's tag; None: it states none
    gigabytes: float | None = None  # on disk when loaded whole, where that is much
    revision: str | None = None  # read instead of the main branch
    files: str | None = None  # glob of a part's files, with {config} and {split}: for sets with a loading script
    gated: bool = False
    private_text: bool = False  # its authors ask not to show the questions in plain text
    note: str = ""

    @property
    def url(self) -> str:
        """The page of the set."""
        return f"https://huggingface.co/datasets/{self.repo}"

    def columns(self, config: str | None) -> dict[str, Any]:
        """The columns of a configuration that are read."""
        return self.others.get(config or "", self.features)


class Part(NamedTuple):
    """A piece of a set that is read in one go."""

    repo: str
    config: str | None
    split: str
    name: str  # of its file in a local folder, without the ending


class Left(Exception):
    """A row that is no question of this source: `reason` and evidence of its Drop."""

    def __init__(self, reason: str, **evidence: Any) -> None:
        super().__init__(reason)
        self.reason = reason
        self.evidence = evidence


class NoColumn(KeyError):
    """A column that the set should have and has not."""


class Row(dict[str, Any]):
    """A row of the set as it stands."""

    def __missing__(self, name: str) -> Any:
        raise NoColumn(name)


class Published(Source):
    """A known set of the hub, mapped to questions."""

    origin: ClassVar[Origin]
    domain: ClassVar[str]

    path: Annotated[RecipePath | None, Operational()] = Field(
        None,
        description="The set's files here instead of the hub: one file (.jsonl, .jsonl.gz, .parquet), a folder that "
        "holds one for each part, or one that `load_dataset` opens.",
    )
    config: str | None = Field(None, description="The configuration; by default the set's first.")
    split: str = Field("train", description="The split; several as `train+test`; `all` of them.")
    revision: str | None = Field(None, description="A commit, tag or branch of the hub repository.")
    streaming: Annotated[bool, Operational()] = Field(True, description="False: download everything first.")

    @model_validator(mode="after")
    def _stated(self) -> Self:
        known = self.origin
        if self.path is not None:
            return self
        if self.config is not None and self.config not in known.configs:
            raise ValueError(
                f"{known.repo} has no configuration '{self.config}': {', '.join(known.configs) or 'it has one'}"
            )
        for split in self.splits():
            if split not in known.splits:
                raise ValueError(f"{known.repo} has no split '{split}': {', '.join(known.splits)}")
        if not self.streaming and (known.gigabytes or 0) >= _TOO_LARGE:
            raise ValueError(
                f"{known.repo} takes {known.gigabytes:.0f} GB: it is only streamed, never downloaded whole"
            )
        return self

    @abstractmethod
    def question(self, row: Row, part: Part) -> Question:
        """The question of a row. Raises Left for a row that is none, WrongType or NotUnicode for an unreadable one."""

    def parts(self) -> list[Part]:
        """What is read, in order."""
        config = self.config or next(iter(self.origin.configs), None)
        return [Part(self.origin.repo, config, split, split) for split in self.splits()]

    def origin_of(self, part: Part) -> Origin:
        """What is known of the set that a part is of; a kind with several repositories may say."""
        return self.origin

    def files(self, part: Part) -> tuple[str, ...]:
        """The files of a part on the hub, as globs; none where `datasets` finds them itself."""
        return tuple((self.origin_of(part).files or "").format(config=part.config, split=part.split).split())

    def splits(self) -> list[str]:
        """The splits to read."""
        return list(self.origin.splits) if self.split == "all" else self.split.split("+")

    def made(self, problem: str, truth: Truth, *, source_id: str = "", **fields: Any) -> Question:
        """A question of this source; without a `source_id` its content names it, never its position.

        `fields`: gold, starter_code, licence, domain, source, meta (any values; made plain).
        Raises Left for a blank problem, NotUnicode for texts that cannot be encoded.
        """
        if not problem.strip():
            raise Left("empty_problem")
        for text in (problem, fields.get("gold"), fields.get("starter_code"), source_id):
            check_unicode(text or "")
        told = {"domain": self.domain, "source": self.kind(), "licence": self.origin.licence, **fields}
        meta = {PRIVATE: self.origin.private_text or None, **told.get("meta", {})}
        told["meta"] = {name: plain(value) for name, value in meta.items() if value is not None}
        made = Question.of(problem=problem, truth=truth, source_id=source_id, **told)
        return made if source_id else made.model_copy(update={"source_id": made.id[:16]})

    def read(self) -> Iterator[Question | Drop]:
        """Yield the questions in the set's order; a row that is none as a Drop. Raises InputError; Prerequisite."""
        seen = Seen()
        seq, strange = -1, True
        for item in self.items(self.rows()):
            seq += 1
            strange = strange and isinstance(item, Drop) and item.reason in _STRANGE
            if strange and isinstance(item, Drop) and seq == _CHANGED - 1:
                self._changed(item)
            placed = item.model_copy(update={"seq": seq})
            # An id of the hub that stands twice with other content names two rows: their content tells them apart.
            if isinstance(placed, Question) and seen.add(placed.source_id):
                name = another_name(f"{placed.source_id}#{placed.id[:8]}", seen)
                placed = placed.model_copy(update={"source_id": name})
            held = [placed]
            del item, placed
            yield held.pop()  # a row may hold 200 MB: only its taker decides when it goes

    def _changed(self, last: Drop) -> None:
        """Raise InputError: a set whose first rows all cannot be read is not dropped row by row."""
        raise InputError(
            f"none of the first {_CHANGED} rows can be read: {last.evidence['detail']}",
            where=f"{self.kind()}, {last.evidence['place']}",
            next="has the set changed? `veristill doctor` compares its columns; name an older `revision:` or a `path:`",
        )

    def items(self, rows: Iterator[tuple[Part, RawRow]]) -> Iterator[Question | Drop]:
        """What the rows are, one by one. A kind that groups or samples rows overrides this."""
        for part, raw in rows:
            item = self.item(part, raw)
            del raw
            held = [item]
            del item
            yield held.pop()

    def item(self, part: Part, raw: RawRow) -> Question | Drop:
        """The question of one row, or the Drop that says why it is none. Raises InputError for a missing column."""
        return self.tried(part, raw, self.question)

    def tried(self, part: Part, raw: RawRow, how: Callable[[Row, Part], T]) -> T | Drop:
        """What `how` makes of a row, or the Drop for what it raises. Raises InputError for a missing column."""
        try:
            return how(Row(raw.values), part)
        except Left as left:
            return self.left(part, raw.place, left.reason, **left.evidence)
        except NotUnicode as error:
            return self.left(part, raw.place, "not_unicode", detail=str(error))
        except WrongType as error:
            return self.left(part, raw.place, "wrong_type", detail=self._told(error))
        except RecursionError:
            return self.left(part, raw.place, "wrong_type", detail="a value is nested too deeply")
        except NoColumn as error:
            name = str(error.args[0])
            raise InputError(
                f"there is no column '{name}', which {part.repo} should have",
                where=str(raw.place),
                next=f"{nearest(name, raw.values)}the columns are: {', '.join(map(str, raw.values))}; "
                "check `path:`, or name a `revision:` that has it",
            ) from None
        # The boundary to rows of a set that has changed: one of other types must not end the run.
        except (TypeError, ValueError, AttributeError, LookupError) as error:
            return self.left(part, raw.place, "unreadable_row", detail=self._told(error))

    def _told(self, error: Exception) -> str:
        """What a Drop says of an error: the message may quote the row, which nobody is to show of a private set."""
        if self.origin.private_text:
            return type(error).__name__
        return str(error) if isinstance(error, WrongType) else f"{type(error).__name__}: {error}"[:300]

    def left(self, part: Part, place: Place, reason: str, **evidence: Any) -> Drop:
        """The Drop of a row at `place` of a part."""
        where = f"{part.name}/{place.short()}"
        return Drop(
            unit="question",
            id=digest("row", self.kind(), where),
            seq=0,
            stage=STAGE,
            reason=reason,
            evidence={"source": self.kind(), "place": where, **evidence},
        )

    def rows(self) -> Iterator[tuple[Part, RawRow]]:
        """The rows as they stand, part by part. Raises InputError; Prerequisite where the hub cannot be read."""
        for part, place in self._places():
            rows = rows_of(place, self._needed(part)) if isinstance(place, Path) else place.rows()
            for raw in self._typed(rows) if self._bundled() else rows:
                yield part, raw
                del raw

    def _needed(self, part: Part) -> Set[str]:
        """The columns to read of a large set, where a Parquet file has them all: the others may be most of it."""
        return self.origin_of(part).columns(part.config).keys() if self.origin.gigabytes else set()

    def hubs(self) -> list[Hf]:
        """The hub's side of every part, whatever `path` says."""
        return [self._hub(part) for part in self.parts()]

    def hub_features(self, part: Part) -> Any:
        """The hub's columns of a part as `datasets` tells them; None where only reading would. Raises as `read`."""
        told = self._hub(part).model_dump(exclude={"types"})
        return Hf(**told).features()

    def fingerprint(self) -> str | None:
        """A hash of the local files' bytes; else the commits of the hub, or `revision` where they cannot be asked."""
        if self.path is not None:
            here = [place for _, place in self._places()]
            paths = [
                path for place in here for path in ([place] if isinstance(place, Path) else find(self.path, ("",)))
            ]
            return digest(self.kind(), fingerprint(dict.fromkeys(paths)))
        commits = {hub.path: hub.commit() or self.revision for hub in {hub.path: hub for hub in self.hubs()}.values()}
        if None in commits.values():
            return None
        only = next(iter(commits.values()))
        return only if len(commits) == 1 else ", ".join(f"{repo}@{commit}" for repo, commit in commits.items())

    def rehearsal(self) -> Source:
        """The same kind, with the same options, over its bundled rows: the hub's types, made-up content."""
        return self.model_copy(update={"path": self.tiny(), "revision": None})

    @classmethod
    def tiny(cls) -> Path:
        """The bundled rows: `data/<kind>.jsonl` beside the kind's file, or a folder `data/<kind>` with one per part."""
        data = Path(inspect.getfile(cls)).parent / "data"
        return data / cls.kind() if (data / cls.kind()).is_dir() else data / f"{cls.kind()}.jsonl"

    def _bundled(self) -> bool:
        return self.path == self.tiny()

    def _places(self) -> list[tuple[Part, Path | Hf]]:
        """Where each part lies: a file, or what `datasets` opens. Raises InputError."""
        parts = self.parts()
        if self.path is None:
            return [(part, self._hub(part)) for part in parts]
        if not self.path.is_dir():
            return [(parts[0], path) for path in find(self.path, _SUFFIXES)]
        beside = [(part, self.path / f"{part.name}{suffix}") for part in parts for suffix in _SUFFIXES]
        if here := [(part, path) for part, path in beside if path.is_file()]:
            if absent := [part.name for part in parts if part not in dict(here)]:
                raise InputError(
                    f"the folder holds no file for {', '.join(absent)}",
                    where=str(self.path),
                    next="say which `split:` or `config:` to read, or name one file",
                )
            if len(dict(here)) < len(here):
                raise InputError(
                    f"the folder holds several files for one part: {', '.join(path.name for _, path in here)}",
                    where=str(self.path),
                    next="leave one of each name, or name one file",
                )
            return list(here)
        folders = [(part, self.path / part.name) for part in parts]
        named = [(part, path) for part, path in folders if path.is_dir()] if len({p.repo for p in parts}) > 1 else []
        return [(part, self._folder(path, part)) for part, path in named or [(part, self.path) for part in parts]]

    def _folder(self, path: Path, part: Part) -> Hf:
        files = tuple(one for one in self.files(part) if any(path.glob(one)))  # where it is a copy of the repository
        card = path / "README.md"
        known = part.config and card.is_file() and f"config_name: {part.config}" in card.read_text("utf-8", "replace")
        return KnownHub(
            path=str(path.absolute()),
            config=None if files else part.config if known else self.config,
            split=part.split,
            streaming=self.streaming,
            data_files=files,
            domain=self.domain,
            types=self.origin_of(part).columns(part.config),
        )

    def _hub(self, part: Part) -> Hf:
        files = self.files(part)
        return KnownHub(
            path=part.repo,
            config=None if files else part.config,
            split=part.split,
            revision=self.revision or self.origin_of(part).revision,
            streaming=self.streaming,
            data_files=files,
            domain=self.domain,
            types=self.origin_of(part).columns(part.config),
        )

    def _typed(self, rows: Iterable[RawRow]) -> Iterator[RawRow]:
        """Bundled rows, cast to the columns' types, so that they are what the hub would yield."""
        return typed([self.origin.features, *self.origin.others.values()], rows)
