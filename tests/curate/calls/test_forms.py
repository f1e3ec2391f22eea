"""The API forms over a real connection: what is sent, and what comes back, whole, cut, refused, broken or in pieces."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from curate.calls import client, endpoint
from curate.calls.client import Calls
from curate.calls.model import Call, Reply
from curate.ledger import Ledger
from curate.records import Attempt, Question, Unknown
from curate.teachers._api import Api
from curate.teachers.completions import Completions
from curate.teachers.openai import Openai
from curate.teachers.responses import Responses
from tests.loopback import loopback

USAGE = {"input_tokens": 11, "output_tokens": 7, "output_tokens_details": {"reasoning_tokens": 4}}
HARMONY = (
    "<|channel|>analysis<|message|>two and two<|end|><|start|>assistant<|channel|>final<|message|>It is 4.<|return|>"
)


class Server:
    """Answers each path with what the test put there: a JSON value, bytes, or the events of a stream."""

    def __init__(self) -> None:
        self.url = ""
        self.answers: list[Any] = []
        self.seen: list[tuple[str, dict[str, Any]]] = []
        self.pause_s = 0.0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.seen.append((request.path, await request.json()))
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(found, int):
            return web.json_response({"error": {"message": "no"}}, status=found)
        if isinstance(found, dict):
            return web.json_response(found)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
        await response.prepare(request)
        for piece in found:
            await response.write(piece)
            await asyncio.sleep(self.pause_s)
        return response


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    running = Server()
    async with loopback(
        *(web.post(f"/v1/{form}", running.handle) for form in ("responses", "completions", "chat/completions"))
    ) as running.url:
        yield running


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "RESEND_PAUSE_S", 0.01)
    monkeypatch.setattr(endpoint, "FIRST_PAUSE_S", 0.02)


R1 = "<|User|>{{ user }}<|Assistant|><think>\n"
GPT_OSS = "{{ user }}<|start|>assistant<|channel|>analysis<|message|>"
QUESTION = Question.of(problem="2 + 2?", domain="none", truth=Unknown(), source="s", source_id="1")


async def asked(teacher: Api, folder: Path) -> tuple[Attempt, Reply]:
    async with Ledger(folder) as ledger, Calls(ledger) as calls:
        call: Call = teacher.call(QUESTION, 0, None)  # type: ignore[arg-type]
        reply = await calls.ask(call)
        assert calls.lookup([call])[call.key].raw == reply.raw
        return teacher.parse(QUESTION, 0, call, reply), reply


def said(attempt: Attempt) -> tuple[str | None, str, str]:
    return attempt.reasoning, attempt.solution, attempt.finish_reason


def response(*items: dict[str, Any], status: str = "completed", **fields: Any) -> dict[str, Any]:
    return {"id": "resp_1", "object": "response", "model": "o-1", "status": status, "output": list(items),
            "error": None, "incomplete_details": None, "usage": USAGE, **fields}  # fmt: skip


SUMMARY = {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": "two and two"}]}
THOUGHT = {
    "type": "reasoning",
    "id": "rs",
    "summary": [],
    "content": [{"type": "reasoning_text", "text": "two and two"}],
}
TEXT = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "It is 4."}]}
REFUSAL = {"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "I cannot."}]}
CUT = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
FILTERED = {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (response(SUMMARY, TEXT), ("two and two", "It is 4.", "stop")),
        (response(THOUGHT, TEXT), ("two and two", "It is 4.", "stop")),
        (response(TEXT), (None, "It is 4.", "stop")),
        (response(THOUGHT, **CUT), ("two and two", "", "length")),
        (response(THOUGHT, TEXT, **CUT), ("two and two", "It is 4.", "length")),
        (response(TEXT, **FILTERED), (None, "It is 4.", "refused")),
        (response(THOUGHT, REFUSAL), ("two and two", "", "refused")),
        (response(THOUGHT), ("two and two", "", "empty")),
        (response(), (None, "", "empty")),
        (response({"type": "function_call", "name": "f"}), (None, "", "empty")),
    ],
)
async def test_responses(
    server: Server, tmp_path: Path, answer: dict[str, Any], expected: tuple[str | None, str, str]
) -> None:
    server.answers = [answer]
    attempt, reply = await asked(Responses(model="o", base_url=server.url), tmp_path)
    assert said(attempt) == expected
    assert reply.truncated == (expected[2] == "length")
    assert attempt.usage == {"input": 11, "output": 7, "reasoning": 4}
    assert (attempt.model, reply.raw) == ("o-1", answer)


async def test_what_a_responses_request_says(server: Server, tmp_path: Path) -> None:
    server.answers = [response(TEXT)]
    schema = {"name": "x", "strict": True, "schema": {"type": "object"}}
    teacher = Responses(
        model="o", base_url=server.url, reasoning_effort="high", summary="auto", system="Be brief.", max_tokens=50,
        temperature=0.5, response_format={"type": "json_schema", "json_schema": schema},
        extra_body={"include": ["reasoning.encrypted_content"]},
    )  # fmt: skip
    await asked(teacher, tmp_path)
    assert server.seen == [("/v1/responses", {
        "model": "o",
        "input": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "2 + 2?"}],
        "store": False, "temperature": 0.5, "reasoning": {"effort": "high", "summary": "auto"},
        "text": {"format": {"type": "json_schema", **schema}}, "max_output_tokens": 50,
        "include": ["reasoning.encrypted_content"],
    })]  # fmt: skip
    with pytest.raises(ValueError, match="takes no seed"):
        Responses(model="o", seed=1)


@pytest.mark.parametrize(
    "fault",
    [
        response(status="failed", error={"code": "server_error", "message": "no"}),
        response(TEXT, status="in_progress"),
        response(status="cancelled"),
        {"id": "resp_1", "status": "completed"},
    ],
)
async def test_a_response_that_is_none_is_asked_again(server: Server, tmp_path: Path, fault: dict[str, Any]) -> None:
    server.answers = [fault, response(TEXT)]
    attempt, _ = await asked(Responses(model="o", base_url=server.url), tmp_path)
    assert said(attempt) == (None, "It is 4.", "stop")
    assert len(server.seen) == 2


def completed(text: str, finish: str | None = "stop") -> dict[str, Any]:
    return {"id": "cmpl-1", "object": "text_completion", "model": "base", "system_fingerprint": "fp_1",
            "choices": [{"index": 0, "text": text, "finish_reason": finish}],
            "usage": {"prompt_tokens": 3, "completion_tokens": 5}}  # fmt: skip


@pytest.mark.parametrize(
    ("raw", "text", "finish", "expected"),
    [
        ("{{ user }}", " It is 4.", "stop", (None, " It is 4.", "stop")),
        ("{{ user }}", HARMONY, "stop", ("two and two", "It is 4.", "stop")),
        ("{{ user }}", "", "stop", (None, "", "empty")),
        ("{{ user }}", " It is", "length", (None, " It is", "length")),
        (R1, "two and two</think>It is 4.", "stop", ("two and two", "It is 4.", "stop")),
        (R1, "on and on", "stop", ("on and on", "", "malformed")),
        (R1, "on and on", "length", ("on and on", "", "length")),
        (
            GPT_OSS,
            "two and two<|end|><|start|>assistant<|channel|>final<|message|>It is 4.",
            "stop",
            ("two and two", "It is 4.", "stop"),
        ),
        (GPT_OSS, "on and on", "stop", ("on and on", "", "malformed")),
        ("{{ user }}<|start|>", f"assistant{HARMONY}", "stop", ("two and two", "It is 4.", "stop")),
        ("{{ user }}<|start|>assistant<|channel|>", HARMONY.removeprefix("<|channel|>"), "stop",
         ("two and two", "It is 4.", "stop")),
        ("{{ user }}<|start|>assistant<|channel|>final<|message|>", "It is 4.<|return|>", "stop",
         (None, "It is 4.", "stop")),
    ],
)  # fmt: skip
async def test_completions(
    server: Server, tmp_path: Path, raw: str, text: str, finish: str, expected: tuple[str | None, str, str]
) -> None:
    server.answers = [completed(text, finish)]
    teacher = Completions(model="base", base_url=server.url, raw=raw, max_tokens=9, temperature=1.0, seed=5)
    attempt, reply = await asked(teacher, tmp_path)
    assert said(attempt) == expected
    assert (reply.fingerprint, attempt.usage) == ("fp_1", {"input": 3, "output": 5})
    [(path, body)] = server.seen
    assert path == "/v1/completions"
    assert body["prompt"] == raw.replace("{{ user }}", "2 + 2?")
    assert body["max_tokens"] == 9
    assert 0 <= body["seed"] < 2**31


async def test_a_million_samples_of_no_question_are_a_million_requests(server: Server, tmp_path: Path) -> None:
    server.answers = [completed("some text")]
    teacher = Completions(model="gpt-oss", base_url=server.url, tokens=[199998], seed=0,
                          extra_body={"skip_special_tokens": False})  # fmt: skip
    nothing = Question.of(problem="", domain="none", truth=Unknown(), source="s", source_id="1")
    calls = [teacher.call(nothing, sample, None) for sample in range(5000)]  # type: ignore[arg-type]
    assert len({call.key for call in calls}) == 5000
    assert len({call.body["seed"] for call in calls}) > 4995
    unseeded = Completions(model="gpt-oss", tokens=[199998])
    assert len({unseeded.call(nothing, sample, None).key for sample in range(1000)}) == 1000  # type: ignore[arg-type]
    attempt, _ = await asked(teacher, tmp_path)
    assert said(attempt) == (None, "some text", "stop")
    assert server.seen[0][1]["prompt"] == [199998]
    assert server.seen[0][1]["skip_special_tokens"] is False


@pytest.mark.parametrize(("text", "finish"), [("stop", "stop"), ("length", "length")])
async def test_a_text_may_be_taken_as_it_comes(server: Server, tmp_path: Path, text: str, finish: str) -> None:
    wild = "<|start|>user<|message|>What is 2 + 2?<|end|><|start|>assistant<|channel|>analysis<|message|>two and"
    server.answers = [completed(wild, text)]
    attempt, _ = await asked(Completions(model="m", base_url=server.url, tokens=[1], as_is=True), tmp_path)
    assert said(attempt) == (None, wild, finish)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"raw": "{{ question }}"}, "unknown variable question"),
        ({"raw": "{% if %}"}, "raw:"),
        ({"system": "Be kind."}, "system is set"),
        ({"prompt": "openthoughts"}, "system is set"),
        ({"reasoning_effort": "high"}, "effort is set"),
        ({"tokens": [1], "system": "Be kind."}, "system is set"),
        ({"tokens": []}, "tokens"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
    ],
)
def test_what_raw_completions_cannot_say(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Completions(**{"model": "m", "base_url": "http://x/v1", **fields})


def test_a_raw_prompt_is_filled_in() -> None:
    teacher = Completions(
        model="m", base_url="http://x/v1", system="Be brief.", reasoning_effort="high",
        raw="<|start|>system<|message|>{{ system }}\nReasoning: {{ effort }}<|end|>{{ user }}<|end|>",
    )  # fmt: skip
    body = teacher.call(QUESTION, 0, None).body  # type: ignore[arg-type]
    assert body["prompt"] == ("<|start|>system<|message|>Be brief.\nReasoning: high<|end|>2 + 2?<|end|>")


def events(*values: Any, done: bool = True) -> list[bytes]:
    found = [b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n" for value in values]
    return [*found, b"data: [DONE]\n\n"] if done else found


def delta(finish: str | None = None, **fields: Any) -> dict[str, Any]:
    return {"id": "c", "model": "m-1", "choices": [{"index": 0, "delta": fields, "finish_reason": finish}]}


LAST = {"id": "c", "model": "m-1", "choices": [], "usage": {"prompt_tokens": 11, "completion_tokens": 7}}
DETAILS = [{"type": "reasoning.text", "index": 0, "text": text} for text in ("two ", "and ", "two")]


@pytest.mark.parametrize(
    "pieces",
    [
        events(delta(role="assistant", content=""), delta(reasoning="two "), delta(reasoning="and two"),
               delta(content="It is"), delta(content=" 4."), delta("stop"), LAST),
        events(delta(reasoning_content="two "), delta(reasoning_content="and two"), delta("stop", content="It is 4."),
               LAST),
        events(*(delta(reasoning_details=[one]) for one in DETAILS), delta("stop", content="It is 4."), LAST),
        events(*(delta(content=text) for text in ("<thi", "nk>two and", " two</think>It is 4.")), delta("stop"), LAST),
        [b": keep-alive\n\n", b"\n", *events(delta(reasoning="two and two"), done=False), b": keep-alive\r\n\r\n",
         b'data: {"id": "c", "model": "m-1",\ndata: "choices": [{"index": 0, "delta": {"content": "It is 4."},'
         b' "finish_reason": "stop"}]}\n\n', b"data: not json\n\n", *events(LAST)],
    ],
)  # fmt: skip
@pytest.mark.parametrize("size", [None, 1, 7])
async def test_a_stream_gives_what_the_whole_would(
    server: Server, tmp_path: Path, pieces: list[bytes], size: int | None
) -> None:
    whole = b"".join(pieces)
    server.answers = [pieces if size is None else [whole[at : at + size] for at in range(0, len(whole), size)]]
    attempt, reply = await asked(Openai(model="m", base_url=server.url, stream=True, max_tokens=5), tmp_path)
    assert said(attempt) == ("two and two", "It is 4.", "stop")
    assert (attempt.usage, attempt.model) == ({"input": 11, "output": 7}, "m-1")
    assert reply.truncated is False
    [(_, body)] = server.seen
    assert (body["stream"], body["stream_options"], body["max_tokens"]) == (True, {"include_usage": True}, 5)


async def test_streams_of_the_other_forms(server: Server, tmp_path: Path) -> None:
    server.answers = [events({"type": "response.created", "response": response(status="in_progress")},
                             {"type": "response.output_text.delta", "delta": "It"},
                             {"type": "response.completed", "response": response(THOUGHT, TEXT)},
                             done=False)]  # fmt: skip
    attempt, _ = await asked(Responses(model="o", base_url=server.url, stream=True), tmp_path / "a")
    assert said(attempt) == ("two and two", "It is 4.", "stop")
    parts = [{"id": "c", "model": "b", "choices": [{"index": 0, "text": text, "finish_reason": None}]} for text in "It"]
    server.answers = [events(*parts, {"id": "c", "choices": [{"index": 0, "text": "", "finish_reason": "length"}]})]
    attempt, reply = await asked(Completions(model="b", base_url=server.url, stream=True), tmp_path / "b")
    assert (said(attempt), reply.truncated) == ((None, "It", "length"), True)


@pytest.mark.parametrize(
    "broken",
    [
        events(delta(content="It is"), done=False),
        events(delta(content="It is 4.")),  # says that it is done, and never why
        events({"error": {"message": "upstream failed", "code": 502}}),
        [b"data: {"],
        events({"type": "response.failed", "response": response(status="failed")}),
    ],
)
async def test_a_stream_that_breaks_off_is_no_answer(server: Server, tmp_path: Path, broken: list[bytes]) -> None:
    server.answers = [broken, events(delta("stop", content="It is 4."), LAST)]
    attempt, _ = await asked(Openai(model="m", base_url=server.url, stream=True), tmp_path)
    assert said(attempt) == (None, "It is 4.", "stop")
    assert len(server.seen) == 2


async def test_silence_in_a_stream_is_noticed_and_a_slow_one_is_not_cut(server: Server, tmp_path: Path) -> None:
    server.pause_s = 0.2
    slow = events(*(delta(content=text) for text in "It is 4."), delta("stop"), LAST)
    server.answers = [slow]
    attempt, _ = await asked(Openai(model="m", base_url=server.url, stream=True, timeout_s=1.0), tmp_path / "a")
    assert said(attempt) == (None, "It is 4.", "stop")
    assert len(server.seen) == 1
    server.pause_s = 2.0
    attempt, _ = await asked(Openai(model="m", base_url=server.url, stream=True, timeout_s=0.3), tmp_path / "b")
    assert attempt.finish_reason == "failed"


async def test_a_server_that_does_not_stream_is_read_all_the_same(server: Server, tmp_path: Path) -> None:
    server.answers = [503, completed("It is 4.")]
    attempt, _ = await asked(Completions(model="b", base_url=server.url, stream=True), tmp_path)
    assert said(attempt) == (None, "It is 4.", "stop")
