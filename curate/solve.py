"""Solve: ask for the answers to one question and verify each, in one coroutine.

Everything it learns stands in the ledger, so it can be asked again at any time: `decide` reads what is there and
computes attempts and verdicts without asking or running anything; `solve` fills what is missing and then decides.
"""

import asyncio
from collections.abc import Sequence
from typing import Literal, NamedTuple

from pydantic import Field

from curate.calibrate import Calibration, Compared, ask_besides
from curate.calls.model import Reply
from curate.keys import digest
from curate.ledger import Entry
from curate.lengths import answer, known_replies
from curate.records import Attempt, Question, Record, Verdict
from curate.resources import Resources
from curate.turns import Asking, Request, Turns
from curate.verdicts import Verdicts
from curate.verifiers.router import Judgement, Missing, Router, Step


class Work(NamedTuple):
    """What solving needs to know of a recipe."""

    asking: Asking
    router: Router
    calibration: Calibration | None = None

    def needs(self, rows: Sequence[tuple[str, str]]) -> frozenset[str]:
        """The handles that verifying these (domain, truth type) pairs needs open."""
        return self.router.needs(rows) | (self.calibration.needs(rows) if self.calibration else frozenset())


# No teacher is for the question's domain; no teacher has a recorded answer to it.
Unasked = Literal["no_teacher", "no_recorded_answer"]


class Decided(Record):
    """One attempt and its final verdict."""

    attempt: Attempt
    verdict: Verdict
    verdict_key: str | None = None  # of the stored verdict that decided; None where no verifier had to run
    compared: Compared | None = None  # with what else is known of it, where the recipe has something to compare with
    fingerprint: str | None = None  # of what answered, in the server's words
    endpoint: str | None = None  # the server that answered
    replaced_usd: float = 0.0  # what the cut answer cost in whose place this one was asked for


class Solved(Record):
    """What solving one question came to."""

    seq: int
    part: int | None = None  # the first of its samples, where the question is solved in parts
    unasked: Unasked | None = None  # why there is nothing to ask at all
    asked: int = 0  # requests that this question calls for
    answered: int = 0  # of those, the ones with a reply (`decide`: and a verdict)
    decided: tuple[Decided, ...] = ()
    verdicts_new: int = 0
    verdicts_reused: int = 0
    pending: int = 0  # `decide` only: requests or verdicts that are not there yet
    troubles: tuple[str, ...] = Field(default=())  # why calls failed, in words

    @property
    def first(self) -> bool:
        """Whether it is the question itself, or its first part: what is counted once a question."""
        return not self.part


async def solve(question: Question, work: Work, resources: Resources, part: range | None = None) -> Solved:
    """Ask, verify, store; of one part of the samples where one is given.

    Raises Stopped where no more may be asked; every other trouble becomes an `error` verdict.
    """
    turns = Turns(work.asking.requests(question, resources, part), work.asking.want)
    results: list[_One] = []
    trouble: BaseException | None = None
    running: set[asyncio.Task[_One]] = set()
    while True:
        due = turns.due() if trouble is None else []
        if len(due) == 1 and not running:  # the usual case, without the cost of a task
            results.append(await _one(question, due[0], work, resources))
            turns.settle(results[-1].decided.verdict)
            continue
        running |= {asyncio.create_task(_one(question, request, work, resources)) for request in due}
        if not running:
            break
        # All of them are waited for: a request under way must not outlive the ledger because another stopped.
        done, running = await _some(running, every=work.asking.want is None)
        for one in done:
            if (error := _error(one)) is not None:
                trouble = trouble or error
            else:
                results.append(one.result())
                turns.settle(results[-1].decided.verdict)
    if trouble is not None:
        raise trouble
    results.sort(key=lambda one: one.decided.attempt.sample)
    return Solved(
        seq=question.seq,
        part=None if part is None else part.start,
        unasked=_unasked(question, work, turns, part),
        asked=turns.asked,
        answered=sum(one.decided.attempt.finish_reason != "failed" for one in results),
        decided=tuple(one.decided for one in results),
        verdicts_new=sum(one.fresh for one in results),
        verdicts_reused=sum(one.reused for one in results),
        troubles=tuple(one.trouble for one in results if one.trouble),
    )


_Running = set["asyncio.Task[_One]"]


async def _some(running: _Running, *, every: bool) -> tuple[_Running, _Running]:
    """Wait for the first of them, or for every one; whoever cancels this cancels them."""
    try:
        return await asyncio.wait(running, return_when=asyncio.ALL_COMPLETED if every else asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError:
        for task in running:
            task.cancel()
        await asyncio.wait(running)
        raise


def _error(task: "asyncio.Task[_One]") -> BaseException | None:
    return asyncio.CancelledError() if task.cancelled() else task.exception()


class _One(NamedTuple):
    decided: Decided
    fresh: int
    reused: int
    trouble: str | None


async def _one(question: Question, request: Request, work: Work, resources: Resources) -> _One:
    reply = await answer(request.teacher, request.call, work.asking.on_length, resources.calls)
    attempt, reply = _attempt(question, request, reply)
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
        _decided(attempt, judgement, compared, reply),
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


def decide(questions: Sequence[Question], work: Work, resources: Resources, part: range | None = None) -> list[Solved]:
    """What the ledger already says of these questions. Pure: nothing is asked, run or written."""
    known = Verdicts(resources.ledger, troubles=True)
    readings = [_Reading(question, work, resources, part) for question in questions]
    while True:
        due = [(reading, request) for reading in readings for request in reading.turns.due()]
        if not due:
            return [reading.solved() for reading in readings]
        asked = [(request.teacher, request.call) for _, request in due]
        replies = known_replies(asked, work.asking.on_length, resources.calls)
        for reading, request in due:
            reading.take(request, replies.get(request.call.key), known)


class _Reading:
    """One question as the ledger has it."""

    def __init__(self, question: Question, work: Work, resources: Resources, part: range | None) -> None:
        self.turns = Turns(work.asking.requests(question, resources, part), work.asking.want)
        self._question, self._work, self._part = question, work, part
        self._decided: list[Decided] = []
        self._answered = self._pending = 0

    def take(self, request: Request, reply: Reply | None, known: Verdicts) -> None:
        """Take what is known of one request. What is not known yet may still be verified."""
        if reply is None:
            self._pending += 1
            return
        attempt, reply = _attempt(self._question, request, reply)
        judgement = self._work.router.judge(self._question, attempt, known.get)
        if isinstance(judgement, Missing):
            self._pending += 1
            return
        self._answered += attempt.finish_reason != "failed"
        calibration = self._work.calibration
        compared = calibration and calibration.compare(self._question, attempt, judgement, known.get)
        self._decided.append(_decided(attempt, judgement, compared, reply))
        self.turns.settle(judgement.verdict)

    def solved(self) -> Solved:
        """What it comes to."""
        part, asked = self._part, self.turns.asked
        return Solved(
            seq=self._question.seq,
            part=None if part is None else part.start,
            unasked=_unasked(self._question, self._work, self.turns, part),
            asked=asked,
            answered=self._answered,
            decided=tuple(sorted(self._decided, key=lambda one: one.attempt.sample)),
            pending=self._pending,
        )


def _unasked(question: Question, work: Work, turns: Turns, part: range | None) -> Unasked | None:
    """Why nothing was asked of a question, which its first part says."""
    if turns.asked or (part and part.start):
        return None
    return "no_recorded_answer" if any(one.asks(question) for one in work.asking.teachers) else "no_teacher"


def _decided(attempt: Attempt, judgement: Judgement, compared: Compared | None, reply: Reply) -> Decided:
    return Decided(
        attempt=attempt,
        verdict=judgement.verdict,
        verdict_key=judgement.key,
        compared=compared,
        fingerprint=reply.fingerprint,
        endpoint=reply.endpoint,
        replaced_usd=reply.replaced_usd,
    )


def _failed(question: Question, request: Request) -> Attempt:
    key = request.call.key
    return Attempt(
        id=digest("attempt", question.id, request.teacher.name(), request.call.sample, key),
        question_id=question.id,
        sample=request.sample,
        teacher=request.teacher.name(),
        finish_reason="failed",
        request_key=key,
    )


def _attempt(question: Question, request: Request, reply: Reply) -> tuple[Attempt, Reply]:
    """The attempt that a reply holds; one that its teacher cannot read is failed, now and when it is read again."""
    try:
        attempt = request.teacher.parse(question, request.sample, request.call, reply)
    # The boundary to teachers, third parties' among them: one row must not end the run, nor a reading of it.
    except Exception as error:  # noqa: BLE001 - the boundary to teachers
        return _failed(question, request), _trouble(error)
    return attempt.model_copy(update={"sample": request.sample}), reply


def _trouble(error: Exception) -> Reply:
    return Reply(status="failed", error=f"{type(error).__name__}: {error}"[:300])
