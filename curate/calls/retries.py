"""How many requests may be sent again: a tenth of the traffic, and a few a second whatever the traffic is.

A server in trouble is not helped by being asked three times for everything, and each resend may be paid for again. What
has no allowance yet waits for it, while fresh questions go on.
"""

import time

SHARE = 0.1  # of the requests sent for the first time
LEAST = 10.0  # resends that need no traffic before them
PER_SECOND = 1.0
_MOST = 100.0  # what a long quiet time may save up


class Retries:
    """The allowance of one model."""

    def __init__(self) -> None:
        self._credit = LEAST
        self._at = time.monotonic()

    def fresh(self) -> None:
        """A request was sent for the first time."""
        self._credit = min(_MOST, self._credit + SHARE)

    def take(self) -> float:
        """Take a resend (0), or the seconds after which to try again."""
        now = time.monotonic()
        if self._credit < LEAST:
            self._credit = min(LEAST, self._credit + PER_SECOND * (now - self._at))
        self._at = now
        if self._credit >= 1.0:
            self._credit -= 1.0
            return 0.0
        return (1.0 - self._credit) / PER_SECOND
