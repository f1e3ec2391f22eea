"""The math verifier against real workers, from asyncio."""

import asyncio

import pytest

from curate.records import Verdict
from curate.verifiers.math import Math, compare
from curate.verifiers.scoring import close
from sandbox.model import SandboxError
from sandbox.workers import JobCrashed, JobTimeout, Workers
from tests.curate.verifiers.rows import attempt, question, resources

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def judged(workers: object, gold: str, solution: str) -> Verdict:
    return await Math().verify(question(gold), attempt(solution), resources(workers=workers))


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        (r"\frac{\sqrt{2}}{2}", r"\sqrt{\frac{1}{2}}"),
        ("x^2+2x+1", "(x+1)^2"),
        ("1,2", r"x=1\text{ or }x=2"),
        (r"\frac{\pi}{4}", "π/4"),
        ("7", "x=7"),
        ("2^{1000}", "4^{500}"),
        ("(1,2)", "(1.0, 2.0)"),
    ],
)
async def test_equal_without_a_worker(gold: str, answer: str) -> None:
    verdict = await judged(None, gold, rf"So \boxed{{{answer}}}.")
    assert (verdict.outcome, verdict.evidence["by"]) == ("pass", "value")


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        (r"2\sqrt{3}", r"3\sqrt{2}"),
        ("x^2+2x+1", "x^2-2x+1"),
        ("(1,2)", "(2,1)"),
        (r"[2,5)", "(2,5)"),
        (r"\{1,2,3\}", r"\{1,2\}"),
        ("5", "5xy"),
        (r"2\text{ km}", r"2\text{ m}"),
        (r"\text{even}", "odd"),
    ],
)
async def test_different_without_a_worker(gold: str, answer: str) -> None:
    verdict = await judged(None, gold, rf"So \boxed{{{answer}}}.")
    assert (verdict.outcome, verdict.reason) == ("fail", "wrong_answer")


@pytest.mark.parametrize(
    ("gold", "answer", "outcome"),
    [
        ("6", r"\sum_{k=1}^{3} k", "pass"),
        ("5", r"\sum_{k=1}^{3} k", "fail"),
        (r"\frac{x^3}{3}", r"\int x^2 dx", "pass"),
        ("1", r"\lim_{x\to 0}\frac{\sin x}{x}", "pass"),
        ("3", r"5 {} 3", "unsure"),  # it reads no more than one of them
    ],
)
async def test_what_only_an_algebra_system_reads(workers: Workers, gold: str, answer: str, outcome: str) -> None:
    verdict = await judged(workers, gold, rf"So \boxed{{{answer}}}.")
    assert (verdict.outcome, verdict.evidence["by"]) == (outcome, "math-verify")


async def test_words_that_differ_are_unsure() -> None:
    verdict = await judged(None, r"\text{Evelyn}", "The answer is Maria.")
    assert (verdict.outcome, verdict.reason) == ("unsure", "unparsable")


@pytest.mark.parametrize(
    ("boxes", "gold", "text", "outcome"),
    [
        ("agree", "1,2", r"The roots are $\boxed{1}$ and $\boxed{2}$.", "unsure"),
        ("agree", "2", r"So $\boxed{1}$ or $\boxed{2}$.", "unsure"),
        ("agree", "3", r"So $\boxed{1}$, $\boxed{2}$.", "fail"),
        ("agree", "2", r"So $\boxed{2}$, $\boxed{2}$.", "pass"),
        ("phrase", "1,2", r"The roots are $\boxed{1}$ and $\boxed{2}$.", "pass"),
        ("phrase", "2", r"So $\boxed{1}$ or $\boxed{2}$.", "fail"),
        ("last", "2", r"So $\boxed{1}$ or $\boxed{2}$.", "pass"),
        ("agree", "2", r"First $\boxed{1}$ was tried. Then $\boxed{2}$.", "pass"),
        ("agree", r"\frac{639}{40}", r"$d = \boxed{15\frac{39}{40}},$ or $\boxed{\frac{639}{40}}$ inches.", "pass"),
        ("agree", r"\frac{639}{40}", r"$d = \boxed{15\frac{3}{40}},$ or $\boxed{\frac{639}{40}}$ inches.", "unsure"),
        ("agree", r"42\%", r"It is \boxed{42\%}, or \boxed{42}.", "pass"),
        ("agree", r"42\%", r"It is \boxed{42} or \boxed{0.42}.", "unsure"),  # each may be it, both are a hedge
        ("agree", "1", r"So \boxed{x=1}, \boxed{y=1}.", "unsure"),
        ("agree", "1,2,1", r"They are \boxed{1}, \boxed{2} and \boxed{1}.", "unsure"),
        ("agree", "1,2", r"They are \boxed{1}, \boxed{2} and \boxed{1}.", "unsure"),
        ("agree", "99", ", ".join(rf"\boxed{{{n}}}" for n in range(100)), "unsure"),  # more than are read
        ("phrase", "99", ", ".join(rf"\boxed{{{n}}}" for n in range(100)), "unsure"),
        ("last", "99", ", ".join(rf"\boxed{{{n}}}" for n in range(100)), "pass"),
    ],
)
async def test_several_boxes(boxes: str, gold: str, text: str, outcome: str) -> None:
    verdict = await Math.model_validate({"boxes": boxes}).verify(question(gold), attempt(text), resources())
    assert verdict.outcome == outcome


@pytest.mark.parametrize(
    ("gold", "text", "outcome"),
    [
        ("9", r"and so $9^{34} \equiv 9^{", "unsure"),  # cut short, on the very number
        ("8", r"and so $9^{34} \equiv 9^{", "fail"),
        ("B", "Clearly the second one. The answer must be (B)", "pass"),
        ("B", "I choose option C.", "fail"),
    ],
)
async def test_texts_without_a_box(gold: str, text: str, outcome: str) -> None:
    verdict = await judged(None, gold, text)
    assert verdict.outcome == outcome


async def test_from_any_thread() -> None:
    assert (await asyncio.to_thread(compare, "6", r"\boxed{\sum_{k=1}^{3} k}")).outcome == "pass"
    assert (await asyncio.to_thread(compare, "42", "It is 43.")).outcome == "fail"
    assert (await asyncio.to_thread(compare, r"42\%", "0.42", Math(percent="number"))).outcome == "fail"
    close()


async def test_no_answer(workers: Workers) -> None:
    verdict = await judged(workers, r"\frac{1}{2}", "I give up.")
    assert (verdict.outcome, verdict.reason) == ("fail", "no_answer")


async def test_an_empty_reference_passes_nothing(workers: Workers) -> None:
    verdict = await judged(workers, " ", r"\boxed{.}")
    assert verdict.outcome == "unsure"


class Broken:
    """A pool whose jobs end in a given way."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def run(self, job: bytes, *, cpu_s: float, wall_s: float) -> bytes:
        raise self.error


@pytest.mark.parametrize(
    ("error", "outcome", "reason"),
    [
        (JobTimeout("cpu"), "unsure", "time_limit"),
        (JobTimeout("wall"), "error", "infrastructure"),
        (JobCrashed("SIGSEGV"), "unsure", "unparsable"),
        (SandboxError("no worker can start"), "error", "infrastructure"),
    ],
)
async def test_what_becomes_of_a_worker_in_trouble(error: Exception, outcome: str, reason: str) -> None:
    verdict = await judged(Broken(error), "6", r"\boxed{\sum_{k=1}^3 k}")
    assert (verdict.outcome, verdict.reason) == (outcome, reason)
