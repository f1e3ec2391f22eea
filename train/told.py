"""A plan in lines of text, for people: what it takes, what it rests on, and what to know before it is followed."""

from collections.abc import Iterator, Sequence

from curate.projection import Range
from train.machines import GB
from train.memory import USABLE
from train.planned import Held, Hours, Plan


def lines(plan: Plan) -> list[str]:
    """The plan as lines of text."""
    return [
        *_head(plan),
        "",
        *_held(f"each GPU, of which {USABLE:.0%} may be filled" if plan.gpu.room_gb else "each process", plan.gpu),
        "",
        *_held("the memory of each machine", plan.host),
        "",
        *_held("disk", plan.disk),
        "",
        *_smallest(plan),
        "",
        *_work(plan),
        *_time(plan.time),
        "",
        *(f"assumed: {one}" for one in plan.assumptions),
        *(f"published: {one}" for one in plan.published),
        *(["", *(f"note: {one}" for one in plan.notes)] if plan.notes else []),
    ]


def _head(plan: Plan) -> Iterator[str]:
    moved = "all trained" if plan.trained >= plan.parameters else f"{plan.trained / 1e6:,.1f} M trained"
    yield plan.words
    yield f"{plan.parameters / 1e9:,.2f} B parameters, {moved}; shape from {plan.shape}"


def _held(where: str, held: Held) -> Iterator[str]:
    verdict = {True: ": fits", False: ": DOES NOT FIT", None: ""}[held.fits]
    room = f" of {held.room_gb:,.0f} GB" if held.room_gb is not None else ""
    yield f"{where}: {held.size / GB:,.1f} GB{room}{verdict}"
    yield from _table([[f"  {part.name}", f"{part.size / GB:,.1f} GB", part.formula] for part in held.parts])


def _smallest(plan: Plan) -> Iterator[str]:
    yield "fewest GPUs that hold it"
    rows = [["  GPU", "memory", "as it is", "liger, all offloaded"]]
    rows += [
        [f"  {one.gpu}", f"{one.memory_gb:g} GB", _count(one.as_it_is), _count(one.thrifty)] for one in plan.smallest
    ]
    yield from _table(rows)


def _count(count: int | None) -> str:
    return "none" if count is None else str(count)


def _work(plan: Plan) -> Iterator[str]:
    rows, steps = plan.rows, plan.steps
    batch = f"{steps.sequences:g} {'packs' if steps.rows_per_pack else 'rows'}"
    packed = f", {steps.rows_per_pack:.2f} rows a pack: {steps.rows:,.0f} rows a step" if steps.rows_per_pack else ""
    accumulate = {None: "cannot be split evenly", 1: "at once"}.get(steps.accumulate, f"in {steps.accumulate} parts")
    yield "work"
    table = [
        ["  rows", f"{rows.rows:,}" if rows.rows is not None else "not known", rows.lengths],
        ["  tokens of a row", _ends(rows.row_tokens), "low, expected, high; after the cut"],
        ["  cut", f"{rows.cut_rows:.1%} of rows", f"{rows.cut_tokens:.1%} of all tokens stand behind the cutoff"],
        ["  tokens", _ends(rows.tokens) if rows.tokens else "not known", "of all epochs"],
        [
            "  steps",
            f"{steps.steps:,}" if steps.steps is not None else "not known",
            f"of {batch}, {accumulate}{packed}",
        ],
        ["  tokens of a step", f"{steps.tokens:,.0f}", ""],
    ]
    if steps.traffic is not None:
        words = "a GPU and micro-step: weights gathered twice, gradients scattered once"
        table.append(["  traffic", f"{steps.traffic / GB:,.0f} GB", words])
    yield from _table(table)


def _time(time: Hours | None) -> Iterator[str]:
    if time is None:
        return
    low, high = time.mfu
    table = [
        ["  MFU", f"{low:.1%} to {high:.1%}", time.why],
        ["  hours", _ends(time.hours), "an estimate: low, expected, high"],
        ["  GPU-hours", _ends(time.gpu_hours), ""],
    ]
    if time.price_usd is not None:
        table.append(["  dollars", _ends(time.price_usd), ""])
    else:
        table.append(["  dollars", "-", "say cluster.price_per_gpu_hour, or price_per_node_hour"])
    table += [[f"  hours at {share:.0%}", f"{took:,.1f}", "if the MFU were so"] for share, took in time.busy]
    yield from _table(table)


def _ends(amount: Range) -> str:
    return " / ".join(_number(one) for one in (amount.low, amount.expected, amount.high))


def _number(value: float) -> str:
    if value >= 1e9:
        return f"{value / 1e9:.2f} B"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows in columns; amounts (the second column) stand to the right."""
    if not rows:
        return []
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return [
        "  ".join(
            cell.rjust(width) if place == 1 else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
