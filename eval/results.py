"""The results of one evaluation of one model: where they lie, and `results.parquet`, one row a sample.

The file is written whole or not at all, in the order of (bench, seq, run), and holds the texts once; whoever needs only
outcomes names their columns and never reads a text.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import pyarrow as pa
import pyarrow.parquet as pq

from curate.errors import InputError

RESULTS = "results.parquet"
PROTOCOL = "protocol.lock.yaml"
SCORES = "scores.json"

SCHEMA = pa.schema(
    [
        pa.field("bench", pa.string(), nullable=False),
        pa.field("version", pa.string(), nullable=False),
        pa.field("question_id", pa.string(), nullable=False),
        pa.field("seq", pa.int64(), nullable=False),  # its place in the benchmark, from 0
        pa.field("run", pa.int32(), nullable=False),  # 0 to n - 1
        pa.field("seed", pa.int64()),  # as it was sent; null: none was
        pa.field("source", pa.string()),
        pa.field("topic", pa.string()),  # what the source says of it: subject, level, difficulty...
        pa.field("outcome", pa.string(), nullable=False),  # ours: pass, fail, unsure, error
        pa.field("reason", pa.string(), nullable=False),
        pa.field("evalchemy", pa.bool_()),  # its grading; null: it has none for this benchmark, or no reply came
        pa.field("answer", pa.string()),  # what our verifier took for the answer
        pa.field("answer_class", pa.int32()),  # equal numbers within a question: equal answers; null: no answer
        pa.field("evalchemy_answer", pa.string()),
        pa.field("finish_reason", pa.string(), nullable=False),  # stop, length, refused, empty, malformed, failed
        pa.field("prompt_tokens", pa.int64()),
        pa.field("output_tokens", pa.int64()),
        pa.field("problem", pa.string()),
        pa.field("reference", pa.string()),  # null where it is no text of a sane size (test cases)
        pa.field("reasoning", pa.string()),
        pa.field("solution", pa.string()),
        pa.field("private", pa.bool_(), nullable=False),  # its authors ask that nobody shows it: never print it
        pa.field("prompt_hash", pa.string()),
        pa.field("model_returned", pa.string()),
        pa.field("cost_usd", pa.float64()),
        pa.field("request_key", pa.string()),
        pa.field("score", pa.float64()),  # of the model that `eval.reward` names; null: none, or no reply
        pa.field("similarity", pa.float64()),  # 0 to 1, to the nearest row of the training set; null: not measured
        pa.field("near_row", pa.string()),  # which row of the training set that is
    ]
)
TEXTS = ("problem", "reference", "reasoning", "solution")
SCALARS = tuple(name for name in SCHEMA.names if name not in TEXTS)
OUTCOMES = ("pass", "fail", "unsure", "error")
_GROUP_ROWS, _GROUP_CHARS = 4096, 32 << 20


def slug(model: str) -> str:
    """The folder name of a model that a recipe names: its characters that a file name may hold, at most 80."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", model).strip("-.")[:80] or "model"


def folder_of(root: Path, recipe: str, model: str) -> Path:
    """Where the results of a model lie: `<root>/runs/<recipe>/eval/<model>/`."""
    return root / "runs" / recipe / "eval" / slug(model)


class ResultWriter:
    """Writes `results.parquet` into a folder; use as a context manager: an error inside leaves the old file alone."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / RESULTS
        self._draft = folder / f".{RESULTS}.tmp"
        self._rows: list[dict[str, Any]] = []
        self._chars = 0
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> Self:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._writer = pq.ParquetWriter(self._draft, SCHEMA, compression="zstd")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._writer is not None
        if kind is None:
            self._cut()
        self._writer.close()
        if kind is None:
            self._draft.replace(self._path)
        else:
            self._draft.unlink(missing_ok=True)

    def add(self, row: dict[str, Any]) -> None:
        """Add one sample: the columns of `SCHEMA`; one that is left out is null."""
        strange = row.keys() - set(SCHEMA.names)
        if strange:
            raise ValueError(f"no column of results: {', '.join(sorted(strange))}")
        self._rows.append(row)
        self._chars += sum(len(row.get(name) or "") for name in TEXTS)
        if len(self._rows) >= _GROUP_ROWS or self._chars >= _GROUP_CHARS:
            self._cut()

    def _cut(self) -> None:
        if self._rows and self._writer is not None:
            self._writer.write_table(pa.Table.from_pylist(self._rows, schema=SCHEMA))
        self._rows, self._chars = [], 0


def results_file(folder: Path) -> Path:
    """The results in a folder, or the file itself. Raises InputError where there are none."""
    path = folder if folder.suffix == ".parquet" else folder / RESULTS
    if not path.is_file():
        raise InputError("no results of an evaluation lie here", where=str(folder), next="start: veristill eval RECIPE")
    return path


def read_results(folder: Path, columns: Sequence[str] | None = SCALARS) -> pa.Table:
    """The results in a folder, by default without texts. Raises InputError for what is no file of results."""
    path = results_file(folder)
    try:
        with pq.ParquetFile(path) as file:
            lacking = [name for name in SCHEMA.names if name not in file.schema_arrow.names]
            if lacking:
                raise InputError(f"no results of an evaluation: no column '{lacking[0]}'", where=str(path))
            return file.read(columns=list(columns) if columns is not None else None)
    except pa.ArrowInvalid as error:
        raise InputError(f"this is no Parquet file: {error}", where=str(path)) from None


def groups(folder: Path, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """The same row group by row group (about 32 MB of text each), for what reads texts."""
    with pq.ParquetFile(results_file(folder)) as file:
        for group in range(file.num_row_groups):
            yield file.read_row_group(group, columns=list(columns) if columns is not None else None)


class Samples(NamedTuple):
    """The outcomes of one benchmark, question by question: `rows[q][r]` is run r of question q."""

    bench: str
    question_ids: tuple[str, ...]
    rows: tuple[tuple[dict[str, Any], ...], ...]


def by_question(table: pa.Table) -> list[Samples]:
    """The rows of a table of results by benchmark (`name@version`) and question, runs in order."""
    found: dict[str, dict[tuple[int, str], list[dict[str, Any]]]] = {}
    for row in table.to_pylist():
        bench = found.setdefault(f"{row['bench']}@{row['version']}", {})
        bench.setdefault((row["seq"], row["question_id"]), []).append(row)
    made = []
    for bench_name, questions in found.items():
        ordered = sorted(questions)
        rows = tuple(tuple(sorted(questions[key], key=lambda row: int(row["run"]))) for key in ordered)
        made.append(Samples(bench_name, tuple(id_ for _, id_ in ordered), rows))
    return made
