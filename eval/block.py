"""The `eval:` block of a recipe: which models are asked which benchmarks, how, and what is made of the answers.

Its fields are the YAML; what is left out is the preset's or the benchmark's own.
"""

from datetime import date
from typing import Annotated, Any, Literal, Self

from jinja2 import TemplateError
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    field_validator,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticCustomError

from curate.errors import InputError, RecipeError
from curate.flow import BudgetBlock
from curate.keys import deciding, digest
from curate.kinds import Reward, Source, Teacher, Verifier
from curate.paths import PromptName, RecipePath
from curate.plug import Plug
from curate.prompts.prompt import compiled, variables_of
from curate.sources.benchmarks import benchmark_source, benchmarks, split_name
from curate.teachers._api import Api
from curate.verifiers.judge import Judge
from eval.protocol import Decoding, Preset, benchmark, preset, prompt_of
from eval.results import slug

# What the protocol says of every model alike: a model of its own mind would not be comparable.
_PROTOCOL_S = ("temperature", "top_p", "seed", "max_tokens", "prompt")
_READING = ("marks", "needs_reasoning")  # how an answer is read; no part of what is asked


def _listed(value: object) -> object:
    return value if isinstance(value, list | tuple) else [value]


_Chain = Annotated[tuple[Annotated[Verifier, Plug("curate.verifiers")], ...], BeforeValidator(_listed)]


class _Block(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Bench(_Block):
    """A benchmark: `aime24`, `livecodebench@release_v5`, `aime24=./aime.jsonl` (a copy here), or a source of yours."""

    bench: str | None = Field(None, description="A benchmark of `benchmarks.yaml`, as `name` or `name@version`.")
    path: RecipePath | None = Field(None, description="The benchmark's files here, instead of the hub.")
    since: date | None = Field(None, description="LiveCodeBench: only contests on this day or later.")
    until: date | None = Field(None, description="LiveCodeBench: only contests on this day or earlier.")
    source: Annotated[Source, Plug("curate.sources")] | None = Field(
        None, description="Questions of your own, in the place of `bench`."
    )
    name: str | None = Field(
        None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$", description="What results call it; else its bench or kind."
    )
    take: int | None = Field(
        None,
        ge=1,
        description="Only so many questions, drawn by their content, whatever the order of the rows.",
    )
    runs: int | None = Field(None, ge=1, le=4096, description="Answers to each question; else the block's or its own.")
    max_tokens: int | None = Field(None, ge=1, description="Cap on the tokens of an answer; else the block's.")
    prompt: PromptName | None = Field(None, description="A prompt of its own; else the preset's.")
    topic: tuple[str, ...] = Field((), description="Names in `meta` that say what a question is about.")
    verify: _Chain | None = Field(None, description="Its verifiers in turn; else those of its domain, or its truth's.")

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        fields = dict(handler.resolve_ref_schema(handler(schema)))
        return {"anyOf": [{"type": "string", "description": "In words, such as `aime24`."}, fields]}

    @model_validator(mode="before")
    @classmethod
    def _in_words(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        name, equals, path = value.partition("=")
        return {"bench": name, "path": path} if equals else {"bench": value}

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.bench is None) == (self.source is None):
            raise ValueError("say `bench:` (a known benchmark) or `source:` (questions of your own)")
        if self.source is not None and (self.path or self.since or self.until):
            raise ValueError("`path`, `since` and `until` belong to `bench`")
        try:
            self.questions()
            if self.prompt is not None:
                prompt_of(self.prompt)
        except (InputError, RecipeError) as error:
            raise PydanticCustomError("benchmark", "{what}", {"what": f"{error.what}; {error.next}"}) from error
        return self

    @property
    def label(self) -> str:
        """What results call it, without the version."""
        if self.name is not None:
            return self.name
        return split_name(self.bench)[0] if self.bench is not None else self.questions().kind()

    @property
    def edition(self) -> str:
        """Its version by name; of a set of one's own `own`."""
        if self.bench is None:
            return "own"
        bare, version = split_name(self.bench)
        return benchmarks()[bare].version(version)

    def rehearsal(self) -> Self:
        """The same over the bundled rows, whatever days were chosen."""
        made = self.questions().rehearsal()
        if self.source is not None:
            return self.model_copy(update={"source": made})
        return self.model_copy(update={"path": getattr(made, "path", None), "since": None, "until": None})

    def questions(self) -> Source:
        """Where its questions come from. Raises InputError for a benchmark that there is none of."""
        if self.source is not None:
            return self.source
        assert self.bench is not None
        own = benchmark(split_name(self.bench)[0]).fields
        told = {"path": self.path, "since": self.since, "until": self.until}
        return benchmark_source(self.bench, {**own, **{name: one for name, one in told.items() if one is not None}})


class Forcing(_Block):
    """Budget forcing (s1, arXiv:2501.19393): thinking is made longer by a word, and cut at a cap.

    Every combination of `times` and `max_thinking` is an evaluation of its own, beside the one without forcing. It asks
    for raw completions: `raw` is the model's text format, up to where its thinking begins.
    """

    raw: str = Field(
        "<|im_start|>user\n{{ user }}<|im_end|>\n<|im_start|>assistant\n<think>\n",
        description="The text that is sent: a template of `system` and `user` that ends where thinking begins.",
    )
    stop: str = Field("</think>", min_length=1, description="What ends the thinking.")
    wait: str = Field("Wait", min_length=1, description="The word that stands in its place when it is to go on.")
    times: tuple[int, ...] = Field((1,), min_length=1, description="How often the end of thinking is put off.")
    max_thinking: tuple[int | None, ...] = Field(
        (None,), min_length=1, description="Caps on the tokens of thinking; None: all but `max_answer` of max_tokens."
    )
    answer: str = Field("</think>\n\n", description="What stands between thinking and answer.")
    at_cap: str = Field("Final Answer:", description="What the answer begins with where the cap ended the thinking.")
    max_answer: int = Field(2048, ge=1, description="Cap on the tokens of the answer itself.")

    @field_validator("times")
    @classmethod
    def _whole(cls, times: tuple[int, ...]) -> tuple[int, ...]:
        if any(one < 0 for one in times):
            raise ValueError("how often the end of thinking is put off: 0 or more")
        return tuple(sorted(set(times)))

    @field_validator("max_thinking")
    @classmethod
    def _caps(cls, caps: tuple[int | None, ...]) -> tuple[int | None, ...]:
        if any(one is not None and one < 1 for one in caps):
            raise ValueError("a cap on thinking is 1 token or more")
        return tuple(sorted(set(caps), key=lambda one: (one is None, one or 0)))

    @field_validator("raw")
    @classmethod
    def _template(cls, raw: str) -> str:
        try:
            unknown = variables_of(raw) - {"system", "user"}
            compiled(raw, exact=True)
        except TemplateError as error:
            raise ValueError(str(error)) from error
        if unknown or "user" not in variables_of(raw):
            raise ValueError("raw is a template of `user` and, where it is needed, `system`")
        return raw


class General(_Block):
    """Your own prompts, answered by two models and compared by a judge in both orders."""

    prompts: Annotated[Source, Plug("curate.sources")] = Field(description="Where the prompts come from.")
    base: str = Field(description="The model before training, by its name in `models`.")
    student: str = Field(description="The model after it.")
    judge: Annotated[Teacher, Plug("curate.teachers")] = Field(description="The model that compares.")
    take: int | None = Field(None, ge=1, description="Only so many prompts, drawn by their content.")
    max_tokens: int | None = Field(None, ge=1, description="Cap on the tokens of an answer; else the block's.")
    prompt: PromptName = Field("plain", description="A name in curate/prompts/pairwise, or the path of a .yaml file.")


class Contamination(_Block):
    """The training set that scores are held against."""

    against: str = Field(description="A file or folder of rows (a dataset of `veristill run`), or a hub id.")
    config: str | None = Field(None, description="Its configuration; of our own datasets `metadata`.")
    column: str | None = Field(None, description="The column of questions; else problem, question, prompt...")

    @model_validator(mode="before")
    @classmethod
    def _word(cls, value: Any) -> Any:
        return {"against": value} if isinstance(value, str) else value


class Eval(_Block):
    """What `veristill eval` does."""

    models: dict[str, Annotated[Teacher, Plug("curate.teachers")]] = Field(
        min_length=1,
        description="Models by name: teachers, with `base_url` or `serve`; the others are compared to the first.",
    )
    benchmarks: tuple[Bench, ...] = Field(min_length=1, description="What they are asked.")
    preset: str = Field("plain", description="How: plain, openthinker, evalchemy or greedy.")
    runs: int | None = Field(None, ge=1, le=4096, description="Answers to each question; else the preset's.")
    seed: int = Field(0, ge=0, description="What the seeds of all requests are made of.")
    temperature: float | None = Field(None, ge=0, description="In the place of the preset's.")
    top_p: float | None = Field(None, gt=0, le=1, description="In the place of the preset's.")
    max_tokens: int | None = Field(None, ge=1, description="In the place of the preset's.")
    system: str | None = Field(None, description="A system message; by default the preset's, which have none.")
    gradings: tuple[Literal["ours", "evalchemy"], ...] = Field(
        ("ours", "evalchemy"), description="ours: the verifiers, always. evalchemy: beside it, its own string grading."
    )
    verify: dict[str, _Chain] = Field(
        default_factory=dict, description="Verifiers by domain; a domain that is not named gets its truth's own."
    )
    judge: Annotated[Teacher, Plug("curate.teachers")] | None = Field(
        None, description="The model of every judge in `verify`; with one, free-text references are judged."
    )
    reward: Annotated[Reward, Plug("curate.rewards")] | None = Field(
        None, description="Scores every finished answer, for best-of-n and weighted majority."
    )
    contamination: Contamination | None = Field(
        None, description="The training set: items near it and far from it are scored apart."
    )
    budget_forcing: Forcing | None = Field(None, description="Longer and shorter thinking (s1).")
    general: General | None = Field(None, description="Your own prompts, base against student.")
    budget: BudgetBlock = BudgetBlock()

    @field_validator("preset")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            preset(name)
        except InputError as error:
            raise PydanticCustomError("preset", "{what}", {"what": f"{error.what}; {error.next}"}) from error
        return name

    @field_validator("models")
    @classmethod
    def _nothing_of_the_protocol_s(cls, models: dict[str, Teacher]) -> dict[str, Teacher]:
        for name, model in models.items():
            if not isinstance(model, Api):
                continue
            for field in _PROTOCOL_S:
                if field in model.model_fields_set:
                    raise ValueError(f"{name}: {field} is the same for all models: set it in `eval:`, or by a preset")
        folders = [slug(name) for name in models]
        twice = next((one for one in folders if folders.count(one) > 1), None)
        if twice is not None:
            raise ValueError(f"two models would share the folder {twice}: rename one")
        asked: dict[str, str] = {}
        for name, model in models.items():
            if not isinstance(model, Api):
                continue
            one = {field: value for field, value in deciding(model).items() if field not in _READING}
            other = asked.setdefault(digest(model.form, one), name)
            if other != name:
                raise ValueError(
                    f"{other} and {name} would be given the same answers: these are kept by the model's name "
                    f"({model.model}), whatever its address; write a `revision` of its own at each"
                )
        return models

    @model_validator(mode="after")
    def _fits(self) -> Self:
        labels = [one.label for one in self.benchmarks]
        twice = next((one for one in labels if labels.count(one) > 1), None)
        if twice is not None:
            raise ValueError(f"two benchmarks are called {twice}: give one of them another `name`")
        chains = [*self.verify.values(), *(one.verify for one in self.benchmarks if one.verify is not None)]
        if self.judge is None and any(
            isinstance(one, Judge) and one.model is None for chain in chains for one in chain
        ):
            raise ValueError("verify asks a judge, but `eval:` has no `judge:`")
        if self.general is not None:
            for name in (self.general.base, self.general.student):
                if name not in self.models:
                    raise ValueError(f"general: there is no model '{name}' in `models`: {', '.join(self.models)}")
            if self.general.base == self.general.student:
                raise ValueError("general: base and student are the same model")
        if self.budget_forcing is not None:
            odd = next((name for name, model in self.models.items() if not isinstance(model, Api)), None)
            if odd is not None:
                raise ValueError(f"budget_forcing needs a server: {odd} has none")
        return self

    def settings(self) -> Preset:
        """The preset with what the block sets in its place."""
        chosen = preset(self.preset)
        given = {"temperature": self.temperature, "top_p": self.top_p, "max_tokens": self.max_tokens}
        decoding = {name: value for name, value in given.items() if value is not None}
        changes: dict[str, Any] = {"decoding": Decoding(**{**chosen.decoding.model_dump(), **decoding})}
        if self.runs is not None:
            changes["runs"] = self.runs
        if self.system is not None:
            changes["system"] = self.system
        return chosen.model_copy(update=changes)
