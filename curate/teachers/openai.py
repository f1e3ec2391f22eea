"""`kind: openai`: any server that speaks OpenAI's chat completions, from OpenAI itself to a local vLLM."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field, model_validator

from curate.calls.model import Call, Reply
from curate.calls.secret import key_of
from curate.errors import RecipeError
from curate.keys import Operational
from curate.kinds import Ask, Teacher
from curate.paths import resolve
from curate.prompts.prompt import Prompt, load
from curate.records import Attempt, Question, Record
from curate.teachers.parse import attempt_of

if TYPE_CHECKING:
    from curate.resources import Resources

# What `extra_body` must leave alone, and what sets it.
_SET_BY = {
    "model": "model",
    "messages": "prompt and system",
    "max_tokens": "max_tokens",
    "max_completion_tokens": "max_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "seed": "seed",
    "n": "annotate.samples",
    "stream": "nothing, since answers are not streamed",
}


class Price(Record):
    """USD per million tokens."""

    input: float = Field(ge=0)
    output: float = Field(ge=0)


class Openai(Teacher):
    """A model behind an address. What decides an answer is sent and keyed; the rest may change between runs."""

    model: str = Field(min_length=1)
    base_url: Annotated[str | None, Operational] = Field(None, description="None: OpenAI.", pattern=r"^https?://")
    api_key_env: Annotated[str | None, Operational] = Field(
        None, description="The environment variable with the key; OPENAI_API_KEY where no base_url is given."
    )
    revision: str | None = Field(None, description="A free label: change it to ask everything again.")
    prompt: str = Field("plain", description="A name in curate/prompts/annotate, or the path of a .yaml file.")
    system: str | None = Field(None, description="A system message in the place of the prompt's own; '' for none.")
    temperature: float | None = Field(None, ge=0)
    top_p: float | None = Field(None, gt=0, le=1)
    seed: int | None = Field(None, description="Sample i is asked for with seed + i.")
    max_tokens: int | None = Field(None, ge=1)
    extra_body: dict[str, Any] = Field(default_factory=dict, description="Further fields of the request, as they are.")
    timeout_s: Annotated[float, Operational] = Field(1800.0, gt=0, description="Seconds without a byte.")
    concurrency: Annotated[int, Operational] = Field(64, ge=1, le=4096)
    price: Annotated[Price | None, Operational] = Field(None, description="USD per million tokens.")

    @model_validator(mode="before")
    @classmethod
    def _prompt_path(cls, fields: Any) -> Any:
        if isinstance(fields, dict) and str(fields.get("prompt", "")).endswith((".yaml", ".yml")):
            return {**fields, "prompt": str(resolve(Path(str(fields["prompt"]))))}
        return fields

    @model_validator(mode="after")
    def _usable(self) -> Self:
        for name in self.extra_body:
            if name in _SET_BY:
                raise ValueError(f"extra_body must not hold '{name}': it is set by {_SET_BY[name]}")
        try:
            self._template()
        except RecipeError as error:
            raise ValueError(str(error)) from error
        return self

    def name(self) -> str:
        """Kind and model."""
        return f"openai/{self.model}"

    async def open(self, resources: "Resources") -> None:
        """Raise Prerequisite if the key is not there, InputError if a budget is set and the price is not known."""
        if resources.read_only:
            return
        key_of(self._key_variable())
        resources.calls.budget.require_price(self._price(), self.name())

    def call(self, question: Question, sample: int, resources: "Resources") -> Call:
        """The request for one sample."""
        return self._call(self._template().render(question, system=self.system), sample, self.extra_body)

    def ask(self, ask: Ask, sample: int, resources: "Resources") -> Call:
        """The same with a text of its own; `system` goes before what the text brings."""
        system = "\n\n".join(part for part in (self.system, ask.system) if part)
        messages = [{"role": "system", "content": system}] if system else []
        form = {} if ask.response_format is None else {"response_format": ask.response_format}
        return self._call([*messages, {"role": "user", "content": ask.user}], sample, {**form, **self.extra_body})

    def _call(self, messages: list[dict[str, str]], sample: int, extra: dict[str, Any]) -> Call:
        chosen = {
            "temperature": self.temperature,
            "top_p": self.top_p,
            "seed": None if self.seed is None else self.seed + sample,
        }
        body = {
            "model": self.model,
            "messages": messages,
            **{name: value for name, value in chosen.items() if value is not None},
            **extra,
        }
        return Call(
            form="chat",
            model=self.model,
            revision=self.revision,
            sample=sample,
            body=body,
            max_tokens=self.max_tokens,
            base_url=self.base_url,
            api_key_env=self._key_variable(),
            timeout_s=self.timeout_s,
            concurrency=self.concurrency,
            price=self._price(),
        )

    def parse(self, question: Question, sample: int, call: Call, reply: Reply) -> Attempt:
        """The attempt that a reply holds."""
        return attempt_of(question, sample, call, reply, self.name())

    def _template(self) -> Prompt:
        return load("annotate", self.prompt)

    def _key_variable(self) -> str | None:
        return self.api_key_env or (None if self.base_url else "OPENAI_API_KEY")

    def _price(self) -> tuple[float, float] | None:
        return None if self.price is None else (self.price.input, self.price.output)
