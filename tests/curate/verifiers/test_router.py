"""Chains, their verdicts, keys, and the pure twin that publishing uses."""

from typing import Any, ClassVar, Literal

import pytest

from curate.errors import Stopped
from curate.kinds import Verifier
from curate.records import Answer, Attempt, Choice, Question, Reference, Tests, Truth, Unknown, Verdict
from curate.verifiers.code import Code
from curate.verifiers.math import Math
from curate.verifiers.router import Judgement, Missing, Router, verdict_key
from curate.verifiers.verdict import verdict_of
from tests.curate.verifiers.rows import attempt, question, resources


class Says(Verifier):
    """Says one outcome, and counts how often it was asked."""

    takes: ClassVar[tuple[type[Truth], ...]] = (Answer,)
    asked: ClassVar[list[str]] = []
    outcome: Literal["pass", "fail", "unsure", "error"] = "pass"
    name: str = "says"

    async def verify(self, question: Question, attempt: Attempt, resources: Any) -> Verdict:
        self.asked.append(self.name)
        return verdict_of(self, self.outcome, "disagreement", {"name": self.name})


class Breaks(Says):
    """Raises."""

    error: str = "plain"

    async def verify(self, question: Question, attempt: Attempt, resources: Any) -> Verdict:
        if self.error == "stopped":
            raise Stopped("the budget is spent")
        raise ValueError("third-party trouble")


def chained(*verifiers: Verifier) -> Router:
    return Router(chains={"math": list(verifiers)})


async def judged(router: Router, known: dict[str, Verdict] | None = None, **changes: Any) -> Judgement:
    Says.asked.clear()
    return await router.verify(question("1", **changes), attempt("1"), resources(), known or {})


@pytest.mark.parametrize(
    ("outcomes", "final", "asked"),
    [
        (["pass", "fail"], "pass", 1),
        (["fail", "pass"], "fail", 1),
        (["unsure", "pass"], "pass", 2),
        (["error", "fail"], "fail", 2),
        (["unsure", "unsure"], "unsure", 2),
        (["error", "unsure"], "error", 2),
        (["unsure", "error"], "error", 2),
    ],
)
async def test_the_first_decision_wins(outcomes: list[Any], final: str, asked: int) -> None:
    router = chained(*(Says(outcome=outcome, name=str(i)) for i, outcome in enumerate(outcomes)))
    judgement = await judged(router)
    assert judgement.verdict.outcome == final
    assert len(Says.asked) == len(judgement.steps) == asked
    assert all(step.fresh and step.key for step in judgement.steps)
    assert len({step.key for step in judgement.steps}) == asked


async def test_known_verdicts_are_not_asked_for_again_but_errors_are() -> None:
    first, second = Says(outcome="unsure", name="a"), Says(outcome="pass", name="b")
    row, answer = question("1"), attempt("1")
    known = {verdict_key(first, row, answer): verdict_of(first, "unsure", "unparsable", {})}
    judgement = await judged(chained(first, second), known)
    assert Says.asked == ["b"]
    assert [step.fresh for step in judgement.steps] == [False, True]
    known[verdict_key(second, row, answer)] = verdict_of(second, "error", "infrastructure", {})
    assert (await judged(chained(first, second), known)).verdict.outcome == "pass"
    assert Says.asked == ["b"]


async def test_judge_says_the_same_from_stored_verdicts_and_names_what_is_missing() -> None:
    router = chained(Says(outcome="error", name="a"), Says(outcome="unsure", name="b"))
    judgement = await judged(router)
    row, answer = question("1"), attempt("1")
    stored: dict[str, Verdict] = {}
    for step in judgement.steps:
        assert router.judge(row, answer, stored.get) == Missing(step.key or "", "test_router")
        stored[step.key or ""] = step.verdict
    again = router.judge(row, answer, stored.get)
    assert isinstance(again, Judgement)
    assert again.verdict == judgement.verdict
    assert not any(step.fresh for step in again.steps)


@pytest.mark.parametrize(
    ("finish", "outcome", "reason"),
    [
        ("failed", "error", "infrastructure"),
        ("length", "fail", "truncated"),
        ("refused", "fail", "refused"),
        ("empty", "fail", "no_answer"),
        ("malformed", "unsure", "unparsable"),
    ],
)
async def test_unfinished_attempts_meet_no_verifier(finish: str, outcome: str, reason: str) -> None:
    router, row, answer = chained(Says()), question("1"), attempt("1", finish_reason=finish)
    Says.asked.clear()
    judgement = await router.verify(row, answer, resources(), {})
    assert (judgement.verdict.outcome, judgement.verdict.reason, Says.asked) == (outcome, reason, [])
    assert [step.key for step in judgement.steps] == [None]
    assert router.judge(row, answer, {}.get) == judgement


@pytest.mark.parametrize("truth", [Unknown(), Reference(text="because")])
async def test_no_verifier_is_never_a_pass(truth: Truth) -> None:
    for domain in ("math", "astrology"):
        judgement = await Router().verify(question(truth, domain=domain), attempt("1"), resources(), {})
        assert (judgement.verdict.outcome, judgement.verdict.reason) == ("unsure", "no_verifier")


async def test_an_empty_chain_is_no_verifier_also_for_the_parts_of_science() -> None:
    router = Router(chains={"science": []})
    for domain in ("science", "physics", "chemistry", "biology"):
        judgement = await router.verify(question("1", domain=domain), attempt("1"), resources(), {})
        assert judgement.verdict.reason == "no_verifier"
    assert Router(chains={"physics": [], "science": [Says()]}).chain("physics", "answer") == []


async def test_a_verifier_that_cannot_take_the_truth() -> None:
    row = question(Choice(letter="A"))
    judgement = await chained(Says()).verify(row, attempt("1"), resources(), {})
    assert (judgement.verdict.outcome, judgement.verdict.reason) == ("unsure", "not_applicable")
    assert judgement.steps[0].key is None


async def test_an_exception_is_our_trouble_but_a_stop_is_a_stop() -> None:
    judgement = await judged(chained(Breaks()))
    assert (judgement.verdict.outcome, judgement.verdict.reason) == ("error", "infrastructure")
    assert judgement.verdict.evidence == {"message": "ValueError: third-party trouble"}
    with pytest.raises(Stopped):
        await judged(chained(Breaks(error="stopped")))


def test_defaults_follow_the_truth_and_a_recipe_reads_as_yaml() -> None:
    assert Router().chain("anything", "answer") == [Math()]
    assert Router().chain("anything", "tests") == [Code()]
    router = Router.model_validate({"chains": {"code": ["tests"], "math": [{"kind": "math"}]}})
    assert router.chain("code", "tests") == [Code()]
    assert Router.model_validate(router.model_dump()) == router


def test_what_must_be_open() -> None:
    router = Router(chains={"science": []})
    assert router.needs([("math", "answer")]) == {"workers"}
    assert router.needs([("code", "tests"), ("puzzle", "scored")]) == {"sandbox", "workers"}
    assert router.needs([("physics", "answer"), ("puzzle", "choice"), ("x", "unknown")]) == frozenset()


def test_keys_hold_what_decides_and_nothing_else() -> None:
    row, answer = question("1"), attempt("1")
    key = verdict_key(Math(), row, answer)
    other = answer.model_copy(update={"id": "b", "teacher": "c", "sample": 3, "request_key": "z"})
    assert verdict_key(Math(), row.model_copy(update={"seq": 9, "source": "x", "id": "y"}), other) == key
    assert verdict_key(Math(), question("2"), answer) != key
    assert verdict_key(Math(), row, attempt("2")) != key
    assert verdict_key(Says(), row, answer) != key
    assert verdict_key(Math(), question("1", starter_code="x"), answer) == key

    code = question(Tests(cases="{}"), domain="code")
    key = verdict_key(Code(), code, answer)
    assert verdict_key(Code(cpu_s=1), code, answer) != key
    assert verdict_key(Code(), code.model_copy(update={"starter_code": "x"}), answer) != key
    assert verdict_key(Code(), code.model_copy(update={"meta": {"func_name": "f"}}), answer) != key
    assert verdict_key(Code(), code.model_copy(update={"meta": {"difficulty": "f"}}), answer) == key


def test_packages_belong_to_the_verdicts_of_programs_alone() -> None:
    code = question(Tests(cases="{}"), domain="code")
    plain, more = Router(), Router().with_packages(("bitarray", "addict"))
    keys = [verdict_key(router.chain("code", "tests")[0], code, attempt("x")) for router in (plain, more)]
    assert keys[0] != keys[1]
    again = Router().with_packages(("addict", "bitarray")).chain("code", "tests")[0]
    assert verdict_key(again, code, attempt("x")) == keys[1]
    assert more.chain("math", "answer") == plain.chain("math", "answer")


def test_golden_key() -> None:
    """A changed key verifies everything again: change it only with a new version of the verifier."""
    math = Math()
    assert math.spec() == {"kind": "math", "version": 7, "options": {}}
    if math.verifier_version() == "7+math-verify-0.9.0":
        assert verdict_key(math, question("18"), attempt("A: 18")) == "bd0df37aecc00ca63d46dc1c3658d7d5"
