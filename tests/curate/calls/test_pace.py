"""How many requests run at once, how many a minute, how many again: each against a clock of its own."""

import heapq
import itertools
import random

import pytest

from curate.calls import hardware, pace, rate, retries
from curate.calls.hardware import Hardware
from curate.calls.model import Rates
from curate.calls.pace import START, Pace
from curate.calls.prices import Price
from curate.calls.rate import Rate
from curate.calls.retries import Retries


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for module in (pace, rate, retries, hardware):
        monkeypatch.setattr(module, "time", clock)
    return clock


class Sim:
    """A server with room for `room` requests at once, in front of it as many as the pace lets through."""

    def __init__(self, one: Pace, clock: Clock) -> None:
        self.one, self.clock = one, clock
        self.asked = self.refused = 0
        self._flying: list[tuple[float, int, float, int]] = []  # end, a number, begin, level
        self._numbers = itertools.count()
        self._chance = random.Random(1)
        self._quiet_until = 0.0

    def run(
        self, seconds: float, *, took: float = 1.0, room: int = 10**9, slots: int = 10**9, noise: float = 0.0
    ) -> None:
        """For so many seconds: an answer takes `took` (more where over `slots` are in flight), of 100 tokens."""
        end = self.clock.now + seconds
        while self.clock.now < end:
            if self.clock.now >= self._quiet_until and self.one.has_room(len(self._flying)):
                self._send(took, room, slots, noise)
                continue
            later = [self._flying[0][0]] if self._flying else []
            if self.one.has_room(len(self._flying)):
                later.append(self._quiet_until)
            self.clock.now = max(self.clock.now, min(later))
            while self._flying and self._flying[0][0] <= self.clock.now:
                _, _, begin, level = heapq.heappop(self._flying)
                self.one.answered(level, begin, 100)

    def _send(self, took: float, room: int, slots: int, noise: float) -> None:
        level = len(self._flying) + 1
        self.asked += 1
        if level > room or self._chance.random() < noise:
            self.refused += 1
            self.one.too_much(level, self.clock.now)
            self._quiet_until = self.clock.now + 0.1
            return
        seconds = took * max(1.0, level / slots) * self._chance.uniform(0.8, 1.2)
        heapq.heappush(self._flying, (self.clock.now + seconds, next(self._numbers), self.clock.now, level))


def test_it_doubles_up_to_what_is_allowed(clock: Clock) -> None:
    one = Pace(1000)
    assert one.window == START
    sim = Sim(one, clock)
    sim.run(4)
    assert one.window > 100
    sim.run(5)
    assert one.window == 1000


def test_not_adaptive_is_all_at_once(clock: Clock) -> None:
    one = Pace(3000, adaptive=False)
    one.too_much(3000, clock.now)
    assert one.window == 3000


@pytest.mark.parametrize("room", [3, 20, 150, 700])
def test_it_finds_the_room_of_a_server(clock: Clock, room: int) -> None:
    one = Pace(1000)
    sim = Sim(one, clock)
    sim.run(60, room=room)
    sim.asked = sim.refused = 0
    sim.run(200, room=room)
    assert sim.refused / sim.asked < (0.05 if room > 5 else 0.25)
    assert sim.asked / 200 >= 0.65 * room
    assert one.window <= room * 1.2 + 2


def test_it_finds_out_that_there_is_more_room_again(clock: Clock) -> None:
    one = Pace(1000)
    sim = Sim(one, clock)
    sim.run(60, room=20)
    sim.run(40)
    assert one.window > 900  # 5 % a window alone would take 80


def test_refusals_that_do_not_depend_on_it_do_not_stop_it(clock: Clock) -> None:
    one = Pace(256)
    sim = Sim(one, clock)
    sim.run(150, noise=0.05)
    sim.asked = 0
    sim.run(150, noise=0.05)
    assert sim.asked / 150 > 14  # where each of them made the window smaller it would be 8
    sim.run(100, room=40, noise=0.02)  # but a limit is still found under the noise
    assert one.window < 90


def test_a_server_that_takes_less_than_before_is_not_stormed(clock: Clock) -> None:
    one = Pace(1000)
    sim = Sim(one, clock)
    sim.run(60)
    sim.asked = sim.refused = 0
    sim.run(60, room=20)
    assert sim.refused / sim.asked < 0.1
    assert one.window < 30


def test_it_gives_way_where_more_at_once_only_waits_longer(clock: Clock) -> None:
    one = Pace(1000)
    sim = Sim(one, clock)
    sim.run(600, slots=64)  # what is above waits in a queue
    assert one.window < 500


def test_a_server_that_is_slow_by_itself_is_not_left_idle(clock: Clock) -> None:
    one = Pace(256)
    sim = Sim(one, clock)
    sim.run(30)
    assert one.window == 256
    sim.run(60, took=4.0)
    assert one.window == 256


def test_requests_a_minute(clock: Clock) -> None:
    one = Rate(Rates(requests_per_minute=120))
    sent = 0
    while clock.now < 1060.0:
        wait = one.wait(100, 10)
        if wait:
            clock.now += wait
        else:
            one.take(100, 10)
            sent += 1
    assert 120 <= sent <= 120 + 13  # a burst of six seconds


def test_tokens_a_minute_go_by_what_answers_really_take(clock: Clock) -> None:
    one = Rate(Rates(tokens_per_minute=60_000))
    taken = waited = 0.0
    guesses = []
    for _ in range(2000):
        while wait := one.wait(400, 30_000):
            clock.now += wait
            waited += wait
        guesses.append(one.take(400, 30_000))
        taken += 600
        one.came(guesses[-1], 400, {"input": 100, "output": 500})
    assert guesses[0] > 30_000 > 1000 > guesses[-1] > 500  # the cap at first, then what was seen
    assert taken / (clock.now - 1000.0) * 60 == pytest.approx(60_000, rel=0.1)
    assert waited > 0


def test_a_refused_request_has_taken_no_tokens(clock: Clock) -> None:
    one = Rate(Rates(tokens_per_minute=600))
    guess = one.take(40, 50)
    assert one.wait(40, 50) > 0
    one.refused(guess)
    assert one.wait(40, 50) == 0


def test_an_absurd_count_of_tokens_is_forgotten_after_a_minute(clock: Clock) -> None:
    one = Rate(Rates(tokens_per_minute=60_000))
    one.came(one.take(400, 500), 400, {"input": 10**9, "output": 10**9})
    assert 0 < one.wait(400, 500) <= 70


def test_no_limits_no_waiting(clock: Clock) -> None:
    one = Rate(None)
    assert all(one.wait(1, 1) == 0.0 and one.take(1, 1) == 0.0 for _ in range(1000))


def test_resends_are_a_tenth_of_the_traffic(clock: Clock) -> None:
    one = Retries()
    assert sum(one.take() == 0 for _ in range(50)) == 10  # a few need no traffic
    assert one.take() > 0
    granted = 0
    for _ in range(10_000):
        one.fresh()
        granted += one.take() == 0.0
    assert granted <= 1001
    assert granted >= 990


def test_resends_are_never_stopped_for_good(clock: Clock) -> None:
    one = Retries()
    granted = 0
    for _ in range(1000):
        clock.now += one.take() or 0.0
        granted += 1
    assert granted > 500


def test_hardware_is_shared_by_what_is_in_flight(clock: Clock) -> None:
    one = Hardware(Price(gpu_hour=2.0, gpus=8))
    first = one.begin()
    clock.now += 10
    second = one.begin()
    assert one.coming() == 80
    clock.now += 10
    assert one.end(first, 20.0) == pytest.approx(8 * (10 + 5))
    clock.now += 10
    assert one.coming() == pytest.approx(8 * (5 + 10) + 8 * 20)  # what is due, and the slowest so far
    assert one.end(second, 20.0) == pytest.approx(8 * (5 + 10))
    clock.now += 100  # nobody is served: nothing is counted
    third = one.begin()
    clock.now += 1
    assert one.end(third, 1.0) == pytest.approx(8)
