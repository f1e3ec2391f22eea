"""The recipe: one frozen model whose fields are the YAML, built from the kinds of `curate`.

Only blocks whose rooms exist are accepted; every other key is an error.
"""

from typing import Annotated, Any, Literal

import yaml
from pydantic import BeforeValidator, Field, field_serializer
from pydantic_core import PydanticCustomError

from curate.flow import Flow
from curate.paths import RecipePath
from curate.verifiers.router import PRESETS, Router


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


class Recipe(Flow):
    """What a run does (`Flow`), and which engine does it."""

    verify: Annotated[Router, BeforeValidator(_chains)] = Field(
        Router(),
        description="The chain of verifiers for each domain; a domain that is not named gets its truth's own. "
        "Or a preset: openthoughts, strict.",
    )
    answers_from: tuple[RecipePath, ...] = Field((), description="Other roots whose answers may be reused.")
    engine: Literal["local"] = Field("local", description="What runs it.")

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
    return {**schema, "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Veristill recipe"}
