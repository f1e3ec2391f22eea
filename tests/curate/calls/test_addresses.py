"""Several servers of one model: shared out, passed over when sick, found and lost while the run goes on."""

import asyncio
import errno
import json
import os
import time
from collections import Counter
from pathlib import Path

import pytest
from aiohttp import web

from curate.calls import addresses, client, endpoint
from curate.calls.budget import Budget
from curate.calls.client import Calls
from curate.calls.endpoint import NoServer, label
from curate.calls.model import Address, Call, Rates, Reply
from curate.calls.serving.registry import STALE_S, Registered, register
from curate.errors import Stopped
from curate.ledger import Ledger
from curate.pulse import Pulse
from tests.curate.calls.till import Till, call, open_till


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "RESEND_PAUSE_S", 0.01)
    monkeypatch.setattr(endpoint, "FIRST_PAUSE_S", 0.05)
    monkeypatch.setattr(addresses, "LOOK_S", 0.05)


def served(*urls: str, **fields: object) -> Call:
    return call("http://nowhere.invalid/v1", "?", endpoints=tuple(Address(base_url=url) for url in urls), **fields)


def ask(one: Call, text: str) -> Call:
    return one.model_copy(update={"body": {**one.body, "messages": [{"role": "user", "content": text}]}})


async def test_two_servers_share_and_each_answer_says_whose_it_is(tmp_path: Path) -> None:
    async with open_till(Till({}, latency_s=0.03)) as a, open_till(Till({}, latency_s=0.03)) as b:
        one = served(a.url, b.url, concurrency=16)
        async with Ledger(tmp_path) as ledger, Calls(ledger) as calls:
            replies = await asyncio.gather(*(calls.ask(ask(one, f"q{n}")) for n in range(100)))
            facts = calls.servers()
        assert sum(a.sold.values()) + sum(b.sold.values()) == 100
        assert min(sum(a.sold.values()), sum(b.sold.values())) >= 25
        assert max(a.most_at_once, b.most_at_once) <= 12
        whose = Counter(reply.endpoint for reply in replies)
        assert whose == {label(a.url): sum(a.sold.values()), label(b.url): sum(b.sold.values())}
        assert facts[f"teacher at {label(a.url)}"]["answered"] == sum(a.sold.values())
        with_notes = Ledger(tmp_path, read_only=True)
        assert {json.loads(body)["endpoint"] for _, _, body in with_notes.scan("sent")} == set(whose)
        stored = [Reply.from_bytes(body) for _, _, body in with_notes.scan("reply")]
        assert Counter(reply.endpoint for reply in stored) == whose


async def test_the_address_is_not_in_the_key(tmp_path: Path) -> None:
    assert served("http://a/v1").key == served("http://b/v1", "http://c/v1").key == call("http://d/v1", "?").key


@pytest.mark.parametrize("status", [401, 500, 429])
async def test_a_sick_server_is_passed_over(tmp_path: Path, status: int) -> None:
    async with open_till(Till({}, latency_s=0.01)) as well, open_till(Till({}, latency_s=0.01)) as sick:
        sick.denied = status
        one = served(sick.url, well.url, concurrency=8)
        async with Ledger(tmp_path) as ledger, Calls(ledger) as calls:
            replies = await asyncio.gather(*(calls.ask(ask(one, f"q{n}")) for n in range(150)))
            assert all(reply.status == "ok" for reply in replies)
            assert len(well.sold) == 150
            assert sum(sick.asked.values()) < 60
            closed = calls.servers()[f"teacher at {label(sick.url)}"].get("closed")
            assert (closed is not None) == (status == 401)


async def test_a_server_that_is_not_there_costs_nothing(tmp_path: Path) -> None:
    async with open_till(Till({}, latency_s=0.01)) as till:
        one = served("http://127.0.0.1:9/v1", till.url)
        async with Ledger(tmp_path) as ledger, Calls(ledger) as calls:
            replies = await asyncio.gather(*(calls.ask(ask(one, f"q{n}")) for n in range(60)))
            assert all(reply.status == "ok" for reply in replies)
            assert calls.counters.maybe_paid == 0
            assert calls.counters.failed == 0


async def test_when_every_server_refuses_it_stops(tmp_path: Path) -> None:
    async with open_till(Till({})) as a, open_till(Till({})) as b:
        a.denied = b.denied = 402
        one = served(a.url, b.url, concurrency=4)
        async with Ledger(tmp_path) as ledger, Calls(ledger) as calls:
            asks = (calls.ask(ask(one, f"q{n}")) for n in range(50))
            results = await asyncio.gather(*asks, return_exceptions=True)
        assert all(isinstance(result, Stopped) and result.exit_code == 4 for result in results)
        assert sum(a.asked.values()) + sum(b.asked.values()) <= 4


def write(folder: Path, name: str, url: str, model: str = "teacher") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps({"base_url": url, "model": model, "job": "1", "host": "h", "started": time.time()}))
    return path


async def test_servers_that_register_are_found_and_those_that_go_are_left(tmp_path: Path) -> None:
    folder = tmp_path / "endpoints"
    async with open_till(Till({}, latency_s=0.02)) as a, open_till(Till({}, latency_s=0.02)) as b:
        one = call("http://nowhere.invalid/v1", "?", endpoints_folder=str(folder), concurrency=8)
        async with Ledger(tmp_path / "l") as ledger, Calls(ledger) as calls:
            waiting = asyncio.create_task(calls.ask(ask(one, "early")))  # before there is any
            await asyncio.sleep(0.2)
            assert not waiting.done()
            old = write(folder, "old", "http://127.0.0.1:9/v1")  # of a job that died without a word
            os.utime(old, (time.time() - 2 * STALE_S,) * 2)
            (folder / "torn.json").write_text('{"base_url": "htt')
            write(folder, "other", "http://127.0.0.1:9/v1", model="another")
            file = write(folder, "a", a.url)
            assert (await waiting).status == "ok"
            await asyncio.gather(*(calls.ask(ask(one, f"q{n}")) for n in range(20)))
            assert len(a.sold) == 21
            write(folder, "b", b.url)
            file.unlink()
            await asyncio.sleep(0.2)
            await asyncio.gather(*(calls.ask(ask(one, f"r{n}")) for n in range(40)))
            assert len(b.sold) >= 39
            assert set(calls.servers()) == {f"teacher at {label(a.url)}", f"teacher at {label(b.url)}"}
            assert calls.counters.failed == calls.counters.maybe_paid == 0


async def test_a_server_that_is_killed_in_mid_run_is_finished_by_the_other(tmp_path: Path) -> None:
    folder = tmp_path / "endpoints"
    async with open_till(Till({}, latency_s=0.05)) as a:
        async with open_till(Till({}, latency_s=0.05)) as b:
            write(folder, "a", a.url)
            write(folder, "b", b.url)
            one = call("http://nowhere.invalid/v1", "?", endpoints_folder=str(folder), concurrency=16)
            ledger = Ledger(tmp_path / "l")
            await ledger.__aenter__()
            calls = await Calls(ledger).__aenter__()
            asks = [asyncio.create_task(calls.ask(ask(one, f"q{n}"))) for n in range(120)]
            while len(b.sold) < 10:
                await asyncio.sleep(0.01)
        replies = await asyncio.wait_for(asyncio.gather(*asks), 60)  # b is gone, its file is still there
        assert all(reply.status == "ok" for reply in replies)
        assert calls.counters.maybe_paid <= 16
        await calls.__aexit__(None, None, None)
        await ledger.__aexit__(None, None, None)


async def test_no_server_ever_stops_the_run_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "NONE_YET_S", 0.2)
    folder = tmp_path / "endpoints"
    write(folder, "other", "http://127.0.0.1:9/v1", model="another")
    one = call("http://nowhere.invalid/v1", "?", endpoints_folder=str(folder))
    async with Ledger(tmp_path / "l") as ledger, Calls(ledger) as calls:
        with pytest.raises(Stopped, match=r"no server of teacher is registered.*another"):
            await calls.ask(one)


@pytest.mark.parametrize(
    "bad",
    [
        {"base_url": "http://user:password@h/v1"},
        {"base_url": "http://h/v1?key=x"},
        {"base_url": ["http://h/v1"]},
        {"base_url": "http://h/v1", "model": ["a"]},
        {"base_url": "http://h/v1", "model": {"a": 1}},
    ],
)
async def test_a_file_that_is_no_endpoint_stops_nothing(tmp_path: Path, bad: dict[str, object]) -> None:
    folder = tmp_path / "endpoints"
    folder.mkdir()
    async with open_till(Till({})) as till, Ledger(tmp_path / "l") as ledger, Calls(ledger) as calls:
        one = call("http://nowhere.invalid/v1", "?", endpoints_folder=str(folder))
        waiting = asyncio.create_task(calls.ask(one))
        (folder / "bad.json").write_text(json.dumps(bad))
        await asyncio.sleep(0.2)  # while it is looked at more than once
        write(folder, "good", till.url)
        assert (await asyncio.wait_for(waiting, 20)).status == "ok"
        assert len(calls.servers()) == 1


async def test_a_folder_that_cannot_be_read_for_a_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "endpoints"
    async with open_till(Till({})) as till, Ledger(tmp_path / "l") as ledger, Calls(ledger) as calls:
        write(folder, "a", till.url)
        one = call("http://nowhere.invalid/v1", "?", endpoints_folder=str(folder))
        assert (await calls.ask(ask(one, "before"))).status == "ok"
        looks: list[Path] = []

        def unreadable(path: Path) -> tuple[Registered, ...]:
            looks.append(path)
            raise OSError(errno.ESTALE, "Stale file handle")

        monkeypatch.setattr(addresses, "registered", unreadable)
        await asyncio.sleep(0.1)
        assert (await asyncio.wait_for(calls.ask(ask(one, "meanwhile")), 20)).status == "ok"
        assert looks


async def test_a_server_that_comes_back_is_the_same_one(tmp_path: Path) -> None:
    folder = tmp_path / "endpoints"
    async with open_till(Till({})) as till, Ledger(tmp_path / "l") as ledger, Calls(ledger) as calls:
        one = call("http://nowhere.invalid/v1", "?", endpoints_folder=str(folder))
        for number in range(3):
            file = write(folder, "a", till.url)
            assert (await asyncio.wait_for(calls.ask(ask(one, f"q{number}")), 20)).status == "ok"
            file.unlink()
            await asyncio.sleep(0.1)
            waiting = asyncio.create_task(calls.ask(ask(one, f"r{number}")))
            await asyncio.sleep(0.2)
            assert not waiting.done()  # while it is away nothing is sent there
            waiting.cancel()
        assert [facts["answered"] for facts in calls.servers().values()] == [3]


async def test_a_run_of_hours_waits_for_servers_that_went_a_moment_ago(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addresses, "NONE_YET_S", 4.0)
    folder = tmp_path / "endpoints"
    async with open_till(Till({})) as till, Ledger(tmp_path / "l") as ledger, Calls(ledger) as calls:
        file = write(folder, "a", till.url)
        one = call("http://nowhere.invalid/v1", "?", endpoints_folder=str(folder))
        for number in range(10):
            await calls.ask(ask(one, f"q{number}"))
            await asyncio.sleep(0.5)
        file.unlink()
        await asyncio.sleep(0.1)
        waiting = asyncio.create_task(calls.ask(ask(one, "next")))
        await asyncio.sleep(0.2)
        write(folder, "a", till.url)
        assert (await asyncio.wait_for(waiting, 20)).status == "ok"


async def test_servers_of_the_runs_own_that_never_answer_are_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addresses, "NONE_YET_S", 0.5)
    folder = tmp_path / "endpoints"
    write(folder, "a", "http://127.0.0.1:9/v1")
    one = call("http://nowhere.invalid/v1", "?", endpoints_folder=str(folder), served="x")
    known = addresses.Addresses(one, Budget())
    slot = await known.take(1, 1)
    slot.endpoint._give_up("no connection", 60.0)
    known.give_back(slot)
    with pytest.raises(NoServer, match="no connection"):
        await asyncio.wait_for(known.take(1, 1), 20)
    known.close()


async def test_each_key_is_an_account_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody pays for what another key asked for; several keys for one address are several accounts."""
    seen: Counter[str] = Counter()

    class Doors(Till):
        async def handle(self, request: web.Request) -> web.StreamResponse:
            seen[request.headers["Authorization"].removeprefix("Bearer ")] += 1
            return await super().handle(request)

    for name in ("A", "B"):
        monkeypatch.setenv(f"KEY_{name}", f"the-key-of-{name}")
    async with open_till(Doors({}, latency_s=0.02)) as till, Ledger(tmp_path) as ledger, Calls(ledger) as calls:
        await calls.ask(call(till.url, "teacher's", api_key_env="KEY_A"))
        await calls.ask(call(till.url, "judge's", api_key_env="KEY_B"))
        assert seen == {"the-key-of-A": 1, "the-key-of-B": 1}
        assert len(calls.servers()) == 2
        both = tuple(Address(base_url=till.url, api_key_env=f"KEY_{name}") for name in ("A", "B"))
        one = call("http://nowhere.invalid/v1", "?", endpoints=both, concurrency=8)
        await asyncio.gather(*(calls.ask(ask(one, f"q{n}")) for n in range(40)))
        assert min(seen.values()) >= 10
        plain = call("http://nowhere.invalid/v1", "?", endpoints=(Address(base_url=till.url),), api_key_env="KEY_A")
        before = seen["the-key-of-A"]
        await calls.ask(ask(plain, "the teacher's key holds where an address names none"))
        assert seen["the-key-of-A"] == before + 1


async def test_a_rate_holds_for_requests_that_wait_together(tmp_path: Path) -> None:
    times: list[float] = []

    class Timed(Till):
        async def handle(self, request: web.Request) -> web.StreamResponse:
            times.append(time.monotonic())
            return await super().handle(request)

    async with open_till(Timed({}, latency_s=0.01)) as till, Ledger(tmp_path) as ledger, Calls(ledger) as calls:
        await calls.ask(call(till.url, "the first request loads the client"))
        limited = Rates(requests_per_minute=300)
        del times[:]
        asked = time.monotonic()
        await asyncio.gather(*(calls.ask(call(till.url, f"q{n}", rates=limited)) for n in range(45)))
        assert len(times) == 45
        for at in times:  # what a burst of six seconds allows, then one each 0.2 s
            assert sum(other <= at for other in times) <= 30 + (at - asked) * 5 + 1


def test_an_address_for_people_holds_no_secret() -> None:
    assert label("https://user:secret@host.example:8000/v1/?key=abc") == "host.example:8000/v1"


async def test_a_folder_without_servers_is_told_within_seconds(tmp_path: Path) -> None:
    folder = tmp_path / "servers"
    one = call("http://nowhere.invalid/v1", "?", endpoints_folder=str(folder))
    async with open_till(Till({})) as till, Ledger(tmp_path / "ledger") as ledger, Calls(ledger) as calls:
        pulse = Pulse(calls, lambda: None)
        assert pulse() == ""
        asking = asyncio.ensure_future(calls.ask(ask(one, "a")))
        await asyncio.sleep(0.2)
        assert (
            pulse() == f"no server of teacher is registered in {folder} (there is no such folder: see endpoints_folder)"
        )
        folder.mkdir()
        await asyncio.sleep(0.2)
        assert "it holds none that answers" in pulse()
        register(folder, "a", Registered("http://x/v1", "other"))
        await asyncio.sleep(0.2)
        assert "(but of other)" in pulse()
        register(folder, "b", Registered(till.url, "teacher"))
        assert (await asyncio.wait_for(asking, 10)).status == "ok"
        assert "registered" not in pulse()
