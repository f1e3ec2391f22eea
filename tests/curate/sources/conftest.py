"""Files that sources read: written by the tests, broken on purpose where a test asks for it."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def lines(tmp_path: Path) -> Callable[..., Path]:
    """Write rows (objects, or raw bytes as they are) as JSON lines; a name ending in `.gz` is compressed."""

    def write(*rows: Any, name: str = "rows.jsonl") -> Path:
        body = b"".join((row if isinstance(row, bytes) else json.dumps(row).encode()) + b"\n" for row in rows)
        path = tmp_path / name
        path.write_bytes(gzip.compress(body) if name.endswith(".gz") else body)
        return path

    return write
