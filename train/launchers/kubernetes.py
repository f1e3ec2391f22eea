"""Pods of a Kubernetes cluster that runs Kubeflow Trainer: a TrainJob, on a volume that all pods mount.

The file is written and checked against the published types (Trainer 2.2 or newer); submitting it is left to `kubectl`.
"""

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from train.launcher import IMAGE_PYTHON, Launched, Launcher, Where, label, run_of
from train.launchers._yaml import readable

if TYPE_CHECKING:
    from train.block import Train
    from train.job import Job

_VOLUME, _SHM = "runs", "shm"


class Kubernetes(Launcher):
    """A TrainJob (trainer.kubeflow.org/v1alpha1) whose pods share one volume, on which the run folder lies."""

    image: str = Field(min_length=1, description="The training image.")
    claim: str = Field(min_length=1, description="A PersistentVolumeClaim that all pods can write (ReadWriteMany).")
    folder: str | None = Field(None, description="Where on the claim the run folder lies; by default runs/NAME/train.")
    mount: str = Field("/workspace", pattern=r"^/", description="Where pods mount the claim.")
    namespace: str | None = Field(None, description="By default that of the kubectl context.")
    runtime: str = Field("torch-distributed", description="The ClusterTrainingRuntime.")
    gpu_resource: str = Field("nvidia.com/gpu", description="The cluster's name of a GPU.")
    resources: dict[str, str] = Field(
        default_factory=dict, description="Further limits of each pod, such as cpu: '96' or rdma/hca: '8'."
    )
    shm_gb: int = Field(
        64, ge=1, description="Shared memory of each pod, GB; NCCL and data loaders need more than 64 MB."
    )
    node_selector: dict[str, str] = Field(default_factory=dict, description="Labels that nodes must have.")
    tolerations: tuple[dict[str, Any], ...] = Field((), description="Taints that pods put up with.")
    pull_secret: str | None = Field(None, description="The secret with which the image is pulled.")
    secrets: dict[str, str] = Field(
        default_factory=dict, description="Environment from secrets of the cluster, as NAME: secret/key."
    )
    max_hours: float | None = Field(None, gt=0, description="When the job is ended, whatever it does.")
    image_python: str = Field(IMAGE_PYTHON, pattern=r"^/", description="The training interpreter in the image.")

    def place(self, here: Path) -> str:
        """On the mounted claim."""
        return f"{self.mount.rstrip('/')}/{(self.folder or f'runs/{run_of(here)}/train').strip('/')}"

    def interpreter(self, python: str) -> str:
        """The image's."""
        return self.image_python

    def files(self, job: "Job", block: "Train") -> dict[str, str]:
        """The TrainJob."""
        notes = (
            f"Trains {' '.join(job.name.split())}. This folder must lie on the claim `{self.claim}`, as {job.folder}",
            f"in the pods; then: {self._command('create -f trainjob.yaml')}",
        )
        return {"trainjob.yaml": readable(self._train_job(job), *notes)}

    def launch(self, job: "Job", block: "Train", here: Path, say: Callable[[str], None]) -> Launched:
        """Says the command that creates the job; nothing is started."""
        words = (
            f"trainjob.yaml is ready; with this folder at {job.folder} in the pods: cd {shlex.quote(str(here))} && "
            + self._command("create -f trainjob.yaml")
        )
        say(words)
        return Launched(self.kind(), None, False, words)

    def status(self, job: "Job", here: Path) -> Where:
        """Only the cluster knows."""
        return Where("unknown", f"ask the cluster: {self._command(f'get trainjob {_name(job)}')}")

    def _command(self, what: str) -> str:
        return f"kubectl {f'--namespace {shlex.quote(self.namespace)} ' if self.namespace else ''}{what}"

    def _train_job(self, job: "Job") -> dict[str, Any]:
        gpus = {self.gpu_resource: str(job.processes)} if job.accelerator == "cuda" else {}
        limits = {**gpus, **self.resources}
        trainer: dict[str, Any] = {
            "image": self.image,
            "numNodes": job.nodes,
            "numProcPerNode": job.processes,
            "command": [job.python, "-I", job.path("code", "meet.py"), "--job", job.path("job.json")],
        }
        if self.secrets:
            trainer["env"] = [_from_secret(name, place) for name, place in self.secrets.items()]
        if limits:
            trainer["resourcesPerNode"] = {"limits": limits, "requests": limits}
        namespace = {"namespace": self.namespace} if self.namespace else {}
        deadline = {"activeDeadlineSeconds": round(self.max_hours * 3600)} if self.max_hours else {}
        return {
            "apiVersion": "trainer.kubeflow.org/v1alpha1",
            "kind": "TrainJob",
            "metadata": {"name": _name(job), **namespace},
            "spec": {
                "runtimeRef": {
                    "apiGroup": "trainer.kubeflow.org",
                    "kind": "ClusterTrainingRuntime",
                    "name": self.runtime,
                },
                **deadline,
                "trainer": trainer,
                "runtimePatches": [_patch(self._pod())],
            },
        }

    def _pod(self) -> dict[str, Any]:
        """What the runtime's pods get besides."""
        shm = {"medium": "Memory", "sizeLimit": f"{self.shm_gb}G"}
        mounts = [{"name": _VOLUME, "mountPath": self.mount}, {"name": _SHM, "mountPath": "/dev/shm"}]
        wishes: dict[str, Any] = {
            "nodeSelector": dict(self.node_selector),
            "tolerations": list(self.tolerations),
            "imagePullSecrets": [{"name": self.pull_secret}] if self.pull_secret else [],
        }
        return {
            "volumes": [
                {"name": _VOLUME, "persistentVolumeClaim": {"claimName": self.claim}},
                {"name": _SHM, "emptyDir": shm},
            ],
            "containers": [{"name": "node", "volumeMounts": mounts}],
            **{key: value for key, value in wishes.items() if value},
        }


def _name(job: "Job") -> str:
    """The TrainJob's name: it must begin with a letter (RFC 1035; Trainer refuses another)."""
    name = label(job.name)
    return name if name[0].isalpha() else f"run-{name}"


def _patch(pod: dict[str, Any]) -> dict[str, Any]:
    """A patch of the pods that train: the replicated job `node` of Kubeflow's own runtimes."""
    job = {"name": "node", "template": {"spec": {"template": {"spec": pod}}}}
    return {"manager": "veristill/train", "trainingRuntimeSpec": {"template": {"spec": {"replicatedJobs": [job]}}}}


def _from_secret(name: str, place: str) -> dict[str, Any]:
    secret, _, key = place.partition("/")
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key or name}}}
