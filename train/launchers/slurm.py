"""Nodes of a Slurm cluster: one batch job, or a chain of them, that supervises the training inside its allocation.

The run folder must lie on a file system that this machine and the nodes share.
"""

import re
import shlex
import time
import uuid
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from curate.errors import RecipeError, Stopped
from curate.prompts.prompt import compiled
from train.launcher import Launched, Launcher, NodeReply, Where, label, note, noted, submitting
from train.launchers import _queue

if TYPE_CHECKING:
    from train.block import Train
    from train.job import Job

SCRIPT = "job.sbatch"
_LIMIT = re.compile(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?")
# What a node finds its place by, inside an image that does not see the environment of its step.
_CARRIED = (
    *("VERISTILL_ATTEMPT", "VERISTILL_RANK", "VERISTILL_MASTER"),
    *("SLURM_JOB_ID", "SLURM_STEP_ID", "SLURM_NODEID", "SLURM_JOB_NUM_NODES"),
)
_HOUR_S, _DAY_S = 3600, 86400


class Container(BaseModel):
    """The image in which the nodes train; the supervisor runs outside of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["apptainer", "docker"] = Field("apptainer", description="What runs the image on the nodes.")
    image: str = Field(min_length=1, description="A .sif file or docker:// address (apptainer), or an image's name.")
    binds: tuple[str, ...] = Field((), description="Further folders that the image sees, as PATH or PATH:INSIDE.")
    host_python: str = Field("python3", description="Python 3.11 or newer outside of the image, for the supervisor.")


class Slurm(Launcher):
    """A batch job with `sbatch`; a second launch of a job that is queued or runs is refused."""

    account: str | None = Field(None, description="Who pays (`--account`).")
    partition: str | None = Field(None, description="Where it queues (`--partition`).")
    qos: str | None = Field(None, description="Its quality of service (`--qos`).")
    time: str | None = Field(
        None, description="Time limit of one job, as [DAYS-]HH:MM:SS; by default the partition's own."
    )
    constraint: str | None = Field(None, description="Features that the nodes must have (`--constraint`).")
    gpu_type: str | None = Field(None, description="The cluster's own name of the GPUs, such as h100.")
    cpus: int | None = Field(None, ge=1, description="CPUs of each node; by default those that `exclusive` brings.")
    memory: str | None = Field(None, description="Memory of each node (`--mem`), such as 480G; 0: all of it.")
    exclusive: bool = Field(True, description="No other job on these nodes.")
    directives: tuple[str, ...] = Field((), description="Further options of sbatch, such as --mail-type=END.")
    modules: tuple[str, ...] = Field((), description="Environment modules to load.")
    setup: str | None = Field(None, description="Shell lines before the start, such as `source ~/site.sh`.")
    container: Container | None = Field(None, description="Train in an image; `train.python` is then the image's own.")
    chain: int = Field(1, ge=1, le=100, description="Jobs that wait for each other, for a run longer than the limit.")
    warning_seconds: int = Field(300, ge=1, le=65535, description="How long before the limit the run is stopped.")
    requeues: int = Field(20, ge=0, description="How often the last job queues itself again at its time limit.")

    @field_validator("time")
    @classmethod
    def _readable(cls, time: str | None) -> str | None:
        if time is not None and not _LIMIT.fullmatch(time):
            raise ValueError("expected a limit as HH:MM:SS or DAYS-HH:MM:SS")
        return time

    @field_validator("directives")
    @classmethod
    def _options(cls, directives: tuple[str, ...]) -> tuple[str, ...]:
        for one in directives:
            if not one.startswith("-") or "\n" in one:
                raise ValueError(f"expected an option of sbatch such as --mail-type=END, found {one!r}")
        return directives

    @model_validator(mode="after")
    def _in_time(self) -> Self:
        if self.time is not None and 0 < seconds(self.time) <= self.warning_seconds:
            raise ValueError(
                f"a job of {self.time} would be stopped at its start: warning_seconds is {self.warning_seconds}"
            )
        return self

    def files(self, job: "Job", block: "Train") -> dict[str, str]:
        """The batch script."""
        if self.warning_seconds <= job.grace_s:
            raise RecipeError(
                f"warning_seconds is {self.warning_seconds}, but a stop may take {job.grace_s:g} seconds (retries)",
                where="train.launcher",
                next="say a longer warning_seconds",
            )
        text = compiled(files(__package__).joinpath("templates", SCRIPT).read_text("utf-8"), exact=True).render(
            directives="\n".join(["#!/bin/bash", *(f"#SBATCH {one}" for one in self._directives(job))]),
            name=" ".join(job.name.split()),
            nodes=job.nodes,
            folder=shlex.quote(job.folder),
            job=shlex.quote(job.path("job.json")),
            script=shlex.quote(job.path(SCRIPT)),
            setup=self._setup(),
            node="\n".join("    " + line for line in self._node(job)),
            supervisor=shlex.quote(self.container.host_python if self.container else job.python),
            requeues=self.requeues,
        )
        return {SCRIPT: text}

    def launch(self, job: "Job", block: "Train", here: Path, say: Callable[[str], None]) -> Launched:
        """Submit the job, or the whole chain. Raises Stopped where one is queued or runs, or Slurm takes none."""
        _queue.require("sbatch")
        with submitting(here):
            if left := _queue.alive(here / SCRIPT, noted(here)):
                raise Stopped(
                    f"this training is already {left[0].word} (Slurm job {', '.join(one.id for one in left)})",
                    where=str(here),
                    next=f"watch it with `veristill train status`, or end it: scancel {' '.join(o.id for o in left)}",
                )
            (here / "logs").mkdir(exist_ok=True)
            ids: list[str] = []
            for later in reversed(range(self.chain)):
                ids.append(_queue.submit(here / SCRIPT, after=ids, later=later))
                launched = self._launched(ids, here)
                note(here, launched)
        say(launched.words)
        return launched

    def status(self, job: "Job", here: Path) -> Where:
        """What Slurm says of the last job that was submitted, or of its chain."""
        launched = noted(here)
        if launched is None or launched.id is None:
            return Where("absent")
        return _queue.where(list(launched.more.get("ids", [launched.id])))

    def each(self, job: "Job", argv: Sequence[str], timeout: float) -> list[NodeReply] | None:
        """Run a command on nodes like those of the job, in an allocation of its own: waits in the queue for it."""
        _queue.require("srun")
        folder = Path(job.folder) / "state" / f"each-{uuid.uuid4().hex[:8]}"
        folder.mkdir(parents=True)
        wishes = [*self._asked(job, _plain), *self.directives]
        options = [one for one in wishes if not one.startswith(("--time", "--output", "--error"))]
        limit = f"--time={max(2, -(-int(timeout) // 60))}"
        inside = "\n".join(part for part in (self._setup(), " ".join([*self._image(job), '"$@"'])) if part)
        command = ["bash", "-c", inside, "node", *argv]
        return _queue.each(job.nodes, [*options, limit], command, folder, time.monotonic() + timeout)

    def _launched(self, ids: list[str], here: Path) -> Launched:
        chain = f", then {', '.join(ids[1:])}" if len(ids) > 1 else ""
        words = f"submitted Slurm job {ids[0]}{chain}; end it: scancel {' '.join(ids)}; logs: {here / 'logs'}"
        return Launched(self.kind(), ids[0], False, words, {"ids": ids})

    def _directives(self, job: "Job") -> list[str]:
        """Options of the batch job, quoted as sbatch reads them in a script."""
        own = [
            f"--job-name=veristill-{label(job.name)}",
            *self._asked(job, _word),
            "--ntasks-per-node=1",
            f"--chdir={_word(job.folder)}",
            f"--output={_word(_literal(job.path('logs')) + '/slurm-%j.log')}",
            "--open-mode=append",
            "--requeue",
            f"--signal=B:USR1@{self.warning_seconds}",
        ]
        return [*own, *(_quoted(one) for one in self.directives)]

    def _asked(self, job: "Job", quoted: Callable[[str], str]) -> list[str]:
        """What is asked of the cluster: options of sbatch and of srun alike."""
        named = [
            ("account", self.account),
            ("partition", self.partition),
            ("qos", self.qos),
            ("time", self.time),
            ("constraint", self.constraint),
            ("cpus-per-task", self.cpus),
            ("mem", self.memory),
        ]
        asked = [f"--nodes={job.nodes}", *(f"--{name}={quoted(str(value))}" for name, value in named if value)]
        if self.exclusive:
            asked.append("--exclusive")
        if job.accelerator == "cuda" and not any(one.startswith(("--gres", "--gpus", "-G")) for one in self.directives):
            kind = f"{self.gpu_type}:" if self.gpu_type else ""
            asked.append(f"--gpus-per-node={quoted(f'{kind}{job.processes}')}")
        return asked

    def _setup(self) -> str:
        # Lines of users and modules may use unset variables.
        lines = [f"module load {shlex.quote(one)}" for one in self.modules]
        lines += [self.setup.strip()] if self.setup and self.setup.strip() else []
        return "\n".join(["set +u", *lines, "set -u"]) if lines else ""

    def _node(self, job: "Job") -> list[str]:
        """The command of a node, a line for what belongs together; `$master` is the batch script's."""
        code, file = shlex.quote(job.path("code", "node.py")), shlex.quote(job.path("job.json"))
        return [*self._image(job), f'{shlex.quote(job.python)} -I {code} --job {file} --master "$master"']

    def _image(self, job: "Job") -> list[str]:
        """What goes before a command that is to run in the image, in lines of shell; nothing without an image."""
        if self.container is None:
            return []
        image, cuda = shlex.quote(self.container.image), job.accelerator == "cuda"
        if self.container.kind == "apptainer":
            binds = [f"--bind {shlex.quote(one)}" for one in (job.folder, *self.container.binds)]
            return [f"apptainer exec{' --nv' if cuda else ''}", *binds, image]
        # A container outlives the client that is killed: the next attempt takes it away first.
        script = 'docker rm --force "$0" >/dev/null 2>&1; exec docker run --name "$0" "$@"'
        return [
            f"bash -c {shlex.quote(script)} veristill-$SLURM_JOB_ID",
            '--rm --init --user "$(id -u):$(id -g)" --network=host --ipc=host --ulimit memlock=-1',
            *(["--gpus=all"] if cuda else []),
            " ".join(f"--env {name}" for name in _CARRIED),
            *(f"--volume {shlex.quote(_both(one))}" for one in (job.folder, *self.container.binds)),
            f"--workdir {shlex.quote(job.folder)} --entrypoint '' {image}",
        ]


def seconds(limit: str) -> int:
    """A time limit of Slurm in seconds: M, M:S, H:M:S, D-H, D-H:M or D-H:M:S. Raises ValueError for another text."""
    found = _LIMIT.fullmatch(limit)
    if found is None:
        raise ValueError(f"no time limit: {limit!r}")
    days, *parts = found.groups()
    first, second, third = (int(part) if part else 0 for part in parts)
    if days is not None:
        return int(days) * _DAY_S + first * _HOUR_S + second * 60 + third
    return first * 60 + second if parts[2] is None else first * _HOUR_S + second * 60 + third


def _plain(text: str) -> str:
    return text


def _word(text: str) -> str:
    """A value in an #SBATCH line, which knows quotes but is no shell. Raises RecipeError for what it cannot hold."""
    if re.fullmatch(r"[\w@%+=:,./-]+", text):
        return text
    if re.search(r'["\\\n]', text):
        raise RecipeError(f"sbatch cannot take {text!r}: quotes and backslashes end a value", where="train.launcher")
    return f'"{text}"'


def _quoted(option: str) -> str:
    name, equals, value = option.partition("=")
    return name + equals + _word(value) if equals else option


def _literal(path: str) -> str:
    """A path in a file name pattern of Slurm."""
    return path.replace("%", "%%")


def _both(bind: str) -> str:
    return bind if ":" in bind else f"{bind}:{bind}"
