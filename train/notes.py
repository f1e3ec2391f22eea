"""What to know of a plan before it is followed: what cannot work, what is cut, what is wasted and what would help."""

from collections.abc import Iterator

from curate.errors import RecipeError
from train import memory
from train.block import Train
from train.facts import Facts
from train.lengths import Lengths
from train.machines import GB, Gpu
from train.work import Work

_REFERENCE_ROWS = 96  # examples of a step in OpenThinker's runs


def notes(block: Train, facts: Facts, lengths: Lengths, done: Work, gpu: Gpu | None) -> Iterator[str]:
    """One sentence for each thing to know, the gravest first."""
    yield from _impossible(block, facts)
    yield from _too_large(block, facts, gpu)
    yield from _cut(block, lengths)
    yield from _batch(block, done)
    yield from _waste(block, done)
    if facts.stored is not None and abs(facts.stored / facts.parameters - 1) > 0.01:
        yield (
            f"the weight files hold {facts.stored:,} parameters and config.json says {facts.parameters:,}: the figures "
            "here follow config.json"
        )


def _impossible(block: Train, facts: Facts) -> Iterator[str]:
    try:
        block.accumulate()
    except RecipeError as error:
        yield f"cannot be launched: {error.what}; {error.next}"
    known = facts.positions
    if known is not None and block.cutoff > known:
        yield f"the cutoff of {block.cutoff:,} tokens is more than the {known:,} positions that the student knows"


def _too_large(block: Train, facts: Facts, gpu: Gpu | None) -> Iterator[str]:
    if gpu is None:
        return
    limit = memory.USABLE * gpu.memory_gb * GB
    if memory.total(memory.on_gpu(facts, block)) <= limit:
        return
    # Each of these alone, then all that costs no hardware together. Other ways to split know no such offload.
    zero = "" if block.shard == "zero3" else "shard: zero3, "
    alone: list[tuple[str, dict[str, object]]] = [
        ("liger: true", {"liger": True}),
        ("gradient_checkpointing: true", {"gradient_checkpointing": True}),
        ("shard: zero3", {"shard": "zero3"}),
        ("micro_batch: 1", {"micro_batch": 1}),
        (f"{zero}offload: optimizer", {"shard": "zero3", "offload": "optimizer"}),
        (f"{zero}offload: all", {"shard": "zero3", "offload": "all"}),
        (f"{zero}liger: true, offload: all", {"shard": "zero3", "offload": "all", "liger": True}),
    ]
    helped = False
    for words, update in alone:
        size = memory.total(memory.on_gpu(facts, block.model_copy(update=update)))
        if size <= limit:
            helped = True
            yield f"it would fit with `{words}`: {size / GB:,.0f} GB of {gpu.memory_gb:g} GB"
    count = memory.smallest(facts, block, gpu)
    if count is not None:
        yield f"it would fit on {count} GPUs of this kind"
    elif not helped:
        yield f"no number of GPUs of {gpu.memory_gb:g} GB makes it fit: lower the cutoff, or take larger ones"


def _cut(block: Train, lengths: Lengths) -> Iterator[str]:
    share = lengths.cut_rows(block.cutoff)
    if not share:
        return
    tokens = lengths.cut_tokens(block.cutoff)
    what = {
        "keep": "their ends are cut off: no answer, no end of text, and trained on all the same",
        "drop": "they are dropped",
        "fail": "preflight refuses to launch",
    }[block.on_cut]
    said = "" if lengths.measured else ", assumed"
    yield f"{share:.1%} of rows are longer than {block.cutoff:,} tokens ({tokens:.1%} of all tokens{said}): {what}"


def _batch(block: Train, done: Work) -> Iterator[str]:
    if done.packs is None:
        return
    sequences = float(block.sequences())
    yield (
        f"packing changes the batch: {sequences:g} packs of {done.packs.rows:.2f} rows are about "
        f"{done.rows_per_step:.0f} rows a step, where {_REFERENCE_ROWS} rows are the reference's"
    )
    if block.packing == "greedy":
        yield "rows of a pack see each other: `packing: neat` keeps them apart"
    elif block.attention not in ("fa2", "fa3"):
        yield "neat packing without `attention: fa2` builds a mask of cutoff x cutoff: slow, and larger in memory"


def _waste(block: Train, done: Work) -> Iterator[str]:
    if done.packs is None and done.busy < 0.8 and block.world > 1:
        rows = block.micro_batch * block.world
        yield f"without packing, GPUs wait for the longest of {rows} rows in every micro-step: {done.busy:.0%} is work"
