"""Caps on money, GPU hours and tokens hold over every call, with what is in flight, and over several commands."""

import asyncio
from pathlib import Path

import pytest

from curate.calls import client
from curate.calls.budget import Budget, Caps, Spent
from curate.calls.client import Calls
from curate.calls.payments import spent_by
from curate.calls.prices import FREE, Price, price_of
from curate.errors import InputError, Stopped
from curate.flow import Flow
from curate.ledger import Ledger
from curate.resources import open_resources
from curate.run import Run
from tests.curate.calls.till import Till, call, open_till


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "RESEND_PAUSE_S", 0.01)


async def spend(folder: Path, till: Till, caps: Caps, count: int = 400, **fields: object) -> tuple[Spent, str]:
    """One command that asks until it must stop: what the run has spent, and why it stopped."""
    async with Ledger(folder) as ledger:
        budget = Budget(*caps, spent=spent_by(ledger, "r"))
        async with Calls(ledger, budget, run="r") as calls:
            asks = [
                calls.ask(call(till.url, f"q{n}", concurrency=32, **{"use": "judge" if n % 3 else "answer", **fields}))
                for n in range(count)
            ]
            results = await asyncio.gather(*asks, return_exceptions=True)
            assert not [one for one in results if isinstance(one, BaseException) and not isinstance(one, Stopped)]
            stopped = next((str(one) for one in results if isinstance(one, Stopped)), "")
            return budget.spent, stopped


async def test_the_cost_cap_holds_under_faults_and_over_commands(tmp_path: Path) -> None:
    price = Price(input=100.0, output=1000.0)
    async with open_till(Till({"500": 0.05, "drop": 0.03, "cut": 0.03, "429": 0.05}, latency_s=0.01)) as till:
        before = Spent()
        for cap in (20.0, 20.0, 35.0):
            spent, why = await spend(tmp_path, till, Caps(max_cost_usd=cap), price=price)
            assert f"budget of ${cap:g}" in why
            sold = (till.input_tokens * 100 + till.output_tokens * 1000) / 1e6
            assert sold <= spent.usd <= cap
            assert spent.usd >= cap - 0.6  # less than the worst case of one more (at most 500 tokens and its bytes)
            assert spent.usd >= before.usd
            before = spent


async def test_the_cap_on_output_tokens_counts_every_use(tmp_path: Path) -> None:
    async with open_till(Till({"cut": 0.05}, latency_s=0.01)) as till:
        spent, why = await spend(tmp_path, till, Caps(max_output_tokens=10_000))
        assert "10,000 output tokens" in why
        assert till.output_tokens <= spent.output_tokens <= 10_000
        assert spent.output_tokens > 9_000
        again, _ = await spend(tmp_path, till, Caps(max_output_tokens=10_000))
        assert again.output_tokens <= 10_000
        async with Ledger(tmp_path / "b") as ledger, Calls(ledger, Budget(max_output_tokens=10)) as calls:
            with pytest.raises(InputError, match="nothing limits"):
                await calls.ask(call(till.url, "q", max_tokens=None))


async def test_gpu_hours_are_counted_and_capped(tmp_path: Path) -> None:
    price = Price(gpu_hour=3600.0, gpus=8)  # a dollar a second for each GPU
    async with open_till(Till({}, latency_s=0.1)) as till:
        loop = asyncio.get_running_loop()
        began = loop.time()
        spent, why = await spend(tmp_path, till, Caps(max_gpu_hours=8 * 0.8 / 3600), price=price, count=2000)
        passed = loop.time() - began
        assert "GPU hours" in why
        assert spent.gpu_hours <= 8 * passed / 3600
        assert spent.gpu_hours == pytest.approx(
            8 * 0.8 / 3600, rel=0.6
        )  # what was in flight ends, going by the slowest
        assert spent.usd == pytest.approx(spent.gpu_hours * 3600.0, rel=1e-6)
        again, why = await spend(tmp_path, till, Caps(max_gpu_hours=8 * 0.3 / 3600), price=price, count=2000)
        assert "GPU hours" in why
        assert again.gpu_hours == pytest.approx(spent.gpu_hours)
        _, why = await spend(tmp_path / "b", till, Caps(max_cost_usd=2.0), price=price, count=2000)
        assert "budget of $2" in why


async def test_unknown_usage_does_not_poison_the_totals(tmp_path: Path) -> None:
    from tests.curate.calls.server import serving

    async with serving() as server, Ledger(tmp_path) as ledger, Calls(ledger, Budget(1.0), run="r") as calls:
        for script in ("ok", "nousage", "oddusage", "ok ok"):
            one = call(server.url, script, price=Price(input=1.0, output=2.0), max_tokens=100)
            await calls.ask(one)
        assert calls.counters.cost_unknown == 2
        assert calls.counters.cost == pytest.approx(2 * 25e-6)
        assert 2 * 25e-6 + 2 * 200e-6 < calls.budget.spent.usd < 2 * 25e-6 + 2 * 200e-6 + 2 * 400e-6
        assert spent_by(ledger, "r").usd == pytest.approx(calls.budget.spent.usd)


@pytest.mark.parametrize(
    ("usage", "usd"),
    [
        ({"input": 1000, "output": 500}, 0.003),
        ({"input": 1000, "cached": 400, "output": 500}, 0.00264),
        ({"input": 1000, "output": 500, "reasoning": 300}, 0.0036),
        ({"input": 1000, "cached": 5000, "output": 500, "reasoning": 9000}, 0.0031),
        ({"output": 500}, None),
        ({}, None),
    ],
)
def test_a_price_of_four_parts(usage: dict[str, int], usd: float | None) -> None:
    price = Price(input=1.0, cached=0.1, output=4.0, reasoning=6.0)
    assert price.of(usage) == (usd if usd is None else pytest.approx(usd))
    assert price.scaled(0.5).of(usage) == (usd if usd is None else pytest.approx(usd / 2))
    assert price.worst(1000, 500) == pytest.approx(0.004)


def test_free_and_own_hardware() -> None:
    assert FREE.of({}) == 0.0
    assert Price(gpu_hour=2.0, gpus=8).of({"input": 1, "output": 1}) is None
    assert Price(gpu_hour=2.0, gpus=8).worst(10, 10) == 0.0
    assert not Price(gpu_hour=0.0, gpus=1).free


@pytest.mark.parametrize(
    "fields",
    [
        {"input": 1.0},
        {"gpus": 8},
        {"input": 1.0, "output": 1.0, "gpus": 8},
        {},
        {"cached": 1.0, "gpu_hour": 1.0, "gpus": 1},
    ],
)
def test_half_a_price_is_none(fields: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="a price is"):
        Price(**fields)


def test_the_table_knows_models_by_host() -> None:
    assert price_of("gpt-4o") == Price(input=2.5, cached=1.25, output=10.0)
    assert price_of("gpt-4o-2024-08-06") == price_of("gpt-4o")
    assert price_of("gpt-4o-2024-05-13") != price_of("gpt-4o")
    assert price_of("deepseek-reasoner", "https://api.deepseek.com/v1") is not None
    assert price_of("deepseek-reasoner", "http://localhost:8000/v1") is None
    assert price_of("no-such-model") is None


@pytest.mark.parametrize("gpus", [None, 8])
async def test_a_cap_on_gpu_hours_needs_gpus(tmp_path: Path, gpus: int | None) -> None:
    price = {"input": 1.0, "output": 1.0} if gpus is None else {"gpu_hour": 2.0, "gpus": gpus}
    teacher = {"kind": "openai", "model": "m", "base_url": "http://localhost:1/v1", "price": price}
    flow = Flow.model_validate({"name": "r", "sources": ["quickstart"], "annotate": {"teacher": teacher}})
    opening = open_resources(Run(tmp_path, "r"), flow, caps=Caps(max_gpu_hours=1.0))
    if gpus is None:
        with pytest.raises(InputError, match="how many GPUs"):
            await opening.__aenter__()
    else:
        async with opening as resources:
            assert resources.calls.budget.caps.max_gpu_hours == 1.0
