"""Loads a written dataset back, in a clean process with a cache of its own, and compares it with what was written."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from curate import fault
from curate.errors import Failed
from curate.publish import reopen
from curate.publish.shards import Shards
from curate.run import full

# `load_dataset` writes a cache of several times the Parquet's size: above these bytes of a config, and for rows wider
# than a row group should be (it needs ten times such a row in memory), the row groups are streamed instead.
FULL_BYTES = 256 << 20


def expected(shards: Shards) -> dict[str, Any]:
    """What loading this config back must find."""
    return {"types": reopen.types_of(shards.schema), **shards.sums.to_dict()}


def check(folder: Path, configs: Mapping[str, Mapping[str, Any]], scratch: Path) -> None:
    """Load every config back and compare columns, order, types, rows, texts per column, first and last row.

    `scratch` is made, holds the loading library's cache, and is removed. Raises Failed where anything differs, and
    Stopped where only the disk was too full to load it.
    """
    wishes = [f"{config}:{_mode(folder / config, what['rows'])}" for config, what in configs.items()]
    scratch.mkdir()
    try:
        found = _reopen(folder, wishes, scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    for config, what in configs.items():
        for fact, value in what.items():
            # As JSON, because order counts for columns too.
            if json.dumps(found[config][fact]) != json.dumps(value):
                raise Failed(
                    f"the dataset does not load back as it was written: {fact} is {found[config][fact]}, not {value}",
                    where=f"config {config}",
                    next="this is a defect, or the disk lost data: check the disk, then run the same command again",
                )


def _mode(folder: Path, rows: int) -> str:
    paths = list(folder.glob("*.parquet"))
    widest = max((size for path in paths for size in _group_bytes(path)), default=0)
    small = sum(path.stat().st_size for path in paths) <= FULL_BYTES and widest <= reopen.PEEK_BYTES
    # An empty config has no row to cut a split from: the loading library opens it as a stream alone.
    return "full" if rows and small else "stream"


def _group_bytes(path: Path) -> list[int]:
    metadata = pq.read_metadata(path)
    return [metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups)]


def _reopen(folder: Path, wishes: list[str], scratch: Path) -> dict[str, Any]:
    log = scratch / "stderr"
    command = [sys.executable, "-P", str(Path(reopen.__file__).resolve()), str(folder.resolve()), *wishes]
    with log.open("wb") as stderr:
        # Its standard input stays open until it has answered: it ends by itself when this process dies or gives up.
        child = subprocess.Popen(
            command,
            cwd=scratch,
            env=_environment(scratch),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
        )
        fault.point("publish.check")
        with child:
            assert child.stdout is not None
            text = child.stdout.read()
    answer: dict[str, Any] = json.loads(text) if text.strip() else {"error": f"the process ended: {child.returncode}"}
    if answer.get("full"):
        raise full(str(scratch))
    if "error" in answer:
        tail = log.read_text("utf-8", "replace").strip().splitlines()[-1:] if not text.strip() else []
        raise Failed(
            f"the dataset cannot be loaded back: {' '.join([answer['error'], *tail])}",
            where=str(folder),
            next="the previous dataset, if any, still stands; run the same command again",
        )
    return answer


def _environment(scratch: Path) -> dict[str, str]:
    """Ours, with a cache of its own, offline, and nothing of the user's hub settings (or token)."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
    # The loading library would import whichever of the large frameworks is installed.
    return kept | {"HF_HOME": str(scratch), "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "USE_TORCH": "0",
                   "USE_TF": "0", "USE_JAX": "0", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
                   "PYTHONSAFEPATH": "1"}  # fmt: skip
