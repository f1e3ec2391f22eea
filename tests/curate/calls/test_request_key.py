"""Request keys, frozen: a change here would ask and pay for every answer again, so it has to be a decision."""

import pytest

from curate.calls.model import Call, Reply
from curate.calls.prices import Price
from curate.records import Answer, Question
from curate.teachers.fake import Fake
from curate.teachers.openai import Openai

PLAIN = Call(form="chat", model="m", body={"model": "m", "messages": [{"role": "user", "content": "2 + 2?"}]})
QUESTION = Question.of(problem="2 + 2?", domain="math", truth=Answer(text="4"), source="s", source_id="1")


@pytest.mark.parametrize(
    ("call", "key"),
    [
        (PLAIN, "80cc14a88db58af0d9075ba1d586a1fe"),
        (PLAIN.model_copy(update={"sample": 1}), "c378f1f341c2332556b7511a9a951abb"),
        (PLAIN.model_copy(update={"revision": "2026-01"}), "6efc3504270e7097b5d444a714e31917"),
        (Openai(model="m", base_url="http://localhost/v1").call(QUESTION, 0, None), "3f70526b044059db2ab89f1a06cdca65"),  # type: ignore[arg-type]
        (
            Openai(model="m", prompt="openthoughts", temperature=0.6, seed=1).call(QUESTION, 2, None),
            "cc11b0246f5116c15f6bb0ffcc7798d4",
        ),  # type: ignore[arg-type]
        (Fake(error_rate=0.0).call(QUESTION, 0, None), "df53731e207188606a830ceab56d16ad"),  # type: ignore[arg-type]
    ],
)
def test_golden_keys(call: Call, key: str) -> None:
    assert call.key == key


@pytest.mark.parametrize(
    "change",
    [
        {"max_tokens": 5}, {"billed": False}, {"base_url": "http://x"}, {"api_key_env": "K"}, {"timeout_s": 1.0},
        {"concurrency": 1}, {"price": Price(input=1.0, output=2.0)}, {"given": {}}, {"latency_s": 1.0},
    ],
)  # fmt: skip
def test_what_does_not_decide_is_not_in_the_key(change: dict[str, object]) -> None:
    assert PLAIN.model_copy(update=change).key == PLAIN.key


@pytest.mark.parametrize(
    "change",
    [
        {"form": "given"}, {"model": "n"}, {"revision": "r"}, {"sample": 1}, {"body": {**PLAIN.body, "temperature": 0}},
        {"body": {**PLAIN.body, "temperature": 0.0}},
    ],
)  # fmt: skip
def test_what_decides_is(change: dict[str, object]) -> None:
    assert PLAIN.model_copy(update=change).key != PLAIN.key


def test_the_seed_is_that_of_question_and_sample_and_the_prompt_is_only_its_text() -> None:
    teacher = Openai(model="m", base_url="http://localhost/v1", seed=7)
    calls = [teacher.call(QUESTION, sample, None) for sample in range(3)]  # type: ignore[arg-type]
    assert [call.body["seed"] for call in calls] == [739378048, 255483106, 1597457631]
    assert len({call.key for call in calls}) == 3
    other = Question.of(problem="3 + 3?", domain="math", truth=Answer(text="6"), source="s", source_id="2")
    retold = Question.of(problem="2 + 2?", domain="math", truth=Answer(text="four"), source="s", source_id="3")
    assert teacher.call(other, 0, None).body["seed"] != calls[0].body["seed"]  # type: ignore[arg-type]
    assert teacher.call(retold, 0, None).key == calls[0].key  # type: ignore[arg-type]  # truth decides nothing
    reseeded = teacher.model_copy(update={"seed": 8}).call(QUESTION, 0, None)  # type: ignore[arg-type]
    assert reseeded.body["seed"] != calls[0].body["seed"]


def test_a_reply_survives_storage() -> None:
    reply = Reply(
        raw={"a": ["\ud800", "é", "\x00", 1.5, None]}, usage={"output": 3}, cost=0.25, max_tokens=9, truncated=True
    )
    assert Reply.from_bytes(reply.to_bytes()) == reply
    assert (reply.tag, Reply().tag) == ("9", "")


@pytest.mark.parametrize(
    ("reply", "served", "not_served"),
    [
        (Reply(usage={"output": 50}, max_tokens=100), (None, 50, 100, 10_000), (49, 1)),
        (Reply(usage={"output": 50}), (None, 50, 100), (49,)),
        (Reply(max_tokens=100, raw={"x": "y" * 1000}), (None, 100, 101), (99,)),  # length unknown: at most the cap
        (Reply(raw={"x": "y" * 90}), (None, 99, 1000), (98,)),  # length unknown, no cap: at most its bytes
        (Reply(usage={"output": 120}, max_tokens=100), (None, 100), (99,)),  # a server that miscounts
        (Reply(truncated=True, max_tokens=100, usage={"output": 100}), (1, 99, 100), (101, None)),
        (Reply(truncated=True, usage={"output": 4096}), (1, 4096, 10_000, None), ()),  # cut by the server's own limit
    ],
)
def test_which_caps_a_reply_serves(
    reply: Reply, served: tuple[int | None, ...], not_served: tuple[int | None, ...]
) -> None:
    assert all(reply.serves(cap) for cap in served)
    assert not any(reply.serves(cap) for cap in not_served)
