"""Talks to SageMaker in an interpreter that has its SDK (version 3 or newer): submits a request, or asks about a job.

    python -I code/sagemaker_launch.py submit sagemaker/request.json     prints {"job": NAME, "already": false}
    python -I code/sagemaker_launch.py status NAME                       prints {"status": ..., "words": ...}

Exit codes: 3 where the SDK is missing, 4 where AWS refuses. Credentials and region are the SDK's own matter.
"""

import argparse
import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_CHANNELS = ("inputs", "tokenized")
_SMALL = 1 << 20  # bytes


def submit(path: Path) -> dict[str, Any]:
    """Pack the source, bring the inputs to S3, and create the training job; `already`: one of this run is under way."""
    from sagemaker.core.helper.session_helper import Session
    from sagemaker.train import ModelTrainer
    from sagemaker.train.configs import CheckpointConfig, Compute, OutputDataConfig, SourceCode, StoppingCondition

    request = json.loads(path.read_text("utf-8"))
    folder = path.absolute().parent.parent
    boto = _boto(request.get("region"))
    if name := _under_way(request, boto.client("sagemaker")):
        return {"job": name, "already": True}
    bucket, _, prefix = request["store"].removeprefix("s3://").partition("/")
    spot = {"enable_managed_spot_training": True} if request["spot"] else {}
    wait = {"max_wait_time_in_seconds": request["max_wait_seconds"]} if request["spot"] else {}
    environment = {**request["environment"], **{name: os.environ[name] for name in request["pass_environment"]}}
    with tempfile.TemporaryDirectory() as scratch:
        source = _packed(folder, request["source"], Path(scratch) / "source")
        trainer = ModelTrainer(
            training_image=request["image"],
            source_code=SourceCode(source_dir=str(source), command=request["command"]),
            compute=Compute(
                instance_type=request["instance_type"],
                instance_count=request["instance_count"],
                volume_size_in_gb=request["volume_gb"],
                **spot,
            ),
            networking=_networking(request),
            stopping_condition=StoppingCondition(max_runtime_in_seconds=request["max_runtime_seconds"], **wait),
            checkpoint_config=CheckpointConfig(
                s3_uri=request["checkpoints"]["s3_uri"], local_path=request["checkpoints"]["local_path"]
            )
            if request["checkpoints"]
            else None,
            output_data_config=OutputDataConfig(s3_output_path=request["output"]),
            role=request["role"],
            base_job_name=request["job_name"],
            environment=environment,
            tags=[{"key": key, "value": value} for key, value in request["tags"].items()] or None,
            sagemaker_session=Session(boto_session=boto, default_bucket=bucket, default_bucket_prefix=prefix or None),
        )
        trainer.train(input_data_config=_inputs(request, folder, boto), wait=False, logs=False)
        job: Any = trainer._latest_training_job
    return {"job": job.training_job_name, "already": False}


def _under_way(request: dict[str, Any], client: Any) -> str | None:
    """A job of this run, known by where it writes to, that has not ended: a second one would cost as much again."""
    for state in ("InProgress", "Stopping"):
        pages = client.get_paginator("list_training_jobs").paginate(
            NameContains=request["job_name"], StatusEquals=state
        )
        for one in (job for page in pages for job in page["TrainingJobSummaries"]):
            said = client.describe_training_job(TrainingJobName=one["TrainingJobName"])
            if said["OutputDataConfig"]["S3OutputPath"].rstrip("/") == request["output"]:
                return str(one["TrainingJobName"])
    return None


def status(name: str, region: str | None) -> dict[str, Any]:
    """What SageMaker says of a job, in its own words."""
    said = _boto(region).client("sagemaker").describe_training_job(TrainingJobName=name)
    return {
        "status": said["TrainingJobStatus"],
        "secondary": said.get("SecondaryStatus", ""),
        "words": said.get("FailureReason", ""),
    }


def _boto(region: str | None) -> Any:
    import boto3

    return boto3.Session(region_name=region)


def _packed(folder: Path, names: list[str], target: Path) -> Path:
    """A folder of what every host needs besides its inputs: a few small files."""
    for name in names:
        place = target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if (folder / name).is_dir():
            shutil.copytree(folder / name, place, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(folder / name, place)
    shutil.copy2(folder / "sagemaker" / "launch.sh", target / "launch.sh")
    return target


def _networking(request: dict[str, Any]) -> Any:
    from sagemaker.train.configs import Networking

    if not (request["subnets"] or request["isolated"]):
        return None
    return Networking(
        subnets=request["subnets"] or None,
        security_group_ids=request["security_groups"] or None,
        enable_network_isolation=request["isolated"],
    )


def _inputs(request: dict[str, Any], folder: Path, boto: Any) -> list[Any] | None:
    """The channels besides those of the SDK: a shared file system, or what lies in S3, brought there if need be."""
    from sagemaker.train.configs import FileSystemDataSource, InputData

    if fsx := request["fsx"]:
        system = FileSystemDataSource(
            file_system_id=fsx["id"],
            file_system_type="FSxLustre",
            directory_path=fsx["directory"],
            file_system_access_mode="rw",
        )
        return [InputData(channel_name="shared", data_source=system)]
    found = []
    for channel in _CHANNELS:
        if (folder / channel).is_dir():
            address = _upload(folder / channel, f"{request['store']}/{channel}/", boto)
            found.append(InputData(channel_name=channel, data_source=address))
    return found or None


def _upload(folder: Path, below: str, boto: Any) -> str:
    """Bring a folder to S3; returns its address. A second launch sends nothing again.

    The address follows from what lies in the folder, because another commit's weights have the same names and sizes.
    What is new in a folder is sent with all the rest of it; a folder that was brought in part is completed.
    """
    address = f"{below}{_state(folder)}/"
    bucket, _, prefix = address.removeprefix("s3://").partition("/")
    client = boto.client("s3")
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    there = {one["Key"]: one["Size"] for page in pages for one in page.get("Contents", [])}
    for path in _files(folder):
        key = prefix + path.relative_to(folder).as_posix()
        if there.get(key) != path.stat().st_size:
            print(f"to s3://{bucket}/{key}", file=sys.stderr, flush=True)
            client.upload_file(str(path), bucket, key)
    return address


def _state(folder: Path) -> str:
    """A name for what lies in a folder: paths, and the content of small files, size and time of large ones."""
    seen = hashlib.sha256()
    for path in sorted(_files(folder)):
        found = path.stat()
        small = found.st_size <= _SMALL
        what = hashlib.sha256(path.read_bytes()).hexdigest() if small else f"{found.st_size} {found.st_mtime_ns}"
        seen.update(f"{path.relative_to(folder).as_posix()}\0{what}\n".encode())
    return seen.hexdigest()[:16]


def _files(folder: Path) -> Iterator[Path]:
    # A snapshot of the hub consists of links into its cache; its hidden folders hold notes on the fetch alone.
    for place, folders, names in os.walk(folder, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            yield Path(place) / name


def main() -> int:
    """Print one JSON object on standard output."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("verb", choices=("submit", "status"))
    parser.add_argument("what", help="request.json, or the name of a job")
    parser.add_argument("--region")
    flags = parser.parse_args()
    try:
        import sagemaker.train  # noqa: F401 - is it there?
    except ImportError as error:
        print(f"{sys.executable} has no SageMaker SDK of version 3: {error}", file=sys.stderr)
        return 3
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        said = submit(Path(flags.what)) if flags.verb == "submit" else status(flags.what, flags.region)
    except (BotoCoreError, ClientError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 4
    print(json.dumps(said))
    return 0


if __name__ == "__main__":
    sys.exit(main())
