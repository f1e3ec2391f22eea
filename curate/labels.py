"""Label tables: what each cleaning stage thought of each question it saw, and which questions are still kept.

A stage never rewrites rows. Its table (`labels/<n>-<kind>.parquet`: seq, kept, reason, evidence, scores) is kept while
the stage and everything before it are unchanged.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curate.keys import digest
from curate.kinds import UNEXAMINED, Gate, Label, Opinion
from curate.progress import Progress
from curate.questions import QuestionTable
from curate.records import Drop, Record
from curate.run import Run

_KEY, _MADE = b"veristill.key", b"veristill.made"  # of a table: its stage key; by which stage, of which input
_SCHEMA = pa.schema(
    [
        pa.field("seq", pa.int64()),
        pa.field("id", pa.string()),
        pa.field("kept", pa.bool_()),
        pa.field("reason", pa.string()),
        pa.field("evidence", pa.string()),
        pa.field("scores", pa.map_(pa.string(), pa.float64())),
    ]
)
Scores = dict[str, npt.NDArray[np.float64]]  # by name: a value for each `seq`, NaN where no stage gave one


class Labelled(Record):
    """The counts of one label stage: `seen == kept + dropped` (law 3)."""

    stage: str
    seen: int
    kept: int
    dropped: int
    reasons: dict[str, int]
    unexamined: int = 0  # kept because of trouble of ours; the next run examines them
    reused: bool = False


class Kept:
    """Which `seq` are still in the flow: one byte a row."""

    def __init__(self, rows: int) -> None:
        self._mask: npt.NDArray[np.bool_] = np.zeros(rows, dtype=np.bool_)

    def set(self, seqs: Sequence[int], kept: bool) -> None:
        """Put rows in or out."""
        self._mask[np.asarray(seqs, dtype=np.int64)] = kept

    def __contains__(self, seq: int) -> bool:
        return bool(self._mask[seq])

    def __len__(self) -> int:
        return int(self._mask.sum())

    def only(self, table: pa.Table) -> pa.Table:
        """The rows of a table (with a `seq` column) still in the flow; not copied where that is all of them."""
        mask = self._mask[table.column("seq").to_numpy()]
        return table if mask.all() else table.filter(pa.array(mask))


Stage = Label | Gate


class Cleaning:
    """The way through the cleaning stages, one at a time: `stage` is the one whose turn it is (None: at the end)."""

    def __init__(self, run: Run, stages: Sequence[Stage], rows: int, input_key: str) -> None:
        self.table = QuestionTable(run.questions)
        self.kept = Kept(rows)
        self.counts: list[Labelled] = []
        self._run, self._folder, self._rows = run, run.labels, rows
        self._stages = stages
        self._input = input_key
        for group in self.table.groups(["seq"]):
            self.kept.set(group.column("seq").to_pylist(), True)

    @property
    def stage(self) -> Stage | None:
        """The stage whose turn it is."""
        return self._stages[len(self.counts)] if len(self.counts) < len(self._stages) else None

    @property
    def name(self) -> str:
        """Its name: its number and kind."""
        return _name(len(self.counts), self._stages[len(self.counts)])

    @property
    def _path(self) -> Path:
        return self._folder / f"{self.name}.parquet"

    @property
    def _key(self) -> str:
        return digest("label", 1, self._stages[len(self.counts)].spec(), self._input)

    def labelled(self, *, whole: bool) -> bool:
        """Whether its labels are there and valid; with `whole`, also that no question is left unexamined."""
        if _key_of(self._path) != self._key:
            return False
        return not (whole and isinstance(self.stage, Gate) and _counts(self._path)[1])

    @contextmanager
    def writing(self) -> Iterator[Callable[[pa.Table, list[Opinion]], None]]:
        """Write its labels: give each group of rows (with `seq` and `id`) and their opinions, in order."""
        self._folder.mkdir(exist_ok=True)
        partial = self._path.with_name(f".{self._path.name}.tmp")
        made = json.dumps([self._stages[len(self.counts)].spec(), self._input])
        schema = _SCHEMA.with_metadata({_KEY: self._key.encode(), _MADE: made.encode()})
        with pq.ParquetWriter(partial, schema, compression="zstd") as writer:
            yield lambda group, opinions: writer.write_table(_table(group, opinions, schema))
        partial.replace(self._path)

    def earlier(self) -> tuple[dict[str, Any], pa.Table] | None:
        """The labels that this stage gave the same rows under other options, with its spec then; None without any."""
        if not self._path.exists():
            return None
        made = (pq.read_schema(self._path).metadata or {}).get(_MADE)
        if made is None:
            return None
        spec, given = json.loads(made)
        return (spec, pq.read_table(self._path, columns=["seq", "evidence"])) if given == self._input else None

    def apply(self, *, reused: bool) -> None:
        """Take over the labels of this stage; the turn is the next one's."""
        stage, key, path = self.stage, self._key, self._path
        done, dropped = _apply(path, self.name, self.kept, reused)
        self.counts.append(done)
        if isinstance(stage, Gate):
            # What a gate says may change although nothing that decides it does: trouble of ours is tried again.
            given = [_mark(values) for _, values in sorted(_scores(path, stage.gives(), self._rows).items())]
            key = digest("gate", key, dropped, *given)
        self._input = key

    def scores(self, names: Sequence[str]) -> Scores:
        """The scores of these names that the stages before this one gave; all NaN where none of them does."""
        none = np.full(self._rows, np.nan)
        return dict.fromkeys(names, none) | scores(self._run, self._stages[: len(self.counts)], self._rows, names)

    def sweep(self) -> None:
        """Remove the labels of stages that are no longer there."""
        names = {f"{_name(number, stage)}.parquet" for number, stage in enumerate(self._stages)}
        for old in self._folder.glob("[0-9]*-*.parquet"):
            if old.name not in names:
                old.unlink()


def clean(
    run: Run, stages: Sequence[Stage], rows: int, input_key: str, progress: Progress | None
) -> tuple[Kept, list[Labelled]]:
    """Run the pure cleaning stages over the questions table of `rows` rows read.

    Returns what is kept and the counts of each stage. It ends before the first gate whose labels are not there
    (`curate.gates` examines), and with `progress` None, which only reads, before any such stage: fewer counts than
    stages come back.
    """
    cleaning = Cleaning(run, stages, rows, input_key)
    while (stage := cleaning.stage) is not None:
        reused = cleaning.labelled(whole=False)
        if not reused:
            if progress is None or isinstance(stage, Gate):
                return cleaning.kept, cleaning.counts
            label(cleaning, stage, progress)
        cleaning.apply(reused=reused)
    if progress is not None:
        cleaning.sweep()
    return cleaning.kept, cleaning.counts


def _name(number: int, stage: Stage) -> str:
    return f"{number}-{stage.kind()}"


def label_drops(run: Run, stages: Sequence[Stage]) -> Iterator[Drop]:
    """The drops of the cleaning stages, stage by stage, in `seq` order."""
    for number, stage in enumerate(stages):
        name = f"{number}-{stage.kind()}"
        with pq.ParquetFile(run.labels / f"{name}.parquet") as file:
            for batch in file.iter_batches():
                for row in batch.to_pylist():
                    if not row["kept"]:
                        yield Drop(
                            unit="question",
                            id=row["id"],
                            seq=row["seq"],
                            stage=name,
                            reason=row["reason"],
                            evidence=json.loads(row["evidence"]),
                        )


def label(cleaning: Cleaning, stage: Label, progress: Progress) -> None:
    """Have a pure stage label every question that is still kept."""
    columns = list(dict.fromkeys(["seq", "id", *stage.reads()]))
    given = cleaning.scores(wants) if (wants := stage.wants()) else {}

    def groups() -> Iterator[pa.Table]:
        kept = map(cleaning.kept.only, cleaning.table.groups(columns))
        return map(partial(_with_scores, given), kept) if given else kept

    whole = [pa.concat_tables(list(groups()))] if stage.whole else None
    with progress.stage(cleaning.name, len(cleaning.kept)) as bar, cleaning.writing() as write:
        earlier = cleaning.earlier() if stage.whole else None
        opinions_of = (stage.relabelling(*earlier) if earlier else None) or stage.prepared(groups, progress.say)
        for group in whole or groups():
            opinions = opinions_of(group)
            if len(opinions) != group.num_rows:
                raise TypeError(f"{stage.kind()} gave {len(opinions)} opinions on {group.num_rows} rows")
            write(group, opinions)
            bar.advance(group.num_rows)


def _with_scores(given: Scores, group: pa.Table) -> pa.Table:
    seqs = group.column("seq").to_numpy()
    for name, values in given.items():
        group = group.append_column(name, pa.array(values[seqs], from_pandas=True))  # NaN becomes null
    return group


def _table(group: pa.Table, opinions: list[Opinion], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_arrays(
        [
            group.column("seq").combine_chunks(),
            group.column("id").combine_chunks(),
            pa.array([one.kept for one in opinions], pa.bool_()),
            pa.array([one.reason for one in opinions], pa.string()),
            pa.array([json.dumps(one.evidence, ensure_ascii=False, sort_keys=True) for one in opinions], pa.string()),
            pa.array([sorted(one.scores.items()) if one.scores else None for one in opinions], _SCHEMA[-1].type),
        ],
        schema=schema,
    )


def scores(run: Run, stages: Sequence[Stage], rows: int, names: Iterable[str] | None = None) -> Scores:
    """The scores that labelled stages gave, of `rows` rows read: all of them, or those of these names.

    Memory: 8 bytes a row and name. Tables of stages that give none are not read.
    """
    wanted = None if names is None else set(names)
    found: Scores = {}
    for number, stage in enumerate(stages):
        mine = [name for name in stage.gives() if wanted is None or name in wanted]
        path = run.labels / f"{_name(number, stage)}.parquet"
        if mine and path.exists():
            found |= _scores(path, mine, rows)
    return found


def _scores(path: Path, names: Sequence[str], rows: int) -> Scores:
    found = {name: np.full(rows, np.nan) for name in names}
    with pq.ParquetFile(path) as file:
        if "scores" not in file.schema_arrow.names:  # written before there were any
            return found
        for batch in file.iter_batches(columns=["seq", "scores"]):
            seqs = batch.column("seq").to_numpy()
            for name, values in found.items():
                column = pc.map_lookup(batch.column("scores"), name, "first")
                values[seqs] = column.to_numpy(zero_copy_only=False)
    return found


def _apply(path: Path, name: str, kept: Kept, reused: bool) -> tuple[Labelled, list[int]]:
    """The counts of a stage and the rows that it dropped, which leave `kept`."""
    reasons: Counter[str] = Counter()
    left: list[int] = []
    seen, unexamined = _counts(path)
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(columns=["seq", "kept", "reason"]):
            for row in batch.filter(pa.array([not one for one in batch.column("kept").to_pylist()])).to_pylist():
                reasons[row["reason"] or "?"] += 1
                left.append(row["seq"])
    kept.set(left, False)
    done = Labelled(
        stage=name,
        seen=seen,
        kept=seen - len(left),
        dropped=len(left),
        reasons=dict(sorted(reasons.items())),
        unexamined=unexamined,
        reused=reused,
    )
    return done, left


def _mark(values: npt.NDArray[np.float64]) -> str:
    return hashlib.sha256(values.tobytes()).hexdigest()[:32]


def _counts(path: Path) -> tuple[int, int]:
    """Rows, and those of them that a gate could not examine."""
    seen = unexamined = 0
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(columns=["reason"]):
            seen += batch.num_rows
            unexamined += pc.sum(pc.equal(batch.column("reason"), UNEXAMINED)).as_py() or 0
    return seen, unexamined


def _key_of(path: Path) -> str | None:
    if not path.exists():
        return None
    metadata = pq.read_schema(path).metadata or {}
    found: bytes | None = metadata.get(_KEY)
    return found.decode() if found else None
