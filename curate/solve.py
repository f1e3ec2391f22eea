"""Solve: ask for the answers to one question and verify each, in one coroutine.

Everything it learns stands in the ledger, so it can be asked again at any time: `decide` reads what is there and
computes attempts and verdicts without asking or running anything; `solve` fills what is missing and then decides.
"""

import asyncio
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pydantic import Field

from curate.calibrate import Calibration, Compared, ask_besides
from curate.calls.model import Call, Reply
from curate.errors import VeristillError
from curate.keys import digest
from curate.kinds import Teacher
from curate.ledger import Entry
from curate.records import Attempt, Question, Record, Verdict
from curate.resources import Resources
from curate.verdicts import Verdicts
from curate.verifiers.router import Missing, Router, Step


class Work(NamedTuple):
    """What solving needs to know of a recipe."""

    teachers: tuple[Teacher, ...]
    samples: int
    max_tokens: int | None
    router: Router
    calibration: Calibration | None = None

    def needs(self, rows: Sequence[tuple[str, str]]) -> frozenset[str]:
        """The handles that verifying these (domain, truth type) pairs needs open."""
        return self.router.needs(rows) | (self.calibration.needs(rows) if self.calibration else frozenset())


class Decided(Record):
    """One attempt and its final verdict."""

    attempt: Attempt
    verdict: Verdict
    verdict_key: str | None = None  # of the stored verdict that decided; None where no verifier had to run
    compared: Compared | None = None  # with what else is known of it, where the recipe has something to compare with


class Solved(Record):
    """What solving one question came to."""

    seq: int
    asked: int = 0  # requests that this question calls for
    answered: int = 0  # of those, the ones with a reply
    decided: tuple[Decided, ...] = ()
    verdicts_new: int = 0
    verdicts_reused: int = 0
    pending: int = 0  # `decide` only: requests or verdicts that are not there yet
    troubles: tuple[str, ...] = Field(default=())  # why calls failed, in words


class _Request(NamedTuple):
    teacher: Teacher
    sample: int  # over all teachers: teacher number * samples + the teacher's own sample
    own_sample: int
    call: Call


def requests(question: Question, work: Work, resources: Resources) -> Iterator[_Request]:
    """The requests a question calls for, in sample order."""
    seen = question.untested()
    for number, teacher in enumerate(work.teachers):
        for own in range(work.samples):
            call = teacher.call(seen, own, resources)
            if call is None:
                continue
            if work.max_tokens is not None:
                call = call.model_copy(update={"max_tokens": work.max_tokens})
            yield _Request(teacher, number * work.samples + own, own, call)


async def solve(question: Question, work: Work, resources: Resources) -> Solved:
    """Ask, verify, store. Raises Stopped where no more may be asked; every other trouble becomes an `error` verdict."""
    asked = list(requests(question, work, resources))
    ended = await asyncio.gather(
        *(_one(question, request, work, resources) for request in asked), return_exceptions=True
    )
    # All of them have ended by now: a request that is under way must not outlive the ledger because another stopped.
    results: list[_One] = []
    for one in ended:
        if isinstance(one, BaseException):
            raise one
        results.append(one)
    return Solved(
        seq=question.seq,
        asked=len(asked),
        answered=sum(one.decided.attempt.finish_reason != "failed" for one in results),
        decided=tuple(one.decided for one in results),
        verdicts_new=sum(one.fresh for one in results),
        verdicts_reused=sum(one.reused for one in results),
        troubles=tuple(one.trouble for one in results if one.trouble),
    )


class _One(NamedTuple):
    decided: Decided
    fresh: int
    reused: int
    trouble: str | None


async def _one(question: Question, request: _Request, work: Work, resources: Resources) -> _One:
    try:
        reply = await resources.calls.ask(request.call)
        attempt = _attempt(question, request, reply)
    except VeristillError:
        raise
    # The boundary to teachers and transports, third parties' among them: one row must not end the run.
    except Exception as error:  # noqa: BLE001 - the boundary to teachers
        reply = Reply(status="failed", error=f"{type(error).__name__}: {error}"[:300])
        attempt = _failed(question, request)
    judgement = await work.router.verify(question, attempt, resources, resources.verdicts)
    await _store(judgement.steps, resources)
    steps, compared = list(judgement.steps), None
    if work.calibration is not None:
        besides = await ask_besides(work.calibration, question, attempt, judgement, resources)
        await _store(besides, resources)
        steps += besides
        here = {step.key: step.verdict for step in steps if step.key}
        compared = work.calibration.compare(
            question, attempt, judgement, lambda key: here.get(key) or resources.verdicts.get(key)
        )
    return _One(
        Decided(attempt=attempt, verdict=judgement.verdict, verdict_key=judgement.key, compared=compared),
        sum(step.fresh for step in steps),
        sum(not step.fresh for step in steps if step.key),
        reply.error if reply.status == "failed" else None,
    )


async def _store(steps: Sequence[Step], resources: Resources) -> None:
    entries = []
    for step in steps:
        if step.fresh and step.key:
            # An `error` is our trouble: noted for the reports, never reused as a verdict (law 1).
            kind = "trouble" if step.verdict.outcome == "error" else "verdict"
            entries.append(Entry(kind, step.key, "", step.verdict.model_dump_json().encode()))
    if entries:
        await resources.ledger.put(entries)


def decide(questions: Sequence[Question], work: Work, resources: Resources) -> list[Solved]:
    """What the ledger already says of these questions. Pure: nothing is asked, run or written."""
    asked = [list(requests(question, work, resources)) for question in questions]
    replies = resources.calls.lookup([request.call for one in asked for request in one])
    return [_decided(question, one, replies, work, resources) for question, one in zip(questions, asked, strict=True)]


def _decided(
    question: Question, asked: list[_Request], replies: dict[str, Reply], work: Work, resources: Resources
) -> Solved:
    known = Verdicts(resources.ledger, troubles=True)
    decided: list[Decided] = []
    answered = pending = 0
    for request in asked:
        reply = replies.get(request.call.key)
        if reply is None:
            pending += 1
            continue
        attempt = _attempt(question, request, reply)
        answered += attempt.finish_reason != "failed"
        judgement = work.router.judge(question, attempt, known.get)
        if isinstance(judgement, Missing):
            pending += 1
            continue
        compared = work.calibration and work.calibration.compare(question, attempt, judgement, known.get)
        decided.append(
            Decided(attempt=attempt, verdict=judgement.verdict, verdict_key=judgement.key, compared=compared)
        )
    return Solved(seq=question.seq, asked=len(asked), answered=answered, decided=tuple(decided), pending=pending)


def _failed(question: Question, request: _Request) -> Attempt:
    key = request.call.key
    return Attempt(
        id=digest(question.id, key),
        question_id=question.id,
        sample=request.sample,
        teacher=request.teacher.name(),
        finish_reason="failed",
        request_key=key,
    )


def _attempt(question: Question, request: _Request, reply: Reply) -> Attempt:
    attempt = request.teacher.parse(question, request.sample, request.call, reply)
    return attempt.model_copy(update={"sample": request.sample})
