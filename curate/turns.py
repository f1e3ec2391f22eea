"""Turns: which answers to a question are called for, and in which order they are asked.

Either a fixed number of samples, or rounds that end when enough answers are verified. The rule reads nothing but the
verdicts of earlier turns, so a run that was killed, and a reader of the ledger, come to the same requests.
"""

from collections.abc import Iterator
from typing import NamedTuple

from pydantic import Field

from curate.calls.model import Call
from curate.kinds import Teacher
from curate.lengths import KEEP, OnLength
from curate.records import Question, Record, Verdict
from curate.resources import Resources

PART = 256  # requests of one question in the hand at a time; a million samples come in parts
# Whatever the model writes, these stay: another answer would meet the same.
_HOPELESS = frozenset({"no_verifier", "not_applicable"})


class UntilVerified(Record):
    """Sampling in rounds: the next answer is asked for only if the verdicts so far call for it."""

    want: int = Field(1, ge=1, le=4096, description="Verified answers per question, over all teachers.")
    max_samples: int = Field(8, ge=1, le=4096, description="Answers per question and teacher at most.")


class Request(NamedTuple):
    """One answer to ask for."""

    teacher: Teacher
    number: int  # the teacher's, among all
    sample: int  # over the teachers of the question's domain: number among them * samples + the teacher's own sample
    call: Call


class Asking(NamedTuple):
    """Who is asked, and how often: by `samples`, or by `want` verified answers out of `samples` at most."""

    teachers: tuple[Teacher, ...]
    samples: int
    max_tokens: int | None = None
    want: int | None = None
    on_length: OnLength = KEEP
    use: str = "answer"  # what the answers are for, as the report counts them

    @property
    def most(self) -> int:
        """The answers that a question can call for."""
        return self.samples * len(self.teachers)

    @property
    def at_once(self) -> int:
        """The requests of one part of a question that can be in flight together."""
        return min(self.want or PART, self.most, PART)

    def parts(self) -> Iterator[range | None]:
        """The ranges of samples that a question is solved in; None is all of them. Rounds are never cut."""
        if self.want is not None or self.most <= PART:
            yield None
            return
        for start in range(0, self.most, PART):
            yield range(start, min(start + PART, self.most))

    def requests(self, question: Question, resources: Resources, part: range | None = None) -> Iterator[Request]:
        """The requests of one question in the order of their turns; its domain and recordings may rule some out."""
        seen = question.untested()
        teachers = [(number, one) for number, one in enumerate(self.teachers) if one.asks(seen)]
        for sample in self._order(len(teachers)) if part is None else part:
            if sample >= self.samples * len(teachers):
                break
            number, teacher = teachers[sample // self.samples]
            call = teacher.call(seen, sample % self.samples, resources)
            if call is not None:
                yield Request(teacher, number, sample, self.capped(call))

    def capped(self, call: Call) -> Call:
        """The call under the recipe's own cap on tokens, where it has one, and for its use."""
        changes: dict[str, object] = {} if self.max_tokens is None else {"max_tokens": self.max_tokens}
        if call.use != self.use:
            changes["use"] = self.use
        return call.model_copy(update=changes) if changes else call

    def _order(self, teachers: int) -> Iterator[int]:
        if self.want is None:
            yield from range(self.samples * teachers)
            return
        for own in range(self.samples):  # the teachers take turns: the next is asked where the one before it failed
            yield from range(own, self.samples * teachers, self.samples)


class Turns:
    """The turns of one question: `due` gives what is called for now, `settle` takes the verdict on one of them.

    A turn is called for unless enough earlier ones are verified, or may still be: what is in flight, and what ended in
    trouble of ours, may still be.
    """

    def __init__(self, requests: Iterator[Request], want: int | None) -> None:
        self._requests, self._want = requests, want
        self._open = 0
        self.asked = 0

    def due(self) -> list[Request]:
        """The requests that are called for and were not given yet."""
        found: list[Request] = []
        while self._want is None or self._open < self._want:
            request = next(self._requests, None)
            if request is None:
                break
            found.append(request)
            self._open += 1
        self.asked += len(found)
        return found

    def settle(self, verdict: Verdict) -> None:
        """Take the verdict on one of the turns."""
        if verdict.outcome == "fail" or (verdict.outcome == "unsure" and verdict.reason not in _HOPELESS):
            self._open -= 1
