"""The shape of a student: counts equal the published ones, what is not understood is refused by name."""

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from curate.errors import InputError
from train.facts import facts, from_config, known, stored

QWEN3 = {
    "model_type": "qwen3", "hidden_size": 1024, "num_hidden_layers": 28, "num_attention_heads": 16, "head_dim": 128,
    "num_key_value_heads": 8, "intermediate_size": 3072, "vocab_size": 151936, "tie_word_embeddings": True,
}  # fmt: skip


@pytest.mark.parametrize("key", sorted(known()))
def test_every_student_of_the_table_has_the_published_number_of_parameters(key: str) -> None:
    shape, published = known()[key]
    assert shape.parameters == pytest.approx(published, rel=0.01)
    assert shape.parameters == published  # the shape says all of it


def test_a_student_of_another_family() -> None:
    """Qwen3-0.6B: heads wider than hidden / heads, norms of queries and keys; 596,049,920 parameters on the hub."""
    assert from_config(QWEN3, "test").parameters == 596_049_920


def test_known_students_need_no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    found = facts("Qwen/Qwen2.5-32B-Instruct")
    assert (found.hidden, found.layers, found.positions) == (5120, 64, 32768)


def _safetensors(path: Path, tensors: dict[str, tuple[int, ...]]) -> None:
    header = {name: {"dtype": "BF16", "shape": shape, "data_offsets": [0, 0]} for name, shape in tensors.items()}
    text = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text)


def test_a_folder_is_read_and_its_weights_are_counted(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(QWEN3), "utf-8")
    assert facts(str(tmp_path)).stored is None
    _safetensors(tmp_path / "model-00001-of-00002.safetensors", {"a": (3, 4), "b": ()})
    _safetensors(tmp_path / "model-00002-of-00002.safetensors", {"c": (5,)})
    assert stored(tmp_path) == 12 + 1 + 5
    assert facts(str(tmp_path)).stored == 18


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"model_type": "mamba"}, "'mamba'"),
        ({"num_experts": 8}, "dense decoders"),
        ({"hidden_size": None}, "not the configuration"),
        ({"hidden_size": None, "head_dim": None}, "not the configuration"),
        ({"vocab_size": -1}, "not the configuration"),
    ],
)
def test_what_is_not_understood_is_said(change: dict[str, Any], word: str) -> None:
    with pytest.raises(InputError) as caught:
        from_config({**QWEN3, **change}, "config.json of x")
    assert word in str(caught.value)
    assert "config.json of x" in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "{"])
def test_a_broken_folder_is_said(text: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"config\.json"):
        facts(str(tmp_path))
    (tmp_path / "config.json").write_text(text, "utf-8")
    with pytest.raises(InputError):
        facts(str(tmp_path))


def test_a_pointer_file_is_no_weights(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\n", "utf-8")
    with pytest.raises(InputError, match="Git LFS"):
        stored(tmp_path)


@pytest.mark.parametrize("header", [b"{", b"[]", b'{"w": {}}', b'{"w": {"shape": ["a"]}}', b"\xff\xfe"])
def test_a_header_that_cannot_be_read_is_said(header: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(InputError, match="header"):
        stored(tmp_path)
