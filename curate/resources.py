"""Resources: every open handle of a process, opened once by the engine and passed to whatever acts."""

import os
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from curate.calls.budget import Budget
from curate.calls.client import Calls
from curate.calls.payments import spent_by
from curate.errors import Prerequisite
from curate.ledger import Ledger
from curate.run import Run
from curate.verdicts import Verdicts
from sandbox import Sandbox, SandboxError
from sandbox.workers import Workers

if TYPE_CHECKING:
    from curate.flow import Flow


@dataclass
class Resources:
    """Handles. One that no part of the recipe needs stays None; using it then is a defect of ours."""

    ledger: Ledger
    calls: Calls
    verdicts: Verdicts
    read_only: bool = False  # nothing will be asked or written
    sandbox: Sandbox | None = None
    workers: Workers | None = None  # killable processes for math and scorers
    recordings: dict[str, Any] = field(default_factory=dict)  # opened by replay teachers, by file


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


@asynccontextmanager
async def open_resources(
    run: Run,
    flow: "Flow",
    *,
    needs: Iterable[str] = (),
    max_cost_usd: float | None = None,
    read_only: bool = False,
) -> AsyncIterator[Resources]:
    """Open the ledger of a run's root and what is needed (`sandbox`, `workers`); close all of it at the end.

    What the run has paid so far counts against `max_cost_usd`. `read_only` asks nothing and writes nothing. Raises
    Prerequisite where this machine cannot isolate programs, and what the teachers' `open` raises.
    """
    async with AsyncExitStack() as stack:
        others = [other / "ledger" for other in flow.answers_from]
        ledger = await stack.enter_async_context(Ledger(run.root / "ledger", read_only=read_only, also=others))
        spent = 0.0 if max_cost_usd is None else spent_by(ledger, run.name)
        calls = await stack.enter_async_context(Calls(ledger, Budget(max_cost_usd, spent=spent), run=run.name))
        resources = Resources(ledger, calls, Verdicts(ledger), read_only=read_only)
        try:
            if "sandbox" in needs:
                resources.sandbox = await stack.enter_async_context(Sandbox(workers=cores()))
            if "workers" in needs:
                resources.workers = await stack.enter_async_context(verifier_workers())
        except SandboxError as error:
            raise Prerequisite(error.what, next=error.next) from error
        for teacher in flow.annotate.teacher:
            await teacher.open(resources)
        yield resources


def verifier_workers() -> Workers:
    """The pool that math and scorers run in."""
    from curate.verifiers.worker import MEMORY_BYTES, worker_command

    return Workers(worker_command(), count=cores(), memory_bytes=MEMORY_BYTES)
