"""What a training run will take, worked out before it is paid for: memory, machines, tokens, hours, dollars, disk.

It refuses nothing and explains all: every figure has its formula, every assumption is listed, and what would not work
is a note. Only the dataset (a sample of its rows) and the student's config.json are read.
"""

import math
from pathlib import Path
from typing import NamedTuple

from curate.errors import InputError, Prerequisite, RecipeError
from curate.projection import Range
from train import hours as cost
from train import lengths as rows_of
from train import memory
from train.block import Train, is_folder
from train.facts import Facts, facts
from train.lengths import Lengths
from train.machines import GB, Gpu, kinds, machine
from train.notes import notes
from train.planned import Held, Hours, Plan, Rows, Smallest, Steps
from train.stage import Input, Staged
from train.told import lines
from train.work import Work, work

__all__ = ["Plan", "lines", "plan"]

# Rows of published datasets, where the dataset itself is not on this machine. Sources: the dataset's card on the hub;
# the announcement of OpenThinker-32B (open-thoughts.ai/blog/scale).
_ROWS = {"open-thoughts/OpenThoughts-114k": 113_957, "open-thoughts/OpenThoughts-Unverified-173k": 173_000}
_TOKENISED = 13  # bytes of a tokenised token on disk: input_ids int32, attention_mask int8, labels int64


class _Seen(NamedTuple):
    """All that a plan is made from: three opinions on the lengths, the middle one the expected."""

    block: Train
    facts: Facts
    lengths: tuple[Lengths, Lengths, Lengths]
    done: tuple[Work, Work, Work]
    gpu: Gpu | None


def plan(block: Train, *, name: str, root: Path, rows: int | None = None) -> Plan:
    """What the `train:` block of the recipe `name` takes; what was staged or published for it lies under `root`.

    `rows` stands in where the dataset is not on this machine. Raises what finding the student's shape raises.
    """
    record = Staged.read(root / "runs" / name / "train")
    student = _place(block.student, record.student)
    shape = facts(str(student or block.student), block.student_revision)
    dataset = root / "runs" / name / "dataset" if block.dataset is None else _place(block.dataset, record.dataset)
    lengths, told = _lengths(block, dataset, student, rows)
    done = (work(block, shape, lengths[0]), work(block, shape, lengths[1]), work(block, shape, lengths[2]))
    try:
        gpu = machine(block.cluster)
    except RecipeError as error:
        gpu, told = None, (*told, f"{error.what}; {error.next}: without, nothing is said of room and hours")
    return _planned(_Seen(block, shape, lengths, done, gpu), name, told)


def _place(source: str, entry: Input | None) -> Path | None:
    """Where a student or dataset lies on this machine; None where it would have to be fetched."""
    if is_folder(source):
        return Path(source)
    return Path(entry.path) if entry is not None and entry.source == source else None


def _lengths(
    block: Train, dataset: Path | None, student: Path | None, rows: int | None
) -> tuple[tuple[Lengths, Lengths, Lengths], tuple[str, ...]]:
    """Low, expected and high, and what to say of them."""
    told: tuple[str, ...] = ()
    if dataset is not None:
        try:
            found = rows_of.measured(block, dataset, student)
            return (found, found, found), told
        except (InputError, Prerequisite) as error:
            told = (f"the lengths of rows could not be measured: {error}".replace("\n", ";"),)
    known = rows if rows is not None else _ROWS.get(block.dataset or "")
    if known is None:
        told = (*told, "how many rows there are is not known (`--rows N` says it): steps and hours follow from it")
    low, expected, high = sorted(rows_of.ASSUMED)
    made = (rows_of.assumed(known, low), rows_of.assumed(known, expected), rows_of.assumed(known, high))
    return made, told


def _planned(seen: _Seen, name: str, told: tuple[str, ...]) -> Plan:
    block, shape, gpu = seen.block, seen.facts, seen.gpu
    host_gb = gpu.host_memory_gb if gpu is not None else block.cluster.host_memory_gb
    return Plan(
        recipe=name,
        words=block.words(),
        student=block.student,
        shape=shape.source,
        parameters=shape.parameters,
        trained=memory.trained(shape, block),
        gpu=_held(memory.on_gpu(shape, block), None if gpu is None else gpu.memory_gb, memory.USABLE),
        host=_held(memory.on_host(shape, block), host_gb),
        disk=_held(_disk(seen), block.cluster.disk_gb),
        checkpoint=memory.total(memory.checkpoint(shape, block)),
        smallest=_smallest(block, shape),
        rows=_rows(seen),
        steps=_steps(seen),
        time=_time(seen),
        assumptions=_assumptions(seen),
        published=tuple(_published(one, seen) for one in cost.SEEN if one.parameters == shape.parameters),
        notes=(*told, *notes(block, shape, seen.lengths[1], seen.done[1], gpu)),
    )


def _held(parts: tuple[memory.Part, ...], room_gb: float | None, usable: float = 1.0) -> Held:
    size = memory.total(parts)
    return Held(parts=parts, size=size, room_gb=room_gb, fits=None if room_gb is None else size < usable * room_gb * GB)


def _rows(seen: _Seen) -> Rows:
    lengths, cutoff = seen.lengths[1], seen.block.cutoff
    return Rows(
        lengths=lengths.basis,
        measured=lengths.measured,
        rows=lengths.rows,
        row_tokens=_row_tokens(seen),
        cut_rows=lengths.cut_rows(cutoff),
        cut_tokens=lengths.cut_tokens(cutoff),
        tokens=_tokens(seen),
    )


def _steps(seen: _Seen) -> Steps:
    block, done = seen.block, seen.done[1]
    return Steps(
        sequences=float(block.sequences()),
        accumulate=_accumulate(block),
        rows=done.rows_per_step,
        rows_per_pack=done.packs.rows if done.packs is not None else None,
        tokens=done.tokens_per_step,
        steps=done.steps,
        flops_per_token=done.flops_per_token,
        traffic=6.0 * seen.facts.parameters if block.shard == "zero3" and block.world > 1 else None,
    )


def _accumulate(block: Train) -> int | None:
    try:
        return block.accumulate()
    except RecipeError:  # told as a note
        return None


def _row_tokens(seen: _Seen) -> Range:
    low, expected, high = (one.row_tokens for one in seen.done)
    off = seen.lengths[1].error(seen.block.cutoff)
    if off is None:
        return Range(low=low, expected=expected, high=high)
    return Range(low=expected * (1 - off), expected=expected, high=expected * (1 + off))


def _tokens(seen: _Seen) -> Range | None:
    expected = seen.done[1].tokens
    if expected is None:
        return None
    mean, each = seen.done[1].row_tokens, _row_tokens(seen)
    return Range(low=expected * each.low / mean, expected=expected, high=expected * each.high / mean) if mean else None


def _time(seen: _Seen) -> Hours | None:
    """Hours: many tokens at a low MFU, to few at a high one. None on the CPU, or without a number of rows."""
    block, gpu, tokens, done = seen.block, seen.gpu, _tokens(seen), seen.done[1]
    if gpu is None or tokens is None or not tokens.expected:
        return None
    gpus, low = block.world, cost.mfu_range(done.busy, block.offload)

    def took(amount: float, of: Work, mfu: float) -> float:
        return cost.hours(amount * of.flops_per_token, gpus, gpu.tflops, mfu)

    middle = math.sqrt(low[0] * low[1])
    found = Range(
        low=took(tokens.low, seen.done[0], low[1]),
        expected=took(tokens.expected, done, middle),
        high=took(tokens.high, seen.done[2], low[0]),
    )
    cluster, price = block.cluster, None
    if cluster.price_per_gpu_hour is not None:
        price = found * (gpus * cluster.price_per_gpu_hour)
    elif cluster.price_per_node_hour is not None:
        price = found * (cluster.nodes * cluster.price_per_node_hour)
    return Hours(
        mfu=low,
        why=cost.why(block.packing, block.offload, done.busy),
        hours=found,
        gpu_hours=found * gpus,
        price_usd=price,
        busy=tuple((share, took(tokens.expected, done, share)) for share in cost.BUSY),
    )


def _smallest(block: Train, shape: Facts) -> tuple[Smallest, ...]:
    shard = {} if block.shard in ("zero3", "fsdp") else {"shard": "zero3"}
    thrifty = block.model_copy(update={"liger": True, "offload": "all", **shard})
    return tuple(
        Smallest(
            gpu=gpu.name,
            memory_gb=gpu.memory_gb,
            as_it_is=memory.smallest(shape, block, gpu),
            thrifty=memory.smallest(shape, thrifty, gpu),
        )
        for gpu in kinds().values()
    )


def _disk(seen: _Seen) -> tuple[memory.Part, ...]:
    block, shape, done = seen.block, seen.facts, seen.done[1]
    one, keep = memory.total(memory.checkpoint(shape, block)), block.checkpoints.keep
    tokens = (done.rows or 0) * done.row_tokens
    many = f"{keep} x {one / GB:,.1f} GB, and the one that is being written"
    parts = (
        memory.Part(name="checkpoints", size=(keep + 1) * one, formula=many),
        memory.Part(
            name="tokenised rows", size=_TOKENISED * tokens, formula=f"{_TOKENISED} bytes x {tokens:,.0f} tokens"
        ),
        memory.Part(name="student", size=2 * shape.parameters, formula="2 bytes a parameter"),
        memory.Part(name="trained model", size=2 * shape.parameters, formula="2 bytes a parameter"),
    )
    return tuple(part for part in parts if part.size)


def _assumptions(seen: _Seen) -> tuple[str, ...]:
    """What is assumed, and not measured on this machine."""
    gpu, lengths = seen.gpu, seen.lengths[1]
    found = [
        "memory follows from formulas; it was not measured on these machines",
        f"a run may fill {memory.USABLE:.0%} of a GPU's memory",
    ]
    if not lengths.measured:
        words = lengths.basis.removeprefix("assumed: ")
        found.append(f"{words}; low and high: {min(rows_of.ASSUMED):,} and {max(rows_of.ASSUMED):,}")
    if gpu is not None:
        found.append(f"{gpu.name}: {gpu.memory_gb:g} GB, {gpu.tflops:g} TFLOP/s of dense bf16 ({gpu.of})")
        found.append(f"hours are an estimate for {gpu.name}: nobody measured this run on it")
        found.append("the network keeps up: hours hold no waiting for it, and none for checkpoints")
    return tuple(found)


def _published(one: cost.Seen, seen: _Seen) -> str:
    """A published run of a student of this shape, and the MFU that it implies at the assumed lengths."""
    low, high = (
        cost.mfu(
            one.rows * one.epochs * mean * cost.flops_per_token(seen.facts, 1.35 * mean),
            one.gpus,
            kinds()[one.gpu].tflops,
            one.hours,
        )
        for mean in (min(rows_of.ASSUMED), max(rows_of.ASSUMED))
    )
    return (
        f"{one.name} took {one.hours:g} h on {one.gpus} {one.gpu} ({one.source}), an MFU of {low:.1%} to "
        f"{high:.1%} at {min(rows_of.ASSUMED):,} to {max(rows_of.ASSUMED):,} tokens a row"
    )
