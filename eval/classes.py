"""Which answers to one question are the same answer, by the verifier and not by their spelling: what majorities go by.

Answers that passed are one class, whatever they look like; no answer that did not pass ever joins it.
"""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from curate.measures.votes import Undecided, votes
from curate.records import Answer, Question, Reference, Unknown

if TYPE_CHECKING:
    from curate.resources import Resources

_COMPARED = (Answer, Reference, Unknown)  # truths whose answers are compared by value; of others, by their text


async def classes(
    question: Question, answers: Sequence[str | None], passed: Sequence[bool], resources: "Resources"
) -> list[int | None]:
    """A number for each answer, equal for equal ones, 0 for the commonest; None for no answer.

    Where answers could not be compared because of trouble of ours, none has a number. Independent of their order.
    `resources.workers` must be open for answers in mathematics.
    """
    open_ = [None if right else text for text, right in zip(answers, passed, strict=True)]
    if isinstance(question.truth, _COMPARED) and resources.workers is not None:
        try:
            groups: list[int | str | None] = list(await votes(open_, resources))
        except Undecided:
            return [None] * len(answers)
    else:
        groups = list(open_)
    marks = [
        None if text is None else ("pass", "") if right else ("other", str(group))
        for text, right, group in zip(answers, passed, groups, strict=True)
    ]
    first = {mark: text for mark, text in sorted(zip(marks, answers, strict=True), key=_by_text) if mark is not None}
    counts = Counter(mark for mark in marks if mark is not None)
    ordered = sorted(counts, key=lambda mark: (-counts[mark], first[mark] or "", mark[0] != "pass", mark))
    return [None if mark is None else ordered.index(mark) for mark in marks]


def _by_text(pair: tuple[tuple[str, str] | None, str | None]) -> str:
    return pair[1] or ""
