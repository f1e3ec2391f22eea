"""The attempts table: one small label per attempt (no texts), and what each selector thought of it.

Selectors see only this table. It is rebuilt by every run from the ledger, in `seq` order, so that the same answers
and verdicts always give the same selection.
"""

import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import Field

from curate.keys import digest
from curate.kinds import Opinion, Selector
from curate.labels import Labelled
from curate.records import Attempt, Drop, Question, Record
from curate.run import Run
from curate.select.choices import Choices
from curate.solve import Solved

_WORD = pa.dictionary(pa.int32(), pa.string())
SCHEMA = pa.schema(
    [
        pa.field("seq", pa.int64()),
        pa.field("sample", pa.int32()),
        pa.field("question_id", pa.string()),
        pa.field("attempt_id", pa.string()),
        pa.field("domain", _WORD),
        pa.field("source", _WORD),
        pa.field("outcome", _WORD),
        pa.field("reason", _WORD),
        pa.field("finish_reason", _WORD),
        pa.field("teacher", _WORD),
        pa.field("chars", pa.int64()),
        pa.field("output_tokens", pa.int64()),
        pa.field("text_key", pa.binary(16)),
    ]
)
_LABELS = pa.schema(
    [
        *(SCHEMA.field(name) for name in ("seq", "sample", "question_id", "attempt_id")),
        pa.field("kept", pa.bool_()),
        pa.field("reason", pa.string()),
        pa.field("evidence", pa.string()),
    ]
)
_QUANTILES = (10, 50, 90, 99)
_NAMED = 200  # domains and sources that are counted by name; names come from the data and may be anything
_CHUNK = 8192  # rows held as Python objects
_HELD = 8  # chunks held in memory; more go to a file, so that a million answers take no more than these


class Share(Record):
    """Rows and tokens of one domain or source."""

    rows: int
    tokens: int


class Size(Record):
    """What a table of attempts comes to. Tokens are those of its finished answers."""

    rows: int
    questions: int
    tokens: int
    mean: float | None = None
    percentiles: dict[str, int]
    domains: dict[str, Share]
    sources: dict[str, Share]


class Selected(Labelled):
    """The counts of one selector, with what there was before it and after it."""

    tokens_by: str
    before: Size
    after: Size
    notes: list[str] = Field(default_factory=list)


def text_key(attempt: Attempt) -> bytes:
    """The hash (16 bytes) of what the model wrote: what a measure of its text is stored under."""
    return bytes.fromhex(digest("text", attempt.reasoning, attempt.solution))


class AttemptTable:
    """Collects attempts in any order; `table` gives them in `seq`, `sample` order.

    What is too much for memory lies in a file without a name in `folder` (None: the usual place); it ends with us. With
    `keyed`, the texts of finished answers are hashed, for whoever measures them.
    """

    def __init__(self, folder: Path | None = None, *, keyed: bool = False) -> None:
        self._folder, self._keyed = folder, keyed
        self._rows: list[tuple[object, ...]] = []
        self._chunks: list[pa.RecordBatch] = []
        self._file: IO[bytes] | None = None
        self._spilled: pa.ipc.RecordBatchStreamWriter | None = None
        self._unasked: list[tuple[int, str, str]] = []

    def add(self, question: Question, solved: Solved) -> None:
        """Add the decided attempts of one question."""
        if solved.unasked is not None:
            self._unasked.append((question.seq, question.id, solved.unasked))
        for attempt, verdict in ((one.attempt, one.verdict) for one in solved.decided):
            self._rows.append(
                (
                    question.seq,
                    attempt.sample,
                    question.id,
                    attempt.id,
                    question.domain,
                    question.source,
                    verdict.outcome,
                    verdict.reason,
                    attempt.finish_reason,
                    attempt.teacher,
                    len(attempt.reasoning or "") + len(attempt.solution),
                    attempt.usage.get("output"),
                    text_key(attempt) if self._keyed and attempt.finish_reason == "stop" else None,
                )
            )
        if len(self._rows) >= _CHUNK:
            self._cut()

    def table(self) -> pa.Table:
        """All attempts, ordered."""
        self._cut()
        self._gather()
        whole = pa.Table.from_batches(self._chunks, SCHEMA).unify_dictionaries()
        self._chunks = []  # there is one copy of a column at a time beside the ordered one
        place = pc.sort_indices(whole, [("seq", "ascending"), ("sample", "ascending")])
        columns = []
        while whole.num_columns:
            column, whole = whole.column(0), whole.remove_column(0)
            columns.append(column.take(place).combine_chunks())
        ordered = pa.Table.from_arrays(columns, schema=SCHEMA)
        self._chunks = ordered.to_batches()
        return ordered

    def drops(self) -> Iterator[Drop]:
        """Questions for which there was nothing to ask: no teacher is for them, or none has a recorded answer."""
        for seq, id_, reason in sorted(self._unasked):
            yield Drop(unit="question", id=id_, seq=seq, stage="annotate", reason=reason)

    def _cut(self) -> None:
        if self._rows:
            by_column = zip(*self._rows, strict=True)
            columns = [pa.array(values, field.type) for values, field in zip(by_column, SCHEMA, strict=True)]
            self._chunks.append(pa.RecordBatch.from_arrays(columns, schema=SCHEMA))
            self._rows = []
        if len(self._chunks) > _HELD:
            if self._spilled is None:
                self._file = tempfile.TemporaryFile(dir=self._folder, prefix=".attempts-")  # noqa: SIM115 - ends with us
                self._spilled = pa.ipc.new_stream(self._file, SCHEMA)
            for chunk in self._chunks:
                self._spilled.write_batch(chunk)
            self._chunks = []

    def _gather(self) -> None:
        if self._file is None or self._spilled is None:
            return
        self._spilled.close()
        self._file.seek(0)
        self._chunks = [*pa.ipc.open_stream(self._file), *self._chunks]
        self._file.close()
        self._file = self._spilled = None


def select(
    run: Run, attempts: pa.Table, selectors: Sequence[Selector], tokens_by: str = ""
) -> tuple[pa.Table, list[Selected]]:
    """Apply the selectors one after another; write their labels; return the attempts that remain, and the counts."""
    run.labels.mkdir(exist_ok=True)
    for old in run.labels.glob("select-*.parquet"):
        old.unlink()
    counts: list[Selected] = []
    before = size_of(attempts)
    for number, selector in enumerate(selectors):
        opinions = selector.select(attempts)
        if len(opinions) != attempts.num_rows:
            raise TypeError(f"{selector.kind()} gave {len(opinions)} opinions on {attempts.num_rows} attempts")
        name = f"select-{number}-{selector.kind()}"
        kept, reasons = _write(run.labels / f"{name}.parquet", attempts, opinions)
        attempts = attempts.filter(pa.chunked_array([kept]))
        after = size_of(attempts)
        counts.append(
            Selected(
                stage=f"{number}-{selector.kind()}",
                seen=len(opinions),
                kept=attempts.num_rows,
                dropped=reasons.total(),
                reasons=dict(sorted(reasons.items())),
                tokens_by=tokens_by,
                before=before,
                after=after,
                notes=list(opinions.notes) if isinstance(opinions, Choices) else [],
            )
        )
        before = after
    return attempts, counts


def _write(path: Path, attempts: pa.Table, opinions: Sequence[Opinion]) -> tuple[pa.Array, Counter[str]]:
    """Write the labels of one selector, some thousand rows at a time; returns what it keeps and why not the rest."""
    partial = path.with_name(f".{path.name}.tmp")
    mine = attempts.select(["seq", "sample", "question_id", "attempt_id"])
    found: list[pa.Array] = []
    reasons: Counter[str] = Counter()
    with pq.ParquetWriter(partial, _LABELS, compression="zstd") as writer:
        for start in range(0, len(opinions), _CHUNK):
            part = _finished(opinions[start : start + _CHUNK], attempts.column("finish_reason").slice(start, _CHUNK))
            kept = pa.array([one.kept for one in part], pa.bool_())
            found.append(kept)
            reasons.update(str(one.reason) for one in part if not one.kept)
            evidence = [
                json.dumps(one.evidence, ensure_ascii=False, sort_keys=True) if one.evidence else "{}" for one in part
            ]
            columns = [
                *mine.slice(start, len(part)).columns,
                kept,
                pa.array([one.reason for one in part], pa.string()),
                pa.array(evidence, pa.string()),
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=_LABELS))
    partial.replace(path)
    return pa.concat_arrays(found) if found else pa.array([], pa.bool_()), reasons


def _finished(opinions: Sequence[Opinion], reasons: pa.ChunkedArray) -> list[Opinion]:
    """What a selector of somebody else's may leave out: unfinished answers go, and what goes has a reason."""
    made = []
    for one, finish in zip(opinions, reasons.to_pylist(), strict=True):
        if one.kept and finish != "stop":
            one = Opinion(False, "unfinished", {**one.evidence, "finish_reason": finish})
        made.append(one if one.kept or one.reason else one._replace(reason="?"))
    return made


def size_of(attempts: pa.Table) -> Size:
    """Rows, questions and tokens of a table of attempts, by domain and by source."""
    tokens = np.zeros(attempts.num_rows)
    known = np.zeros(attempts.num_rows, dtype=np.bool_)
    if "tokens" in attempts.column_names:
        finished = pc.equal(attempts.column("finish_reason").cast(pa.string()), "stop").to_numpy()
        values = attempts.column("tokens").cast(pa.float64()).to_numpy()
        known = finished & ~np.isnan(values)
        tokens = np.where(known, values, 0.0)
    spread = tokens[known]
    quantiles = np.percentile(spread, _QUANTILES).round().astype(int).tolist() if len(spread) else []
    return Size(
        rows=attempts.num_rows,
        questions=pc.count_distinct(attempts.column("seq")).as_py(),
        tokens=int(tokens.sum()),
        mean=round(float(spread.mean()), 1) if len(spread) else None,
        percentiles={f"p{mark}": value for mark, value in zip(_QUANTILES, quantiles, strict=False)},
        domains=_shares(attempts, "domain", tokens),
        sources=_shares(attempts, "source", tokens),
    )


def _shares(attempts: pa.Table, name: str, tokens: npt.NDArray[np.float64]) -> dict[str, Share]:
    words = attempts.column(name).cast(pa.string())
    grouped = (
        pa.table({"word": words, "tokens": tokens}).group_by("word").aggregate([("tokens", "sum"), ([], "count_all")])
    )
    found = sorted(grouped.to_pylist(), key=lambda row: (-row["count_all"], str(row["word"])))
    shares = {str(row["word"]): Share(rows=row["count_all"], tokens=int(row["tokens_sum"])) for row in found[:_NAMED]}
    rest = found[_NAMED:]
    if rest:
        total = int(sum(row["tokens_sum"] for row in rest))
        shares[f"({len(rest)} others)"] = Share(rows=sum(row["count_all"] for row in rest), tokens=total)
    return shares


def published_evidence(run: Run, selectors: Sequence[Selector]) -> dict[str, str]:
    """What selectors that are `published` say of the rows they kept: by attempt, a JSON text with the kind as key."""
    found: dict[str, str] = {}
    for number, selector in enumerate(selectors):
        path = run.labels / f"select-{number}-{selector.kind()}.parquet"
        if not selector.published or not path.exists():
            continue
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(columns=["attempt_id", "kept", "evidence"]):
                rows = batch.filter(batch.column("kept"))
                texts = zip(rows.column("attempt_id").to_pylist(), rows.column("evidence").to_pylist(), strict=True)
                found |= {id_: f'{{"{selector.kind()}": {text}}}' for id_, text in texts if text != "{}"}
    return found


def selection_files(run: Run) -> list[Path]:
    """The labels of the selectors, in their order: the eleventh after the tenth."""
    return sorted(run.labels.glob("select-*.parquet"), key=lambda path: int(path.stem.split("-", 2)[1]))


def select_drops(run: Run) -> Iterator[Drop]:
    """The attempts that selection left out."""
    for path in selection_files(run):
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches():
                for row in pc.filter(batch, pc.invert(batch.column("kept"))).to_pylist():
                    yield Drop(
                        unit="attempt",
                        id=row["attempt_id"],
                        seq=row["seq"],
                        stage=path.stem,
                        reason=row["reason"],
                        evidence=json.loads(row["evidence"]),
                    )


def selection_lines(stages: Sequence[Selected]) -> list[str]:
    """The part of report.md that tells what there was before and after each selector."""
    if not stages:
        return []
    first, last = stages[0].before, stages[-1].after
    marks = [f"p{mark}" for mark in _QUANTILES]
    head = ["selection", "questions", "rows", "tokens", "mean", *marks]
    lines = ["", "## Selection", "", f"Tokens of finished answers, {stages[0].tokens_by}.", ""]
    lines += ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    for name, size in [("before", first), *((f"after {one.stage}", one.after) for one in stages)]:
        cells = [f"{size.questions:,}", f"{size.rows:,}", f"{size.tokens:,}"]
        cells += [
            "" if size.mean is None else f"{size.mean:,.0f}",
            *(_cell(size.percentiles.get(mark)) for mark in marks),
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    for what, before, after in (("domain", first.domains, last.domains), ("source", first.sources, last.sources)):
        lines += ["", f"| {what} | rows before | tokens before | rows after | tokens after |", "|---|" + "---:|" * 4]
        none = Share(rows=0, tokens=0)
        for name in {**before, **after}:
            pair = before.get(name, none), after.get(name, none)
            cells = [f"{value:,}" for share in pair for value in (share.rows, share.tokens)]
            lines.append(f"| {_word(name)} | " + " | ".join(cells) + " |")
    return [*lines, *(f"\n{note}" for one in stages for note in one.notes)]


def _cell(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _word(name: str) -> str:
    return " ".join(name.split()).replace("|", "\\|")[:80]
