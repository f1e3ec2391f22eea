"""`kind: batch`: OpenAI's Batch API: the same answers for half the price, within a day."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from curate.calls.model import Call
from curate.calls.prices import Price
from curate.keys import Operational
from curate.teachers._api import Api, Messages, chat_body, responses_body

_DISCOUNT = 0.5  # of every token, as OpenAI prices batches (platform.openai.com/docs/guides/batch, 2025)


class Batch(Api):
    """Requests that are collected into batches. Their keys are those of `openai`: each reuses the other's answers."""

    api: Literal["chat", "responses"] = Field("chat", description="Which API the batch goes to.")
    concurrency: Annotated[int, Operational] = Field(
        10_000, ge=1, le=100_000, description="Requests waited for at once: how large batches become."
    )

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        if self.serve is not None:
            raise ValueError("a server of one's own takes no batches: use kind openai with serve")
        if self.endpoints or self.endpoints_folder:
            raise ValueError("batches go to one address, where their answers are fetched too: use base_url")
        if self.api == "responses" and self.seed is not None:
            raise ValueError("the Responses API takes no seed; samples are requests of their own without it")
        return self

    def _body(self, messages: Messages, response_format: Mapping[str, Any] | None) -> dict[str, Any]:
        if self.api == "responses":
            return responses_body(self, messages, response_format, None)
        return chat_body(self, messages, response_format)

    def _made(self, body: dict[str, Any], sample: int) -> Call:
        made = super()._made(body, sample)
        return made.model_copy(update={"form": self.api, "via": "batch", "adaptive": False})

    def known_price(self) -> Price | None:
        """The recipe's word, else half of the table's."""
        if self.price is not None:
            return self.price
        found = super().known_price()
        return None if found is None else found.scaled(_DISCOUNT)
