"""`kind: pass_rate`: how often does a named model solve a question? Asked before the teacher is, and verified alike."""

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, PrivateAttr

from curate.clean._asked import DOMAINS, Bounds, ScoreName, applies, asked_of, meant_for, replies_by, verified_by
from curate.kinds import Gate, Opinion, Teacher, Unexamined
from curate.plug import Plug
from curate.records import Question, Tests
from curate.solve import Decided, Work, solve
from curate.turns import PART, Asking
from curate.verifiers.router import Router
from curate.verifiers.testcases import UnreadableTests, read_tests
from curate.verifiers.verdict import shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from curate.calls.model import Call
    from curate.resources import Resources


class PassRate(Gate):
    """Asks a model `samples` times and verifies each answer as the recipe's `verify:` says.

    The score is pass / (pass + fail); a truncated answer is a fail. `unsure` does not count, and `error` leaves the
    question unexamined. Without `keep` nothing is dropped. A question that no verifier can judge is not asked.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"calls"})

    teacher: Annotated[Teacher, Plug("curate.teachers")] = Field(description="The model that is asked.")
    samples: int = Field(4, ge=1, le=PART, description="Answers per question.")
    max_tokens: int | None = Field(None, ge=1, description="Cap on the tokens of an answer.")
    keep: Bounds = Field(Bounds(), description="Pass rates that are kept, 0 to 1; others are too_hard or too_easy.")
    undecided: Literal["keep", "drop"] = Field("keep", description="A question none of whose answers could be judged.")
    score: ScoreName = Field("model_pass_rate", description="The name of the score.")
    domains: tuple[str, ...] = Field((), description=DOMAINS)
    _router: Router = PrivateAttr(default_factory=Router)

    def within(self, router: Router) -> Self:
        """The same gate, verifying as the recipe does."""
        found = self.model_copy()
        found._router = router
        return found

    def rehearsed(self, model: Teacher) -> Self:
        """The same with a made-up model, whose answers drop nothing."""
        return self.model_copy(update={"teacher": model, "keep": Bounds(), "undecided": "keep"})

    def spec(self) -> dict[str, Any]:
        """Also the texts and verifiers that decide the answers and the verdicts, and what the model is for."""
        asked = {"asked": replies_by(self.teacher), **meant_for(self.teacher)}
        return {**super().spec(), **asked, "verify": verified_by(self._router)}

    def gives(self) -> tuple[str, ...]:
        """The pass rate."""
        return (self.score,)

    def models(self) -> tuple[Teacher, ...]:
        """The model, and the judges of its answers."""
        return (self.teacher, *(judge for judge in self._router.judges() if judge != self.teacher))

    def handles(self, rows: "Iterable[tuple[str, str]]") -> frozenset[str]:
        """What verifying needs, besides the model."""
        return self.needs | self._router.needs([pair for pair in rows if applies(pair[0], self.domains)])

    def reads(self, question: Question) -> Any | None:
        """All of the question: what the model sees, and what judges it."""
        asked = asked_of(self.teacher, question, self.domains)
        able = asked and self._router.can_verify(question.domain, question.truth.type)
        return [question.id, question.meta, question.gold] if able else None

    def requests(self, question: Question, resources: "Resources") -> "list[Call]":
        """One for each sample."""
        if self.reads(question) is None:
            return []
        return [one.call for one in self._work().asking.requests(question, resources)]

    async def examine(self, question: Question, resources: "Resources") -> Opinion:
        """The pass rate. Raises Unexamined where an answer, or a verdict on one, did not come because of us."""
        if isinstance(question.truth, Tests):
            try:  # before anything is paid for answers that nothing could judge
                await asyncio.to_thread(read_tests, question.truth.cases, question.meta)
            except UnreadableTests as error:
                return self._undecided("unreadable_tests", {"message": shown(str(error))})
        solved = await solve(question, self._work(), resources)
        if lost := [one for one in solved.decided if one.verdict.outcome == "error"]:
            raise Unexamined(_trouble(lost, solved.troubles))
        counts = Counter(one.verdict.outcome for one in solved.decided)
        evidence: dict[str, Any] = {
            "asked": solved.asked,
            **{name: counts[name] for name in ("pass", "fail", "unsure")},
        }
        if cut := sum(one.attempt.finish_reason == "length" for one in solved.decided):
            evidence["truncated"] = cut
        judged = counts["pass"] + counts["fail"]
        if not judged:
            return self._undecided("undecided", evidence)
        return self.keep.opinion(self.score, counts["pass"] / judged, evidence, ("too_hard", "too_easy"))

    def _work(self) -> Work:
        return Work(Asking((self.teacher,), self.samples, self.max_tokens, use="difficulty"), self._router)

    def _undecided(self, reason: str, evidence: dict[str, Any]) -> Opinion:
        if self.undecided == "keep":
            return Opinion(True, None, {**evidence, "undecided": reason})
        return Opinion(False, reason, evidence)


def _trouble(lost: list[Decided], troubles: tuple[str, ...]) -> str:
    first = lost[0].verdict
    why = troubles[0] if troubles else str(first.evidence.get("message") or first.evidence.get("why") or "")
    return f"{len(lost)} answers have no verdict: {first.reason}" + (f" ({why})" if why else "")
