"""The verifiers' self-check: every kind, third parties' too, passes a gold answer and does not pass a mutated one."""

import json
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from curate.kinds import Example, Verifier
from curate.plug import find, kinds
from curate.records import Answer, Attempt, Choice, Grid, Question, Reference, Scored, Tests, Truth, Verdict
from curate.verifiers.router import Router

if TYPE_CHECKING:
    from curate.resources import Resources

_ENTRY = {
    "question": "How many legs do 2 chickens have?",
    "answer": "4",
    "metadata": {"source_dataset": "leg_counting", "source_index": 0},
}
# A pair for each truth type, for verifiers that bring none of their own: (truth, right, wrong).
_PAIRS: dict[type[Any], tuple[Truth, str, str]] = {
    Answer: (Answer(text="\\frac{1}{2}"), "The answer is \\boxed{0.5}.", "The answer is \\boxed{0.6}."),
    Tests: (
        Tests(cases=json.dumps({"inputs": ["1 2\n"], "outputs": ["3\n"]})),
        "```python\nprint(sum(map(int, input().split())))\n```",
        "```python\nprint(sum(map(int, input().split())) + 1)\n```",
    ),
    Choice: (Choice(letter="B", options=("one", "two")), "The answer is \\boxed{B}.", "The answer is \\boxed{A}."),
    Grid: (Grid(cells=((1, 2), (3, 4))), "[[1, 2], [3, 4]]", "[[1, 2], [3, 5]]"),
    Scored: (Scored(task="leg_counting", entry=json.dumps(_ENTRY)), "\\boxed{4}", "\\boxed{5}"),
    Reference: (Reference(text="Paris"), "\\boxed{Paris}", "\\boxed{London}"),
}


async def examine(resources: "Resources | None" = None) -> list[tuple[str, str | None]]:
    """Try every kind of verifier; one (name, problem) each, the problem None where all is well.

    Handles that `resources` lacks are opened for the check alone. A kind whose optional package is not installed, or
    that has nothing to be tried on, says so in its name. Never raises on what a verifier does.
    """
    found: list[tuple[str, str | None]] = []
    async with _handles(resources) as handles:
        for kind in kinds("curate.verifiers"):
            try:
                verifier = _configured(kind)
                if verifier is None:
                    found.append((f"{kind} (not tried: it has keys that must be given)", None))
                    continue
                found.append(await _examined(kind, verifier, handles))
            except Exception as error:  # noqa: BLE001 - the boundary to verifiers, third parties' among them
                found.append((kind, f"{type(error).__name__}: {error}"[:300]))
    return found


def _configured(kind: str) -> Verifier | None:
    """The verifier with its defaults, a judge with a made-up model; None where it has fields without a default."""
    cls = find("curate.verifiers", kind)
    fields = {"model": {"kind": "fake", "error_rate": 0.0}} if kind == "judge" else {}
    try:
        verifier = cls.model_validate(fields)
    except ValidationError:
        return None
    assert isinstance(verifier, Verifier)
    return verifier


async def _examined(kind: str, verifier: Verifier, handles: "_Handles") -> tuple[str, str | None]:
    example = verifier.example() or _made_up(verifier)
    if example is None:
        return f"{kind} (not tried: it brings no example)", None
    resources = await handles.ready(verifier.needs)
    router = Router(chains={example.question.domain: [verifier]})
    for what, text in (("right", example.right), ("wrong", example.wrong)):
        judgement = await router.verify(example.question, _attempt(text), resources, {})
        verdict = judgement.verdict
        if verdict.reason == "missing_module":
            return f"{kind} (not tried: {verdict.evidence.get('module')} is not installed)", None
        if (verdict.outcome == "pass") != (what == "right") or verdict.outcome == "error":
            return kind, f"a {what} answer ends as {_said(verdict)}"
    return kind, None


def _made_up(verifier: Verifier) -> Example | None:
    for truth_type, (truth, right, wrong) in _PAIRS.items():
        if truth_type in verifier.takes:
            question = Question.of(problem="?", domain="check", truth=truth, source="check", source_id="0")
            return Example(question, right, wrong)
    return None


def _attempt(text: str) -> Attempt:
    return Attempt(
        id="check", question_id="check", sample=0, teacher="check", solution=text, finish_reason="stop", request_key="0"
    )


def _said(verdict: Verdict) -> str:
    return f"{verdict.outcome}/{verdict.reason} {json.dumps(verdict.evidence, ensure_ascii=False)[:200]}"


class _Handles:
    """The caller's handles, and the check's own for what those lack."""

    def __init__(self, given: "Resources | None", own: Any, asking: "Resources") -> None:
        self._given, self._own, self._asking = given, own, asking

    async def ready(self, needs: frozenset[str]) -> "Resources":
        """Handles with everything in `needs` open. Raises Prerequisite without isolation."""
        if "calls" in needs:
            return self._asking
        if self._given is not None and all(getattr(self._given, name, None) is not None for name in needs):
            return self._given
        own: Resources = await self._own.ready(needs)
        return own


@asynccontextmanager
async def _handles(given: "Resources | None") -> AsyncIterator[_Handles]:
    from curate.calls.client import Calls
    from curate.ledger import Ledger
    from curate.resources import Machines, Resources
    from curate.verdicts import Verdicts

    with tempfile.TemporaryDirectory(prefix="veristill-check-") as folder:
        async with Machines(count=1) as own, Ledger(Path(folder)) as ledger, Calls(ledger) as calls:
            yield _Handles(given, own, Resources(ledger, calls, Verdicts(ledger)))
