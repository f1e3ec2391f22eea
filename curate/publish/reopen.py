"""Opens a dataset folder with `datasets` alone and says what is in it; run as a script in a clean process.

Only the standard library is imported up here and nothing of ours anywhere, so that the same file also runs in an
environment that holds nothing but `datasets`. Usage: `python -P reopen.py FOLDER CONFIG:full CONFIG:stream ...`; one
JSON object comes out: per config its columns, types, rows, and sums over its content (see `Sums`). `full` loads the
config with `load_dataset`; `stream` opens it as a stream and reads every row group, without a cache on the disk.
"""

import errno
import hashlib
import json
import os
import sys
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

PEEK_BYTES = 64 << 20
_CHUNK = 1 << 20  # characters encoded at a time, so that a huge text is not copied whole


def row_digest(values: Iterable[Any]) -> str:
    """Hash one row: None, int, str (or its UTF-8 as a memoryview), and lists and dicts of these."""
    state = hashlib.sha256()
    for value in values:
        _feed(state, value)
    return state.hexdigest()[:32]


def _feed(state: Any, value: Any) -> None:
    if isinstance(value, memoryview):
        state.update(value)
        state.update(b";s")
    elif isinstance(value, str):
        for start in range(0, len(value), _CHUNK):
            state.update(value[start : start + _CHUNK].encode())
        state.update(b";s")
    elif isinstance(value, list):
        for item in value:
            _feed(state, item)
        state.update(b";l%d" % len(value))
    elif isinstance(value, Mapping):
        for key in sorted(value):
            _feed(state, key)
            _feed(state, value[key])
        state.update(b";d")
    else:
        state.update(f"{value!r};".encode())


class Sums:
    """Characters and nulls per column (of `conversations`: characters of its texts; of integers: their sum)."""

    def __init__(self, names: Iterable[str]) -> None:
        self.rows = 0
        self.sums = dict.fromkeys(names, 0)
        self.nulls = dict.fromkeys(self.sums, 0)
        self.first: str | None = None
        self.last: str | None = None

    def add_column(self, name: str, chunk: Any) -> None:
        """Count one Arrow array of a column (its rows are counted by the caller)."""
        import pyarrow as pa
        import pyarrow.compute as pc

        self.nulls[name] += chunk.null_count
        if pa.types.is_list(chunk.type) or pa.types.is_large_list(chunk.type):
            chunk = chunk.flatten().field("value")
        amounts = chunk if pa.types.is_integer(chunk.type) else pc.utf8_length(chunk)
        self.sums[name] += pc.sum(amounts).as_py() or 0

    def to_dict(self) -> dict[str, Any]:
        """All of it, as JSON can hold it."""
        return vars(self)


def types_of(schema: Any) -> dict[str, str]:
    """Arrow types by column, without the name of list items, which differs between versions."""
    return {field.name: str(field.type).replace("<element:", "<item:") for field in schema}


def _full(folder: str, config: str) -> dict[str, Any]:
    import pyarrow as pa
    from datasets import load_dataset

    data = load_dataset(folder, config, split="train")
    sums = Sums(data.column_names)
    sums.rows = len(data)
    for cached in data.cache_files:
        # Read, not mapped as `data` is: mapped pages would count as this process's memory, gigabytes of them.
        with pa.OSFile(cached["filename"]) as file, pa.ipc.open_stream(file) as batches:
            for batch in batches:
                for name in data.column_names:
                    sums.add_column(name, batch.column(name))
    sums.first, sums.last = row_digest(data[0].values()), row_digest(data[-1].values())
    return {"types": types_of(data.features.arrow_schema), **sums.to_dict()}


def _stream(folder: str, config: str) -> dict[str, Any]:
    import pyarrow.parquet as pq
    from datasets import load_dataset

    data = load_dataset(folder, config, split="train", streaming=True)
    paths = sorted(Path(folder, config).glob("train-*.parquet"))
    group = pq.read_metadata(paths[0])
    # One row through the loading library, unless it is one of those that would cost gigabytes as Python objects.
    if group.num_rows and group.row_group(0).total_byte_size <= PEEK_BYTES:
        next(iter(data))
    features = data.features or data._resolve_features().features
    sums = Sums(features)
    for path in paths:
        with pq.ParquetFile(path) as file:
            for number in range(file.num_row_groups):
                _add_group(sums, file, number)
    return {"types": types_of(features.arrow_schema), **sums.to_dict()}


def _add_group(sums: Sums, file: Any, number: int) -> None:
    # Column by column: a group can be one row of hundreds of megabytes.
    first, last = [], []
    for name in sums.sums:
        column = file.read_row_group(number, columns=[name]).column(0)
        for chunk in column.chunks:
            sums.add_column(name, chunk)
        first.append(plain(column[0]))
        last.append(plain(column[-1]))
    sums.rows += len(column)
    if sums.first is None:
        sums.first = row_digest(first)
    sums.last = row_digest(last)


def plain(scalar: Any) -> Any:
    """An Arrow scalar as `row_digest` takes it; a text is not copied."""
    return memoryview(scalar.as_buffer()) if scalar.is_valid and hasattr(scalar, "as_buffer") else scalar.as_py()


def _die_with_parent() -> None:
    """End when the other end of standard input closes: a killed publisher leaves no process behind."""

    def watch() -> None:
        while os.read(0, 4096):
            pass
        os._exit(3)

    threading.Thread(target=watch, daemon=True).start()


def _disk_full(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        error = error.__cause__ or error.__context__
    return False


def main(arguments: list[str]) -> int:
    """Print what each config holds, or `{"error": ..., "full": disk full}`."""
    folder, *wishes = arguments
    _die_with_parent()
    answer: dict[str, Any] = {}
    config = ""
    try:
        for wish in wishes:
            config, _, mode = wish.partition(":")
            answer[config] = {"full": _full, "stream": _stream}[mode](folder, config)
    # Boundary: whatever a foreign library raises is the answer to "can it be loaded back".
    except Exception as error:  # noqa: BLE001 - the loading library
        answer = {"error": f"config {config}: {type(error).__name__}: {error}", "full": _disk_full(error)}
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
    return 1 if "error" in answer else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) if Path(sys.argv[1]).is_dir() else 2)
