"""The TrainJob: against Kubeflow Trainer's own types, which its API server's schema is made from."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from tests.train.interpreters import SCHEMAS, interpreter
from train.block import Train
from train.job import Job
from train.launchers.kubernetes import Kubernetes

FIELDS: dict[str, Any] = {"image": "org/train:1", "claim": "scratch"}
JOB = Job(name="My run", folder="/workspace/runs/My run/train", python="/opt/train/bin/python", nodes=4, processes=8)
# Unknown keys are dropped by the types, so what goes in must come out.
CHECK = """
import sys, yaml
from kubeflow_trainer_api.models import TrainerV1alpha1TrainJob
for path in sys.argv[1:]:
    said = yaml.safe_load(open(path))
    kept = TrainerV1alpha1TrainJob.from_dict(said).to_dict()
    assert kept == said, (kept, said)
"""
WIDE: dict[str, Any] = {
    "namespace": "research",
    "resources": {"cpu": "96", "rdma/hca": "8"},
    "node_selector": {"gpu": "h100"},
    "tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
    "pull_secret": "registry",
    "secrets": {"WANDB_API_KEY": "wandb/key", "MLFLOW_TRACKING_TOKEN": "mlflow"},
    "max_hours": 100,
}


def text(job: Job = JOB, **more: Any) -> str:
    return Kubernetes(**{**FIELDS, **more}).files(job, Train.model_validate({"student": "org/s"}))["trainjob.yaml"]


@pytest.mark.slow
def test_kubeflow_takes_the_job(tmp_path: Path, missing: Callable[[str], None]) -> None:
    python = interpreter("VERISTILL_SCHEMAS_ENV", SCHEMAS, missing)
    on_cpu = JOB.model_copy(update={"accelerator": "cpu"})
    files = [tmp_path / f"{number}.yaml" for number in range(3)]
    for path, said in zip(files, (text(), text(**WIDE), text(on_cpu)), strict=True):
        path.write_text(said)
    done = subprocess.run([python, "-c", CHECK, *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(text().replace("numNodes", "nodes"))  # the types do look
    assert subprocess.run([python, "-c", CHECK, wrong], capture_output=True, check=False).returncode != 0


def test_the_job_says_what_the_recipe_says() -> None:
    said = yaml.safe_load(text(**WIDE))
    trainer = said["spec"]["trainer"]
    assert said["metadata"] == {"name": "my-run", "namespace": "research"}
    assert (trainer["numNodes"], trainer["numProcPerNode"]) == (4, 8)
    assert trainer["command"] == [JOB.python, "-I", JOB.path("code", "meet.py"), "--job", JOB.path("job.json")]
    assert trainer["resourcesPerNode"]["limits"] == {"nvidia.com/gpu": "8", "cpu": "96", "rdma/hca": "8"}
    assert said["spec"]["activeDeadlineSeconds"] == 360_000
    keys = [one["valueFrom"]["secretKeyRef"] for one in trainer["env"]]
    assert keys == [{"name": "wandb", "key": "key"}, {"name": "mlflow", "key": "MLFLOW_TRACKING_TOKEN"}]
    assert not [one for one in trainer["env"] if one["name"].startswith("PET_")]  # Kubeflow's own, refused by it
    (patch,) = said["spec"]["runtimePatches"]
    (job,) = patch["trainingRuntimeSpec"]["template"]["spec"]["replicatedJobs"]
    pod = job["template"]["spec"]["template"]["spec"]
    assert pod["volumes"][0]["persistentVolumeClaim"] == {"claimName": "scratch"}
    assert pod["containers"][0]["volumeMounts"][0] == {"name": "runs", "mountPath": "/workspace"}


def test_names_are_what_trainer_takes_and_comments_stay_comments() -> None:
    """A TrainJob's name begins with a letter (RFC 1035)."""
    assert yaml.safe_load(text(JOB.model_copy(update={"name": "7b"})))["metadata"]["name"] == "run-7b"
    said = text(claim="scratch\nkind: Other\x85kind: Third")
    assert yaml.safe_load(said)["kind"] == "TrainJob"
    assert [line for line in said.splitlines() if line.startswith("kind")] == ["kind: TrainJob"]


def test_the_run_folder_lies_on_the_claim() -> None:
    here = Path("/home/me/runs/My run/train")
    assert Kubernetes(**FIELDS).place(here) == JOB.folder
    assert Kubernetes(**FIELDS, folder="/deep/run", mount="/data").place(here) == "/data/deep/run"
    with pytest.raises(ValidationError):
        Kubernetes(**FIELDS, mount="data")
