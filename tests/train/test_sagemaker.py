"""SageMaker through its real SDK against moto: the request as AWS would get it, and the packed source on fake hosts.

A fake host is a mount namespace with a /opt/ml of its own, in which the container's own entry point runs.
"""

import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from curate.errors import Prerequisite, RecipeError
from tests.train.interpreters import SAGEMAKER, interpreter
from tests.train.tiny import run_folder, write_rows, write_student
from train.block import Train
from train.inside import sagemaker_launch
from train.job import Job
from train.launchers.sagemaker import Sagemaker
from train.render import rendered, write

ROLE = "arn:aws:iam::123456789012:role/train"
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/train:1"
FIELDS: dict[str, Any] = {"role": ROLE, "image": IMAGE, "store": "s3://runs/veristill"}
# Reads back what AWS has, in the interpreter that has boto3.
READ = """
import boto3, json, pathlib, sys
name, target = sys.argv[1:]
said = boto3.client("sagemaker").describe_training_job(TrainingJobName=name)
s3 = boto3.client("s3")
for channel in said["InputDataConfig"]:
    uri = channel["DataSource"]["S3DataSource"]["S3Uri"]
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    prefix = prefix.rstrip("/") + "/"
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for one in page.get("Contents", []):
            path = pathlib.Path(target, channel["ChannelName"], one["Key"].removeprefix(prefix))
            path.parent.mkdir(parents=True, exist_ok=True)
            s3.download_file(bucket, one["Key"], str(path))
print(json.dumps(said, default=str))
"""
# A container: its /opt/ml, its names of the hosts, the entry point that the request asks for.
CONTAINER = """
set -e
mount -t tmpfs tmpfs /opt; mkdir /opt/ml
mount --bind "$1" /opt/ml
mount --bind "$2" /etc/hosts
shift 2
exec "$@"
"""


@pytest.fixture(scope="module")
def sdk(missing: Callable[[str], None]) -> Path:
    return interpreter("VERISTILL_SAGEMAKER_ENV", SAGEMAKER, missing)


@pytest.fixture(scope="module")
def aws(sdk: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment in which AWS is moto's server, with a bucket `runs`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    around = {
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_EC2_METADATA_DISABLED": "true",
        "SAGEMAKER_TELEMETRY": "0",
        "SAGEMAKER_VALIDATE_ROLE": "false",  # moto has no iam:SimulatePrincipalPolicy
    }
    recorder = tmp_path_factory.mktemp("moto")  # where moto writes its recording
    log = (recorder / "log").open("wb")
    server = subprocess.Popen(
        [sdk, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], stdout=log, stderr=log, cwd=recorder
    )
    make = "import boto3; boto3.client('s3').create_bucket(Bucket='runs')"
    try:
        until(lambda: answers(port))
        subprocess.run([sdk, "-I", "-c", make], env={**os.environ, **around}, check=True, capture_output=True)
        yield around
    finally:
        server.terminate()
        server.wait(20)
        log.close()


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def until(holds: Callable[[], object], limit: float = 600.0) -> None:
    end = time.monotonic() + limit
    while not holds():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.2)


def submitted(sdk: Path, aws: dict[str, str], name: str, target: Path) -> dict[str, Any]:
    """What AWS has of a job; its channels lie below `target` afterwards."""
    done = subprocess.run(
        [sdk, "-I", "-c", READ, name, target], env={**os.environ, **aws}, check=True, capture_output=True, text=True
    )
    return dict(json.loads(done.stdout))


def moto(aws: dict[str, str], verb: str) -> bytes:
    """Moto's recorder of the requests that reach it."""
    method = "GET" if verb.startswith("download") else "POST"
    asked = urllib.request.Request(f"{aws['AWS_ENDPOINT_URL']}/moto-api/recorder/{verb}", method=method)
    with urllib.request.urlopen(asked) as reply:
        return bytes(reply.read())


def created(recorded: str) -> dict[str, Any]:
    """The body of CreateTrainingJob as it came over the wire."""
    calls = [json.loads(line) for line in recorded.splitlines()]
    (one,) = [call for call in calls if "CreateTrainingJob" in json.dumps(call["headers"])]
    body = base64.b64decode(one["body"]) if one.get("body_encoded") else one["body"]
    return dict(json.loads(body))


@pytest.mark.slow
def test_the_request_as_aws_gets_it(
    sdk: Path, aws: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in {**aws, "WANDB_API_KEY": "secret-1"}.items():
        monkeypatch.setenv(key, value)
    here = tmp_path / "runs" / "Open Thinker" / "train"
    launcher = {"kind": "sagemaker", **FIELDS, "sdk_python": str(sdk), "max_hours": 96, "pass_env": ["WANDB_API_KEY"]}
    launcher |= {"tags": {"team": "nlp"}, "region": "us-east-1", "subnets": ["subnet-1"], "security_groups": ["sg-1"]}
    block = Train.model_validate({"student": "org/s", "dataset": "org/d", "launcher": launcher})
    made = rendered(block, name="Open Thinker", here=here, python="/unused")
    write(made, here)
    with pytest.raises(RecipeError, match="no SageMaker host has"):
        block.launcher.launch(made.job, block, here, print)
    (here / "inputs" / "student").mkdir(parents=True)
    (here / "inputs" / "student" / "config.json").write_text("{}")
    (here / "tokenized" / "abc").mkdir(parents=True)
    (here / "tokenized" / "abc" / "rows").write_text("rows")
    (here / "sft.yaml").write_text("model_name_or_path: inputs/student\ntokenized_path: tokenized/abc\n")
    moto(aws, "start-recording")
    launched = block.launcher.launch(made.job, block, here, print)
    recorded = moto(aws, "download-recording").decode()
    assert launched.id is not None
    submitted(sdk, aws, launched.id, tmp_path / "channels")
    said = created(recorded)

    assert said["ResourceConfig"] == {"InstanceType": "ml.p5.48xlarge", "InstanceCount": 4, "VolumeSizeInGB": 2000}
    assert said["StoppingCondition"] == {"MaxRuntimeInSeconds": 96 * 3600}
    store = "s3://runs/veristill/Open%20Thinker"
    assert said["CheckpointConfig"] == {"S3Uri": f"{store}/checkpoints", "LocalPath": "/opt/ml/checkpoints"}
    assert said["OutputDataConfig"]["S3OutputPath"] == f"{store}/output"
    assert said["Environment"] == {
        "VERISTILL_RUN": "Open Thinker",
        "FI_PROVIDER": "efa",
        "FI_EFA_USE_DEVICE_RDMA": "1",
        "RDMAV_FORK_SAFE": "1",
        "WANDB_API_KEY": "secret-1",
    }
    assert said["Tags"] == [{"Key": "team", "Value": "nlp"}]
    assert said["AlgorithmSpecification"]["TrainingImage"] == IMAGE
    assert said["RoleArn"] == ROLE
    assert said["VpcConfig"] == {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
    assert {one["ChannelName"] for one in said["InputDataConfig"]} == {"inputs", "tokenized", "code", "sm_drivers"}
    code = tmp_path / "channels" / "code"
    for name in ("launch.sh", "job.json", "sft.yaml", "ds.json", "code/meet.py", "data/dataset_info.json"):
        assert (code / name).read_bytes() == (
            here / ("sagemaker/launch.sh" if name == "launch.sh" else name)
        ).read_bytes()
    assert (tmp_path / "channels" / "inputs" / "student" / "config.json").exists()
    assert "secret-1" not in "".join(path.read_text() for path in here.rglob("*.json"))
    assert block.launcher.status(made.job, here).state == "done"  # moto's jobs are over at once


def test_without_the_sdk_the_remedy_is_named(tmp_path: Path) -> None:
    here = tmp_path / "runs" / "r" / "train"
    block = Train.model_validate({"student": "org/s", "dataset": "org/d", "launcher": {"kind": "sagemaker", **FIELDS}})
    made = rendered(block, name="r", here=here, python="/unused")
    write(made, here)
    (here / "sft.yaml").write_text("model_name_or_path: inputs/student\ntokenized_path: tokenized/abc\n")
    (here / "state").mkdir()
    (here / "state" / "launch.json").write_text('{"launcher": "sagemaker", "id": "x", "done": false, "words": ""}')
    with pytest.raises(Prerequisite, match="SDK"):
        block.launcher.status(made.job, here)


class Aws:
    """What SageMaker and S3 have, as far as a submission asks before it sends anything."""

    def __init__(self, jobs: dict[str, tuple[str, str]]) -> None:
        self.jobs, self.kept = jobs, dict[tuple[str, str], int]()  # name -> state, output
        self.sent: list[str] = []

    def client(self, service: str) -> "Aws":
        return self

    def get_paginator(self, verb: str) -> "Aws":
        return self

    def paginate(self, **asked: str) -> list[dict[str, Any]]:
        if "Bucket" in asked:
            found = [(key, size) for (_, key), size in self.kept.items() if key.startswith(asked["Prefix"])]
            return [{"Contents": [{"Key": key, "Size": size} for key, size in found]}]
        state, part = asked["StatusEquals"], asked["NameContains"]
        names = [name for name, (now, _) in self.jobs.items() if now == state and part in name]
        return [{"TrainingJobSummaries": [{"TrainingJobName": name} for name in names]}]

    def describe_training_job(self, TrainingJobName: str) -> dict[str, Any]:
        return {"OutputDataConfig": {"S3OutputPath": self.jobs[TrainingJobName][1]}}

    def upload_file(self, path: str, bucket: str, key: str) -> None:
        self.sent.append(key)
        self.kept[bucket, key] = Path(path).stat().st_size


def test_a_job_of_this_run_that_nobody_wrote_down_is_found() -> None:
    request = {"job_name": "r", "output": "s3://runs/r/output"}
    other = {"r-0": ("InProgress", "s3://runs/my-r/output"), "r-1": ("Completed", "s3://runs/r/output")}
    assert sagemaker_launch._under_way(request, Aws(other)) is None
    for state in ("InProgress", "Stopping"):
        assert sagemaker_launch._under_way(request, Aws({**other, "r-2": (state, "s3://runs/r/output/")})) == "r-2"


def test_weights_of_another_commit_are_sent_and_the_same_ones_are_not_sent_again(tmp_path: Path) -> None:
    weights, config, aws = tmp_path / "student" / "model.safetensors", tmp_path / "student" / "config.json", Aws({})
    weights.parent.mkdir()
    weights.write_bytes(b"1" * (2 << 20))
    config.write_text("{}")
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "lock").write_text("")
    address = sagemaker_launch._upload(tmp_path, "s3://runs/r/inputs/", aws)
    prefix = address.removeprefix("s3://runs/")
    assert aws.sent == [f"{prefix}student/config.json", f"{prefix}student/model.safetensors"]
    config.write_text("{}")  # staged again
    assert sagemaker_launch._upload(tmp_path, "s3://runs/r/inputs/", aws) == address
    assert len(aws.sent) == 2
    weights.write_bytes(b"2" * (2 << 20))  # as long as before
    os.utime(weights, ns=(1, 1))
    assert sagemaker_launch._upload(tmp_path, "s3://runs/r/inputs/", aws) != address
    assert len(aws.sent) == 4


def test_runs_whose_labels_are_the_same_share_nothing() -> None:
    block = Train.model_validate({"student": "org/s", "dataset": "org/d"})
    stores, folders = set(), set()
    fsx = {"fsx": {"id": "fs-0123", "directory": "/abc"}, "subnets": ["s"], "security_groups": ["g"]}
    for name in ("My.Run", "my-run", "my_run", f"{'a' * 40}1", f"{'a' * 40}2"):
        job = Job(name=name, folder="/opt/ml/veristill", python="/opt/train/bin/python", nodes=4, processes=8)
        stores.add(json.loads(Sagemaker(**FIELDS).files(job, block)["sagemaker/request.json"])["store"])
        folders.add(Sagemaker(**FIELDS, **fsx).place(Path("/x/runs") / name / "train"))
    assert len(stores) == len(folders) == 5


def test_a_variable_to_hand_on_that_is_not_set_is_said_before_anything_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    here = tmp_path / "runs" / "r" / "train"
    launcher = {"kind": "sagemaker", **FIELDS, "pass_env": ["WANDB_API_KEY"], "sdk_python": "/nonexistent"}
    block = Train.model_validate({"student": "org/s", "dataset": "org/d", "launcher": launcher})
    made = rendered(block, name="r", here=here, python="/unused")
    write(made, here)
    (here / "sft.yaml").write_text("model_name_or_path: inputs/student\ntokenized_path: tokenized/abc\n")
    with pytest.raises(Prerequisite, match="WANDB_API_KEY is not set"):
        block.launcher.launch(made.job, block, here, print)


@pytest.mark.parametrize(("instance", "rdma"), [("ml.p5.48xlarge", True), ("ml.g5.48xlarge", False)])
def test_rdma_is_asked_for_where_there_is_some(instance: str, rdma: bool) -> None:
    """libfabric ends a process that asks for it elsewhere."""
    job = Job(name="r", folder="/opt/ml/veristill", python="/opt/train/bin/python", nodes=4, processes=8)
    block = Train.model_validate({"student": "org/s", "dataset": "org/d"})
    request = json.loads(Sagemaker(**FIELDS, instance_type=instance).files(job, block)["sagemaker/request.json"])
    assert request["environment"]["FI_PROVIDER"] == "efa"
    assert ("FI_EFA_USE_DEVICE_RDMA" in request["environment"]) == rdma


@pytest.mark.parametrize(
    "fields",
    [
        {"store": "bucket/runs"},
        {"max_hours": 0},
        {"max_hours": 1000},
        {"fsx": {"id": "fs-1", "directory": "/x"}},
        {"spot": True, "max_wait_hours": 1},
        {"image_python": "python"},
    ],
)
def test_what_aws_would_refuse_is_refused_first(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Sagemaker(**{**FIELDS, **fields})


def test_fsx_is_one_folder_and_spot_waits_longer_than_it_trains(tmp_path: Path) -> None:
    fsx = {"id": "fs-0123", "directory": "/abc/veristill"}
    launcher = Sagemaker(**FIELDS, fsx=fsx, subnets=["s"], security_groups=["g"], spot=True, volume_gb=500)
    here = tmp_path / "runs" / "r" / "train"
    assert launcher.shared()
    assert launcher.place(here) == "/opt/ml/input/data/shared/r"
    job = Job(name="r", folder=launcher.place(here), python="/opt/train/bin/python", nodes=4, processes=8)
    files = launcher.files(job, Train.model_validate({"student": "org/s", "dataset": "org/d"}))
    request = json.loads(files["sagemaker/request.json"])
    assert request["fsx"] == fsx
    assert request["checkpoints"] is None
    assert request["volume_gb"] == 500
    assert request["max_wait_seconds"] > request["max_runtime_seconds"]
    script = files["sagemaker/launch.sh"]
    assert "/opt/ml/checkpoints" not in script
    assert subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0


class Host:
    """One of the fake hosts: the folder that is its /opt/ml, of which only checkpoints outlive a job."""

    def __init__(self, folder: Path, rank: int, sdk: Path) -> None:
        self.folder, self.rank, self.sdk = folder, rank, sdk
        self.process: subprocess.Popen[bytes] | None = None

    def place(self, channels: Path) -> None:
        """What SageMaker puts there before a job."""
        (self.folder / "checkpoints").mkdir(parents=True, exist_ok=True)
        for left in self.folder.iterdir():
            if left.name != "checkpoints":
                shutil.rmtree(left)
        shutil.copytree(channels, self.folder / "input" / "data")
        (self.folder / "output").mkdir()
        names = [path.name for path in channels.iterdir()]
        config = {
            "resourceconfig": {
                "current_host": f"algo-{self.rank + 1}",
                "current_instance_type": "ml.c5.large",
                "hosts": ["algo-1", "algo-2"],
                "network_interface_name": "lo",
            },
            "inputdataconfig": {name: {"TrainingInputMode": "File"} for name in names},
            "hyperparameters": {},
        }
        (self.folder / "input" / "config").mkdir()
        for name, value in config.items():
            (self.folder / "input" / "config" / f"{name}.json").write_text(json.dumps(value))

    def start(self, said: dict[str, Any]) -> None:
        algorithm = said["AlgorithmSpecification"]
        entry = [*algorithm["ContainerEntrypoint"], *algorithm["ContainerArguments"]]
        hosts = self.folder.parent / "hosts"
        hosts.write_text("127.0.0.1 localhost algo-1 algo-2\n")
        around = {
            "PATH": f"{self.sdk.parent}:/usr/local/bin:/usr/bin:/bin",
            "TRAINING_JOB_NAME": said["TrainingJobName"],
            "HOME": os.environ.get("HOME", "/root"),
            **said.get("Environment", {}),
        }
        command = ["unshare", "--mount", "--propagation", "private", "bash", "-c", CONTAINER, "container"]
        with (self.folder.parent / f"log-{self.rank}").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, self.folder, hosts, *entry], stdout=log, stderr=log, env=around, start_new_session=True
            )

    def checkpoint(self, step: int) -> Path:
        return self.folder / "checkpoints" / f"node-{self.rank}" / "output" / f"checkpoint-{step}"

    def said(self) -> str:
        return (self.folder.parent / f"log-{self.rank}").read_text("utf-8", "replace")


@pytest.fixture
def hosts(tmp_path: Path, sdk: Path) -> Iterator[list[Host]]:
    made = [Host(tmp_path / f"host {rank}", rank, sdk) for rank in range(2)]
    yield made
    for host in made:
        if host.process is not None and host.process.poll() is None:
            os.killpg(host.process.pid, signal.SIGKILL)
            host.process.wait()


@pytest.mark.slow
def test_the_packed_source_trains_on_two_hosts_and_goes_on_from_what_each_kept(
    sdk: Path,
    aws: dict[str, str],
    hosts: list[Host],
    training_python: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    missing: Callable[[str], None],
) -> None:
    if os.geteuid() != 0:
        missing("root, for hosts with an /opt/ml of their own")
    for key, value in aws.items():
        monkeypatch.setenv(key, value)
    here = tmp_path / "runs" / "tiny run" / "train"
    student = write_student(training_python, here / "inputs" / "student")
    rows = write_rows(here / "inputs" / "dataset")
    launcher = {"kind": "sagemaker", **FIELDS, "sdk_python": str(sdk), "image_python": str(training_python)}
    launcher["instance_type"] = "ml.c5.large"
    settings = {
        "launcher": launcher,
        "cluster": {"nodes": 2, "gpus": 1, "gpu": "cpu"},
        "shard": "zero3",
        "precision": "fp32",
        "batch": {"rows": 2},
        "max_steps": 2,
        "checkpoints": {"every": 2, "keep": 5},
        "retries": {"grace_seconds": 10},
    }
    job = run_folder(here, student, rows, training_python, **settings)
    block = Train.model_validate({"student": str(student), "offload": "none", **settings})
    launched = block.launcher.launch(job, block, here, print)
    assert launched.id is not None
    channels = tmp_path / "channels"
    said = submitted(sdk, aws, launched.id, channels)
    shutil.rmtree(here)  # the hosts have only what was packed
    run(hosts, channels, said)
    for host in hosts:
        assert (host.checkpoint(2) / "trainer_state.json").exists(), host.said()
        # Each host keeps its own rank's part of the optimizer, and nobody else's.
        parts = [path.name for path in host.checkpoint(2).rglob("*_optim_states.pt")]
        assert len(parts) == 1, parts
        assert f"rank_{host.rank}_" in parts[0]

    # The next job: more steps, new disks with what was kept in S3.
    sft = channels / "code" / "sft.yaml"
    sft.write_text(sft.read_text().replace("max_steps: 2", "max_steps: 4"))
    contract = json.loads((channels / "code" / "job.json").read_text())
    contract["expect"]["steps"] = 4
    (channels / "code" / "job.json").write_text(json.dumps(contract))
    run(hosts, channels, said)
    for host in hosts:
        assert (host.checkpoint(4) / "trainer_state.json").exists(), host.said()
    attempts = hosts[0].checkpoint(4).parent.parent / "state" / "attempts.jsonl"
    starts = [one["step"] for one in map(json.loads, attempts.read_text().splitlines()) if one["event"] == "start"]
    assert starts == [0, 2]


def run(hosts: list[Host], channels: Path, said: dict[str, Any]) -> None:
    """One training job on all hosts, to its end."""
    for host in hosts:
        host.place(channels)
        host.start(said)
    until(lambda: ended(hosts))
    for host in hosts:
        assert host.process is not None
        assert host.process.returncode == 0, host.said()[-3000:]


def ended(hosts: list[Host]) -> bool:
    return all(host.process is not None and host.process.poll() is not None for host in hosts)
