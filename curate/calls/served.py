"""Served: where a model that writes nothing (a reward model) is asked, how fast, and what that costs."""

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from curate.calls.model import URL, Address, Call, Rates
from curate.calls.prices import Price, price_of
from curate.calls.secret import key_of
from curate.keys import Operational
from curate.records import Record

if TYPE_CHECKING:
    from curate.resources import Resources


def _address(value: object) -> object:
    return {"base_url": value} if isinstance(value, str) else value


class Served(Record):
    """A model behind an address. What decides a reply is sent and keyed; the rest may change between runs."""

    model: str = Field(min_length=1, description="The name under which it is served.")
    revision: str | None = Field(None, description="A free label: change it to ask everything again.")
    base_url: Annotated[str | None, Operational] = Field(
        None, pattern=URL, description="What the path of the API is put behind (vLLM: without `/v1`)."
    )
    api_key_env: Annotated[str | None, Operational] = Field(None, description="The environment variable with the key.")
    endpoints: Annotated[tuple[Annotated[Address, BeforeValidator(_address)], ...], Operational] = Field(
        (), description="Several servers of one model, in the place of base_url."
    )
    extra_body: dict[str, Any] = Field(default_factory=dict, description="Further fields of the request, as they are.")
    timeout_s: Annotated[float, Operational] = Field(600.0, gt=0, description="Seconds without a byte.")
    concurrency: Annotated[int, Operational] = Field(64, ge=1, le=4096, description="At most, over all addresses.")
    rates: Annotated[Rates | None, Operational] = Field(None, description="What the provider allows, at each address.")
    price: Annotated[Price | None, Operational] = Field(
        None, description="What it costs; by default what curate/calls/prices.yaml says of the model at this host."
    )

    @model_validator(mode="before")
    @classmethod
    def _writes_nothing(cls, given: Any) -> Any:
        """`price: {input: USD}` is enough: there is no answer to pay for."""
        price = given.get("price") if isinstance(given, dict) else None
        if not isinstance(price, dict) or "input" not in price or price.get("output") is not None:
            return given
        return {**given, "price": {**price, "output": 0.0}}

    def key_variables(self) -> tuple[str, ...]:
        """The environment variables that hold its keys, in order, each once."""
        named = (self.api_key_env, *(one.api_key_env for one in self.endpoints))
        return tuple(dict.fromkeys(filter(None, named)))

    async def open(self, resources: "Resources") -> None:
        """Raise Prerequisite if a key is not there, InputError if a budget is set and the price is not known."""
        if resources.read_only:
            return
        for variable in self.key_variables():
            key_of(variable)
        resources.calls.budget.require_price(self.known_price(), self.model)

    def call(self, form: str, body: dict[str, Any], use: str) -> Call:
        """The request with this body to an API of `curate.calls.forms.DATA`."""
        return Call(
            form=form,
            model=self.model,
            revision=self.revision,
            body={"model": self.model, **body, **self.extra_body},
            max_tokens=0,
            base_url=self.base_url,
            api_key_env=self.api_key_env,
            endpoints=self.endpoints,
            timeout_s=self.timeout_s,
            concurrency=self.concurrency,
            rates=self.rates,
            price=self.known_price(),
            use=use,
        )

    def known_price(self) -> Price | None:
        """What it costs: the recipe's word, else the table's; None where neither says."""
        return self.price or (None if self.endpoints else price_of(self.model, self.base_url))
