"""The written dataset: columns, content, determinism, cuts by bytes, the swap."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.errors import Failed, Stopped
from curate.publish import loadback, place, shards
from curate.publish.publish import Publish
from curate.publish.shards import Shards
from curate.publish.traces import OPENTHOUGHTS, OPENTHOUGHTS_SYSTEM, THINK, Trace
from curate.publish.writer import DatasetWriter, Published
from curate.records import Answer, Question
from tests.curate.publish import build

METADATA = [
    "problem", "ground_truth_solution", "test_cases", "starter_code", "deepseek_reasoning", "deepseek_solution",
    "domain", "source",
]  # fmt: skip


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build.write(tmp_path_factory.mktemp("run") / "dataset", Publish(preset="openthoughts")).path


def read(dataset: Path, config: str) -> pa.Table:
    return pa.concat_tables([pq.ParquetFile(path).read() for path in sorted((dataset / config).glob("*.parquet"))])


def test_columns_order_and_types(dataset: Path) -> None:
    metadata = read(dataset, "metadata")
    assert metadata.column_names == METADATA
    assert set(metadata.schema.types) == {pa.string()}
    assert metadata.schema.metadata is None
    assert read(dataset, "unverified").column_names == [
        "question_id", "sample", "problem", "domain", "source", "source_id", "licence", "deepseek_reasoning",
        "deepseek_solution", "finish_reason", "outcome", "reason", "verifier", "verifier_version", "evidence",
    ]  # fmt: skip
    assert read(dataset, "provenance").column_names == [
        "question_id", "attempt_id", "source_revision", "licence", "model", "keys",
    ]  # fmt: skip
    assert read(dataset, "default").column_names == ["system", "conversations"]


def test_metadata_content(dataset: Path) -> None:
    rows = read(dataset, "metadata").to_pylist()
    assert [row["ground_truth_solution"] for row in rows] == ["2", "Weil 42.", None, "B", None]
    assert [row["test_cases"] is not None for row in rows] == [False, False, True, False, False]
    assert rows[2]["starter_code"] == "def add(a, b):\n"
    assert rows[0]["deepseek_reasoning"] == build.MARKERS
    assert rows[3]["deepseek_reasoning"] is None
    assert rows[4]["problem"] == "Explain\0 light."
    assert [row["source"] for row in rows] == ["sums", "sums", "puzzles|<b>", "riddles", "essays"]


def test_default_holds_the_conversation(dataset: Path) -> None:
    rows = read(dataset, "default").to_pylist()
    assert {row["system"] for row in rows} == {OPENTHOUGHTS_SYSTEM}
    assert [turn["from"] for turn in rows[0]["conversations"]] == ["user", "assistant"]
    assert OPENTHOUGHTS.parse(rows[0]["conversations"][1]["value"]) == Trace(build.MARKERS, "It is 0.")
    assert rows[2]["conversations"][0]["value"] == "Write add.\n\ndef add(a, b):\n"


def test_provenance_is_aligned_with_metadata(dataset: Path) -> None:
    made = build.questions()
    rows = read(dataset, "provenance").to_pylist()
    assert [row["question_id"] for row in rows] == [question.id for question in made]
    assert rows[0]["licence"] == "MIT"
    assert rows[1]["licence"] is None
    assert json.loads(rows[2]["keys"]) == {
        "request": "request-a-0", "truth": made[2].truth_key, "verdict": "verdict-2",
    }  # fmt: skip


def test_unverified_holds_every_attempt(dataset: Path) -> None:
    rows = read(dataset, "unverified").to_pylist()
    assert [row["sample"] for row in rows] == [0, 1] * 5
    assert [row["outcome"] for row in rows] == ["pass", "fail"] * 5
    assert json.loads(rows[0]["evidence"]) == {"a": {"x": "\ud800", "y": [1, 2]}, "z": 1}
    assert rows[0]["evidence"].startswith('{"a": {"x"')


def test_nothing_measured_is_published(dataset: Path) -> None:
    rows = json.dumps([read(dataset, config).to_pylist() for config in ("unverified", "provenance", "metadata")])
    assert "SECRET-HOST" not in rows
    assert "1.25" not in rows
    assert "SECRET-HOST" not in (dataset / "README.md").read_text()


def test_batching_does_not_show_in_the_bytes(dataset: Path, tmp_path: Path) -> None:
    again = build.write(tmp_path / "dataset", Publish(preset="openthoughts"), batch=1).path
    assert build.content(again) == build.content(dataset)


def test_load_dataset_opens_it_as_the_card_says(dataset: Path, tmp_path: Path) -> None:
    script = "import sys; from datasets import load_dataset\n" + (
        "rows = load_dataset(sys.argv[1], 'metadata', split='train', cache_dir=sys.argv[2])\n"
        "assert load_dataset(sys.argv[1], split='train', cache_dir=sys.argv[2]).column_names[0] == 'system'\n"
        "print(rows.column_names, len(rows))"
    )
    command = [sys.executable, "-P", "-c", script, str(dataset), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"{METADATA} 5"


def random_text(size: int, seed: int) -> str:
    return random.Random(seed).randbytes(size // 2).hex()


def string_table(texts: list[str]) -> pa.Table:
    return pa.table({"text": pa.array(texts, pa.string())})


def test_groups_and_shards_are_cut_by_bytes(tmp_path: Path) -> None:
    sizes = [2 << 20, 2 << 20, 2 << 20, 5 << 20, 40 << 20, 1, 2]
    texts = [random_text(size, seed) if size > 2 else "x" for seed, size in enumerate(sizes)]
    made: list[dict[str, bytes]] = []
    for batches in ([texts], [[text] for text in texts], [texts[:3], texts[3:]]):
        folder = tmp_path / str(len(made))
        out = Shards(folder, pa.schema([("text", pa.string())]), 20 << 20)
        for batch in batches:
            out.add(string_table(batch))
        out.close()
        made.append(build.content(folder))
    assert made[0] == made[1] == made[2]
    files = [pq.ParquetFile(path) for path in sorted((tmp_path / "0").iterdir())]
    groups = [[file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)] for file in files]
    # 3 x 2 MB fit into 8 MB; 40 MB stands alone; a file ends once it holds 20 MB of compressed hex digits.
    assert groups == [[3, 1, 1], [2]]
    assert [text for file in files for text in file.read()["text"].to_pylist()] == texts


def test_a_row_that_arrow_cannot_hold_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "ROW_BYTES_MAX", 10)
    out = Shards(tmp_path / "x", pa.schema([("text", pa.string())]), 1 << 20)
    with pytest.raises(Failed, match="does not fit"):
        out.add(string_table(["x" * 11]))
    out.abandon()


def test_no_row_selected_is_still_a_dataset(tmp_path: Path) -> None:
    made = build.questions()
    rows = [Published(one.row, one.attempt, one.verdict, False) for one in build.attempts(made)]
    with DatasetWriter(tmp_path / "dataset", Publish(), name="none") as writer:
        writer.add_batch(build.table(made), rows)
        publication = writer.finish()
    assert publication.rows == {"default": 0, "metadata": 0, "unverified": 10, "provenance": 0}
    assert "No row was selected" in (tmp_path / "dataset" / "README.md").read_text()
    assert read(tmp_path / "dataset", "metadata").num_rows == 0


def test_wrong_order_and_foreign_attempts_are_defects(tmp_path: Path) -> None:
    made = build.questions()
    rows = build.attempts(made)
    with pytest.raises(ValueError, match="seq order"), DatasetWriter(tmp_path / "d", Publish(), name="x") as writer:
        writer.add_batch(build.table(made), [rows[4], rows[0]])
    with pytest.raises(ValueError, match="belong"), DatasetWriter(tmp_path / "d", Publish(), name="x") as writer:
        writer.add_batch(build.table(made), [Published(1, rows[0].attempt, rows[0].verdict, True)])
    assert list(tmp_path.iterdir()) == []


def test_an_unfinished_publish_leaves_the_old_dataset(tmp_path: Path) -> None:
    target = build.write(tmp_path / "dataset").path
    before = build.content(target)
    with DatasetWriter(target, Publish(), name="other") as writer:
        writer.add_batch(build.table(build.questions()), build.attempts(build.questions())[:1])
    assert build.content(target) == before
    assert [path.name for path in tmp_path.iterdir()] == ["dataset"]


def test_a_new_dataset_replaces_the_old_one(tmp_path: Path) -> None:
    build.write(tmp_path / "dataset", partial=True)
    assert "**Partial:**" in (tmp_path / "dataset" / "README.md").read_text()
    build.write(tmp_path / "dataset", Publish(trace_format="think"))
    rows = read(tmp_path / "dataset", "default").to_pylist()
    assert THINK.parse(rows[0]["conversations"][1]["value"]).reasoning == build.MARKERS
    assert rows[0]["system"] is None
    assert [path.name for path in tmp_path.iterdir()] == ["dataset"]


def test_damage_on_the_disk_is_found_before_the_swap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check = loadback.check

    def damaged(folder: Path, *rest: object) -> None:
        path = folder / "metadata" / "train-00000.parquet"
        pq.write_table(pq.ParquetFile(path).read().slice(1), path)
        check(folder, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(loadback, "check", damaged)
    with pytest.raises(Failed, match="rows is 4, not 5"):
        build.write(tmp_path / "dataset")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("full_bytes", [1 << 28, 0], ids=["full", "stream"])
def test_changed_text_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, full_bytes: int) -> None:
    check = loadback.check
    monkeypatch.setattr(loadback, "FULL_BYTES", full_bytes)

    def damaged(folder: Path, expected: dict[str, dict[str, object]], scratch: Path) -> None:
        check(folder, expected, scratch)  # as written it is right
        path = folder / "metadata" / "train-00000.parquet"
        rows = pq.ParquetFile(path).read().to_pylist()
        rows[-1]["problem"] = rows[-1]["problem"][::-1]  # same length: only the digest tells
        pq.write_table(pa.Table.from_pylist(rows, pq.read_schema(path)), path)
        check(folder, expected, scratch)

    monkeypatch.setattr(loadback, "check", damaged)
    with pytest.raises(Failed, match=r"config metadata: .*last is"):
        build.write(tmp_path / "dataset")


def test_a_file_that_is_no_parquet_is_failed_with_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loadback, "_mode", lambda folder, rows: "full")
    target = build.write(tmp_path / "dataset").path
    (target / "default" / "train-00000.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(Failed, match="cannot be loaded back: config default"):
        loadback.check(target, {"default": {"rows": 5}}, tmp_path / "scratch")


def test_a_full_disk_while_loading_back_is_resumable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "full.py"
    script.write_text('print(\'{"error": "OSError: No space left on device", "full": true}\')')
    monkeypatch.setattr(loadback.reopen, "__file__", str(script))
    with pytest.raises(Stopped, match="disk is full"):
        build.write(tmp_path / "run" / "dataset")


def test_the_sweep_undoes_a_killed_publish(tmp_path: Path) -> None:
    target = tmp_path / "dataset"
    for role in ("tmp", "check"):
        place.beside(target, role).mkdir()
    build.write(tmp_path / "made")
    (tmp_path / "made").rename(place.beside(target, "old"))  # killed between the two renames
    before = build.content(place.beside(target, "old"))
    place.sweep(target)
    assert build.content(target) == before
    assert [path.name for path in tmp_path.iterdir()] == ["dataset"]


_WRITE = "import sys; from pathlib import Path; from tests.curate.publish import build; build.write(Path(sys.argv[1]))"
ROOT = Path(__file__).parents[3]


def processes(word: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
    return [command for command in found if word in command]


@pytest.mark.parametrize("point", ["publish.row", "publish.check", "publish.swap"])
def test_a_killed_publish_leaves_nothing_and_can_be_repeated(tmp_path: Path, point: str) -> None:
    target = build.write(tmp_path / "dataset").path
    before = build.content(target)
    killed = subprocess.run(
        [sys.executable, "-c", _WRITE, str(target)], env={**os.environ, "VERISTILL_FAULT": point}, cwd=ROOT, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    deadline = time.monotonic() + 30
    while processes(str(tmp_path)) and time.monotonic() < deadline:  # the loading process notices that it is alone
        time.sleep(0.05)
    assert processes(str(tmp_path)) == []
    place.sweep(target)
    assert build.content(target) == before
    build.write(target)
    assert build.content(target) == before
    assert [path.name for path in tmp_path.iterdir()] == ["dataset"]


_MEMORY = """
import re, sys
from pathlib import Path
import pyarrow.parquet as pq
from curate.publish.publish import Publish
from curate.publish.writer import DatasetWriter, Published
from tests.curate.publish import build
def peak():  # of this program alone: ru_maxrss begins with what the parent had when it forked
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
question = build.questions()[0]
before = peak()
with DatasetWriter(Path(sys.argv[2]), Publish(), name="huge") as writer:
    table = pq.ParquetFile(sys.argv[1]).read_row_group(0)
    question_id = table.column("id")[0].as_py()
    attempt = build.attempt(question, question_id=question_id)
    writer.add_batch(table, [Published(0, attempt, build.verdict(), True)])
    del table
    writer.finish()
print((peak() - before) // 1024)
"""


def test_a_row_of_60_mb_needs_few_copies_of_it(tmp_path: Path) -> None:
    text = random_text(60_000_000, 1)
    question = Question.of(problem="p", domain="code", source="s", source_id="0", truth=Answer(text="x"))
    row = build.table([question]).set_column(12, "test_cases", pa.array([text], pa.string()))
    assert row.column_names == build.SCHEMA.names
    pq.write_table(row, tmp_path / "questions.parquet", compression="zstd", use_dictionary=False)
    command = [sys.executable, "-c", _MEMORY, str(tmp_path / "questions.parquet"), str(tmp_path / "dataset")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    grown_mb = int(done.stdout)
    # Reading a value takes two copies of it, writing it two more; measured: 280 MB, imports included.
    assert grown_mb < 6 * 60
    assert read(tmp_path / "dataset", "metadata").column("test_cases")[0].as_py() == text
