"""Rate: a provider's limits on requests and tokens per minute, kept before it has to refuse.

What a request will take is not known when it is sent: its input is guessed from its bytes and its output from what came
so far; when the answer is there, the difference is given back or owed.
"""

import time

from curate.calls.model import Rates

_BURST_S = 6.0  # of the allowance may be used at once: providers count in windows shorter than the minute
_TOKENS_PER_BYTE = 0.25  # of English, until answers tell
_OUTPUT = 2048.0  # tokens of an answer, until answers tell and where no cap does
_LEARN = 0.05  # weight of a new answer


class _Bucket:
    def __init__(self, per_minute: float, least: float) -> None:
        self._per_second = per_minute / 60
        self._most = max(least, self._per_second * _BURST_S)
        self._level, self._at = self._most, time.monotonic()

    def wait(self, amount: float) -> float:
        now = time.monotonic()
        self._level = min(self._most, self._level + (now - self._at) * self._per_second)
        self._at = now
        short = min(amount, self._most) - self._level
        return short / self._per_second if short > 1e-9 else 0.0

    def take(self, amount: float) -> None:
        # A provider forgets after a minute, and so does one absurd count of tokens.
        self._level = max(self._level - amount, -60 * self._per_second)


class Rate:
    """The limits of one address; without `rates` nothing is ever waited for."""

    def __init__(self, rates: Rates | None) -> None:
        wanted = rates or Rates()
        self._requests = _Bucket(wanted.requests_per_minute, 1.0) if wanted.requests_per_minute else None
        self._tokens = _Bucket(wanted.tokens_per_minute, 1.0) if wanted.tokens_per_minute else None
        self._per_byte = _TOKENS_PER_BYTE
        self._output: float | None = None

    def wait(self, size: int, cap: int | None) -> float:
        """Seconds until a request of `size` bytes and at most `cap` output tokens may be sent."""
        wait = self._requests.wait(1.0) if self._requests else 0.0
        return max(wait, self._tokens.wait(self._guess(size, cap))) if self._tokens else wait

    def take(self, size: int, cap: int | None) -> float:
        """Count a request; returns the tokens that it was counted with, for `came` or `refused`."""
        if self._requests:
            self._requests.take(1.0)
        if not self._tokens:
            return 0.0
        guess = self._guess(size, cap)
        self._tokens.take(guess)
        return guess

    def came(self, guess: float, size: int, usage: dict[str, int]) -> None:
        """An answer is there: settle its guess and learn from it."""
        if not self._tokens or not {"input", "output"} <= usage.keys():
            return
        self._tokens.take(usage["input"] + usage["output"] - guess)
        self._per_byte += _LEARN * (usage["input"] / max(1, size) - self._per_byte)
        seen = float(usage["output"])
        self._output = seen if self._output is None else self._output + _LEARN * (seen - self._output)

    def refused(self, guess: float) -> None:
        """The request was not taken: its tokens are free again (providers do count the request)."""
        if self._tokens:
            self._tokens.take(-guess)

    def _guess(self, size: int, cap: int | None) -> float:
        output = float(cap or _OUTPUT) if self._output is None else self._output
        return size * self._per_byte + (output if cap is None else min(output, cap))
