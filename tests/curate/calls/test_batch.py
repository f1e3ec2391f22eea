"""Batches: collected, found again after a kill, every answer stored once, what expired asked again, nothing paid twice.

A kill is played by leaving everything as it is at some moment: no note of any end is written.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from curate.calls import batch, client, endpoint
from curate.calls.batch_notes import open_jobs
from curate.calls.budget import Budget
from curate.calls.client import Calls
from curate.calls.model import Call
from curate.calls.payments import away, spent_by, unanswered
from curate.calls.prices import Price
from curate.errors import Stopped
from curate.ledger import Ledger
from curate.records import Answer, Question
from curate.teachers.batch import Batch
from curate.teachers.openai import Openai
from tests.curate.calls.batch_server import BatchServer, batching

PRICE = Price(input=1000.0, output=1000.0)  # 18 tokens an answer: $0.018
COST = 0.018


@pytest.fixture
async def server() -> AsyncIterator[BatchServer]:
    async with batching() as running:
        yield running


@pytest.fixture
def one_batch(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests that count batches: a disk that is slow for a moment makes no second one."""
    monkeypatch.setattr(batch, "LINGER_S", 0.4)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "LINGER_S", 0.05)
    monkeypatch.setattr(batch, "POLL_S", 0.02)
    monkeypatch.setattr(client, "RESEND_PAUSE_S", 0.01)
    monkeypatch.setattr(endpoint, "FIRST_PAUSE_S", 0.02)


def call(server: BatchServer, text: str, **fields: Any) -> Call:
    body = {"model": "teacher", "messages": [{"role": "user", "content": text}]}
    known: dict[str, Any] = {"model": "teacher", "base_url": server.url, "max_tokens": 100, "price": PRICE}
    known |= {"form": "chat", "via": "batch", "adaptive": False, "concurrency": 1000}
    return Call(body=body, **{**known, **fields})


class Opened:
    def __init__(self, folder: Path, **budget: Any) -> None:
        self.ledger = Ledger(folder)
        self.calls = Calls(self.ledger, Budget(**budget), run="run")

    async def __aenter__(self) -> Calls:
        await self.ledger.__aenter__()
        return await self.calls.__aenter__()

    async def __aexit__(self, *error: Any) -> None:
        await self.calls.__aexit__(*error)
        await self.ledger.__aexit__(*error)


async def ask_all(calls: Calls, wanted: list[Call]) -> list[Any]:
    return await asyncio.wait_for(asyncio.gather(*(calls.ask(one) for one in wanted), return_exceptions=True), 30)


@pytest.mark.usefixtures("one_batch")
async def test_requests_are_collected_and_asked_once(server: BatchServer, tmp_path: Path) -> None:
    wanted = [call(server, f"ok {number}") for number in range(40)]
    async with Opened(tmp_path) as calls:
        replies = await ask_all(calls, wanted)
        assert {reply.raw["choices"][0]["message"]["content"] for reply in replies} == {"The answer is 4."}
        assert {(reply.model, reply.max_tokens, reply.request_id) for reply in replies} == {("teacher-0001", 100, "q")}
        assert calls.counters.cost == pytest.approx(40 * COST)
        assert calls.counters.sent == 40
        assert open_jobs(calls._ledger) == []
        assert spent_by(calls._ledger, "run").usd == pytest.approx(40 * COST)
    async with Opened(tmp_path) as calls:
        assert all(reply.status == "ok" for reply in await ask_all(calls, wanted))
        assert (calls.counters.sent, calls.counters.reused) == (0, 40)
    assert server.sizes == [40]
    assert server.files["file-0"].count(b'"max_tokens":100') == 40


async def test_a_batch_and_single_requests_share_their_answers(server: BatchServer, tmp_path: Path) -> None:
    question = Question.of(problem="ok", domain="math", truth=Answer(text="4"), source="s", source_id="1")
    batched = Batch(model="m", base_url=server.url, seed=3, temperature=0.5).call(question, 1, None)  # type: ignore[arg-type]
    single = Openai(model="m", base_url=server.url, seed=3, temperature=0.5).call(question, 1, None)  # type: ignore[arg-type]
    assert batched.key == single.key
    assert (batched.via, batched.adaptive, single.via) == ("batch", False, None)
    halved = Batch(model="gpt-4o").call(question, 0, None).price  # type: ignore[arg-type]
    whole = Openai(model="gpt-4o").call(question, 0, None).price  # type: ignore[arg-type]
    assert halved is not None
    assert whole is not None
    assert halved.output == (whole.output or 0) / 2
    async with Opened(tmp_path) as calls:
        assert (await calls.ask(batched)).status == "ok"
        assert (await calls.ask(single)).status == "ok"
        assert calls.counters.sent == 1


async def test_batches_are_split_by_count_size_and_kin(
    server: BatchServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "MOST_REQUESTS", 10)
    monkeypatch.setattr(batch, "MOST_BYTES", 5000)
    wanted = [call(server, f"ok {number}") for number in range(25)]
    large = [call(server, "ok " + "x" * 2000 + str(number)) for number in range(4)]
    other = [call(server, f"ok {number}", max_tokens=50, sample=1) for number in range(3)]
    async with Opened(tmp_path) as calls:
        replies = await ask_all(calls, [*wanted, *other, call(server, "ok " + "x" * 6000), *large])
        assert [reply.status for reply in replies] == ["ok"] * 28 + ["failed"] + ["ok"] * 4
        assert "fits into no batch" in (replies[28].error or "")
    assert sum(server.sizes) == 32
    assert max(server.sizes) <= 10
    sent = [server.files[one["input_file_id"]] for one in server.batches.values()]
    assert max(map(len, sent)) <= 5000
    assert all(server.asked[key] == 1 for key in server.asked)


async def test_a_question_may_fail_alone(server: BatchServer, tmp_path: Path) -> None:
    texts = ["ok", "400 a", "length b", "odd c", "missing d", "500 e"]
    async with Opened(tmp_path) as calls:
        ok, bad, cut, odd, missing, sick = await ask_all(calls, [call(server, text) for text in texts])
        assert (ok.status, bad.status, missing.status, sick.status) == ("ok", "failed", "failed", "failed")
        assert "bad request" in bad.error
        assert cut.truncated
        assert odd.raw["choices"][0]["message"]["content"] == "line\u2028separators\x85in it"
    asked = [server.asked[call(server, text).key] for text in texts]
    assert asked == [1, 1, 1, 1, 3, 3]  # what may have been billed is asked again twice


@pytest.mark.usefixtures("one_batch")
async def test_what_expired_goes_into_another_batch(server: BatchServer, tmp_path: Path) -> None:
    server.expire = 2
    wanted = [call(server, f"ok {number}") for number in range(20)]
    async with Opened(tmp_path) as calls:
        assert all(reply.status == "ok" for reply in await ask_all(calls, wanted))
        assert calls.counters.cost == pytest.approx(20 * COST)
        assert calls.counters.maybe_paid == 0
    assert server.sizes == [20, 10, 5]
    assert set(server.billed.values()) == {1}
    assert len(server.billed) == 20


async def test_the_requests_are_not_left_in_the_account_s_storage(server: BatchServer, tmp_path: Path) -> None:
    server.faults = {"create": [429], "delete": [500]}  # the file of the first try stays: nothing hangs on it
    async with Opened(tmp_path) as calls:
        assert all(reply.status == "ok" for reply in await ask_all(calls, [call(server, "ok 1"), call(server, "ok 2")]))
    asked = {one["input_file_id"] for one in server.batches.values()}
    assert set(server.deleted) == asked
    assert not {one.get("output_file_id") for one in server.batches.values()} & set(server.deleted)


async def test_troubles_on_the_way_cost_nothing(server: BatchServer, tmp_path: Path) -> None:
    server.faults = {"files": [500, 429], "create": [429], "poll": [500, 503, 429], "content": [500]}
    server.break_content = 2
    wanted = [call(server, f"ok {number}") for number in range(300)]
    async with Opened(tmp_path) as calls:
        assert all(reply.status == "ok" for reply in await ask_all(calls, wanted))
        assert calls.counters.cost == pytest.approx(300 * COST)
        spent = spent_by(calls._ledger, "run").usd
        assert spent == pytest.approx(300 * COST)
    assert sum(server.sizes) == 300  # nobody says that a slow disk brings them all in time for one batch
    assert set(server.billed.values()) == {1}


@pytest.mark.usefixtures("one_batch")
async def test_a_lost_answer_to_the_creation_is_no_second_batch(server: BatchServer, tmp_path: Path) -> None:
    server.lose_creation = True
    async with Opened(tmp_path) as calls:
        replies = await ask_all(calls, [call(server, f"ok {number}") for number in range(7)])
        assert all(reply.status == "ok" for reply in replies)
    assert server.sizes == [7]


@pytest.mark.parametrize("moment", ["waiting", "creating"])
@pytest.mark.usefixtures("one_batch")
async def test_a_kill_loses_no_batch(server: BatchServer, tmp_path: Path, moment: str) -> None:
    server.held = True
    wanted = [call(server, f"ok {number}") for number in range(30)]
    opened = Opened(tmp_path)
    calls = await opened.__aenter__()
    waiting = asyncio.ensure_future(ask_all(calls, wanted))
    if moment == "creating":  # the server has the batch, its answer never comes
        server.lose_creation = True
        server.faults["list"] = [500] * 10_000
        while not server.batches:
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.1)
    else:
        while server.polls < 2:
            await asyncio.sleep(0.01)
    waiting.cancel()  # what a kill leaves: no note of any end
    await asyncio.gather(waiting, return_exceptions=True)
    await opened.__aexit__(None, None, None)
    with _Reading(tmp_path) as ledger:
        [job] = open_jobs(ledger)
        assert (job.batch_id is None) == (moment == "creating")
        assert unanswered(ledger, "run") == 0  # none of them may be paid twice
        spent, held = spent_by(ledger, "run"), away(ledger, "run")
        assert len(held) == 30
        assert spent.usd == pytest.approx(sum(one.usd for one in held.values()))
        assert 30 * COST < spent.usd < 30 * 0.3  # it goes on at the server, and costs its worst case at most
    server.held, server.faults = False, {}
    async with Opened(tmp_path, max_cost_usd=spent.usd, spent=spent, away=held) as calls:
        assert all(reply.status == "ok" for reply in await ask_all(calls, wanted))
        assert open_jobs(calls._ledger) == []
        assert spent_by(calls._ledger, "run").usd == pytest.approx(30 * COST)
    assert server.sizes == [30]
    assert set(server.billed.values()) == {1}


async def test_answers_that_nobody_asks_for_any_more_are_stored_and_counted(
    server: BatchServer, tmp_path: Path
) -> None:
    server.held = True
    wanted = [call(server, f"ok {number}") for number in range(10)]
    opened = Opened(tmp_path)
    calls = await opened.__aenter__()
    waiting = asyncio.ensure_future(ask_all(calls, wanted))
    while server.polls < 1:
        await asyncio.sleep(0.01)
    calls.stop(Stopped("interrupted"))
    errors = await waiting
    assert all(isinstance(error, Stopped) for error in errors)
    await opened.__aexit__(None, None, None)
    server.held = False
    async with Opened(tmp_path) as calls:
        await calls.ask(wanted[0])
        assert spent_by(calls._ledger, "run").usd == pytest.approx(10 * COST)
    async with Opened(tmp_path) as calls:
        await ask_all(calls, wanted)
        assert (calls.counters.sent, calls.counters.reused) == (0, 10)
    assert server.sizes == [10]


async def test_an_interrupt_sends_nothing_that_was_only_collected(
    server: BatchServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "LINGER_S", 5.0)
    async with Opened(tmp_path) as calls:
        waiting = asyncio.ensure_future(ask_all(calls, [call(server, f"ok {number}") for number in range(5)]))
        while calls.in_flight < 5:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        calls.stop(Stopped("interrupted"))
        assert all(isinstance(error, Stopped) for error in await waiting)
        assert unanswered(calls._ledger, "run") == 0
        assert spent_by(calls._ledger, "run").usd == 0
    assert server.sizes == []


@pytest.mark.parametrize("code", ["invalid_json_line", "token_limit_exceeded"])
async def test_a_batch_that_is_not_accepted_stops_the_run(server: BatchServer, tmp_path: Path, code: str) -> None:
    server.refuse = [code]
    async with Opened(tmp_path) as calls:
        errors = await ask_all(calls, [call(server, f"ok {number}") for number in range(5)])
        assert all(isinstance(error, Stopped) and error.exit_code == 4 for error in errors)
        assert code in str(errors[0])
        assert spent_by(calls._ledger, "run").usd == 0
    async with Opened(tmp_path) as calls:
        assert (await calls.ask(call(server, "ok 0"))).status == "ok"


@pytest.mark.parametrize(("what", "status"), [("files", 401), ("create", 400), ("create", 402), ("poll", 401)])
async def test_a_refusal_stops_the_run_and_it_goes_on_later(
    server: BatchServer, tmp_path: Path, what: str, status: int
) -> None:
    server.faults = {what: [status]}
    wanted = [call(server, f"ok {number}") for number in range(5)]
    async with Opened(tmp_path) as calls:
        assert all(isinstance(error, Stopped) for error in await ask_all(calls, wanted))
    async with Opened(tmp_path) as calls:
        assert all(reply.status == "ok" for reply in await ask_all(calls, wanted))
        assert spent_by(calls._ledger, "run").usd == pytest.approx(5 * COST)
    assert server.sizes == [5]
    assert set(server.billed.values()) == {1}


async def test_responses_go_in_batches_too(server: BatchServer, tmp_path: Path) -> None:
    question = Question.of(problem="ok", domain="none", truth=Answer(text="4"), source="s", source_id="1")
    teacher = Batch(model="m", base_url=server.url, api="responses", prompt="plain", max_tokens=9)
    async with Opened(tmp_path) as calls:
        assert (await calls.ask(teacher.call(question, 0, None))).status == "ok"  # type: ignore[arg-type]
    assert server.endpoints == ["/v1/responses"]
    assert b'"max_output_tokens":9' in server.files["file-0"]


class _Reading:
    def __init__(self, folder: Path) -> None:
        self.ledger = Ledger(folder, read_only=True)

    def __enter__(self) -> Ledger:
        return self.ledger

    def __exit__(self, *error: Any) -> None:
        self.ledger.close()
