"""What a launcher is: it brings one node-level command onto every node of a run, and tells how far that went.

Every launcher starts `code/supervise.py`, which starts `code/node.py` on each node; they differ only in how. What was
submitted stands in `state/launch.json` of the run folder, so a second launch of a running job is refused.
"""

import json
import os
import re
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from curate.plug import Kind
from curate.run import locked, replace_file

if TYPE_CHECKING:
    from train.block import Train
    from train.job import Job

# Where the image of train/Dockerfile has its training interpreter.
IMAGE_PYTHON = "/opt/train/bin/python"

State = Literal["absent", "queued", "running", "done", "failed", "stopped", "unknown"]


class Launched(NamedTuple):
    """What a launch came to. `id` is the scheduler's name of the job, None where the launch waited for the end."""

    launcher: str
    id: str | None
    done: bool  # True: the training is complete; False: it runs elsewhere, or was only written down to be submitted
    words: str  # one line for the user: what runs where, and how to look at it
    more: dict[str, Any] = {}  # noqa: RUF012 - never mutated; what the launcher needs to find the job again


class Where(NamedTuple):
    """What a launcher knows of a job now; how far the training is stands in the heartbeats.

    `absent`: never launched. `stopped`: ended before its end, and the same command goes on. `unknown`: cannot be asked.
    """

    state: State
    words: str = ""
    id: str | None = None


class NodeReply(NamedTuple):
    """What a command said on one node. `rc` is None where the node could not be reached or did not answer in time."""

    node: str
    rc: int | None
    output: str


class Launcher(Kind):
    """How a run reaches its nodes. `here` is the run folder on this machine, `job.folder` the one on the nodes."""

    def place(self, here: Path) -> str:
        """The absolute path of the run folder on the nodes: what `Job.folder` becomes."""
        return str(here)

    def shared(self) -> bool:
        """Whether every node sees one and the same run folder: what `Job.shared` becomes."""
        return True

    def interpreter(self, python: str) -> str:
        """The training interpreter on the nodes, where the one on this machine is `python`."""
        return python

    @abstractmethod
    def files(self, job: "Job", block: "Train") -> dict[str, str]:
        """The launcher's own files, relative path -> text, runnable by hand. Pure.

        Raises RecipeError where this launcher cannot run such a job.
        """

    @abstractmethod
    def launch(self, job: "Job", block: "Train", here: Path, say: Callable[[str], None]) -> Launched:
        """Start the job whose files lie in `here`, or go on with it.

        Waits for the end where the nodes are this machine's to hold (local, hosts). Raises Stopped where the job runs
        already or was interrupted, Prerequisite where a program is missing, Failed where training ended for good.
        """

    @abstractmethod
    def status(self, job: "Job", here: Path) -> Where:
        """What the scheduler says now; only reads."""

    def each(self, job: "Job", argv: Sequence[str], timeout: float) -> list[NodeReply] | None:
        """Run a command once on every node at the same time: what `preflight` asks the nodes with.

        Each copy finds its node's number in VERISTILL_RANK and the host of node 0 in VERISTILL_MASTER. Replies come in
        the order of these numbers. None where the nodes cannot be reached before the job itself runs on them.
        """
        return None


def run_of(here: Path) -> str:
    """The name of the run that a folder belongs to: RUN/train."""
    return here.parent.name if here.name == "train" else here.name


def label(name: str) -> str:
    """A name as schedulers and clouds take it: lower-case letters, digits and hyphens, at most 40."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40].rstrip("-") or "veristill"


def note(here: Path, launched: Launched) -> None:
    """Write down what was submitted, durably, in state/launch.json."""
    path = here / "state" / "launch.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, json.dumps(launched._asdict(), indent=2).encode() + b"\n")


def noted(here: Path) -> Launched | None:
    """What was submitted last; None if nothing was."""
    path = here / "state" / "launch.json"
    return Launched(**json.loads(path.read_text("utf-8"))) if path.exists() else None


@contextmanager
def submitting(here: Path) -> Iterator[None]:
    """One launch of a run folder at a time. Raises Stopped (exit 4) while another process launches it."""
    (here / "state").mkdir(parents=True, exist_ok=True)
    handle = locked(here / "state" / "launch.lock", "another launch of this training is under way")
    try:
        yield
    finally:
        os.close(handle)
