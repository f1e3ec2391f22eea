"""Questions, attempts and resources for verifier tests."""

from types import SimpleNamespace
from typing import Any

from curate.records import Answer, Attempt, Question, Truth


def question(truth: Truth | str, *, domain: str = "math", **fields: Any) -> Question:
    if isinstance(truth, str):
        truth = Answer(text=truth)
    return Question.of(problem="?", domain=domain, truth=truth, source="test", source_id="1", **fields)


def attempt(solution: str, *, finish_reason: Any = "stop") -> Attempt:
    return Attempt(
        id="a",
        question_id="q",
        sample=0,
        teacher="test",
        solution=solution,
        finish_reason=finish_reason,
        request_key="r",
    )


def resources(**handles: Any) -> Any:
    """Only the handles that a verifier may touch: touching another one fails the test."""
    return SimpleNamespace(**handles)
