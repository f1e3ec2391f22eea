"""What a verb needs to ask models: handles over the root's ledger, and texts that are looked at again in batches.

Replies are the root's: durable before they count, used again by runs and by the next command, under the budget given.
"""

import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.calls.budget import Budget
from curate.calls.client import Calls
from curate.calls.counters import Counters
from curate.calls.serving.servers import Servers
from curate.clean._asked import all_of
from curate.contamination.items import Item
from curate.contamination.match import LIKE, Found
from curate.contamination.second import USE
from curate.errors import Stopped
from curate.interrupts import abandoned, asked_to_stop, interrupts, waits_for
from curate.kinds import Unexamined
from curate.ledger import Ledger
from curate.resources import Resources
from curate.run import locked, usable
from curate.verdicts import Verdicts

if TYPE_CHECKING:
    from curate.clean.reworded import Reworded
    from curate.contamination.second import SecondLook

Look = Callable[[Sequence[str], list[list[Found]]], list[list[Found]]]
_AT_ONCE = 256  # texts
_NAME = "decontaminate"  # what payments are put down to


class Again:
    """The models of a `reworded` stage, asked by a verb under `root`; `told` says what that came to."""

    def __init__(self, stage: "Reworded", root: Path, max_cost_usd: float | None = None) -> None:
        self.stage, self.root, self.max_cost_usd = stage, root, max_cost_usd
        self.counters = Counters()

    def told(self) -> dict[str, Any]:
        """Replies that came and that were there, and what the new ones cost."""
        counts = self.counters
        return {
            "replies_new": counts.answered,
            "replies_reused": counts.reused + counts.given,
            "cost_usd": round(counts.cost, 6),
            "cost_unknown": counts.cost_unknown,
        }


@contextmanager
def looking(again: Again | None, items: Sequence[Item], say: Callable[[str], None]) -> Iterator[Look]:
    """What looks at a batch of texts again; without models it changes nothing. `say` tells the user what is waited for.

    Raises Stopped where a model did not answer or no more may be spent: what was answered stays.
    """
    if again is None:
        yield lambda texts, found: found
        return
    with _held(again.root), asyncio.Runner() as runner:
        stack = AsyncExitStack()
        resources = runner.run(_opened(stack, again, say))
        second = again.stage.second(items)
        try:
            yield lambda texts, found: runner.run(_looked(second, texts, found, resources, say))
        finally:
            again.counters = resources.calls.counters
            runner.run(stack.aclose())


@contextmanager
def _held(root: Path) -> Iterator[None]:
    with usable(root):
        root.mkdir(parents=True, exist_ok=True)
        handle = locked(root / ".veristill.lock", "another veristill command is writing here")
    try:
        yield
    finally:
        os.close(handle)


async def _opened(stack: AsyncExitStack, again: Again, say: Callable[[str], None]) -> Resources:
    ledger = await stack.enter_async_context(Ledger(again.root / "ledger"))
    calls = await stack.enter_async_context(Calls(ledger, Budget(again.max_cost_usd), run=_NAME))
    calls.own_servers = await stack.enter_async_context(Servers(again.root / "serving", calls.stop, say))
    resources = Resources(ledger, calls, Verdicts(ledger), judged_for=USE)
    try:
        for model in again.stage.models():
            await model.open(resources)
    except BaseException:
        await stack.aclose()
        raise
    return resources


async def _looked(
    second: "SecondLook",
    texts: Sequence[str],
    found: list[list[Found]],
    resources: Resources,
    say: Callable[[str], None],
) -> list[list[Found]]:
    slots = asyncio.Semaphore(_AT_ONCE)
    stops: list[Stopped] = []

    async def one(text: str, held: list[Found]) -> list[Found]:
        if not text.strip() or any(each.tier not in LIKE for each in held):  # nothing, or found already
            return held
        async with slots:
            return await second.look(text, held, resources)

    def interrupted() -> None:
        flying = resources.calls.in_flight
        if stops:
            stops.append(abandoned(flying))
            work.cancel()
            return
        stops.append(asked_to_stop())
        resources.calls.stop(stops[0])
        say(waits_for(flying))

    work = asyncio.ensure_future(all_of(one(*pair) for pair in zip(texts, found, strict=True)))
    with interrupts(interrupted):
        try:
            return await work
        except asyncio.CancelledError:
            if not stops:
                raise
            raise stops[-1] from None
        except Unexamined as trouble:
            raise Stopped(f"a model did not answer: {trouble}", next="the same command goes on") from trouble
