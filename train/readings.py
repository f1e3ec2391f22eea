"""How far a training run is, read from what it left in its folder: LLaMA-Factory's log, heartbeats, attempts.

Only reads, also while the run goes on and from another machine. After a resumption steps stand in the log again; the
newer line counts. Speeds are measured within one attempt, because the log's own throughput divides the tokens of all
attempts by the time of the last.
"""

import contextlib
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from train.inside import checkpoints, process
from train.job import Job

LOG = "trainer_log.jsonl"
_RECENT = 50  # steps over which speed and loss are averaged
_ELAPSED = re.compile(r"(?:(\d+) days?, )?(\d+):(\d+):(\d+)")


class Point(NamedTuple):
    """One line of the log: `seconds` since its attempt began to train, `tokens` since the run did."""

    step: int
    steps: int
    loss: float | None
    tokens: int | None
    seconds: float
    epoch: float | None = None
    rate: float | None = None  # the learning rate


class Speed(NamedTuple):
    """Over the newest steps of the newest attempt."""

    seconds_per_step: float
    tokens_per_second: float | None


def points(output: Path) -> list[Point]:
    """The log, one point a step, in order. A line that a crash broke off is left out."""
    found: dict[int, Point] = {}
    for one in written(output):
        while found and next(reversed(found)) >= one.step:
            found.popitem()  # an attempt went back: what comes now stands in their place
        found[one.step] = one
    return list(found.values())


def written(output: Path) -> Iterator[Point]:
    """Every line of the log that says a loss, in the order of writing."""
    try:
        lines = (output / LOG).open(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return
    with lines:
        for line in lines:
            with contextlib.suppress(ValueError, KeyError, TypeError):
                said = json.loads(line)
                if said.get("loss") is not None:
                    yield _point(said)


def _point(said: dict[str, Any]) -> Point:
    match = _ELAPSED.fullmatch(str(said.get("elapsed_time", "0:00:00")))
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups()) if match else (0, 0, 0, 0)
    return Point(
        step=int(said["current_steps"]),
        steps=int(said["total_steps"]),
        loss=float(said["loss"]),
        tokens=said.get("total_tokens"),
        seconds=days * 86400.0 + hours * 3600 + minutes * 60 + seconds,
        epoch=said.get("epoch"),
        rate=said.get("lr"),
    )


def speed(output: Path) -> Speed | None:
    """Seconds a step and tokens a second over the newest steps; None before there is a second of them to measure."""
    newest: list[Point] = []
    for one in written(output):
        if newest and (one.step <= newest[-1].step or one.seconds < newest[-1].seconds):
            newest = []  # another attempt: its clock begins anew
        newest = [*newest[-_RECENT:], one]
    if len(newest) < 2 or newest[-1].seconds <= newest[0].seconds:
        return None
    first, last = newest[0], newest[-1]
    seconds = last.seconds - first.seconds
    counted = first.tokens is not None and last.tokens is not None
    tokens = (last.tokens or 0) - (first.tokens or 0) if counted else None
    return Speed(seconds / (last.step - first.step), None if tokens is None else tokens / seconds)


def recent_loss(found: list[Point]) -> float | None:
    """The mean loss of the newest steps, at most a tenth of all: single steps jump."""
    newest = [one.loss for one in found if one.loss is not None][-max(1, min(_RECENT, len(found) // 10)) :]
    return sum(newest) / len(newest) if newest else None


class Node(NamedTuple):
    """The newest heartbeat of a node; `age` in seconds by this machine's clock, None where it never gave one."""

    node: int
    host: str
    state: str
    step: int | None
    age: float | None
    attempt: int | None


def nodes(folder: Path, job: Job) -> list[Node]:
    """Every node of the job, heard of or not."""
    found = []
    for number in range(job.nodes):
        said = process.read_state(folder / "state" / f"node-{number}.json")
        age = max(0.0, time.time() - float(said["time"])) if "time" in said else None
        found.append(Node(number, str(said.get("host", "")), str(said.get("state", "not heard of")), said.get("step"),
                          age, said.get("attempt")))  # fmt: skip
    return found


class Saved(NamedTuple):
    """The newest complete checkpoint (step 0: none), its age in seconds, and how many newer ones are partial."""

    step: int
    age: float | None
    partial: int
    refused: str = ""  # why none of them may be gone on from


def saved(folder: Path, job: Job) -> Saved:
    """Look at the checkpoints as the next attempt will."""
    try:
        found = checkpoints.survey(folder / job.output, checkpoints.Wanted.of(job.model_dump()))
    except checkpoints.Refused as refused:
        return Saved(0, None, 0, str(refused))
    age = None if found.newest is None else max(0.0, time.time() - found.newest.stat().st_mtime)
    return Saved(found.step, age, len(found.partial))


class Attempts(NamedTuple):
    """All launches together; `hours` from the first start to the last end or to now, `lost` of them to failures."""

    made: int
    failures: int
    lost_s: float
    began: float | None  # seconds since 1970
    hours: float | None
    why: str  # the newest failure, in words


def attempts(folder: Path) -> Attempts:
    """state/attempts.jsonl, summed up."""
    from train.inside.diagnosis import Attempts as Log

    log = Log(folder / "state" / "attempts.jsonl")
    lines = log.lines()
    starts = [one for one in lines if one.get("event") == "start"]
    ends = [one for one in lines if one.get("event") == "end"]
    failed = [one for one in ends if one.get("how") in ("failed", "hang")]
    beats = [process.read_state(path).get("time", 0.0) for path in (folder / "state").glob("node-*.json")]
    trained = _trained(lines, max(beats, default=0.0))
    return Attempts(
        made=len(starts), failures=log.failures(), lost_s=log.lost_s(),
        began=float(starts[0]["time"]) if starts else None, hours=trained / 3600 if starts else None,
        why=str(failed[-1].get("why", "")) if failed else "",
    )  # fmt: skip


def _trained(lines: list[dict[str, Any]], beat: float) -> float:
    """Seconds in which an attempt ran; the newest one, where it has no end yet, to the newest heartbeat."""
    total, began = 0.0, None
    for one in lines:
        if one.get("event") == "start":
            began = float(one["time"])
        elif one.get("event") == "end" and began is not None:
            total, began = total + float(one["time"]) - began, None
    return total + (max(0.0, beat - began) if began is not None else 0.0)
