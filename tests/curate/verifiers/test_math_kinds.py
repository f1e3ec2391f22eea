"""Every way of writing an answer, kind by kind: equal within its class, different from all others of the kind."""

import pytest

from curate.verifiers.answers.decide import decide
from tests.curate.verifiers.math_kinds import KINDS, different_pairs, equal_pairs

# Right, yet left open: two letters for one number, a unit that only one letter names.
OPEN_EQUAL = {"assignment"}


@pytest.mark.parametrize("kind", KINDS)
def test_what_means_the_same_is_the_same(kind: str) -> None:
    found = {(one, other): decide(one, other).equal for name, one, other in equal_pairs() if name == kind}
    assert [pair for pair, equal in found.items() if equal is False] == []
    doubtful = [pair for pair, equal in found.items() if equal is None]
    assert not doubtful or kind in OPEN_EQUAL


@pytest.mark.parametrize("kind", [*KINDS, "never"])
def test_what_differs_is_never_the_same(kind: str) -> None:
    found = {(one, other): decide(one, other).equal for name, one, other in different_pairs() if name == kind}
    assert [pair for pair, equal in found.items() if equal] == []


def test_few_differences_stay_open() -> None:
    pairs = different_pairs()
    doubtful = [pair for pair in pairs if decide(*pair[1:]).equal is None]
    assert len(doubtful) <= len(pairs) // 40


def test_no_decision_contradicts_the_other_way_round() -> None:
    for _, one, other in [*equal_pairs(), *different_pairs()]:
        assert {decide(one, other).equal, decide(other, one).equal} != {True, False}, (one, other)
