"""Prices: what the tokens of a reply, or the GPU hours of one's own servers, come to in USD.

The table `prices.yaml` knows public providers by the host of their API; a recipe's `price:` overrides it. What is not
known stays None and is never taken for free.
"""

import re
from functools import cache
from importlib import resources
from typing import Any, Self
from urllib.parse import urlsplit

import yaml
from pydantic import Field, model_validator

from curate.records import Record

OPENAI_HOST = "api.openai.com"
_DATED = re.compile(r"[-@](?:\d{4}-\d{2}-\d{2}|\d{8})$")  # gpt-4o-2024-08-06 is billed as gpt-4o


class Price(Record):
    """USD per million tokens of a provider, or the hardware that a server of one's own takes."""

    input: float | None = Field(None, ge=0, description="USD per million tokens of the request.")
    output: float | None = Field(None, ge=0, description="USD per million tokens of the answer, its thinking included.")
    cached: float | None = Field(None, ge=0, description="USD per million cached tokens of the request; else `input`.")
    reasoning: float | None = Field(None, ge=0, description="USD per million tokens of thinking; else `output`.")
    gpu_hour: float | None = Field(None, ge=0, description="Own hardware: USD for one GPU for one hour.")
    gpus: int | None = Field(
        None, ge=1, description="Own hardware: GPUs behind each address; beside `serve:` those that it says."
    )

    @model_validator(mode="after")
    def _one_or_the_other(self) -> Self:
        tokens = self.input is not None and self.output is not None
        hardware = self.gpu_hour is not None and self.gpus is not None
        rest = (self.input, self.output, self.cached, self.reasoning) if hardware else (self.gpu_hour, self.gpus)
        if tokens == hardware or any(one is not None for one in rest):
            raise ValueError("a price is {input, output}, with cached and reasoning if need be, or {gpu_hour, gpus}")
        return self

    @property
    def free(self) -> bool:
        """Whether every token is free."""
        return not any((self.input, self.output, self.cached, self.reasoning, self.gpus))

    def of(self, usage: dict[str, int]) -> float | None:
        """USD for the tokens of one reply; None where a count is missing, and for own hardware (see `hardware`)."""
        if self.free:
            return 0.0
        if self.input is None or self.output is None or not {"input", "output"} <= usage.keys():
            return None
        cached = min(usage.get("cached", 0), usage["input"]) if self.cached is not None else 0
        thought = min(usage.get("reasoning", 0), usage["output"]) if self.reasoning is not None else 0
        asked = (usage["input"] - cached) * self.input + cached * (self.cached or 0.0)
        answered = (usage["output"] - thought) * self.output + thought * (self.reasoning or 0.0)
        return (asked + answered) / 1e6

    def worst(self, input_tokens: int, output_tokens: int) -> float:
        """USD that a request of at most so many tokens may cost; 0 for own hardware, which is paid by the hour."""
        if self.input is None or self.output is None:
            return 0.0
        dearest = (max(self.input, self.cached or 0.0), max(self.output, self.reasoning or 0.0))
        return (input_tokens * dearest[0] + output_tokens * dearest[1]) / 1e6

    def scaled(self, factor: float) -> "Price":
        """The same with every token price times `factor`, such as 0.5 for a batch."""
        tokens = {name: getattr(self, name) for name in ("input", "output", "cached", "reasoning")}
        return self.model_copy(update={name: one * factor for name, one in tokens.items() if one is not None})


FREE = Price(input=0.0, output=0.0)


def price_of(model: str, base_url: str | None = None) -> Price | None:
    """What the table says of a model at an address (None: OpenAI's); None where it says nothing.

    A dated name (`gpt-4o-2024-08-06`) that is not listed itself is billed as the name without its date. The same model
    at another host has another price, so one that is served elsewhere is never looked up by its name alone.
    """
    host = OPENAI_HOST if base_url is None else urlsplit(base_url).hostname or ""
    models = _table().get(host, {})
    found = models.get(model) or models.get(_DATED.sub("", model))
    return None if found is None else Price(**found)


@cache
def _table() -> dict[str, dict[str, Any]]:
    text = resources.files("curate.calls").joinpath("prices.yaml").read_text("utf-8")
    found: dict[str, dict[str, Any]] = yaml.safe_load(text)
    return found
