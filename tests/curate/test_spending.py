"""The money of a report: every dollar that the server billed stands there once, under what became of it."""

import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from curate.calls.client import Calls
from curate.engine.local import Local
from curate.flow import Options
from curate.ledger import Ledger
from curate.order import Course
from curate.plan import plan
from curate.progress import Progress
from curate.pulse import Pulse
from curate.records import Attempt, Verdict
from curate.report import Report
from curate.run import Run
from curate.spending import Served, Spending, money, with_rows
from recipes.schema import Recipe
from tests.loopback import loopback

IN, OUT = 2.0, 8.0


class Billing:
    """Right, wrong, cut, or broken off half-way once: by what the question says."""

    def __init__(self) -> None:
        self.url = ""
        self.billed: dict[str, float] = {}
        self.seen: set[str] = set()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        text = body["messages"][-1]["content"]
        word = text.split()[0]
        usage = {"prompt_tokens": len(text), "completion_tokens": 100 + len(text)}
        if word == "long":
            usage["completion_tokens"] = min(600, body["max_tokens"])
        usd = (usage["prompt_tokens"] * IN + usage["completion_tokens"] * OUT) / 1e6
        if word == "broken" and text not in self.seen:
            self.seen.add(text)
            response = web.StreamResponse(headers={"Content-Length": "900", "Content-Type": "application/json"})
            await response.prepare(request)
            await response.write(b'{"choices": [')
            assert request.transport is not None
            request.transport.close()
            return response
        said = "It is \\boxed{7}." if word == "wrong" else "It is \\boxed{4}."
        finish = "length" if word == "cut" or (word == "long" and body["max_tokens"] <= 500) else "stop"
        what = f"{word} but cut" if word == "long" and finish == "length" else word
        self.billed[what] = self.billed.get(what, 0.0) + usd
        model = "m-2" if text.split()[1].endswith("9") else "m-1"
        choice = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": finish}
        return web.json_response({"model": model, "choices": [choice], "usage": usage, "system_fingerprint": "fp"})


@asynccontextmanager
async def serving() -> AsyncIterator[Billing]:
    server = Billing()
    async with loopback(web.post("/v1/chat/completions", server.answer)) as server.url:
        yield server


def recipe(server: Billing, path: Path, **teacher: Any) -> Recipe:
    asked = {
        "kind": "openai", "model": "m", "base_url": server.url, "max_tokens": 500,
        "price": {"input": IN, "output": OUT}, **teacher,
    }  # fmt: skip
    source = {"kind": "jsonl", "path": str(path), "domain": "math", "columns": {"answer": "answer"}}
    return Recipe.model_validate({"name": "billed", "sources": [source], "annotate": {"teacher": asked}})


async def follow(root: Path, flow: Recipe) -> Report:
    run = Run(root, flow.name)
    with run.writing():
        options = Options(root=root, quiet=True)
        return await Course(run, flow, options, Local(Progress(quiet=True)), Progress(quiet=True)).follow()


async def test_answers_that_are_not_used_any_more_stay_in_what_was_spent(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    questions = [("right 1", "4"), ("wrong 2", "4"), ("cut 3", "4")]
    path.write_text("".join(json.dumps({"problem": text, "answer": truth}) + "\n" for text, truth in questions))
    async with serving() as server:
        await follow(tmp_path / "root", recipe(server, path))
        before = sum(server.billed.values())
        report = await follow(tmp_path / "root", recipe(server, path, system="Be short."))
        billed = sum(server.billed.values())
    block = report.money
    assert block["spent_usd"] == pytest.approx(billed, abs=1e-6)
    assert block["paid_usd"] == pytest.approx(billed - before, abs=1e-6)
    assert f"{billed:,.4f}" in (tmp_path / "root" / "runs" / "billed" / "report.md").read_text()


async def test_a_cut_answer_that_was_asked_for_again_is_money_lost_to_the_cap(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text("".join(json.dumps({"problem": f"{word} 1", "answer": "4"}) + "\n" for word in ("right", "long")))
    async with serving() as server:
        known = recipe(server, path).model_dump(mode="json", exclude_unset=True)
        known["annotate"]["on_length"] = {"action": "retry_larger", "max_tokens": 900}
        for _ in range(2):  # as it happens, and read again from the ledger
            report = await follow(tmp_path / "root", Recipe.model_validate(known))
            block, billed = report.money, server.billed
            cut = billed["long but cut"]
            assert block["paid_usd"] == pytest.approx(sum(billed.values()), abs=1e-6)
            assert block["lost_usd"]["truncated"] == pytest.approx(cut, abs=1e-6)
            assert block["by_result_usd"]["verified"] == pytest.approx(sum(billed.values()) - cut, abs=1e-6)
        left = await plan(Recipe.model_validate(known), Options(root=tmp_path / "root", quiet=True))
        assert left.paid_usd == pytest.approx(sum(billed.values()), abs=1e-6)  # the cut answer was paid for too
        assert (left.answered, left.requests.high) == (2, 0)


async def test_the_report_adds_up_to_the_bill(tmp_path: Path) -> None:
    words = ["right"] * 12 + ["wrong"] * 5 + ["cut"] * 4 + ["broken"] * 2
    lines = [{"problem": f"{word} {number}", "answer": "4"} for number, word in enumerate(words)]
    path = tmp_path / "q.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in [*lines, lines[0], lines[0]]))  # asked and paid once
    async with serving() as server:
        flow = recipe(server, path)
        report = await follow(tmp_path / "root", flow)
        run = Run(tmp_path / "root", "billed")
    block, billed = report.money, server.billed
    assert block["spent_usd"] == pytest.approx(block["paid_usd"], abs=1e-6)
    assert block["answers_usd"] == pytest.approx(sum(billed.values()))
    assert block["by_result_usd"]["verified"] == pytest.approx(billed["right"] + billed["broken"])
    assert block["lost_usd"]["wrong"] == pytest.approx(billed["wrong"])
    assert block["lost_usd"]["truncated"] == pytest.approx(billed["cut"])
    assert block["lost_usd"]["retries_at_most"] > 0  # the half answers: what they cost at most, since no bill came
    assert block["paid_usd"] == pytest.approx(block["answers_usd"] + block["lost_usd"]["retries_at_most"])
    assert report.publish is not None
    assert report.solve is not None
    assert block["per_row_usd"] == pytest.approx(block["paid_usd"] / report.publish["metadata"], abs=1e-6)
    assert block["per_verified_usd"] == pytest.approx(block["paid_usd"] / report.solve["outcomes"]["pass"], abs=1e-6)
    assert sum(one["answers"] for one in block["by_server"]) == len(words)
    assert {one["model"] for one in block["by_server"]} == {"m-1", "m-2"}
    assert any("changed" in line for line in report.this_run["model_changes"])
    text = (run.folder / "report.md").read_text()
    assert "## Money" in text
    assert f"{block['paid_usd']:,.4f}" in text


def attempt(key: int, cost: float | None, finish: str = "stop", usage: dict[str, int] | None = None) -> Attempt:
    return Attempt.model_validate(
        {
            "id": "a", "question_id": "q", "sample": 0, "teacher": "t", "finish_reason": finish, "cost": cost,
            "request_key": f"{key:016x}" + "0" * 16, "usage": {"output": 5} if usage is None else usage,
        }
    )  # fmt: skip


def verdict(outcome: str) -> Verdict:
    return Verdict.model_validate({"verifier": "v", "verifier_version": "1", "outcome": outcome, "reason": "ok"})


def test_what_was_not_paid_for_is_no_money() -> None:
    spending = Spending()
    spending.add(attempt(1, None, "failed"), verdict("error"), Served("t", None))
    spending.add(attempt(2, None, usage={}), verdict("pass"), Served("t", None))  # read from a recording
    spending.add(attempt(3, 0.0), verdict("pass"), Served("t", None))  # a free server
    assert spending.totals() == {}
    assert money({}, 0.0, {"pass": 1}) == {}


def test_an_unknown_cost_does_not_poison_the_sum() -> None:
    spending = Spending()
    for key, cost in enumerate([1.0, None, 2.0]):
        spending.add(attempt(key, cost), verdict("pass"), Served("t", "m"))
    totals = spending.totals()
    assert (totals["answers_usd"], totals["cost_unknown"], totals["answers"]) == (3.0, 1, 3)
    assert with_rows(money(totals, 0.5, {"pass": 2}), {"metadata": 7})["per_row_usd"] == 0.5


def test_what_the_judge_took_is_counted_once_a_verdict() -> None:
    spending = Spending()
    judged = verdict("pass").model_copy(update={"cost": 0.25})
    for key, verdict_key in ((1, "a" * 32), (2, "b" * 32), (3, "a" * 32)):
        spending.add(attempt(key, 1.0), judged, Served("t", "m"), verdict_key)
    block = money(spending.totals(), 0.0, {"pass": 3})
    assert block["judging_usd"] == 0.5
    assert block["paid_usd"] == 3.5


def test_a_change_of_the_fingerprint_is_told() -> None:
    spending, told = Spending(), list[str]()
    for key, mark in enumerate(["fp1", "fp1", "fp2", None]):
        spending.add(attempt(key, 1.0), verdict("pass"), Served("t", "m", mark))
        told += spending.just_changed()  # when it happens, and once
    (line,) = spending.changed()
    assert "2 fingerprints" in line
    assert told == [line]
    same = Spending()
    same.add(attempt(1, 1.0), verdict("pass"), Served("t", "m", "fp1", "here"))
    same.add(attempt(2, 1.0), verdict("pass"), Served("t", "m", "fp1", "there"))
    assert list(same.changed()) == []


async def test_the_pulse_says_how_the_calls_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count(100.0, 10.0)
    monkeypatch.setattr("curate.pulse.time", type("Clock", (), {"monotonic": staticmethod(lambda: next(clock))}))
    async with Ledger(tmp_path / "ledger") as ledger, Calls(ledger, run="r") as calls:
        share: list[Any] = [0.75]
        pulse = Pulse(calls, lambda: share[0])
        assert pulse() == ""
        counters = calls.of("answer")
        counters.sent, counters.answered, counters.output_tokens, counters.cost = 120, 100, 40_000, 2.0
        counters.retried, counters.retried_busy, counters.retried_unclear = 7, 5, 2
        words = pulse()
        assert "0 in flight" in words
        assert "10 answers/s" in words
        assert "4,000 tokens/s" in words
        assert "$2.00 of about $8.00" in words
        assert "retried 7 (busy 5, unclear 2)" in words
