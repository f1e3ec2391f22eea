"""`job.json`: what every node of a training run reads, and all that it needs to read.

`render` writes it, launchers carry it to the nodes, and the scripts of `train/inside/` read it with `json.load` in
the training interpreter. It holds no secret, and nothing in it depends on which node reads it. Every process of the run
works in `folder` (its current directory): the paths in `args` and in the files it names are relative to it where they
can be, so that a folder that was moved or packed still runs.
"""

import json
from pathlib import PurePosixPath
from typing import Annotated, Literal

from annotated_types import Ge, Gt
from pydantic import BaseModel, ConfigDict, Field, field_validator

from curate.errors import InputError

Sharded = Literal["none", "zero", "fsdp"]


class Expected(BaseModel):
    """What a complete checkpoint of this run holds, and when the run is done."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    steps: int | None = Field(None, description="The step at which the run is done. None: known once it has begun")
    shards: Annotated[int, Ge(0)] = Field(
        1, description="Files of optimizer state in a complete checkpoint, all nodes together"
    )
    sharded: Sharded = Field(
        "none", description="Whose layout the checkpoint has: DeepSpeed's, FSDP's or one optimizer.pt"
    )
    weights: bool = Field(True, description="A checkpoint also holds whole weights (model*.safetensors or an adapter)")
    resumable: bool = Field(True, description="A checkpoint holds optimizer, scheduler and random state beside weights")


class Job(BaseModel):
    """One training run, as its nodes see it. Paths are absolute on the nodes."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    version: Literal[1] = 1
    name: str
    folder: str = Field(description="The run's folder on every node: job.json, args, code/, state/, logs/")
    python: str = Field(description="The training interpreter on every node")
    nodes: Annotated[int, Ge(1)] = 1
    processes: Annotated[int, Ge(1)] = Field(1, description="Processes per node: one per GPU")
    args: str = Field("sft.yaml", description="LLaMA-Factory's file, relative to `folder`")
    output: str = Field("output", description="LLaMA-Factory's output_dir: absolute, or relative to `folder`")
    accelerate: str | None = Field(None, description="accelerate's file, relative to `folder` (FSDP only)")
    env: dict[str, str] = Field(default_factory=dict, description="Environment of every process")
    port: Annotated[int, Ge(1024), Field(le=65000)] = Field(29500, description="Attempt A meets on port + A")
    master: str | None = Field(None, description="Host where the ranks meet. None: the launcher's surroundings say it")
    shared: bool = Field(True, description="`folder` is one folder seen by all nodes. False: each node has its own")
    accelerator: Literal["cpu", "cuda"] = "cuda"
    attempts: Annotated[int, Ge(1)] = Field(5, description="How often the run may be started")
    hang_s: Annotated[float, Gt(0)] = Field(1800.0, description="No step for so long: the attempt is ended, s")
    first_step_s: Annotated[float, Gt(0)] = Field(3600.0, description="Patience before an attempt's first step, s")
    grace_s: Annotated[float, Gt(0)] = Field(60.0, description="From a polite stop to a kill, s")
    learns: str | None = Field(None, description="What of: a digest of rows and student. None: not looked at yet")
    expect: Expected = Expected()

    @field_validator("folder", "python")
    @classmethod
    def _absolute(cls, path: str) -> str:
        if not PurePosixPath(path).is_absolute():
            raise ValueError(f"'{path}' must be an absolute path: every node reads it")
        return path

    @property
    def world(self) -> int:
        """Processes of the whole run."""
        return self.nodes * self.processes

    def path(self, *parts: str) -> str:
        """A path below the run's folder, as the nodes write it."""
        return str(PurePosixPath(self.folder, *parts))

    def text(self) -> str:
        """The file, one key a line."""
        return json.dumps(self.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def read(cls, text: str, where: str) -> "Job":
        """The job in the text of `where`. Raises InputError."""
        try:
            return cls.model_validate_json(text)
        except ValueError as error:
            raise InputError(f"not a job file: {error}", where=where, next="render the recipe again") from None
