"""What preflight can check in the control process: arithmetic, memory, disk, time-outs, checkpoints, the environment.

Each check yields findings and raises nothing of its own; none imports torch.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from curate.errors import InputError, Prerequisite, RecipeError, VeristillError
from train import memory
from train.environment import Examined
from train.facts import Facts
from train.finding import Finding
from train.inside import checkpoints
from train.machines import GB, machine
from train.stage import Staged

if TYPE_CHECKING:
    from train.block import Train
    from train.job import Job

# A collective that waits shorter than the slowest step fails for nothing; longer than two hours a hang burns GPUs.
TIMEOUTS = (10.0, 120.0)
_REPORTERS = {"wandb": "wandb", "mlflow": "mlflow", "tensorboard": "tensorboard"}
_ATTENTION = {"fa2": "flash-attn", "fa3": "flash-attn-3"}


def arithmetic(block: "Train") -> Iterator[Finding]:
    """The batch splits evenly over the processes."""
    try:
        accumulate = block.accumulate()
    except RecipeError as error:
        yield Finding.bad("batch", error)
        return
    total = block.micro_batch * accumulate * block.world
    unit = "rows" if block.packing == "none" else "packs"
    what = f"{block.micro_batch} x {accumulate} x {block.world} processes = {total} {unit} a step"
    yield Finding.good("batch", what)


def timeouts(block: "Train") -> Iterator[Finding]:
    """Time-outs are long enough for a slow step and short enough to notice a hang."""
    low, high = TIMEOUTS
    minutes, hang = block.ddp_timeout_minutes, block.retries.hang_minutes
    if not low <= minutes <= high:
        long = minutes > high
        years = f" ({minutes / 525_600:.1f} years)" if minutes > 525_600 else ""
        why = "a rank that hangs would hold every GPU so long" if long else "a slow checkpoint would end the run"
        yield Finding.bad(
            "time-outs",
            RecipeError(
                f"a collective would wait {minutes:g} minutes{years}: {why}",
                where="train.ddp_timeout_minutes",
                next=f"say {low:g} to {high:g}; 60 is the default",
            ),
        )
    elif hang > 24 * 60:
        yield Finding.bad(
            "time-outs",
            RecipeError(
                f"a run without a step would be left alone for {hang / 60:g} hours",
                where="train.retries.hang_minutes",
                next="say several times the length of a step; 30 is the default",
            ),
        )
    else:
        yield Finding.good("time-outs", f"a collective fails after {minutes:g} minutes, a hang ends after {hang:g}")


def revisions(block: "Train", here: Path) -> Iterator[Finding]:
    """What comes from the hub is pinned: by the recipe, or at least by what was staged."""
    record = Staged.read(here)
    named = (("student", block.student, block.student_revision, record.student),
             ("dataset", block.dataset, block.dataset_revision, record.dataset))  # fmt: skip
    for role, source, revision, entry in named:
        if source is None or source.startswith("/"):
            continue
        commit = entry.commit if entry is not None and entry.source == source else None
        if revision:
            yield Finding.good("revisions", f"{role} {source} at {revision}" + (f", commit {commit}" if commit else ""))
        else:
            yield Finding.warning(
                "revisions",
                f"the recipe names no revision of {source}" + (f"; staged was commit {commit}" if commit else ""),
                where=f"train.{role}_revision",
                next=f"say {commit}" if commit else "name a commit, so that the next run trains the same",
            )


def fits(block: "Train", facts: Facts) -> Iterator[Finding]:
    """The plan's memory fits the GPUs and the machines; the student's positions reach to the cutoff."""
    try:
        gpu = machine(block.cluster)
    except RecipeError as error:
        yield Finding.bad("memory", error)
        return
    if facts.positions and block.cutoff > facts.positions and "rope_scaling" not in block.extra:
        yield Finding.bad(
            "positions",
            RecipeError(
                f"the student knows {facts.positions:,} positions, the cutoff is {block.cutoff:,}",
                where="train.cutoff",
                next=f"say {facts.positions} or less, or name a rope_scaling under train.extra",
            ),
        )
    if gpu is None:
        yield Finding.skipped("memory", "on the CPU nothing is planned")
        return
    need, limit = memory.total(memory.on_gpu(facts, block)) / GB, memory.USABLE * gpu.memory_gb
    if need > limit:
        count = memory.smallest(facts, block, gpu)
        yield Finding.bad(
            "memory",
            RecipeError(
                f"the plan is {need:.0f} GB a GPU, and {gpu.name} has {limit:.0f} usable",
                where="train.cluster",
                next=f"the smallest that fits: {count} such GPUs"
                if count
                else "look at `veristill train plan`: liger, offload, LoRA, a shorter cutoff",
            ),
        )
    else:
        yield Finding.good("memory", f"{need:.0f} of {limit:.0f} usable GB a GPU, by the plan")
    yield from _host(block, facts, gpu.host_memory_gb)


def _host(block: "Train", facts: Facts, has: float | None) -> Iterator[Finding]:
    need = memory.total(memory.on_host(facts, block)) / GB
    if has is None:
        yield Finding.skipped(
            "host memory", f"the plan is {need:.0f} GB a machine; the recipe does not say what it has"
        )
    elif need > has:
        yield Finding.bad(
            "host memory",
            RecipeError(
                f"the plan is {need:.0f} GB of host memory, and the machine has {has:.0f}",
                where="train.cluster.host_memory_gb",
                next="offload less, or take more machines",
            ),
        )
    else:
        yield Finding.good("host memory", f"{need:.0f} of {has:.0f} GB a machine, by the plan")


def disk_needed(block: "Train", facts: Facts, rows: int) -> float:
    """Bytes on the run folder's disk: the checkpoints that are kept and the one being written, the result, the tokens.

    Tokens: ids, labels and mask as Arrow has them, at most 4 + 8 + 1 bytes, of rows at the cutoff.
    """
    one = memory.total(memory.checkpoint(facts, block))
    weights = 2.0 * facts.parameters
    return one * (block.checkpoints.keep + 1) + weights + 13.0 * rows * block.cutoff


def disk(block: "Train", facts: Facts, here: Path, rows: int) -> Iterator[Finding]:
    """There is room for the checkpoints."""
    need = disk_needed(block, facts, rows)
    if block.cluster.disk_gb is None and not block.launcher.shared():
        yield Finding.skipped("disk", f"{_gb(need)} needed on the nodes' own disks; say train.cluster.disk_gb")
        return
    place = next(one for one in (here, *here.parents) if one.exists())
    said = block.cluster.disk_gb
    free = said * GB if said is not None else float(shutil.disk_usage(place).free)
    one = memory.total(memory.checkpoint(facts, block))
    words = f"{block.checkpoints.keep} checkpoints of {_gb(one)} and one being written"
    if free < need:
        yield Finding.bad(
            "disk",
            Prerequisite(
                f"the run needs {_gb(need)} of disk ({words}), and {_gb(free)} is free",
                where="train.cluster.disk_gb" if said is not None else str(place),
                next="make room, say fewer checkpoints.keep, or put the run on a larger disk with --root",
            ),
        )
    else:
        yield Finding.good("disk", f"{_gb(need)} needed ({words}), {_gb(free)} free")


def _gb(size: float) -> str:
    return (
        f"{size / GB:.0f} GB"
        if size >= 10 * GB
        else f"{size / GB:.1f} GB"
        if size >= GB / 10
        else f"{size / 1e6:.1f} MB"
    )


def earlier(job: "Job", here: Path, *, resuming: bool) -> Iterator[Finding]:
    """What an earlier launch left: a whole checkpoint to go on from, half of one, or one of another topology."""
    try:
        found = checkpoints.survey(here / "output", checkpoints.Wanted.of(job.model_dump()))
    except checkpoints.Refused as refused:
        yield Finding.bad("checkpoints", Prerequisite(str(refused), where=str(here / "output"), next="see above"))
        return
    after = f"training goes on from step {found.step}" if found.newest else "training begins at the beginning"
    for path, reason in found.partial:
        if resuming:
            yield Finding.warning("checkpoints", f"{path.name} is set aside: {reason}; {after}")
            continue
        yield Finding.bad(
            "checkpoints",
            Prerequisite(
                f"half a checkpoint: {reason}",
                where=str(path),
                next=f"`veristill train launch` sets it aside, and {after}; or move it away",
            ),
        )
    if not found.partial:
        stray = checkpoints.stray_weights(here / "output")
        yield Finding.good("checkpoints", after + (" (weights of an ended run are set aside)" if stray else ""))


def environment(block: "Train", seen: Examined) -> Iterator[Finding]:
    """The training interpreter has what the recipe asks for, at versions that go together."""
    # Whether GPUs are there is a question to the nodes: this machine may have none.
    problems = seen.problems("cuda" if not block.on_cpu and seen.gpus else None)
    if not block.on_cpu and seen.flavour == "cpu":
        problems.append("torch is a build for the CPU, and the recipe trains on GPUs")
    asked = [("train.liger", "liger-kernel")] if block.liger else []
    if block.attention in _ATTENTION:
        asked.append(("train.attention", _ATTENTION[block.attention]))
    asked += [("train.report_to", _REPORTERS[name]) for name in block.report_to]
    for where, package in asked:
        if package not in seen.packages:
            yield Finding.bad(
                "environment",
                Prerequisite(
                    f"{package} is not installed in the training environment",
                    where=where,
                    next=f"{seen.executable} -m pip install {package}",
                ),
            )
    for words in problems:
        yield Finding.bad("environment", Prerequisite(words, where=seen.executable, next="veristill train setup"))
    for words in seen.warnings():
        yield Finding.warning("environment", words, where=seen.executable)
    if not problems:
        version = seen.packages.get("llamafactory", "?")
        yield Finding.good("environment", f"llamafactory {version}, torch {seen.packages.get('torch', '?')}")


def compilers(block: "Train", programs: dict[str, bool], where: str) -> Iterator[Finding]:
    """What DeepSpeed compiles at the start of an offloaded run."""
    if block.offload == "none" or block.on_cpu or block.shard == "fsdp":
        return
    lacking = [name for name, there in programs.items() if not there]
    if lacking:
        yield Finding.bad(
            "compilers",
            Prerequisite(
                f"DeepSpeed compiles its CPU Adam for offload, and {', '.join(lacking)} is missing",
                where=where,
                next="load the CUDA toolkit and a compiler there, or say offload: none",
            ),
        )


def as_finding(check: str, error: VeristillError) -> Finding:
    """An error that ended a check early."""
    kept = error if error.exit_code in (InputError.exit_code, Prerequisite.exit_code) else Prerequisite(
        error.what, where=error.where, next=error.next
    )  # fmt: skip
    return Finding.bad(check, kept)
