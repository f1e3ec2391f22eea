"""Fills the column `reward`: asks a model about each answer, after verification and before anything is selected.

A reward is stored under the question, the answer's text and what decides it, so nothing is asked twice, and a selection
that reads none asks nothing. Trouble of ours leaves a value out, counted; the next run asks again.
"""

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curate.errors import Stopped, VeristillError
from curate.interrupts import abandoned, asked_to_stop, interrupts, waits_for
from curate.keys import digest
from curate.kinds import Reward
from curate.ledger import Entry
from curate.measures.reading import Answers
from curate.progress import Bar, Progress
from curate.pulse import Pulse
from curate.records import Attempt, Question
from curate.resources import Resources

REWARD = "reward"  # what models are asked for here, as the ledger and the report name it
_KEYS = 4096  # looked up at a time
_SHOWN = 200  # characters of what went wrong


class Rewarded(NamedTuple):
    """The attempts with the column, and how many have no value because of trouble of ours."""

    attempts: pa.Table
    failed: int


async def rewarded(
    reward: Reward, attempts: pa.Table, answers: Answers, resources: Resources, progress: Progress
) -> Rewarded:
    """Add the column `reward` (float64, null where there is none) to an ordered table of attempts with text keys.

    With `resources.read_only` nothing is asked. Raises Stopped (a budget, an interrupt) after what is in flight, and
    InputError where replies are not what the recipe says.
    """
    work = _Work(reward, attempts, resources, progress)
    missing = await asyncio.to_thread(work.known)
    if missing.any() and not resources.read_only:
        with progress.stage("reward", int(missing.sum())) as bar:
            bar.tell = Pulse(resources.calls, lambda: bar.left)
            async with bar.beating():
                await work.run(lambda: answers.batches(missing), bar)
        work.told()
    return Rewarded(attempts.append_column("reward", pa.array(work.values, from_pandas=True)), work.failed)


class _Work:
    def __init__(self, reward: Reward, attempts: pa.Table, resources: Resources, progress: Progress) -> None:
        self._reward, self._attempts, self._resources, self._progress = reward, attempts, resources, progress
        self.values: npt.NDArray[np.float64] = np.full(attempts.num_rows, np.nan)
        self.failed = 0
        self._unread = 0
        self._why = ""
        self._spec = {"measure": "reward", **reward.spec()}
        self._slots = asyncio.Semaphore(2 * reward.concurrency)
        self._tasks: set[asyncio.Task[None]] = set()
        self._stop: BaseException | None = None

    def known(self) -> npt.NDArray[np.bool_]:
        """Take what the ledger has; returns which rows (n,) have still to be asked about."""
        wanted = pc.equal(self._attempts.column("finish_reason").cast(pa.string()), "stop").to_numpy()
        if self._reward.of == "verified":
            wanted &= pc.equal(self._attempts.column("outcome").cast(pa.string()), "pass").to_numpy()
        missing = np.zeros(len(wanted), dtype=np.bool_)
        rows = np.flatnonzero(wanted)
        for start in range(0, len(rows), _KEYS):
            part = rows[start : start + _KEYS]
            columns = (self._attempts.column(name).take(pa.array(part)) for name in ("question_id", "text_key"))
            keys = [self._key(*pair) for pair in zip(*(one.to_pylist() for one in columns), strict=True)]
            found = self._resources.ledger.get("measure", list(set(keys)))
            for row, key in zip(part.tolist(), keys, strict=True):
                if key in found:
                    self._fill(row, json.loads(found[key][0]))
                else:
                    missing[row] = True
        return missing

    async def run(self, batches: Callable[[], Iterator[list[tuple[int, Question, Attempt]]]], bar: Bar) -> None:
        """Ask about all of them, and store what comes. Raises what stopped it, after what is in flight."""
        with interrupts(self._interrupt):
            try:
                reading = batches()
                while self._stop is None and (batch := await asyncio.to_thread(next, reading, None)) is not None:
                    for row, question, attempt in batch:
                        await self._slots.acquire()
                        if self._stop is not None:
                            self._slots.release()
                            break
                        task = asyncio.create_task(self._one(row, question, attempt, bar))
                        self._tasks.add(task)
                        task.add_done_callback(self._tasks.discard)
            except Exception as error:  # noqa: BLE001 - the boundary to tables and disks: what is in flight is drained
                self._halt(error)
            finally:
                await self._drain()
        if self._stop is not None:
            raise self._stop

    def told(self) -> None:
        """Say what came to nothing."""
        if self.failed:
            self._progress.say(f"{self.failed:,} answers have no reward ({self._why}); the next run asks again")
        if self._unread:
            self._progress.say(f"{self._unread:,} replies of {self._reward.name()} hold no reward")

    async def _drain(self) -> None:
        try:
            while self._tasks:
                await asyncio.wait(self._tasks)
        except asyncio.CancelledError:  # from outside
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks)
            raise

    async def _one(self, row: int, question: Question, attempt: Attempt, bar: Bar) -> None:
        try:
            await self._asked(row, question.untested(), attempt)
            bar.advance()
        except VeristillError as error:  # a spent budget, a stop, replies that are not what the recipe says
            self._halt(error)
        except asyncio.CancelledError:  # abandoned by a second interrupt
            pass
        except Exception as error:  # noqa: BLE001 - the boundary to kinds of third parties, and to a full disk
            if isinstance(error, OSError):
                self._halt(error)
            else:
                self._missed(f"{type(error).__name__}: {error}")
        finally:
            self._slots.release()

    async def _asked(self, row: int, question: Question, attempt: Attempt) -> None:
        call = self._reward.call(question, attempt, self._resources)
        if call is None:
            self._missed("there is no recorded reply")
            return
        reply = await self._resources.calls.ask(call)
        if reply.status == "failed":
            self._missed(reply.error or "the call failed")
            return
        value = self._reward.read(question, attempt, call, reply)
        self._unread += value is None
        self._fill(row, value)
        key = self._key(question.id, self._attempts.column("text_key")[row].as_py())
        await self._resources.ledger.put([Entry("measure", key, "", json.dumps(value).encode())])

    def _key(self, question: str, text: bytes) -> str:
        return digest("measure", self._spec, question, text.hex())

    def _fill(self, row: int, value: float | None) -> None:
        self.values[row] = np.nan if value is None else value

    def _missed(self, why: str) -> None:
        self.failed += 1
        self._why = self._why or why[:_SHOWN]

    def _halt(self, why: BaseException) -> None:
        """Send nothing more; what is not an orderly stop outranks one, since it must be seen."""
        if self._stop is None or not isinstance(why, Stopped):
            self._stop = why
        self._resources.calls.stop(
            why if isinstance(why, Stopped) else Stopped("the run is ending because of an error")
        )

    def _interrupt(self) -> None:
        flying = self._resources.calls.in_flight
        if self._stop is None:
            self._halt(asked_to_stop())
            self._progress.say(waits_for(flying))
            return
        self._stop = abandoned(flying)
        for task in self._tasks:
            task.cancel()
