"""The `train:` block of a recipe: its fields are the YAML, its defaults the reference run of OpenThinker-32B.

It says what is wanted and derives the batch arithmetic, exactly; files, launchers and memory are for other modules.
"""

import re
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    field_validator,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from curate.errors import RecipeError
from curate.paths import RecipePath, resolve
from curate.plug import Plug
from train.launcher import Launcher

_FOLDERS = ("/", "./", "../", "~", "${", "bundled:")

Packing = Literal["none", "greedy", "neat"]
Attention = Literal["auto", "sdpa", "fa2", "fa3", "disabled"]
Shard = Literal["ddp", "zero2", "zero3", "fsdp"]
Offload = Literal["none", "optimizer", "all"]
Precision = Literal["bf16", "fp16", "fp32"]
OnCut = Literal["drop", "keep", "fail"]


def _place(value: str) -> str:
    return str(resolve(Path(value)).absolute()) if value.startswith(_FOLDERS) else value


def is_folder(place: str) -> bool:
    """Whether a `student` or `dataset` is a folder, and no id of the hub."""
    return place.startswith("/")


Place = Annotated[str, Field(min_length=1), AfterValidator(_place)]
"""A hub id (org/name), or a folder, which starts with `/`, `./`, `../` or `~`: absolute once it was read."""


class _Block(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Method(_Block):
    """Which weights are trained; a bare word `x` means `{kind: x}`."""

    kind: Literal["full", "lora"] = Field("full", description="full: every weight. lora: low-rank adapters.")
    rank: int = Field(8, ge=1, description="Rank of the adapters (lora).")
    alpha: int | None = Field(None, ge=1, description="Scale of the adapters (lora); by default twice the rank.")
    dropout: float = Field(0.0, ge=0, lt=1, description="Dropout of the adapters (lora).")
    target: str = Field("all", description="Modules that get adapters (lora), split by commas; all: every linear one.")

    @model_validator(mode="before")
    @classmethod
    def _word(cls, value: Any) -> Any:
        return {"kind": value} if isinstance(value, str) else value

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """A bare word is accepted too."""
        return {"anyOf": [{"type": "string", "enum": ["full", "lora"]}, handler(schema)]}


class Batch(_Block):
    """What one optimizer step sees: `rows`, or `tokens` where rows are packed to the cutoff."""

    rows: int | None = Field(
        None, ge=1, description="Sequences of one step over all GPUs; with packing, a sequence is a pack of rows."
    )
    tokens: int | None = Field(
        None, ge=1, description="Tokens of one step over all GPUs, a multiple of the cutoff: needs packing."
    )

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.rows is None) == (self.tokens is None):
            raise ValueError("give rows or tokens, and only one of them")
        return self


class Optimizer(_Block):
    """The optimizer and its schedule."""

    name: str = Field("adamw_torch", description="A name of transformers' `optim`.")
    lr: float = Field(1e-5, gt=0, description="The peak learning rate.")
    betas: tuple[float, float] = Field((0.9, 0.999), description="Adam's betas.")
    eps: float = Field(1e-8, gt=0, description="Adam's epsilon.")
    weight_decay: float = Field(0.0, ge=0, description="Weight decay.")
    schedule: str = Field("cosine", description="A name of transformers' `lr_scheduler_type`.")
    warmup: float = Field(0.1, ge=0, description="Share of all steps (below 1), or number of steps (from 1 on).")
    max_grad_norm: float = Field(1.0, ge=0, description="Gradients are clipped to this norm; 0: not clipped.")


class Checkpoints(_Block):
    """When the state is saved."""

    every: int = Field(100, ge=1, description="Steps between two checkpoints.")
    keep: int = Field(2, ge=1, description="Newest checkpoints that stay on disk; of several processes 2 or more.")
    resumable: bool = Field(True, description="With the optimizer's state; false: weights alone, nothing can go on.")
    gather: bool = Field(
        True, description="ZeRO-3: also whole 16-bit weights in every checkpoint; false: shards, gathered at the end."
    )


class Cluster(_Block):
    """The machines. What is not said here is looked up in the table of GPUs, or assumed and printed as such."""

    nodes: int = Field(4, ge=1, description="Machines.")
    gpus: int = Field(8, ge=1, description="GPUs of each machine, one process each; on the CPU, processes.")
    gpu: str = Field("h100-80", description="A name of the table of GPUs, such as h100-80 or a100-64; or cpu.")
    gpu_memory_gb: float | None = Field(None, gt=0, description="Memory of a GPU, GB of 10^9 bytes, for other GPUs.")
    gpu_tflops: float | None = Field(None, gt=0, description="Dense bf16 peak of a GPU, TFLOP/s, for other GPUs.")
    price_per_gpu_hour: float | None = Field(None, ge=0, description="Dollars.")
    price_per_node_hour: float | None = Field(None, ge=0, description="Dollars, where whole machines are paid for.")
    host_memory_gb: float | None = Field(None, gt=0, description="Memory of each machine, GB of 10^9 bytes.")
    disk_gb: float | None = Field(None, gt=0, description="Disk for the run folder, GB of 10^9 bytes.")

    @model_validator(mode="after")
    def _one_price(self) -> Self:
        if self.price_per_gpu_hour is not None and self.price_per_node_hour is not None:
            raise ValueError("give price_per_gpu_hour or price_per_node_hour, not both")
        return self


class Retries(_Block):
    """What is done when a run dies or stands still."""

    attempts: int = Field(5, ge=1, description="Starts in all; two failures in a row without progress end it sooner.")
    hang_minutes: float = Field(30.0, gt=0, description="No step for this long: the attempt is ended.")
    first_step_minutes: float = Field(
        60.0, gt=0, description="The same before the first step, and while a checkpoint is written and does not grow."
    )
    grace_seconds: float = Field(60.0, gt=0, description="From a polite stop to a kill.")


class Train(_Block):
    """The fine-tune of a student on a dataset. Its defaults are those of OpenThinker-32B's run."""

    student: Place = Field(description="The model to train: a hub id, or a folder (`/`, `./`, `../`, `~`).")
    student_revision: str | None = Field(None, description="A commit, tag or branch of the student's repository.")
    dataset: Place | None = Field(
        None, description="What it learns from: a hub id, or a folder; by default the dataset of this recipe's own run."
    )
    dataset_revision: str | None = Field(None, description="A commit, tag or branch of the dataset's repository.")
    system: str | None = Field(None, description="System prompt of every row; by default the dataset's own.")
    method: Method = Method()
    template: str = Field("qwen", min_length=1, description="A chat template of LLaMA-Factory.")
    cutoff: int = Field(16384, ge=1, description="Tokens of a row at most; with packing, of a pack.")
    on_cut: OnCut = Field("keep", description="Rows longer than the cutoff: keep what fits, drop them, or fail.")
    epochs: float = Field(3.0, gt=0, description="Passes over the dataset.")
    max_steps: int | None = Field(None, ge=1, description="End after so many steps, whatever `epochs` says.")
    batch: Batch = Field(Batch(rows=96), description="By default 96 rows.")
    micro_batch: int = Field(1, ge=1, description="Sequences that a GPU takes at once.")
    optimizer: Optimizer = Optimizer()
    packing: Packing = Field(
        "none", description="greedy: rows share a sequence and see each other. neat: they do not see each other."
    )
    liger: bool = Field(False, description="Fused kernels: the logits of a sequence are never held whole.")
    attention: Attention = Field("auto", description="LLaMA-Factory's `flash_attn`.")
    shard: Shard = Field("zero3", description="ddp: nothing is split. zero2: optimizer, gradients. zero3, fsdp: all.")
    offload: Offload = Field("all", description="Held in host memory: nothing, the optimizer, or parameters too.")
    precision: Precision = Field("bf16", description="fp32 where ZeRO runs on the CPU.")
    gradient_checkpointing: bool = Field(True, description="Recompute activations instead of holding them.")
    checkpoints: Checkpoints = Checkpoints()
    cluster: Cluster = Cluster()
    launcher: Annotated[Launcher, Plug("train.launchers")] = Field(
        "local",  # a word that the plug turns into the kind of that name
        validate_default=True,
        description="How it reaches its machines.",
    )
    retries: Retries = Retries()
    ddp_timeout_minutes: float = Field(60.0, gt=0, description="A collective that waits longer fails.")
    python: RecipePath | None = Field(
        None, description="The training interpreter; by default what `veristill train setup` made."
    )
    report_to: tuple[Literal["wandb", "mlflow", "tensorboard"], ...] = Field((), description="Who else is told.")
    seed: int = Field(42, ge=0, description="Seed of the order of rows and of the training.")
    env: dict[str, str] = Field(default_factory=dict, description="Environment of every process; no secrets.")
    extra: dict[str, Any] = Field(default_factory=dict, description="Further keys of LLaMA-Factory, passed through.")

    @field_validator("env", "extra")
    @classmethod
    def _named(cls, said: dict[str, Any]) -> dict[str, Any]:
        # They become lines of files and variables of processes: a name is a name, and nothing that follows one.
        for name, value in said.items():
            if not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
                raise ValueError(f"{name!r} is no name: expected letters, digits and underscores")
            if isinstance(value, str) and "\0" in value:
                raise ValueError(f"the value of {name} holds a zero byte")
        return said

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.batch.tokens is not None and self.packing == "none":
            raise ValueError("batch.tokens needs packing: without it rows differ in length; say batch.rows")
        if self.shard == "ddp" and self.offload != "none":
            raise ValueError("shard: ddp splits nothing, so nothing can be offloaded: say offload: none")
        if self.shard == "zero2" and self.offload == "all":
            raise ValueError("zero2 keeps the parameters whole on every GPU: say offload: optimizer, or shard: zero3")
        if self.shard == "fsdp" and self.on_cpu:
            raise ValueError("fsdp shards nothing on the CPU, it trains as ddp there: say shard: ddp, or zero3")
        if self.shard == "fsdp" and self.offload == "optimizer":
            raise ValueError("fsdp offloads parameters and optimizer together: say offload: all, or offload: none")
        return self

    @property
    def world(self) -> int:
        """Processes in all: one per GPU."""
        return self.cluster.nodes * self.cluster.gpus

    @property
    def on_cpu(self) -> bool:
        """Whether it trains without a GPU."""
        return self.cluster.gpu == "cpu"

    def sequences(self) -> Fraction:
        """Sequences (rows; with packing packs) of one optimizer step as the recipe says them, whole or not."""
        if self.batch.rows is not None:
            return Fraction(self.batch.rows)
        return Fraction(self.batch.tokens or 0, self.cutoff)

    def words(self) -> str:
        """One line: who learns from what, how long, on which machines."""
        dataset = self.dataset or "this recipe's dataset"
        count = f"{self.max_steps:,} steps" if self.max_steps is not None else f"{self.epochs:g} epochs"
        unit = "rows" if self.packing == "none" else "packs"
        batch = f"{self.batch.rows} {unit}" if self.batch.rows is not None else f"{self.batch.tokens:,} tokens"
        machines = f"{self.cluster.nodes} x {self.cluster.gpus} {self.cluster.gpu}"
        return f"{self.student} on {dataset}, {count} of {batch}, on {machines}, launched by {self.launcher.kind()}"

    def accumulate(self) -> int:
        """Micro-batches of each process in one optimizer step: sequences = micro_batch * accumulate * world, exactly.

        Raises RecipeError where that has no whole solution.
        """
        each = self.micro_batch * self.world
        steps = self.sequences() / each
        if steps.denominator == 1 and steps >= 1:
            return int(steps)
        unit_said = "rows" if self.packing == "none" else "packs"
        said = f"{self.batch.rows} {unit_said}" if self.batch.rows is not None else f"{self.batch.tokens} tokens"
        unit = each if self.batch.rows is not None else each * self.cutoff
        wanted = self.batch.rows or self.batch.tokens or 0
        below, above = wanted // unit * unit, -(-wanted // unit) * unit
        near = " or ".join(str(one) for one in (below, above) if one)
        raise RecipeError(
            f"a batch of {said} cannot be split evenly over {self.world} GPUs at micro_batch {self.micro_batch}",
            where="train.batch",
            next=f"say {near}, or change cluster or micro_batch",
        )
