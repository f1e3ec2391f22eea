"""The bundled set judged for real: each recorded answer gets the verdict expected of it, and each gold passes."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
import pytest_asyncio

from curate.keys import digest
from curate.records import Attempt, Choice, Question, Tests
from curate.resources import Resources
from curate.sources.quickstart import QUESTIONS, Quickstart
from curate.verifiers.code import Code
from curate.verifiers.router import Router
from curate.verifiers.worker import MEMORY_BYTES, worker_command
from sandbox import Sandbox, SandboxError
from sandbox.workers import Workers

EXPECTED = json.loads((Path(__file__).parent / "quickstart_expected.json").read_text("utf-8"))
# A program that never ends has no right to six seconds of every test run.
ROUTER = Router(chains={"code": [Code(cpu_s=1.5)]})
QUESTIONS_BY_ID = {item.source_id: item for item in Quickstart().read() if isinstance(item, Question)}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def resources(missing: Callable[[str], None]) -> AsyncIterator[Resources]:
    async with AsyncExitStack() as stack:
        workers = await stack.enter_async_context(Workers(worker_command(), count=2, memory_bytes=MEMORY_BYTES))
        try:
            sandbox = await stack.enter_async_context(Sandbox(workers=2))
        except SandboxError as error:
            missing(f"namespace sandbox ({error.what})")
        yield cast(Resources, SimpleNamespace(sandbox=sandbox, workers=workers))  # all that a verifier looks at


def attempt(question: Question, solution: str, finish_reason: str = "stop") -> Attempt:
    return Attempt.model_validate(
        {
            "id": digest(question.id, solution),
            "question_id": question.id,
            "sample": 0,
            "teacher": "replay/quickstart",
            "solution": solution,
            "finish_reason": finish_reason,
            "request_key": digest(solution),
        }
    )


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("row", QUESTIONS.with_name("answers.jsonl").read_text("utf-8").splitlines())
async def test_recorded_answer(row: str, resources: Resources) -> None:
    answer = json.loads(row)
    question = QUESTIONS_BY_ID[answer["source_id"]]
    tried = attempt(question, answer["solution"], answer["finish_reason"])
    verdict = (await ROUTER.verify(question, tried, resources, {})).verdict
    assert {"outcome": verdict.outcome, "reason": verdict.reason} == EXPECTED[answer["source_id"]], verdict


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", [key for key, item in QUESTIONS_BY_ID.items() if item.truth.type != "reference"])
async def test_gold_passes(name: str, resources: Resources) -> None:
    question = QUESTIONS_BY_ID[name]
    gold = question.gold or ""
    solution = f"```python\n{gold}```" if isinstance(question.truth, Tests) else gold
    verdict = (await ROUTER.verify(question, attempt(question, solution), resources, {})).verdict
    assert (verdict.outcome, verdict.reason) == ("pass", "ok"), verdict


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", [key for key, item in QUESTIONS_BY_ID.items() if isinstance(item.truth, Choice)])
async def test_another_letter_fails(name: str, resources: Resources) -> None:
    question = QUESTIONS_BY_ID[name]
    assert isinstance(question.truth, Choice)
    other = "A" if question.truth.letter != "A" else "B"
    verdict = (await ROUTER.verify(question, attempt(question, f"\\boxed{{{other}}}"), resources, {})).verdict
    assert (verdict.outcome, verdict.reason) == ("fail", "wrong_answer"), verdict
