"""Where a training run is: its step and loss, how fast and how far from the plan, what is saved, who is heard of."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import Field

from curate.errors import InputError, VeristillError
from curate.records import Record
from train import readings
from train.job import Job
from train.launcher import noted
from train.readings import Point

if TYPE_CHECKING:
    from train.block import Train

ENDED = ("done", "failed", "stopped", "absent")  # nothing more will happen until it is launched again
_SILENT_S = 60.0  # a heartbeat comes at most twice a second and at least once a step


class Heard(Record):
    """One node. `age_s` since its newest heartbeat, by this machine's clock."""

    node: int
    host: str
    state: str
    step: int | None
    age_s: float | None


class Status(Record):
    """A training run now. What is not known is None."""

    name: str
    folder: str
    state: str = Field(description="absent, queued, running, done, failed, stopped or unknown.")
    words: str = Field("", description="What the launcher or the last failure says of it.")
    job: str | None = Field(None, description="The scheduler's name of it.")
    step: int | None = None
    steps: int | None = None
    epoch: float | None = None
    loss: float | None = Field(None, description="Mean over the newest steps.")
    tokens: int | None = Field(None, description="Input tokens trained on, padding left out.")
    tokens_per_second: float | None = Field(None, description="Over the newest steps of this attempt, all GPUs.")
    seconds_per_step: float | None = None
    mfu: float | None = Field(None, description="Share of the GPUs' dense bf16 peak, recomputation not counted.")
    hours: float | None = Field(None, description="In which attempts ran, so far.")
    hours_left: float | None = None
    hours_planned: tuple[float, float] | None = Field(None, description="What the plan said for the whole run.")
    checkpoint: int | None = Field(None, description="Step of the newest complete checkpoint; 0: there is none.")
    checkpoint_age_s: float | None = None
    partial: int = Field(0, description="Newer checkpoints that are not complete.")
    attempts: int = 0
    failures: int = 0
    lost_s: float = Field(0.0, description="Seconds of training that failures cost.")
    nodes: tuple[Heard, ...] = ()


class Model(NamedTuple):
    """What the plan knows: operations a token costs, the peak of all GPUs a second, hours low and high."""

    flops_per_token: float
    peak: float
    hours: tuple[float, float] | None


def job_of(folder: Path) -> Job:
    """The job in a run's folder. Raises InputError where nothing was rendered there."""
    path = folder / "job.json"
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        raise InputError("there is no training run here", where=str(folder),
                         next="render or launch it first: veristill train launch RECIPE") from None  # fmt: skip
    return Job.read(text, str(path))


def status(block: "Train | None", folder: Path, model: Model | None = None) -> Status:
    """Read the state of the run in `folder`; `block` tells the launcher that may be asked, `model` what was planned.

    Raises InputError where nothing was rendered there.
    """
    job = job_of(folder)
    points = readings.points(folder / job.output)
    nodes = readings.nodes(folder, job)
    made = readings.attempts(folder)
    saved = readings.saved(folder, job)
    speed = readings.speed(folder / job.output)
    state, words, number = _where(block, job, folder)
    last = points[-1] if points else None
    step, steps = _step(last, nodes, job)
    per_step = speed.seconds_per_step if speed else None
    per_second = speed.tokens_per_second if speed else None
    left = None if state == "done" or None in (per_step, step, steps) else (steps or 0) - (step or 0)
    return Status(
        name=job.name,
        folder=str(folder),
        state=state,
        words=saved.refused or words or (made.why if state in ("failed", "stopped") else ""),
        job=number,
        step=step,
        steps=steps,
        epoch=last.epoch if last else None,
        loss=readings.recent_loss(points),
        tokens=last.tokens if last else None,
        tokens_per_second=per_second,
        seconds_per_step=per_step,
        mfu=per_second * model.flops_per_token / model.peak if per_second and model and model.peak else None,
        hours=made.hours,
        hours_left=left * (per_step or 0) / 3600 if left is not None else None,
        hours_planned=model.hours if model else None,
        checkpoint=saved.step,
        checkpoint_age_s=saved.age,
        partial=saved.partial,
        attempts=made.made,
        failures=made.failures,
        lost_s=made.lost_s,
        nodes=tuple(Heard(node=one.node, host=one.host, state=one.state, step=one.step, age_s=one.age)
                    for one in nodes),
    )  # fmt: skip


def _step(last: Point | None, nodes: list[readings.Node], job: Job) -> tuple[int | None, int | None]:
    """The log is written at every step, but heartbeats reach a shared folder first."""
    beats = [one.step for one in nodes if one.step is not None]
    newest = max([*beats, *([last.step] if last else [])], default=None)
    return newest, last.steps if last else job.expect.steps


def _where(block: "Train | None", job: Job, folder: Path) -> tuple[str, str, str | None]:
    """What the launcher says; a scheduler that does not answer leaves the heartbeats."""
    submitted = noted(folder)
    number = submitted.id if submitted else None
    if block is None:
        return "unknown", "", number
    try:
        found = block.launcher.status(job, folder)
    except (VeristillError, OSError) as error:
        return "unknown", str(error), number
    return found.state, found.words, found.id or number


def watch(read: Callable[[], Status], every: float, wait: Callable[[float], None] = time.sleep) -> Iterator[Status]:
    """The state again and again, until the run has ended."""
    while True:
        now = read()
        yield now
        if now.state in ENDED:
            return
        wait(every)


def lines(now: Status) -> dict[str, Any]:
    """One line each for people."""
    state = ", ".join(part for part in (now.state, now.words) if part)
    found: dict[str, Any] = {"run": now.name, "state": state, "job": now.job}
    if now.step is not None:
        whole = f" of {now.steps:,} ({100 * now.step / now.steps:.1f} %)" if now.steps else ""
        found["step"] = f"{now.step:,}{whole}" + (f", epoch {now.epoch:.2f}" if now.epoch is not None else "")
    found["loss"] = None if now.loss is None else f"{now.loss:.4f}"
    found["tokens"] = None if now.tokens is None else f"{now.tokens:,}"
    found["speed"] = _speed(now)
    found["hours"] = _hours(now)
    found["checkpoint"] = _checkpoint(now)
    if now.attempts:
        found["attempts"] = f"{now.attempts}, {now.failures} of them failed" + (
            f", {now.lost_s:,.0f} s lost" if now.lost_s else ""
        )
    for one in now.nodes:
        found[f"node {one.node}"] = _heard(one, now.state)
    return {name: value for name, value in found.items() if value not in (None, "")}


def _speed(now: Status) -> str:
    parts = [f"{now.tokens_per_second:,.0f} tokens/s" if now.tokens_per_second else "",
             f"{now.seconds_per_step:,.3g} s/step" if now.seconds_per_step is not None else "",
             f"MFU {100 * now.mfu:.1f} %" if now.mfu is not None else ""]  # fmt: skip
    return ", ".join(part for part in parts if part)


def _hours(now: Status) -> str:
    parts = [f"{now.hours:,.2f} so far" if now.hours is not None else "",
             f"{now.hours_left:,.2f} left" if now.hours_left is not None else ""]  # fmt: skip
    if now.hours_planned is not None:
        low, high = now.hours_planned
        parts.append(f"planned {low:,.1f} to {high:,.1f} in all")
    return ", ".join(part for part in parts if part)


def _checkpoint(now: Status) -> str:
    if not now.checkpoint:
        return "none is complete yet" if now.step else ""
    partial = f"; {now.partial} newer not complete" if now.partial else ""
    return f"step {now.checkpoint:,}, {_ago(now.checkpoint_age_s)}{partial}"


def _heard(one: Heard, state: str) -> str:
    if one.age_s is None:
        return one.state
    silent = state == "running" and one.age_s > _SILENT_S and one.state != "done"
    at = f" at step {one.step:,}" if one.step is not None else ""
    return f"{one.host}: {one.state}{at}, heard {_ago(one.age_s)}" + (" (SILENT)" if silent else "")


def _ago(seconds: float | None) -> str:
    if seconds is None:
        return "at no known time"
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit} ago"
    return f"{seconds:.0f} s ago"
