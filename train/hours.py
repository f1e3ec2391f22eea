"""Operations, hours and MFU of a fine-tune: pure formulas, for the plan before a run and for the status of one.

MFU is model FLOPs utilisation: the operations that the model's mathematics needs, recomputation not counted, over what
the GPUs could do at their peak (Chowdhery et al. 2022, PaLM, appendix B).
"""

from typing import NamedTuple

from train.block import Offload, Packing
from train.facts import Facts

# MFU of a run that keeps its GPUs busy: full sequences, fused kernels, nothing offloaded. An assumption; Llama 3 405B
# is said to have reached 38 to 43 % on H100s with a stack of its own (arXiv 2407.21783, table 4).
BUSY = (0.25, 0.40)
# What is left of it with offloading. `all` is chosen so that the published runs below come out inside the range; both
# stand for everything else that such a run loses, too. Nobody measured them one by one.
_OFFLOADED: dict[Offload, tuple[float, float]] = {"none": (1.0, 1.0), "optimizer": (0.5, 0.9), "all": (0.25, 0.45)}
_HOUR = 3600.0


class Seen(NamedTuple):
    """A published run: what it took is told beside what a plan says."""

    name: str
    parameters: int
    gpu: str
    gpus: int
    rows: int
    epochs: float
    hours: float
    source: str


SEEN = (
    Seen("OpenThinker-32B", 32_763_876_352, "h100-80", 32, 113_957, 3, 90, "its model card: 4 nodes of 8 H100, 90 h"),
    Seen(
        "OpenThinker-32B-Unverified", 32_763_876_352, "a100-64", 384, 173_000, 3, 30,
        "OpenThinker-32B's model card: 96 nodes of 4 A100, 30 h, 11,520 A100 hours",
    ),
)  # fmt: skip


def flops_per_token(facts: Facts, row: float, moved: int | None = None) -> float:
    """Operations that training on one token takes, where the row that it stands in has `row` tokens (E[s^2] / E[s]).

    6 per multiplied parameter (2 forward, 4 backward) and 6 per layer, head width and position for causal attention,
    half of what full attention takes (Kaplan et al. 2020; PaLM, appendix B). `moved` are the trained parameters where
    the others are frozen: these need no gradient of their own, which leaves 4.
    """
    attention = 6.0 * facts.layers * facts.q_dim * row
    if moved is None or moved == facts.parameters:
        return 6.0 * facts.multiplied + attention
    return 4.0 * facts.multiplied + 6.0 * moved + attention


def hours(operations: float, gpus: int, tflops: float, mfu: float) -> float:
    """Hours that so many operations take at an MFU (a share) on GPUs of a peak."""
    return operations / (gpus * tflops * 1e12 * mfu) / _HOUR


def mfu(operations: float, gpus: int, tflops: float, took: float) -> float:
    """The MFU (a share) of GPUs that took so many hours for so many operations."""
    return operations / (gpus * tflops * 1e12 * took * _HOUR)


def mfu_range(busy_share: float, offload: Offload) -> tuple[float, float]:
    """The MFU to expect, low and high: `BUSY`, times the share of a step that is no waiting, times what offload leaves.

    `busy_share` is between 0 and 1.
    """
    low, high = _OFFLOADED[offload]
    return BUSY[0] * busy_share * low, BUSY[1] * busy_share * high


def why(packing: Packing, offload: Offload, busy_share: float) -> str:
    """What `mfu_range` stands on, in words."""
    waits = "padding of packs" if packing != "none" else "waiting for the longest row of a step"
    words = f"{BUSY[0]:.0%} to {BUSY[1]:.0%} for busy GPUs, times {busy_share:.0%} ({waits})"
    if offload == "none":
        return words
    low, high = _OFFLOADED[offload]
    return f"{words}, times {low:g} to {high:g} (offload: {offload})"
