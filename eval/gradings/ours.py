"""What our grading says beside its verdict: the answer that it read in a solution, and the reference in words."""

import json

from curate.measures.votes import answer_of
from curate.records import Answer, Attempt, Choice, Grid, Question, Reference, Scored, Tests
from curate.verifiers.choice import find_letter
from curate.verifiers.grid import find_attempts
from curate.verifiers.score import find_answer

_LONGEST = 10_000  # characters of an answer or a reference that results hold; the largest grid of ARC has 2,760


def answer(question: Question, attempt: Attempt) -> str | None:
    """The final answer of a finished solution; None of an unfinished one, of a program, and where there is none."""
    if attempt.finish_reason != "stop" or isinstance(question.truth, Tests):
        return None
    if isinstance(question.truth, Choice):
        named = find_letter(attempt.solution, question.truth.options)
        return named.letter if named is not None else None
    if isinstance(question.truth, Grid):
        grids = find_attempts(attempt.solution)
        return _cut(json.dumps(grids[0])) if grids else None
    if isinstance(question.truth, Scored):
        return _cut(find_answer(attempt.solution))
    return answer_of(attempt.solution)


def reference(question: Question) -> str | None:
    """The right answer in words; None where there is none of a sane size (tests)."""
    truth = question.truth
    if isinstance(truth, Answer | Reference):
        return _cut(truth.text)
    if isinstance(truth, Choice):
        return truth.letter
    if isinstance(truth, Grid):
        return _cut(json.dumps(truth.cells))
    if isinstance(truth, Scored):
        try:
            told = json.loads(truth.entry)
        except ValueError:
            return None
        return _cut(str(told["answer"])) if isinstance(told, dict) and told.get("answer") is not None else None
    return None


def _cut(text: str) -> str | None:
    text = text.strip()
    return (text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…") or None
