"""Pace: how many requests may run at one server at once, found out from how the server answers.

It starts small, doubles while all goes well, and gives way when the server says that it is too much (429, 503, 529), or
when more at once only makes every answer slower. Between such signs it grows slowly, and faster again when none came
for long, so that one early refusal does not hold back a run of days. What comes as often, or as late, when little is in
flight is not our doing: it is waited out (see `endpoint`), and changes nothing here.
"""

import time
from typing import NamedTuple

START = 16  # requests at once, before anything is known
KEEP = 0.7  # of what was in flight when the server had enough
GROWTH = 0.05  # of the window, for each window of answers
CALM = 10  # windows of answers without a sign, after which growth doubles each time: 0.7 * 1.05**7 is about 1
_SLOWER = 2.0  # times the best p95 of seconds a token
_NO_LOSS = 0.78  # of the throughput, by making the window smaller
_NO_GAIN = 1.1  # times the best throughput
_SAMPLES = 20  # answers, before a p95 means anything
_ALIKE = 0.5  # of the share of refusals at many in flight, at few: then they do not depend on it
_RARE = 0.2  # share of refusals that can be other people's doing
_ENOUGH = 15  # requests of late, before their share means anything
_FADE = 0.995  # of what was counted, each request
_FADE_CEILING = 0.98  # each refusal


class _Share:
    """The share of requests that were refused of late."""

    def __init__(self) -> None:
        self.count = self.refused = 0.0

    def fade(self) -> None:
        self.count *= _FADE
        self.refused *= _FADE

    def add(self, refused: bool) -> None:
        self.count += 1
        self.refused += refused

    def share(self) -> float:
        return self.refused / max(1.0, self.count)


class _Trial(NamedTuple):
    """What was when the window was made smaller because answers had become slow."""

    window: float
    flow: float


class Pace:
    """The window of one server. `most` is never exceeded; not `adaptive`: the window is `most` from the start."""

    def __init__(self, most: int, *, adaptive: bool = True) -> None:
        self._most, self._adaptive = most, adaptive
        self.window = float(min(START, most) if adaptive else most)
        self._doubling = True
        self._calm = 0
        self._cut_at = 0.0
        self._ceiling = 0.0  # the most that were in flight at one of the last refusals
        self._few, self._many = _Share(), _Share()  # up to KEEP of that in flight, and more
        self._trial: _Trial | None = None
        self._round_began: float | None = None  # when its first answer came
        self._best_delay: float | None = None
        self._best_flow = 0.0
        self._begin_round()

    def has_room(self, in_flight: int) -> bool:
        """Whether one more may be sent."""
        return in_flight < max(1, int(self.window))

    def answered(self, in_flight: int, sent_at: float, tokens: int | None) -> None:
        """An answer came, of `tokens` output tokens where that is known, to a request that was sent at monotonic time
        `sent_at` as one of `in_flight`.
        """
        if not self._adaptive:
            return
        self._tally(in_flight, refused=False)
        if sent_at < self._cut_at:  # it tells of the time before
            return
        now = time.monotonic()
        self._round_began = self._round_began or now
        self._delays.append((now - sent_at) / max(1, tokens or 1))
        self._tokens += tokens or 1
        full = in_flight >= 0.5 * self.window
        self._full += full
        if full:  # a window that is not used says nothing
            self.window = min(self.window + self._growth(), float(self._most))
        self._count += 1
        if self._count >= self.window:
            self._end_round()

    def too_much(self, in_flight: int, sent_at: float) -> None:
        """The server refused a request for being one too many; it was sent at monotonic time `sent_at`, as one of
        `in_flight`.
        """
        if not self._adaptive:
            return
        self._tally(in_flight, refused=True)
        few, many = self._few, self._many
        self._ceiling = max(float(in_flight), self._ceiling * _FADE_CEILING)
        rare = min(few.count, many.count) >= _ENOUGH and few.refused >= 2 and few.share() <= _RARE
        if rare and few.share() >= _ALIKE * many.share():
            return
        if sent_at >= self._cut_at:  # else: sent before the window was made smaller
            self._cut(min(self.window, in_flight), least=1.0)

    def _tally(self, in_flight: int, *, refused: bool) -> None:
        for one in (self._few, self._many):
            one.fade()
        (self._few if in_flight <= KEEP * self._ceiling else self._many).add(refused)

    def _growth(self) -> float:
        if self._doubling:
            return 1.0
        faster = 2.0 ** max(0, self._calm - CALM)
        return min(1.0, max(1.0, GROWTH * self.window) * faster / self.window)

    def _cut(self, reached: float, *, least: float) -> None:
        self.window = max(least, KEEP * reached)
        self._doubling = False
        self._calm = 0
        self._cut_at = time.monotonic()
        self._begin_round()

    def _begin_round(self) -> None:
        self._count = self._full = self._tokens = 0
        self._delays: list[float] = []
        self._round_began = None

    def _end_round(self) -> None:
        self._calm += 1
        if len(self._delays) < _SAMPLES or self._round_began is None:
            self._count = 0
            return
        passed = time.monotonic() - self._round_began
        if self._full >= 0.8 * len(self._delays) and passed > 0:
            delay = sorted(self._delays)[int(0.95 * (len(self._delays) - 1))]
            self._compare(delay, self._tokens / passed)
        self._begin_round()

    def _compare(self, delay: float, flow: float) -> None:
        """Hold the p95 of seconds a token, and the tokens a second, of a window of answers against the best."""
        if self._trial is not None:
            if flow < _NO_LOSS * self._trial.flow:  # fewer at once brought less: it is slow by itself
                self.window = min(max(self.window, self._trial.window), float(self._most))
                self._best_delay, self._best_flow = delay, flow
            self._trial = None
            return
        least = float(min(START, self._most))
        slower = self._best_delay is not None and delay > _SLOWER * self._best_delay
        if slower and flow < _NO_GAIN * self._best_flow and self.window > least:
            self._trial = _Trial(self.window, flow)
            self._cut(self.window, least=least)
        self._best_delay = delay if self._best_delay is None else min(delay, self._best_delay)
        self._best_flow = max(flow, self._best_flow)
