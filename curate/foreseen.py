"""What the cleaning stages that ask a model will take: their requests, as far as these are known before any reply."""

from array import array
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa

from curate.calls.model import Call
from curate.kinds import Gate
from curate.labels import Stage
from curate.projection import Range, Seen, TeacherPlan, project
from curate.questions import SCHEMA, questions_of
from curate.records import Question
from curate.resources import Resources

_BATCH = 64
COLUMNS = [name for name in SCHEMA.names if name != "test_cases"]


async def foreseen(
    left: Sequence[Stage], groups: Callable[[], Iterator[pa.Table]], resources: Resources
) -> tuple[TeacherPlan, ...]:
    """A plan for each gate that is still to come and asks a model; `groups` reads `COLUMNS` of the questions kept so
    far.

    Behind another stage that is still to come fewer questions may arrive: the low end is then nothing. What judges of
    its answers take is left out.
    """
    found = []
    for place, stage in enumerate(left):
        if not isinstance(stage, Gate) or not stage.models():
            continue
        for model in stage.models():
            await model.open(resources)
        survey = _Survey(stage, resources)
        for group in groups():
            questions = questions_of(group, tests=False)
            while part := list(islice(questions, _BATCH)):
                survey.take(part)
        requests = survey.requests()
        if place:
            requests = requests.model_copy(update={"low": 0.0})
        if survey.seen.call is not None:
            found.append(project(survey.seen, requests))
    return tuple(found)


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
        self.seen.paid += reply.cost or 0.0
        self.seen.seconds.add(reply.seconds)
        if reply.cost is not None:
            self.seen.cost.add(reply.cost)
        for name, moments in (("input", self.seen.input), ("output", self.seen.output)):
            if name in reply.usage:
                moments.add(reply.usage[name])

    def requests(self) -> Range:
        """What is still to be asked: each content once, however often it stands in the sources."""
        asked, answered = (len(np.unique(np.asarray(keys, np.uint64))) for keys in (self._keys, self._answered))
        self.seen.text_bytes = round(self.seen.text_bytes * asked / max(1, len(self._keys)))
        self.seen.questions, self.seen.answered = asked, answered
        return Range.exactly(float(asked - answered))


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
