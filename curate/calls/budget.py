"""The budget: what a run may spend in money, GPU hours and output tokens, over all the commands that it takes.

The worst case of a request is set aside before it is sent and replaced by what it came to when the reply is there, so
no cap is exceeded, not even by what is in flight. A request that may have been billed without a reply keeps its worst
case. GPU hours pass by themselves: nothing is sent that would not end within the cap, going by the slowest answer so
far.
"""

import asyncio
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from curate.calls.hardware import Hardware
from curate.calls.model import Call
from curate.calls.prices import Price
from curate.errors import InputError, Stopped


class Spent(NamedTuple):
    """What requests came to, or may come to at most."""

    usd: float = 0.0
    gpu_hours: float = 0.0
    output_tokens: int = 0

    def plus(self, other: "Spent") -> "Spent":
        """Both together."""
        return Spent(self.usd + other.usd, self.gpu_hours + other.gpu_hours, self.output_tokens + other.output_tokens)

    def minus(self, other: "Spent") -> "Spent":
        """Less the other."""
        return Spent(self.usd - other.usd, self.gpu_hours - other.gpu_hours, self.output_tokens - other.output_tokens)


class Caps(NamedTuple):
    """What a run may spend; None: no cap."""

    max_cost_usd: float | None = None
    max_gpu_hours: float | None = None
    max_output_tokens: int | None = None


NO_CAPS = Caps()


class Budget:
    """At most `max_cost_usd` and the other caps for a run, of which `spent` went before (see `curate.calls.payments`).

    `away` is the part of `spent` that batches at a server may come to, by request key: who waits for one of these again
    holds that part of it and no more. Answers reused from the ledger cost nothing again.
    """

    def __init__(
        self,
        max_cost_usd: float | None = None,
        max_gpu_hours: float | None = None,
        max_output_tokens: int | None = None,
        *,
        spent: Spent = Spent(),  # noqa: B008 - immutable
        away: Mapping[str, Spent] = MappingProxyType({}),
    ) -> None:
        self.caps = Caps(max_cost_usd, max_gpu_hours, max_output_tokens)
        self.spent = spent  # worst cases where the truth is not known
        self._away = dict(away)
        self._held = Spent()
        self._holders = 0
        self._hardware: list[Hardware] = []
        self._changed = asyncio.Event()

    def watch(self, hardware: Hardware) -> None:
        """Count the time of this hardware while it passes."""
        self._hardware.append(hardware)

    def require_price(self, price: Price | None, who: str) -> None:
        """Raise InputError if there is a cap on cost and no price to hold to it; called before anything is sent."""
        if self.caps.max_cost_usd is not None and price is None:
            raise InputError(
                f"a budget is set, but the price of {who} is not known",
                next="add price: {input: USD, output: USD} (per million tokens) to it, or remove the budget",
            )

    def require_bounds(self, price: Price | None, max_tokens: int | None, who: str) -> None:
        """`require_price`, and InputError where a cap is set and nothing limits what one answer may take of it."""
        if self.caps.max_cost_usd is not None:
            self.require_price(price, who)
        billed = self.caps.max_cost_usd is not None and price is not None and not price.free and price.gpus is None
        if max_tokens is None and (billed or self.caps.max_output_tokens is not None):
            raise InputError(
                f"a budget is set, but nothing limits an answer of {who}",
                next="add max_tokens to annotate, or remove the budget",
            )

    async def reserve(self, call: Call) -> Spent:
        """Set the worst case of a call aside and return it; waits while other calls hold what would be enough.

        Raises Stopped if it does not fit into what is left, and InputError if the worst case cannot be known.
        """
        amount = self._away.pop(call.key, None) if self._away and call.via == "batch" else None
        if amount is not None:  # it is at the server, and counts already
            self.spent = self.spent.minus(amount)
            return self._hold(amount)
        amount = self._worst_case(call)
        while why := self._lacking(amount):
            if not self._holders:
                raise Stopped(why, next="raise it in budget:, or with --max-cost, then run the same command again")
            self._changed.clear()
            await self._changed.wait()
        return self._hold(amount)

    def settle(self, held: Spent, came: Spent) -> None:
        """End a reservation: `came` is what the request came to, `held` again where that is not known."""
        self._holders -= 1
        # Exactly nothing when nobody holds anything: small errors must not add up over a million requests.
        self._held = self._held.minus(held) if self._holders else Spent()
        self.spent = self.spent.plus(came)
        self._changed.set()

    def _hold(self, amount: Spent) -> Spent:
        self._held = self._held.plus(amount)
        self._holders += 1
        return amount

    def left_usd(self) -> float | None:
        """USD that may still be spent; None without a cap."""
        return None if self.caps.max_cost_usd is None else max(0.0, self.caps.max_cost_usd - self.spent.usd)

    def _lacking(self, amount: Spent) -> str:
        """Which cap this amount would exceed, in words; empty where it fits."""
        cost, hours, tokens = self.caps
        coming = [(one, one.coming() / 3600) for one in self._hardware] if hours is not None or cost is not None else []
        all_usd = self.spent.usd + self._held.usd + sum(due * one.gpu_hour for one, due in coming)
        if cost is not None and all_usd + amount.usd > cost + 1e-12:
            return (
                f"the budget of ${cost:g} does not allow another request"
                f" (${self.spent.usd:.4f} spent, the next may cost ${amount.usd:.4f})"
            )
        if hours is not None and self.spent.gpu_hours + sum(due for _, due in coming) > hours:
            return (
                f"the budget of {hours:g} GPU hours allows no more ({self.spent.gpu_hours:.2f} spent, some in flight)"
            )
        if tokens is not None and self.spent.output_tokens + self._held.output_tokens + amount.output_tokens > tokens:
            return (
                f"the budget of {tokens:,} output tokens does not allow another request"
                f" ({self.spent.output_tokens:,} spent, the next may take {amount.output_tokens:,})"
            )
        return ""

    def _worst_case(self, call: Call) -> Spent:
        self.require_bounds(call.price, call.max_tokens, call.model)
        price = call.price
        most = call.max_tokens or 0
        # No token is shorter than a byte, so the bytes of the request bound its tokens.
        return Spent(0.0 if price is None or price.free else price.worst(call.size, most), 0.0, most)
