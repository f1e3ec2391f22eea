"""Hosts of an Amazon SageMaker training job. The SDK runs in an interpreter of its own, never in this process.

Without FSx the hosts share nothing: each saves its own part of a checkpoint, which SageMaker copies to S3 and back.
"""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from curate.errors import Prerequisite, RecipeError, Stopped
from curate.paths import RecipePath
from curate.prompts.prompt import compiled
from train.launcher import IMAGE_PYTHON, Launched, Launcher, State, Where, label, note, noted, run_of, submitting

if TYPE_CHECKING:
    from train.block import Train
    from train.job import Job

_LOCAL, _CHECKPOINTS, _SHARED = "/opt/ml/veristill", "/opt/ml/checkpoints", "/opt/ml/input/data/shared"
_CHANNELS = ("inputs", "tokenized")
_ASK_S = 120.0
# Hosts whose network NCCL uses through EFA (AWS, "Run distributed training with EFA").
_EFA = ("ml.p4d", "ml.p4de", "ml.p5", "ml.p6", "ml.g5.48xlarge", "ml.g6.48xlarge", "ml.trn1")
_RDMA = ("ml.p4d", "ml.p4de", "ml.p5", "ml.p6")  # on the others libfabric ends a process that asks for it
_STATES: dict[str, State] = {"InProgress": "running", "Completed": "done", "Failed": "failed", "Stopping": "running"}
_WAITING = ("Starting", "Pending", "LaunchingMLInstances", "PreparingTrainingStack", "Downloading")
_LONGEST_H = 28 * 24  # SageMaker ends every job after 28 days


class Fsx(BaseModel):
    """A Lustre file system that all hosts mount; the run folder lies on it."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    id: str = Field(pattern=r"^fs-", description="The file system, such as fs-0123456789abcdef0.")
    directory: str = Field(pattern=r"^/", description="Its mount name and a folder in it, such as /abcdefgh/veristill.")


class Sagemaker(Launcher):
    """A training job through SageMaker's ModelTrainer; every launch is a new job that goes on from S3 or FSx."""

    role: str = Field(description="The ARN of the execution role.")
    image: str = Field(description="The training image in ECR.")
    store: str = Field(
        pattern=r"^s3://[^/]+", description="The S3 address below which this run's files go, such as s3://bucket/runs."
    )
    instance_type: str = Field("ml.p5.48xlarge", description="The kind of host.")
    volume_gb: int | None = Field(None, ge=1, description="Disk of each host; by default cluster.disk_gb, or 2000.")
    max_hours: float = Field(
        120.0, gt=0, le=_LONGEST_H, description="When AWS ends the job; 5 days is its usual quota."
    )
    region: str | None = Field(None, description="By default that of the AWS configuration.")
    subnets: tuple[str, ...] = Field((), description="Subnets of the VPC; FSx needs them.")
    security_groups: tuple[str, ...] = Field((), description="Security groups in the VPC.")
    fsx: Fsx | None = Field(None, description="Keep the run folder on FSx for Lustre, shared by all hosts.")
    isolated: bool = Field(False, description="Hosts reach nothing outside of the job (network isolation).")
    spot: bool = Field(False, description="Spare capacity at a lower price, which AWS may take back; goes on after it.")
    max_wait_hours: float | None = Field(None, gt=0, description="With spot: hours of waiting and training together.")
    tags: dict[str, str] = Field(default_factory=dict, description="Tags of the job.")
    pass_env: tuple[str, ...] = Field((), description="Variables handed on from this machine, such as WANDB_API_KEY.")
    image_python: str = Field(IMAGE_PYTHON, pattern=r"^/", description="The training interpreter in the image.")
    sdk_python: RecipePath | None = Field(
        None, description="An interpreter with `pip install 'sagemaker>=3'`; by default the one that runs Veristill."
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.fsx is not None and not (self.subnets and self.security_groups):
            raise ValueError("FSx is reached through a VPC: say subnets and security_groups")
        if self.max_wait_hours is not None and not self.max_hours <= self.max_wait_hours <= _LONGEST_H:
            raise ValueError(f"max_wait_hours must lie between max_hours ({self.max_hours:g}) and {_LONGEST_H}")
        return self

    def place(self, here: Path) -> str:
        """In the container, or on the mounted file system under the run's name."""
        return f"{_SHARED}/{run_of(here)}" if self.fsx else _LOCAL

    def shared(self) -> bool:
        """Only with FSx."""
        return self.fsx is not None

    def interpreter(self, python: str) -> str:
        """The image's."""
        return self.image_python

    def files(self, job: "Job", block: "Train") -> dict[str, str]:
        """The request as the SDK gets it, and what every host runs."""
        script = compiled(files(__package__).joinpath("templates", "sagemaker.sh").read_text("utf-8"), exact=True)
        host = script.render(
            folder=shlex.quote(job.folder),
            fsx=self.fsx is not None,
            checkpoints=_CHECKPOINTS,
            channels=" ".join(_CHANNELS),
            python=shlex.quote(job.python),
        )
        request = json.dumps(self._request(job, block), indent=2, ensure_ascii=False) + "\n"
        return {"sagemaker/launch.sh": host, "sagemaker/request.json": request}

    def launch(self, job: "Job", block: "Train", here: Path, say: Callable[[str], None]) -> Launched:
        """Create the training job. Raises Stopped where one is under way, Prerequisite without the SDK."""
        if self.fsx is None:
            _check_inputs(job, here)
        with submitting(here):
            now = self.status(job, here)
            if now.state in ("queued", "running"):
                raise _runs(here, now.id, now.state)
            if lacking := [one for one in self.pass_env if one not in os.environ]:
                raise Prerequisite(
                    f"{', '.join(lacking)} is not set here",
                    where="train.launcher.pass_env",
                    next=f"export {lacking[0]}=..., then launch again",
                )
            say("bringing inputs to S3 and submitting the job")
            said = self._sdk(here, None, "submit", str(here / "sagemaker" / "request.json"))
            name = said["job"]
            words = f"submitted SageMaker job {name}; logs: CloudWatch, /aws/sagemaker/TrainingJobs"
            launched = Launched(self.kind(), name, False, words)
            note(here, launched)
            if said["already"]:  # submitted by a launch that was killed before it wrote that down, or from elsewhere
                raise _runs(here, name, "under way")
        say(launched.words)
        return launched

    def status(self, job: "Job", here: Path) -> Where:
        """What SageMaker says of the job that was submitted last."""
        launched = noted(here)
        if launched is None or launched.id is None:
            return Where("absent")
        said = self._sdk(here, _ASK_S, "status", launched.id)
        state = _STATES.get(said["status"], "stopped")
        if state == "running" and said["secondary"] in _WAITING:
            state = "queued"
        words = ": ".join(word for word in (said["secondary"], said["words"]) if word)
        return Where(state, f"SageMaker job {launched.id}: {words or said['status']}", launched.id)

    def _request(self, job: "Job", block: "Train") -> dict[str, Any]:
        # By the whole name: two runs whose labels are the same must not share checkpoints.
        store = f"{self.store.rstrip('/')}/{quote(job.name, safe='')}"
        hours = self.max_wait_hours if self.max_wait_hours is not None else min(2 * self.max_hours, _LONGEST_H)
        return {
            "job_name": label(job.name),
            "role": self.role,
            "image": self.image,
            "instance_type": self.instance_type,
            "instance_count": job.nodes,
            "volume_gb": self.volume_gb or round(block.cluster.disk_gb or 2000),
            "max_runtime_seconds": round(self.max_hours * 3600),
            "spot": self.spot,
            "max_wait_seconds": round(hours * 3600),
            "checkpoints": None if self.fsx else {"s3_uri": f"{store}/checkpoints", "local_path": _CHECKPOINTS},
            "store": store,
            "output": f"{store}/output",
            "fsx": self.fsx.model_dump() if self.fsx else None,
            "subnets": list(self.subnets),
            "security_groups": list(self.security_groups),
            "isolated": self.isolated,
            "region": self.region,
            "environment": self._environment(job),
            "pass_environment": list(self.pass_env),
            "tags": self.tags,
            "source": _source(job),
            "command": "bash launch.sh",
        }

    def _environment(self, job: "Job") -> dict[str, str]:
        """Of the containers; what the ranks need besides stands in job.json."""
        found = {"VERISTILL_RUN": job.name}
        if self.instance_type.startswith(_EFA):
            found |= {"FI_PROVIDER": "efa", "RDMAV_FORK_SAFE": "1"}
        if self.instance_type.startswith(_RDMA):
            found |= {"FI_EFA_USE_DEVICE_RDMA": "1"}
        return found

    def _sdk(self, here: Path, limit: float | None, verb: str, what: str) -> dict[str, Any]:
        """What the script that has the SDK says. Raises Prerequisite without one, Stopped where AWS refuses."""
        python = str(self.sdk_python or sys.executable)
        region = ["--region", self.region] if self.region else []
        script = here / "code" / "sagemaker_launch.py"
        try:
            done = subprocess.run(
                [python, "-I", script, verb, what, *region], capture_output=True, text=True, check=False, timeout=limit
            )
        except FileNotFoundError as error:
            raise Prerequisite("is not there", where=python, next="mend train.launcher.sdk_python") from error
        except subprocess.TimeoutExpired as error:
            raise Stopped("SageMaker does not answer", where=verb, next="try again later") from error
        if done.returncode == 0:
            return dict(json.loads(done.stdout.strip().splitlines()[-1]))
        words = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        if done.returncode == 3:
            follow = "make an environment with `pip install 'sagemaker>=3'` and name it in train.launcher.sdk_python"
            raise Prerequisite(words[0], where="train.launcher: sagemaker", next=follow)
        raise Stopped(f"SageMaker refused: {words[0]}", where=verb, next="mend it, then launch again")


def _runs(here: Path, name: str | None, state: str) -> Stopped:
    return Stopped(
        f"this training is already {state} (SageMaker job {name})",
        where=str(here),
        next="watch it with `veristill train status`, or stop it: "
        f"aws sagemaker stop-training-job --training-job-name {name}",
    )


def _source(job: "Job") -> list[str]:
    """What is packed: small files that the hosts read. Missing ones are left out when the job is rendered."""
    found = ["job.json", job.args, "data/dataset_info.json", "code"]
    if job.accelerate:
        found.append(job.accelerate)
    if job.expect.sharded == "zero":
        found.append("ds.json")
    return found


def _check_inputs(job: "Job", here: Path) -> None:
    """Raise RecipeError where the job would read what no host has: only what lies in the run folder goes there."""
    said = yaml.safe_load((here / job.args).read_text("utf-8"))
    read = {"model_name_or_path": said.get("model_name_or_path")}
    if said.get("tokenized_path"):
        read["tokenized_path"] = said["tokenized_path"]
    else:
        info = json.loads((here / "data" / "dataset_info.json").read_text("utf-8"))
        read |= {f"dataset {name}": f"data/{entry.get('file_name')}" for name, entry in info.items()}
    for what, path in read.items():
        if os.path.normpath(path or "/").partition("/")[0] not in _CHANNELS:
            raise RecipeError(
                f"{what} is {path}, which no SageMaker host has",
                where=str(here / job.args),
                next="bring model and rows into the run folder: veristill train stage",
            )
