"""The `train:` block: its defaults are the reference run, its batch arithmetic is exact, what cannot be is refused."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from curate.errors import RecipeError
from curate.paths import relative_to
from train.block import Batch, Cluster, Train


def _block(**more: Any) -> Train:
    return Train.model_validate({"student": "org/model", **more})


def test_the_defaults_are_the_reference_run() -> None:
    """Values of OpenThinker-32B's model card: 32 devices, 1 each, accumulated 3 times, 96 in all."""
    block = _block()
    assert (block.world, block.micro_batch, block.accumulate(), block.batch.rows) == (32, 1, 3, 96)
    assert (block.cutoff, block.epochs, block.seed, block.method.kind) == (16384, 3, 42, "full")
    chosen = block.optimizer
    assert (chosen.lr, chosen.betas, chosen.eps, chosen.schedule, chosen.warmup) == (
        1e-5,
        (0.9, 0.999),
        1e-8,
        "cosine",
        0.1,
    )
    assert (block.shard, block.offload, block.precision, block.packing, block.liger) == (
        "zero3",
        "all",
        "bf16",
        "none",
        False,
    )


@pytest.mark.parametrize(
    ("batch", "micro", "cluster", "more", "expected"),
    [
        ({"rows": 96}, 1, (4, 8), {}, 3),
        ({"rows": 96}, 3, (4, 8), {}, 1),
        ({"rows": 384}, 1, (96, 4), {}, 1),
        ({"tokens": 32 * 16384}, 1, (4, 8), {"packing": "neat"}, 1),
        ({"tokens": 64 * 1000}, 2, (1, 4), {"packing": "greedy", "cutoff": 1000}, 8),
    ],
)
def test_accumulation_follows_from_the_batch(
    batch: dict[str, int], micro: int, cluster: tuple[int, int], more: dict[str, Any], expected: int
) -> None:
    nodes, gpus = cluster
    block = _block(batch=batch, micro_batch=micro, cluster={"nodes": nodes, "gpus": gpus}, **more)
    assert block.accumulate() == expected
    assert block.sequences() == micro * expected * nodes * gpus


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"batch": {"rows": 100}}, ("100 rows", "32 GPUs", "say 96 or 128")),
        ({"batch": {"rows": 16}}, ("16 rows", "say 32")),
        ({"batch": {"rows": 96}, "micro_batch": 2}, ("micro_batch 2", "say 64 or 128")),
        ({"batch": {"tokens": 500_000}, "packing": "neat"}, ("500000 tokens", "say 524288")),
    ],
)
def test_an_uneven_batch_is_refused_with_the_nearest_even_ones(more: dict[str, Any], words: tuple[str, ...]) -> None:
    with pytest.raises(RecipeError) as caught:
        _block(**more).accumulate()
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"batch": {"rows": 1, "tokens": 1}}, "only one"),
        ({"batch": {}}, "only one"),
        ({"batch": {"tokens": 16384}}, "needs packing"),
        ({"shard": "ddp"}, "offload: none"),
        ({"shard": "zero2"}, "offload: optimizer"),
        ({"shard": "fsdp", "offload": "optimizer"}, "offload: all"),
        ({"shard": "fsdp", "offload": "none", "cluster": {"gpu": "cpu"}}, "nothing on the CPU"),
        ({"cluster": {"price_per_gpu_hour": 1, "price_per_node_hour": 1}}, "not both"),
        ({"method": {"kind": "lora", "rnk": 4}}, "Extra inputs"),
        ({"method": "prefix"}, "full"),
        ({"epochs": float("inf")}, "finite"),
        ({"retries": {"hang_minutes": float("nan")}}, "finite"),
        ({"extra": {"x: 1\nresume_from_checkpoint": True}}, "is no name"),
        ({"env": {"A=B": "1"}}, "is no name"),
        ({"env": {"A\n": "1"}}, "is no name"),
        ({"env": {"A": "1\0"}}, "zero byte"),
    ],
)
def test_what_does_not_fit_together_is_refused(more: dict[str, Any], word: str) -> None:
    with pytest.raises(ValidationError) as caught:
        _block(**more)
    assert word in str(caught.value)


def test_a_method_is_a_bare_word_or_a_mapping() -> None:
    assert _block(method="lora").method == _block(method={"kind": "lora"}).method
    assert _block(method={"kind": "lora", "rank": 64}).method.rank == 64


def test_folders_stand_beside_the_recipe_and_hub_ids_stay(tmp_path: Path) -> None:
    with relative_to(tmp_path):
        block = _block(student="./model", dataset="org/rows")
    assert (block.student, block.dataset) == (str(tmp_path / "model"), "org/rows")


def test_words_say_packs_where_rows_are_packed() -> None:
    block = _block(cluster=Cluster(nodes=1, gpus=2), batch=Batch(rows=4), packing="neat", max_steps=7, offload="none")
    assert (
        block.words() == "org/model on this recipe's dataset, 7 steps of 4 packs, on 1 x 2 h100-80, launched by local"
    )
