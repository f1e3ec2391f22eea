"""The `publish:` block of a recipe: what the dataset looks like and where it goes."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from curate.publish.traces import TraceFormat, named_format, trace_format

_PREFIX = re.compile(r"[a-z][a-z0-9_]{0,39}")
_REPO = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}$"
# What the published OpenThoughts datasets call things; fields that the recipe gives win.
_PRESETS: dict[str, dict[str, Any]] = {"openthoughts": {"teacher_prefix": "deepseek", "trace_format": "openthoughts"}}


def _prefix(value: str) -> str:
    if not _PREFIX.fullmatch(value):
        raise PydanticCustomError("prefix", "expected lower-case letters, digits and _, starting with a letter")
    if value == "ground_truth":
        raise PydanticCustomError("prefix", "'ground_truth' is taken by the column ground_truth_solution")
    return value


class Publish(BaseModel):
    """What to publish: a frozen configuration without handles."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    repo: str | None = Field(None, pattern=_REPO, description="Hub dataset id, such as my-org/my-dataset.")
    push: bool = Field(False, description="Push to the hub after the dataset was loaded back.")
    private: bool = Field(True, description="Whether the hub dataset is private.")
    preset: Literal["openthoughts"] | None = Field(
        None, description="openthoughts: teacher_prefix deepseek and trace_format openthoughts, unless given."
    )
    teacher_prefix: Annotated[str, AfterValidator(_prefix)] = Field(
        "teacher", description="Columns are called <prefix>_reasoning and <prefix>_solution."
    )
    trace_format: Annotated[str, AfterValidator(named_format)] = Field(
        "openthoughts", description="openthoughts, think, solution_only, or the path of a jinja file."
    )
    rl: tuple[Literal["verl", "trl", "rllm"], ...] = Field(
        (), description="Write the selected questions for RL with verifiable rewards too, in these trainers' columns."
    )
    shard_mb: int = Field(256, ge=1, le=1024, description="Megabytes of one Parquet file.")

    @model_validator(mode="before")
    @classmethod
    def _preset(cls, fields: Any) -> Any:
        if isinstance(fields, dict) and isinstance(fields.get("preset"), str):
            return {**_PRESETS.get(fields["preset"], {}), **fields}
        return fields

    @model_validator(mode="after")
    def _has_repo(self) -> "Publish":
        if self.push and self.repo is None:
            raise PydanticCustomError("repo_missing", "push: true needs repo: the hub id to push to")
        return self

    def trace(self) -> TraceFormat:
        """The trace format, its file read and compiled. Raises InputError for a file that cannot be used."""
        return trace_format(self.trace_format)
