"""The audit itself: many rows at once, findings in row order, memory bounded by what is in flight."""

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from threading import Thread
from typing import Any

from pydantic import Field

from curate.audit.cases import Case, Chosen, cases, choose
from curate.audit.datasets import Dataset, open_dataset
from curate.audit.state import Finding, State
from curate.audit.tally import Tally
from curate.errors import Failed, InputError, Stopped
from curate.isolation import SandboxBlock
from curate.kinds import Verifier
from curate.memory import give_back_freed_memory
from curate.plug import find
from curate.progress import Bar, Progress
from curate.records import Record, Verdict
from curate.resources import Machines, cores
from curate.run import usable
from curate.verifiers.router import DEFAULTS, Router

_PER_WORKER = 8  # rows in flight for each worker: reading and comparing overlap with running
_BYTES_IN_FLIGHT = 64 << 20  # a larger row runs alone
_AHEAD = 4096  # rows that may be done before a slow one: their findings wait in memory
_BATCH_ROWS, _BATCH_BYTES = 64, 4 << 20  # read in one go


class Options(Record):
    """What the command line says. `workers` and `sandbox` change no verdict."""

    dataset: str
    config: str | None = None
    out: Path | None = None
    response: str | None = None
    label: str | None = None
    sandbox: str = "auto"
    workers: int | None = Field(None, ge=1)
    quiet: bool = False


class Report(Record):
    """The summary of an audit; `this_run` holds what was measured: rows judged now, seconds, rows per second."""

    summary: dict[str, Any]
    this_run: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """One JSON document."""
        return {**self.summary, "this_run": self.this_run}

    def raise_for_errors(self) -> None:
        """Raise Failed where rows ended in `error`: they have no verdict."""
        count = self.summary["outcomes"]["error"]
        if not count:
            return
        ours = any(one["reason"] == "infrastructure" for one in self.summary["reasons"])
        raise Failed(
            f"{count:,} row{'s' if count > 1 else ''} ended in error: our trouble or unreadable tests, no verdict",
            next="the reasons are in the table, the evidence is in OUT (-o)"
            + ("; with OUT, the same command goes on at the first row of `infrastructure`" if ours else ""),
        )


def audit(options: Options) -> Report:
    """Verify every row of a dataset again and write the verdicts to `out`, if there is one.

    Raises InputError, Prerequisite (no working isolation) and Stopped (interrupt, full disk, another audit writes
    `out`); the same call then goes on where it was, if there is an `out`.
    """
    give_back_freed_memory()
    try:
        return _audit(options)
    except KeyboardInterrupt:
        if options.out is None:
            raise Stopped("interrupted", next="with -o OUT, the same command would go on") from None
        raise Stopped(
            "interrupted; every finding is kept", next="run the same command: it goes on where it was"
        ) from None


def _audit(options: Options) -> Report:
    source = Path(options.dataset)
    if options.out and options.out.exists() and source.exists() and options.out.samefile(source):
        raise InputError("the output is the input", where=str(options.out), next="name another file")
    dataset = open_dataset(options.dataset, options.config)
    chosen = choose(dataset.columns, options.response, options.label)
    router = Router()
    with usable(options.out.parent if options.out else Path(), "name another file with -o"):
        state = State(options.out, _identity(dataset, chosen)) if options.out else nullcontext(None)
        with state as kept:
            return asyncio.run(_Auditing(dataset, chosen, router, options, kept).run())


def _identity(dataset: Dataset, chosen: Chosen) -> dict[str, Any]:
    """What findings depend on: the input, the columns read, and every verifier that may judge."""
    kinds = sorted({kind for chain in DEFAULTS.values() for kind in chain})
    verifiers = [find("curate.verifiers", kind)() for kind in kinds]
    specs = [[one.spec(), one.verifier_version()] for one in verifiers if isinstance(one, Verifier)]
    return {"format": 1, "input": dataset.identity, "columns": chosen, "verifiers": specs}


class _Auditing:
    """One audit under way."""

    def __init__(self, dataset: Dataset, chosen: Chosen, router: Router, options: Options, state: State | None) -> None:
        self._dataset, self._chosen, self._router, self._options, self._state = dataset, chosen, router, options, state
        self._tally = Tally()
        self._slots = asyncio.Semaphore(_PER_WORKER * (options.workers or cores()))
        self._tasks: set[asyncio.Task[None]] = set()
        self._held = 0
        self._next = 0  # the first row whose finding is not out yet
        self._waiting: dict[int, Finding] = {}
        self._moved = asyncio.Event()
        self._error: BaseException | None = None

    async def run(self) -> Report:
        progress = Progress(quiet=self._options.quiet)
        if self._state is not None:
            self._next = self._state.resume(self._tally.add)
            if self._state.restarted:
                progress.say(f"{self._state.folder} is of another input or other verifiers: beginning anew")
            elif self._next:
                progress.say(f"going on at row {self._next:,}")
        start, began = self._next, time.monotonic()
        with progress.stage("audit", None) as bar:
            # Nobody waits for the count, an interrupt least of all.
            Thread(target=self._count, args=(bar, start), daemon=True).start()
            block = SandboxBlock.model_validate({"backend": self._options.sandbox})
            async with Machines(block, count=self._options.workers) as machines:
                self._machines, self._bar = machines, bar
                await self._all(cases(self._dataset.rows(self._chosen.all()), self._chosen, start))
                backend = machines.backend
        if self._state is not None:
            self._state.complete()
        seconds = time.monotonic() - began
        judged = self._tally.rows - start
        summary = {
            "dataset": self._dataset.name,
            "response": self._chosen.response,
            "label": self._chosen.label,
            **self._tally.summary(),
        }
        measured = {"rows": judged, "seconds": round(seconds, 1), "rows_per_s": round(judged / max(seconds, 1e-9), 1)}
        return Report(summary=summary, this_run={**measured, "sandbox": backend})

    def _count(self, bar: Bar, start: int) -> None:
        try:
            total = self._dataset.count()
        except Exception:  # noqa: BLE001 - boundary to the dataset's readers: reading the rows will say what is wrong
            return
        bar.total = None if total is None else total - start

    async def _all(self, rows: Iterator[Case]) -> None:
        """Judge every row. On the first error, or when cancelled, what is in flight is let go of."""
        try:
            while self._error is None and (batch := await asyncio.to_thread(_batch, rows)):
                while batch and self._error is None:
                    await self._start(batch.pop())
            while self._tasks and self._error is None:
                await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._error is not None:
            raise self._error

    async def _start(self, case: Case) -> None:
        await self._slots.acquire()
        while self._error is None and (
            (self._tasks and self._held + case.size > _BYTES_IN_FLIGHT) or case.row - self._next > _AHEAD
        ):
            self._moved.clear()
            await self._moved.wait()
        self._held += case.size
        task = asyncio.create_task(self._one(case))
        self._tasks.add(task)
        size = case.size
        task.add_done_callback(lambda done: self._ended(done, size))

    async def _one(self, case: Case) -> None:
        self._waiting[case.row] = _found(case, await self._verdict(case))
        while (finding := self._waiting.pop(self._next, None)) is not None:
            self._next += 1
            self._tally.add(finding)
            if self._state is not None:
                self._state.add(finding)
            self._bar.note = "  ".join(f"{name} {count:,}" for name, count in sorted(self._tally.outcomes.items()))
            self._bar.advance()

    async def _verdict(self, case: Case) -> Verdict:
        if case.settled is not None:
            return case.settled
        needs = self._router.needs([(case.question.domain, case.question.truth.type)])
        resources = await self._machines.ready(needs if case.attempt.finish_reason == "stop" else ())
        return (await self._router.verify(case.question, case.attempt, resources, {})).verdict

    def _ended(self, task: asyncio.Task[None], size: int) -> None:
        self._tasks.discard(task)
        self._held -= size
        self._slots.release()
        self._moved.set()
        if not task.cancelled() and task.exception() is not None:
            self._error = self._error or task.exception()


def _batch(rows: Iterator[Case]) -> list[Case]:
    """The next rows, last first, so that `pop` lets go of each: one may hold 200 MB."""
    batch: list[Case] = []
    size = 0
    for case in islice(rows, _BATCH_ROWS):
        batch.append(case)
        size += case.size
        if size > _BATCH_BYTES:
            break
    return batch[::-1]


def _found(case: Case, verdict: Verdict) -> Finding:
    evidence = json.dumps(verdict.evidence, ensure_ascii=False, sort_keys=True)
    return Finding(
        case.row,
        verdict.outcome,
        verdict.reason,
        verdict.verifier,
        verdict.verifier_version,
        evidence.encode("utf-8", "replace").decode(),
        round(verdict.seconds, 4),
        case.question.domain,
        case.question.source,
        case.label,
    )
