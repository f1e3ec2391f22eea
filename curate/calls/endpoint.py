"""One server: how many requests run there, how fast, and until when it asked to be left alone.

It is also where the signs of one server come together: it is left alone for as long as it asks, tried carefully after
a row of broken answers, and given up when waiting has become pointless.
"""

import random
import time
from typing import Any
from urllib.parse import urlsplit

from curate.calls.hardware import Hardware
from curate.calls.model import Address, Call, Reply
from curate.calls.pace import Pace
from curate.calls.rate import Rate
from curate.calls.trouble import Busy, Denied, Refused, Trouble, Unreachable
from curate.errors import Stopped

FIRST_PAUSE_S = 0.5  # doubled for each further pause without a success, up to a minute
LONGEST_PAUSE_S = 60.0
LONGEST_WAIT_S = 3600.0  # a server that asks for more is waited for by the user, not by us
NEVER_REACHED_S = 30.0  # nothing ever came from there: most likely a wrong address
PATIENCE_S = 1800.0
REFUSALS = 20  # in a row, and never a reply: the recipe is wrong, not the questions
BROKEN = 20  # answers in a row that were none: from then on it is tried with one request at a time
_JITTER = 0.1  # of a pause, so that the clients of a server do not all come back at once

_RESUME = "the same command goes on where it stopped"


class NoServer(Stopped):
    """None of a model's servers can be reached, or has answered for too long."""


class Endpoint:
    """One address of one model: what runs there and what is known of it."""

    def __init__(self, call: Call, address: Address | None, *, never_reached_s: float | None = None) -> None:
        self.address = address
        self.name = label(call.form if address is None else address.base_url)
        self.model = call.model
        self.pace = Pace(call.concurrency, adaptive=call.adaptive and call.form != "given")
        self.rate = Rate(call.rates)
        self.hardware = Hardware(call.price) if call.price is not None and call.price.gpus else None
        self.in_flight = 0
        self.answered_at = float("-inf")  # monotonic
        self._closed: Stopped | None = None
        self._opens_at = float("inf")
        self.answered = self.sent = self.busy = self.broken = self.unreached = self.output_tokens = 0
        self._never_reached_s = never_reached_s
        self._resume_at = self._failed_at = 0.0
        self._failing_since: float | None = None
        self._pauses = self._refusals = self._broken_row = 0
        self._alive = False

    def wait(self, size: int, cap: int | None) -> float | None:
        """Seconds until a request of `size` bytes may go there, 0 for at once; None: when another one has ended."""
        if not self.pace.has_room(self.in_flight) or (self._broken_row >= BROKEN and self.in_flight):
            return None
        return max(self.pause_left(), self.rate.wait(size, cap))

    def addressed(self, call: Call) -> Call:
        """The call, to be sent to this server."""
        to = self.address
        if to is None or (call.base_url, call.api_key_env) == (to.base_url, to.api_key_env):
            return call
        return call.model_copy(update={"base_url": to.base_url, "api_key_env": to.api_key_env})

    def pause_left(self) -> float:
        """Seconds for which it is still to be left alone."""
        return max(0.0, self._resume_at - time.monotonic())

    def why_closed(self) -> Stopped | None:
        """Why nothing is sent there; None where something may be. One that was lost is tried again now and then."""
        if self._closed is not None and time.monotonic() >= self._opens_at:
            self._close(None)
        return self._closed

    def worked(self, reply: Reply, level: int, sent_at: float) -> None:
        """A reply came to a request that was sent at monotonic time `sent_at` as one of `level` in flight."""
        self._alive, self.answered_at = True, time.monotonic()
        self._pauses = self._refusals = self._broken_row = 0
        self._failing_since = None
        self.answered += 1
        self.output_tokens += reply.usage.get("output", 0)
        self.pace.answered(level, sent_at, reply.usage.get("output"))

    def failed(self, trouble: Trouble, level: int, sent_at: float) -> None:
        """A request brought no reply; it was sent at monotonic time `sent_at` as one of `level` in flight.

        May pause or close the endpoint.
        """
        if isinstance(trouble, Busy):
            self.busy += 1
            self.pace.too_much(level, sent_at)
            self._pause(trouble, trouble.retry_after, sent_at)
        elif isinstance(trouble, Unreachable):
            self.unreached += 1
            self._pause(trouble, None, sent_at)
        elif isinstance(trouble, Refused):
            self._refused(trouble)
        elif isinstance(trouble, Denied):
            self._close(self._denied(trouble))
        else:
            self.broken += 1
            self._broken_row += 1
            if self._broken_row >= BROKEN:  # the server is sick: asking it for more answers only pays for nothing
                self._pause(trouble, None, sent_at)

    def away(self, gone: bool) -> None:
        """It is not there any more, or there again: nothing more is to be set aside for GPUs that take no requests."""
        if self.hardware is not None:
            self.hardware.away = gone

    def facts(self) -> dict[str, Any]:
        """What it came to, for the report."""
        counts = ("sent", "answered", "busy", "broken", "unreached", "output_tokens", "in_flight")
        closed = {} if self._closed is None else {"closed": self._closed.what}
        return {"window": int(self.pace.window), **{name: getattr(self, name) for name in counts}, **closed}

    def _pause(self, trouble: Trouble, asked: float | None, sent_at: float) -> None:
        now = time.monotonic()
        if self._failing_since is None or sent_at - self._failed_at > 2 * LONGEST_PAUSE_S:
            self._failing_since = now  # what failed long before this was even sent has nothing to do with it
        self._failed_at = now
        if asked is not None and asked > LONGEST_WAIT_S:
            self._give_up(f"the server asks to wait {asked / 3600:.1f} hours ({trouble})", asked)
            return
        never = NEVER_REACHED_S if self._never_reached_s is None else self._never_reached_s
        patience = never if not self._alive and isinstance(trouble, Unreachable) else PATIENCE_S
        if now - self._failing_since > patience:
            self._give_up(f"no reply for {patience:.0f} seconds ({trouble})", LONGEST_PAUSE_S, reached=self._alive)
            return
        if self._resume_at <= now:
            # The server's word is good once; one that goes on asking for no pause at all gets one all the same.
            own = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**self._pauses)
            asked = own if asked is None else max(asked, own if self._pauses else 0.0)
            self._pauses += 1
        if asked is not None:
            self._resume_at = max(self._resume_at, now + asked * (1 + random.random() * _JITTER))

    def _give_up(self, why: str, seconds: float, *, reached: bool = True) -> None:
        advice = _RESUME if reached else f"see that the server is up and its address right: {_RESUME}"
        gone = NoServer(why, where=f"{self.model} at {self.name}", next=advice)
        if self._closed is None or isinstance(self._closed, NoServer):  # a refused key outlasts an outage
            self._close(gone, time.monotonic() + seconds)

    def _close(self, why: Stopped | None, opens_at: float = float("inf")) -> None:
        self._closed, self._opens_at = why, opens_at

    def _refused(self, trouble: Refused) -> None:
        self._refusals += 1
        if not self._alive and self._refusals >= REFUSALS:
            why = Stopped(
                f"the server refused each of the first {self._refusals} requests ({trouble})",
                where=f"{self.model} at {self.name}",
                next="check the model and its parameters in the recipe, then run the same command again",
            )
            self._close(why)

    def _denied(self, trouble: Denied) -> Stopped:
        variable = self.address.api_key_env if self.address else None
        key = f"the key in ${variable}, " if variable else ""
        return Stopped(
            f"the server refuses: {trouble}",
            where=f"{self.model} at {self.name}",
            next=f"check {key}the account, the model name and the address, then run the same command again",
        )


def label(address: str) -> str:
    """An address for people and records: host, port and path, without a user, a password or a query."""
    parts = urlsplit(address)
    if not parts.hostname:
        return address
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.hostname}{port}{parts.path.rstrip('/')}"
