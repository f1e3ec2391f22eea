"""Reads the traces of any published dataset, ours or another's, row by row and without what rendering does not need.

Understood are rows with one `<prefix>_reasoning` and one `<prefix>_solution` column (the config `metadata`), and rows
with `conversations` of one user and one assistant turn in a known trace format.
"""

import codecs
import gzip
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from curate.errors import InputError
from curate.publish.traces import Trace, TraceFormat, detect
from curate.publish.turns import user_turn
from curate.sources.files import Place
from curate.sources.jsonl import parse

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_ROWS = 64  # rows held at a time; a trace is up to 130 KB
_USER, _ASSISTANT = ("user", "human"), ("assistant", "gpt")


class Told(NamedTuple):
    """One row: what the user says, what the teacher wrote, and whether its reasoning is lost rather than absent."""

    user: str
    problem: str
    domain: str | None
    trace: Trace
    reasoning_lost: bool = False


class Rows(NamedTuple):
    """A readable dataset: its columns, and its rows as mappings of the asked columns with a place for messages."""

    columns: Sequence[str]
    read: Iterable[tuple[str, Mapping[str, Any]]]


def read_traces(source: Path) -> Iterator[Told]:
    """Yield the rows of a `.jsonl`, `.jsonl.gz` or `.parquet` file, a dataset folder or a hub id, in order.

    Raises InputError for a source that is not there, has other columns or holds a broken row.
    """
    found = open_rows(source)
    names = list(found.columns)
    reasoning = [name for name in names if name.endswith("_reasoning")]
    solution = [name for name in names if name.endswith("_solution") and name != "ground_truth_solution"]
    if len(reasoning) == 1 and len(solution) == 1 and "problem" in names:
        for place, row in found.read:
            yield _apart(row, reasoning[0], solution[0], place)
    elif len(reasoning) > 1 or len(solution) > 1:
        several = reasoning if len(reasoning) > 1 else solution
        raise InputError(f"several teachers: {', '.join(several)}", where=str(source), next="keep the columns of one")
    elif "conversations" in names:
        known: TraceFormat | None = None
        for place, row in found.read:
            user, text = _turns(row, place)
            known = known or detect(text)
            yield _rendered(user, text, known, place)
    else:
        raise InputError(
            f"no traces in its columns: {', '.join(names) or 'none'}",
            where=str(source),
            next="expected problem, <prefix>_reasoning and <prefix>_solution, or conversations",
        )


def _apart(row: Mapping[str, Any], reasoning: str, solution: str, place: str) -> Told:
    problem = _text(row, "problem", place)
    trace = Trace(_optional(row, reasoning, place) or None, _text(row, solution, place))
    user = user_turn(problem, _optional(row, "starter_code", place))
    return Told(user, problem, _optional(row, "domain", place), trace)


def _rendered(user: str, text: str, known: TraceFormat, place: str) -> Told:
    try:
        trace = known.parse(text)
    except ValueError as error:
        raise InputError(
            f"{error}, as the first row is", where=place, next="render each trace format on its own"
        ) from error
    return Told(user, user, None, trace, reasoning_lost=not known.needs_reasoning)


def _turns(row: Mapping[str, Any], place: str) -> tuple[str, str]:
    turns = row.get("conversations")
    try:
        (user, user_text), (assistant, text) = ((turn["from"], turn["value"]) for turn in turns or ())
        if user in _USER and assistant in _ASSISTANT and isinstance(user_text, str) and isinstance(text, str):
            return _encodable(user_text, place), _encodable(text, place)
    except (TypeError, ValueError, KeyError):
        pass
    raise InputError(
        "conversations is not one user and one assistant turn of {from, value}",
        where=place,
        next="longer conversations hold no single trace: take them out",
    )


def _optional(row: Mapping[str, Any], name: str, place: str) -> str | None:
    value = row.get(name)
    if value is not None and not isinstance(value, str):
        raise InputError(f"column '{name}': expected text, found {type(value).__name__}", where=place)
    return None if value is None else _encodable(value, place)


def _encodable(text: str, place: str) -> str:
    # JSON can spell half of a surrogate pair; no UTF-8 file and no Arrow text can hold it.
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise InputError(f"not a Unicode text: {error.reason}", where=place, next="take the row out") from error
    return text


def _text(row: Mapping[str, Any], name: str, place: str) -> str:
    value = _optional(row, name, place)
    if value is None:
        raise InputError(f"column '{name}' is null", where=place, next="take the row out, or fill it in")
    return value


def open_rows(source: Path) -> Rows:
    """Open what `read_traces` reads, whatever its columns; a Parquet file without `test_cases`. Raises InputError."""
    if source.is_dir():
        # Our own layout is read as Parquet: it needs no cache, and of `metadata` never the tests.
        own = sorted((source / "metadata").glob("*.parquet")) or sorted((source / "default").glob("*.parquet"))
        if not own and (source / "recipe.lock.yaml").is_file():
            raise InputError(
                "this is the folder of a run, not a dataset",
                where=str(source),
                next=f"did you mean {source / 'dataset'}?"
                if (source / "dataset").is_dir()
                else "nothing was published in it yet",
            )
        return _parquet(own) if own else _loaded(str(source))
    if source.is_file() and source.suffix == ".parquet":
        return _parquet([source])
    if source.is_file() and source.name.endswith((".jsonl", ".jsonl.gz")):
        return _jsonl(source)
    if source.is_file():
        raise InputError("not a dataset file", where=str(source), next="expected .jsonl, .jsonl.gz or .parquet")
    if _HUB_ID.fullmatch(str(source)) and not source.name.endswith((".jsonl", ".gz", ".parquet")):
        return _loaded(str(source))
    raise InputError("there is no such file or folder", where=str(source), next="check the path")


def _jsonl(path: Path) -> Rows:
    rows = _lines(path)
    first = next(rows, None)
    if first is None:
        raise InputError("the file is empty", where=str(path), next="check that the right file is named")

    def again() -> Iterator[tuple[str, Mapping[str, Any]]]:
        yield first
        yield from rows

    return Rows(list(first[1]), again())


def _lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    number = 0
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                place = Place(str(path), number)
                if not line.isspace():
                    yield str(place), parse(line.removeprefix(codecs.BOM_UTF8) if number == 1 else line, place)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(
            f"the gzip data is damaged or ends too early ({error})", where=f"{path}:{number + 1}", next="copy it again"
        ) from error


def _parquet(paths: Sequence[Path]) -> Rows:
    try:
        columns = pq.read_schema(paths[0]).names
    except pa.ArrowInvalid as error:
        raise InputError(f"not a Parquet file: {error}", where=str(paths[0]), next="copy or write it again") from error
    wanted = [name for name in columns if name != "test_cases"]  # up to hundreds of megabytes a row

    def read() -> Iterator[tuple[str, Mapping[str, Any]]]:
        for path in paths:
            number = 0
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(batch_size=_ROWS, columns=wanted):
                    for row in batch.to_pylist():
                        yield f"{path}, row {number}", row
                        number += 1

    return Rows(wanted, read())


def _loaded(name: str) -> Rows:
    try:
        data = _load(name)
    except Exception as error:  # boundary to `datasets`, which raises whatever its readers raise
        what = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(
            f"`datasets` cannot open it ({type(error).__name__}): {what}", where=name, next="check its name"
        ) from error

    def read() -> Iterator[tuple[str, Mapping[str, Any]]]:
        number = -1
        try:
            for number, row in enumerate(data):
                yield f"{name}, row {number}", row
        except InputError:
            raise
        except Exception as error:  # boundary to `datasets`, which raises whatever its readers raise
            raise InputError(f"`datasets` cannot read it: {error}", where=f"{name}, row {number + 1}") from error

    return Rows(list(data.features), read())


def _load(name: str) -> Any:
    from datasets import get_dataset_config_names, load_dataset

    config = "metadata" if "metadata" in get_dataset_config_names(name) else None
    data = load_dataset(name, config, split="train", streaming=True)
    return data if data.features is not None else data._resolve_features()
