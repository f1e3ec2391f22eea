"""Writes a dataset: all four configs in one pass over the questions, in bounded memory, then the card, then the swap.

    with DatasetWriter(run.dataset, publish, name="gsm8k") as writer:
        for questions, attempts in ...:          # row groups of the questions table, in `seq` order
            writer.add_batch(questions, attempts)
        publication = writer.finish()            # card, load back in a clean process, fsync, swap

Nothing at `target` changes before `finish` has loaded the new dataset back. Law 5: the bytes are a pure function of
what is added; nothing measured is written.
"""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import pyarrow as pa
import pyarrow.compute as pc

from curate import fault
from curate.publish import card, loadback, place
from curate.publish.columns import CONFIGS, TURNS, schemas
from curate.publish.publish import Publish
from curate.publish.shards import Shards
from curate.publish.tally import Tally
from curate.publish.traces import Marked, Trace
from curate.publish.turns import user_turn
from curate.records import Attempt, Verdict
from curate.run import usable

# Content bytes turned into Arrow at a time, whatever the size of the caller's batch.
PIECE_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Published:
    """One attempt to publish. `row` is its question's row in the table that comes with it.

    Every attempt goes to `unverified`; a selected one also to `default`, `metadata` and `provenance`.
    """

    row: int
    attempt: Attempt
    verdict: Verdict
    selected: bool
    verdict_key: str | None = None
    source_revision: str | None = None


class Publication(NamedTuple):
    """What was published: the folder, and the rows of each config."""

    path: Path
    rows: Mapping[str, int]


class DatasetWriter:
    """An unfinished dataset beside `target`; leaving the `with` block without `finish` removes it."""

    def __init__(
        self, target: Path, publish: Publish, *, name: str, partial: bool = False, limit: int | None = None
    ) -> None:
        """Raises InputError for a trace template that cannot be used. The caller holds the publishing lock."""
        self._target = target
        self._staged = place.beside(target, "tmp")
        self._publish = publish
        self._name = name
        self._partial = partial
        self._limit = limit
        self._trace = publish.trace()
        self._tally = Tally()
        self._schemas = schemas(publish.teacher_prefix)
        self._shards: dict[str, Shards] = {}
        self._last_question: tuple[int, str] | None = None

    def __enter__(self) -> Self:
        with usable(self._target.parent):
            place.sweep(self._target)
            self._staged.mkdir(parents=True)
            for config in CONFIGS:
                folder = self._staged / config
                self._shards[config] = Shards(folder, self._schemas[config], self._publish.shard_mb << 20)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for shards in self._shards.values():
            shards.abandon()
        shutil.rmtree(self._staged, ignore_errors=True)

    def add_batch(self, questions: pa.Table, attempts: Sequence[Published]) -> None:
        """Add attempts in (`seq`, sample) order, with the part of the questions table that they point into.

        Raises Failed for a row beyond 2 GB, and what `curate.run.usable` makes of a disk that cannot be written.
        """
        with usable(self._target.parent):
            for piece in _pieces(questions, attempts):
                self._add_piece(questions, piece)
        fault.point("publish.row")

    def finish(self) -> Publication:
        """Write the card, load everything back in a clean process and swap the dataset into its place.

        Raises Failed where what is loaded back is not what was written; `target` is then as it was.
        """
        with usable(self._target.parent):
            for shards in self._shards.values():
                shards.close()
            rows = {config: shards.sums.rows for config, shards in self._shards.items()}
            versions = {config: card.version_of(self._staged / config) for config in CONFIGS}
            facts = card.Facts(
                self._name, self._publish, self._schemas, rows, self._tally, self._partial, versions, self._limit
            )
            card.write(self._staged, facts)
            expected = {config: loadback.expected(shards) for config, shards in self._shards.items()}
            loadback.check(self._staged, expected, place.beside(self._target, "check"))
            place.swap(self._staged, self._target)
        return Publication(self._target, rows)

    def _add_piece(self, questions: pa.Table, piece: Sequence[Published]) -> None:
        asked = _rows(questions.drop_columns(["test_cases", "gold", "answer"]), [one.row for one in piece])
        self._count(asked, piece)
        self._shards["unverified"].add(self._unverified(asked, piece))
        chosen = [place for place, one in enumerate(piece) if one.selected]
        if not chosen:
            return
        selected = [piece[place] for place in chosen]
        rows = _rows(questions, [one.row for one in selected])
        self._shards["default"].add(self._default(rows, selected))
        self._shards["metadata"].add(self._metadata(rows, selected))
        self._shards["provenance"].add(self._provenance(rows, selected))

    def _count(self, asked: pa.Table, piece: Sequence[Published]) -> None:
        names = ("seq", "id", "domain", "source", "licence")
        columns = [asked.column(name).to_pylist() for name in names]
        for one, seq, question_id, domain, source, licence in zip(piece, *columns, strict=True):
            if one.attempt.question_id != question_id:
                raise ValueError(f"attempt {one.attempt.id} does not belong to question {question_id}")
            if self._last_question is not None and seq < self._last_question[0]:
                raise ValueError(f"rows come in seq order: {seq} after {self._last_question[0]}")
            if self._last_question != (seq, question_id):
                self._tally.question(source, licence)
                self._last_question = (seq, question_id)
            self._tally.attempt(domain, source, one.attempt, one.verdict, one.selected)

    def _unverified(self, asked: pa.Table, piece: Sequence[Published]) -> pa.Table:
        verdicts = [one.verdict for one in piece]
        return self._table(
            "unverified",
            {
                "question_id": asked.column("id"),
                "sample": [one.attempt.sample for one in piece],
                **{name: asked.column(name) for name in ("problem", "domain", "source", "source_id", "licence")},
                **self._traces(piece),
                "finish_reason": [one.attempt.finish_reason for one in piece],
                "outcome": [verdict.outcome for verdict in verdicts],
                "reason": [verdict.reason for verdict in verdicts],
                "verifier": [verdict.verifier for verdict in verdicts],
                "verifier_version": [verdict.verifier_version for verdict in verdicts],
                "evidence": [_json(verdict.evidence) for verdict in verdicts],
            },
        )

    def _default(self, rows: pa.Table, selected: Sequence[Published]) -> pa.Table:
        columns = [rows.column(name).to_pylist() for name in ("problem", "starter_code", "domain")]
        texts: list[str] = []
        for one, problem, starter_code, domain in zip(selected, *columns, strict=True):
            trace = Trace(one.attempt.reasoning or None, one.attempt.solution)
            texts += [user_turn(problem, starter_code), self._trace.render(trace, problem, domain)]
            self._tally.escaped += isinstance(self._trace, Marked) and self._trace.escapes(trace)
        turns = pa.StructArray.from_arrays(
            [pa.array(["user", "assistant"] * len(selected)), pa.array(texts, pa.string())],
            fields=list(TURNS.value_type),
        )
        offsets = pa.array(range(0, len(texts) + 1, 2), pa.int32())
        conversations = pa.ListArray.from_arrays(offsets, turns, type=TURNS)
        return self._table("default", {"system": [self._trace.system] * len(selected), "conversations": conversations})

    def _metadata(self, rows: pa.Table, selected: Sequence[Published]) -> pa.Table:
        return self._table(
            "metadata",
            {
                "problem": rows.column("problem"),
                "ground_truth_solution": pc.coalesce(rows.column("gold"), rows.column("answer")),
                "test_cases": rows.column("test_cases"),
                "starter_code": rows.column("starter_code"),
                **self._traces(selected),
                "domain": rows.column("domain"),
                "source": rows.column("source"),
            },
        )

    def _provenance(self, rows: pa.Table, selected: Sequence[Published]) -> pa.Table:
        truths = rows.column("truth_key").to_pylist()
        keys = [
            {"request": one.attempt.request_key, "truth": truth, "verdict": one.verdict_key}
            for one, truth in zip(selected, truths, strict=True)
        ]
        return self._table(
            "provenance",
            {
                "question_id": rows.column("id"),
                "attempt_id": [one.attempt.id for one in selected],
                "source_revision": [one.source_revision for one in selected],
                "licence": rows.column("licence"),
                "model": [one.attempt.model for one in selected],
                "keys": [_json(key) for key in keys],
            },
        )

    def _traces(self, piece: Sequence[Published]) -> dict[str, list[str | None]]:
        prefix = self._publish.teacher_prefix
        return {
            f"{prefix}_reasoning": [one.attempt.reasoning or None for one in piece],
            f"{prefix}_solution": [one.attempt.solution for one in piece],
        }

    def _table(self, config: str, columns: Mapping[str, Any]) -> pa.Table:
        schema = self._schemas[config]
        # A column under a wrong name, or one too many, is a defect of ours: from_arrays alone would not notice.
        assert list(columns) == schema.names
        arrays = [
            value.cast(field.type) if isinstance(value, pa.ChunkedArray) else pa.array(value, field.type)
            for value, field in zip(columns.values(), schema, strict=True)
        ]
        return pa.Table.from_arrays(arrays, schema=schema)


def _pieces(questions: pa.Table, attempts: Sequence[Published]) -> Iterator[Sequence[Published]]:
    """Cut a batch so that each piece holds a few megabytes, or one attempt."""
    small = _lengths(questions, ("problem", "starter_code"))
    large = _lengths(questions, ("test_cases", "gold"))
    start = held = 0
    for place_, one in enumerate(attempts):
        size = len(one.attempt.reasoning or "") + len(one.attempt.solution) + small[one.row]
        size += large[one.row] if one.selected else 0
        if place_ > start and held + size > PIECE_BYTES:
            yield attempts[start:place_]
            start, held = place_, 0
        held += size
    if start < len(attempts):
        yield attempts[start:]


def _lengths(questions: pa.Table, names: Sequence[str]) -> list[int]:
    columns = [pc.fill_null(pc.binary_length(questions.column(name)), 0).to_pylist() for name in names]
    return [sum(row) for row in zip(*columns, strict=True)]


def _rows(questions: pa.Table, rows: Sequence[int]) -> pa.Table:
    """These rows of the table; without copying where they stand next to each other."""
    first, count = rows[0], len(rows)
    if list(rows) == list(range(first, first + count)):
        return questions.slice(first, count)
    return questions.take(pa.array(rows))


def _json(value: Mapping[str, Any]) -> str:
    kept = {key: item for key, item in value.items()}
    text = json.dumps(kept, ensure_ascii=False, sort_keys=True)
    # A lone surrogate has no UTF-8: escaped as JSON escapes it, it stays readable.
    return text if _encodable(text) else json.dumps(kept, sort_keys=True)


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
