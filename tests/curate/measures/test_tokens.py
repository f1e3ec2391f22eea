"""Tokens in the student's tokenizer: counted as the library counts, named by content, missing ones told early."""

from pathlib import Path

import pytest

from curate.errors import InputError
from curate.measures.tokens import Measure
from curate.paths import relative_to


def tokenizer(folder: Path) -> Path:
    """A small byte-level tokenizer, with the cut and the padding that files of the hub sometimes have."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=300, initial_alphabet=alphabet, special_tokens=["<s>"], show_progress=False
    )
    made.train_from_iterator(["the answer is the sum of the numbers"] * 20, trainer)
    made.enable_truncation(5)
    made.enable_padding(length=8)
    path = folder / "tokenizer.json"
    made.save(str(path))
    return path


def test_it_counts_whole_texts(tmp_path: Path) -> None:
    path = tokenizer(tmp_path)
    counter = Measure(tokenizer=str(path)).counter()
    assert counter is not None
    texts = ["", "the answer", "the answer " * 1000, "数 \ud800 é", "x" * 3_000_000]
    one, several = [counter.count([text])[0] for text in texts], counter.count(texts)
    assert one == several
    assert several[0] == 0 and several[2] > 1000 and several[4] == 3_000_000
    again = Measure(tokenizer=str(tmp_path)).counter()  # the folder of a model
    assert again is not None and again.spec == counter.spec


def test_a_path_stands_beside_the_recipe_and_a_name_does_not(tmp_path: Path) -> None:
    with relative_to(tmp_path):
        assert Measure(tokenizer="./tokenizer.json").tokenizer == str(tmp_path / "tokenizer.json")
        assert Measure(tokenizer="Qwen/Qwen2.5-7B-Instruct").tokenizer == "Qwen/Qwen2.5-7B-Instruct"
    assert Measure().counter() is None


def test_what_is_wrong_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no tokenizer"):
        Measure(tokenizer=str(tmp_path / "tokenizer.json")).counter()
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(InputError, match="this is no tokenizer"):
        Measure(tokenizer=str(tmp_path)).counter()
