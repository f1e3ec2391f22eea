"""Judging recorded answers with a verifier, and counting how the verdicts agree with what is known of them."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

from curate.kinds import Verifier
from curate.records import Attempt, Question, Truth, Verdict


class Recorded(NamedTuple):
    """An answer, its truth, and whether it is known to be right."""

    name: str
    truth: Truth
    solution: str
    right: bool
    starter: str | None = None


async def judge_all(verifier: Verifier, rows: Sequence[Recorded], **handles: Any) -> list[Verdict]:
    """The verdicts on `rows`, in order, with the given handles open."""
    resources: Any = SimpleNamespace(**handles)
    return await asyncio.gather(*(verifier.verify(_question(row), _attempt(row), resources) for row in rows))


def disagreements(rows: Sequence[Recorded], verdicts: Sequence[Verdict]) -> list[str]:
    """One line for each verdict that is not the known one: `pass` of a right answer, `fail` of a wrong one."""
    return [
        f"{row.name}: known {'right' if row.right else 'wrong'}, {verdict.outcome}/{verdict.reason} {verdict.evidence}"
        for row, verdict in zip(rows, verdicts, strict=True)
        if verdict.outcome != ("pass" if row.right else "fail")
    ]


def reasons(verdicts: Sequence[Verdict]) -> Counter[str]:
    """How often each `outcome/reason` was given."""
    return Counter(f"{verdict.outcome}/{verdict.reason}" for verdict in verdicts)


def _question(row: Recorded) -> Question:
    return Question.of(
        problem=row.name, domain="x", truth=row.truth, source="real", source_id=row.name, starter_code=row.starter
    )


def _attempt(row: Recorded) -> Attempt:
    return Attempt(
        id=row.name,
        question_id=row.name,
        sample=0,
        teacher="recorded",
        solution=row.solution,
        finish_reason="stop",
        request_key=row.name,
    )
