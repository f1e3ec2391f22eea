"""The recipe's `sandbox:` block: what the programs of answers run in."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from sandbox import Container, Sandbox


class SandboxBlock(BaseModel):
    """What programs run in."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    backend: Literal["auto", "docker", "namespaces"] = Field(
        "auto", description="auto: docker where an engine answers (DOCKER_HOST) and proves tight, else namespaces."
    )
    mode: Literal["fast", "strict"] = Field(
        "fast", description="fast: a program's tests share a process while they pass; strict: a process for each test."
    )
    packages: tuple[str, ...] = Field(
        (), description="Pip requirements that programs may import, besides the packages that judges usually have."
    )
    runtime: str | None = Field(None, description="A runtime that the Docker engine knows, such as runsc (gVisor).")
    image: str | None = Field(None, description="A Docker image with Python; none: made from this machine's Python.")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.backend == "namespaces" and (self.runtime or self.image):
            raise PydanticCustomError("not_docker", "runtime and image belong to the backend docker, not namespaces")
        if any(one.startswith("-") for one in self.packages):
            raise PydanticCustomError("not_a_package", "packages takes pip requirements, not options of pip")
        return self

    def sandbox(self, workers: int) -> Sandbox:
        """A sandbox of these settings, not yet open."""
        return Sandbox(
            self.backend,
            workers,
            mode=self.mode,
            packages=self.packages,
            container=Container(runtime=self.runtime, image=self.image),
        )
