"""The table of GPUs: what a recipe's `cluster:` means in bytes and operations per second."""

from functools import cache
from importlib.resources import files
from typing import Any

import yaml
from pydantic import Field

from curate.errors import RecipeError
from curate.records import Record
from train.block import Cluster

GB = 10**9  # bytes; sizes are told in these, as memory is sold


class Gpu(Record):
    """One kind of GPU. The peak is dense bf16, from the maker's data sheet."""

    name: str
    memory_gb: float = Field(gt=0, description="GB of 10^9 bytes.")
    tflops: float = Field(gt=0, description="Dense bf16 peak, 10^12 operations a second.")
    node: int = Field(8, ge=1, description="GPUs of a usual machine.")
    host_memory_gb: float | None = Field(None, description="Memory of such a machine, GB of 10^9 bytes.")
    of: str = Field("", description="What exactly, and whose figures.")


@cache
def kinds() -> dict[str, Gpu]:
    """Every GPU of the table, by name."""
    table: dict[str, Any] = yaml.safe_load(files("train").joinpath("gpus.yaml").read_text("utf-8"))
    return {name: Gpu(name=name, **entry) for name, entry in table.items()}


def machine(cluster: Cluster) -> Gpu | None:
    """The GPU of a cluster, with what the recipe says instead of the table; None on the CPU.

    Raises RecipeError for a name that neither the table nor the recipe explains.
    """
    if cluster.gpu == "cpu":
        return None
    said = {
        name: value
        for name, value in (
            ("memory_gb", cluster.gpu_memory_gb),
            ("tflops", cluster.gpu_tflops),
            ("host_memory_gb", cluster.host_memory_gb),
        )
        if value is not None
    }
    entry = kinds().get(cluster.gpu)
    if entry is not None:
        # A machine with another number of GPUs than the table's is another machine.
        same = cluster.gpus == entry.node
        return entry.model_copy(update={} if same else {"host_memory_gb": None}).model_copy(update=said)
    if {"memory_gb", "tflops"} <= said.keys():
        return Gpu(name=cluster.gpu, node=cluster.gpus, of="as the recipe says", **said)
    raise RecipeError(
        f"there is no GPU '{cluster.gpu}' in the table; it has: {', '.join(kinds())}, cpu",
        where="train.cluster.gpu",
        next="or say gpu_memory_gb and gpu_tflops beside it",
    )
