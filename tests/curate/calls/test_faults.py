"""What servers do to their clients, each with what must come of it; the server counts what it bills.

Here stand the faults that need time or many requests; single bad answers are in `test_calls`, kills in `test_kill`.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from email.utils import formatdate
from pathlib import Path

import pytest

from curate.calls import client, endpoint, retries
from curate.calls.budget import Budget
from curate.calls.client import Calls
from curate.calls.model import Call
from curate.calls.payments import unanswered
from curate.calls.prices import Price
from curate.errors import Stopped
from curate.ledger import Ledger
from tests.curate.calls.server import Server, serving
from tests.curate.calls.till import Till, ask_all, call, open_till


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as running:
        yield running


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "RESEND_PAUSE_S", 0.01)
    monkeypatch.setattr(endpoint, "FIRST_PAUSE_S", 0.02)


def script(server: Server, text: str, number: int = 0, **fields: object) -> Call:
    return call(server.url, text, sample=number, **fields)


async def test_no_request_comes_while_the_server_wants_none(tmp_path: Path) -> None:
    class Strict(Till):
        quiet_until = 0.0
        early = 0

        def _draw(self) -> str:
            now = asyncio.get_running_loop().time()
            # What was on its way when the server said so could not know: it has a quarter of a second.
            self.early += self.quiet_until - 0.75 < now < self.quiet_until
            fault = super()._draw()
            if fault == "429":
                self.quiet_until = max(self.quiet_until, now + 1.0)
            return fault

    async with open_till(Strict({"429": 0.05}, latency_s=0.02)) as till:
        till.headers_of_429 = {"Retry-After": "1"}
        calls = await ask_all(tmp_path, till.url, [f"q{n}" for n in range(120)], concurrency=16)
        assert isinstance(till, Strict)
        assert till.early == 0
        assert till.statuses["429"] >= 2
        assert (calls.counters.answered, calls.counters.failed, calls.counters.maybe_paid) == (120, 0, 0)
        assert calls.counters.retried_busy == till.statuses["429"]


async def test_a_date_in_retry_after_is_waited_for(tmp_path: Path) -> None:
    async with open_till(Till({"429": 1.0}, once=True)) as till:
        till.headers_of_429 = {"Retry-After": formatdate(time.time() + 2.5, usegmt=True)}
        began = time.monotonic()
        calls = await ask_all(tmp_path, till.url, ["q"])
        assert 1.0 <= time.monotonic() - began < 30
        assert calls.counters.answered == 1


async def test_it_finds_the_number_of_requests_that_a_server_takes(tmp_path: Path) -> None:
    async with open_till(Till({}, latency_s=0.05, room=20)) as till:
        texts = [f"q{n}" for n in range(800)]
        calls = await ask_all(tmp_path, till.url, texts, concurrency=1000)
        assert calls.counters.answered == 800
        assert till.statuses["429"] < 0.05 * sum(till.asked.values())
        (facts,) = calls.servers().values()
        assert isinstance(facts["window"], int)
        assert 8 <= facts["window"] <= 26


@pytest.mark.parametrize("status", [401, 402, 403])
async def test_a_key_that_is_refused_half_way_stops_within_a_second_and_goes_on_later(
    tmp_path: Path, status: int
) -> None:
    async with open_till(Till({}, latency_s=0.05)) as till:
        texts = [f"q{n}" for n in range(300)]
        running = asyncio.create_task(ask_all(tmp_path, till.url, texts, concurrency=32))
        while len(till.sold) < 100:
            await asyncio.sleep(0.01)
        till.denied = status
        refused_at = time.monotonic()
        with pytest.raises(Stopped) as stopped:
            await running
        assert stopped.value.exit_code == 4
        assert time.monotonic() - refused_at < 2.0  # a second, and what was in flight
        assert till.statuses[str(status)] <= 32
        sold = len(till.sold)
        till.denied = 0
        calls = await ask_all(tmp_path, till.url, texts, concurrency=32)
        assert (calls.counters.answered, calls.counters.reused) == (300 - sold, sold)
        assert max(till.sold.values()) == 1


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"\x00\xff garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZZ\r\nabc\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nabcde",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n{}",
        b"HTTP/1.1 302 F\r\nLocation: http://[::\r\nContent-Length: 0\r\n\r\n",
    ],
)
async def test_what_is_no_http_may_have_been_paid_and_fails_that_request_alone(tmp_path: Path, raw: bytes) -> None:
    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(raw)
        writer.close()

    sick = await asyncio.start_server(say, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{sick.sockets[0].getsockname()[1]}/v1"
    async with sick, Ledger(tmp_path) as ledger, Calls(ledger, run="r") as calls:
        reply = await calls.ask(call(url, "q", timeout_s=5.0))
        assert reply.status == "failed"
        assert calls.counters.maybe_paid == client.RESENDS + 1
        assert unanswered(ledger, "r") == 0


async def test_a_sick_server_is_not_paid_for_every_question(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "PATIENCE_S", 1.0)
    monkeypatch.setattr(endpoint, "FIRST_PAUSE_S", 0.1)
    async with open_till(Till({"500": 1.0}, latency_s=0.01)) as till:
        with pytest.raises(Stopped, match="no reply for 1 seconds"):
            await asyncio.wait_for(ask_all(tmp_path, till.url, [f"q{n}" for n in range(500)], concurrency=16), 60)
        # A first window, then one at a time with ever longer pauses: not three for each of 500.
        assert sum(till.asked.values()) < 80


async def test_slots_that_never_answer_do_not_hold_the_rest(server: Server, tmp_path: Path) -> None:
    async with Ledger(tmp_path) as ledger, Calls(ledger) as calls:
        began = time.monotonic()
        hung = [calls.ask(script(server, "hang:60 " * 5 + "ok", n, timeout_s=1.0)) for n in range(5)]
        fine = [calls.ask(script(server, "ok", n, timeout_s=1.0)) for n in range(200)]
        replies = await asyncio.wait_for(asyncio.gather(*hung, *fine), 40)
        assert [reply.status for reply in replies] == ["ok"] * 205
        assert time.monotonic() - began < 30
        assert calls.counters.maybe_paid == 5
        lost = await calls.ask(script(server, "hang:60", timeout_s=0.3))
        assert lost.status == "failed"
        assert server.requests["hang:60"] == client.RESENDS + 1


@pytest.mark.parametrize(
    "text", ["", "half a pair \ud83d here", "a NUL \x00 here", "x" * 1_000_000, "\u2028\U0001f600"]
)
async def test_odd_questions_are_sent_as_they_are(tmp_path: Path, text: str) -> None:
    async with open_till(Till({})) as till:
        calls = await ask_all(tmp_path, till.url, [text])
        assert calls.counters.answered == 1
        assert list(till.sold) == [text.replace("\ud83d", "\ufffd")]  # half a pair is no text that can be sent
        again = await ask_all(tmp_path, till.url, [text])
        assert again.counters.reused == 1


async def test_a_resend_may_not_exceed_the_cap_either(tmp_path: Path) -> None:
    price = Price(input=0.0, output=1000.0)  # $0.5 at most for each
    async with open_till(Till({"500": 1.0}, latency_s=0.01)) as till:
        with pytest.raises(Stopped, match="budget"):
            await ask_all(tmp_path, till.url, [f"q{n}" for n in range(20)], Budget(3.2), price=price, concurrency=8)
        assert sum(till.lost.values()) == 6  # each may have cost its worst case


async def test_resends_are_spread_among_fresh_questions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "PER_SECOND", 5.0)
    texts = [f"q{n}" for n in range(100)]
    again_when_all_were_asked = [0]

    class Watched(Till):
        def _draw(self) -> str:
            if len(self.asked) < len(texts):
                again_when_all_were_asked[0] = sum(self.asked.values()) - len(self.asked)
            return super()._draw()

    async with open_till(Watched({"cut": 0.5}, latency_s=0.01, once=True)) as till:
        began = time.monotonic()
        calls = await asyncio.wait_for(ask_all(tmp_path, till.url, texts, concurrency=50), 120)
        assert calls.counters.answered == 100
        # Half of them have to be sent again, far more than a tenth: the rest of it waits, and fresh ones go on.
        assert calls.counters.retried_unclear == sum(till.lost.values()) >= 30
        allowed = retries.LEAST + retries.SHARE * 100 + retries.PER_SECOND * (time.monotonic() - began)
        assert again_when_all_were_asked[0] <= 25 < sum(till.lost.values()) <= allowed


async def test_an_interrupt_keeps_what_is_in_flight_and_sends_no_more(tmp_path: Path) -> None:
    till = Till({"429": 0.2}, latency_s=0.3)
    async with open_till(till), Ledger(tmp_path) as ledger, Calls(ledger, run="r") as calls:
        asks = [asyncio.create_task(calls.ask(call(till.url, f"q{n}"))) for n in range(200)]
        while till.at_once < 8:
            await asyncio.sleep(0.01)
        calls.stop(Stopped("interrupted"))
        flying = calls.in_flight
        results = await asyncio.gather(*asks, return_exceptions=True)
        answered = [one for one in results if not isinstance(one, BaseException)]
        assert all(isinstance(one, Stopped) for one in results if isinstance(one, BaseException))
        assert len(answered) == sum(till.sold.values()) <= flying
        assert unanswered(ledger, "r") == 0
        assert sum(till.asked.values()) == ledger.count("trouble") + len(answered)
