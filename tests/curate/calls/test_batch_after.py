"""After a batch was sent: another cap, key or address, a provider that stumbles, a batch that nobody waits for."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from curate.calls import batch
from curate.calls.payments import away, spent_by, unanswered
from curate.errors import Stopped
from curate.records import Answer, Question
from curate.teachers.batch import Batch
from tests.curate.calls.batch_server import BatchServer, batching
from tests.curate.calls.test_batch import COST, Opened, _Reading, ask_all, call, quick

__all__ = ["quick"]  # the fixture


@pytest.fixture
async def server() -> AsyncIterator[BatchServer]:
    async with batching() as running:
        yield running


async def leave_abroad(server: BatchServer, folder: Path, wanted: list[Any], run: str = "run") -> None:
    """What a killed process leaves: a batch at the server, and no note of any end."""
    server.held = True
    opened, polls = Opened(folder), server.polls
    calls = await opened.__aenter__()
    waiting = asyncio.ensure_future(ask_all(calls, wanted))
    while server.polls == polls:
        await asyncio.sleep(0.01)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await opened.__aexit__(None, None, None)
    server.held = False


async def test_who_comes_late_to_a_batch_in_trouble_does_not_wait_for_ever(server: BatchServer, tmp_path: Path) -> None:
    wanted = [call(server, f"ok {number}") for number in range(5)]
    await leave_abroad(server, tmp_path, wanted)
    server.faults = {"poll": [404]}
    async with Opened(tmp_path) as calls:
        # Another question comes first: nobody waits for the old batch when its trouble shows.
        assert (await asyncio.wait_for(calls.ask(call(server, "ok new")), 10)).status == "ok"
        errors = await ask_all(calls, wanted)
        assert all(isinstance(error, Stopped) for error in errors)
    async with Opened(tmp_path) as calls:
        assert all(reply.status == "ok" for reply in await ask_all(calls, wanted))
    assert set(server.billed.values()) == {1}


@pytest.mark.parametrize("what", ["poll", "list", "content", "files", "create"])
async def test_a_page_in_the_place_of_an_answer_fails_nothing(server: BatchServer, tmp_path: Path, what: str) -> None:
    server.faults = {what: ["<html>one moment</html>", '{"id": 5, "data": 7, "metadata": 3, "errors": "x"}']}
    server.lose_creation = what == "list"
    wanted = [call(server, f"ok {number}") for number in range(5)]
    async with Opened(tmp_path) as calls:
        assert all(reply.status == "ok" for reply in await ask_all(calls, wanted))
        assert spent_by(calls._ledger, "run").usd == pytest.approx(5 * COST)
    assert set(server.billed.values()) == {1}


async def test_another_cap_waits_for_what_is_away(server: BatchServer, tmp_path: Path) -> None:
    texts = ["ok 1", "ok 2", "length 3"]
    await leave_abroad(server, tmp_path, [call(server, text) for text in texts])
    async with Opened(tmp_path, max_cost_usd=100) as calls:
        replies = await ask_all(calls, [call(server, text, max_tokens=200) for text in texts])
        assert [reply.truncated for reply in replies] == [False, False, True]
        assert replies[2].max_tokens == 200
    assert sorted(server.billed.values()) == [1, 1, 2]  # only what was cut is asked again
    async with Opened(tmp_path) as calls:
        assert spent_by(calls._ledger, "run").usd == pytest.approx(4 * COST)
        assert unanswered(calls._ledger, "run") == 0


async def test_another_key_variable_or_spelling_of_the_address_finds_it(
    server: BatchServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTHER_KEY", "k-12345678")
    await leave_abroad(server, tmp_path, [call(server, f"ok {number}") for number in range(5)])
    async with Opened(tmp_path) as calls:
        other = [call(server, f"ok {n}", api_key_env="OTHER_KEY", base_url=server.url + "/") for n in range(5)]
        assert all(reply.status == "ok" for reply in await ask_all(calls, other))
    assert server.sizes == [5]


async def test_a_cap_holds_over_what_is_away(server: BatchServer, tmp_path: Path) -> None:
    """An edited recipe asks other questions while the old batch still bills."""
    old = [call(server, f"ok {number}") for number in range(10)]
    await leave_abroad(server, tmp_path, old)
    with _Reading(tmp_path) as ledger:
        spent = spent_by(ledger, "run")
    await leave_abroad(server, tmp_path, old)  # a second command waits for it: it is one request there all the same
    with _Reading(tmp_path) as ledger:
        assert spent_by(ledger, "run") == spent
        held = away(ledger, "run")
    cap = spent.usd * 1.05
    server.held = True
    async with Opened(tmp_path, max_cost_usd=cap, spent=spent, away=held) as calls:
        replies = await ask_all(calls, [call(server, f"ok {number}") for number in range(10, 20)])
        assert all(isinstance(reply, Stopped) for reply in replies)  # there is room for what is away alone
    server.held = False
    async with Opened(tmp_path, max_cost_usd=cap, spent=spent, away=held) as calls:
        assert all(reply.status == "ok" for reply in await ask_all(calls, old))
    assert len(server.billed) == 10


async def test_what_expired_after_a_kill_costs_nothing(server: BatchServer, tmp_path: Path) -> None:
    wanted = [call(server, f"ok {number}") for number in range(10)]
    await leave_abroad(server, tmp_path, wanted)
    server.expire = 1
    async with Opened(tmp_path) as calls:
        assert all(reply.status == "ok" for reply in await ask_all(calls, wanted))
        assert spent_by(calls._ledger, "run").usd == pytest.approx(10 * COST)
        assert unanswered(calls._ledger, "run") == 0
    assert set(server.billed.values()) == {1}


async def test_a_download_that_is_not_whole_is_fetched_again(server: BatchServer, tmp_path: Path) -> None:
    server.short_content = 2
    wanted = [call(server, f"ok {number}") for number in range(20)]
    async with Opened(tmp_path) as calls:
        assert all(reply.status == "ok" for reply in await ask_all(calls, wanted))
    assert server.sizes == [20]


async def test_a_batch_that_shows_late_in_the_list_is_no_second_one(server: BatchServer, tmp_path: Path) -> None:
    server.lose_creation, server.unseen = True, 2
    async with Opened(tmp_path) as calls:
        assert all(reply.status == "ok" for reply in await ask_all(calls, [call(server, "ok 1")]))
    assert server.sizes == [1]


async def test_half_of_a_surrogate_pair_spoils_no_batch(server: BatchServer, tmp_path: Path) -> None:
    async with Opened(tmp_path) as calls:
        [reply] = await ask_all(calls, [call(server, "ok \ud800 x")])
        assert reply.status == "ok"
    assert b"\\ud800" not in server.files["file-0"]


def test_what_a_batch_cannot_do() -> None:
    for fields, words in (
        ({"api": "responses", "seed": 1}, "takes no seed"),
        ({"endpoints": ["http://a/v1", "http://b/v1"]}, "one address"),
        ({"endpoints_folder": "x"}, "one address"),
    ):
        with pytest.raises(ValueError, match=words):
            Batch(model="m", **fields)  # type: ignore[arg-type]
    question = Question.of(problem="ok", domain="none", truth=Answer(text="4"), source="s", source_id="1")
    assert Batch(model="m", base_url="http://a/v1").call(question, 0, None).via == "batch"  # type: ignore[arg-type]


async def test_a_batch_that_the_server_forgot_is_asked_again_when_it_is_old(
    server: BatchServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = [call(server, f"ok {number}") for number in range(3)]
    await leave_abroad(server, tmp_path, wanted)
    server.faults = {"poll": [404, 404]}
    async with Opened(tmp_path) as calls:
        assert all(isinstance(error, Stopped) for error in await ask_all(calls, wanted))
    assert server.sizes == [3]
    monkeypatch.setattr(batch, "KEPT_S", 0.0)
    async with Opened(tmp_path) as calls:
        assert all(reply.status == "ok" for reply in await ask_all(calls, wanted))
        assert spent_by(calls._ledger, "run").usd > 2 * 3 * COST  # nobody knows what the first one cost
    assert server.sizes == [3, 3]


async def test_a_server_that_counts_wrongly_is_believed_in_the_end(server: BatchServer, tmp_path: Path) -> None:
    server.miscounts = 7
    async with Opened(tmp_path) as calls:
        replies = await ask_all(calls, [call(server, "ok 1"), call(server, "missing 2")])
        assert [reply.status for reply in replies] == ["ok", "failed"]
