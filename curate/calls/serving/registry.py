"""A folder of endpoints: each server writes one small JSON file into it when it answers, and takes it away at its end.

    {"base_url": "http://node7:41873/v1", "model": "Qwen/QwQ-32B", "job": "812_3", "host": "node7",
     "started": 1764000000.0}

A server touches its file every `BEAT_S`; a file that nobody touched for `STALE_S` is left over from a server that was
killed, and is skipped. Whoever reads the folder sees servers come and go; no file in it is ever half written.
"""

import contextlib
import json
import os
import re
import time
from pathlib import Path
from typing import NamedTuple

from curate.calls.model import URL

BEAT_S = 15.0
STALE_S = 120.0
_PROBE = ".now"


class Registered(NamedTuple):
    """One server that answers."""

    base_url: str  # ends in /v1
    model: str  # the name that it goes by
    job: str = ""  # Slurm's job id, or `local`
    host: str = ""
    started: float = 0.0  # Unix time


def registered(folder: Path) -> tuple[Registered, ...]:
    """The servers that answer now, by file name; empty where there is no such folder.

    A file that is no such record is skipped, whatever it holds. Raises OSError where the folder cannot be read now.
    """
    now = _now(folder)
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            if now - path.stat().st_mtime <= STALE_S:
                found.append(_read(path.read_text("utf-8")))
        except (OSError, ValueError, TypeError):  # gone meanwhile, or no such record
            continue
    return tuple(found)


def register(folder: Path, name: str, server: Registered) -> Path:
    """Write a server's file, all or nothing; returns its path, to be touched and at last removed."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    partial = folder / f".{name}.{os.getpid()}.tmp"
    partial.write_text(json.dumps(server._asdict()), "utf-8")
    partial.replace(path)
    return path


def _read(text: str) -> Registered:
    fields = json.loads(text)
    if not isinstance(fields, dict):
        raise ValueError("no endpoint")
    url, model = fields.get("base_url"), fields.get("model") or ""
    if not isinstance(url, str) or not re.fullmatch(URL, url) or not isinstance(model, str):
        raise ValueError("no endpoint")
    known = {name: fields[name] for name in ("job", "host", "started") if name in fields}
    return Registered(url, model, **known)


def _now(folder: Path) -> float:
    """The time by the file system's clock, which need not be this machine's."""
    with contextlib.suppress(OSError):
        probe = folder / _PROBE
        probe.touch()
        return probe.stat().st_mtime
    return time.time()
