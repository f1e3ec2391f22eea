"""`serve:` of a teacher, judge or student: which server to start for its model, where, and with what."""

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from curate.keys import digest
from curate.paths import resolve

Server = Literal["vllm", "sglang", "transformers"]
_COMMANDS: dict[Server, tuple[str, ...]] = {
    "vllm": ("vllm",),
    "sglang": ("python3", "-m", "sglang.launch_server"),
    "transformers": ("transformers",),
}
# What a server is told by us, or by the job that it runs in.
_OURS = {"--host", "--port", "--served-model-name", "--nnodes", "--node-rank", "--dist-init-addr"}


class Slurm(BaseModel):
    """Servers as the jobs of one Slurm array; the run folder must be one that the nodes share."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    nodes: int = Field(1, ge=1, description="Nodes of one server.")
    options: tuple[str, ...] = Field((), description="Options of sbatch, such as --partition=gpu, --time=24:00:00.")
    setup: str | None = Field(None, description="Shell lines before the server starts, such as `module load cuda`.")
    lease_s: float = Field(900.0, ge=60, description="Jobs end this many seconds after a run that was killed.")


class Serve(BaseModel):
    """A server that the run starts before its first request and stops at its end."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    server: Server = Field("vllm", description="`vllm serve`, `sglang` or `transformers serve`.")
    path: str | None = Field(
        None, description="The weights: a hub id, or a folder (`./`, `../`, `/`, `~`); by default the model's name."
    )
    gpus: int = Field(1, ge=0, description="GPUs of each node that one server takes; 0: it runs on the CPU.")
    copies: int = Field(1, ge=1, le=1024, description="Servers of the same model; requests are spread over them.")
    args: tuple[str, ...] = Field((), description="Further arguments of the server, each one a text.")
    command: tuple[str, ...] = Field((), description="The program, such as [/opt/vllm/bin/vllm], or a container's.")
    env: dict[str, str] = Field(default_factory=dict, description="Environment variables of the server.")
    ready_s: float = Field(3600.0, gt=0, description="Seconds in which a server must answer once it was started.")
    slurm: Slurm | None = Field(None, description="Run the servers as jobs of a Slurm cluster, not on this machine.")

    @field_validator("path")
    @classmethod
    def _folder(cls, path: str | None) -> str | None:
        if path is not None and path.startswith(("./", "../", "/", "~", "$")):
            return str(resolve(Path(path)))
        return path

    @field_validator("args")
    @classmethod
    def _free_args(cls, args: tuple[str, ...]) -> tuple[str, ...]:
        for one in args:
            if one.partition("=")[0] in _OURS:
                raise ValueError(f"args must not hold {one}: the run sets it")
            if one.partition("=")[0] == "--api-key":
                raise ValueError("args must not hold a key, which everybody on the machine could read: set api_key_env")
        return args

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.slurm is not None and self.slurm.nodes > 1 and self.server == "transformers":
            raise ValueError("`transformers serve` runs on one node; take vllm or sglang for several")
        return self

    def check_model(self, model: str) -> None:
        """Raise ValueError where the server could not go by the name that requests will call it by."""
        if self.server == "transformers" and self.path not in (None, model):
            raise ValueError(
                "`transformers serve` answers only to the name that it was started with: "
                f"write `model: {self.path}` and leave serve.path out"
            )

    def mark(self, model: str) -> str:
        """Tells two servers apart: a short hash of everything that starts one."""
        return digest("serve", model, self.model_dump(mode="json"))[:8]

    @property
    def nodes(self) -> int:
        """Nodes of one server."""
        return 1 if self.slurm is None else self.slurm.nodes

    def launch(self, model: str) -> list[str]:
        """The command that serves `model`, but for its address and what joins several nodes."""
        weights = self.path or model
        command = list(self.command or _COMMANDS[self.server])
        if self.server == "transformers":
            device = ["--device", "cpu"] if self.gpus == 0 and "--device" not in self.args else []
            return [*command, "serve", weights, *device, *self.args]
        if self.server == "sglang":
            parallel = ["--tp-size", str(self.gpus * self.nodes)] if self.gpus * self.nodes > 1 else []
            cpu = ["--device", "cpu"] if self.gpus == 0 and "--device" not in self.args else []
            known = ["--model-path", weights, "--served-model-name", model]
            return [*command, *known, *_unless_given(parallel, self.args, "--tp", "--tp-size"), *cpu, *self.args]
        tensor = ["--tensor-parallel-size", str(self.gpus)] if self.gpus > 1 else []
        known = ["--served-model-name", model, *_unless_given(tensor, self.args, "-tp", "--tensor-parallel-size")]
        if self.nodes > 1:
            stages = ["--pipeline-parallel-size", str(self.nodes)]
            known += _unless_given(stages, self.args, "-pp", "--pipeline-parallel-size")
            known += ["--distributed-executor-backend", "ray"]
        return [*command, "serve", weights, *known, *self.args]


def _unless_given(ours: list[str], args: tuple[str, ...], *names: str) -> list[str]:
    given = {one.partition("=")[0] for one in args}
    return [] if given & set(names) else ours
