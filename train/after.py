"""After training: a plain Hugging Face folder with its card, pushed on request, and the command that serves it.

The weights are made by `train/inside/gather.py` in the training interpreter: merged (LoRA), gathered (ZeRO, FSDP) or
linked, read back and compared with the configuration before the folder takes its place.
"""

import json
import os
import shlex
import subprocess
import tempfile
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from curate.errors import Failed, InputError, Prerequisite
from curate.run import fresh_folder, replace_folder, usable
from train.environment import quiet
from train.inside import checkpoints, process
from train.job import Job

if TYPE_CHECKING:
    from train.block import Train

KINDS = ("whole", "lora", "zero", "fsdp")
_GO_ON = "veristill train launch RECIPE"


class Source(NamedTuple):
    """What a model is made of: its folder, how the weights lie in it, and the step that they are of."""

    folder: Path
    kind: str
    step: int


class Gathered(NamedTuple):
    """The finished folder. `facts`: parameters, dtype, bytes, shards, architecture, files."""

    folder: Path
    source: Source
    facts: Mapping[str, Any]


def source(folder: Path, job: Job, step: int | None = None) -> Source:
    """What the trained model of the run in `folder` is to be made of: the end of training, or its checkpoint `step`.

    Raises Prerequisite where training has not ended yet, InputError where that checkpoint is not there or not complete.
    """
    output = folder / job.output
    if step is None:
        done = process.read_state(folder / "state" / "done.json")
        if not done:
            newest = max((checkpoints.step(one) for one in checkpoints.listed(output)), default=0)
            said = f"; its newest checkpoint is of step {newest}" if newest else ""
            raise Prerequisite(
                f"training has not come to its end{said}", where=str(folder),
                next=f"{_GO_ON}; or make the model of a checkpoint: --step {newest or 'N'}",
            )  # fmt: skip
        step = int(done.get("step") or 0)
        kind = _layout(output)
        if kind is not None:
            return Source(output, kind, step)
    place = output / f"checkpoint-{step}"
    there = ", ".join(str(checkpoints.step(one)) for one in checkpoints.listed(output)) or "none"
    if not place.is_dir():
        raise InputError(f"there is no checkpoint of step {step}; there are: {there}", where=str(output))
    try:
        reason = checkpoints.fault(place, checkpoints.Wanted.of(job.model_dump()))
    except checkpoints.Refused as refused:  # whole, but not of this job as the recipe has it now
        reason = str(refused)
    kind = _layout(place)
    if reason is not None or kind is None:
        raise InputError(f"{place.name} cannot be used: {reason or 'it holds no weights'}", where=str(output),
                         next=f"take another one ({there})")  # fmt: skip
    return Source(place, kind, step)


def _layout(place: Path) -> str | None:
    """How weights lie in a folder, whole ones first."""
    if (place / "adapter_config.json").exists():
        return "lora"
    if any(one.stat().st_size > 0 for one in place.glob("model*.safetensors")) and _all_shards(place):
        return "whole"
    if (place / "latest").exists():
        return "zero"
    return "fsdp" if any(place.glob("pytorch_model_fsdp_*")) else None


def _all_shards(place: Path) -> bool:
    """Whether every file that the index names is there."""
    said = process.read_state(place / "model.safetensors.index.json").get("weight_map", {})
    return all((place / name).exists() for name in set(said.values()))


def gather(folder: Path, job: Job, found: Source, *, dtype: str | None = None) -> Gathered:
    """Make `folder`/model. It is replaced as a whole, once the new one has been read back.

    Raises InputError where these weights make no model, Failed where the training interpreter fails at it.
    """
    args = yaml.safe_load((folder / job.args).read_text("utf-8"))
    target = folder / "model"
    with usable(folder):
        partial = fresh_folder(target)
        task = {
            "kind": found.kind, "source": str(found.folder.absolute()), "out": str(partial.absolute()),
            "student": _student(folder, str(args["model_name_or_path"])), "template": args.get("template", "default"),
            "dtype": dtype,
        }  # fmt: skip
        facts = _made(Path(job.python), task, job)
        replace_folder(partial, target)
    return Gathered(target, found, facts)


def _student(folder: Path, said: str) -> str:
    """The student as gather.py can find it: rendered paths are relative to the run's folder."""
    place = folder / said
    return str(place.absolute()) if place.is_dir() else said


def _made(python: Path, task: dict[str, Any], job: Job) -> dict[str, Any]:
    script = files("train").joinpath("inside", "gather.py")
    env = {**quiet(), **({"DS_ACCELERATOR": "cpu", "CUDA_VISIBLE_DEVICES": ""} if job.accelerator == "cpu" else {})}
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
        json.dump(task, file)
        file.flush()
        command = [str(python), "-I", str(script), file.name]
        try:
            done = subprocess.run(command, capture_output=True, text=True, errors="replace", env=env, check=False)
        except OSError as error:
            raise Prerequisite(f"the training interpreter does not start: {error.strerror}", where=str(python),
                               next="veristill train setup") from None  # fmt: skip
    if done.returncode == 0:
        facts: dict[str, Any] = json.loads(done.stdout)
        return facts
    log = Path(task["out"]).with_name("model.log")
    log.write_text(done.stderr, "utf-8")
    said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    if done.returncode == 2 and said.startswith("refused: "):
        raise InputError(said.removeprefix("refused: "), where=task["source"])
    raise Failed(f"the model could not be made: {said}", where=str(log))


def serve_command(folder: Path, block: "Train", name: str, place: str | None = None) -> str:
    """How vLLM serves it: as long as it was trained, over the GPUs of one training machine where it needs several.

    `place` stands for the folder in the command: a repository of the hub.
    """
    command = ["vllm", "serve", place or str(folder), "--served-model-name", name, "--max-model-len", str(block.cutoff)]
    size = sum(one.stat().st_size for one in folder.glob("*.safetensors"))
    gpus = _gpus(size, block)
    return shlex.join([*command, *(["--tensor-parallel-size", str(gpus)] if gpus > 1 else [])])


def _gpus(size: int, block: "Train") -> int:
    """The smallest power of two of the recipe's GPUs whose memory, half of it left for the cache, holds the weights."""
    from train.machines import GB, machine

    kind = machine(block.cluster)
    each = kind.memory_gb * GB / 2 if kind else float("inf")
    gpus = 1
    while gpus * each < size and gpus < block.cluster.gpus:
        gpus *= 2
    return gpus


def push(folder: Path, repo: str, *, private: bool, endpoint: str | None = None) -> str:
    """Upload the finished folder to a model repository and return its address.

    Raises what `curate.publish.hub.upload` raises: Prerequisite without a token, InputError for a public repository
    that should be private, Stopped where the hub refuses or cannot be reached.
    """
    from curate.publish.hub import Target, upload

    if not (folder / "config.json").exists():
        raise Prerequisite("there is no finished model to push", where=str(folder),
                           next="veristill train finish RECIPE")  # fmt: skip
    goal = Target(repo, "model", private, where="--push", stale=("*.safetensors", "*.safetensors.index.json"))
    return upload(folder, goal, endpoint=endpoint or os.environ.get("HF_ENDPOINT"))
