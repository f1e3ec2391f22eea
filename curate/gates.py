"""Examines questions for a gate: bounded work in flight, every opinion durable before it counts.

A killed run examines nothing twice; trouble of ours keeps a question in the run, marked `unexamined`, and is never
stored as an opinion.
"""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pyarrow as pa

from curate.errors import VeristillError
from curate.isolation import SandboxBlock
from curate.keys import digest
from curate.kinds import UNEXAMINED, Gate, Opinion, Unexamined
from curate.labels import Cleaning
from curate.ledger import Entry, Ledger
from curate.progress import Bar, Progress
from curate.questions import questions_of
from curate.records import Question
from curate.resources import Machines, Resources, cores
from curate.run import Run

_SHOWN = 200  # characters of what went wrong


async def examine(cleaning: Cleaning, stage: Gate, run: Run, sandbox: SandboxBlock, progress: Progress) -> None:
    """Write the labels of the gate whose turn it is; programs run in `sandbox`.

    Raises Prerequisite where this machine cannot isolate programs, and Stopped (a full disk); what was stored stays.
    """
    groups = map(cleaning.kept.only, cleaning.table.groups())
    async with Ledger(run.root / "ledger") as ledger, Machines(sandbox) as machines:
        resources = replace(await machines.ready(stage.needs), ledger=ledger)
        with progress.stage(cleaning.name, len(cleaning.kept)) as bar, cleaning.writing() as write:
            work = _Work(stage, resources, bar)
            # One row group at a time is in memory: about 32 MB of questions, or one larger question.
            while (group := await asyncio.to_thread(next, groups, None)) is not None:
                write(group, await work.group(group))
                del group


def opinion_key(stage: Gate, question: Question, reads: Any) -> str:
    """What an opinion is stored under: the gate, the truth and what else it reads. Not the question's place or id."""
    return digest("gate", stage.spec(), question.truth_key, reads)


class _Work:
    def __init__(self, stage: Gate, resources: Resources, bar: Bar) -> None:
        self._stage, self._resources, self._bar = stage, resources, bar
        self._slots = asyncio.Semaphore(2 * cores())
        self._dropped = 0

    async def group(self, group: pa.Table) -> list[Opinion]:
        """The opinions on a group of rows, in order."""
        questions = await asyncio.to_thread(lambda: list(questions_of(group)))
        reads = [self._stage.reads(question) for question in questions]
        keys = [
            None if read is None else opinion_key(self._stage, question, read)
            for question, read in zip(questions, reads, strict=True)
        ]
        known = self._resources.ledger.get("opinion", list({key for key in keys if key is not None}))
        try:
            async with asyncio.TaskGroup() as tasks:
                found = [
                    tasks.create_task(self._one(question, key, known))
                    for question, key in zip(questions, keys, strict=True)
                ]
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None  # as one of them met it: a full disk stops the run with its own words
        return [task.result() for task in found]

    async def _one(self, question: Question, key: str | None, known: dict[str, list[bytes]]) -> Opinion:
        if key is None:
            opinion = Opinion(True)
        elif key in known:
            opinion = Opinion(*json.loads(known[key][0]))
        else:
            async with self._slots:
                opinion = await self._examined(question, key)
        self._dropped += not opinion.kept
        self._bar.note = f"{self._dropped:,} dropped"
        self._bar.advance()
        return opinion

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


def _unexamined(what: str) -> Opinion:
    return Opinion(True, UNEXAMINED, {"message": what[:_SHOWN].encode("utf-8", "replace").decode()})
