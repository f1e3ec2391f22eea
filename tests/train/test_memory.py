"""Memory: the plan reproduces worked-out figures for a 32B student within 5 %, and moves as its formulas say."""

from typing import Any

import pytest

from train.block import Cluster, Train
from train.facts import facts
from train.machines import GB, kinds, machine
from train.memory import USABLE, adapter, checkpoint, on_gpu, on_host, smallest, total

STUDENT = facts("Qwen/Qwen2.5-32B-Instruct")
SMALL = facts("Qwen/Qwen2.5-0.5B")


def _block(nodes: int = 4, gpus: int = 8, gpu: str = "h100-80", **more: Any) -> Train:
    settings = {
        "student": "org/model",
        "offload": "none",
        "cluster": {"nodes": nodes, "gpus": gpus, "gpu": gpu},
        **more,
    }
    return Train.model_validate(settings)


# GB on each GPU at a cutoff of 16,384 tokens, and whether that fits.
WORKED_OUT = [
    (4, 8, "h100-80", True, "none", 47, True),
    (4, 8, "h100-80", False, "none", 70, True),
    (4, 8, "h100-80", False, "all", 50, True),
    (2, 8, "h100-80", True, "none", 63, True),
    (1, 8, "h100-80", True, "none", 96, False),
    (1, 8, "h100-80", True, "optimizer", 35, True),
    (1, 8, "h200", True, "none", 96, True),
    (96, 4, "a100-64", False, "none", 51, True),
]


@pytest.mark.parametrize(("nodes", "gpus", "gpu", "liger", "offload", "expected", "fits"), WORKED_OUT)
def test_the_worked_out_figures(
    nodes: int, gpus: int, gpu: str, liger: bool, offload: str, expected: float, fits: bool
) -> None:
    block = _block(nodes, gpus, gpu, liger=liger, offload=offload)
    size = total(on_gpu(STUDENT, block))
    assert size / GB == pytest.approx(expected, rel=0.05)
    assert (size < USABLE * kinds()[gpu].memory_gb * GB) is fits


def test_parts_of_the_reference_run() -> None:
    parts = {part.name: part.size / GB for part in on_gpu(STUDENT, _block())}
    assert parts["weights"] == parts["gradients"] == pytest.approx(2 * 32.76 / 32, rel=0.01)
    assert parts["optimizer"] == pytest.approx(12 * 32.76 / 32, rel=0.01)
    assert parts["checkpointed activations"] == pytest.approx(10.7, rel=0.01)
    assert parts["logits and loss"] == pytest.approx(29.9, rel=0.01)


@pytest.mark.parametrize(
    ("gpu", "liger", "expected"),
    [
        ("h100-80", True, 12),
        ("h100-80", False, 24),
        ("a100-80", True, 12),
        ("a100-64", True, 20),
        ("a100-64", False, 60),
        ("h200", True, 8),
    ],
)
def test_the_fewest_gpus(gpu: str, liger: bool, expected: int) -> None:
    assert smallest(STUDENT, _block(liger=liger), kinds()[gpu]) == expected


def test_what_is_offloaded_must_fit_the_machine() -> None:
    """All states of a 32B model are some 590 GB: one machine of 512 GB does not hold them, two do."""
    block = _block(liger=True, offload="all")
    leonardo = kinds()["a100-64"]
    assert smallest(STUDENT, block, leonardo) == 8
    assert smallest(STUDENT, block, leonardo.model_copy(update={"host_memory_gb": None})) == 1


def test_host_memory_holds_adam_s_states() -> None:
    four = {part.name: part.size / GB for part in on_host(STUDENT, _block(offload="all"))}
    one = {part.name: part.size / GB for part in on_host(STUDENT, _block(nodes=1, offload="optimizer"))}
    assert four["optimizer"] == pytest.approx(98, rel=0.05)
    assert one["optimizer"] == pytest.approx(393, rel=0.05)
    assert "optimizer" not in {part.name for part in on_host(STUDENT, _block())}


def test_a_checkpoint() -> None:
    assert total(checkpoint(STUDENT, _block())) / GB == pytest.approx(459, rel=0.05)
    weights_alone = _block(checkpoints={"resumable": False})
    assert total(checkpoint(STUDENT, weights_alone)) / GB == pytest.approx(66, rel=0.05)
    sharded = _block(checkpoints={"gather": False})
    assert total(checkpoint(STUDENT, sharded)) / GB == pytest.approx(393, rel=0.05)


@pytest.mark.parametrize("shard", ["ddp", "zero2", "zero3", "fsdp"])
def test_sharding_more_holds_less(shard: str) -> None:
    """Every way of splitting but DDP holds less on 8 GPUs than on 1, apart from what talking to others takes."""
    states = ("weights", "gradients", "optimizer")
    parts = {
        count: sum(part.size for part in on_gpu(SMALL, _block(shard=shard), count) if part.name in states)
        for count in (1, 8)
    }
    per_parameter = {count: size / SMALL.parameters for count, size in parts.items()}
    assert per_parameter[1] == pytest.approx({"ddp": 18, "zero2": 16, "zero3": 16, "fsdp": 16}[shard])
    assert per_parameter[8] == pytest.approx({"ddp": 18, "zero2": 2 + 14 / 8, "zero3": 2, "fsdp": 2}[shard])


def test_adapters_are_counted_by_their_sides() -> None:
    block = _block(method={"kind": "lora", "rank": 8, "target": "q_proj,v_proj"})
    each = 8 * ((896 + 896) + (896 + 128))
    assert adapter(SMALL, block) == 24 * each
    everything = _block(method={"kind": "lora", "rank": 16})
    assert adapter(SMALL, everything) > adapter(SMALL, block)
    full, small = (total(on_gpu(STUDENT, one)) for one in (_block(), _block(method="lora")))
    assert small < full


@pytest.mark.parametrize(
    "more",
    [
        {"liger": True},
        {"cutoff": 8192},
        {"offload": "optimizer"},
        {"optimizer": {"name": "paged_adamw_8bit"}},
        {"method": "lora"},
    ],
)
def test_what_saves_memory_does(more: dict[str, Any]) -> None:
    assert total(on_gpu(STUDENT, _block(**more))) < total(on_gpu(STUDENT, _block()))


@pytest.mark.parametrize(
    "more",
    [
        {"gradient_checkpointing": False},
        {"micro_batch": 2, "batch": {"rows": 64}},
        {"attention": "disabled"},
        {"packing": "neat"},
        {"precision": "fp32"},
        {"shard": "zero2"},
    ],
)
def test_what_costs_memory_does(more: dict[str, Any]) -> None:
    assert total(on_gpu(STUDENT, _block(**more))) > total(on_gpu(STUDENT, _block()))


def test_a_gpu_that_the_table_does_not_have() -> None:
    said = Cluster(gpu="mine", gpu_memory_gb=48, gpu_tflops=100)
    found = machine(said)
    assert found is not None and (found.memory_gb, found.tflops) == (48, 100)
    assert machine(Cluster(gpu="cpu")) is None
