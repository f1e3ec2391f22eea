"""A budget holds over all the commands that a run takes, whatever ended them."""

from pathlib import Path

import pytest

from curate.calls.budget import Budget, Spent
from curate.calls.client import Calls
from curate.calls.model import Call
from curate.calls.payments import paid_note, sent_note, spent_by, unanswered
from curate.calls.prices import Price
from curate.errors import Stopped
from curate.keys import digest
from curate.ledger import Ledger


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
