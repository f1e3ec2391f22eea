"""Nodes that SkyPilot rents: a task file for `sky jobs launch`, which recovers jobs whose machines are taken away.

The file is written and checked against SkyPilot's schema; submitting it is left to `sky`.
"""

import shlex
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from curate.errors import RecipeError
from curate.prompts.prompt import compiled
from train.launcher import IMAGE_PYTHON, Launched, Launcher, Where, label, run_of
from train.launchers._yaml import readable

if TYPE_CHECKING:
    from train.block import Train
    from train.job import Job

_MOUNT = "/veristill-kept"
_LAUNCH = "sky jobs launch task.yaml"


class Skypilot(Launcher):
    """A SkyPilot task: one node-level command on every node, checkpoints in a bucket."""

    bucket: str = Field(
        pattern=r"^[a-z0-9]+://[^/]+$", description="The bucket that keeps checkpoints, such as s3://my-runs."
    )
    image: str = Field(min_length=1, description="The training image, as `docker` names it.")
    accelerator: str | None = Field(None, description="SkyPilot's name of the GPU, such as H100 or A100-80GB.")
    infra: str | None = Field(None, description="Where: cloud[/region[/zone]], such as aws/us-east-1; else anywhere.")
    disk_gb: int | None = Field(None, ge=1, description="Disk of each node; by default cluster.disk_gb.")
    spot: bool = Field(False, description="Spare capacity at a lower price; taken away now and then, and recovered.")
    restarts: int = Field(3, ge=0, description="How often SkyPilot starts the job again after it failed.")
    network: str | None = Field("best", description="SkyPilot's network_tier; best: the fabric between GPUs.")
    secrets: tuple[str, ...] = Field((), description="Variables taken from where `sky` runs, such as WANDB_API_KEY.")
    folder: str = Field("/tmp/veristill", pattern=r"^/", description="Where nodes put the run; they must be able to.")
    image_python: str = Field(IMAGE_PYTHON, pattern=r"^/", description="The training interpreter in the image.")

    def place(self, here: Path) -> str:
        """Below `folder`, by the run's name."""
        return f"{self.folder.rstrip('/')}/{run_of(here)}"

    def shared(self) -> bool:
        """Nodes keep what is their own."""
        return False

    def interpreter(self, python: str) -> str:
        """The image's."""
        return self.image_python

    def files(self, job: "Job", block: "Train") -> dict[str, str]:
        """The task, and what of the run folder stays here."""
        notes = (f"Trains {' '.join(job.name.split())}: run `{_LAUNCH}` in this folder.",)
        ignored = "/output/\n/state/\n/logs/\n/model/\n"
        return {"task.yaml": readable(self._task(job, block), *notes), ".skyignore": ignored}

    def launch(self, job: "Job", block: "Train", here: Path, say: Callable[[str], None]) -> Launched:
        """Says the command that submits the task; nothing is started."""
        words = f"task.yaml is ready; submit it: cd {shlex.quote(str(here))} && {_LAUNCH}"
        say(words)
        return Launched(self.kind(), None, False, words)

    def status(self, job: "Job", here: Path) -> Where:
        """Only `sky` knows."""
        return Where("unknown", f"ask SkyPilot: sky jobs queue (job {label(job.name)})")

    def _task(self, job: "Job", block: "Train") -> dict[str, Any]:
        if job.accelerator == "cuda" and self.accelerator is None:
            raise RecipeError("say which GPU, such as accelerator: H100", where="train.launcher.accelerator")
        script = compiled(files(__package__).joinpath("templates", "skypilot.sh").read_text("utf-8"), exact=True)
        run = script.render(
            folder=shlex.quote(job.folder),
            kept=shlex.quote(f"{_MOUNT}/{job.name}"),  # by the whole name: two runs must not share checkpoints
            python=shlex.quote(job.python),
        )
        gpus = {self.accelerator: job.processes} if job.accelerator == "cuda" else None
        disk = self.disk_gb or (round(block.cluster.disk_gb) if block.cluster.disk_gb else None)
        resources = {
            "infra": self.infra,
            "accelerators": gpus,
            "image_id": f"docker:{self.image}",
            "disk_size": disk,
            "network_tier": self.network if job.accelerator == "cuda" else None,
            "use_spot": self.spot,
            "job_recovery": {"max_restarts_on_errors": self.restarts},
        }
        return {
            "name": label(job.name),
            "num_nodes": job.nodes,
            "resources": {key: value for key, value in resources.items() if value is not None},
            "workdir": ".",
            "file_mounts": {_MOUNT: {"source": self.bucket, "mode": "MOUNT_CACHED"}},
            **({"secrets": dict.fromkeys(self.secrets)} if self.secrets else {}),
            "run": run,
        }
