"""The fake teacher: right where it says so, wrong where it says so, the same every time."""

import re
import subprocess
import sys
from typing import Any

import pytest

from curate.calls.given import given_reply
from curate.records import Answer, Choice, Grid, Question, Reference, Scored, Tests, Truth, Unknown
from curate.teachers.fake import Fake

GOLD = "def double(x):\n    return 2 * x\n"


def question(truth: Truth, number: int = 0, **fields: Any) -> Question:
    return Question.of(
        problem=f"Question {number}", domain="d", truth=truth, source="s", source_id=str(number), **fields
    )


def answer(asked: Question, sample: int = 0, **fields: Any) -> Any:
    teacher = Fake(**fields)
    call = teacher.call(asked, sample, None)  # type: ignore[arg-type]
    assert call.billed
    return teacher.parse(asked, sample, call, given_reply(call))


@pytest.mark.parametrize(
    ("truth", "fields", "right"),
    [
        (Answer(text=r"\frac{1}{2}"), {}, r"\boxed{\frac{1}{2}}"),
        (Choice(letter="B", options=("x", "y", "z")), {}, r"\boxed{B}"),
        (Grid(cells=((1, 2), (3, 4))), {}, "[[1, 2], [3, 4]]"),
        (Scored(task="t", entry='{"question": "q", "answer": "17"}'), {}, r"\boxed{17}"),
        (Tests(cases=""), {"gold": GOLD}, f"```python\n{GOLD}```"),
        (Tests(cases=""), {"gold": f"So:\n```py\n{GOLD}```"}, f"So:\n```py\n{GOLD}```"),
        (Reference(text="because"), {}, "because"),
        (Unknown(), {"gold": "a worked answer"}, "a worked answer"),
    ],
)
def test_right_and_wrong_answers(truth: Truth, fields: dict[str, Any], right: str) -> None:
    asked = question(truth, **fields)
    good, bad = answer(asked, error_rate=0.0), answer(asked, error_rate=1.0)
    assert right in good.solution
    assert right not in bad.solution
    assert good.finish_reason == bad.finish_reason == "stop"
    assert good.id != bad.id
    assert answer(asked, error_rate=1.0) == bad


def test_a_program_that_follows_its_starter_code_is_made_whole() -> None:
    asked = question(Tests(cases=""), gold="    return 2 * x\n", starter_code="def double(x):\n    '''Twice.'''\n")
    assert "def double(x):\n    '''Twice.'''\n    return 2 * x" in answer(asked, error_rate=0.0).solution


def test_without_a_gold_program_it_says_so() -> None:
    assert "```" not in answer(question(Tests(cases="")), error_rate=0.0).solution


@pytest.mark.parametrize(
    ("starter", "use"),
    [
        ("def double(x):\n    pass", "print(double(2))"),
        ("class Solution:\n    def double(self, x):\n        pass", "print(Solution().double(2))"),
        (None, ""),
    ],
)
def test_wrong_programs_run_and_give_the_wrong_thing(starter: str | None, use: str) -> None:
    text = answer(question(Tests(cases=""), gold=GOLD, starter_code=starter), error_rate=1.0).solution
    [program] = re.findall(r"```python\n(.*)```", text, re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-I", "-c", program + "\n" + use], capture_output=True, text=True, check=True
    )
    printed = done.stdout.split("\n")[:-1]
    assert len(printed) == (2 if use else 1)
    assert all(line.startswith("wrong") for line in printed)


def test_the_share_of_errors_is_as_stated_and_moves_with_the_seed() -> None:
    asked = [question(Answer(text="4"), number) for number in range(1000)]

    def wrong(**fields: Any) -> list[bool]:
        return ["boxed{4}" not in answer(one, error_rate=0.3, **fields).solution for one in asked]

    assert 250 < sum(wrong()) < 350
    assert wrong() == wrong(latency_s=1.0)
    assert wrong() != wrong(seed=1)
    cut = [answer(one, truncate_rate=0.1).finish_reason for one in asked]
    assert 70 < cut.count("length") < 130
    assert set(cut) == {"length", "stop"}
