"""How many rows each form of dataset has, as far as that is known before they are read."""

import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.audit.datasets import open_dataset

LINES = b'{"problem": "a"}\n{"problem": "b"}\n{"problem": "c"}'  # the last without its end
CARD = """---
configs:
- config_name: metadata
  data_files: data/rows-*
dataset_info:
  config_name: metadata
  features: [{name: problem, dtype: string}]
  splits: [{name: train, num_bytes: 3, num_examples: 3}]
---
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The same three rows in every form."""
    (tmp_path / "a.jsonl").write_bytes(LINES)
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(LINES))
    table = pa.table({"problem": ["a", "b", "c"]})
    for name in ("c.parquet", "published/metadata/train-0.parquet", "hub/data/rows-0.parquet", "bare/rows.parquet"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, tmp_path / name)
    (tmp_path / "hub" / "README.md").write_text(CARD)
    return tmp_path


@pytest.mark.parametrize("name", ["a.jsonl", "b.jsonl.gz", "c.parquet", "published", "hub", "bare"])
def test_rows_are_counted_before_they_are_read(name: str, folder: Path) -> None:
    dataset = open_dataset(str(folder / name))
    assert [row["problem"] for row in dataset.rows(["problem"])] == ["a", "b", "c"]
    assert dataset.count() == (None if name == "bare" else 3)  # a folder that says nothing of itself
