"""Equal answers have one number, by value and not by spelling, whatever their order."""

import random
from pathlib import Path

from curate.calls.client import Calls
from curate.ledger import Ledger
from curate.measures.votes import answer_of, votes
from curate.resources import Resources, verifier_workers
from curate.verdicts import Verdicts

SAID = ["1/2", "\\frac{1}{2}", "0.5", "3", "3.0", "\\sqrt{8}", "2\\sqrt{2}", None, "x^2-1", "(x-1)(x+1)", "cat"]
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


def _same(numbers: list[int | None]) -> list[list[bool]]:
    return [[one is not None and one == other for other in numbers] for one in numbers]
