"""Hand-written pairs of many kinds through the whole verifier: nothing wrong is accepted, nothing right refused."""

from collections import Counter

import pytest

from curate.records import Verdict
from curate.verifiers.answers.decide import decide
from curate.verifiers.math import Math
from sandbox.workers import Workers
from tests.curate.verifiers.math_fresh import TEXTS, Pair, pairs
from tests.curate.verifiers.rows import attempt, question, resources

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def judged(workers: Workers, gold: str, solution: str) -> Verdict:
    return await Math().verify(question(gold), attempt(solution), resources(workers=workers))


async def test_no_pair_is_judged_wrong_and_few_stay_open(workers: Workers) -> None:
    found: dict[Pair, str] = {}
    for pair in pairs():
        equal = decide(pair.gold, pair.answer).equal
        if equal is None:  # the whole way
            found[pair] = (await judged(workers, pair.gold, rf"\boxed{{{pair.answer}}}")).outcome
        else:
            found[pair] = "pass" if equal else "fail"
    assert len(found) > 2000
    assert [pair for pair, outcome in found.items() if outcome == ("fail" if pair.same else "pass")] == []
    assert "error" not in found.values()
    counts = Counter((pair.same, outcome) for pair, outcome in found.items())
    assert counts[True, "unsure"] <= 0.02 * sum(pair.same for pair in found), counts
    assert counts[False, "unsure"] <= 0.1 * sum(not pair.same for pair in found), counts


async def test_no_decision_contradicts_the_other_way_round() -> None:
    for pair in pairs():
        both = {decide(pair.gold, pair.answer).equal, decide(pair.answer, pair.gold).equal}
        assert both != {True, False}, pair


@pytest.mark.parametrize(("gold", "text", "right"), TEXTS)
async def test_whole_solutions(workers: Workers, gold: str, text: str, right: bool) -> None:
    verdict = await judged(workers, gold, text)
    several = verdict.evidence.get("by") == "boxes"
    assert verdict.outcome == ("unsure" if several else "pass" if right else "fail"), verdict


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("3", r"5 \oplus 3"),
        (r"\begin{cases} x & x\ge 0 \\ 0 & x<0\end{cases}", r"\begin{cases} x & x>0 \\ 0 & x<0\end{cases}"),
    ],
)
async def test_a_command_the_engine_would_drop_is_not_asked_about(workers: Workers, gold: str, answer: str) -> None:
    verdict = await judged(workers, gold, rf"\boxed{{{answer}}}")
    assert (verdict.outcome, "by" in verdict.evidence) == ("unsure", False)
    assert str(verdict.evidence["screened"]).strip("\\") in answer


@pytest.mark.parametrize(
    ("gold", "answer", "outcome"),
    [
        (r"\sum_{k=1}^{n} k", r"\sum_{i=1}^{n} i", "pass"),  # `i` is no imaginary unit there
        (r"\sum_{k=1}^{n} k", r"\sum_{i=1}^{n} i^2", "fail"),
        (r"\int_0^1 x^2 dx", r"\frac13", "pass"),
        (r"\sum_{k=1}^{R} k", r"\sum_{k=1}^{r} k", "unsure"),  # it reads a capital as a small letter
    ],
)
async def test_the_engine_s_word_where_it_read_all(workers: Workers, gold: str, answer: str, outcome: str) -> None:
    verdict = await judged(workers, gold, rf"\boxed{{{answer}}}")
    assert (verdict.outcome, verdict.evidence["by"]) == (outcome, "math-verify")
