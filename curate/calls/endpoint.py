"""One endpoint: how many requests may run there at once, and until when it asked to be left alone."""

import asyncio
import random
import time

from curate.calls.trouble import Busy, Refused, Trouble
from curate.errors import Stopped

FIRST_PAUSE_S = 0.5  # doubled for each further pause without a success, up to a minute
LONGEST_PAUSE_S = 60.0
LONGEST_WAIT_S = 3600.0  # a server that asks for more is waited for by the user, not by us
NEVER_REACHED_S = 30.0  # nothing ever came from there: most likely a wrong address
PATIENCE_S = 1800.0
REFUSALS = 20  # in a row, and never a reply: the recipe is wrong, not the questions

_RESUME = "the same command goes on where it stopped"


class Endpoint:
    """Shared by all calls of one form, address and model."""

    def __init__(self, name: str, concurrency: int) -> None:
        self.name = name
        self.slots = asyncio.Semaphore(concurrency)
        self._resume_at = 0.0
        self._pauses = 0
        self._failing_since: float | None = None
        self._failed_at = 0.0
        self._alive = False
        self._refusals = 0

    def wait(self) -> float:
        """Seconds until the next request may be sent; 0 if at once."""
        left = self._resume_at - time.monotonic()
        # Not all at the same moment: whoever waits adds up to a quarter.
        return left * (1 + random.random() / 4) if left > 0 else 0.0

    def worked(self) -> None:
        """A reply came."""
        self._alive = True
        self._pauses = self._refusals = 0
        self._failing_since = None

    def pause(self, trouble: Trouble) -> None:
        """Leave the endpoint alone for a while. Raises Stopped where waiting has become pointless."""
        now = time.monotonic()
        if self._failing_since is None or now - self._failed_at > 2 * LONGEST_PAUSE_S:
            self._failing_since = now  # what failed long ago and not since has nothing to do with this
        self._failed_at = now
        asked = trouble.retry_after if isinstance(trouble, Busy) else None
        if asked is not None and asked > LONGEST_WAIT_S:
            raise Stopped(
                f"the server asks to wait {asked / 3600:.1f} hours ({trouble})", where=self.name, next=_RESUME
            )
        patience = PATIENCE_S if self._alive or isinstance(trouble, Busy) else NEVER_REACHED_S
        if now - self._failing_since > patience:
            raise Stopped(f"no reply for {patience:.0f} seconds ({trouble})", where=self.name, next=_RESUME)
        if asked is None and self._resume_at <= now:
            asked = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**self._pauses)
            self._pauses += 1
        self._resume_at = max(self._resume_at, now + (asked or 0.0))

    def refused(self, trouble: Refused) -> None:
        """One request was not accepted. Raises Stopped when none ever is."""
        self._refusals += 1
        if not self._alive and self._refusals >= REFUSALS:
            raise Stopped(
                f"the server refused each of the first {self._refusals} requests ({trouble})",
                where=self.name,
                next="check the model and its parameters in the recipe, then run the same command again",
            )
