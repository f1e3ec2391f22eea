"""The questions table of a run: the only copy of problems and tests, in `seq` order.

Parquet, row groups cut by content bytes, so that a reader holds one group (about 32 MB, or one row larger than that)
at a time. Columns keep what publishing needs (`answer`, `test_cases`) apart, so that it can move them without
parsing anything.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

import pyarrow as pa
import pyarrow.parquet as pq

from curate.errors import InputError
from curate.records import Answer, Choice, Question, Reference, Tests, Truth

GROUP_BYTES = 32 << 20
SHARD_BYTES = 512 << 20
GROUP_ROWS = 4096

SCHEMA = pa.schema(
    [
        pa.field("seq", pa.int64(), nullable=False),
        *(
            pa.field(name, pa.string())
            for name in (
                "id", "truth_key", "problem", "domain", "source", "source_id", "licence", "starter_code",
                "truth_type", "gold", "answer", "test_cases", "truth", "meta",
            )
        ),
    ]
)  # fmt: skip
_REPEATED = ["domain", "source", "licence", "truth_type"]  # worth a dictionary; texts are not


class QuestionWriter:
    """Writes questions in the order given: `add` takes one, `cut` writes what is a row group by now, `close` the rest.

    `cut` stands apart from `add` so that the caller can let go of a question of 200 MB before Arrow copies it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._rows: list[dict[str, Any]] = []
        self._bytes = 0
        self._shard_bytes = 0
        self._shards = 0
        self._writer: pq.ParquetWriter | None = None

    def add(self, question: Question) -> None:
        """Add one question."""
        row = _to_row(question)
        size = sum(len(value) for value in row.values() if isinstance(value, str))
        if size > 1 << 30:
            raise InputError(
                f"one question of {size >> 20} MB is more than a Parquet row can safely hold (1024 MB)",
                where=f"{question.source}/{question.source_id}",
                next="cut its test cases, or filter it out in the source",
            )
        if self._rows and self._bytes + size > GROUP_BYTES:
            self._cut()
        self._rows.append(row)
        self._bytes += size

    def cut(self) -> None:
        """Write a row group, if one is full."""
        if self._bytes > GROUP_BYTES or len(self._rows) >= GROUP_ROWS:
            self._cut()

    def close(self) -> None:
        """Write what is left and finish the last shard."""
        self._cut()
        if self._writer is None:  # no question at all: still a table
            self._open()
        if self._writer is not None:
            self._writer.close()

    def _cut(self) -> None:
        if not self._rows:
            return
        if self._writer is None or self._shard_bytes > SHARD_BYTES:
            self._open()
        assert self._writer is not None
        rows, self._rows = self._rows, []
        # Column by column, letting go of each Python text once Arrow has its copy: a row may hold 200 MB.
        columns = [pa.array([row.pop(field.name) for row in rows], field.type) for field in SCHEMA]
        self._writer.write_table(pa.Table.from_arrays(columns, schema=SCHEMA), row_group_size=len(rows))
        self._shard_bytes += self._bytes
        self._bytes = 0

    def _open(self) -> None:
        if self._writer is not None:
            self._writer.close()
        path = self._folder / f"part-{self._shards:05d}.parquet"
        self._writer = pq.ParquetWriter(
            path,
            SCHEMA,
            compression="zstd",
            use_dictionary=_REPEATED,
            write_statistics=["seq"],
            data_page_version="2.0",  # compresses a page without another copy of it
        )
        self._shards += 1
        self._shard_bytes = 0


class QuestionTable:
    """Reads the questions of a run, one row group at a time."""

    def __init__(self, folder: Path) -> None:
        self._paths = sorted(folder.glob("part-*.parquet"))
        self._counts = [pq.read_metadata(path).num_rows for path in self._paths]

    def __len__(self) -> int:
        return sum(self._counts)

    def groups(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Yield the table group by group, in `seq` order, with the named columns (None: all)."""
        for path in self._paths:
            with pq.ParquetFile(path) as file:
                for group in range(file.num_row_groups):
                    yield file.read_row_group(group, columns=list(columns) if columns is not None else None)

    def questions(self) -> Iterator[Question]:
        """Yield the questions themselves, in `seq` order."""
        for group in self.groups():
            yield from questions_of(group)
            del group


def questions_of(group: pa.Table, *, tests: bool = True) -> Iterator[Question]:
    """The questions of a row group (all columns), in order; `tests` False gives them without their test cases."""
    names = [name for name in SCHEMA.names if tests or name != "test_cases"]
    for row in range(group.num_rows):
        yield _from_row({name: group.column(name)[row].as_py() for name in names})


def _to_row(question: Question) -> dict[str, Any]:
    rest = question.truth.model_dump(mode="json", exclude={"cases"})
    kind = rest.pop("type")
    answer = None
    if isinstance(question.truth, Answer | Reference):
        answer = rest.pop("text")
    elif isinstance(question.truth, Choice):
        answer = rest.pop("letter")
    tests = question.truth.cases if isinstance(question.truth, Tests) else None
    return {
        **question.model_dump(exclude={"truth", "meta"}),
        "truth_type": kind,
        "answer": answer,
        "test_cases": tests,
        "truth": _text(rest),
        "meta": _text(question.meta),
    }


def _from_row(row: dict[str, Any]) -> Question:
    truth: dict[str, Any] = {**json.loads(row.pop("truth")), "type": row.pop("truth_type")}
    answer, tests = row.pop("answer"), row.pop("test_cases", None)
    if truth["type"] == "choice":
        truth["letter"] = answer
    elif answer is not None:
        truth["text"] = answer
    if truth["type"] == "tests":
        truth["cases"] = tests or ""
    return Question(**{**row, "meta": json.loads(row["meta"])}, truth=_TRUTHS[truth["type"]](**truth))


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


_TRUTHS: dict[str, type[Any]] = {cls.model_fields["type"].default: cls for cls in get_args(get_args(Truth)[0])}
