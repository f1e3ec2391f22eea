"""`kind: math`: is the final answer of a solution the reference answer?

One answer is taken out of the solution by `extract` and compared by `answers`: as text, as exact numbers, by reading it
and probing its value. Only what that leaves open goes to Math-Verify, in a worker process with a CPU limit. What no
engine could read is `unsure`, never `fail`. docs/reference/math.md says what counts as equal.
"""

import asyncio
import json
import re
from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from curate.kinds import Verifier
from curate.records import Answer, Attempt, Question, Truth, Verdict
from curate.verifiers import screen
from curate.verifiers.answers import words
from curate.verifiers.answers.decide import asks_for_number, decide_clean
from curate.verifiers.answers.normalise import clean
from curate.verifiers.answers.policy import Policy
from curate.verifiers.choice import find_letter
from curate.verifiers.extract import MOST_BOXES, Found, boxed, final_answer, solution_part
from curate.verifiers.verdict import installed, shown, verdict_of
from sandbox.model import SandboxError
from sandbox.workers import JobCrashed, JobTimeout

if TYPE_CHECKING:
    from curate.resources import Resources

CPU_S = 1.5  # of Math-Verify on one answer: what reaches it takes 10 to 100 ms, an infinite sum up to 1 s
_BACKUP_CPU_S, _WALL_S = 20.0, 60.0  # backups, of the whole worker: a loaded machine must not change a verdict
_TAIL = 400  # characters at the end of a text, in which an answer that no rule finds would stand
_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?(?:/\d+)?")
_LARGE = 1 << 17  # characters: a longer solution is searched off the event loop


class Math(Verifier):
    """Compares final answers: by their value where that is enough, by an algebra system where it is not."""

    version: ClassVar[int] = 7
    takes: ClassVar[tuple[type[Truth], ...]] = (Answer,)
    needs: ClassVar[frozenset[str]] = frozenset({"workers"})

    percent: Literal["either", "fraction", "number"] = Field(
        "either", description="what 42% equals beside 42%: 0.42 (fraction), 42 (number), or each of them"
    )
    units: Literal["optional", "required"] = Field("optional", description="may a unit of the reference be left out")
    base: Literal["optional", "required"] = Field("optional", description="may the subscript of 2516_8 be left out")
    prefix: Literal["optional", "required"] = Field(
        "optional", description="may the `x =` of the reference be left out"
    )
    inequality: Literal["interval", "distinct"] = Field(
        "interval", description="is `x < 3` the same answer as the interval (-inf, 3)"
    )
    order: Literal["strict", "free"] = Field("strict", description="does the order within parentheses count")
    scale: Literal["free", "fixed"] = Field("free", description="is 2x + 2y = 4 the equation x + y = 2")
    boxes: Literal["agree", "phrase", "last"] = Field(
        "agree",
        description=r"of several boxes in one phrase (\boxed{1} and \boxed{2}): all are the answer (phrase), the last "
        "is (last), or both readings must give one verdict, else it is unsure (agree)",
    )
    tolerance: float = Field(
        0.0, ge=0.0, lt=1.0, description="relative difference at which a decimal still equals the reference"
    )

    def verifier_version(self) -> str:
        """Our version and Math-Verify's, such as `7+math-verify-0.9.0`."""
        return f"{self.version}+math-verify-{installed('math-verify')}"

    def policy(self) -> Policy:
        """The options as the comparison takes them."""
        return Policy(
            self.percent, self.units, self.base, self.prefix, self.inequality, self.order, self.scale, self.tolerance
        )

    async def verify(self, question: Question, attempt: Attempt, resources: "Resources") -> Verdict:
        """The verdict on the one answer found in `attempt.solution`; needs `resources.workers`."""
        assert isinstance(question.truth, Answer)
        gold = _reference(question.truth.text)
        if not gold:
            return verdict_of(self, "unsure", "unparsable", {"message": "the reference answer is empty"})
        if len(attempt.solution) > _LARGE:
            found = await asyncio.to_thread(_find, attempt.solution, gold)
        else:
            found = _find(attempt.solution, gold)
        if found is None:
            said = _mentioned(gold, attempt.solution)
            return verdict_of(self, "unsure" if said else "fail", "no_answer", {"reference": shown(gold)})
        return await self._compared(gold, found, resources)

    async def _compared(self, gold: str, found: Found, resources: "Resources") -> Verdict:
        alone = found.last if self.boxes != "phrase" else None
        answer = clean(alone if alone is not None and self.boxes == "last" else found.text)
        evidence = {"answer": shown(answer), "reference": shown(gold), "found": found.rule}
        decision = decide_clean(gold, answer, self.policy())
        if len(found.boxes) > MOST_BOXES and self.boxes != "last":  # not all of them were read
            return verdict_of(self, "unsure", "unparsable", {**evidence, "by": "boxes"})
        if alone is not None and self.boxes == "agree":
            evidence["last_box"] = shown(clean(alone))
            if self._one_value(gold, found.boxes):
                return self._decided(True, {**evidence, "by": "boxes"})
            readings = (alone, ", ".join(found.boxes))  # the phrase also with what it repeats
            if any(decide_clean(gold, clean(one), self.policy()).equal is not decision.equal for one in readings):
                return verdict_of(self, "unsure", "unparsable", {**evidence, "by": "boxes"})
        if decision.equal is not None:
            return self._decided(decision.equal, {**evidence, "by": decision.by})
        if not decision.ask:
            return verdict_of(self, "unsure", "unparsable", {**evidence, "by": decision.by})
        why = next(filter(None, (check(text) for text in (answer, gold) for check in _SCREENS)), None)
        if why:
            return verdict_of(self, "unsure", "unparsable", {**evidence, "screened": why})
        # What the grammar could not read, Math-Verify must have read whole, not some number within it.
        job = {"do": "math", "gold": _inline(gold), "answer": _inline(answer), "cpu_s": CPU_S}
        return await self._symbolic({**job, "whole": decision.by == "unread"}, evidence, resources)

    def _one_value(self, gold: str, boxes: Sequence[str]) -> bool:
        """Whether boxes are one value in several spellings: each is the reference, and each is every other. Of 42 %
        both 42 and 0.42 are spellings, and whoever names both leaves it open.
        """
        texts, policy = [clean(one) for one in boxes], self.policy()
        return all(decide_clean(gold, one, policy).equal for one in texts) and all(
            decide_clean(one, other, policy).equal or decide_clean(other, one, policy).equal
            for one, other in combinations(texts, 2)
        )

    async def _symbolic(self, request: dict[str, Any], evidence: dict[str, Any], resources: "Resources") -> Verdict:
        job = json.dumps(request).encode()
        assert resources.workers is not None
        try:
            result = json.loads(await resources.workers.run(job, cpu_s=_BACKUP_CPU_S, wall_s=_WALL_S))
        except JobTimeout as error:
            if error.kind == "wall":  # the machine was too busy: no verdict on the answer
                return verdict_of(self, "error", "infrastructure", {**evidence, "limit": "wall"})
            return verdict_of(self, "unsure", "time_limit", {**evidence, "by": "math-verify", "limit": "cpu"})
        except JobCrashed:
            # Twice, each time in a fresh worker: it is the answer that does it, yet that does not make it wrong.
            return verdict_of(self, "unsure", "unparsable", {**evidence, "by": "math-verify", "crashed": True})
        except SandboxError as error:
            return verdict_of(self, "error", "infrastructure", {**evidence, "message": error.what})
        return self._answered(result, request, {**evidence, "by": "math-verify"})

    def _answered(self, result: dict[str, Any], request: dict[str, Any], evidence: dict[str, Any]) -> Verdict:
        if "limit" in result:
            return verdict_of(self, "unsure", "time_limit", {**evidence, "limit": "cpu"})
        if "crashed" in result:
            return verdict_of(self, "unsure", "unparsable", {**evidence, "crashed": True})
        if "raised" in result:
            return verdict_of(self, "unsure", "unparsable", {**evidence, "raised": result["raised"]})
        # Its word counts only where both sides were read as formulas: of words it says nothing.
        if not all(result["parsed"]) or words.prose(request["gold"]) or words.prose(request["answer"]):
            return verdict_of(self, "unsure", "unparsable", evidence)
        return self._decided(result["equal"], evidence)

    def _decided(self, equal: bool, evidence: dict[str, Any]) -> Verdict:
        return verdict_of(self, "pass", "ok", evidence) if equal else verdict_of(self, "fail", "wrong_answer", evidence)


def decide(gold: str, answer: str, options: "Math | None" = None) -> bool | None:
    """Whether `answer` (a final answer, not a solution) is `gold`; None where only an algebra system or nobody knows.

    Pure, without any process, in a millisecond or so whatever the texts are.
    """
    policy = (options or _DEFAULT).policy()
    return decide_clean(_reference(gold), clean(answer), policy).equal


def compare(gold: str, text: str, options: "Math | None" = None) -> Verdict:
    """The verdict on a solution text, from any thread: what `verify` gives, with workers of this process's own.

    Within a coroutine use `curate.verifiers.scoring.score`, which does not block its loop.
    """
    from curate.verifiers.scoring import score_sync

    verifier = options or _DEFAULT
    chosen = verifier.model_dump(mode="json", exclude_defaults=True)
    truth = {"type": "answer", "text": gold}
    return score_sync({"kind": "math", "version": verifier.version, "options": chosen, "truth": truth}, text)


_DEFAULT = Math()
_SCREENS = (screen.danger, screen.unfamiliar)
_INDEX = re.compile(r"_\s*\{?\s*i\s*=")
_LONE_I = re.compile(r"(?<![A-Za-z\\])i(?![A-Za-z])")


def _reference(text: str) -> str:
    return clean((boxed(text) if "box" in text else None) or text)


def _find(solution: str, gold: str) -> Found | None:
    found = final_answer(solution, plain_number=asks_for_number(gold))
    if found is None and words.letter(gold) is not None:
        named = find_letter(solution)
        if named is not None and named.letter is not None:
            return Found(named.letter, "letter")
    return found


def _mentioned(gold: str, solution: str) -> bool:
    """Whether a text without a final answer ends on the reference: a judge may find it there."""
    tail = solution_part(solution)[-_TAIL:]
    if asks_for_number(gold):
        numbers = _NUMBER.findall(tail)
        return bool(numbers) and decide_clean(gold, clean(numbers[-1])).equal is True
    return re.search(rf"(?<![\w.]){re.escape(gold)}(?![\w])", clean(tail)) is not None


def _inline(text: str) -> str:
    """A text safe to stand between two dollar signs: Math-Verify would read `1$ and $2` as two candidates."""
    text = text.replace("\\$", "").replace("$", " ")
    index = next((letter for letter in "jklm" if letter not in text), None)
    return _LONE_I.sub(index, text) if index and _INDEX.search(text) else text  # it takes every `i` for the unit
