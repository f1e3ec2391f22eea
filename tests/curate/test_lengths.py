"""Answers that were cut: kept, left out, asked again under a larger cap, or gone on with; never paid for unasked."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from aiohttp import web

from curate.calls import client
from curate.calls.client import Calls
from curate.calls.completion import completion
from curate.calls.model import Reply
from curate.calls.prices import Price
from curate.flow import Annotate
from curate.kinds import Teacher
from curate.ledger import Ledger
from curate.lengths import OnLength, answer, joined, known_replies, uncut
from curate.records import Attempt, Question, Unknown
from curate.teachers._api import Api
from curate.teachers.completions import Completions
from curate.teachers.openai import Openai
from tests.loopback import loopback

WORDS = ["<think>", "two ", "and ", "two", "</think>", "It ", "is ", "4."]


class Server:
    """A model whose whole answer is WORDS, a token each; it stops at the cap and goes on from what it is given."""

    def __init__(self) -> None:
        self.url = ""
        self.seen: list[dict[str, Any]] = []
        self.apart = False  # the thinking is given apart
        self.status = 0

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.seen.append(body)
        if self.status:
            return web.json_response({"error": {"message": "no"}}, status=self.status)
        begun = "" if "messages" not in body else self.begun(body["messages"][-1])
        begun = body["prompt"].removeprefix("2 + 2?") if "prompt" in body else begun
        start = next(n for n in range(len(WORDS) + 1) if "".join(WORDS[:n]) == begun)
        new = WORDS[start : start + body["max_tokens"]]
        finish = "stop" if start + len(new) == len(WORDS) else "length"
        text = "".join(new)
        usage = {"prompt_tokens": 10, "completion_tokens": len(new)}
        if "prompt" in body:
            choice: dict[str, Any] = {"index": 0, "text": text, "finish_reason": finish}
        else:
            choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}
            if self.apart:
                thought, closed, said = text.removeprefix("<think>").rpartition("</think>")
                inside = "</think>" not in begun and not closed
                choice["message"] |= {"content": "" if inside else said, "reasoning": text if inside else thought}
                choice["message"]["reasoning"] = choice["message"]["reasoning"].removeprefix("<think>")
        return web.json_response({"id": "c", "model": "m-1", "choices": [choice], "usage": usage})

    def begun(self, last: dict[str, Any]) -> str:
        if last["role"] != "assistant":
            return ""
        if "reasoning_content" in last:
            last = {
                "content": f"<think>{last['reasoning_content']}"
                + (f"</think>{last['content']}" if last["content"] else "")
            }
        return str(last["content"]).replace("\n", "")


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    running = Server()
    async with loopback(
        web.post("/v1/completions", running.handle), web.post("/v1/chat/completions", running.handle)
    ) as running.url:
        yield running


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "RESEND_PAUSE_S", 0.01)


QUESTION = Question.of(problem="2 + 2?", domain="none", truth=Unknown(), source="s", source_id="1")
WHOLE = ("two and two", "It is 4.", "stop")
PRICE = Price(input=0.0, output=1e6)


def teacher(server: Server, kind: type[Api] = Openai, **fields: Any) -> Api:
    return kind(**{"model": "m", "base_url": server.url, "max_tokens": 3, "price": PRICE, **fields})


async def asked(teacher: Teacher, rule: OnLength, folder: Path) -> tuple[Attempt, int]:
    """The attempt, and the requests it took; what the ledger then says must be the same."""
    async with Ledger(folder) as ledger, Calls(ledger) as calls:
        call = teacher.call(QUESTION, 0, None)  # type: ignore[arg-type]
        assert call is not None
        attempt = teacher.parse(QUESTION, 0, call, await answer(teacher, call, rule, calls))
        found = known_replies([(teacher, call)], rule, calls)
        assert teacher.parse(QUESTION, 0, call, found[call.key]) == attempt
        return attempt, calls.counters.sent


def said(attempt: Attempt) -> tuple[str | None, str, str]:
    return attempt.reasoning, attempt.solution, attempt.finish_reason


@pytest.mark.parametrize("action", ["keep", "drop"])
async def test_a_cut_answer_is_not_paid_for_again(server: Server, tmp_path: Path, action: str) -> None:
    for sent in (1, 0):
        attempt, requests = await asked(teacher(server), OnLength.model_validate(action), tmp_path)
        assert said(attempt) == ("two and", "", "length")
        assert requests == sent


async def test_one_retry_under_a_larger_cap(server: Server, tmp_path: Path) -> None:
    rule = OnLength(action="retry_larger", max_tokens=20)
    for sent in (2, 0):
        attempt, requests = await asked(teacher(server), rule, tmp_path)
        assert (said(attempt), requests) == (WHOLE, sent)
    assert [body["max_tokens"] for body in server.seen] == [3, 20]
    kept, requests = await asked(teacher(server), OnLength(), tmp_path)  # the rule may be taken back
    assert (kept.finish_reason, requests) == ("length", 0)
    attempt, requests = await asked(teacher(server), OnLength(action="retry_larger", max_tokens=5), tmp_path)
    assert (attempt.finish_reason, requests) == ("length", 1)  # one retry, whatever it brings
    attempt, requests = await asked(teacher(server), OnLength(action="retry_larger", max_tokens=2), tmp_path)
    assert (attempt.finish_reason, requests) == ("length", 0)  # not larger at all


async def test_a_retry_that_fails_is_our_trouble_and_tried_again(server: Server, tmp_path: Path) -> None:
    rule = OnLength(action="retry_larger", max_tokens=20)
    await asked(teacher(server), OnLength(), tmp_path)
    server.status = 500
    attempt, _ = await asked(teacher(server), rule, tmp_path)
    assert attempt.finish_reason == "failed"
    server.status = 0
    attempt, requests = await asked(teacher(server), rule, tmp_path)
    assert (said(attempt), requests) == (WHOLE, 1)


@pytest.mark.parametrize(
    ("kind", "fields", "apart"),
    [
        (Completions, {}, False),
        (Openai, {"continues": "final_message"}, False),
        (Openai, {"continues": "final_message"}, True),
        (Openai, {"continues": "prefix"}, True),
    ],
)
async def test_a_cut_answer_is_gone_on_with(
    server: Server, tmp_path: Path, kind: type[Api], fields: dict[str, Any], apart: bool
) -> None:
    server.apart = apart
    model = teacher(server, kind, **fields)
    attempt, requests = await asked(model, OnLength(action="continue", times=1), tmp_path)
    assert (attempt.finish_reason, requests) == ("length", 2)
    for sent in (1, 0):  # what was asked for is there: only the rest is
        attempt, requests = await asked(model, OnLength(action="continue", times=5), tmp_path)
        assert (said(attempt), requests) == (WHOLE, sent)
    assert attempt.usage == {"input": 30, "output": 8}
    assert attempt.cost == pytest.approx(8.0)


def test_thinking_that_comes_after_the_solution_began_is_no_good_answer(server_url: str = "http://x/v1") -> None:
    def reply(content: str, reasoning: str, finish: str) -> Reply:
        return Reply(raw=completion(content, reasoning=reasoning, finish_reason=finish), usage={"output": 2})

    model = Openai(model="m", base_url=server_url)
    call = model.call(QUESTION, 0, None)  # type: ignore[arg-type]
    # Some parsers take a text without a closing mark for thinking, also where a solution was gone on with.
    both = joined(reply("It ", "two and two", "length"), reply("", "is 4.", "stop"))
    assert model.parse(QUESTION, 0, call, both).finish_reason == "malformed"
    both = joined(reply("", "two and ", "length"), reply("It is 4.", "two", "stop"))
    assert said(model.parse(QUESTION, 0, call, both)) == WHOLE


def test_what_came_in_parts_or_was_refused_is_joined_as_what_it_is() -> None:
    model = Openai(model="m", base_url="http://x/v1", continues="prefix")
    call = model.call(QUESTION, 0, None)  # type: ignore[arg-type]
    begun, rest = (completion("", finish_reason=finish) for finish in ("length", "stop"))
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "two and two"}]}
    begun["choices"][0]["message"]["content"] = [thinking, {"type": "text", "text": "It "}]
    rest["choices"][0]["message"]["content"] = [{"type": "text", "text": "is 4."}]
    further = model.further(call, Reply(raw=begun))
    assert further is not None
    assert further.body["messages"][-1] == {
        "role": "assistant", "content": "It ", "prefix": True, "reasoning_content": "two and two"
    }  # fmt: skip
    assert said(model.parse(QUESTION, 0, call, joined(Reply(raw=begun), Reply(raw=rest)))) == WHOLE
    rest["choices"][0]["message"] |= {"content": None, "refusal": "I cannot."}
    assert model.parse(QUESTION, 0, call, joined(Reply(raw=begun), Reply(raw=rest))).finish_reason == "refused"


@pytest.mark.parametrize(
    "rule",
    [
        {"action": "retry_larger"}, {"action": "keep", "max_tokens": 5}, {"action": "retry_larger", "times": 2,
         "max_tokens": 5}, "again", {"action": "continue", "times": 0},
    ],
)  # fmt: skip
def test_what_a_rule_may_not_say(rule: Any) -> None:
    with pytest.raises(ValueError):
        OnLength.model_validate(rule)


def test_who_cannot_go_on_says_so(server_url: str = "http://x/v1") -> None:
    plain = {"kind": "openai", "model": "m", "base_url": server_url}
    with pytest.raises(ValueError, match=r"no way to go on.*continues: final_message"):
        Annotate.model_validate({"teacher": plain, "on_length": "continue"})
    Annotate.model_validate({"teacher": {**plain, "continues": "prefix"}, "on_length": "continue"})
    with pytest.raises(ValueError, match="no way to go on"):
        Annotate.model_validate(
            {"teacher": {"kind": "completions", "model": "m", "tokens": [1]}, "on_length": "continue"}
        )


def test_a_retry_must_be_larger() -> None:
    plain = {"kind": "openai", "model": "m", "base_url": "http://x/v1", "max_tokens": 100}
    for cap, larger, good in ((None, 100, False), (None, 101, True), (200, 150, False), (50, 60, True)):
        fields = {"teacher": plain, "max_tokens": cap, "on_length": {"action": "retry_larger", "max_tokens": larger}}
        if good:
            Annotate.model_validate(fields)
        else:
            with pytest.raises(ValueError, match="is none"):
                Annotate.model_validate(fields)


def test_what_drop_leaves() -> None:
    reasons = pa.array(["stop", "length", "failed", "length"]).dictionary_encode()
    table = pa.table({"finish_reason": reasons, "seq": [0, 1, 2, 3]})
    assert uncut(table).column("seq").to_pylist() == [0, 2]
