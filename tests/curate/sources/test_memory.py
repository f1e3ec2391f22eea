"""A row of 60 MB passes in a small multiple of its size, and a long file in none."""

import subprocess
import sys
from pathlib import Path

import pytest

ROW = 60_000_000  # characters

# Peak memory of reading, over what the process took before, in megabytes. The question is let go of, as ingest does.
SCRIPT = """
import re, sys
from pathlib import Path
from curate.plug import find

def peak():  # of this program alone: ru_maxrss begins with what the parent had when it forked
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024

cls = find("curate.sources", sys.argv[1])
source = cls(path=Path(sys.argv[2]), domain="code", columns={"tests": "test_cases"})
before = peak()
rows = longest = 0
for item in source.read():
    rows += 1
    longest = max(longest, len(item.truth.cases))
    del item
print(rows, longest, peak() - before)
"""


def measure(kind: str, path: Path) -> tuple[int, int, float]:
    done = subprocess.run(
        [sys.executable, "-P", "-c", SCRIPT, kind, str(path)], capture_output=True, text=True, check=True
    )
    rows, longest, megabytes = done.stdout.split()
    return int(rows), int(longest), float(megabytes)


@pytest.mark.parametrize("zipped", [False, True])
def test_large_rows_of_json_lines(tmp_path: Path, zipped: bool) -> None:
    import gzip

    path = tmp_path / ("x.jsonl.gz" if zipped else "x.jsonl")
    piece = b'[1, 2]\\n\\"x\\" '
    with gzip.open(path, "wb", compresslevel=1) if zipped else path.open("wb") as file:
        for number in range(3):
            file.write(b'{"problem": "p%d", "test_cases": "' % number)
            for _ in range(ROW // len(piece) // 1000):
                file.write(piece * 1000)
            file.write(b'"}\n')
    rows, longest, megabytes = measure("jsonl", path)
    assert rows == 3
    assert longest > 0.7 * ROW
    assert megabytes < 2.5 * ROW / 1e6


def test_large_rows_of_parquet(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "x.parquet"
    cases = "[1, 2] x " * (ROW // 9)
    with pq.ParquetWriter(path, pa.schema([("problem", pa.string()), ("test_cases", pa.string())])) as writer:
        for number in range(3):
            writer.write_table(pa.table({"problem": [f"p{number}"], "test_cases": [cases]}))
    rows, longest, megabytes = measure("parquet", path)
    assert (rows, longest) == (3, len(cases))
    assert megabytes < 6.5 * ROW / 1e6  # pyarrow holds about five copies while it decodes a value, we one


def test_many_rows_take_no_more_than_few(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    with path.open("wb") as file:
        for number in range(20_000):
            file.write(b'{"problem": "p%d", "test_cases": "%s"}\n' % (number, b"x" * 4000))
    rows, _, megabytes = measure("jsonl", path)  # 80 MB in all
    assert rows == 20_000
    assert megabytes < 25
