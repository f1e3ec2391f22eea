"""The SkyPilot task: against SkyPilot's own schema, and its node script on one machine."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from curate.errors import RecipeError
from tests.train.interpreters import SCHEMAS, interpreter
from train.block import Train
from train.job import Job
from train.launchers.skypilot import Skypilot

FIELDS: dict[str, Any] = {"bucket": "s3://my-runs", "image": "org/train:1", "accelerator": "H100"}
JOB = Job(name="My run", folder="/tmp/veristill/My run", python="/opt/train/bin/python", nodes=4, processes=8)
CHECK = """
import json, jsonschema, sys, yaml
import sky
from sky.utils import schemas
for path in sys.argv[1:]:
    task = yaml.safe_load(open(path))
    jsonschema.validate(task, schemas.get_task_schema())
    jsonschema.validate(task["resources"], schemas.get_resources_schema())
    for mount in task["file_mounts"].values():
        jsonschema.validate(mount, schemas.get_storage_schema())
    resources = sky.Resources.from_yaml_config(task["resources"])
print(json.dumps({"version": sky.__version__, "gpus": str([one.accelerators for one in resources])}))
"""


def task(**more: Any) -> dict[str, Any]:
    return dict(yaml.safe_load(text(**more)))


def text(job: Job = JOB, **more: Any) -> str:
    block = Train.model_validate({"student": "org/s", "cluster": {"disk_gb": 3000}})
    return Skypilot(**{**FIELDS, **more}).files(job, block)["task.yaml"]


@pytest.mark.slow
def test_skypilot_takes_the_task(tmp_path: Path, missing: Callable[[str], None]) -> None:
    python = interpreter("VERISTILL_SCHEMAS_ENV", SCHEMAS, missing)
    wide = {"infra": "aws/us-east-1", "spot": True, "secrets": ["WANDB_API_KEY"], "disk_gb": 4000}
    on_cpu = JOB.model_copy(update={"accelerator": "cpu"})
    files = [tmp_path / f"{number}.yaml" for number in range(3)]
    for path, said in zip(files, (text(**wide), text(on_cpu, accelerator=None), text()), strict=True):
        path.write_text(said)
    done = subprocess.run([python, "-c", CHECK, *files], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "'H100': 8" in json.loads(done.stdout.splitlines()[-1])["gpus"]
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(text().replace("num_nodes: 4", "nodes: 4"))  # the schema does look
    done = subprocess.run([python, "-c", CHECK, wrong], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert "nodes" in done.stderr
    assert done.returncode != 0


def test_the_task_says_what_the_recipe_says() -> None:
    said = task()
    assert said["name"] == "my-run"
    assert said["num_nodes"] == 4
    assert said["resources"]["accelerators"] == {"H100": 8}
    assert said["resources"]["image_id"] == "docker:org/train:1"
    assert said["resources"]["disk_size"] == 3000
    assert said["file_mounts"] == {"/veristill-kept": {"source": "s3://my-runs", "mode": "MOUNT_CACHED"}}
    assert "secrets" not in said
    assert Skypilot(**FIELDS).place(Path("/x/runs/My run/train")) == JOB.folder
    with pytest.raises(RecipeError, match="which GPU"):
        text(accelerator=None)
    with pytest.raises(ValidationError):
        text(bucket="my-runs")


def test_a_node_keeps_what_is_its_own_in_the_bucket(tmp_path: Path) -> None:
    """The script with real folders: everything but the last command, which trains."""
    folder, kept = tmp_path / "run folder", tmp_path / "kept"
    job = JOB.model_copy(update={"folder": str(folder), "python": "/bin/echo"})
    script = yaml.safe_load(text(job))["run"].replace("/veristill-kept", str(kept))
    source = tmp_path / "sky_workdir"
    (source / "code").mkdir(parents=True)
    (source / "code" / "meet.py").write_text("")
    (source / "inputs").mkdir()
    for node in ("1", "1"):  # a second time after a recovery
        done = subprocess.run(
            ["bash", "-c", script], cwd=source, env={"SKYPILOT_NODE_RANK": node, "PATH": "/usr/bin:/bin"},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
    assert done.stdout == f"-I {folder}/code/meet.py --job {folder}/job.json\n"
    assert (folder / "inputs").resolve() == source / "inputs"
    assert (folder / "code" / "meet.py").is_file()
    assert (folder / "output").resolve() == kept / "My run" / "node-1" / "output"
