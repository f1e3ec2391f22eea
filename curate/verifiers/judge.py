"""`kind: judge`: does a language model find that the final answer means the same as the reference?

It is shown the question, the reference and the final answer, never the reasoning, each as delimited data; a verdict is
a reply of one strict form and nothing else. An answer may give orders, but not pass by them: one with words of its own
passes only if the judge does not also accept it beside a reference that no answer can equal (the control).
"""

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from curate.errors import InputError, RecipeError
from curate.keys import Operational, digest
from curate.kinds import Ask, Example, Teacher, Verifier
from curate.paths import PromptName
from curate.plug import Plug
from curate.records import Answer, Attempt, Choice, Question, Reason, Reference, Truth, Verdict, VerdictOutcome
from curate.verifiers.extract import boxed, final_answer, solution_part
from curate.verifiers.judging.asking import Poll, ReplyForm, Vote, majority, vote
from curate.verifiers.judging.prompt import Case, JudgePrompt, load, render, seen
from curate.verifiers.judging.reply import made_up
from curate.verifiers.verdict import shown, verdict_of

if TYPE_CHECKING:
    from curate.resources import Resources

_WORD = re.compile(r"\\?[^\W\d_]+")
# Bytes of words of its own from which on an answer might say something to its judge: six letters, or two Chinese signs.
_SAYING = 6
# Commands that formulas are made of; any other is a word like any other.
_NAMES = """
    frac dfrac tfrac sqrt cdot times div pm mp left right big bigg text mathrm mathbf mathbb mathcal mbox textbf
    pi theta alpha beta gamma delta epsilon lambda mu phi omega sigma rho tau infty circ degree sin cos tan cot
    sec csc arcsin arccos arctan log ln exp le leq ge geq ne neq lt gt in cup cap subset emptyset varnothing to
    mapsto ldots dots cdots begin end pmatrix bmatrix vmatrix matrix cases array overline hat vec bar binom
    dbinom sum prod int lim lfloor rfloor lceil rceil langle rangle quad qquad displaystyle operatorname equiv
    approx sim mod pmod angle triangle
"""
_COMMANDS = frozenset("\\" + name for name in _NAMES.split())
_NO_MAJORITY: dict[str, Reason] = {
    "unparsable": "unparsable",
    "empty": "unparsable",
    "truncated": "truncated",
    "refused": "refused",
    "unclear": "judge_unclear",
}


class Shown(NamedTuple):
    """The text of a solution that a judge is shown, and the rule that found it."""

    text: str
    rule: str


class Judge(Verifier):
    """Asks a model whether the final answer and the reference mean the same.

    Without `model` it is the recipe's `judge:`. Replies are kept in the ledger and paid from the run's budget.
    """

    takes: ClassVar[tuple[type[Truth], ...]] = (Answer, Choice, Reference)
    needs: ClassVar[frozenset[str]] = frozenset({"calls"})

    model: Annotated[Teacher, Plug("curate.teachers")] | None = Field(
        None, description="The model that judges; by default the recipe's `judge:`."
    )
    prompt: Annotated[PromptName, Operational()] = Field(
        "equivalence", description="A name in curate/prompts/judge, or the path of a .yaml file; its text is keyed."
    )
    question: bool = Field(True, description="Show the question.")
    sees: Literal["answer", "solution"] = Field("answer", description="The final answer, or the whole solution.")
    votes: int = Field(1, ge=1, le=15, description="Replies asked for; more than half of them decide.")
    swap: bool = Field(False, description="Ask each vote in both orders; it counts where both say the same.")
    control: Literal["auto", "always", "never"] = Field(
        "auto",
        description="Try an accepted answer against a reference that nothing equals: auto, if it has words of its own.",
    )
    max_chars: int = Field(8000, ge=1, description="A longer answer is not shown and stays unsure.")
    max_tokens: int = Field(4096, ge=1, description="Cap on the tokens of a reply, where the model sets none.")
    reply_form: ReplyForm = Field(
        "auto", description="response_format: a JSON schema, a JSON object, none (text), or the first that is taken."
    )

    @model_validator(mode="after")
    def _usable(self) -> Self:
        try:
            self._template()
        except RecipeError as error:
            raise ValueError(str(error)) from error
        return self

    def verifier_version(self) -> str:
        """Our version, the model and the prompt, such as `1+openai/gpt-4o+equivalence-1f0c9a2b`."""
        model = "no-model" if self.model is None else self.model.name()
        return f"{self.version}+{model}+{Path(self.prompt).stem}-{self._template().mark()}"

    def reads(self, question: Question) -> Any:
        """The question's text, where it is shown."""
        return question.problem if self.question else None

    def example(self) -> Example:
        """A reference in other words; the made-up judge of a self-check knows the right reply."""
        truth = Reference(text="Paris")
        asked = Question.of(problem="The capital of France?", domain="other", truth=truth, source="", source_id="")
        return Example(asked, "\\boxed{paris}", "\\boxed{London}")

    async def verify(self, question: Question, attempt: Attempt, resources: "Resources") -> Verdict:
        """What the majority of the votes says; needs `resources.calls`.

        A call that failed for good is `error`, a reply that is no verdict `unsure`. Raises InputError without a model,
        Stopped where no more may be sent.
        """
        if self.model is None:
            raise InputError("the verifier 'judge' has no model", next="add `judge:` to the recipe, or `model:` to it")
        reference = reference_of(question.truth)
        found = shown_of(question.truth, attempt.solution, whole=self.sees == "solution")
        evidence = {"reference": shown(reference)}
        if found is None:
            return verdict_of(self, "fail", "no_answer", evidence)
        evidence |= {"answer": shown(found.text), "found": found.rule}
        if len(found.text) > self.max_chars:
            why = f"longer than {self.max_chars} characters"
            return verdict_of(self, "unsure", "unparsable", {**evidence, "screened": why})
        case = Case(question.problem if self.question else None, reference, found.text)
        votes = await self._votes(case, resources)
        verdict = self._decided(votes, evidence)
        if verdict.outcome == "pass" and self._controlled(case):
            control = await self._vote(_control(case), 0, resources)
            votes, verdict = [*votes, control], self._with_control(verdict, control)
        costs = [one.cost for one in votes]
        asked = {"asked": [key for one in votes for key in one.asked]}
        return verdict.model_copy(
            update={"cost": None if None in costs else sum(filter(None, costs)), "measured": asked}
        )

    def _template(self) -> JudgePrompt:
        return load(self.prompt)

    async def _votes(self, case: Case, resources: "Resources") -> list[Vote]:
        """As many votes as it takes: none is asked for once the others cannot change the outcome."""
        votes: list[Vote] = []
        while len(votes) < self.votes and majority(votes, self.votes) is None:
            most = max(sum(one.word == word for one in votes) for word in ("equal", "different"))
            wanted = min(self.votes - len(votes), max(1, self.votes // 2 + 1 - most))
            numbers = range(len(votes), len(votes) + wanted)
            ended = await asyncio.gather(
                *(self._vote(case, number, resources) for number in numbers), return_exceptions=True
            )
            for one in ended:  # all have ended: none is left to outlive the ledger
                if isinstance(one, BaseException):
                    raise one
                votes.append(one)
        return votes

    async def _vote(self, case: Case, number: int, resources: "Resources") -> Vote:
        first = await self._once(case, number, resources, swapped=False)
        if not self.swap:
            return first
        second = await self._once(case, number, resources, swapped=True)
        cost = None if first.cost is None or second.cost is None else first.cost + second.cost
        asked = first.asked + second.asked
        if first.word == second.word:
            return first._replace(cost=cost, asked=asked)
        lacking = next((one for one in (first, second) if one.word not in ("equal", "different")), None)
        word = lacking or Vote("unclear", "the order decides", first.model)
        return word._replace(cost=cost, asked=asked)

    async def _once(self, case: Case, number: int, resources: "Resources", *, swapped: bool) -> Vote:
        assert self.model is not None
        prompt = self._template()
        system, user = render(prompt, case, swapped=swapped)
        ask = Ask(user, system, right=_made_up(case, prompt, True), wrong=_made_up(case, prompt, False))
        return await vote(Poll(self.model, prompt.reply, self.reply_form, self.max_tokens), ask, number, resources)

    def _decided(self, votes: list[Vote], evidence: dict[str, Any]) -> Verdict:
        word = majority(votes, self.votes)
        speaker = next((one for one in votes if one.word == word), votes[0])
        evidence = {**evidence, "votes": [one.word for one in votes], "why": shown(speaker.why)}
        if speaker.model:
            evidence["model"] = speaker.model
        if word is not None:
            says: tuple[VerdictOutcome, Reason] = ("pass", "ok") if word == "equal" else ("fail", "judge_rejected")
            return verdict_of(self, *says, evidence)
        words = {one.word for one in votes}
        if "failed" in words:
            return verdict_of(self, "error", "infrastructure", {**evidence, "why": _failure(votes)})
        reason = _NO_MAJORITY.get(words.pop(), "disagreement") if len(words) == 1 else "disagreement"
        return verdict_of(self, "unsure", reason, evidence)

    def _controlled(self, case: Case) -> bool:
        if self.control == "auto":
            own = {word.casefold() for word in _WORD.findall(seen(case.answer)) if word not in _COMMANDS}
            own -= {word.casefold() for word in _WORD.findall(case.reference)}
            return sum(len(word.strip("\\").encode()) for word in own) >= _SAYING
        return self.control == "always"

    def _with_control(self, verdict: Verdict, control: Vote) -> Verdict:
        evidence = {**verdict.evidence, "control": control.word}
        if control.word in ("different", "unclear"):
            return verdict.model_copy(update={"evidence": evidence})
        if control.word == "failed":
            return verdict_of(self, "error", "infrastructure", {**evidence, "why": shown(control.why)})
        return verdict_of(self, "unsure", "disagreement", evidence)


def reference_of(truth: Truth) -> str:
    """The reference as text: of a choice its letter and, where it is known, what that option says."""
    if isinstance(truth, Choice):
        number = ord(truth.letter.strip().upper()[:1] or "A") - ord("A")
        said = truth.options[number] if 0 <= number < len(truth.options) else ""
        return f"{truth.letter.strip()}. {said}" if said else truth.letter.strip()
    assert isinstance(truth, Answer | Reference)
    return truth.text.strip()


def shown_of(truth: Truth, solution: str, *, whole: bool) -> Shown | None:
    """What of a solution is shown; None where there is nothing.

    The whole solution without its thinking; or the final answer: the last box, the announced answer, else the last
    paragraph, for a free text all of it.
    """
    text = solution_part(solution)
    if not text.strip():
        return None
    if whole:
        return Shown(text.strip(), "solution")
    if isinstance(truth, Reference):
        box = boxed(text)
        return Shown(box, "boxed") if box else Shown(text.strip(), "solution")
    found = final_answer(text, plain_number=True)
    if found is not None:
        return Shown(found.text, found.rule)
    return Shown(text.strip().rpartition("\n\n")[2].strip(), "last_paragraph")


def _control(case: Case) -> Case:
    """The same answer beside a reference that it cannot equal."""
    return case._replace(reference=f"control {digest('control', case.reference, case.answer)[:16]}")


def _made_up(case: Case, prompt: JudgePrompt, right: bool) -> str:
    """What a rehearsal's judge replies, which knows no more than equal texts and equal letters."""
    found = final_answer(case.answer, plain_number=True)  # it may have been shown a whole solution
    answers = {_flat(case.answer), _flat(found.text if found else case.answer)}
    reference = _flat(case.reference)
    same = not answers.isdisjoint((reference, reference.partition(". ")[0]))
    return made_up("equal" if same is right else "different", prompt.reply)


def _flat(text: str) -> str:
    return " ".join(seen(text).casefold().split())


def _failure(votes: list[Vote]) -> str:
    return shown(next(one.why for one in votes if one.word == "failed"))
