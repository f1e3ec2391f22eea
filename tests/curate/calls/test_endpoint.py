"""What one server is taken for, after what came from it; against a clock of its own."""

import pytest

from curate.calls import endpoint, hardware, pace, rate
from curate.calls.endpoint import LONGEST_PAUSE_S, PATIENCE_S, Endpoint, NoServer
from curate.calls.model import Address, Call, Reply
from curate.calls.prices import Price
from curate.calls.trouble import Busy, Denied, Trouble, Unclear
from tests.curate.calls.test_pace import Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for module in (endpoint, hardware, pace, rate):
        monkeypatch.setattr(module, "time", clock)
    return clock


def one(**fields: object) -> Endpoint:
    call = Call(form="chat", model="m", body={}, base_url="http://h/v1", **fields)  # type: ignore[arg-type]
    return Endpoint(call, Address(base_url="http://h/v1"))


def fail(server: Endpoint, clock: Clock, trouble: Trouble, seconds: float = 0.0) -> None:
    """A request that is sent when it may be, and takes so long to fail."""
    clock.now += server.pause_left()
    sent_at = clock.now
    clock.now += seconds
    server.failed(trouble, 1, sent_at)


def test_a_server_that_asks_for_no_pause_is_not_stormed(clock: Clock) -> None:
    server = one()
    fail(server, clock, Busy("slow down", 0.0))
    assert server.pause_left() == 0  # its word is good once
    pauses = []
    for _ in range(8):
        fail(server, clock, Busy("slow down", 0.0), 0.01)
        pauses.append(server.pause_left())
    assert pauses[:7] == sorted(pauses[:7])
    assert pauses[0] >= endpoint.FIRST_PAUSE_S
    assert pauses[-1] >= LONGEST_PAUSE_S
    server.worked(Reply(), 1, clock.now)
    fail(server, clock, Busy("slow down", 0.0))
    assert server.pause_left() == 0


def test_a_server_that_hangs_is_given_up_however_long_each_request_takes_to_show_it(clock: Clock) -> None:
    server = one()
    sent = 0
    while server.why_closed() is None:
        fail(server, clock, Unclear("no byte for half an hour"), PATIENCE_S)
        sent += 1
        assert sent <= endpoint.BROKEN + 2
    assert isinstance(server.why_closed(), NoServer)


def test_what_failed_long_ago_does_not_count_against_a_server_that_was_idle(clock: Clock) -> None:
    server = one()
    fail(server, clock, Busy("slow down"))
    clock.now += 10 * PATIENCE_S
    fail(server, clock, Busy("slow down"))
    assert server.why_closed() is None


def test_a_server_that_asks_for_hours_gets_them(clock: Clock) -> None:
    server = one()
    fail(server, clock, Busy("come back later", 7200.0))
    for _ in range(119):
        clock.now += 60
        assert isinstance(server.why_closed(), NoServer)
    clock.now += 61
    assert server.why_closed() is None


def test_a_refused_key_after_an_outage_stays_refused(clock: Clock) -> None:
    server = one()
    fail(server, clock, Busy("come back later", 7200.0))
    clock.now += 7201
    assert server.why_closed() is None
    fail(server, clock, Denied("401"))
    clock.now += 7201
    closed = server.why_closed()
    assert closed is not None
    assert not isinstance(closed, NoServer)
    fail(server, clock, Busy("come back later", 7200.0))  # what was in flight still comes
    assert server.why_closed() is closed


def test_gpus_of_a_server_that_is_away_are_not_set_aside(clock: Clock) -> None:
    server = one(price=Price(gpu_hour=2.0, gpus=8))
    assert server.hardware is not None
    mark = server.hardware.begin()
    clock.now += 100
    server.away(True)
    assert server.hardware.coming() == 800  # what is in flight there goes on
    server.hardware.end(mark, 100.0)
    assert server.hardware.coming() == 0
    server.away(False)
    assert server.hardware.coming() == 800  # as long as the slowest so far
