"""Thinking and solution, out of every form that servers and models use; never a good answer out of a broken one."""

from typing import Any

import pytest

from curate.calls.completion import completion, usage
from curate.calls.model import Call, Reply
from curate.records import Answer, Question
from curate.teachers.openai import Openai
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
        message([{"type": "thinking", "thinking": [{"type": "text", "text": "two and two"}]},
                 {"type": "text", "text": "It is 4."}]),
        message("It is 4.", reasoning="two and two", reasoning_content="two and two"),
        message("<think>two and two</think>It is 4.", reasoning="two and two"),
        message("It is 4.", reasoning_details=[{"type": "reasoning.summary", "summary": "two and two"}]),
        message("analysistwo and twoassistantfinalIt is 4."),
        message("analysis two and two assistantfinal It is 4."),
        {"status": "completed", "output": [
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "two and two"}]},
            {"type": "message", "content": [{"type": "output_text", "text": "It is 4."}]},
        ]},
        {"choices": [{"text": "<think>two and two</think>It is 4.", "finish_reason": "stop"}]},
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
        (message('<think>The word is "fast"</think>It is 4.'), ('The word is "fast"', "It is 4.", "stop")),
        (
            message("<think>I write `<think>x</think>` first</think>4"),
            ("I write `<think>x</think>` first", "4", "stop"),
        ),
        (message("<think>I end with '</think>' then</think>4"), ("I end with '</think>' then", "4", "stop")),
        (message("<think>I end with `</think>` then"), ("I end with `</think>` then", "", "malformed")),
        (
            message("<think>a</think>Say `</think>` or </think> to end"),
            ("a", "Say `</think>` or </think> to end", "stop"),
        ),
        (message("analysis of the data: 4."), (None, "analysis of the data: 4.", "stop")),
        (
            {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}, "output": []},
            (None, "", "length"),
        ),
        ({"status": "incomplete", "incomplete_details": None, "output": []}, (None, "", "empty")),
        ({"status": "completed", "output": [{"type": "message", "content": "text"}, 5]}, (None, "", "empty")),
        (message("Write `</think>` to end it."), (None, "Write `</think>` to end it.", "stop")),
        (message("Close with </think> here.", reasoning="a"), ("a", "Close with </think> here.", "stop")),
        (message("<think>b</think>It is 4.", reasoning="a"), ("a\n\nb", "It is 4.", "stop")),
        (message("<|begin_of_thought|>on and on"), ("on and on", "", "malformed")),
        (message("<|begin_of_thought|>a<|end_of_thought|><|begin_of_solution|>It is"), ("a", "It is", "malformed")),
        (message("<|begin_of_thought|>a<|end_of_thought|>It is 4."), ("a", "It is 4.", "stop")),
        (message("<|channel|>analysis<|message|>on and on"), ("on and on", "", "malformed")),
        (
            message("Write <|channel|>final<|message|> first."),
            (None, "Write <|channel|>final<|message|> first.", "stop"),
        ),
        (message("It is 4.", "model_length"), (None, "It is 4.", "length")),
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
        "<think>" + "`</think>`" * 100_000,
        "<think>`" + "</think>" * 100_000,
        "analysis" * 100_000 + "assistantfinal" * 50_000,
    ):
        read(message(text))


def test_marks_of_a_recipe_s_own() -> None:
    teacher = Openai(model="m", base_url="http://x/v1", marks={"open": "[THINK]", "close": "[/THINK]"})  # type: ignore[arg-type]

    def own(text: str, finish: str = "stop") -> tuple[str | None, str, str]:
        attempt = teacher.parse(QUESTION, 0, CALL, Reply(raw=message(text, finish)))
        return attempt.reasoning, attempt.solution, attempt.finish_reason

    assert own("[THINK]two and two[/THINK]It is 4.") == ("two and two", "It is 4.", "stop")
    assert own("two and two[/THINK]It is 4.") == ("two and two", "It is 4.", "stop")
    assert own("[THINK]on and on") == ("on and on", "", "malformed")
    assert own("<think>is text here</think>") == (None, "<think>is text here</think>", "stop")


def test_an_answer_may_have_to_show_its_thinking() -> None:
    teacher = Openai(model="m", base_url="http://x/v1", needs_reasoning=True)

    def finish(raw: dict[str, Any]) -> str:
        return teacher.parse(QUESTION, 0, CALL, Reply(raw=raw)).finish_reason

    assert finish(message("It is 4.")) == "malformed"
    assert finish(message("It is 4.", "length")) == "length"
    assert finish(message("It is 4.", reasoning="two and two")) == "stop"


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ({"prompt_tokens": 11, "completion_tokens": 7}, {"input": 11, "output": 7}),
        ({"input_tokens": 11, "output_tokens": 7, "input_tokens_details": {"cached_tokens": 5}},
         {"input": 11, "output": 7, "cached": 5}),
        ({"prompt_tokens": 11, "completion_tokens": 7, "prompt_tokens_details": None, "prompt_cache_hit_tokens": 4},
         {"input": 11, "output": 7, "cached": 4}),
        ({"completion_tokens": 7, "completion_tokens_details": {"reasoning_tokens": 9}}, {"output": 7}),
        ({"prompt_tokens": float("nan"), "completion_tokens": -1}, {}),
        ({"prompt_tokens": True, "completion_tokens": "7"}, {}),
        ({"prompt_tokens": 3, "prompt_tokens_details": {"cached_tokens": 4}}, {"input": 3}),
        (None, {}), ([], {}), ("7", {}),
    ],
)  # fmt: skip
def test_tokens_that_cannot_be_true_are_left_out(found: Any, expected: dict[str, int]) -> None:
    assert usage({"usage": found}) == expected
