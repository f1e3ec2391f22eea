"""`kind: subject`: which subject of a list is a question about? A language model says, for what draws by subject."""

import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from jinja2 import TemplateError
from pydantic import Field, field_validator, model_validator

from curate.clean._asked import DOMAINS, ScoreName, asked_of, came, meant_for
from curate.errors import RecipeError
from curate.keys import Operational, digest
from curate.kinds import Ask, Gate, Opinion, Teacher, Unexamined
from curate.paths import PromptName
from curate.plug import Plug
from curate.prompts.prompt import compiled, filled, read, variables_of
from curate.records import Choice, Question, Record
from curate.verifiers.judging.prompt import seen

if TYPE_CHECKING:
    from curate.calls.model import Call
    from curate.resources import Resources

_MAX_TOKENS = 2048  # where neither the stage nor the model says
_VARIABLES = frozenset({"problem", "options", "subjects", "domain", "tag"})
_NUMBER = re.compile(r'"(?:subject|number)"\s*:\s*"?\s*(\d{1,4})(?![\d.])', re.IGNORECASE)
_ALONE = re.compile(r"[\s*_`\"'(]*(\d{1,4})[\s*_`\"').]*")


class SubjectPrompt(Record):
    """Two templates and the subjects to choose from; `version` is raised with every change of a shipped prompt."""

    version: int = Field(1, ge=1)
    subjects: tuple[str, ...] = Field(min_length=2)
    system: str
    user: str

    @field_validator("system", "user")
    @classmethod
    def _usable(cls, text: str) -> str:
        try:
            unknown = variables_of(text) - _VARIABLES
        except TemplateError as error:
            raise ValueError(str(error)) from error
        if unknown:
            raise ValueError(f"unknown variable {sorted(unknown)[0]}; known: {', '.join(sorted(_VARIABLES))}")
        return text


class Subject(Gate):
    """Asks a model for the subject of each question, out of the list of a prompt.

    The score is the number of the subject in that list, from 1 (its name stands in the evidence): `balance` and `mix`
    take it as a column of groups. A question whose reply names none has no score, and is kept.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"calls"})

    teacher: Annotated[Teacher, Plug("curate.teachers")] = Field(description="The model that is asked.")
    prompt: Annotated[PromptName, Operational()] = Field(
        "msc", description="A name in curate/prompts/subject, or the path of a .yaml file; its text is keyed."
    )
    max_tokens: int | None = Field(None, ge=1, description="Cap on a reply's tokens; else the model's own, else 2048.")
    drop: tuple[str, ...] = Field((), description="Subjects whose questions are dropped, by name.")
    score: ScoreName = Field("subject", description="The name of the score.")
    domains: tuple[str, ...] = Field((), description=DOMAINS)

    @model_validator(mode="after")
    def _usable(self) -> Self:
        try:
            known = _load(self.prompt).subjects
        except RecipeError as error:
            raise ValueError(str(error)) from error
        unknown = [name for name in self.drop if name not in known]
        if unknown:
            raise ValueError(f"drop: the prompt has no subject '{unknown[0]}'")
        return self

    def rehearsed(self, model: Teacher) -> Self:
        """The same with a made-up model, whose word drops nothing."""
        return self.model_copy(update={"teacher": model, "drop": ()})

    def spec(self) -> dict[str, Any]:
        """Also the text of the prompt, and what the model is for."""
        return {**super().spec(), "prompt": _load(self.prompt).model_dump(mode="json"), **meant_for(self.teacher)}

    def gives(self) -> tuple[str, ...]:
        """The number of the subject."""
        return (self.score,)

    def models(self) -> tuple[Teacher, ...]:
        """The model."""
        return (self.teacher,)

    def reads(self, question: Question) -> Any | None:
        """What the model is shown."""
        return question.id if asked_of(self.teacher, question, self.domains) else None

    def requests(self, question: Question, resources: "Resources") -> "list[Call]":
        """One."""
        call = self._call(self._ask(question), resources) if self.reads(question) is not None else None
        return [] if call is None else [call]

    async def examine(self, question: Question, resources: "Resources") -> Opinion:
        """The subject. Raises Unexamined where no reply came."""
        ask = self._ask(question)
        call = self._call(ask, resources)
        if call is None:
            raise Unexamined("there is no recorded reply")
        reply = await resources.calls.ask(call)
        attempt = came(self.teacher.parse(ask.question(), 0, call, reply), question, reply.error)
        subjects = _load(self.prompt).subjects
        number = read_number(attempt.solution) if attempt.finish_reason == "stop" else None
        if number is None or not 1 <= number <= len(subjects):
            return Opinion(True, None, {"undecided": "unreadable"})
        name = subjects[number - 1]
        dropped = name in self.drop
        return Opinion(not dropped, "subject" if dropped else None, {"subject": name}, {self.score: float(number)})

    def _ask(self, question: Question) -> Ask:
        prompt = _load(self.prompt)
        options = question.truth.options if isinstance(question.truth, Choice) else ()
        values: dict[str, Any] = {
            "problem": seen(question.problem),
            "options": [seen(option) for option in options],
            "domain": question.domain,
        }
        values |= {"tag": "data-" + digest("tag", json.dumps(values, sort_keys=True))[:12], "subjects": prompt.subjects}
        where = f"question {question.id}"
        system, user = (filled(compiled(text), values, where=where).strip() for text in (prompt.system, prompt.user))
        made_up = 1 + int(digest("subject", question.id)[:8], 16) % len(prompt.subjects)
        return Ask(user, system, right=json.dumps({"subject": made_up}), wrong="I cannot say.")

    def _call(self, ask: Ask, resources: "Resources") -> "Call | None":
        call = self.teacher.ask(ask, 0, resources)
        if call is None:
            return None
        cap = self.max_tokens or call.max_tokens or _MAX_TOKENS
        return call.model_copy(update={"max_tokens": cap, "use": "difficulty"})


def read_number(text: str) -> int | None:
    """The number that a reply gives; None where it gives none, or several that differ."""
    alone = _ALONE.fullmatch(text)
    found = {int(one) for one in _NUMBER.findall(text)} or ({int(alone[1])} if alone else set())
    return found.pop() if len(found) == 1 else None


@lru_cache(maxsize=32)
def _load(name: str) -> SubjectPrompt:
    return read("subject", name, lambda found, _: SubjectPrompt.model_validate(found))
