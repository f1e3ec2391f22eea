"""The order of a run: ingest -> clean -> solve -> select -> publish.

`Flow` says what a run does (a recipe without the words around it); `Options` says how this command runs it. The order
itself stands in `follow`; engines supply the one step that they differ in, solving.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from curate.calibrate import Calibrate, Calibration, bounds
from curate.calls.budget import Caps
from curate.errors import RecipeError
from curate.isolation import SandboxBlock
from curate.kinds import SCIENCE, Gate, Label, Reward, Selector, Source, Teacher
from curate.lengths import KEEP, OnLength
from curate.measures.names import problem, wanted
from curate.measures.tokens import Measure
from curate.paths import RecipePath
from curate.plug import Plug
from curate.publish.publish import Publish
from curate.select.verified import Verified
from curate.solve import Work
from curate.turns import Asking, UntilVerified
from curate.verifiers.router import Router

if TYPE_CHECKING:
    import pyarrow as pa


class _Block(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _listed(value: object) -> object:
    return value if isinstance(value, list | tuple) else [value]


class Annotate(_Block):
    """Who answers, and how often."""

    teacher: Annotated[tuple[Annotated[Teacher, Plug("curate.teachers")], ...], BeforeValidator(_listed)] = Field(
        min_length=1, description="One teacher, or a list of them."
    )
    samples: int = Field(1, ge=1, le=100_000_000, description="Answers per question and teacher.")
    until_verified: UntilVerified | None = Field(
        None, description="Instead of samples: ask again only for questions that have no verified answer yet."
    )
    max_tokens: int | None = Field(None, ge=1, description="Cap on the tokens of one answer; not part of its key.")
    on_length: OnLength = Field(KEEP, description="What is done about an answer that this cap has cut.")

    @model_validator(mode="after")
    def _can_continue(self) -> Self:
        for teacher in self.teacher:
            if self.on_length.action == "continue" and not teacher.can_continue():
                raise ValueError(
                    f"on_length: {teacher.name()} has no way to go on with an answer that was cut; a teacher of kind "
                    "openai says how its server does with `continues: final_message` or `continues: prefix`"
                )
            larger, cap = self.on_length.max_tokens, self.max_tokens or getattr(teacher, "max_tokens", None)
            if larger is not None and cap is not None and larger <= cap:
                raise ValueError(f"on_length: a retry under {larger} tokens is none: {teacher.name()} may use {cap}")
        return self

    @model_validator(mode="after")
    def _samples_or_rounds(self) -> Self:
        if self.until_verified is not None and "samples" in self.model_fields_set:
            raise ValueError("give samples or until_verified, not both: until_verified.max_samples is the limit")
        return self

    def asking(self) -> Asking:
        """Who is asked, and how often."""
        rounds = self.until_verified
        samples = self.samples if rounds is None else rounds.max_samples
        want = None if rounds is None else rounds.want
        return Asking(self.teacher, samples, self.max_tokens, want, self.on_length)


class BudgetBlock(_Block):
    """What may be spent."""

    max_cost_usd: float | None = Field(
        None, gt=0, description="Stop (exit 4) before the run has spent more, over all the commands it takes."
    )
    max_gpu_hours: float | None = Field(
        None, gt=0, description="The same for hours of own hardware: of models whose price says {gpu_hour, gpus}."
    )
    max_output_tokens: int | None = Field(
        None, gt=0, description="The same for the tokens of all answers: teachers', judges', and evaluation's."
    )

    def caps(self, max_cost_usd: float | None = None) -> Caps:
        """The caps, the one on cost replaced by `max_cost_usd` if that is given."""
        return Caps(max_cost_usd or self.max_cost_usd, self.max_gpu_hours, self.max_output_tokens)


class Flow(_Block):
    """What a run does."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$", description="Names the run folder.")
    sources: tuple[Annotated[Source, Plug("curate.sources")], ...] = Field(min_length=1)
    clean: tuple[Annotated[Label | Gate, Plug("curate.clean")], ...] = ()
    annotate: Annotate
    verify: Router = Router()
    judge: Annotated[Teacher, Plug("curate.teachers")] | None = Field(
        None, description="The model of every judge that names none; with one, free-text references are judged."
    )
    calibrate: Calibrate = Calibrate()
    select: tuple[Annotated[Selector, Plug("curate.select")], ...] = Field((Verified(),), min_length=1)
    measure: Measure = Measure()
    publish: Publish = Publish()
    budget: BudgetBlock = BudgetBlock()
    sandbox: SandboxBlock = SandboxBlock()
    answers_from: tuple[RecipePath, ...] = Field((), description="Other roots whose answers may be reused.")

    @model_validator(mode="after")
    def _judges_have_models(self) -> Self:
        try:
            self.router()
        except RecipeError as error:
            raise PydanticCustomError("judge_missing", "{what}", {"what": error.what}) from error
        if self.judge is None and self.calibrate.sample:
            raise PydanticCustomError("judge_missing", "calibrate asks a judge, but the recipe has no `judge:`")
        return self

    @model_validator(mode="after")
    def _scores_have_names(self) -> Self:
        given: set[str] = set()
        for stage in self.clean:
            lacking = [] if isinstance(stage, Gate) else [name for name in stage.wants() if name not in given]
            if lacking:
                known = f"; given are: {', '.join(sorted(given))}" if given else ""
                raise ValueError(f"clean: no stage before {stage.kind()} gives the score {lacking[0]}{known}")
            twice = [name for name in stage.gives() if name in given]
            if twice:
                raise ValueError(f"clean: two stages give the score {twice[0]}: rename one of them with `score:`")
            given |= set(stage.gives())
        return self

    def stages(self) -> tuple[Label | Gate, ...]:
        """The cleaning stages, with what other blocks of the recipe say of them."""
        router = self.router()
        return tuple(stage.within(router) if isinstance(stage, Gate) else stage for stage in self.clean)

    def models(self) -> tuple[Teacher | Reward, ...]:
        """Every model that a run may ask: teachers, judges, those of cleaning stages, and what gives rewards."""
        gates = (model for stage in self.stages() if isinstance(stage, Gate) for model in stage.models())
        reward = self.reward()
        return (*self.annotate.teacher, *self.router().judges(), *gates, *([] if reward is None else [reward]))

    def reward(self) -> Reward | None:
        """What is asked for the rewards of answers; None where no selector reads them."""
        return self.measure.reward if "reward" in wanted(self.select) else None

    @model_validator(mode="after")
    def _selectors_read_columns(self) -> Self:
        wrong = problem(self.select, self.clean, self.measure)
        if wrong is not None:
            number, what = wrong
            raise PydanticCustomError("select_column", "select[{number}]: {what}", {"number": number, "what": what})
        return self

    def work(self) -> Work:
        """What solving needs of it."""
        return Work(self.annotate.asking(), self.router())

    def calibration(self, groups: Callable[[list[str]], Iterable["pa.Table"]]) -> Calibration | None:
        """What the verdicts are held against; None where there is nothing. `groups` reads columns of the questions."""
        wanted = self.calibrate
        if self.judge is None and self.verify.preset is None and wanted.label is None:
            return None
        drawn = bounds(wanted, groups(["seq", "id", "domain"])) if wanted.sample else {}
        return Calibration(self.router(), drawn, wanted.seed, wanted.presets, wanted.label)

    def never_selected(self, pairs: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
        """Of these (domain, truth type) pairs, those whose answers nothing verifies and a selector then drops."""
        router, kept = self.router(), [one.also for one in self.select if isinstance(one, Verified)]
        return {
            pair for pair in pairs if not router.can_verify(*pair) and any(not _among(pair[0], also) for also in kept)
        }

    def router(self) -> Router:
        """The chains, with what other blocks of the recipe say of their verifiers."""
        return self.verify.with_judge(self.judge).with_packages(self.sandbox.packages)


def _among(domain: str, named: tuple[str, ...]) -> bool:
    return domain in named or ("science" in named and domain in SCIENCE)


Until = Literal["ingest", "clean", "solve", "select", "publish"]


class Options(_Block):
    """How this command runs a flow."""

    root: Path = Path()
    until: Until = "publish"
    partial: bool = False
    max_cost_usd: float | None = None
    limit: int | None = None
    dry_run: bool = False
    lock_text: str = ""
    quiet: bool = False
