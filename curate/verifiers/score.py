"""`kind: score`: what does reasoning-gym's own scorer of a task say of an answer?

The scorer runs in a killable worker, since it is third-party code working on what a model wrote.
"""

import json
import re
from importlib.metadata import PackageNotFoundError
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from curate.kinds import Verifier
from curate.records import Attempt, Question, Scored, Truth, Verdict
from curate.verifiers.extract import boxed, solution_part
from curate.verifiers.verdict import installed, shown, verdict_of
from sandbox.model import SandboxError
from sandbox.workers import JobCrashed, JobTimeout

if TYPE_CHECKING:
    from curate.resources import Resources

_CPU_S = 15.0  # importing reasoning-gym takes 3 s of it in each worker's first job
_WALL_S = 180.0
_LARGEST = 100_000  # characters of an answer that a scorer is given
_ANSWER_LINE = re.compile(r"^[ \t*]*(?:final )?answer[ \t*]*:[ \t*]*(\S[^\n]*)$", re.IGNORECASE | re.MULTILINE)
# Some tasks hand the answer to sympy's parser, which evaluates Python: names of its internals have no place in one.
_EVALUATING = frozenset(
    {"countdown", "puzzle24", "simple_integration", "intermediate_integration", "polynomial_multiplication"}
)
_CODE = re.compile(r"__|[\"'`\\;:@]|\blambda\b|\.\s*[A-Za-z_]")


class Score(Verifier):
    """Passes an answer whose score reaches `threshold` (reasoning-gym scores from 0 to 1)."""

    version: ClassVar[int] = 2
    takes: ClassVar[tuple[type[Truth], ...]] = (Scored,)
    needs: ClassVar[frozenset[str]] = frozenset({"workers"})

    threshold: float = Field(1.0, ge=0.0, le=1.0, description="the lowest score that passes")

    def verifier_version(self) -> str:
        """Our version and reasoning-gym's, such as `1+reasoning-gym-0.1.25`."""
        try:
            return f"{self.version}+reasoning-gym-{installed('reasoning-gym')}"
        except PackageNotFoundError:
            return f"{self.version}+reasoning-gym-missing"

    async def verify(self, question: Question, attempt: Attempt, resources: "Resources") -> Verdict:
        """The verdict of the task's scorer; needs `resources.workers`. Without the extra: `error/missing_module`."""
        truth = question.truth
        assert isinstance(truth, Scored)
        answer = find_answer(attempt.solution)
        evidence: dict[str, Any] = {"task": truth.task, "answer": shown(answer)}
        if not answer:
            return verdict_of(self, "fail", "no_answer", {"task": truth.task})
        if len(answer) > _LARGEST or (truth.task in _EVALUATING and _CODE.search(answer)):
            return verdict_of(self, "unsure", "unparsable", {**evidence, "screened": "not an expression"})
        try:
            entry = json.loads(truth.entry)
        except ValueError as error:
            return verdict_of(self, "error", "unreadable_tests", {**evidence, "message": str(error)})
        job = json.dumps(
            {"do": "score", "task": truth.task, "entry": entry, "answer": answer, "cpu_s": _CPU_S}
        ).encode()
        assert resources.workers is not None
        try:
            result = json.loads(await resources.workers.run(job, cpu_s=_CPU_S, wall_s=_WALL_S))
        except JobTimeout as error:
            if error.kind == "wall":  # the machine was too busy: no verdict on the answer
                return verdict_of(self, "error", "infrastructure", {**evidence, "limit": "wall"})
            return verdict_of(self, "unsure", "time_limit", {**evidence, "limit": "cpu"})
        except JobCrashed:
            return verdict_of(self, "unsure", "unparsable", {**evidence, "crashed": True})
        except SandboxError as error:
            return verdict_of(self, "error", "infrastructure", {**evidence, "message": error.what})
        return self._scored(result, evidence)

    def _scored(self, result: dict[str, Any], evidence: dict[str, Any]) -> Verdict:
        if "limit" in result:
            return verdict_of(self, "unsure", "time_limit", {**evidence, "limit": result["limit"]})
        if "crashed" in result:
            return verdict_of(self, "unsure", "unparsable", {**evidence, "crashed": True})
        if "missing" in result:
            follow = {"module": result["missing"], "next": "pip install reasoning-gym"}
            return verdict_of(self, "error", "missing_module", {**evidence, **follow})
        if "unknown_task" in result:
            return verdict_of(self, "error", "unreadable_tests", {**evidence, "message": "no such reasoning-gym task"})
        if "raised" in result:
            return verdict_of(self, "unsure", "unparsable", {**evidence, "raised": result["raised"]})
        evidence = {**evidence, "score": result["score"]}
        if result["score"] >= self.threshold:
            return verdict_of(self, "pass", "ok", evidence)
        return verdict_of(self, "fail", "wrong_answer", evidence)


def find_answer(solution: str) -> str:
    """The answer handed to a scorer: the last `<answer>`, else the last box, else the last answer line, else all."""
    text = solution_part(solution)
    start = text.rfind("<answer>", 0, max(text.rfind("</answer>"), 0))
    if start >= 0:
        return text[start + len("<answer>") : text.index("</answer>", start)].strip()
    box = boxed(text)
    if box is not None:
        return box
    lines = _ANSWER_LINE.findall(text)
    return str(lines[-1] if lines else text).strip()
