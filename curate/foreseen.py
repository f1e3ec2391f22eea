"""What cleaning stages and rewards will ask of models: their requests, as far as these are known before any reply."""

import asyncio
import json
from array import array
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.calls.model import Call, Reply
from curate.kinds import Gate, Reward
from curate.labels import Stage
from curate.measures.rewards import REWARD
from curate.projection import PASS_RATE, Range, Seen, TeacherPlan, project
from curate.questions import SCHEMA, questions_of
from curate.records import Attempt, Question
from curate.resources import Resources

_BATCH = 64
COLUMNS = [name for name in SCHEMA.names if name != "test_cases"]


# Of an answer's bytes, what its solution has: the rest is thinking. Assumed where no reward was measured.
_SOLUTION = 0.25
_BYTES = 4  # of a token of English


class Foreseen(NamedTuple):
    """A plan for each gate, and the requests that they will send: whoever else would send one need not."""

    plans: tuple[TeacherPlan, ...] = ()
    coming: npt.NDArray[np.uint64] = np.empty(0, np.uint64)  # the first 64 bits of each request key, ascending


async def foreseen(left: Sequence[Stage], groups: Callable[[], Iterator[pa.Table]], resources: Resources) -> Foreseen:
    """What each gate that is still to come and asks a model will take; `groups` reads `COLUMNS` of the questions kept
    so far.

    A request that two of them would send counts with the first. Behind another stage that is still to come fewer
    questions may arrive: the low end is then nothing. What judges of its answers take is left out.
    """
    found = Foreseen()
    for place, stage in enumerate(left):
        if not isinstance(stage, Gate) or not stage.models():
            continue
        for model in stage.models():
            await model.open(resources)
        ready = await asyncio.to_thread(stage.prepared, groups, lambda line: None)
        for share in ready.shares():
            found = _foreseen(share, groups(), resources, found, later=place > 0)
    return found


def _foreseen(
    stage: Gate, groups: Iterator[pa.Table], resources: Resources, before: Foreseen, *, later: bool
) -> Foreseen:
    """`before` and what one gate asks of its model; behind another stage (`later`) fewer questions may come."""
    survey = _Survey(stage, resources)
    for group in groups:
        questions = questions_of(group, tests=False)
        while part := list(islice(questions, _BATCH)):
            survey.take(part)
    coming = survey.coming(before.coming)
    requests = Range.exactly(float(len(coming)))
    if later:
        requests = requests.model_copy(update={"low": 0.0})
    if survey.seen.call is None:
        return before
    plans = (*before.plans, project(survey.seen, requests))
    return Foreseen(plans, np.union1d(before.coming, coming))


class Rewardable(NamedTuple):
    """The answers that there will be: how many, how long, and to questions of what size."""

    example: Question
    answers: Range
    output: Range  # tokens of an answer
    problem_bytes: float


async def reward_foreseen(reward: Reward, what: Rewardable, resources: Resources, run: str) -> TeacherPlan | None:
    """A plan for the rewards of these answers; None where nothing is asked (recorded replies).

    What was asked before is read from the run's payments: nothing of the answers' texts need be read.
    """
    await reward.open(resources)
    seen = Seen(name=f"{REWARD} ({reward.name()})")
    answer = Attempt(
        id="", question_id=what.example.id, sample=0, teacher="", solution="?", finish_reason="stop", request_key=""
    )
    seen.call = reward.call(what.example.untested(), answer, resources)
    if seen.call is None or not seen.call.stored:
        return None
    keys = list(_paid(resources, run))
    for bodies in resources.ledger.get("reply", keys).values():
        _count(seen, Reply.from_bytes(bodies[-1]))
    share = Range(low=0.0, expected=PASS_RATE, high=1.0) if reward.of == "verified" else Range.exactly(1.0)
    asked = what.answers * share
    seen.answered = len(keys)
    seen.questions = max(1, round(asked.expected))
    size = what.output.expected * _BYTES * (1.0 if reward.sees == "whole" else _SOLUTION)
    seen.text_bytes = round((what.problem_bytes + size) * seen.questions)
    return project(seen, (asked + Range.exactly(-float(len(keys)))).at_least(Range.exactly(0.0)))


def _paid(resources: Resources, run: str) -> set[str]:
    """The keys of the requests that a run has paid for as rewards."""
    mark = f'"{REWARD}"'.encode()
    found = set()
    for key, _, body in resources.ledger.scan("paid"):
        if mark in body:
            paid = json.loads(body)
            if paid["run"] == run and paid.get("use") == REWARD:
                found.add(key)
    return found


def _count(seen: Seen, reply: Reply) -> None:
    """Take what a stored reply took."""
    seen.paid += reply.cost or 0.0
    seen.seconds.add(reply.seconds)
    if reply.cost is not None:
        seen.cost.add(reply.cost)
    for name, moments in (("input", seen.input), ("output", seen.output)):
        if name in reply.usage:
            moments.add(reply.usage[name])


class _Survey:
    """One pass over the questions for one gate. Memory: 8 bytes a request."""

    def __init__(self, stage: Gate, resources: Resources) -> None:
        self.seen = Seen(name=f"{stage.kind()} ({stage.models()[0].name()})")
        self._stage, self._resources = stage, resources
        self._keys, self._answered = array("Q"), array("Q")

    def take(self, questions: Sequence[Question]) -> None:
        """Take some questions."""
        calls = [call for one in questions for call in self._stage.requests(one, self._resources) if call.stored]
        replies = self._resources.calls.lookup(calls) if self._resources.ledger.count("reply") else {}
        for call in calls:
            self._take(call, replies.get(call.key))

    def _take(self, call: Call, reply: Any) -> None:
        key = int(call.key[:16], 16)
        self.seen.call = self.seen.call or call
        self.seen.text_bytes += text_bytes(call.body)
        self._keys.append(key)
        if reply is None or reply.status != "ok":
            return
        self._answered.append(key)
        _count(self.seen, reply)

    def coming(self, before: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
        """What is still to be asked: each content once, however often it stands in the sources, but for `before`."""
        asked, answered = (np.unique(np.asarray(keys, np.uint64)) for keys in (self._keys, self._answered))
        self.seen.text_bytes = round(self.seen.text_bytes * len(asked) / max(1, len(self._keys)))
        self.seen.questions, self.seen.answered = len(asked), len(answered)
        found: npt.NDArray[np.uint64] = np.setdiff1d(np.setdiff1d(asked, answered), before)
        return found


def text_bytes(body: dict[str, Any]) -> int:
    """Bytes of the texts in a request."""
    texts: list[Any] = [body.get(name) for name in ("messages", "prompt", "input", "instructions")]
    size = 0
    while texts:
        one = texts.pop()
        if isinstance(one, str):
            size += len(one.encode("utf-8", "surrogatepass"))
        elif isinstance(one, int):  # a token id
            size += 4
        elif isinstance(one, dict):
            texts += [value for name, value in one.items() if name != "role"]
        elif isinstance(one, list):
            texts += one
    return size
