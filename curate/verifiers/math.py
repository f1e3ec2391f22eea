"""`kind: math`: is the final answer of a solution the reference answer?

One answer is taken out of the solution by `extract`, cleaned and compared exactly by `exact`; only what that leaves
open goes to Math-Verify, in a worker process with a CPU limit. What no engine could read is `unsure`, never `fail`.
"""

import asyncio
import json
from typing import TYPE_CHECKING, Any, ClassVar

from curate.kinds import Verifier
from curate.records import Answer, Attempt, Question, Truth, Verdict
from curate.verifiers import exact, screen
from curate.verifiers.extract import Found, boxed, final_answer
from curate.verifiers.verdict import installed, shown, verdict_of
from sandbox.model import SandboxError
from sandbox.workers import JobCrashed, JobTimeout

if TYPE_CHECKING:
    from curate.resources import Resources

_CPU_S = 5.0  # p99 of Math-Verify is 0.7 s on real pairs, the longest measured 4.8 s
_WALL_S = 60.0  # only a backup: a loaded machine must not change a verdict
_LARGE = 1 << 17  # characters: a longer solution is searched off the event loop


class Math(Verifier):
    """Compares final answers: exactly where that is enough, symbolically (Math-Verify) where it is not."""

    version: ClassVar[int] = 2
    takes: ClassVar[tuple[type[Truth], ...]] = (Answer,)
    needs: ClassVar[frozenset[str]] = frozenset({"workers"})

    def verifier_version(self) -> str:
        """Our version and Math-Verify's, such as `2+math-verify-0.9.0`."""
        return f"{self.version}+math-verify-{installed('math-verify')}"

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
            return verdict_of(self, "fail", "no_answer", {"reference": shown(gold)})
        answer = exact.clean(found.text)
        evidence = {"answer": shown(answer), "reference": shown(gold), "found": found.rule}
        equal = exact.compare(gold, answer)
        if equal is not None:
            return self._decided(equal, {**evidence, "by": "exact"})
        if exact.units_differ(gold, answer):  # Math-Verify drops units: to it, 5 m equals 5 cm
            return verdict_of(self, "unsure", "unparsable", {**evidence, "units": "different"})
        why = screen.danger(answer) or screen.danger(gold)
        if why:
            return verdict_of(self, "unsure", "unparsable", {**evidence, "screened": why})
        return await self._symbolic(gold, answer, evidence, resources)

    async def _symbolic(self, gold: str, answer: str, evidence: dict[str, Any], resources: "Resources") -> Verdict:
        job = json.dumps({"do": "math", "gold": _inline(gold), "answer": _inline(answer)}).encode()
        assert resources.workers is not None
        try:
            result = json.loads(await resources.workers.run(job, cpu_s=_CPU_S, wall_s=_WALL_S))
        except JobTimeout as error:
            if error.kind == "wall":  # the machine was too busy: no verdict on the answer
                return verdict_of(self, "error", "infrastructure", {**evidence, "limit": "wall"})
            return verdict_of(self, "unsure", "time_limit", {**evidence, "by": "math-verify", "limit": "cpu"})
        except JobCrashed:
            # Twice, each time in a fresh worker: it is the answer that does it, yet that does not make it wrong.
            return verdict_of(self, "unsure", "unparsable", {**evidence, "by": "math-verify", "crashed": True})
        except SandboxError as error:
            return verdict_of(self, "error", "infrastructure", {**evidence, "message": error.what})
        evidence = {**evidence, "by": "math-verify"}
        if "raised" in result:
            return verdict_of(self, "unsure", "unparsable", {**evidence, "raised": result["raised"]})
        if result["equal"]:
            return self._decided(True, evidence)
        # "Not equal" counts only where both sides were read as formulas: of words it says nothing.
        if not all(result["parsed"]) or exact.prose(gold) or exact.prose(answer):
            return verdict_of(self, "unsure", "unparsable", evidence)
        return self._decided(False, evidence)

    def _decided(self, equal: bool, evidence: dict[str, Any]) -> Verdict:
        return verdict_of(self, "pass", "ok", evidence) if equal else verdict_of(self, "fail", "wrong_answer", evidence)


def _reference(text: str) -> str:
    return exact.clean(boxed(text) or text)


def _find(solution: str, gold: str) -> Found | None:
    return final_answer(solution, plain_number=exact.number(gold) is not None)


def _inline(text: str) -> str:
    """A text safe to stand between two dollar signs: Math-Verify would read `1$ and $2` as two candidates."""
    return text.replace("\\$", "").replace("$", " ")
