"""`kind: difficulty`: how hard does a language model find a question, on the scale of a prompt?"""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from curate.clean._asked import DOMAINS, Bounds, ScoreName, all_of, asked_of, came, meant_for
from curate.errors import RecipeError
from curate.keys import Operational
from curate.kinds import Ask, Gate, Opinion, Teacher, Unexamined
from curate.paths import PromptName
from curate.plug import Plug
from curate.prompts.rating import RatingPrompt, load, made_up, read_rating, render
from curate.records import Question

if TYPE_CHECKING:
    from curate.calls.model import Call
    from curate.resources import Resources

_MAX_TOKENS = 4096  # where neither the stage nor the model says


class Difficulty(Gate):
    """Asks a model to rate each question; the score is the mean of the votes that can be read.

    A question of which no more than half of the votes can be read has no score and is kept. Without `keep` nothing is
    dropped. The model sees the problem and its options, and the worked solution only where `solution` is set.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"calls"})

    teacher: Annotated[Teacher, Plug("curate.teachers")] = Field(description="The model that rates.")
    prompt: Annotated[PromptName, Operational()] = Field(
        "ten", description="A name in curate/prompts/difficulty, or the path of a .yaml file; its text is keyed."
    )
    solution: bool = Field(False, description="Show the source's worked solution, where there is one.")
    votes: int = Field(1, ge=1, le=32, description="Ratings asked for.")
    max_tokens: int | None = Field(None, ge=1, description="Cap on a reply's tokens; else the model's own, else 4096.")
    keep: Bounds = Field(Bounds(), description="Ratings that are kept; others are too_easy or too_hard.")
    score: ScoreName = Field("difficulty", description="The name of the score.")
    domains: tuple[str, ...] = Field((), description=DOMAINS)

    @model_validator(mode="after")
    def _usable(self) -> Self:
        try:
            load(self.prompt)
        except RecipeError as error:
            raise ValueError(str(error)) from error
        return self

    def rehearsed(self, model: Teacher) -> Self:
        """The same with a made-up model, whose ratings drop nothing."""
        return self.model_copy(update={"teacher": model, "keep": Bounds()})

    def spec(self) -> dict[str, Any]:
        """Also the text of the prompt, and what the model is for."""
        return {**super().spec(), "prompt": load(self.prompt).model_dump(), **meant_for(self.teacher)}

    def gives(self) -> tuple[str, ...]:
        """The rating."""
        return (self.score,)

    def models(self) -> tuple[Teacher, ...]:
        """The model."""
        return (self.teacher,)

    def reads(self, question: Question) -> Any | None:
        """What the model is shown."""
        if not asked_of(self.teacher, question, self.domains):
            return None
        return [question.id, question.gold if self.solution else None]

    def requests(self, question: Question, resources: "Resources") -> "list[Call]":
        """One for each vote."""
        if self.reads(question) is None:
            return []
        ask = self._ask(question, load(self.prompt))
        calls = (self._call(ask, vote, resources) for vote in range(self.votes))
        return [call for call in calls if call is not None]

    async def examine(self, question: Question, resources: "Resources") -> Opinion:
        """The rating. Raises Unexamined where a vote did not come."""
        prompt = load(self.prompt)
        ask = self._ask(question, prompt)
        votes = await all_of(self._vote(ask, vote, question, resources) for vote in range(self.votes))
        read = [one for one in votes if one is not None]
        evidence: dict[str, Any] = {"votes": votes, "prompt": f"{prompt.name}-{prompt.version}"}
        if 2 * len(read) <= self.votes:
            return Opinion(True, None, {**evidence, "undecided": "unreadable"})
        return self.keep.opinion(self.score, sum(read) / len(read), evidence, ("too_easy", "too_hard"))

    def _ask(self, question: Question, prompt: RatingPrompt) -> Ask:
        system, user = render(prompt, question, solution=self.solution)
        return Ask(user, system, right=made_up(prompt, question.id), wrong="I cannot say.")

    def _call(self, ask: Ask, vote: int, resources: "Resources") -> "Call | None":
        call = self.teacher.ask(ask, vote, resources)
        if call is None:
            return None
        cap = self.max_tokens or call.max_tokens or _MAX_TOKENS
        return call.model_copy(update={"max_tokens": cap, "use": "difficulty"})

    async def _vote(self, ask: Ask, vote: int, question: Question, resources: "Resources") -> float | None:
        call = self._call(ask, vote, resources)
        if call is None:
            raise Unexamined("there is no recorded rating")
        reply = await resources.calls.ask(call)
        attempt = came(self.teacher.parse(ask.question(), vote, call, reply), question, reply.error)
        return read_rating(attempt.solution, load(self.prompt)) if attempt.finish_reason == "stop" else None
