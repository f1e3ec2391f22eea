"""Bytes: what training a dense decoder holds on each GPU, in each machine's memory and on disk, part by part.

Every part says the formula that it comes from. Nothing here was measured: docs/reference/training-costs.md has the
sources of the formulas, and what they were held against.
"""

from math import ceil, log2
from typing import NamedTuple

from pydantic import Field

from curate.records import Record
from train.block import Cluster, Train
from train.facts import Facts
from train.machines import GB, Gpu

USABLE = 0.95  # share of a GPU's memory that a plan may fill
WORKSPACE = 5 * GB  # CUDA context, NCCL's buffers, fragmentation: an assumption
_SUB_GROUP = 10**9  # parameters that ZeRO-3 steps at once (`sub_group_size`)
_LIVE = 10**9  # parameters that ZeRO-3 keeps gathered (`stage3_max_live_parameters`)
_BUCKET = 5 * 10**8  # elements of DeepSpeed's communication buffers
_INTERPRETER = 4 * GB  # host memory of a training process beside its share of the states: an assumption
_COUNTS = (1, 2, *range(4, 1025, 4))
# Bytes of optimizer state per trained parameter, beside the fp32 copy that DeepSpeed adds: two fp32 moments for Adam.
_STATE = {"adafactor": 0.1, "sgd": 0.0, "lion": 4.0, "lion_32bit": 4.0}


class Part(Record):
    """Bytes that are held for one purpose."""

    name: str
    size: float = Field(ge=0, description="Bytes.")
    formula: str


def total(parts: tuple[Part, ...]) -> float:
    """Bytes of all parts."""
    return sum(part.size for part in parts)


def adapter(facts: Facts, block: Train) -> int:
    """Parameters of the low-rank adapters: rank * (inputs + outputs) of each module that gets one."""
    named = {name.strip() for name in block.method.target.split(",")}
    sides = [sum(sides) for name, sides in facts.linears.items() if "all" in named or name in named]
    return facts.layers * block.method.rank * sum(sides)


def trained(facts: Facts, block: Train) -> int:
    """Parameters that the optimizer moves."""
    return facts.parameters if block.method.kind == "full" else adapter(facts, block)


class _Held(NamedTuple):
    """Bytes of states on one GPU, and how they come about."""

    weights: tuple[float, str]
    gradients: tuple[float, str]
    optimizer: tuple[float, str]
    step: tuple[float, str] = (0.0, "")


def on_gpu(facts: Facts, block: Train, world: int | None = None) -> tuple[Part, ...]:
    """What each GPU holds at the peak, on `world` GPUs (by default the recipe's). The parts need not peak together."""
    count = block.world if world is None else world
    held = _held(facts, block, count)
    parts = [
        Part(name="weights", size=held.weights[0], formula=held.weights[1]),
        Part(name="gradients", size=held.gradients[0], formula=held.gradients[1]),
        Part(name="optimizer", size=held.optimizer[0], formula=held.optimizer[1]),
        Part(name="optimizer step", size=held.step[0], formula=held.step[1]),
        _gathered(facts, block, count),
        *_activations(facts, block),
        Part(name="workspace", size=0.0 if block.on_cpu else WORKSPACE, formula="5 GB: CUDA, NCCL, fragmentation"),
    ]
    return tuple(part for part in parts if part.size)


def _held(facts: Facts, block: Train, world: int) -> _Held:
    if block.shard in ("zero2", "zero3"):
        return _held_by_zero(facts, block, world)
    return _held_by_torch(facts, block, world)


def _held_by_zero(facts: Facts, block: Train, world: int) -> _Held:
    """DeepSpeed: 16-bit weights and gradients, an fp32 copy and the optimizer's state; Rajbhandari et al. 2020."""
    moved, size = trained(facts, block), _size(block)
    whole = facts.parameters + (moved if block.method.kind == "lora" else 0)
    split = world if block.shard == "zero3" else 1
    w = f" / {world} GPUs"
    state = 4 + _state(block)
    weights = (
        (0.0, "offloaded to host memory")
        if block.offload == "all"
        else (size * whole / split, f"{size} bytes x {_m(whole)}{w if split > 1 else ' on every GPU'}")
    )
    if block.offload != "none":
        return _Held(weights, (0.0, "offloaded to host memory"), (0.0, "offloaded to host memory"))
    share = moved / world
    at_once = min(share, _SUB_GROUP) if block.shard == "zero3" else share
    return _Held(
        weights,
        (size * share, f"{size} bytes x {_m(moved)}{w}"),
        (state * share, f"{state:g} bytes x {_m(moved)}{w}: fp32 weights and the state of {block.optimizer.name}"),
        (4 * at_once, f"4 bytes x {_m(at_once)}: fp32 gradients of what is stepped at once"),
    )


def _held_by_torch(facts: Facts, block: Train, world: int) -> _Held:
    """DDP and FSDP: LLaMA-Factory trains fp32 weights and casts them to 16 bits for each pass."""
    moved, size = trained(facts, block), _size(block)
    split = world if block.shard == "fsdp" else 1
    w = f" / {world} GPUs" if split > 1 else ""
    state = _state(block)
    frozen = facts.parameters if block.method.kind == "lora" else 0
    # Outside of FSDP, autocast keeps the 16-bit copies of fp32 weights until the pass is over.
    cast = size * moved if size < 4 and block.shard == "ddp" else 0
    held = (4 * moved + size * frozen) / split + cast
    words = f"4 bytes x {_m(moved)}{w}" + (f", {size} bytes x {_m(frozen)} frozen{w}" if frozen else "")
    words += f", {size} bytes x {_m(moved)} cast for the pass" if cast else ""
    if block.offload == "all":
        away = (0.0, "offloaded to host memory")
        return _Held(away, away, away)
    return _Held(
        (held, words),
        (4 * moved / split, f"4 bytes x {_m(moved)}{w}"),
        (state * moved / split, f"{state:g} bytes x {_m(moved)}{w}: the state of {block.optimizer.name}"),
    )


def _gathered(facts: Facts, block: Train, world: int) -> Part:
    """What is held to talk to the other GPUs: gathered layers, buffers."""
    size = _size(block)
    if block.shard == "zero3" and (world > 1 or block.offload == "all"):
        live = max(min(_LIVE, 3 * facts.layer), facts.embedding)
        held = size * (live + facts.layer + _BUCKET)
        return Part(
            name="gathered layers",
            size=held,
            formula=f"{size} bytes x ({_m(live)} live + {_m(facts.layer)} prefetched + {_m(_BUCKET)} of buffers)",
        )
    if block.shard == "fsdp" and world > 1:
        root = facts.embedding * (1 if facts.tied else 2)
        held = size * (root + 2 * facts.layer) + 4 * facts.layer
        formula = f"{size} bytes x ({_m(root)} + 2 x {_m(facts.layer)}) + 4 bytes x {_m(facts.layer)} of gradients"
        return Part(name="gathered layers", size=held, formula=formula)
    if block.shard == "ddp" and world > 1:
        moved = trained(facts, block)
        return Part(name="buffers", size=4 * moved, formula=f"4 bytes x {_m(moved)}: DDP's buckets copy the gradients")
    if block.shard == "zero2":
        bucket = min(_BUCKET, trained(facts, block))
        return Part(name="buffers", size=size * bucket, formula=f"{size} bytes x {_m(bucket)}: the reduce bucket")
    return Part(name="buffers", size=0.0, formula="one GPU: nothing is gathered")


def _activations(facts: Facts, block: Train) -> tuple[Part, ...]:
    tokens, size, h = block.cutoff * block.micro_batch, _size(block), facts.hidden
    # What one layer holds while it is recomputed: tensors of the model's width, fp32 copies in the norms, and five
    # tensors of the feed-forward block's width with their gradients.
    per_token = size * (6 * h + 2 * facts.q_dim + 2 * facts.kv_dim) + 2 * 4 * h + size * 5 * facts.ffn
    layers = 1 if block.gradient_checkpointing else facts.layers
    layer = layers * tokens * per_token
    output, words = _output(facts, block, tokens)
    transient = Part(name="logits and loss", size=output, formula=words)
    if layer >= output:
        transient = Part(
            name="activations of a layer" if layers == 1 else "activations",
            size=layer,
            formula=f"{tokens:,} tokens x {per_token:,} bytes" + (f" x {layers} layers" if layers > 1 else ""),
        )
    kept = size * tokens * h * facts.layers if block.gradient_checkpointing else 0
    scores = _scores(facts, block)
    return (
        Part(
            name="checkpointed activations",
            size=kept,
            formula=f"{size} bytes x {tokens:,} tokens x {h:,} x {facts.layers} layers",
        ),
        transient,
        scores,
    )


def _output(facts: Facts, block: Train, tokens: int) -> tuple[float, str]:
    """The logits and their loss: whole, or in the chunks of Liger's fused linear cross-entropy."""
    v, h, size = facts.vocab, facts.hidden, _size(block)
    if not block.liger:
        return 12.0 * tokens * v, f"12 bytes x {tokens:,} tokens x {v:,}: logits, in fp32 too, and their gradients"
    chunk = max(1, 2 ** ceil(log2(max(1.0, tokens / ceil(v / h)))))
    held = size * v * h + size * tokens * h + 4 * v * chunk
    return float(held), f"gradient of the output layer, and logits of {chunk:,} tokens at a time"


def _scores(facts: Facts, block: Train) -> Part:
    """What attention holds that grows with the square of the length; nothing in fused kernels."""
    square = block.micro_batch * block.cutoff**2
    if block.attention == "disabled":
        held = 10 * facts.heads * square
        return Part(name="attention scores", size=held, formula=f"10 bytes x {facts.heads} heads x {block.cutoff:,}^2")
    if block.packing == "neat" and block.attention in ("auto", "sdpa"):
        held = _size(block) * square
        return Part(name="attention mask", size=held, formula=f"{_size(block)} bytes x {block.cutoff:,}^2, without fa2")
    return Part(name="attention scores", size=0.0, formula="never held whole")


def on_host(facts: Facts, block: Train) -> tuple[Part, ...]:
    """What each machine's memory holds: what is offloaded, the weights while they are saved, the processes."""
    moved, nodes, gpus, size = trained(facts, block), block.cluster.nodes, block.cluster.gpus, _size(block)
    words = f"{_INTERPRETER / GB:g} GB x {gpus} processes"
    parts = [Part(name="processes", size=_INTERPRETER * gpus, formula=words)]
    if block.offload != "none":
        state = 4 + _state(block) if block.shard != "fsdp" else _state(block)
        parts += [
            Part(
                name="optimizer",
                size=state * moved / nodes,
                formula=f"{state:g} bytes x {_m(moved)} / {nodes} machines",
            ),
            Part(
                name="gradients", size=4 * moved / nodes, formula=f"4 bytes x {_m(moved)} / {nodes} machines, in fp32"
            ),
        ]
    if block.offload == "all":
        each = 4 if block.shard == "fsdp" else size
        parts.append(
            Part(
                name="weights",
                size=each * facts.parameters / nodes,
                formula=f"{each} bytes x {_m(facts.parameters)} / {nodes} machines",
            )
        )
    if block.shard in ("zero3", "fsdp") and block.checkpoints.gather:
        parts.append(
            Part(
                name="weights while saving",
                size=size * facts.parameters,
                formula=f"{size} bytes x {_m(facts.parameters)} on the first machine",
            )
        )
    return tuple(parts)


def smallest(facts: Facts, block: Train, gpu: Gpu) -> int | None:
    """The fewest GPUs (1, 2, or a multiple of 4, up to 1,024) of a kind on which this trains; None: none do.

    Where the table knows the memory of such machines, it must hold what is offloaded, too.
    """
    # What the largest number cannot hold, only one GPU may, which gathers nothing.
    counts = _COUNTS if _holds(facts, block, gpu, _COUNTS[-1]) else _COUNTS[:1]
    return next((count for count in counts if _holds(facts, block, gpu, count)), None)


def _holds(facts: Facts, block: Train, gpu: Gpu, count: int) -> bool:
    if total(on_gpu(facts, block, count)) >= USABLE * gpu.memory_gb * GB:
        return False
    if gpu.host_memory_gb is None:
        return True
    machines = Cluster(nodes=ceil(count / gpu.node), gpus=min(count, gpu.node))
    return total(on_host(facts, block.model_copy(update={"cluster": machines}))) < gpu.host_memory_gb * GB


def checkpoint(facts: Facts, block: Train) -> tuple[Part, ...]:
    """What one checkpoint takes on disk."""
    moved, size = trained(facts, block), _size(block)
    lora = block.method.kind == "lora"
    weights = size * moved if lora else (size if block.shard != "ddp" else 4) * facts.parameters
    gathered = block.shard not in ("zero3", "fsdp") or block.checkpoints.gather
    parts = [Part(name="weights", size=weights if gathered or lora else 0, formula=f"{_m(moved)} parameters")]
    if block.checkpoints.resumable:
        sharded = 4 + _state(block) if block.shard in ("zero2", "zero3") else _state(block)
        words = f"{sharded:g} bytes x {_m(moved)}"
        parts.append(Part(name="optimizer", size=sharded * moved, formula=words))
        if block.shard == "zero2":
            parts.append(Part(name="weights of DeepSpeed", size=size * moved, formula=f"{size} bytes x {_m(moved)}"))
        elif block.shard == "fsdp":
            parts.append(Part(name="sharded weights", size=4 * moved, formula=f"4 bytes x {_m(moved)}"))
    return tuple(part for part in parts if part.size)


def _size(block: Train) -> int:
    """Bytes of a weight or an activation while it is computed with."""
    return 4 if block.precision == "fp32" else 2


def _state(block: Train) -> float:
    """Bytes of optimizer state per trained parameter. Raises nothing: an optimizer that is not known counts as Adam."""
    name = block.optimizer.name
    return _STATE.get(name, 2.0 if "8bit" in name else 8.0)


def _m(count: float) -> str:
    """Parameters in words: `32.76 B`, `487.6 M`."""
    return f"{count / 1e9:.2f} B" if count >= 1e9 else f"{count / 1e6:.1f} M"
