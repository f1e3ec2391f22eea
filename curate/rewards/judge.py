"""`kind: judge`: a chat model rates each answer on the scale of a prompt."""

from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field, model_validator

from curate.errors import RecipeError
from curate.keys import Operational
from curate.kinds import Ask, Reward, Teacher
from curate.paths import PromptName
from curate.plug import Plug
from curate.prompts.rating import load, made_up, read_rating, render
from curate.records import Attempt, Question

if TYPE_CHECKING:
    from curate.calls.model import Call, Reply
    from curate.calls.prices import Price
    from curate.resources import Resources

_MAX_TOKENS = 4096  # where neither the recipe nor the model says
_USE = "reward"


class Judge(Reward):
    """Asks a chat model for one rating of each answer. A reply that cannot be read is no reward."""

    teacher: Annotated[Teacher, Plug("curate.teachers")] = Field(description="The model that rates.")
    prompt: Annotated[PromptName, Operational()] = Field(
        "ten", description="A name in curate/prompts/reward, or the path of a .yaml file; its text is keyed."
    )
    max_tokens: int | None = Field(None, ge=1, description="Cap on a reply's tokens; else the model's own, else 4096.")

    @model_validator(mode="after")
    def _usable(self) -> Self:
        try:
            load(self.prompt, _USE)
        except RecipeError as error:
            raise ValueError(str(error)) from error
        return self

    def spec(self) -> dict[str, Any]:
        """Also the text of the prompt."""
        return {**super().spec(), "prompt": load(self.prompt, _USE).model_dump()}

    def name(self) -> str:
        """Kind and model."""
        return f"judge/{self.teacher.name()}"

    @property
    def concurrency(self) -> int:
        """Requests in flight at most."""
        return self.teacher.concurrency

    @property
    def price(self) -> "Price | None":
        """What the model costs."""
        return getattr(self.teacher, "price", None)

    async def open(self, resources: "Resources") -> None:
        """Prepare the model."""
        await self.teacher.open(resources)

    def call(self, question: Question, attempt: Attempt, resources: "Resources") -> "Call | None":
        """The request for the rating."""
        call = self.teacher.ask(self._ask(question, attempt), 0, resources)
        if call is None:
            return None
        cap = self.max_tokens or call.max_tokens or _MAX_TOKENS
        return call.model_copy(update={"max_tokens": cap, "use": _USE})

    def read(self, question: Question, attempt: Attempt, call: "Call", reply: "Reply") -> float | None:
        """The rating."""
        said = self.teacher.parse(self._ask(question, attempt).question(), 0, call, reply)
        return read_rating(said.solution, load(self.prompt, _USE)) if said.finish_reason == "stop" else None

    def _ask(self, question: Question, attempt: Attempt) -> Ask:
        prompt, text = load(self.prompt, _USE), self.shown(attempt)
        system, user = render(prompt, question, answer=text)
        return Ask(user, system, right=made_up(prompt, question.id, text), wrong="I cannot say.")
