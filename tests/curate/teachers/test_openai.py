"""`kind: openai` from recipe fields to a parsed attempt, over a real connection."""

import asyncio
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError

from curate.calls.budget import Budget
from curate.calls.client import Calls
from curate.errors import InputError, Prerequisite
from curate.keys import deciding
from curate.ledger import Ledger
from curate.records import Question, Unknown
from curate.teachers.openai import Openai
from tests.curate.calls.server import serving


def asked(text: str) -> Question:
    return Question.of(problem=text, domain="other", truth=Unknown(), source="s", source_id=text)


async def test_from_question_to_attempt(tmp_path: Path) -> None:
    async with serving() as server, Ledger(tmp_path) as ledger, Calls(ledger, Budget(1.0)) as calls:
        teacher = Openai(model="m", base_url=server.url, max_tokens=50, price={"input": 1.0, "output": 2.0})  # type: ignore[arg-type]
        resources: Any = SimpleNamespace(read_only=False, calls=calls)
        await teacher.open(resources)
        expected = {"ok": "stop", "length": "length", "null": "empty", "context": "failed", "surrogate": "stop"}
        for text, finish in expected.items():
            call = teacher.call(asked(text), 0, resources)
            attempt = teacher.parse(asked(text), 0, call, await calls.ask(call))
            assert attempt.finish_reason == finish
            assert attempt.teacher == "openai/m"
            if finish != "failed":
                assert attempt.model == "teacher-0001"
                assert attempt.cost == pytest.approx(25e-6)
                assert attempt.usage == {"input": 11, "output": 7}
            looked_up = calls.lookup([call])[call.key]
            assert teacher.parse(asked(text), 0, call, looked_up).solution == attempt.solution


async def test_what_must_be_there_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    free: Any = SimpleNamespace(read_only=False, calls=SimpleNamespace(budget=Budget()))
    capped: Any = SimpleNamespace(read_only=False, calls=SimpleNamespace(budget=Budget(5.0)))
    with pytest.raises(Prerequisite, match="OPENAI_API_KEY") as error:
        await Openai(model="m").open(free)
    assert error.value.exit_code == 3
    assert "export OPENAI_API_KEY=" in str(error.value)
    local = Openai(model="m", base_url="http://localhost:8000/v1")
    await local.open(free)
    with pytest.raises(InputError, match="price of openai/m"):
        await local.open(capped)
    with pytest.raises(Prerequisite, match="OTHER_KEY"):
        await Openai(model="m", base_url="http://x/v1", api_key_env="OTHER_KEY").open(free)


@pytest.mark.parametrize(
    "fields",
    [
        {"model": ""}, {"base_url": "localhost:8000"}, {"temperature": -1}, {"top_p": 0}, {"max_tokens": 0},
        {"extra_body": {"n": 4}}, {"extra_body": {"stream": True}}, {"concurrency": 0}, {"timeout_s": 0},
        {"price": {"input": 1}}, {"prompt": "none"}, {"api_key": "sk-123"},
        {"extra_body": {"since": date(2024, 1, 1)}}, {"extra_body": {"x": float("nan")}},
    ],
)  # fmt: skip
def test_what_a_recipe_may_not_say(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Openai(**{"model": "m", **fields})


def test_what_decides() -> None:
    teacher = Openai(
        model="m", base_url="http://x/v1", api_key_env="K", timeout_s=5, concurrency=3, temperature=0.5,
        price={"input": 1, "output": 1},
    )  # type: ignore[arg-type]  # fmt: skip
    assert deciding(teacher) == {"model": "m", "temperature": 0.5}


async def test_one_client_is_closed_with_its_calls(tmp_path: Path) -> None:
    async with serving() as server, Ledger(tmp_path) as ledger:
        async with Calls(ledger) as calls:
            teacher = Openai(model="m", base_url=server.url)
            await asyncio.gather(*(calls.ask(teacher.call(asked("ok"), n, None)) for n in range(20)))  # type: ignore[arg-type]
        assert server.requests == {"ok": 20}
