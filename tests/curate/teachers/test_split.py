"""Thinking and solution, out of every form that servers and models use; never a good answer out of a broken one."""

from typing import Any

import pytest

from curate.calls.completion import completion
from curate.calls.model import Call, Reply
from curate.records import Answer, Question
from curate.teachers.parse import attempt_of

QUESTION = Question.of(problem="2 + 2?", domain="math", truth=Answer(text="4"), source="s", source_id="1")
CALL = Call(form="chat", model="m", body={})
OPENTHOUGHTS = (
    "<|begin_of_thought|>\n\ntwo and two\n\n<|end_of_thought|>\n\n"
    "<|begin_of_solution|>\n\nIt is 4.\n\n<|end_of_solution|>"
)
HARMONY = (
    "<|channel|>analysis<|message|>two and two<|end|><|start|>assistant<|channel|>final<|message|>It is 4.<|return|>"
)


def read(raw: dict[str, Any], **reply: Any) -> tuple[str | None, str, str]:
    attempt = attempt_of(QUESTION, 0, CALL, Reply(raw=raw, **reply), "openai/m")
    return attempt.reasoning, attempt.solution, attempt.finish_reason


def message(content: Any, finish: str | None = "stop", **fields: Any) -> dict[str, Any]:
    raw = completion("", finish_reason=finish)
    raw["choices"][0]["message"] = {"role": "assistant", "content": content, **fields}
    return raw


@pytest.mark.parametrize(
    "raw",
    [
        message("It is 4.", reasoning="two and two"),
        message("It is 4.", reasoning_content="two and two"),
        message("It is 4.", thinking="two and two"),
        message("It is 4.", reasoning=None, reasoning_details=[{"type": "reasoning.text", "text": "two and two"}]),
        message("<think>two and two</think>It is 4."),
        message("\n<think>\ntwo and two\n</think>\n\nIt is 4.\n"),
        message("two and two\n</think>\nIt is 4."),
        message(OPENTHOUGHTS),
        message(HARMONY),
        message([{"type": "thinking", "thinking": "x"}, {"type": "text", "text": "It is 4."}], reasoning="two and two"),
    ],
)  # fmt: skip
def test_every_form_gives_the_same(raw: dict[str, Any]) -> None:
    assert read(raw) == ("two and two", "It is 4.", "stop")


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (message("It is 4."), (None, "It is 4.", "stop")),
        (message("It is 4.", "length"), (None, "It is 4.", "length")),
        (message(None, "length", reasoning="on and on"), ("on and on", "", "length")),
        (message("<think>on and on", "length"), ("on and on", "", "length")),
        (message("<think>on and on", "stop"), ("on and on", "", "malformed")),
        (message("<think>a</think>", "stop"), ("a", "", "empty")),
        (message("<think>a</think><think>b</think>It is 4."), ("a\n\nb", "It is 4.", "stop")),
        (message("<think>a</think><think>b"), ("a\n\nb", "", "malformed")),
        (message("Write `</think>` to end it."), (None, "Write `</think>` to end it.", "stop")),
        (message("Close with </think> here.", reasoning="a"), ("a", "Close with </think> here.", "stop")),
        (message("<think>b</think>It is 4.", reasoning="a"), ("a\n\nb", "It is 4.", "stop")),
        (message("<|begin_of_thought|>on and on"), ("on and on", "", "malformed")),
        (message("<|begin_of_thought|>a<|end_of_thought|><|begin_of_solution|>It is"), ("a", "It is", "malformed")),
        (message("<|begin_of_thought|>a<|end_of_thought|>It is 4."), ("a", "It is 4.", "stop")),
        (message("<|channel|>analysis<|message|>on and on"), ("on and on", "", "malformed")),
        (message(None), (None, "", "empty")),
        (message("  \n "), (None, "  \n ", "empty")),
        (message(None, reasoning="all of it"), ("all of it", "", "empty")),
        (message("I cannot", "content_filter"), (None, "I cannot", "refused")),
        (message(None, refusal="I cannot help with that"), (None, "", "refused")),
        (message("It is 4.", None), (None, "It is 4.", "malformed")),
        (message("It is 4.", "tool_calls"), (None, "It is 4.", "malformed")),
        (message("It is 4.", "eos_token"), (None, "It is 4.", "stop")),
        (message("a \ud800 b"), (None, "a \ufffd b", "stop")),
        ({}, (None, "", "empty")),
        ({"choices": None}, (None, "", "empty")),
        ({"choices": [{"message": {"content": 5}, "finish_reason": 3}]}, (None, "", "empty")),
    ],
)
def test_what_is_no_finished_answer_says_so(raw: dict[str, Any], expected: tuple[str | None, str, str]) -> None:
    assert read(raw) == expected


def test_a_failed_call_is_an_attempt_too() -> None:
    assert read({}, status="failed", error="no") == (None, "", "failed")


def test_attempts_of_two_teachers_have_two_ids() -> None:
    ids = {attempt_of(QUESTION, 0, CALL, Reply(raw=message("4")), name).id for name in ("a", "b")}
    assert len(ids) == 2


def test_a_hostile_text_takes_no_time() -> None:
    for text in (
        "<think>" * 100_000,
        "<|begin_of_thought|>" * 50_000,
        "<|channel|>analysis<|message|>" * 30_000,
        "</think>" * 100_000,
    ):
        read(message(text))
