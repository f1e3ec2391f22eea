"""Datasets through `datasets`: local folders in each form it writes them, and the hub where it cannot be reached."""

from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from curate.errors import InputError, Prerequisite, VeristillError
from curate.records import Answer, Drop, Question, Tests
from curate.sources.hf import Hf

ROWS = {"question": [f"p{n}" for n in range(12)], "answer": list(range(12)), "deep": [{"n": str(n)} for n in range(12)]}
COLUMNS = {"problem": "question", "answer": "answer", "id": "deep.n"}


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test asks the hub, whatever the machine; the cache is the test's own."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A dataset folder as people publish it: Parquet, one file a split."""
    path = tmp_path / "ours"
    path.mkdir()
    datasets.Dataset.from_dict(ROWS).to_parquet(path / "train-00000.parquet")
    datasets.Dataset.from_dict({"question": ["t"], "answer": [0], "deep": [{"n": "t"}]}).to_parquet(
        path / "test-00000.parquet"
    )
    return path


def source(path: Path | str, **fields: Any) -> Hf:
    return Hf(**{"path": str(path), "domain": "math", "columns": COLUMNS, **fields})


@pytest.mark.parametrize("streaming", [True, False])
def test_a_short_float_is_the_one_that_was_written(tmp_path: Path, streaming: bool) -> None:
    rows = {"question": ["p"], "n": [1], "answer": pa.array([0.1], pa.float32())}
    pq.write_table(pa.table(rows), tmp_path / "train.parquet")
    columns = {"problem": "question", "answer": "answer"}
    (item,) = Hf(path=str(tmp_path), domain="math", columns=columns, streaming=streaming).read()
    assert isinstance(item, Question)
    assert item.truth == Answer(text="0.1")


def error_of(hf: Hf) -> VeristillError:
    with pytest.raises(VeristillError) as caught:
        list(hf.read())
    return caught.value


@pytest.mark.parametrize("streaming", [True, False])
def test_a_folder_of_parquet(folder: Path, streaming: bool) -> None:
    items = list(source(folder, streaming=streaming).read())
    assert len(items) == 12
    first = items[0]
    assert isinstance(first, Question)
    assert (first.problem, first.truth, first.source_id, first.source) == ("p0", Answer(text="0"), "0", "ours")
    assert len(list(source(folder, split="test").read())) == 1


@pytest.mark.parametrize("with_splits", [True, False])
def test_what_save_to_disk_wrote(tmp_path: Path, with_splits: bool) -> None:
    one = datasets.Dataset.from_dict(ROWS)
    (datasets.DatasetDict({"train": one}) if with_splits else one).save_to_disk(tmp_path / "saved")
    assert len(list(source(tmp_path / "saved").read())) == 12
    if with_splits:
        assert "no split 'test'" in error_of(source(tmp_path / "saved", split="test")).what


def test_a_folder_of_json_lines_with_tests(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    row = '{"problem": "p", "test_cases": "{\\"inputs\\": [\\"1\\"], \\"outputs\\": [\\"2\\"]}"}\n'
    (tmp_path / "data" / "train.jsonl").write_text(row)
    (item,) = source(tmp_path / "data", domain="code", columns={"tests": "test_cases"}).read()
    assert isinstance(item, Question)
    assert item.truth == Tests(cases='{"inputs": ["1"], "outputs": ["2"]}')


@pytest.mark.parametrize("streaming", [True, False])
def test_named_files_only(folder: Path, streaming: bool) -> None:
    (folder / "ours.py").write_text("raise SystemExit('a loading script ran')\n")
    items = list(source(folder, data_files=["t*-00000.parquet"], streaming=streaming).read())
    assert len(items) == 13
    (item,) = source(folder, data_files=["test-*.parquet"], streaming=streaming).read()
    assert isinstance(item, Question)
    assert item.source_id == "t"
    assert isinstance(error_of(source(folder, data_files=["dev-*.parquet"])), InputError)


def test_a_config(tmp_path: Path) -> None:
    path = tmp_path / "two"
    for name in ("easy", "hard"):
        (path / name).mkdir(parents=True)
        datasets.Dataset.from_dict({"problem": [name]}).to_parquet(path / name / "train.parquet")
    (path / "README.md").write_text(
        "---\nconfigs:\n- config_name: easy\n  data_files: easy/*\n- config_name: hard\n  data_files: hard/*\n---\n"
    )
    (item,) = source(path, config="hard", columns={}).read()
    assert isinstance(item, Question)
    assert item.problem == "hard"
    error = error_of(source(path, columns={}))
    assert isinstance(error, InputError)
    assert "easy" in str(error) or "Config name is missing" in str(error)


def test_wrong_column_split_and_folder(folder: Path, tmp_path: Path) -> None:
    error = error_of(source(folder, columns={"problem": "qestion"}))
    assert "did you mean 'question'? the columns are: question, answer, deep, deep.n" in (error.next or "")
    assert "dev" in error_of(source(folder, split="dev")).what
    assert "did you mean 'ours'?" in (error_of(source(tmp_path / "our")).next or "")


def test_a_broken_file(folder: Path) -> None:
    whole = (folder / "train-00000.parquet").read_bytes()
    (folder / "train-00000.parquet").write_bytes(whole[:200])
    assert isinstance(error_of(source(folder)), InputError)


def test_an_unreachable_hub_is_a_prerequisite(monkeypatch: pytest.MonkeyPatch) -> None:
    error = error_of(source("veristill-tests/no-such-dataset"))
    assert isinstance(error, Prerequisite)
    assert error.next


def test_code_of_a_dataset_is_not_run(tmp_path: Path) -> None:
    path = tmp_path / "evil"
    path.mkdir()
    (path / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\n")
    assert isinstance(error_of(source(path, columns={})), InputError)
    assert not (tmp_path / "ran").exists()


def test_a_row_without_a_question(tmp_path: Path) -> None:
    datasets.Dataset.from_dict({"problem": ["p", None]}).to_parquet(tmp_path / "data" / "train.parquet")
    kept, dropped = source(tmp_path / "data", columns={}).read()
    assert isinstance(kept, Question)
    assert isinstance(dropped, Drop)
    assert dropped.evidence["place"] == "data:2"


def test_fingerprints(folder: Path) -> None:
    before = source(folder).fingerprint()
    assert before == source(folder).fingerprint()
    datasets.Dataset.from_dict({"question": ["x"]}).to_parquet(folder / "train-00000.parquet")
    assert source(folder).fingerprint() != before
    assert source("veristill-tests/x").fingerprint() is None
    assert source("veristill-tests/x", revision="abc").fingerprint() == "abc"


def test_rehearsals(folder: Path) -> None:
    assert [item.seq for item in source(folder).rehearsal().read()] == list(range(8))
    mapped = {"tests": "t", "answer": "a", "pattern": "boxed", "choice": "c", "grid": "g", "reference": "r"}
    items = list(source("veristill-tests/x", columns=mapped).rehearsal().read())
    assert [item.truth.type for item in items if isinstance(item, Question)] == [
        "tests", "choice", "grid", "answer", "reference", "tests", "choice", "grid",
    ]  # fmt: skip


def test_a_relative_folder_stands_beside_the_recipe(folder: Path) -> None:
    from curate.paths import relative_to

    with relative_to(folder.parent):
        assert source("./ours").path == str(folder)
        assert source("org/name").path == "org/name"
    with pytest.raises(ValidationError, match="not set"):
        source("${VERISTILL_NOT_SET}/x")
