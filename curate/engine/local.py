"""The local engine: one process, one event loop, bounded work in flight.

It owns the loop, the order in which questions are started, back-pressure (by count and by bytes), and what an
interrupt does: the first one stops starting work and waits for what is in flight (it may be paid for), the second
ends at once.
"""

import asyncio
import errno
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import pyarrow as pa

from curate.errors import Stopped, VeristillError
from curate.flow import Flow, Options
from curate.interrupts import abandoned, asked_to_stop, interrupts, plain_interrupts, waits_for
from curate.memory import give_back_freed_memory
from curate.order import Course
from curate.progress import Progress
from curate.questions import questions_of
from curate.records import Question, Tests
from curate.rehearse import rehearsal, rehearsal_options
from curate.report import Report
from curate.resources import Resources
from curate.run import Run, full, usable
from curate.solve import Solved, Work, solve

_BYTES_IN_FLIGHT = 64 << 20  # of questions and their tests; one larger than that runs alone


def window(work: Work) -> int:
    """How many questions (or parts of one) are in flight at once: enough to keep every teacher busy while answers are
    verified.
    """
    asking = work.asking
    return max(16, 2 * sum(teacher.concurrency for teacher in asking.teachers) // asking.at_once)


class Local:
    """The `local` engine, as `curate.order` wants it; it tells `progress` what an interrupt does."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    async def solve(
        self, groups: Iterator[pa.Table], work: Work, resources: Resources, done: Callable[[Question, Solved], None]
    ) -> None:
        """Solve every question of the row groups here. Raises Stopped when interrupted, by budget or a full disk."""
        await _SolveAll(work, resources, done, self._progress).run(groups)


def execute(flow: Flow, options: Options) -> Report:
    """Run a flow on this machine, holding its root (not for `partial`, which only publishes what is there).

    Raises any VeristillError; what was stored until then stays stored.
    """
    if options.dry_run:
        with tempfile.TemporaryDirectory(prefix="veristill-rehearsal-") as root:
            options = rehearsal_options(options).model_copy(update={"root": Path(root), "dry_run": False})
            report = execute(rehearsal(flow), options)
            return report.model_copy(update={"dry_run": True, "dataset": None})
    run = Run(options.root, flow.name)
    with nullcontext() if options.partial else run.writing():
        if not options.partial:
            run.write("recipe.lock.yaml", options.lock_text)
        return asyncio.run(_execute(run, flow, options))


async def _execute(run: Run, flow: Flow, options: Options) -> Report:
    plain_interrupts()
    give_back_freed_memory()
    with usable(run.root):
        progress = Progress(quiet=options.quiet)
        return await Course(run, flow, options, Local(progress), progress).follow()


class _SolveAll:
    """Solves questions with bounded concurrency; calls `done` on the loop for each, in any order."""

    def __init__(
        self, work: Work, resources: Resources, done: Callable[[Question, Solved], None], progress: Progress
    ) -> None:
        self._work, self._resources, self._done, self._progress = work, resources, done, progress
        self._slots = asyncio.Semaphore(window(work))
        self._tasks: set[asyncio.Task[None]] = set()
        self._held = 0
        self._freed = asyncio.Event()
        self._stop: BaseException | None = None

    async def run(self, groups: Iterator[pa.Table]) -> None:
        """Solve every question of the row groups. Raises the first thing that stopped it, after draining."""
        with interrupts(self._interrupt):
            try:
                while self._stop is None:
                    await self._room(0)  # nothing is read ahead of a question that fills the memory by itself
                    questions = await asyncio.to_thread(_next, groups)
                    if questions is None:
                        break
                    await self._start(questions)
            except Exception as error:  # noqa: BLE001 - boundary to the table of questions: what is in flight is drained
                self._end(error)
            while self._tasks:
                await asyncio.wait(self._tasks)
        if self._stop is not None:
            raise self._stop

    def _end(self, why: BaseException) -> None:
        """Start and send nothing more; a defect of ours outranks an orderly stop, since it must be seen."""
        why = full("the run folder") if _is_full(why) else why
        if self._stop is None or not isinstance(why, VeristillError):
            self._stop = why
        stopped = why if isinstance(why, Stopped) else Stopped("the run is ending because of an error")
        self._resources.calls.stop(stopped)
        self._freed.set()

    async def _room(self, size: int) -> None:
        while self._tasks and self._held + size > _BYTES_IN_FLIGHT and self._stop is None:
            self._freed.clear()
            await self._freed.wait()

    async def _start(self, questions: deque[Question]) -> None:
        while questions:
            question = questions.popleft()
            size = _size(question)
            for part in self._work.asking.parts():
                await self._slots.acquire()
                await self._room(size)
                if self._stop is not None:
                    self._slots.release()
                    return
                self._held += size
                task = asyncio.create_task(self._one(question, part))
                self._tasks.add(task)
                task.add_done_callback(partial(self._ended, size))
                del task
            del question

    async def _one(self, question: Question, part: range | None) -> None:
        self._done(question, await solve(question, self._work, self._resources, part))

    def _ended(self, size: int, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._held -= size
        self._slots.release()
        self._freed.set()
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._end(error)

    def _interrupt(self) -> None:
        flying = self._resources.calls.in_flight
        if self._stop is None:
            self._end(asked_to_stop())
            self._progress.say(waits_for(flying))
        else:
            self._stop = abandoned(flying)
            for task in list(self._tasks):
                task.cancel()


def _next(groups: Iterator[pa.Table]) -> deque[Question] | None:
    """The questions of the next row group, which is let go of: one row may hold 200 MB, and one copy is enough."""
    group = next(groups, None)
    return None if group is None else deque(questions_of(group))


def _size(question: Question) -> int:
    tests = len(question.truth.cases) if isinstance(question.truth, Tests) else 0
    return len(question.problem) + tests


def _is_full(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
