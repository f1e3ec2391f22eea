"""The servers of one model: which of them takes the next request, and who waits until one does.

Requests are served in the order in which they come, resends among fresh ones. Each goes to the server that is used
least for its size; one that is slow, sick or gone is passed over while another is well. A folder of registered servers
is looked at while the run goes on: servers come and go.
"""

import asyncio
import time
from collections import deque
from pathlib import Path
from typing import NamedTuple

from curate.calls.budget import Budget
from curate.calls.endpoint import Endpoint, NoServer
from curate.calls.model import Address, Call
from curate.calls.retries import Retries
from curate.calls.serving.registry import registered
from curate.errors import Stopped

LOOK_S = 2.0  # between two looks at the folder
NONE_YET_S = 3600.0  # servers of a cluster may stay in a queue for so long
_OPENAI = "https://api.openai.com/v1"


class Slot(NamedTuple):
    """Leave to send one request."""

    endpoint: Endpoint
    guess: float  # tokens that it was counted with (see `Rate.take`)


class _Waiter(NamedTuple):
    size: int
    cap: int | None
    avoid: Endpoint | None
    future: "asyncio.Future[Slot]"


_Place = tuple[str, str | None]  # an address and the variable of a key to it


class Addresses:
    """Every server of one form, model and set of addresses."""

    def __init__(self, call: Call, budget: Budget) -> None:
        self.retries = Retries()
        self._call, self._budget = call, budget
        self._folder = None if call.endpoints_folder is None else Path(call.endpoints_folder)
        self.endpoints: dict[_Place, Endpoint] = {}
        self._waiters: deque[_Waiter] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._in_flight = 0
        self._stopped: Stopped | None = None
        self._looked_at = float("-inf")
        self._lived_at = time.monotonic()  # when a server was last added
        self._folder_is_there = True
        self._others: set[str] = set()  # models that other servers in the folder have
        self._gone: dict[_Place, Endpoint] = {}
        for address in call.endpoints or (() if self._folder else (Address(base_url=call.base_url or _OPENAI),)):
            self._add(address)

    async def take(self, size: int, cap: int | None, avoid: Endpoint | None = None) -> Slot:
        """Leave to send a request of `size` bytes now, counted by the rate of its server; held until `give_back`.

        `avoid` is the server that failed this request before, taken again only if no other one can. Raises NoServer
        where no server is left, and what `stop` was told.
        """
        self._look()
        future: asyncio.Future[Slot] = asyncio.get_running_loop().create_future()
        self._waiters.append(_Waiter(size, cap, avoid, future))
        self._serve()
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.exception() is None:
                self.give_back(future.result())
            raise

    def give_back(self, slot: Slot) -> None:
        """A request that `take` let through has ended."""
        self._in_flight -= 1
        slot.endpoint.in_flight -= 1
        self._serve()

    def stop(self, why: Stopped) -> None:
        """Let nothing through any more: everyone who waits, or comes, gets `why`."""
        self._stopped = why
        self._serve()
        self.close()

    def close(self) -> None:
        """Look and wait no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def waits_for(self) -> str:
        """What everybody here is waiting for, if no server has come yet: what, where, and what to do about it."""
        if self._folder is None or self.endpoints or not self._waiters or self._stopped is not None:
            return ""
        return f"no server of {self._call.model} is registered in {self._folder}{self._why_none()}"

    def _why_none(self) -> str:
        if self._call.served is not None:
            return ""
        if not self._folder_is_there:
            return " (there is no such folder: see endpoints_folder)"
        return f" (but of {', '.join(sorted(self._others))})" if self._others else " (it holds none that answers)"

    def facts(self) -> dict[str, dict[str, object]]:
        """What each server came to, by its name, those that are gone included."""
        found: dict[str, dict[str, object]] = {}
        for (_, variable), one in (*self._gone.items(), *self.endpoints.items()):
            found[f"{one.name} (${variable})" if one.name in found else one.name] = one.facts()
        return found

    def _serve(self) -> None:
        """Let through whoever may go, in order; see to it that this is called again when the next one may."""
        while self._waiters:
            head = self._waiters[0]
            if head.future.done():  # cancelled
                self._waiters.popleft()
                continue
            stopped = self._stopped or self._dead()
            if stopped is not None:
                self._waiters.popleft()
                head.future.set_exception(stopped)
                continue
            endpoint, wait = self._choose(head)
            if endpoint is None:
                self._come_back(wait)
                return
            self._waiters.popleft()
            self._in_flight += 1
            endpoint.in_flight += 1
            # Counted here: who is let through with it must find what it takes gone already.
            head.future.set_result(Slot(endpoint, endpoint.rate.take(head.size, head.cap)))

    def _choose(self, waiter: _Waiter) -> tuple[Endpoint | None, float | None]:
        if self._in_flight >= self._call.concurrency:
            return None, None
        best: Endpoint | None = None
        soonest: float | None = None if self.endpoints else LOOK_S
        for endpoint in self.endpoints.values():
            if endpoint.why_closed() is not None:
                continue
            wait = endpoint.wait(waiter.size, waiter.cap)
            if wait == 0.0:
                if best is None or _use(endpoint, waiter.avoid) < _use(best, waiter.avoid):
                    best = endpoint
            elif wait is not None:
                soonest = wait if soonest is None else min(soonest, wait)
        return best, soonest

    def _come_back(self, wait: float | None) -> None:
        if self._folder is not None:  # a new server may be there by then
            wait = LOOK_S if wait is None else min(wait, LOOK_S)
        self.close()
        if wait is not None:
            self._timer = asyncio.get_running_loop().call_later(wait, self._again)

    def _again(self) -> None:
        self._timer = None
        self._look()
        self._serve()

    def _dead(self) -> Stopped | None:
        """Why no request can ever be sent; None while one may."""
        reasons = [one.why_closed() for one in self.endpoints.values()]
        refused = next((why for why in reasons if why is not None and not isinstance(why, NoServer)), None)
        if None in reasons:
            return None
        if self._folder is None or refused is not None:
            return refused or next(filter(None, reasons), None)
        if self._call.served is not None and not reasons:  # who starts servers sees to it that there are some
            return None
        known = (*self.endpoints.values(), *self._gone.values())
        lived = max([self._lived_at, *(one.answered_at for one in known)])
        if time.monotonic() - lived < NONE_YET_S:
            return None
        if reasons:
            return next(filter(None, reasons))
        return NoServer(
            f"no server of {self._call.model} is registered{self._why_none()}",
            where=str(self._folder),
            next="start one, or mend endpoints_folder, then run the same command again",
        )

    def _add(self, address: Address) -> None:
        given = self._call.form == "given"
        if address.api_key_env is None:
            address = address.model_copy(update={"api_key_env": self._call.api_key_env})
        # One that registered itself was there a moment ago: it is given the time that a restart takes.
        endpoint = Endpoint(self._call, None if given else address, never_reached_s=60.0 if self._folder else None)
        if endpoint.hardware is not None:
            self._budget.watch(endpoint.hardware)
        self.endpoints[address.base_url, address.api_key_env] = endpoint

    def _look(self) -> None:
        now = time.monotonic()
        if self._folder is None or now - self._looked_at < LOOK_S:
            return
        self._looked_at = now
        try:
            self._folder_is_there = self._folder.is_dir()
            servers = registered(self._folder)
        except OSError:  # of a network file system for a moment: what is known is as good
            return
        variable = self._call.api_key_env
        found = {(one.base_url, variable) for one in servers if one.model in ("", self._call.model)}
        self._others = {one.model for one in servers} - {"", self._call.model}
        for place in found - self.endpoints.keys():
            self._come(place)
            self._lived_at = now
        for place in self.endpoints.keys() - found:  # what is in flight there goes on
            self._gone[place] = self.endpoints.pop(place)
            self._gone[place].away(True)

    def _come(self, place: _Place) -> None:
        """Add a server, or take up one that was away for a while: it is the same one."""
        if place in self._gone:
            self.endpoints[place] = self._gone.pop(place)
            self.endpoints[place].away(False)
        else:
            self._add(Address(base_url=place[0]))


def _use(endpoint: Endpoint, avoid: Endpoint | None) -> tuple[bool, float]:
    return endpoint is avoid, endpoint.in_flight / max(1.0, endpoint.pace.window)
