"""What every teacher behind an HTTP address shares: its fields, the request they make, and how its reply is read."""

import json
from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from curate.calls.model import URL, Address, Call, Rates, Reply
from curate.calls.prices import Price, price_of
from curate.calls.secret import key_of
from curate.calls.serving.serve import Serve
from curate.errors import RecipeError
from curate.keys import Operational, digest
from curate.kinds import Ask, Teacher
from curate.paths import PromptName, RecipePath
from curate.prompts.prompt import Prompt, load
from curate.records import Attempt, Question
from curate.teachers.parse import Reading, attempt_of
from curate.teachers.split import Marks

if TYPE_CHECKING:
    from curate.resources import Resources

# What `extra_body` must leave alone, and what sets it.
_SET_BY = {
    "model": "model",
    "messages": "prompt and system",
    "input": "prompt and system",
    "instructions": "system",
    "prompt": "prompt",
    "max_tokens": "max_tokens",
    "max_completion_tokens": "max_tokens",
    "max_output_tokens": "max_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "seed": "seed",
    "reasoning_effort": "reasoning_effort",
    "response_format": "response_format",
    "n": "annotate.samples",
    "stream": "stream",
}

Messages = list[dict[str, str]]


def _address(value: object) -> object:
    return {"base_url": value} if isinstance(value, str) else value


class Api(Teacher):
    """A model behind an address. What decides an answer is sent and keyed; the rest may change between runs."""

    form: ClassVar[str] = "chat"

    model: str = Field(min_length=1)
    base_url: Annotated[str | None, Operational] = Field(None, description="None: OpenAI.", pattern=URL)
    api_key_env: Annotated[str | None, Operational] = Field(
        None, description="The environment variable with the key; OPENAI_API_KEY where no base_url is given."
    )
    revision: str | None = Field(None, description="A free label: change it to ask everything again.")
    prompt: PromptName = Field("plain", description="A name in curate/prompts/annotate, or the path of a .yaml file.")
    system: str | dict[str, str] | None = Field(
        None, description="A system message in the place of the prompt's own, or one by domain; '' for none."
    )
    reasoning_effort: str | None = Field(None, description="How much to think, in the server's words: low, high...")
    temperature: float | None = Field(None, ge=0)
    top_p: float | None = Field(None, gt=0, le=1)
    seed: int | None = Field(
        None, description="Each request gets a seed of its own, made of this, its text and sample."
    )
    max_tokens: int | None = Field(None, ge=1)
    response_format: dict[str, Any] | None = Field(None, description="Structured output, as chat completions name it.")
    extra_body: dict[str, Any] = Field(default_factory=dict, description="Further fields of the request, as they are.")
    marks: Marks | None = Field(None, description="Marks around the thinking in the text, where they are unusual.")
    needs_reasoning: bool = Field(False, description="An answer without any thinking counts as malformed.")
    timeout_s: Annotated[float, Operational] = Field(1800.0, gt=0, description="Seconds without a byte.")
    stream: Annotated[bool, Operational] = Field(
        False, description="Have answers sent in pieces: for servers that know no other way, or a short timeout_s."
    )
    endpoints: Annotated[tuple[Annotated[Address, BeforeValidator(_address)], ...], Operational] = Field(
        (),
        description="Several servers of one model, in the place of base_url: addresses, or {base_url, api_key_env}.",
    )
    endpoints_folder: Annotated[RecipePath | None, Operational] = Field(
        None, description="A folder with a JSON file {base_url: ...} for each server; files may come and go."
    )
    serve: Annotated[Serve | None, Operational] = Field(
        None, description="A server that the run starts for the model and stops at its end, in the place of base_url."
    )
    concurrency: Annotated[int, Operational] = Field(64, ge=1, le=4096, description="At most, over all addresses.")
    rates: Annotated[Rates | None, Operational] = Field(None, description="What the provider allows, at each address.")
    price: Annotated[Price | None, Operational] = Field(
        None, description="What it costs; by default what curate/calls/prices.yaml says of the model at this host."
    )

    @model_validator(mode="before")
    @classmethod
    def _gpus_of_serve(cls, given: Any) -> Any:
        """`price: {gpu_hour: USD}` beside `serve:` is for the GPUs that it says."""
        price, serve = (given.get(name) for name in ("price", "serve")) if isinstance(given, dict) else (None, None)
        if not isinstance(price, dict) or "gpu_hour" not in price or price.get("gpus") is not None or serve is None:
            return given
        try:
            served = Serve.model_validate(serve)
        except ValidationError:  # told at its own place
            return given
        return {**given, "price": {**price, "gpus": served.gpus * served.nodes}} if served.gpus else given

    @model_validator(mode="after")
    def _usable(self) -> Self:
        for name in self.extra_body:
            if name in _SET_BY:
                raise ValueError(f"extra_body must not hold '{name}': it is set by {_SET_BY[name]}")
        for name in ("extra_body", "response_format"):
            try:
                digest(getattr(self, name))
                json.dumps(getattr(self, name), allow_nan=False)
            except (TypeError, ValueError) as error:
                raise ValueError(f"{name} is sent as JSON, which cannot hold this: {error}") from None
        if self.serve is not None:
            self.serve.check_model(self.model)
            if self.base_url or self.endpoints or self.endpoints_folder:
                raise ValueError("serve starts a server; leave base_url, endpoints and endpoints_folder out")
        if sum(map(bool, (self.base_url, self.endpoints, self.endpoints_folder))) > 1:
            raise ValueError("give one of base_url, endpoints and endpoints_folder: each says where the model is")
        try:
            self._template()
        except RecipeError as error:
            raise ValueError(str(error)) from error
        return self

    def name(self) -> str:
        """Kind and model."""
        return f"{self.kind()}/{self.model}"

    async def open(self, resources: "Resources") -> None:
        """Raise Prerequisite if the key is not there, InputError if a budget is set and the price is not known."""
        if resources.read_only:
            return
        for variable in self.key_variables():
            key_of(variable)
        resources.calls.budget.require_price(self.known_price(), self.name())
        if self.serve is not None and resources.calls.own_servers is not None:
            resources.calls.own_servers.want(self.serve, self.model, self._key_variable())

    def call(self, question: Question, sample: int, resources: "Resources") -> Call:
        """The request for one sample."""
        messages = self._template().render(question, system=self._system(question.domain))
        return self._made(self._body(messages, self.response_format), sample)

    def ask(self, ask: Ask, sample: int, resources: "Resources") -> Call:
        """The same with a text of its own; `system` goes before what the text brings."""
        system = "\n\n".join(part for part in (self._system("default"), ask.system) if part)
        messages = [{"role": "system", "content": system}] if system else []
        messages.append({"role": "user", "content": ask.user})
        return self._made(self._body(messages, ask.response_format or self.response_format), sample)

    def parse(self, question: Question, sample: int, call: Call, reply: Reply) -> Attempt:
        """The attempt that a reply holds."""
        return attempt_of(question, sample, call, reply, self.name(), self._reading())

    @abstractmethod
    def _body(self, messages: Messages, response_format: Mapping[str, Any] | None) -> dict[str, Any]:
        """The body of a request without its seed and its cap on tokens."""

    def _reading(self) -> Reading:
        return Reading(marks=self.marks, needs_reasoning=self.needs_reasoning)

    def _made(self, body: dict[str, Any], sample: int) -> Call:
        return Call(
            form=self.form,
            model=self.model,
            revision=self.revision,
            sample=sample,
            body=self._seeded(body, sample),
            max_tokens=self.max_tokens,
            base_url=self.base_url,
            api_key_env=self._key_variable(),
            endpoints=self.endpoints,
            endpoints_folder=None if self.endpoints_folder is None else str(self.endpoints_folder),
            served=None if self.serve is None else self.serve.mark(self.model),
            timeout_s=self.timeout_s,
            stream=self.stream,
            concurrency=self.concurrency,
            rates=self.rates,
            price=self.known_price(),
        )

    def _seeded(self, body: dict[str, Any], sample: int) -> dict[str, Any]:
        if self.seed is None:
            return body
        asked = body.get("messages", body.get("prompt"))
        # 31 bits: what every server takes for an integer.
        return {**body, "seed": int(digest("seed", self.seed, asked, sample)[:8], 16) & 0x7FFFFFFF}

    def _system(self, domain: str) -> str | None:
        if isinstance(self.system, dict):
            return self.system.get(domain, self.system.get("default"))
        return self.system

    def _template(self) -> Prompt:
        return load("annotate", self.prompt)

    def key_variables(self) -> tuple[str, ...]:
        """The environment variables that hold its keys, in order, each once."""
        named = (self._key_variable(), *(one.api_key_env for one in self.endpoints))
        return tuple(dict.fromkeys(filter(None, named)))

    def _key_variable(self) -> str | None:
        elsewhere = self.base_url or self.endpoints or self.endpoints_folder or self.serve
        return self.api_key_env or (None if elsewhere else "OPENAI_API_KEY")

    def known_price(self) -> Price | None:
        """What it costs: the recipe's word, else the table's; None where neither says."""
        elsewhere = self.endpoints or self.endpoints_folder or self.serve
        return self.price or (None if elsewhere else price_of(self.model, self.base_url))


def chat_body(api: Api, messages: Messages, response_format: Mapping[str, Any] | None) -> dict[str, Any]:
    """The body of a chat completion."""
    chosen = {
        "temperature": api.temperature,
        "top_p": api.top_p,
        "reasoning_effort": api.reasoning_effort,
        "response_format": response_format,
    }
    return {"model": api.model, "messages": messages, **_said(chosen), **api.extra_body}


def responses_body(
    api: Api, messages: Messages, response_format: Mapping[str, Any] | None, summary: str | None
) -> dict[str, Any]:
    """The body of a request to the Responses API; nothing is kept at the provider."""
    thinking = _said({"effort": api.reasoning_effort, "summary": summary})
    chosen = {
        "temperature": api.temperature,
        "top_p": api.top_p,
        "reasoning": thinking or None,
        "text": None if response_format is None else {"format": _flat(response_format)},
    }
    return {"model": api.model, "input": messages, "store": False, **_said(chosen), **api.extra_body}


def _said(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _flat(response_format: Mapping[str, Any]) -> dict[str, Any]:
    # The Responses API has the fields of a schema beside its type, chat completions one level deeper.
    inner = response_format.get("json_schema")
    return {"type": response_format["type"], **(inner if isinstance(inner, dict) else {})}
