"""From the `train:` block to every file of a run's folder: pure text, the same for the same recipe.

`rendered` reads nothing but its arguments and the scripts that come with this package; `write` puts the files down.
"""

import re
import stat
import zlib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from curate.errors import RecipeError
from curate.run import replace_file
from train import dataset as rows
from train.block import is_folder
from train.deepspeed import accelerate_text, ds_text
from train.job import Expected, Job, Sharded
from train.llamafactory import Sources, sft_text

if TYPE_CHECKING:
    from train.block import Train

# At the end of a name: TOKENIZERS_PARALLELISM, add_tokens and ignore_pad_token_for_loss are none.
_SECRET = re.compile(
    r"(?:TOKEN|SECRET|PASSWORD|PASSWD|(?:API|ACCESS|PRIVATE|SECRET)_?KEY|CREDENTIALS?)$", re.IGNORECASE
)
_KEY = re.compile(r"\b(?:hf|sk|gsk|xai|ghp)[-_][A-Za-z0-9_-]{16,}|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|://[^/\s:@]*:[^/\s@]+@")
_FIRST_PORT, _PORTS = 29500, 2000


class Inputs(NamedTuple):
    """What a run reads and this machine has; where it has not, the recipe's hub ids are rendered."""

    student: Path | None = None
    data: rows.Data | None = None
    learns: str | None = None  # a digest of both and of how rows are read, where they were looked at


class Rendered(NamedTuple):
    """A run as files: `job` is the content of job.json, `files` maps paths relative to the run's folder to texts."""

    job: Job
    files: Mapping[str, str]


def rendered(
    block: "Train", *, name: str, here: Path, python: str, inputs: Inputs | None = None, tokenized: str | None = None
) -> Rendered:
    """Every file of the run in `here` (its folder on this machine; the launcher says where that is on the nodes).

    `python` is the training interpreter on this machine, `tokenized` the folder of tokenised rows relative to `here`.
    Raises RecipeError where the block cannot be run as it is.
    """
    inputs = inputs or Inputs()
    _refuse(block)
    job = _job(block, name, here, python).model_copy(update={"learns": inputs.learns})
    label = rows.slug(name)
    info = inputs.data.info(label, here / "data") if inputs.data else rows.hub_info(label, block.dataset or label)
    if block.system is not None:  # the recipe's prompt replaces the column's
        for entry in info.values():
            entry["columns"].pop("system", None)
    staged = inputs.student is not None
    sources = Sources(
        student=rows.near(inputs.student, here) if inputs.student else block.student,
        revision=None if staged or is_folder(block.student) else block.student_revision,
        dataset=tuple(info),
        system=any("system" in entry["columns"] for entry in info.values()),
        tokenized=tokenized,
    )
    found = {
        "job.json": job.text(),
        job.args: sft_text(block, sources, name=name, shared=job.shared),
        "data/dataset_info.json": rows.info_text(info),
    }
    if block.shard in ("zero2", "zero3"):
        found["ds.json"] = ds_text(block)
    if block.shard == "fsdp":
        found["accelerate.yaml"] = accelerate_text(block)
    found |= scripts()
    return Rendered(job, {**found, **block.launcher.files(job, block)})


def scripts() -> dict[str, str]:
    """What the nodes run: copies of train/inside/, which import nothing of ours."""
    inside = files("train").joinpath("inside")
    return {
        f"code/{entry.name}": entry.read_text("utf-8")
        for entry in sorted(inside.iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith(".py") and not entry.name.startswith("_")
    }


def write(made: Rendered, here: Path) -> list[str]:
    """Put the files into `here`, each whole or not at all; returns those that were new or changed.

    `output/`, `state/`, `logs/` and `tokenized/` are left as they are.
    """
    changed = []
    for name, text in made.files.items():
        path = here / name
        if path.exists() and path.read_text("utf-8") == text:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, text.encode())
        changed.append(name)
        if text.startswith("#!"):
            path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    return changed


def _refuse(block: "Train") -> None:
    """Raise RecipeError for what no file could say."""
    zero = block.shard in ("zero2", "zero3")
    if block.on_cpu and zero and block.precision != "fp32":
        raise RecipeError(
            f"ZeRO on the CPU trains in fp32 only, found {block.precision}", where="train.precision", next="say fp32"
        )
    if block.on_cpu and block.precision == "fp16":
        raise RecipeError("the CPU does not train in fp16", where="train.precision", next="say bf16 or fp32")
    if not block.checkpoints.resumable and block.retries.attempts > 1:
        raise RecipeError(
            f"weights alone cannot be resumed, and train.retries.attempts is {block.retries.attempts}",
            where="train.checkpoints.resumable",
            next="say resumable: true, or retries: {attempts: 1}",
        )
    _refuse_saves(block)
    for group, said in (("env", block.env), ("extra", block.extra)):
        for key, value in said.items():
            if secret(key, value):
                raise RecipeError(
                    f"{key} looks like a secret, and the run's files are readable by everyone who reads the folder",
                    where=f"train.{group}.{key}",
                    next="set it in the environment of the nodes instead",
                )


def _refuse_saves(block: "Train") -> None:
    """Raise RecipeError for checkpoints from which nothing could go on."""
    if block.checkpoints.resumable and block.checkpoints.keep == 1 and block.world > 1:
        raise RecipeError(
            "with keep: 1 the last checkpoint is deleted before every rank has saved the next: a kill then loses both",
            where="train.checkpoints.keep",
            next="say 2 or more",
        )
    if block.shard == "fsdp" and block.cluster.nodes > 1 and not block.launcher.shared():
        raise RecipeError(
            "FSDP saves parts that only one node can put together, and these nodes share no folder",
            where="train.shard",
            next="say shard: zero3, or give the nodes a folder that they share",
        )


def secret(key: str, value: object) -> bool:
    """Whether a setting looks like a key or password by its name, its form, or a URL that carries one."""
    return isinstance(value, str) and value != "" and bool(_SECRET.search(key) or _KEY.search(value))


def _job(block: "Train", name: str, here: Path, python: str) -> Job:
    launcher, retries = block.launcher, block.retries
    folder = launcher.place(here.absolute())
    return Job(
        name=name,
        folder=folder,
        python=launcher.interpreter(python),
        nodes=block.cluster.nodes,
        processes=block.cluster.gpus,
        accelerate="accelerate.yaml" if block.shard == "fsdp" else None,
        env={**_environment(block), **block.env},
        # Two runs on one machine should not meet; a taken port is found before the launch.
        port=_FIRST_PORT + zlib.crc32(name.encode()) % _PORTS,
        shared=launcher.shared(),
        accelerator="cpu" if block.on_cpu else "cuda",
        attempts=retries.attempts,
        hang_s=retries.hang_minutes * 60,
        first_step_s=retries.first_step_minutes * 60,
        grace_s=retries.grace_seconds,
        expect=_expected(block),
    )


def _environment(block: "Train") -> dict[str, str]:
    """The same on every node. Nothing is fetched, and nobody's working directory is imported from."""
    found = {
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_OFFLINE": "1",
        "PYTHONSAFEPATH": "1",
        "PYTHONUNBUFFERED": "1",
        "TOKENIZERS_PARALLELISM": "false",
        # More threads than cores cost a factor of 20 on the CPU; DeepSpeed's CPU Adam is worth several a process.
        "OMP_NUM_THREADS": "8" if block.offload != "none" and not block.on_cpu else "1",
    }
    if not block.on_cpu:  # what LLaMA-Factory's own launcher sets
        found |= {"PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True", "TORCH_NCCL_AVOID_RECORD_STREAMS": "1"}
    elif block.shard in ("zero2", "zero3"):
        found["DS_ACCELERATOR"] = "cpu"
    return found


def _expected(block: "Train") -> Expected:
    """Of a checkpoint: ZeRO saves one file of optimizer state a process, a sharded FSDP one too, all others one."""
    sharded: Sharded = "zero" if block.shard in ("zero2", "zero3") else "fsdp" if block.shard == "fsdp" else "none"
    whole = block.shard in ("ddp", "zero2") or block.checkpoints.gather
    each = sharded == "zero" or (sharded == "fsdp" and not block.checkpoints.gather)
    shards = block.world if each else 1
    return Expected(
        steps=block.max_steps,
        shards=shards if block.checkpoints.resumable else 0,
        sharded=sharded,
        weights=whole,
        resumable=block.checkpoints.resumable,
    )
