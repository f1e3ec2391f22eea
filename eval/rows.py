"""From stored answers to rows of results: both gradings, equal answers, rewards and likeness, a slice at a time.

Whatever a row needs that is not in the ledger yet (a program of Evalchemy's reading, a reward) is made here and
stored, so that writing the rows again costs nothing.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import pyarrow as pa

from curate.assemble import decided_now
from curate.calls import completion
from curate.calls.model import Call, Reply
from curate.keys import digest
from curate.kinds import Reward
from curate.ledger import Entry
from curate.questions import questions_of
from curate.records import Attempt, Question
from curate.resources import Resources
from curate.solve import Decided, Solved, Work
from curate.sources._published import PRIVATE
from curate.verifiers.router import Judgement
from eval.classes import classes
from eval.contamination import Nearest
from eval.gradings import evalchemy, ours
from eval.pose import BENCH, PLACE, Posing
from eval.protocol import topic_of


class Grading(NamedTuple):
    """What rows are made with."""

    posings: Mapping[str, Posing]
    reward: Reward | None = None
    near: Nearest = MappingProxyType({})


class Sample(NamedTuple):
    """One answer with what is known of it."""

    question: Question
    decided: Decided
    call: Call
    reply: Reply | None


async def rows_of(
    groups: Iterable[pa.Table], work: Work, resources: Resources, grading: Grading
) -> AsyncIterator[dict[str, Any]]:
    """The rows of results of whole questions, run by run, in the order of the groups."""
    for part, samples in _questions(groups, work, resources):
        for row in await _rows(samples, part, work, resources, grading):
            yield row


def _questions(groups: Iterable[pa.Table], work: Work, resources: Resources) -> Iterator[tuple[pa.Table, list[Sample]]]:
    """All samples of each question together: equal answers are numbered over all of them, however many parts."""
    held: list[Sample] = []
    of: pa.Table = None
    for part, solved in decided_now(iter(groups), work, resources):
        for question, one in solved:
            if held and held[0].question.seq != question.seq:
                yield of, held
                held = []
            held += _samples(question, one, work, resources)
            of = part
    if held:
        yield of, held


def _samples(question: Question, solved: Solved, work: Work, resources: Resources) -> Iterator[Sample]:
    runs = [one.attempt.sample for one in solved.decided]
    part = range(min(runs), max(runs) + 1) if runs else range(0)
    calls = {one.sample: one.call for one in work.asking.requests(question, resources, part)}
    known = resources.calls.lookup([calls[run] for run in runs])
    for decided in solved.decided:
        call = calls[decided.attempt.sample]
        yield Sample(question, decided, call, known.get(call.key))


async def _rows(
    samples: Sequence[Sample], part: pa.Table, work: Work, resources: Resources, grading: Grading
) -> list[dict[str, Any]]:
    if not samples:
        return []
    question = samples[0].question
    posing = grading.posings[question.meta[BENCH]]
    answers = [ours.answer(question, one.decided.attempt) for one in samples]
    passed = [one.decided.verdict.outcome == "pass" for one in samples]
    same = await classes(question, answers, passed, resources)
    second = await asyncio.gather(*(_second(one, posing, part, work, resources) for one in samples))
    scores = await asyncio.gather(*(_reward(one, grading.reward, resources) for one in samples))
    return [
        {
            **_row(one, posing, grading.near),
            "answer": answers[number],
            "answer_class": same[number],
            "evalchemy": None if (graded := second[number]) is None else graded.right,
            "evalchemy_answer": None if graded is None else graded.answer,
            "score": scores[number],
        }
        for number, one in enumerate(samples)
    ]


def _row(one: Sample, posing: Posing, near: Nearest) -> dict[str, Any]:
    question, attempt, verdict = one.question, one.decided.attempt, one.decided.verdict
    likeness = near.get((posing.label, question.source_id))
    seed = one.call.body.get("seed")
    return {
        "bench": posing.label,
        "version": posing.edition,
        "question_id": question.id,
        "seq": question.meta[PLACE],
        "run": attempt.sample,
        "seed": seed if isinstance(seed, int) else None,
        "source": question.source,
        "topic": topic_of(question, posing.topic),
        "outcome": verdict.outcome,
        "reason": verdict.reason,
        "finish_reason": attempt.finish_reason,
        "prompt_tokens": attempt.usage.get("input"),
        "output_tokens": attempt.usage.get("output"),
        "problem": question.problem,
        "reference": ours.reference(question),
        "reasoning": attempt.reasoning,
        "solution": attempt.solution,
        "private": bool(question.meta.get(PRIVATE)),
        "prompt_hash": digest(posing.messages(question)),
        "model_returned": attempt.model,
        "cost_usd": attempt.cost,
        "request_key": attempt.request_key,
        "similarity": None if likeness is None else likeness.similarity,
        "near_row": None if likeness is None else likeness.row,
    }


async def _second(
    one: Sample, posing: Posing, part: pa.Table, work: Work, resources: Resources
) -> evalchemy.Graded | None:
    """Evalchemy's grading; None where it has none, and where no reply came."""
    if posing.evalchemy is None or one.reply is None or one.reply.status == "failed":
        return None
    output = completion.said(completion.message(one.reply.raw))
    graded = evalchemy.grade(posing.evalchemy, output, one.question)
    if graded is None or graded.right is not None:
        return graded
    block = evalchemy.last_block(output)
    assert block is not None
    return graded._replace(right=await _run(one, block, part, work, resources))


async def _run(one: Sample, block: str, part: pa.Table, work: Work, resources: Resources) -> bool | None:
    """Whether a program passes the question's tests, as a verdict like any other; None for trouble of ours."""
    solution = f"```python\n{block}\n```"
    changes = {"solution": solution, "finish_reason": "stop", "id": digest("block", one.decided.attempt.id)}
    attempt: Attempt = one.decided.attempt.model_copy(update=changes)
    known = work.router.judge(one.question, attempt, resources.verdicts.get)  # by its key: the tests are not needed
    if isinstance(known, Judgement):
        return _right(known.verdict.outcome)
    question = await asyncio.to_thread(_with_tests, part, one.question.seq)
    judged = await work.router.verify(question, attempt, resources, resources.verdicts)
    stored = [
        Entry("verdict", step.key, "", step.verdict.model_dump_json().encode())
        for step in judged.steps
        if step.fresh and step.key and step.verdict.outcome != "error"
    ]
    if stored and not resources.read_only:
        await resources.ledger.put(stored)
    return _right(judged.verdict.outcome)


def _right(outcome: str) -> bool | None:
    return None if outcome == "error" else outcome == "pass"


def _with_tests(part: pa.Table, seq: int) -> Question:
    seqs = part.column("seq").to_pylist()
    return next(questions_of(part.slice(seqs.index(seq), 1)))


async def _reward(one: Sample, reward: Reward | None, resources: Resources) -> float | None:
    """The reward of a finished answer; None where there is none, or because of trouble of ours."""
    attempt = one.decided.attempt
    if reward is None or attempt.finish_reason != "stop":
        return None
    if reward.of == "verified" and one.decided.verdict.outcome != "pass":
        return None
    question = one.question.untested()
    call = reward.call(question, attempt, resources)
    if call is None:
        return None
    reply = await resources.calls.ask(call)
    return None if reply.status == "failed" else reward.read(question, attempt, call, reply)
