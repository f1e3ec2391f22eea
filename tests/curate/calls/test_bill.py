"""Thousands of requests to a server with every fault at once: each question is accounted for, and the bills agree."""

import json
import os
import resource
import time
from pathlib import Path

import pytest

from curate.calls import client, endpoint
from curate.calls.budget import Budget
from curate.calls.model import Reply
from curate.calls.prices import Price
from curate.ledger import Ledger
from tests.curate.calls.till import TROUBLE, Till, ask_all, open_till

COUNT = int(os.environ.get("VERISTILL_BILL_REQUESTS", "1000"))
PRICE = Price(input=1.0, output=4.0)


@pytest.mark.slow
async def test_the_bills_agree_to_the_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "RESEND_PAUSE_S", 0.05)
    monkeypatch.setattr(endpoint, "FIRST_PAUSE_S", 0.05)
    texts = [f"question {number}" for number in range(COUNT)]
    began, cpu = time.monotonic(), time.process_time()
    async with open_till(Till(TROUBLE, latency_s=0.02, length=0.02)) as till:
        calls = await ask_all(tmp_path, till.url, texts, Budget(1e6), price=PRICE, concurrency=64)
        counters, budget = calls.counters, calls.budget
        seconds, cpu = time.monotonic() - began, time.process_time() - cpu
        with_answer = counters.answered
        # Every question is answered, or has failed after three sends that may have been paid.
        assert counters.asked == COUNT == with_answer + counters.failed
        assert counters.failed <= max(5, COUNT * 0.004)
        ledger = Ledger(tmp_path, read_only=True)
        replies = [Reply.from_bytes(body) for _, _, body in ledger.scan("reply")]
        assert len(replies) == with_answer == sum(till.sold.values()) == len(till.sold)
        assert sum(reply.usage["input"] for reply in replies) == till.input_tokens == counters.input_tokens
        assert sum(reply.usage["output"] for reply in replies) == till.output_tokens == counters.output_tokens
        # What was worked on and never came is known by its number, and held at its worst case.
        paid = {send: json.loads(body) for _, send, body in ledger.scan("paid")}
        troubles = {send: json.loads(body) for _, send, body in ledger.scan("trouble")}
        maybe = [send for send, one in troubles.items() if one["paid"] == "maybe"]
        assert len(maybe) == sum(till.lost.values()) == counters.maybe_paid
        assert len(troubles) - len(maybe) == till.statuses["429"]
        assert ledger.count("sent") == len(paid) == sum(till.asked.values()) == counters.sent
        bill = (till.input_tokens * 1.0 + till.output_tokens * 4.0) / 1e6
        assert counters.cost == pytest.approx(bill)
        assert budget.spent.usd == pytest.approx(bill + sum(paid[send]["usd"] for send in maybe))
        assert {reply.truncated for reply in replies} == {True, False}
        assert sum(reply.truncated for reply in replies) == counters.truncated
        # Nothing that was cut is asked again.
        assert max(till.sold.values()) == 1
        ledger.close()
    print(
        f"{COUNT} requests: {counters.sent} sent, {counters.answered} answered, {counters.failed} failed,"
        f" {counters.truncated} cut, {counters.retried_busy} retried after 429, {counters.retried_unclear} unclear;"
        f" {till.output_tokens} output tokens sold; {seconds:.1f} s, {1000 * cpu / COUNT:.2f} ms CPU a request with the"
        f" server in the same process, {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB at most"
    )
