"""The budget: how much a run may spend, over all the commands it takes, held to before each send.

The worst case of a request is reserved first and replaced by its true cost when the reply is there, so the cap is never
exceeded, not even by what is in flight. A request that may have been billed without a reply keeps its worst case.
"""

import asyncio
import json

from curate.calls.model import Call
from curate.errors import InputError, Stopped

Price = tuple[float, float]


class Budget:
    """At most `max_cost_usd` for a run (None: no cap), of which `spent` went before (see `curate.calls.payments`).

    Answers reused from the ledger cost nothing again.
    """

    def __init__(self, max_cost_usd: float | None = None, *, spent: float = 0.0) -> None:
        self.max_cost_usd = max_cost_usd
        self.spent = spent  # USD; worst cases where the true cost is not known
        self._reserved = 0.0
        self._changed = asyncio.Event()

    def require_price(self, price: Price | None, who: str) -> None:
        """Raise InputError if there is a cap and no price to hold to it; called before anything is sent."""
        if self.max_cost_usd is not None and price is None:
            raise InputError(
                f"a budget is set, but the price of {who} is not known",
                next="add price: {input: USD, output: USD} (per million tokens) to it, or remove the budget",
            )

    async def reserve(self, call: Call) -> float:
        """Set the worst case of a call aside and return it; waits while other calls hold what would be enough.

        Raises Stopped if it does not fit into what is left, and InputError if the worst case cannot be known.
        """
        if self.max_cost_usd is None:
            return 0.0
        amount = self._worst_case(call)
        while self.spent + self._reserved + amount > self.max_cost_usd:
            if self._reserved <= 1e-12:
                raise Stopped(
                    f"the budget of ${self.max_cost_usd:g} does not allow another request"
                    f" (${self.spent:.4f} spent, the next may cost ${amount:.4f})",
                    next="raise budget.max_cost_usd or --max-cost, then run the same command again",
                )
            self._changed.clear()
            await self._changed.wait()
        self._reserved += amount
        return amount

    def settle(self, held: float, cost: float | None) -> None:
        """End a reservation: `cost` is the true cost, None if it is not known (the worst case counts)."""
        self._reserved -= held
        self.spent += held if cost is None else cost
        self._changed.set()

    def _worst_case(self, call: Call) -> float:
        self.require_price(call.price, call.model)
        if call.max_tokens is None and call.price != (0.0, 0.0):
            raise InputError(
                f"a budget is set, but nothing limits an answer of {call.model}",
                next="add max_tokens to annotate, or remove the budget",
            )
        assert call.price is not None
        # No token is shorter than a byte, so the bytes of the request bound its tokens.
        size = len(json.dumps(call.body, ensure_ascii=False).encode("utf-8", "surrogatepass"))
        return (size * call.price[0] + (call.max_tokens or 0) * call.price[1]) / 1e6


def cost_of(usage: dict[str, int], price: Price | None) -> float | None:
    """USD for the tokens of a reply; None where the price or the tokens are not known."""
    if price == (0.0, 0.0):
        return 0.0
    if price is None or not {"input", "output"} <= usage.keys():
        return None
    return (usage["input"] * price[0] + usage["output"] * price[1]) / 1e6
