"""Resources: every open handle of a process, opened once by the engine and passed to whatever acts."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from curate.calls.budget import NO_CAPS, Budget, Caps
from curate.calls.client import Calls
from curate.calls.payments import away, spent_by
from curate.calls.serving.servers import Servers
from curate.errors import InputError, Prerequisite
from curate.isolation import SandboxBlock
from curate.ledger import Ledger
from curate.run import Run
from curate.verdicts import Verdicts
from sandbox import Sandbox, SandboxError
from sandbox.workers import Workers

if TYPE_CHECKING:
    from curate.flow import Flow
    from curate.kinds import Gate, Reward, Teacher


@dataclass
class Resources:
    """Handles. One that no part of the recipe needs stays None; using it then is a defect of ours."""

    ledger: Ledger
    calls: Calls
    verdicts: Verdicts
    read_only: bool = False  # nothing will be asked or written
    judged_for: str = "judge"  # what judges' replies are paid for, as the report counts them
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
    caps: Caps = NO_CAPS,
    read_only: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> AsyncIterator[Resources]:
    """Open the ledger of a run's root and what is needed (`sandbox`, `workers`); close all of it at the end.

    What the run has paid so far counts against `caps`. `read_only` asks nothing and writes nothing; `say` tells
    the user what servers do. Raises Prerequisite where this machine cannot isolate programs, and what the teachers'
    `open` raises.
    """
    reward = flow.reward()
    models: tuple[Teacher | Reward, ...] = (
        *flow.annotate.teacher,
        *flow.router().judges(),
        *([] if reward is None else [reward]),
    )
    async with AsyncExitStack() as stack:
        yield await _open(stack, run, flow, _Wanted(needs, models, caps, read_only, say))


@asynccontextmanager
async def open_for_gate(
    run: Run, flow: "Flow", gate: "Gate", needs: frozenset[str], caps: Caps, say: Callable[[str], None]
) -> AsyncIterator[Resources]:
    """Open what a gate of a run needs (`sandbox`, `workers`, `calls`); with `calls` also its models, under `caps`.

    Raises as `open_resources` does.
    """
    models, caps = (gate.models(), caps) if "calls" in needs else ((), NO_CAPS)
    async with AsyncExitStack() as stack:
        yield await _open(stack, run, flow, _Wanted(needs, models, caps, False, say))


class _Wanted(NamedTuple):
    needs: Iterable[str]
    models: Sequence["Teacher | Reward"]
    caps: Caps
    read_only: bool
    say: Callable[[str], None]


async def _open(stack: AsyncExitStack, run: Run, flow: "Flow", wanted: _Wanted) -> Resources:
    caps, read_only = wanted.caps, wanted.read_only
    others = [other / "ledger" for other in flow.answers_from]
    ledger = await stack.enter_async_context(Ledger(run.root / "ledger", read_only=read_only, also=others))
    budget = Budget()
    if caps != NO_CAPS:
        budget = Budget(*caps, spent=spent_by(ledger, run.name), away=away(ledger, run.name))
    calls = await stack.enter_async_context(Calls(ledger, budget, run=run.name))
    if not read_only:
        servers = Servers(run.folder / "serving", calls.stop, wanted.say)
        calls.own_servers = await stack.enter_async_context(servers)
    resources = Resources(ledger, calls, Verdicts(ledger), read_only=read_only)
    try:
        if "sandbox" in wanted.needs:
            resources.sandbox = await stack.enter_async_context(flow.sandbox.sandbox(cores()))
        if "workers" in wanted.needs:
            resources.workers = await stack.enter_async_context(verifier_workers())
    except SandboxError as error:
        raise Prerequisite(error.what, next=error.next) from error
    for teacher in wanted.models:
        await teacher.open(resources)
    if caps.max_gpu_hours is not None:
        _need_gpu_price(flow)
    return resources


def _need_gpu_price(flow: "Flow") -> None:
    """Raise InputError where no model of the recipe says what its hardware is."""
    prices = [getattr(model, "price", None) for model in flow.models()]
    if not any(price is not None and price.gpus for price in prices):
        raise InputError(
            "budget.max_gpu_hours is set, but no model says how many GPUs it runs on",
            next="add price: {gpu_hour: USD, gpus: N} to it, or remove max_gpu_hours",
        )


def verifier_workers(count: int | None = None) -> Workers:
    """The pool that math and scorers run in; `count` processes (default: one a core)."""
    from curate.verifiers.worker import MEMORY_BYTES, worker_command

    return Workers(worker_command(), count=count or cores(), memory_bytes=MEMORY_BYTES)


class Machines:
    """Sandbox and workers without a run: for verifiers that neither ask a model nor store anything.

    Each is opened by the first `ready` that needs it; `async with` closes what was opened. `count` processes of each
    (default: one a core); `sandbox` says what programs run in.
    """

    def __init__(self, sandbox: SandboxBlock | None = None, *, count: int | None = None) -> None:
        self._sandbox, self._count = sandbox or SandboxBlock(), count or cores()
        nothing = Ledger(Path(os.devnull) / "ledger", read_only=True)
        self._resources = Resources(nothing, Calls(nothing), Verdicts(nothing), read_only=True)
        self._stack = AsyncExitStack()
        self._lock = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self._stack.aclose()

    @property
    def backend(self) -> str | None:
        """The sandbox backend in use; None while nothing has needed one."""
        return self._resources.sandbox.backend if self._resources.sandbox else None

    async def ready(self, needs: Iterable[str]) -> Resources:
        """The handles, those in `needs` (`sandbox`, `workers`) open. Raises Prerequisite where nothing isolates."""
        async with self._lock:
            try:
                if "sandbox" in needs and self._resources.sandbox is None:
                    sandbox = self._sandbox.sandbox(self._count)
                    self._resources.sandbox = await self._stack.enter_async_context(sandbox)
                if "workers" in needs and self._resources.workers is None:
                    self._resources.workers = await self._stack.enter_async_context(verifier_workers(self._count))
            except SandboxError as error:
                raise Prerequisite(error.what, next=error.next) from error
        return self._resources
