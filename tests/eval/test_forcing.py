"""Budget forcing over plain completions: the pieces, their caps and what they come to."""

import asyncio
import json
from pathlib import Path
from typing import Any

from curate.calls.completion import completion
from curate.calls.model import Call, Reply
from eval.block import Eval, Forcing
from eval.forcing import Variant, forced, variants
from eval.pose import Setting
from eval.results import read_results
from eval.sample import evaluate
from tests.eval.scripted import asked, jsonl, serving

RAW = "<|im_start|>user\n{{ user }}<|im_end|>\n<|im_start|>assistant\n<think>\n"


def played(variant: Variant, *replies: tuple[str, str, int], cap: int | None = 1000) -> tuple[list[Call], Reply]:
    """The calls of a sequence whose replies are (text, how it ended, tokens), and what it comes to."""
    call = Call(form="completions", model="m", sample=0, body={"prompt": "P<think>"}, max_tokens=cap)
    steps, calls, left = forced(call, variant), [], list(replies)
    one = next(steps)
    while True:
        calls.append(one)
        text, finish, tokens = left.pop(0)
        raw = {"choices": [{"text": text, "finish_reason": finish}]}
        try:
            one = steps.send(Reply(raw=raw, usage={"input": 5, "output": tokens}, cost=0.5))
        except StopIteration as end:
            assert not left
            return calls, end.value


def test_the_word_puts_off_the_end_and_the_answer_follows() -> None:
    variant = Variant(Forcing(max_answer=100), 2, None)
    calls, reply = played(variant, ("a ", "stop", 10), ("b", "stop", 20), ("c", "stop", 30), ("It is 7.", "stop", 4))
    assert [call.body["prompt"] for call in calls] == [
        "P<think>", "P<think>aWait", "P<think>aWaitbWait", "P<think>aWaitbWaitc</think>\n\n",
    ]  # fmt: skip
    assert [call.body.get("stop") for call in calls] == [["</think>"]] * 3 + [None]
    assert [call.max_tokens for call in calls] == [900, 890, 870, 100]
    assert reply.raw == completion("It is 7.", reasoning="aWaitbWaitc", finish_reason="stop")
    assert reply.usage == {"output": 64, "input": 5}
    assert reply.cost == 2.0
    assert len({call.key for call in calls}) == 4


def test_the_cap_ends_the_thinking_and_asks_for_the_answer() -> None:
    variant = Variant(Forcing(), 3, 50)
    calls, reply = played(variant, ("thinking", "length", 50), (" 7", "stop", 2))
    assert [call.max_tokens for call in calls] == [50, 2048]
    assert calls[1].body["prompt"] == "P<think>thinking</think>\n\nFinal Answer:"
    assert reply.raw == completion("Final Answer: 7", reasoning="thinking", finish_reason="stop")


def test_what_is_left_of_the_cap_is_what_further_pieces_have() -> None:
    calls, _ = played(Variant(Forcing(), 5, 50), ("a", "stop", 30), ("b", "length", 20), ("7", "stop", 1))
    assert [call.max_tokens for call in calls] == [50, 20, 2048]
    calls, _ = played(Variant(Forcing(), 5, 50), ("a", "stop", 50), ("7", "stop", 1))
    assert len(calls) == 2  # nothing is left: it is not put off


def test_a_server_that_leaves_the_mark_and_goes_on_is_read_up_to_it() -> None:
    calls, reply = played(Variant(Forcing(), 0, 50), ("a</think> and on", "length", 50), ("7", "stop", 1))
    assert calls[1].body["prompt"] == "P<think>a</think>\n\n"
    assert reply.raw == completion("7", reasoning="a", finish_reason="stop")


def test_a_failed_piece_fails_the_whole() -> None:
    call = Call(form="completions", model="m", sample=0, body={"prompt": "P"}, max_tokens=10)
    steps = forced(call, Variant(Forcing(), 1, 5))
    next(steps)
    try:
        steps.send(Reply(status="failed", error="no"))
    except StopIteration as end:
        assert end.value.status == "failed"


def test_every_combination_has_a_name() -> None:
    forcing = Forcing(times=(2, 0), max_thinking=(None, 512))
    assert [one.name for one in variants(forcing)] == ["wait0-cap512", "wait2-cap512", "wait0", "wait2"]
    assert variants(None) == []


async def test_forced_evaluations_stand_beside_the_plain_one(tmp_path: Path) -> None:
    """A model that is wrong at first and right once it was told to wait; all of it durable."""

    def says(body: dict[str, Any]) -> str | tuple[str, str]:
        text = asked(body)
        if "messages" in body:
            return "<think>five</think>\\boxed{5}"
        if text.endswith("</think>\n\n"):
            return "\\boxed{7}" if "Wait" in text else "\\boxed{5}"
        if text.endswith("Final Answer:"):
            return " \\boxed{1}"
        if body["max_tokens"] < 4:
            return "one two three", "length"
        return " it is seven" if text.endswith("Wait") else "it is five"

    path = tmp_path / "q.jsonl"
    path.write_text(json.dumps({"problem": "What is 3 + 4?", "answer": "7"}) + "\n", "utf-8")
    async with serving(says) as model:
        block = Eval.model_validate(
            {
                "models": {"m": {"kind": "openai", "model": "m", "base_url": model.url}},
                "benchmarks": [{"source": jsonl(path), "name": "own"}],
                "runs": 2,
                "budget_forcing": {"raw": RAW, "times": [0, 1], "max_thinking": [3, None]},
            }
        )
        setting = Setting(tmp_path, "demo", quiet=True)
        done = await asyncio.to_thread(evaluate, block, setting)
        count = len(model.seen)
        again = await asyncio.to_thread(evaluate, block, setting)
        assert len(model.seen) == count
    assert [one.model for one in done.models] == ["m", "m-wait0-cap3", "m-wait1-cap3", "m-wait0", "m-wait1"]
    assert [one.outcomes for one in done.models] == [
        {"fail": 2}, {"fail": 2}, {"fail": 2}, {"fail": 2}, {"pass": 2},
    ]  # fmt: skip
    assert [one.outcomes for one in again.models] == [one.outcomes for one in done.models]
    rows = read_results(done.models[-1].folder, None).to_pylist()
    assert rows[0]["reasoning"] == "it is fiveWait it is seven"
    assert rows[0]["solution"] == "\\boxed{7}"
    assert rows[0]["output_tokens"] == 3 + 3 + 1
    (capped,) = [one for one in done.models if one.model == "m-wait0-cap3"]
    assert read_results(capped.folder, None).to_pylist()[0]["solution"] == "Final Answer: \\boxed{1}"
    prompts = [body["prompt"] for body in model.seen if "prompt" in body]
    assert all(one.startswith("<|im_start|>user\nWhat is 3 + 4?") for one in prompts)
