"""Own hardware: the time that the GPUs behind one address worked for us, shared among the requests it worked on.

GPUs cost the same whether they answer one request or two hundred, so at every moment the requests in flight share what
they cost. The shares add up to the time in which at least one request was in flight.
"""

import time

from curate.calls.prices import Price


class Hardware:
    """The clock of the GPUs behind one address."""

    def __init__(self, price: Price) -> None:
        self.gpus, self.gpu_hour = price.gpus or 0, price.gpu_hour or 0.0
        self.away = False  # nothing is sent there now
        self._share = 0.0  # seconds that a request would have got since the beginning
        self._in_flight = 0
        self._at = time.monotonic()
        self._open = 0.0  # GPU seconds that passed and are not settled with a request
        self._slowest = 0.0

    def begin(self) -> float:
        """A request is sent; returns its mark for `end`."""
        self._move()
        self._in_flight += 1
        return self._share

    def end(self, mark: float, seconds: float) -> float:
        """A request ended after `seconds`; returns its share in GPU seconds."""
        self._move()
        self._in_flight -= 1
        self._slowest = max(self._slowest, seconds)
        share = (self._share - mark) * self.gpus
        self._open = max(0.0, self._open - share) if self._in_flight else 0.0
        return share

    def coming(self) -> float:
        """GPU seconds that are due already, and those it takes until all that is in flight, or sent now, has ended."""
        self._move()
        return self._open + (0.0 if self.away and not self._in_flight else self.gpus * self._slowest)

    def _move(self) -> None:
        now = time.monotonic()
        if self._in_flight:
            passed = now - self._at
            self._share += passed / self._in_flight
            self._open += passed * self.gpus
        self._at = now
