"""The recipe: one frozen model whose fields are the YAML, built from the kinds of `curate`.

Only blocks whose rooms exist are accepted; every other key is an error.
"""

from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BeforeValidator, Field, field_serializer, model_validator
from pydantic_core import PydanticCustomError, PydanticKnownError

from curate.flow import Annotate, Flow
from curate.kinds import Source
from curate.paths import RecipePath
from curate.plug import Plug
from curate.verifiers.router import PRESETS, Router
from eval.block import Eval
from train.block import Train

_ALONE = ("train", "eval")  # blocks that a recipe may consist of: they need no dataset of its own
_DATASET = ("sources", "annotate")  # what a recipe that makes a dataset must have
_ABSENT = object()
_NOBODY = Annotate.model_construct(teacher=())


def _chains(value: object) -> object:
    """`verify:` names a preset, or a chain for each domain; a single verifier stands for a chain of one."""
    if isinstance(value, str):
        if value not in PRESETS:
            known = ", ".join(PRESETS)
            raise PydanticCustomError(
                "preset", "expected a mapping of domains, or a preset ({known}), found {value}",
                {"known": known, "value": repr(value)},
            )  # fmt: skip
        return {"preset": value}
    if not isinstance(value, dict):
        return value
    return {"chains": {domain: chain if isinstance(chain, list) else [chain] for domain, chain in value.items()}}


def _given(value: object) -> object:
    if value is _ABSENT:
        raise PydanticKnownError("missing")
    return value


class Recipe(Flow):
    """What a run does (`Flow`), which engine does it, and what is trained on the dataset.

    One that only trains or evaluates has neither `sources` nor `annotate`: `makes_dataset` is false.
    """

    sources: Annotated[tuple[Annotated[Source, Plug("curate.sources")], ...], BeforeValidator(_given)] = Field(
        (), min_length=1, description="Where questions come from; not in a recipe that only trains or evaluates."
    )
    annotate: Annotated[Annotate, BeforeValidator(_given)] = Field(
        _NOBODY, description="Who answers; not in a recipe that only trains or evaluates."
    )
    verify: Annotated[Router, BeforeValidator(_chains)] = Field(
        Router(),
        description="The chain of verifiers for each domain; a domain that is not named gets its truth's own. "
        "Or a preset: openthoughts, strict.",
    )
    answers_from: tuple[RecipePath, ...] = Field((), description="Other roots whose answers may be reused.")
    engine: Literal["local"] = Field("local", description="What runs it.")
    train: Train | None = Field(None, description="The fine-tune of a student on this dataset, or on a published one.")
    eval: Eval | None = Field(None, description="Which models `veristill eval` asks which benchmarks, and how.")

    @model_validator(mode="before")
    @classmethod
    def _whole(cls, values: Any) -> Any:
        """Tell a recipe that must make a dataset, and cannot, from one that is for something else."""
        if not isinstance(values, dict):
            return values
        alone = any(name in values for name in _ALONE) and not any(name in values for name in _DATASET)
        return values if alone else {**dict.fromkeys(_DATASET, _ABSENT), **values}

    @model_validator(mode="after")
    def _trains_on_something(self) -> Self:
        if self.train is not None and self.train.dataset is None and not self.makes_dataset:
            raise ValueError("train.dataset is missing: this recipe makes no dataset of its own to train on")
        return self

    @property
    def makes_dataset(self) -> bool:
        """Whether `run` has anything to do."""
        return bool(self.sources)

    @field_serializer("verify")
    def _dump_chains(self, verify: Router) -> Any:
        return verify.preset or verify.model_dump(mode="json")["chains"]

    def lock_text(self) -> str:
        """The recipe as it was understood: YAML with paths resolved and without defaults; equal for equal recipes."""
        dump = self.model_dump(mode="json", exclude_defaults=True)
        return str(yaml.safe_dump(dump, sort_keys=False, allow_unicode=True, width=120))


def json_schema() -> dict[str, Any]:
    """The JSON schema of a recipe, for editors."""
    schema = Recipe.model_json_schema()
    shared = schema["$defs"]
    # Two places where the YAML may say it shorter than the model keeps it.
    chains = shared["Router"]["properties"]["chains"]["additionalProperties"]
    schema["properties"]["verify"] = {
        "anyOf": [
            {"type": "string", "enum": list(PRESETS)},
            {"type": "object", "additionalProperties": {"anyOf": [chains, chains["items"]]}},
        ],
        "description": Recipe.model_fields["verify"].description,
    }
    teachers = shared["Annotate"]["properties"]["teacher"]
    shared["Annotate"]["properties"]["teacher"] = {"anyOf": [teachers, teachers["items"]]}
    del shared["Router"]
    # A recipe makes a dataset, or consists of other blocks.
    schema["anyOf"] = [{"required": list(_DATASET)}, *({"required": [name]} for name in _ALONE)]
    del schema["properties"]["annotate"]["default"]
    return {**schema, "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Veristill recipe"}
