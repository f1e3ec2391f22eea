"""`veristill decontaminate`: every row of a file held against benchmarks, in bounded memory, resumable.

Two passes: one counts phrases in a sample of the rows (kept in the state, so that a resumed run goes on at once), one
looks at every row.
"""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from curate.clean.decontaminate import Decontaminate, Dropped
from curate.contamination.again import Again, looking
from curate.contamination.against import Against, read_items
from curate.contamination.index import Index
from curate.contamination.match import Found, Matcher
from curate.contamination.plant import ROWS, self_test
from curate.progress import Bar, Progress
from curate.tables import State, batches, distinct_files, need_columns, question_column

if TYPE_CHECKING:
    import pyarrow as pa

    from curate.audit.datasets import Dataset

_SURVEY = "survey.npz"
_FIRST = 10  # rows that the summary names


class Options(NamedTuple):
    """What to scan, against what, into what."""

    dataset: str
    against: tuple[Against, ...]
    out: Path | None
    columns: tuple[str, ...] = ()  # none: the first of problem, question, prompt...
    config: str | None = None
    drop: tuple[Dropped, ...] = Decontaminate.model_fields["drop"].default
    quiet: bool = False
    again: "Again | None" = None  # models that look again at what is only alike


class Summary(NamedTuple):
    """What was found: rows by tier, contaminated rows by benchmark, and the first of them."""

    rows: int
    contaminated: int
    tiers: dict[str, int]
    benches: dict[str, dict[str, int]]
    first: list[dict[str, Any]]
    columns: list[str]
    items: int
    resumed: int  # rows that an earlier run had done
    asked: dict[str, Any] | None = None  # what models were asked, and what it cost

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return self._asdict()


def scan(options: Options) -> Summary:
    """Write OUT: one row for each row. Raises InputError, Prerequisite, Stopped."""
    from curate.audit.datasets import open_dataset

    assert options.out is not None
    distinct_files(options.dataset, options.out)
    opened = open_dataset(options.dataset, options.config)
    columns = _columns(opened, options.columns)
    stage = Decontaminate(against=options.against, drop=options.drop)
    again = options.again
    identity = {"input": opened.identity, "columns": columns, "stage": stage.spec()}
    identity |= {} if again is None else {"again": again.stage.spec()}
    items = read_items(options.against)  # before there is a state: a benchmark that cannot be read leaves none
    progress = Progress(quiet=options.quiet)
    drop = (*options.drop, *(again.stage.drop if again else ()))
    with (
        State(options.out, "decontaminate", identity, _schema(again)) as state,
        looking(again, items, progress.say) as look,
    ):
        tally = _Tally(drop, judged=again is not None)
        start = state.resume(tally.take)
        index = Index(items)
        total = opened.count()
        survey = state.folder / _SURVEY
        if not index.recalled(survey):
            with progress.stage("survey", total) as bar:
                _survey(index, opened, columns, survey, bar)
        matcher = Matcher(index)
        with progress.stage("decontaminate", total) as bar:
            bar.advance(start)
            for batch in batches(opened, columns, start):
                rows = _rows(batch.texts)
                texts = [text for each in rows for text in each.values()]
                found = look(texts, matcher.find(texts))
                records = tally.records(batch.start, rows, found)
                state.add_many(records)
                bar.note = f"{tally.contaminated:,} contaminated"
                bar.advance(len(records))
        state.complete()
    told = tally.summary(columns, len(index.items), start)
    return told if again is None else told._replace(asked=again.told())


def tested(options: Options) -> dict[str, Any]:
    """The self-test on a sample of the rows. Raises InputError, Prerequisite."""
    from curate.audit.datasets import open_dataset

    opened = open_dataset(options.dataset, options.config)
    columns = _columns(opened, options.columns)
    rows: list[str] = []
    for batch in batches(opened, columns):
        rows += [text for texts in _rows(batch.texts) for text in texts.values() if text.strip()]
        if len(rows) >= ROWS:
            break
    return self_test(read_items(options.against), rows[:ROWS], options.drop)


def _columns(opened: "Dataset", wanted: Sequence[str]) -> list[str]:
    if wanted:
        need_columns(opened, wanted)
        return list(dict.fromkeys(wanted))
    return [question_column(opened)]


def _survey(index: Index, opened: "Dataset", columns: list[str], path: Path, bar: Bar) -> None:
    survey = index.survey()
    for batch in batches(opened, columns):
        rows = _rows(batch.texts)
        index.surveyed(survey, [text for texts in rows for text in texts.values()])
        bar.advance(len(rows))
    index.weigh(survey)
    index.remember(path)


def _rows(texts: dict[str, list[str | None]]) -> list[dict[str, str]]:
    """For each row its texts by column; a column without one is an empty text."""
    return [dict(zip(texts, (one or "" for one in row), strict=True)) for row in zip(*texts.values(), strict=True)]


class _Tally:
    """Turns findings into records, and counts them."""

    def __init__(self, drop: Sequence[str], *, judged: bool = False) -> None:
        self._drop, self._judged = drop, judged
        self.rows = self.contaminated = 0
        self._tiers: Counter[str] = Counter()
        self._benches: dict[str, Counter[str]] = {}
        self._first: list[dict[str, Any]] = []

    def take(self, record: list[Any]) -> bool:
        """Count a record."""
        row, contaminated, bench, item, tier, score = record[:6]
        self.rows += 1
        self.contaminated += contaminated
        if tier is not None:
            self._tiers[tier] += 1
        if contaminated:
            self._benches.setdefault(bench, Counter())[tier] += 1
            if len(self._first) < _FIRST:
                self._first.append({"row": row, "bench": bench, "item": item, "tier": tier, "score": score})
        return True

    def records(self, start: int, rows: list[dict[str, str]], found: list[list[Found]]) -> list[list[Any]]:
        """The records of a batch; `found` goes text by text."""
        made: list[list[Any]] = []
        place = 0
        for number, texts in enumerate(rows, start):
            pairs = [(one, column) for at, column in enumerate(texts) for one in found[place + at]]
            place += len(texts)
            made.append(self._record(number, texts, pairs))
            self.take(made[-1])
        return made

    def _record(self, row: int, texts: dict[str, str], found: list[tuple[Found, str]]) -> list[Any]:
        more: list[Any] = [None] if self._judged else []
        if not found:
            return [row, False, None, None, None, None, None, *more]
        private = any(one.item.private for one, _ in found)
        best, column = min(found, key=lambda pair: (not pair[0].counts(self._drop), pair[0].strength()))
        told = best.evidence(texts[column], private=private)
        if self._judged and best.judged is not None:
            more = [json.dumps(told["judge"], ensure_ascii=False, sort_keys=True)]
        named = [{"column": column, **span} for span in told["spans"]] if len(texts) > 1 else told["spans"]
        spans = json.dumps(named, ensure_ascii=False)
        dropped = best.counts(self._drop)
        return [row, dropped, best.item.bench, best.item.item, best.tier, best.score, spans, *more]

    def summary(self, columns: list[str], items: int, resumed: int) -> Summary:
        """What was counted."""
        return Summary(
            self.rows,
            self.contaminated,
            dict(sorted(self._tiers.items())),
            {bench: dict(sorted(tiers.items())) for bench, tiers in sorted(self._benches.items())},
            self._first,
            columns,
            items,
            resumed,
        )


def _schema(again: "Again | None") -> "pa.Schema":
    import pyarrow as pa

    return pa.schema(
        [
            pa.field("row", pa.int64()),
            pa.field("contaminated", pa.bool_()),
            pa.field("bench", pa.string()),
            pa.field("item", pa.string()),
            pa.field("tier", pa.string()),
            pa.field("score", pa.float64()),
            pa.field("spans", pa.string()),
            *([] if again is None else [pa.field("judge", pa.string())]),
        ]
    )
