"""Which answers to one question are the same: the math verifier's own comparison, not equality of texts.

Answers are compared as the verifier compares an answer with a reference: by reading both, and where that is not enough
by Math-Verify in a killable process. What nothing can decide counts as different.
"""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from curate.keys import digest
from curate.ledger import Entry
from curate.records import Answer, Attempt, Question
from curate.verifiers.answers.decide import decide_clean
from curate.verifiers.answers.normalise import clean
from curate.verifiers.choice import find_letter
from curate.verifiers.extract import final_answer
from curate.verifiers.math import Math

if TYPE_CHECKING:
    from curate.resources import Resources

VERSION = 1  # of finding an answer
SPEC: dict[str, Any] = {"measure": "answer", "version": VERSION}
LONGEST = 400  # characters of an answer; a longer one is a text, on which nobody votes
_SAME = 2  # the version of comparing two
_ALIKE = 8  # spellings of an answer that a further one must all equal, the commonest ones first
_MOST = 32  # different answers that a further one is compared with, the commonest ones first
_MATH = Math()


def answer_of(solution: str) -> str | None:
    """The final answer of a solution whose truth nobody knows: a box, a statement, a letter, a last number."""
    found = final_answer(solution, plain_number=False)
    if found is None:
        letter = find_letter(solution)
        if letter is not None and letter.letter is not None:
            return letter.letter
        found = final_answer(solution, plain_number=True)
    text = clean(found.text) if found is not None else ""
    return text if 0 < len(text) <= LONGEST else None


class Undecided(Exception):
    """Two answers could not be compared because of trouble of ours."""


async def votes(answers: Sequence[str | None], resources: "Resources") -> list[int | None]:
    """A number for each answer, equal for equal ones: 0 is the commonest. None has none.

    The order of the answers does not matter. `resources.workers` must be open. Being equal does not carry over (42% is
    0.42 and is 42, which differ), so an answer joins those that it equals one and all. Raises Undecided.
    """
    counts = Counter(one for one in answers if one is not None)
    groups: list[list[str]] = []
    for text, _ in sorted(counts.items(), key=lambda one: (-one[1], one[0])):
        for group in groups[:_MOST]:
            if await _like_all(group[:_ALIKE], text, resources):
                group.append(text)
                break
        else:
            groups.append([text])
    groups.sort(key=lambda group: (-sum(counts[text] for text in group), group[0]))
    number = {text: place for place, group in enumerate(groups) for text in group}
    return [None if one is None else number[one] for one in answers]


async def _like_all(group: Sequence[str], text: str, resources: "Resources") -> bool:
    for one in group:
        if not await _same(one, text, resources):
            return False
    return True


async def _same(one: str, other: str, resources: "Resources") -> bool:
    decisions = [decide_clean(one, other, _MATH.policy()), decide_clean(other, one, _MATH.policy())]
    if any(decision.equal for decision in decisions):
        return True
    if all(decision.equal is False or not decision.ask for decision in decisions):
        return False
    solution = f"\\boxed{{{other}}}"
    found = final_answer(solution, plain_number=False)
    if found is None or clean(found.text) != clean(other):  # a brace too many: a part of an answer is another answer
        return False
    key = digest("measure", "same", _SAME, _MATH.spec(), _MATH.verifier_version(), one, other)
    known = resources.ledger.get("measure", [key]).get(key)
    if known:
        return known[0] == b"true"
    question = Question.of(problem="", domain="math", truth=Answer(text=one), source="vote", source_id="")
    attempt = Attempt(
        id="vote",
        question_id=question.id,
        sample=0,
        teacher="vote",
        solution=solution,
        finish_reason="stop",
        request_key="vote",
    )
    verdict = await _MATH.verify(question, attempt, resources)
    if verdict.outcome == "error":
        raise Undecided(str(verdict.evidence.get("message", verdict.reason)))
    if not resources.read_only:
        body = b"true" if verdict.outcome == "pass" else b"false"
        await resources.ledger.put([Entry("measure", key, "", body)])
    return verdict.outcome == "pass"
