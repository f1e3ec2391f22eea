"""Writes a dataset's conversations in another trace format; no teacher is asked."""

import json
import os
import shutil
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path

import pyarrow as pa

from curate.errors import InputError
from curate.publish.columns import TURNS
from curate.publish.rows import Told, read_traces
from curate.publish.shards import Shards
from curate.publish.traces import TraceFormat, trace_format
from curate.run import usable

_SCHEMA = pa.schema([("system", pa.string()), ("conversations", TURNS)])
_ROWS = 64
_ONE_FILE = 1 << 62


def render_dataset(source: Path, trace_format_name: str, out: Path) -> dict[str, int]:
    """Write `system` and `conversations` of every row of `source` to `out` (`.jsonl` or `.parquet`), in order.

    `source` is a `.jsonl`, `.jsonl.gz` or `.parquet` file, a dataset folder or a hub id; `out` appears only when it is
    complete. A killed call leaves `OUT.state/`, and the next one begins again: rendering is cheap. Returns the counts
    `rows` and `without_reasoning`. Raises InputError.
    """
    wanted = trace_format(trace_format_name)
    _check_out(source, out)
    state = out.with_name(out.name + ".state")
    counts = {"rows": 0, "without_reasoning": 0}
    rows = _conversations(read_traces(source), wanted, source, counts)
    first = list(islice(rows, 1))  # before anything is written: most errors show here
    with usable(out.parent):
        shutil.rmtree(state, ignore_errors=True)
        state.mkdir(parents=True)
        try:
            write = _write_jsonl if out.suffix == ".jsonl" else _write_parquet
            done = write(chain(first, rows), state, wanted.system)
            with done.open("rb") as file:
                os.fsync(file.fileno())
            done.replace(out)
        finally:
            shutil.rmtree(state, ignore_errors=True)
    return counts


def _check_out(source: Path, out: Path) -> None:
    if out.suffix not in (".jsonl", ".parquet"):
        raise InputError("the output must end in .jsonl or .parquet", where=str(out))
    if out.is_dir():
        raise InputError("the output is a folder", where=str(out), next="name a file")
    if out.exists() and source.exists() and out.samefile(source):
        raise InputError("the output is the input", where=str(out), next="name another file")


def _conversations(
    told: Iterable[Told], wanted: TraceFormat, source: Path, counts: dict[str, int]
) -> Iterator[tuple[str, str]]:
    for row in told:
        if row.reasoning_lost and wanted.needs_reasoning:
            raise InputError(
                f"its rows hold no reasoning any more, which {wanted.name} needs",
                where=str(source),
                next="render from the published dataset, whose config `metadata` keeps it",
            )
        counts["rows"] += 1
        counts["without_reasoning"] += row.trace.reasoning is None
        yield row.user, wanted.render(row.trace, row.problem, row.domain)


def _write_jsonl(rows: Iterable[tuple[str, str]], state: Path, system: str | None) -> Path:
    path = state / "rows.jsonl"
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for user, assistant in rows:
            file.write(json.dumps({"system": system, "conversations": _turns(user, assistant)}, ensure_ascii=False))
            file.write("\n")
    return path


def _write_parquet(rows: Iterable[tuple[str, str]], state: Path, system: str | None) -> Path:
    shards = Shards(state / "rows", _SCHEMA, _ONE_FILE)
    remaining = iter(rows)
    try:
        while part := list(islice(remaining, _ROWS)):
            conversations = pa.array([_turns(user, assistant) for user, assistant in part], TURNS)
            systems = pa.array([system] * len(part), pa.string())
            shards.add(pa.Table.from_arrays([systems, conversations], schema=_SCHEMA))
        shards.close()
    finally:
        shards.abandon()
    return state / "rows" / "train-00000.parquet"


def _turns(user: str, assistant: str) -> list[dict[str, str]]:
    return [{"from": "user", "value": user}, {"from": "assistant", "value": assistant}]
