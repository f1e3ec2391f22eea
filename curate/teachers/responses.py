"""`kind: responses`: OpenAI's Responses API, and the servers that speak it too."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from curate.teachers._api import Api, Messages, responses_body


class Responses(Api):
    """One answer a request, its reasoning in items of its own; nothing is kept at the provider (`store: false`)."""

    form: ClassVar[str] = "responses"

    summary: Literal["auto", "concise", "detailed"] | None = Field(
        None, description="Ask for a summary of the reasoning: all that OpenAI shows of it."
    )

    @model_validator(mode="after")
    def _no_seed(self) -> Self:
        if self.seed is not None:
            raise ValueError("the Responses API takes no seed; samples are requests of their own without it")
        return self

    def _body(self, messages: Messages, response_format: Mapping[str, Any] | None) -> dict[str, Any]:
        return responses_body(self, messages, response_format, self.summary)
