"""Lengths of rows: measured by the student's tokenizer on a bounded sample, assumed otherwise, and what follows."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from curate.errors import InputError
from train import lengths as module
from train.block import Train
from train.lengths import ASSUMED, Lengths, assumed, longest, mean, measured, packs, seen_by_a_token

OVERHEAD = 5  # tokens of a turn beside its text


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tokenizer for which a word is a token."""
    folder = tmp_path_factory.mktemp("student")
    tokenizer = Tokenizer(models.WordLevel({"word": 0, "[UNK]": 1}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def _rows(counts: list[int], system: str | None = None) -> list[dict[str, Any]]:
    return [
        {
            "system": system,
            "conversations": [{"from": "user", "value": "word"}, {"from": "assistant", "value": "word " * count}],
        }
        for count in counts
    ]


def _dataset(folder: Path, rows: list[dict[str, Any]], shards: int = 1, group: int = 50) -> Path:
    (folder / "default").mkdir(parents=True)
    schema = pa.schema(
        [
            ("system", pa.string()),
            ("conversations", pa.list_(pa.struct([("from", pa.string()), ("value", pa.string())]))),
        ]
    )
    for number in range(shards):
        table = pa.Table.from_pylist(rows[number::shards], schema)
        pq.write_table(table, folder / "default" / f"train-{number:05d}.parquet", row_group_size=group)
    return folder


def _block(student: Path, **more: Any) -> Train:
    return Train.model_validate({"student": str(student), **more})


def test_every_row_of_a_small_dataset_is_measured(student: Path, tmp_path: Path) -> None:
    folder = _dataset(tmp_path / "d", _rows([10, 20, 30]), shards=2)
    found = measured(_block(student), folder)
    assert found.whole == tuple(1 + count + 2 * OVERHEAD for count in (10, 20, 30))
    assert (found.rows, found.measured) == (3, True)
    assert "every row" in found.basis


def test_system_prompts_count_the_recipe_s_before_the_dataset_s(student: Path, tmp_path: Path) -> None:
    folder = _dataset(tmp_path / "d", _rows([10], system="word word"))
    assert measured(_block(student), folder).whole == (11 + 2 * OVERHEAD + 2 + OVERHEAD,)
    assert measured(_block(student, system="word"), folder).whole == (11 + 2 * OVERHEAD + 1 + OVERHEAD,)
    assert measured(_block(student, system=""), folder).whole == (11 + 2 * OVERHEAD,)


def test_a_sample_is_spread_over_the_dataset_and_bounded(student: Path, tmp_path: Path) -> None:
    """Sorted by length, so that a sample from one end would be far off."""
    counts = list(range(1, 2001))
    folder = _dataset(tmp_path / "d", _rows(counts), group=100)
    found = measured(_block(student), folder, limit=200)
    assert 180 <= len(found.whole) <= 240
    assert mean(found.whole) == pytest.approx(1000 + 1 + 2 * OVERHEAD, rel=0.02)
    assert found == measured(_block(student), folder, limit=200)
    assert found.error(10**6) == pytest.approx(1.96 * 577 * 0.95 / 200**0.5 / 1000, rel=0.2)


def test_many_row_groups_are_not_all_read(student: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    real = module._group

    def counted(path: Path, group: int, stride: int, columns: list[str]) -> Any:
        read.append(group)
        return real(path, group, stride, columns)

    monkeypatch.setattr(module, "_group", counted)
    folder = _dataset(tmp_path / "d", _rows([5] * 1000), group=5)
    assert measured(_block(student), folder, limit=50).rows == 1000
    assert len(read) < 80


def test_json_lines_are_read_too(student: Path, tmp_path: Path) -> None:
    (tmp_path / "default").mkdir()
    text = "".join(json.dumps(row) + "\n" for row in _rows([4] * 30 + [8] * 30))
    (tmp_path / "default" / "train.jsonl").write_text(text, "utf-8")
    found = measured(_block(student), tmp_path, limit=20)
    assert (len(found.whole), found.rows) == (20, 60)
    assert set(found.whole) == {15, 19}


def test_a_folder_without_rows_is_refused(student: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        measured(_block(student), tmp_path)


@pytest.mark.parametrize("expected", sorted(ASSUMED))
def test_assumed_lengths_have_the_moments_that_they_are_named_for(expected: int) -> None:
    values = assumed(1000, expected).trained(16384, "keep")
    assert mean(values) == pytest.approx(expected, rel=0.005)
    assert seen_by_a_token(values) == pytest.approx(1.35 * expected, rel=0.01)


def test_how_long_a_step_waits() -> None:
    """Between 39 and 55 % of a step is work where 32 GPUs wait for their longest row."""
    for expected in ASSUMED:
        values = assumed(None, expected).trained(16384, "keep")
        assert 0.38 < mean(values) / longest(values, 32) < 0.56
        assert longest(values, 384) > longest(values, 32) > longest(values, 1)
        assert longest(values, 1) == pytest.approx(mean(values))


def test_the_cut() -> None:
    found = Lengths((10, 20, 30, 40), 4, "test", True)
    assert found.cut_rows(20) == 0.5
    assert found.cut_rows(40) == found.cut_tokens(40) == 0
    assert found.cut_tokens(20) == 30 / 100
    assert found.trained(20, "keep") == (10, 20, 20, 20)
    assert found.trained(20, "drop") == (10, 20)
    assert found.error(100) == 0  # every row was measured


def test_packs_hold_what_fits() -> None:
    assert packs([3, 3, 4, 5, 5], 11) == (2.5, 1.0)  # 5+5, 4+3+3 in packs of 10
    assert packs([6, 6, 6], 11) == (1.0, 0.6)
    assert packs([20], 11) == (1.0, 1.0)  # cut to the pack
    found = packs(assumed(None).trained(16384, "keep"), 16384)
    assert found.rows == pytest.approx(2.33, rel=0.02)
    assert found.fill > 0.98
