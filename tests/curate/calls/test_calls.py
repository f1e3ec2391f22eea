"""Calls against a server with faults: asked once, paid once, stored before it counts, and never a false answer."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from curate.calls import client, endpoint
from curate.calls.budget import Budget
from curate.calls.client import Calls
from curate.calls.model import Call
from curate.calls.payments import unanswered
from curate.calls.prices import Price
from curate.errors import InputError, Prerequisite, Stopped
from curate.ledger import Ledger
from tests.curate.calls.server import Server, serving

KEY = "sk-very-secret-0123456789"


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as running:
        yield running


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "RESEND_PAUSE_S", 0.01)
    monkeypatch.setattr(endpoint, "FIRST_PAUSE_S", 0.02)
    monkeypatch.setenv("TEACHER_API_KEY", KEY)


def call(server: Server, script: str, **fields: Any) -> Call:
    body = {"model": "teacher", "messages": [{"role": "user", "content": script}]}
    known = {
        "model": "teacher",
        "base_url": server.url,
        "api_key_env": "TEACHER_API_KEY",
        "max_tokens": 100,
        "timeout_s": 20.0,
    }
    return Call(form="chat", body=body, **{**known, **fields})


class Opened:
    def __init__(self, folder: Path, **budget: Any) -> None:
        self.ledger = Ledger(folder)
        self.calls = Calls(self.ledger, Budget(**budget))

    async def __aenter__(self) -> Calls:
        await self.ledger.__aenter__()
        return await self.calls.__aenter__()

    async def __aexit__(self, *error: Any) -> None:
        await self.calls.__aexit__(*error)
        await self.ledger.__aexit__(*error)


async def test_an_answer_is_asked_once_and_reused_by_the_next_run(server: Server, tmp_path: Path) -> None:
    for run in range(2):
        async with Opened(tmp_path) as calls:
            replies = await asyncio.gather(*(calls.ask(call(server, "ok")) for _ in range(5)))
            assert {reply.raw["choices"][0]["message"]["content"] for reply in replies} == {"The answer is 4."}
            assert (calls.counters.asked, calls.counters.sent, calls.counters.reused) == (5, 1 - run, 4 + run)
            assert replies[0].model == "teacher-0001"
            assert replies[0].usage == {"input": 11, "output": 7}
            assert unanswered(calls._ledger, "") == 0
    assert server.requests == {"ok": 1}


async def test_samples_are_different_calls_and_the_address_is_not(server: Server, tmp_path: Path) -> None:
    async with Opened(tmp_path) as calls:
        for sample in range(4):
            await calls.ask(call(server, "ok", sample=sample))
        assert server.requests == {"ok": 4}
        elsewhere = call(server, "ok", base_url="http://127.0.0.1:1/v1", api_key_env=None, timeout_s=1.0, concurrency=2)
        await calls.ask(elsewhere)
        for changed in ({"revision": "b"}, {"model": "other"}):
            await calls.ask(call(server, "ok", **changed))
    assert server.requests == {"ok": 6}


async def test_what_is_sent(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-of-somebody")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-of-somebody")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-openai-000000")
    one = call(server, "ok")
    body = {**one.body, "temperature": 0.6, "chat_template_kwargs": {"enable_thinking": True}}
    async with Opened(tmp_path) as calls:
        await calls.ask(one.model_copy(update={"body": body}))
        await calls.ask(call(server, "ok", sample=1, api_key_env=None))
    assert server.seen[0] == {**body, "max_tokens": 100}
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"
    assert "sk-of-openai" not in str(server.headers)
    assert "somebody" not in str(server.headers)


@pytest.mark.parametrize(
    ("script", "sends"),
    [("429:0 429:0 ok", 3), ("503 529 ok", 3), ("busy200 ok", 2)],
)
async def test_a_busy_server_is_asked_again_for_nothing(
    server: Server, tmp_path: Path, script: str, sends: int
) -> None:
    async with Opened(tmp_path) as calls:
        reply = await calls.ask(call(server, script))
        assert reply.status == "ok"
        assert (calls.counters.sent, calls.counters.retried, calls.counters.failed) == (sends, sends - 1, 0)
        assert calls.counters.maybe_paid == 0
        assert unanswered(calls._ledger, "") == 0


async def test_retry_after_holds_for_the_whole_endpoint(server: Server, tmp_path: Path) -> None:
    async with Opened(tmp_path) as calls:
        first = asyncio.create_task(calls.ask(call(server, "429:1 ok")))
        while not server.times:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        await asyncio.gather(first, *(calls.ask(call(server, "ok", sample=n)) for n in range(8)))
    assert min(server.times[1:]) - server.times[0] >= 1.0
    assert sum(server.billed.values()) == 9


@pytest.mark.parametrize(
    "fault",
    ["html", "cut", "error200", "nochoices", "nullchoices", "array", "nomessage", "overloaded", "drop", "half", "500"],
)
async def test_what_may_have_been_paid_is_sent_again_twice_at_most(server: Server, tmp_path: Path, fault: str) -> None:
    async with Opened(tmp_path) as calls:
        assert (await calls.ask(call(server, f"{fault} {fault} ok"))).status == "ok"
        lost = await calls.ask(call(server, fault))
        assert lost.status == "failed"
        assert lost.error
        assert server.requests == {f"{fault} {fault} ok": 3, fault: 3}
        assert calls.counters.failed == 1
        assert calls.counters.maybe_paid == 5
        assert calls.lookup([call(server, fault)])[call(server, fault).key].status == "failed"
    async with Opened(tmp_path) as calls:  # the next run asks for the failed one only
        assert unanswered(calls._ledger, "") == 0
        assert (await calls.ask(call(server, f"{fault} {fault} ok"))).status == "ok"
        await calls.ask(call(server, fault))
    assert server.requests == {f"{fault} {fault} ok": 3, fault: 6}


async def test_a_server_that_never_answers_times_out(server: Server, tmp_path: Path) -> None:
    async with Opened(tmp_path) as calls:
        hung = asyncio.create_task(calls.ask(call(server, "hang:30 ok", timeout_s=0.5)))
        assert (await calls.ask(call(server, "ok", timeout_s=0.5))).status == "ok"
        assert (await asyncio.wait_for(hung, 10)).status == "ok"
        assert calls.counters.maybe_paid == 1


async def test_keep_alive_lines_are_a_sign_of_life(server: Server, tmp_path: Path) -> None:
    async with Opened(tmp_path) as calls:
        assert (await calls.ask(call(server, "drip", timeout_s=0.7))).raw["choices"]
        assert calls.counters.sent == 1


@pytest.mark.parametrize("refusal", ["401", "402", "403", "404", "quota"])
async def test_a_refused_key_stops_everything_at_once(server: Server, tmp_path: Path, refusal: str) -> None:
    async with Opened(tmp_path) as calls:
        asks = [calls.ask(call(server, refusal, sample=n, concurrency=4)) for n in range(50)]
        errors = await asyncio.gather(*asks, return_exceptions=True)
        assert all(isinstance(error, Stopped) and error.exit_code == 4 for error in errors)
        assert server.requests[refusal] <= 4
        assert KEY not in str(errors[0])
        assert "sk-abc123" not in str(errors[0])
        assert unanswered(calls._ledger, "") == 0


async def test_what_is_in_flight_when_it_stops_is_kept(server: Server, tmp_path: Path) -> None:
    async with Opened(tmp_path) as calls:
        slow = asyncio.create_task(calls.ask(call(server, "hang:0.5")))
        while not server.requests["hang:0.5"]:
            await asyncio.sleep(0.01)
        with pytest.raises(Stopped):
            await calls.ask(call(server, "402"))
        assert (await slow).status == "ok"
        with pytest.raises(Stopped):
            await calls.ask(call(server, "ok"))
        assert (await calls.ask(call(server, "hang:0.5"))).status == "ok"  # what is there may be read
    assert server.requests["ok"] == 0


async def test_a_refused_question_fails_alone(server: Server, tmp_path: Path) -> None:
    async with Opened(tmp_path) as calls:
        replies = await asyncio.gather(calls.ask(call(server, "context")), calls.ask(call(server, "ok")))
        assert [reply.status for reply in replies] == ["failed", "ok"]
        assert "maximum context length" in (replies[0].error or "")
        assert server.requests == {"context": 1, "ok": 1}
        assert unanswered(calls._ledger, "") == 0


async def test_a_server_that_refuses_every_question_stops_the_run(server: Server, tmp_path: Path) -> None:
    async with Opened(tmp_path) as calls:
        asks = [calls.ask(call(server, "context", sample=n, concurrency=1)) for n in range(100)]
        results = await asyncio.gather(*asks, return_exceptions=True)
        assert any(isinstance(one, Stopped) for one in results)
    assert server.requests["context"] == endpoint.REFUSALS


async def test_no_server_stops_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "NEVER_REACHED_S", 0.2)
    nowhere = Server()
    nowhere.url = "http://127.0.0.1:9/v1"
    async with Opened(tmp_path) as calls:
        with pytest.raises(Stopped, match="no connection"):
            await calls.ask(call(nowhere, "ok"))
        assert calls.counters.maybe_paid == 0
        assert unanswered(calls._ledger, "") == 0


async def test_a_long_retry_after_stops_instead_of_sleeping_for_hours(server: Server, tmp_path: Path) -> None:
    async with Opened(tmp_path) as calls:
        with pytest.raises(Stopped, match=r"2\.0 hours"):
            await calls.ask(call(server, "429:7200"))


async def test_concurrency_is_kept(server: Server, tmp_path: Path) -> None:
    async with Opened(tmp_path) as calls:
        await asyncio.gather(*(calls.ask(call(server, "hang:0.05", sample=n, concurrency=7)) for n in range(40)))
    assert 2 <= server.most_at_once <= 7


async def test_a_sent_request_is_on_record_before_it_is_answered(server: Server, tmp_path: Path) -> None:
    server.gate = asyncio.Event()
    async with Opened(tmp_path) as calls:
        asking = [asyncio.create_task(calls.ask(call(server, "ok", sample=n))) for n in range(3)]
        while server.requests["ok"] < 3:
            await asyncio.sleep(0.01)
        reader = Ledger(tmp_path, read_only=True)
        assert reader.count("sent") == 3
        assert unanswered(reader, "") == 3  # as a run sees it that starts after a kill at this moment
        server.gate.set()
        await asyncio.gather(*asking)


async def test_a_reply_serves_the_caps_it_can(server: Server, tmp_path: Path) -> None:
    async with Opened(tmp_path) as calls:
        for cap, sends in ((100, 1), (7, 1), (None, 1), (6, 2), (6, 2), (5, 3)):  # 7 tokens long
            await calls.ask(call(server, "ok", max_tokens=cap))
            assert server.requests["ok"] == sends, cap
        for cap, sends in ((100, 1), (40, 1), (100, 1), (200, 2), (150, 2), (None, 3), (500, 3)):  # cut
            assert (await calls.ask(call(server, "length", max_tokens=cap))).truncated
            assert server.requests["length"] == sends, cap


@pytest.mark.parametrize("script", ["null", "nousage", "oddusage", "surrogate"])
async def test_odd_answers_are_stored_as_they_came(server: Server, tmp_path: Path, script: str) -> None:
    async with Opened(tmp_path) as calls:
        first = await calls.ask(call(server, script, price=Price(input=1.0, output=2.0)))
        assert calls.counters.cost_unknown == (script in ("nousage", "oddusage"))
        assert calls.counters.cost == pytest.approx(0.0 if calls.counters.cost_unknown else 25e-6)
    async with Opened(tmp_path) as calls:
        found = calls.lookup([call(server, script)])[call(server, script).key]
        assert json.dumps(found.raw) == json.dumps(first.raw)
        assert found.usage == first.usage
    assert server.requests == {script: 1}


async def test_no_key_and_no_secret_reaches_the_disk(server: Server, tmp_path: Path) -> None:
    async with Opened(tmp_path / "ledger") as calls:
        await calls.ask(call(server, "ok"))
        await calls.ask(call(server, "context"))
        with pytest.raises(Stopped):
            await calls.ask(call(server, "401"))
        ledger = calls._ledger
        stored = b"".join(body for kind in ("sent", "reply", "trouble") for _, _, body in ledger.scan(kind))
    assert b"sk-" not in stored
    assert KEY.encode() not in b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


async def test_a_missing_key_is_a_prerequisite(server: Server, tmp_path: Path) -> None:
    async with Opened(tmp_path) as calls:
        with pytest.raises(Prerequisite, match="NO_SUCH_KEY"):
            await calls.ask(call(server, "ok", api_key_env="NO_SUCH_KEY"))
    assert not server.requests


async def test_the_budget_is_never_exceeded(server: Server, tmp_path: Path) -> None:
    # 7 output tokens at $1,000 per million: $0.007 each, $0.1 in the worst case of 100 tokens.
    async with Opened(tmp_path, max_cost_usd=0.25) as calls:
        asks = [calls.ask(call(server, "ok", sample=n, price=Price(input=0.0, output=1000.0))) for n in range(60)]
        results = await asyncio.gather(*asks, return_exceptions=True)
        stopped = [one for one in results if isinstance(one, Stopped)]
        assert stopped
        assert "budget of $0.25" in str(stopped[0])
        assert calls.counters.cost == pytest.approx(0.007 * server.billed["ok"])
        assert 0.14 < calls.counters.cost <= 0.25
        assert server.most_at_once <= 2  # the worst cases of three would not fit
    async with Opened(tmp_path, max_cost_usd=0.25) as calls:  # what is there costs nothing again
        for n, result in enumerate(results):
            if not isinstance(result, BaseException):
                await calls.ask(call(server, "ok", sample=n, price=Price(input=0.0, output=1000.0)))
        assert calls.budget.spent.usd == 0


async def test_a_budget_needs_prices_and_caps(server: Server, tmp_path: Path) -> None:
    async with Opened(tmp_path, max_cost_usd=1.0) as calls:
        with pytest.raises(InputError, match="price of teacher"):
            await calls.ask(call(server, "ok"))
        with pytest.raises(InputError, match="nothing limits"):
            await calls.ask(call(server, "ok", max_tokens=None, price=Price(input=1.0, output=1.0)))
        await calls.ask(call(server, "html ok", price=Price(input=0.0, output=1.0)))
        assert calls.budget.spent.usd == pytest.approx(107e-6)  # an unclear send counts with its worst case
    assert sum(server.requests.values()) == 2


async def test_a_cancelled_ask_leaves_others_that_wait_for_it_able_to_ask(server: Server, tmp_path: Path) -> None:
    server.gate = asyncio.Event()
    async with Opened(tmp_path) as calls:
        first = asyncio.create_task(calls.ask(call(server, "ok")))
        while not server.requests["ok"]:
            await asyncio.sleep(0.01)
        second = asyncio.create_task(calls.ask(call(server, "ok")))
        await asyncio.sleep(0)
        first.cancel()
        server.gate.set()
        assert (await second).status == "ok"
        assert first.cancelled()
    ledger = Ledger(tmp_path, read_only=True)
    assert (ledger.count("sent"), ledger.count("paid")) == (2, 1)
    assert unanswered(ledger, "") == 0  # the second send has brought the answer


async def test_stop_ends_waiting_at_once(server: Server, tmp_path: Path) -> None:
    async with Opened(tmp_path) as calls:
        waiting = asyncio.create_task(calls.ask(call(server, "429:60 ok")))
        while not server.requests:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        calls.stop(Stopped("interrupted"))
        with pytest.raises(Stopped, match="interrupted"):
            await asyncio.wait_for(waiting, 1)


async def test_a_given_reply_that_costs_nothing_is_not_stored(tmp_path: Path) -> None:
    raw = {"choices": [{"message": {"content": "recorded"}, "finish_reason": "length"}]}
    one = Call(form="given", model="replay", body={"recorded": "x"}, billed=False, given=raw)
    async with Opened(tmp_path) as calls:
        reply = await calls.ask(one)
        assert (reply.raw, reply.truncated) == (raw, True)
        assert calls.lookup([one])[one.key].raw == raw
        assert calls.counters.given == 1
        assert [calls._ledger.count(kind) for kind in ("sent", "reply")] == [0, 0]
        billed = one.model_copy(update={"billed": True})
        assert (await calls.ask(billed)).raw == raw
        assert [calls._ledger.count(kind) for kind in ("sent", "reply")] == [1, 1]
