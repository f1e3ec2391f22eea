"""`RowReader`: rows of a table become questions, or Drops that say why not. Every tabular source reads through it.

A fault of the file or of the mapping (a wrong column, a wrong type, one id twice) is an InputError and stops the run; a
row that merely holds nothing to ask is a Drop of stage `ingest`.
"""

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from curate.errors import InputError
from curate.keys import digest
from curate.records import Drop, Question, Unknown
from curate.sources.columns import Columns
from curate.sources.files import Place, nearest
from curate.sources.seen import Seen
from curate.sources.values import (
    MISSING,
    NotUnicode,
    WrongType,
    label,
    lookup,
    names,
    plain,
    solution_texts,
    text,
)

STAGE = "ingest"
_LOOK_AHEAD = 100  # rows
_SHOWN = 30  # column names listed in an error
_CONSTANTS = {"domain": "domain", "licence": "licence", "source": "name"}  # column -> the field that fills its gaps
_LABELLED = re.compile(r"\s*\W?[A-Za-z]\W\s*(.*\S)\s*")  # an option's line: "A. text", "(b) text"


class RawRow(NamedTuple):
    """A row before it is read."""

    place: Place
    values: Mapping[str, Any]


@dataclass(frozen=True)
class RowReader:
    """The mapping of a source with the constants that fill its gaps."""

    columns: Columns
    name: str
    domain: str | None = None
    licence: str | None = None

    def read(self, rows: Callable[[], Iterable[RawRow]]) -> Iterator[Question | Drop]:
        """Read every row of `rows()`, lazily and in order; `seq` counts them from 0.

        One row is alive at a time: it may hold 200 MB. `rows` is called a second time only to name the first place of
        an id that stands twice. Raises InputError.
        """
        seen = Seen()
        seq = -1
        for raw in rows():  # without `enumerate`, which holds a row until it has the next one
            seq += 1
            if seq == 0:
                self.check(raw.place, itertools.chain([raw.values], (ahead.values for ahead in rows())))
            item = self._item(raw, seq)
            if self.columns.id is not None and isinstance(item, Question) and seen.add(item.source_id):
                self._twice(item.source_id, raw.place, rows)
            held = [item]
            del raw, item
            yield held.pop()  # nothing of it stays here: only its taker decides when 200 MB are let go of

    def check(self, where: Place, rows: Iterable[Mapping[str, Any]]) -> None:
        """Hold the mapping against the columns of the first rows. Raises InputError naming the nearest ones.

        The rows of a mixed file hold different columns, so a column is wrong only if none of the first rows has it.
        """
        absent, known = self.columns.mapped(), dict[str, None]()
        for row in itertools.islice(rows, _LOOK_AHEAD):
            known |= dict.fromkeys(names(row))
            absent = {field: column for field, column in absent.items() if lookup(row, column) is MISSING}
            if not absent:
                return
        field, column = next(iter(absent.items()))
        shown = ", ".join(list(known)[:_SHOWN]) + (", ..." if len(known) > _SHOWN else "")
        beside = _CONSTANTS.get(field)
        constant = f"; for a constant write `{beside}: {column}` beside `path:`" if beside else ""
        raise InputError(
            f"there is no column '{column}' (mapped to {field.split('.')[0]})",
            where=str(where),
            next=f"{nearest(column, list(known))}the columns are: {shown}; say which one under `columns:`{constant}",
        )

    def _item(self, raw: RawRow, seq: int) -> Question | Drop:
        try:
            return self._question(raw, seq)
        except NotUnicode as error:
            return self._drop(raw, seq, "not_unicode", {"detail": str(error)})
        except WrongType as error:
            raise InputError(
                str(error), where=str(raw.place), next="map another column, or mend the row in the source"
            ) from None
        except RecursionError:
            raise InputError(
                "a value is nested too deeply", where=str(raw.place), next="mend the row in the source, or take it out"
            ) from None

    def _question(self, raw: RawRow, seq: int) -> Question | Drop:
        columns, row = self.columns, raw.values
        problem = columns.read(row, "problem", text)
        if problem is None:
            return self._drop(raw, seq, "empty_problem")
        source_id = columns.read(row, "id", label)
        if columns.id is not None and source_id is None:
            return self._drop(raw, seq, "no_id")
        domain = columns.read(row, "domain", label) or self.domain
        if domain is None:
            return self._drop(raw, seq, "no_domain")
        truth = columns.truth(row)
        if columns.require_truth and isinstance(truth, Unknown):
            return self._drop(raw, seq, "no_truth")
        question = Question.of(
            problem=_with_options(problem, columns.options_of(row)),
            domain=domain.lower(),
            truth=truth,
            seq=seq,
            source=columns.read(row, "source", label) or self.name,
            source_id=source_id or "",
            licence=columns.read(row, "licence", label) or self.licence,
            gold=columns.read(row, "gold", text),
            starter_code=columns.read(row, "starter_code", text),
            meta=self._meta(row),
        )
        # Without an id column the content names the row: never its position, which the next edit would shift.
        return question if source_id else question.model_copy(update={"source_id": question.id[:16]})

    def _meta(self, row: Mapping[str, Any]) -> dict[str, Any]:
        meta = {name: plain(None if (kept := lookup(row, name)) is MISSING else kept) for name in self.columns.meta}
        solutions = self.columns.read(row, "solutions", solution_texts)
        return {**meta, "solutions": solutions} if solutions else meta

    def _drop(self, raw: RawRow, seq: int, reason: str, evidence: Mapping[str, Any] | None = None) -> Drop:
        place = raw.place.short()
        return Drop(
            unit="question",
            id=digest("row", self.name, place),
            seq=seq,
            stage=STAGE,
            reason=reason,
            evidence={"source": self.name, "place": place, **(evidence or {})},
        )

    def _twice(self, source_id: str, place: Place, rows: Callable[[], Iterable[RawRow]]) -> None:
        for raw in rows():
            if raw.place == place:
                return  # a collision of hashes, not the same id
            if self.columns.read(raw.values, "id", label) == source_id and isinstance(self._item(raw, 0), Question):
                raise InputError(
                    f"the id '{source_id}' stands twice in one source; it stood first at {raw.place}",
                    where=str(place),
                    next=f"make column '{self.columns.id}' unique, map another one as `id`, or leave `id` out",
                )


def need_domain(domain: str | None, columns: Columns) -> None:
    """Raises ValueError (a recipe error) where neither a constant nor a column says the domain."""
    if domain is None and columns.domain is None:
        raise ValueError("say the domain: `domain: math`, or the column that holds it: `columns: {domain: ...}`")


def _with_options(problem: str, options: tuple[str, ...]) -> str:
    """The problem with its options below it, as a model must see them; unchanged where it lists them itself."""
    listed = {match[1] for line in problem.splitlines() if (match := _LABELLED.fullmatch(line))}
    if listed.issuperset(option.strip() for option in options):
        return problem
    return problem + "\n\n" + "\n".join(f"{chr(ord('A') + n)}. {option}" for n, option in enumerate(options))
