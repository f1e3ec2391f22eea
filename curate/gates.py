"""Examines questions for a gate: bounded work in flight, every opinion durable before it counts.

A killed run examines nothing twice; trouble of ours keeps a question in the run, marked `unexamined`, and is never
stored as an opinion. What was asked of a model when a run is told to stop is waited for: it may be paid for.
"""

import asyncio
import json
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from curate.calls.client import Calls
from curate.calls.counters import Counters
from curate.calls.payments import spent_by
from curate.errors import Stopped, VeristillError
from curate.interrupts import abandoned, asked_to_stop, interrupts, waits_for
from curate.keys import digest
from curate.kinds import UNEXAMINED, Gate, Opinion, Unexamined
from curate.labels import Cleaning, Kept
from curate.ledger import Entry, Ledger
from curate.progress import Bar, Progress
from curate.pulse import Pulse
from curate.questions import QuestionTable, questions_of
from curate.records import Question
from curate.resources import Resources, cores
from curate.run import Run
from curate.spending import lost_in_retries, money, paid_for

if TYPE_CHECKING:
    from curate.flow import Flow

_SHOWN = 200  # characters of what went wrong
_AHEAD = (
    64 << 20
)  # bytes of questions that wait for slow answers while others are begun; one group beyond that is alone

DIFFICULTY = "difficulty"  # what gates ask models for, as the ledger and the report name it

Write = Callable[[pa.Table, list[Opinion]], None]


async def examine(
    cleaning: Cleaning, stage: Gate, handles: AbstractAsyncContextManager[Resources], progress: Progress
) -> Calls:
    """Write the labels of the gate whose turn it is, with handles that are opened for it; returns its calls.

    Raises what opening raises, and Stopped (a budget, an interrupt, a full disk) after waiting for what is in flight;
    what was stored stays.
    """
    groups = map(cleaning.kept.only, cleaning.table.groups())
    async with handles as resources:
        resources.judged_for = DIFFICULTY
        stage = await asyncio.to_thread(stage.prepared, lambda: _texts(cleaning.table, cleaning.kept), progress.say)
        with progress.stage(cleaning.name, len(cleaning.kept)) as bar, cleaning.writing() as write:
            work = _Work(stage, resources, bar, progress)
            if stage.models():
                bar.tell = Pulse(resources.calls, lambda: bar.left)
            async with bar.beating():
                await work.run(groups, write)
    return resources.calls


def _texts(table: QuestionTable, kept: Kept) -> Iterator[pa.Table]:
    """What a gate may want to go through before it examines anything."""
    return map(kept.only, table.groups(["seq", "problem"]))


async def sample(
    stage: Gate, groups: Iterator[pa.Table], handles: AbstractAsyncContextManager[Resources], progress: Progress
) -> None:
    """Examine some questions and keep the opinions and replies, without labels: what a probe measures."""
    async with handles as resources:
        resources.judged_for = DIFFICULTY
        with progress.stage(f"probe {stage.kind()}", None) as bar:
            work = _Work(stage, resources, bar, progress)
            await work.run((group for group in groups if group.num_rows), lambda group, opinions: None)


def opinion_key(spec: dict[str, Any], question: Question, reads: Any) -> str:
    """What an opinion is stored under: the gate, the truth and what else it reads. Not the question's place or id."""
    return digest("gate", spec, question.truth_key, reads)


def asked_by_gates(asked: Counters) -> dict[str, Any]:
    """What gates asked in one command, as the report tells it; empty where they asked nothing."""
    told = {
        "difficulty_replies_new": asked.answered,
        "difficulty_replies_reused": asked.reused + asked.given,
        "difficulty_calls_failed": asked.failed,
        "difficulty_cost_usd": round(asked.cost, 6),
        "difficulty_cost_unknown": asked.cost_unknown,
    }
    return told if asked.asked else {}


def cleaning_money(run: Run, flow: "Flow") -> dict[str, Any]:
    """The block `money` of a run that ends with cleaning; empty where no gate asks a model."""
    if not any(isinstance(stage, Gate) and stage.models() for stage in flow.stages()):
        return {}
    ledger = Ledger(run.root / "ledger", read_only=True)
    try:
        spent, cleaning = spent_by(ledger, run.name).usd, paid_for(ledger, run.name, DIFFICULTY)
        return money({}, lost_in_retries(ledger, run.name), {}, spent, {"cleaning_usd": cleaning})
    finally:
        ledger.close()


class _Begun(NamedTuple):
    """A group of rows whose questions are being examined."""

    group: pa.Table  # seq and id
    size: int  # bytes of its questions
    tasks: list[asyncio.Task[Opinion | None]]

    def ended(self) -> bool:
        return all(task.done() for task in self.tasks)


class _Work:
    def __init__(self, stage: Gate, resources: Resources, bar: Bar, progress: Progress) -> None:
        self._stage, self._resources, self._bar, self._progress = stage, resources, bar, progress
        self._asks, self._spec = bool(stage.models()), stage.spec()
        width = 2 * sum(model.concurrency for model in stage.models())
        self._slots = asyncio.Semaphore(max(2 * cores(), width))
        self._begun: deque[_Begun] = deque()
        self._waiting = 0  # questions without a slot
        self._all_at_work = asyncio.Event()
        self._stop: BaseException | None = None
        self._dropped = 0

    async def run(self, groups: Iterator[pa.Table], write: Write) -> None:
        """Examine all groups and write their opinions, in order. Raises what stopped it, after what is in flight."""
        with interrupts(self._interrupt) if self._asks else nullcontext():
            try:
                # Few row groups at a time are in memory: about 32 MB of questions each, or one larger question.
                while self._stop is None and (group := await asyncio.to_thread(next, groups, None)) is not None:
                    await self._begin(group)
                    del group
                    await self._all_at_work.wait()
                    while self._stop is None and self._begun and (self._begun[0].ended() or self._full()):
                        await self._end_first(write)
                while self._begun and self._stop is None:
                    await self._end_first(write)
            except Exception as error:  # noqa: BLE001 - the boundary to tables and disks: what is in flight is drained
                self._halt(error)
            finally:
                await self._drain()
        if self._stop is not None:
            raise self._stop

    def _full(self) -> bool:
        # Only a model keeps one waiting so long that the next group should begin meanwhile.
        return not self._asks or sum(one.size for one in self._begun) > _AHEAD

    async def _begin(self, group: pa.Table) -> None:
        # The task alone holds its question in the end: one may have 200 MB of tests.
        questions = await asyncio.to_thread(lambda: [(self._key(one), one) for one in questions_of(group)])
        known = self._resources.ledger.get("opinion", list({key for key, _ in questions if key is not None}))
        self._waiting = len(questions)
        if questions:
            self._all_at_work.clear()
        else:
            self._all_at_work.set()
        tasks = [asyncio.create_task(self._one(question, key, known)) for key, question in questions]
        self._begun.append(_Begun(group.select(["seq", "id"]), group.nbytes, tasks))

    def _key(self, question: Question) -> str | None:
        reads = self._stage.reads(question)
        return None if reads is None else opinion_key(self._spec, question, reads)

    async def _end_first(self, write: Write) -> None:
        one = self._begun[0]
        if one.tasks:
            await asyncio.wait(one.tasks)
        if self._stop is not None:
            return
        self._begun.popleft()
        opinions = [task.result() for task in one.tasks]
        await asyncio.to_thread(write, one.group, [opinion for opinion in opinions if opinion is not None])

    async def _drain(self) -> None:
        left = [task for one in self._begun for task in one.tasks if not task.done()]
        if left and self._stop is None:  # cancelled from outside
            for task in left:
                task.cancel()
        while left := [task for task in left if not task.done()]:
            await asyncio.wait(left)

    async def _one(self, question: Question, key: str | None, known: dict[str, list[bytes]]) -> Opinion | None:
        if key is None or key in known:
            self._started()
            opinion = Opinion(True) if key is None else Opinion(*json.loads(known[key][0]))
        else:
            try:
                await self._slots.acquire()
            finally:
                self._started()
            try:
                if self._stop is not None:
                    return None
                opinion = await self._examined(question, key)
            except Exception as error:  # noqa: BLE001 - a full disk, a spent budget: it stops the run with its own words
                self._halt(error)
                return None
            finally:
                self._slots.release()
        self._dropped += not opinion.kept
        if not self._asks:
            self._bar.note = f"{self._dropped:,} dropped"
        self._bar.advance()
        return opinion

    def _started(self) -> None:
        self._waiting -= 1
        if not self._waiting:
            self._all_at_work.set()

    async def _examined(self, question: Question, key: str) -> Opinion:
        try:
            opinion = await self._stage.examine(question, self._resources)
        except Unexamined as error:
            return _unexamined(str(error))
        except VeristillError:
            raise
        # The boundary to gates, third parties' among them: one question must not end the run.
        except Exception as error:  # noqa: BLE001 - the boundary to gates
            return _unexamined(f"{type(error).__name__}: {error}")
        body = json.dumps(list(opinion), ensure_ascii=False, sort_keys=True).encode("utf-8", "replace")
        await self._resources.ledger.put([Entry("opinion", key, "", body)])
        return opinion

    def _halt(self, why: BaseException) -> None:
        """Begin and send nothing more; a defect of ours outranks an orderly stop, since it must be seen."""
        if self._stop is None or not isinstance(why, VeristillError):
            self._stop = why
        stopped = why if isinstance(why, Stopped) else Stopped("the run is ending because of an error")
        self._resources.calls.stop(stopped)

    def _interrupt(self) -> None:
        flying = self._resources.calls.in_flight
        if self._stop is None:
            self._halt(asked_to_stop())
            self._progress.say(waits_for(flying))
            return
        self._stop = abandoned(flying)
        for one in self._begun:
            for task in one.tasks:
                task.cancel()


def _unexamined(what: str) -> Opinion:
    return Opinion(True, UNEXAMINED, {"message": what[:_SHOWN].encode("utf-8", "replace").decode()})
