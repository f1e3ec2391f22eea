"""A budget holds over all the commands that a run takes, whatever ended them."""

import json
from pathlib import Path

import pytest

from curate.calls.budget import Budget, Spent
from curate.calls.client import Calls
from curate.calls.model import Call
from curate.calls.payments import paid_note, sent_note, spent_by, unanswered
from curate.calls.prices import Price
from curate.errors import Stopped
from curate.keys import digest
from curate.ledger import Entry, Ledger
from tests.curate.calls.till import Till, open_till
from tests.curate.calls.till import call as till_call


def call(number: int) -> Call:
    """An answer that costs 0.4 USD, and 0.5 at most."""
    raw = {
        "choices": [{"message": {"content": "x"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 0, "completion_tokens": 400_000},
    }
    return Call(
        form="given", model="m", body={"n": number}, given=raw, price=Price(input=0.0, output=1.0), max_tokens=500_000
    )


async def command(folder: Path, run: str, first: int, count: int, cap: float = 1.0) -> float:
    """Ask `count` questions as one command of a run would; returns what the run has spent."""
    async with Ledger(folder) as ledger, Calls(ledger, Budget(cap, spent=spent_by(ledger, run)), run=run) as calls:
        for number in range(first, first + count):
            await calls.ask(call(number))
        return calls.budget.spent.usd


async def test_the_cap_holds_over_several_commands(tmp_path: Path) -> None:
    assert await command(tmp_path, "r", 0, 1) == pytest.approx(0.4)
    assert await command(tmp_path, "r", 1, 1) == pytest.approx(0.8)
    with pytest.raises(Stopped, match="budget"):
        await command(tmp_path, "r", 2, 1)
    with pytest.raises(Stopped, match="budget"):
        await command(tmp_path, "r", 2, 1)
    assert await command(tmp_path, "r", 0, 2) == pytest.approx(0.8)  # what is there costs nothing again
    assert await command(tmp_path, "other", 2, 1) == pytest.approx(0.4)  # another run pays for itself
    assert await command(tmp_path, "r", 3, 1, cap=2.0) == pytest.approx(1.2)


async def test_a_send_whose_end_nobody_saw_counts_with_its_worst_case(tmp_path: Path) -> None:
    async with Ledger(tmp_path) as ledger:
        await ledger.put(
            [sent_note(digest("a"), "1", "r", Spent(0.5), {}), sent_note(digest("b"), "2", "r", Spent(0.5), {})]
        )
        await ledger.put([paid_note(digest("a"), "1", "r", Spent(0.1))])
        assert spent_by(ledger, "r").usd == pytest.approx(0.6)
        assert spent_by(ledger, "s") == Spent()
        assert unanswered(ledger, "r") == 1
        assert unanswered(ledger, "s") == 0


async def test_gpu_time_of_a_process_that_was_killed_counts_until_it_was_last_heard_of(tmp_path: Path) -> None:
    """Two requests shared 8 GPUs for a minute; an earlier process had one for half a minute; the rest is settled."""

    def sent(key: str, at: float, by: str, run: str = "r") -> Entry:
        note = {"at": at, "endpoint": "gpu1/v1", "gpus": 8, "gpu_hour": 3.0, "by": by}
        return sent_note(digest(key), f"{key}{by}", run, Spent(0.0, 0.0, 100), note)

    async with Ledger(tmp_path) as ledger:
        await ledger.put([sent("a", 1000.0, "p1"), sent("b", 1030.0, "p1"), sent("z", 1035.0, "p1", "other")])
        await ledger.put([paid_note(digest("b"), "bp1", "r", Spent(0.5, 0.1, 70))])
        await ledger.put([sent(key, 9000.0, "p2") for key in ("c", "d")] + [sent("e", 9060.0, "p2")])
        await ledger.put([paid_note(digest("e"), "ep2", "r", Spent())])
        spent = spent_by(ledger, "r")
        hours = 0.1 + 8 * 35 / 3600 + 8 * 60 / 3600
        assert spent.gpu_hours == pytest.approx(hours)
        assert spent.usd == pytest.approx(0.5 + 3.0 * (hours - 0.1))
        assert spent.output_tokens == 70 + 3 * 100
        assert unanswered(ledger, "r") == 3


async def test_a_send_to_own_hardware_says_what_its_time_costs(tmp_path: Path) -> None:
    async with open_till(Till({})) as till:
        own = Price(gpu_hour=3.0, gpus=8)
        async with Ledger(tmp_path) as ledger, Calls(ledger, run="r") as calls:
            await calls.ask(till_call(till.url, "a", price=own))
            await calls.ask(till_call(till.url, "b", price=Price(input=1.0, output=1.0)))
            notes = [json.loads(body) for _, _, body in ledger.scan("sent")]
    assert [(note.get("gpus"), note.get("gpu_hour"), "by" in note) for note in notes] == [
        (8, 3.0, True), (None, None, False)
    ]  # fmt: skip
