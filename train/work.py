"""From rows and their lengths to tokens, steps and operations: what a recipe's batch, packing and cutoff come to."""

import math
from typing import NamedTuple

from train import lengths as rows_of
from train.block import Train
from train.facts import Facts
from train.hours import flops_per_token
from train.lengths import Lengths, Packs
from train.memory import trained


class Work(NamedTuple):
    """What training does. What depends on the number of rows is None where that is not known."""

    row_tokens: float  # mean length of a row that is trained on
    seen: float  # E[s^2] / E[s], or of greedy packs their length: what attention's cost grows with
    packs: Packs | None  # how rows fill sequences; None without packing
    busy: float  # share of a step in which the GPUs do not wait for the longest sequence, or compute padding
    rows_per_step: float  # rows that one optimizer step sees
    tokens_per_step: float
    flops_per_token: float
    rows: int | None  # trained on in one epoch
    steps: int | None
    tokens: float | None  # of all epochs

    @property
    def operations(self) -> float | None:
        """Model FLOPs of the whole run."""
        return None if self.tokens is None else self.tokens * self.flops_per_token


def work(block: Train, facts: Facts, lengths: Lengths) -> Work:
    """What training on rows of these lengths does."""
    values = lengths.trained(block.cutoff, block.on_cut)
    mean = rows_of.mean(values)
    packed = rows_of.packs(values, block.cutoff) if block.packing != "none" else None
    sequences = float(block.sequences())
    each = packed.rows if packed is not None else 1.0  # rows of a sequence
    seen = float(block.cutoff) if block.packing == "greedy" else rows_of.seen_by_a_token(values)
    waits = rows_of.longest(values, max(1, block.micro_batch * block.world))
    busy = packed.fill if packed is not None else (mean / waits if waits else 1.0)
    made = Work(
        row_tokens=mean,
        seen=seen,
        packs=packed,
        busy=busy,
        rows_per_step=sequences * each,
        tokens_per_step=sequences * each * mean,
        flops_per_token=flops_per_token(facts, seen, trained(facts, block)),
        rows=None,
        steps=block.max_steps,
        tokens=None if block.max_steps is None else block.max_steps * sequences * each * mean,
    )
    if lengths.rows is None:
        return made
    rows = round(lengths.rows * len(values) / len(lengths.whole))
    in_epoch = _steps_of_an_epoch(block, math.ceil(rows / each) if each else 0)
    steps = math.ceil(block.epochs * in_epoch) if block.max_steps is None else block.max_steps
    # An epoch goes through every row once, however its last step is filled.
    tokens = rows * mean * (steps / in_epoch if in_epoch else 0.0)
    return made._replace(rows=rows, steps=steps, tokens=tokens)


def _steps_of_an_epoch(block: Train, sequences: int) -> int:
    """Steps as transformers' Trainer counts them: each GPU's share in micro-batches, rounded up, then accumulated."""
    micro = math.ceil(sequences / (block.micro_batch * block.world))
    accumulate = max(1, math.ceil(block.sequences() / (block.micro_batch * block.world)))
    return math.ceil(micro / accumulate)
