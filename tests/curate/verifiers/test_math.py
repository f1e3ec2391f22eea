"""The math verifier against real workers, from asyncio."""

import asyncio
import resource
import signal

import pytest

from curate.records import Verdict
from curate.verifiers.math import Math
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
async def test_symbolically_equal(workers: Workers, gold: str, answer: str) -> None:
    verdict = await judged(workers, gold, rf"So \boxed{{{answer}}}.")
    assert (verdict.outcome, verdict.evidence["by"]) == ("pass", "math-verify")


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        (r"2\sqrt{3}", r"3\sqrt{2}"),
        ("x^2+2x+1", "x^2-2x+1"),
        ("(1,2)", "(2,1)"),
        (r"[2,5)", "(2,5)"),
        (r"\{1,2,3\}", r"\{1,2\}"),
        ("5", "5xy"),
    ],
)
async def test_symbolically_different(workers: Workers, gold: str, answer: str) -> None:
    verdict = await judged(workers, gold, rf"So \boxed{{{answer}}}.")
    assert (verdict.outcome, verdict.reason) == ("fail", "wrong_answer")


async def test_words_that_differ_are_unsure(workers: Workers) -> None:
    verdict = await judged(workers, r"\text{even}", "The answer is odd.")
    assert (verdict.outcome, verdict.reason) == ("unsure", "unparsable")


async def test_no_answer(workers: Workers) -> None:
    verdict = await judged(workers, r"\frac{1}{2}", "I give up.")
    assert (verdict.outcome, verdict.reason) == ("fail", "no_answer")


async def test_an_empty_reference_passes_nothing(workers: Workers) -> None:
    verdict = await judged(workers, " ", r"\boxed{.}")
    assert verdict.outcome == "unsure"


HOSTILE = [
    "10^{10^{10}}",
    "9^{9^{9^{9}}}",
    r"9\uparrow\uparrow 9",
    "(10^6)!",
    "100000000!",
    r"\binom{10000000}{5000000}",
    "2^{99999}-3^{99999}!",
    r"\sum_{k=1}^{1000000000}\frac{1}{k^3+k}",
    r"\frac{1}{" * 300 + "1" + "}" * 300,
    r"\sqrt{" * 45 + "2" + "}" * 45,
    "(" * 2000 + "5" + ")" * 2000,
    "5" * 1_000_000,
    "$1$" * 250_000,
    "{" * 100_000,
    "7\0",
    "__import__('os').system('true')",
    "().__class__.__mro__[1].__subclasses__()",
    r"\operatorname{exec}(1)",
    r"\input{/etc/passwd}",
    "\u202e7",
    "x^7+x+1=0=0=" + "(x+1)^{60}" * 20,
]


@pytest.mark.slow
async def test_hostile_answers_end_soon_and_never_pass(workers: Workers) -> None:
    alarm = signal.getsignal(signal.SIGALRM)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    texts = [rf"\boxed{{{text}}}" for text in HOSTILE] + [f"The answer is {text}" for text in HOSTILE[-12:]]
    verdicts = await asyncio.gather(*(judged(workers, "7", text) for text in texts))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(sum("limit" in verdict.evidence for verdict in verdicts), "went over the limit")
    wrong = {text[:60]: verdict for text, verdict in zip(texts, verdicts, strict=True) if verdict.outcome != "unsure"}
    assert {verdict.outcome for verdict in wrong.values()} <= {"fail"}, wrong
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert spent < 8 * sum("limit" in verdict.evidence for verdict in verdicts) + 10
    assert after.ru_maxrss < 2 << 20  # KiB
    assert signal.getsignal(signal.SIGALRM) is alarm
    good = await judged(workers, "7", r"\boxed{3+4}")
    assert good.outcome == "pass"


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
    verdict = await judged(Broken(error), "x", r"\boxed{y}")
    assert (verdict.outcome, verdict.reason) == (outcome, reason)


@pytest.mark.parametrize(("gold", "answer"), [("5 m", "5 cm"), (r"2\text{ km}", r"2\text{ m}")])
async def test_different_units_are_unsure(workers: Workers, gold: str, answer: str) -> None:
    verdict = await judged(workers, gold, rf"\boxed{{{answer}}}")
    assert (verdict.outcome, verdict.evidence["units"]) == ("unsure", "different")
