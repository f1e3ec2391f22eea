"""Equal answers have one number, by value and not by spelling, whatever their order."""

import random
from pathlib import Path
from typing import Any

import pytest

from curate.calls.client import Calls
from curate.ledger import Ledger
from curate.measures.votes import Undecided, answer_of, votes
from curate.resources import Resources, verifier_workers
from curate.verdicts import Verdicts
from sandbox.model import SandboxError

SAID = ["1/2", "\\frac{1}{2}", "0.5", "3", "3.0", "\\sqrt{8}", "2\\sqrt{2}", None, "x^2-1", "(x-1)(x+1)", "cat"]
OPEN = ["\\sum_{n=1}^{3} n", "\\sum_{k=1}^{3} k"]  # an algebra system must say
GROUPS = [0, 0, 0, 1, 1, 2, 2, None, 3, 3, 4]


def test_the_answer_of_a_solution() -> None:
    assert answer_of("So it is \\boxed{\\frac12}.") == answer_of("\\boxed{\\frac12}")
    assert answer_of("The answer is 7.") == "7"
    assert answer_of("The answer is (B).") in ("B", "(B)")
    assert answer_of("First 3, then we get\n12") == "12"
    assert answer_of("def f(x):\n    return x") is None
    assert answer_of("") is None
    assert answer_of("\\boxed{" + "1" * 500 + "}") is None


async def test_votes_go_by_value(tmp_path: Path) -> None:
    async with Ledger(tmp_path / "ledger") as ledger, verifier_workers(1) as workers:
        resources = Resources(ledger, Calls(ledger), Verdicts(ledger), workers=workers)
        found = await votes(SAID, resources)
        assert _same(found) == _same(GROUPS)
        assert found[SAID.index("1/2")] == 0  # the commonest
        stored = ledger.count("measure")
        for seed in range(3):
            order = list(range(len(SAID)))
            random.Random(seed).shuffle(order)
            mixed = await votes([SAID[place] for place in order], resources)
            assert [mixed[order.index(place)] for place in range(len(SAID))] == found
        assert ledger.count("measure") == stored  # what an algebra system said is not asked again


async def test_being_equal_does_not_carry_over(tmp_path: Path) -> None:
    async with Ledger(tmp_path / "ledger") as ledger, verifier_workers(1) as workers:
        resources = Resources(ledger, Calls(ledger), Verdicts(ledger), workers=workers)
        # 42% is 0.42 and is 42, which are two answers: they may not meet in one vote.
        found = await votes(["42\\%", "42\\%", "0.42", "42"], resources)
        assert found[2] != found[3]
        # A brace too many: the box would hold the first part alone.
        found = await votes(["x^2+5", "x^2+5", "x^2+5} or \\text{7"], resources)
        assert found == [0, 0, 1]


async def test_trouble_of_ours_is_no_vote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Ledger(tmp_path / "ledger") as ledger, verifier_workers(1) as workers:
        resources = Resources(ledger, Calls(ledger), Verdicts(ledger), workers=workers)

        async def dies(*_: Any, **__: Any) -> bytes:
            raise SandboxError("no process can be started")

        with monkeypatch.context() as patch:
            patch.setattr(workers, "run", dies)
            with pytest.raises(Undecided, match="no process"):
                await votes(OPEN, resources)
        assert ledger.count("measure") == 0
        assert await votes(OPEN, resources) == [0, 0]  # asked again


def _same(numbers: list[int | None]) -> list[list[bool]]:
    return [[one is not None and one == other for other in numbers] for one in numbers]
