"""`kind: response_length`: how long is the answer of a named model? Harder questions get longer ones.

OpenThoughts3 chose its math and science questions so: those with the longest answers (arXiv 2506.04178).
"""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field

from curate.clean._asked import DOMAINS, Bounds, ScoreName, all_of, asked_of, came, meant_for, replies_by
from curate.kinds import Gate, Opinion, Teacher
from curate.plug import Plug
from curate.records import Attempt, Question
from curate.turns import PART, Asking, Request

if TYPE_CHECKING:
    from curate.calls.model import Call
    from curate.resources import Resources

_WHOLE = ("stop", "length")  # what else an answer may be has no length of its own


class ResponseLength(Gate):
    """Asks a model and measures its answer, thinking included: in tokens as its server counts them, or in characters.

    The score is the mean over `samples`; an answer that the cap has cut counts with what came. Nothing is verified. To
    keep a share of the questions, put the stage `top` behind it.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"calls"})

    teacher: Annotated[Teacher, Plug("curate.teachers")] = Field(description="The model that is asked.")
    samples: int = Field(1, ge=1, le=PART, description="Answers per question.")
    max_tokens: int | None = Field(None, ge=1, description="Cap on the tokens of an answer.")
    unit: Literal["tokens", "chars"] = Field("tokens", description="tokens need a server that reports them.")
    keep: Bounds = Field(Bounds(), description="Lengths that are kept; others are answer_too_short or answer_too_long.")
    score: ScoreName = Field("response_length", description="The name of the score.")
    domains: tuple[str, ...] = Field((), description=DOMAINS)

    def rehearsed(self, model: Teacher) -> Self:
        """The same with a made-up model, whose answers drop nothing."""
        return self.model_copy(update={"teacher": model, "keep": Bounds()})

    def spec(self) -> dict[str, Any]:
        """Also the text of the model's prompt, and what it is for."""
        return {**super().spec(), "asked": replies_by(self.teacher), **meant_for(self.teacher)}

    def gives(self) -> tuple[str, ...]:
        """The length."""
        return (self.score,)

    def models(self) -> tuple[Teacher, ...]:
        """The model."""
        return (self.teacher,)

    def reads(self, question: Question) -> Any | None:
        """What the model sees."""
        return [question.id, question.meta] if asked_of(self.teacher, question, self.domains) else None

    def requests(self, question: Question, resources: "Resources") -> "list[Call]":
        """One for each sample."""
        return [one.call for one in self._asked(question, resources)] if self.reads(question) is not None else []

    async def examine(self, question: Question, resources: "Resources") -> Opinion:
        """The length. Raises Unexamined where an answer did not come."""
        asked = self._asked(question, resources)
        attempts = await all_of(_answered(question, one, resources) for one in asked)
        whole = [one for one in attempts if one.finish_reason in _WHOLE]
        lengths = [length for length in map(self._length, whole) if length is not None]
        evidence: dict[str, Any] = {"asked": len(asked), self.unit: lengths}
        if cut := sum(one.finish_reason == "length" for one in attempts):
            evidence["truncated"] = cut
        if not lengths:
            evidence["undecided"] = "no_usage" if whole else "no_answer"
            return Opinion(True, None, evidence)
        mean = sum(lengths) / len(lengths)
        return self.keep.opinion(self.score, mean, evidence, ("answer_too_short", "answer_too_long"))

    def _asked(self, question: Question, resources: "Resources") -> list[Request]:
        asking = Asking((self.teacher,), self.samples, self.max_tokens, use="difficulty")
        return list(asking.requests(question, resources))

    def _length(self, attempt: Attempt) -> int | None:
        if self.unit == "chars":
            return len(attempt.reasoning or "") + len(attempt.solution)
        return attempt.usage.get("output")


async def _answered(question: Question, request: Request, resources: "Resources") -> Attempt:
    reply = await resources.calls.ask(request.call)
    attempt = request.teacher.parse(question.untested(), request.sample, request.call, reply)
    return came(attempt, question, reply.error)
