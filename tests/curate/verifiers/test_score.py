"""reasoning-gym's scorers in real workers."""

import json
import time
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from curate.records import Scored, Verdict
from curate.verifiers.score import Score, find_answer
from sandbox.workers import Workers
from tests.curate.verifiers.rows import attempt, question, resources

pytestmark = pytest.mark.asyncio(loop_scope="module")

TASKS = [
    "chain_sum",
    "countdown",
    "spiral_matrix",
    "n_queens",
    "arc_agi",
    "polynomial_multiplication",
    "knights_knaves",
]


@pytest.fixture(autouse=True)
def gym(missing: Callable[[str], None]) -> None:
    if find_spec("reasoning_gym") is None:
        missing("reasoning-gym (the gym extra)")


def entry(task: str) -> dict[str, Any]:
    reasoning_gym = import_module("reasoning_gym")
    found: dict[str, Any] = json.loads(json.dumps(reasoning_gym.create_dataset(task, size=1, seed=3)[0]))
    return found


async def judged(workers: Workers, task: str, solution: str, made: dict[str, Any] | None = None) -> Verdict:
    truth = Scored(task=task, entry=json.dumps(made if made is not None else entry(task)))
    return await Score().verify(question(truth, domain="puzzle"), attempt(solution), resources(workers=workers))


@pytest.mark.parametrize("task", TASKS)
async def test_the_gold_answer_passes_and_another_does_not(workers: Workers, task: str) -> None:
    made = entry(task)
    for solution in (str(made["answer"]), f"So:\n<answer>\n{made['answer']}\n</answer>"):
        verdict = await judged(workers, task, solution, made)
        assert (verdict.outcome, verdict.evidence["score"]) == ("pass", 1.0)
    verdict = await judged(workers, task, "<answer>-123456789</answer>", made)
    assert (verdict.outcome, verdict.reason) == ("fail", "wrong_answer")


@pytest.mark.parametrize(
    ("task", "answer"),
    [
        ("spiral_matrix", "[open({path!r}, 'w').write('x')]"),
        ("n_queens", "__import__('os').system('touch {path}')"),
        ("string_insertion", "__import__('pathlib').Path({path!r}).touch()"),
        ("binary_matrix", "__import__('subprocess').run(['touch', {path!r}])"),
        ("countdown", "__import__('os').system('touch {path}')"),
        ("simple_integration", "lambdify((), {path!r})()"),
        ("countdown", "().__class__.__mro__"),
    ],
)
async def test_an_answer_is_never_run(workers: Workers, tmp_path: Path, task: str, answer: str) -> None:
    path = tmp_path / "owned"
    verdict = await judged(workers, task, answer.replace("{path!r}", repr(str(path))).replace("{path}", str(path)))
    assert verdict.outcome in ("fail", "unsure")
    assert not path.exists()


async def test_trouble_of_ours_is_an_error(workers: Workers) -> None:
    made = entry("chain_sum")
    assert (await judged(workers, "no_such_task", "1", made)).reason == "unreadable_tests"
    truth = Scored(task="chain_sum", entry="{")
    verdict = await Score().verify(question(truth), attempt("1"), resources(workers=workers))
    assert (verdict.outcome, verdict.reason) == ("error", "unreadable_tests")


async def test_no_answer(workers: Workers) -> None:
    assert (await judged(workers, "chain_sum", " \n")).reason == "no_answer"


class Without:
    """A pool in whose workers reasoning-gym is not installed."""

    async def run(self, job: bytes, *, cpu_s: float, wall_s: float) -> bytes:
        return b'{"missing": "reasoning_gym"}'


async def test_a_missing_extra_says_what_to_install() -> None:
    truth = Scored(task="chain_sum", entry="{}")
    verdict = await Score().verify(question(truth), attempt("1"), resources(workers=Without()))
    assert (verdict.outcome, verdict.reason) == ("error", "missing_module")
    assert verdict.evidence["next"] == "pip install reasoning-gym"


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("7", "7"),
        ("so <answer> 7 </answer> and <answer>8</answer>", "8"),
        (r"so \boxed{7}", "7"),
        ("work\nAnswer: 7 8", "7 8"),
        ("<think>8</think>\n7\n", "7"),
        ("1 2\n3 4", "1 2\n3 4"),
    ],
)
async def test_the_answer_handed_over(text: str, answer: str) -> None:
    assert find_answer(text) == answer


async def test_the_last_closed_tag_is_the_answer_and_open_ones_take_linear_time() -> None:
    assert find_answer("<answer>1</answer> no, <answer> 2 </answer> <answer>") == "2"
    assert find_answer("<answer>1</answer> and a stray </answer>") == "1"
    started = time.process_time()
    find_answer("<answer>" * 25_000)
    assert time.process_time() - started < 1
