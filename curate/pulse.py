"""Pulse: the calls of a running command in a few words, for its progress line.

64 in flight  12.3 answers/s  41,000 tokens/s  $1.23 of about $45  retried 7 (busy 5, unclear 2)
"""

import time
from collections import deque
from collections.abc import Callable

from curate.calls.client import Calls
from curate.calls.counters import Counters

_WINDOW_S = 60.0  # rates are those of the last minute
_RETRIED = ("busy", "unreachable", "unclear", "denied")


class Pulse:
    """Says how the calls are going; `left` tells which share of the work is still to come, None where nobody knows."""

    def __init__(self, calls: Calls, left: Callable[[], float | None]) -> None:
        self._calls, self._left = calls, left
        self._marks: deque[tuple[float, int, int]] = deque()

    def __call__(self) -> str:
        """The words of this moment; empty while nothing was sent."""
        now, counters = time.monotonic(), self._calls.counters
        self._marks.append((now, counters.answered, counters.output_tokens))
        while len(self._marks) > 2 and now - self._marks[1][0] > _WINDOW_S:
            self._marks.popleft()
        waits = self._calls.waits_for()
        if not counters.sent:
            return "; ".join(waits)
        parts = [f"{self._calls.in_flight:,} in flight", *self._rates(now)]
        parts += self._money(counters)
        if counters.retried:
            classes = {name: getattr(counters, f"retried_{name}") for name in _RETRIED}
            parts.append(f"retried {counters.retried:,} ({_words(classes)})")
        if counters.failed:
            parts.append(f"{counters.failed:,} failed")
        parts += waits
        return "  ".join(parts)

    def _rates(self, now: float) -> list[str]:
        then, answered, tokens = self._marks[0]
        _, answered_now, tokens_now = self._marks[-1]
        seconds = now - then
        if seconds <= 0 or answered_now == answered:
            return []
        rate = (answered_now - answered) / seconds
        found = [f"{rate:,.0f} answers/s" if rate >= 10 else f"{rate:.2g} answers/s"]
        if tokens_now > tokens:
            found.append(f"{(tokens_now - tokens) / seconds:,.0f} tokens/s")
        return found

    def _money(self, counters: Counters) -> list[str]:
        if not counters.cost:
            return []
        left = self._left()
        if left is None or left >= 1 or counters.answered < 10:
            return [f"${counters.cost:,.2f}"]
        # Going by the answers of this command; what is in the ledger already costs nothing again.
        new = counters.answered / max(1, counters.answered + counters.reused + counters.given)
        ahead = counters.cost * left / (1 - left) if new > 0.5 else None
        return [f"${counters.cost:,.2f}" + ("" if ahead is None else f" of about ${counters.cost + ahead:,.2f}")]


def _words(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items() if count)
