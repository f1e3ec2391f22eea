"""The judge against a real server, `transformers serve` with a tiny random model: its garbage is never a verdict."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from curate.calls.client import Calls
from curate.ledger import Ledger
from curate.records import Answer, Question, Reference
from curate.resources import Resources
from curate.teachers.openai import Openai
from curate.verdicts import Verdicts
from curate.verifiers.judge import Judge
from curate.verifiers.router import Router
from tests.compat.environments import NoPackages
from tests.curate.verifiers.rows import attempt
from tests.tiny.serve import serving

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def address(missing: Callable[[str], None], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    try:
        with serving(tmp_path_factory.mktemp("serve") / "log") as running:
            yield running
    except NoPackages as error:
        missing(f"packages from an index for transformers serve: {error}")


async def test_garbage_ends_unsure_and_is_paid_once(address: tuple[str, str], tmp_path: Path) -> None:
    url, name = address
    model = Openai(model=name, base_url=url, concurrency=2, timeout_s=120, max_tokens=12)
    judge = Judge(model=model)
    sums = Question.of(problem="2 + 2?", domain="math", truth=Answer(text="4"), source="s", source_id="1")
    free = Question.of(problem="Why?", domain="other", truth=Reference(text="Gravity"), source="s", source_id="2")
    rows = [(sums, "\\boxed{four}"), (free, "It falls.")]
    router = Router(chains={"math": [judge], "other": [judge]})
    async with Ledger(tmp_path / "ledger") as ledger, Calls(ledger) as calls:
        resources = Resources(ledger, calls, Verdicts(ledger))
        for _ in range(2):
            for question, text in rows:
                verdict = (await router.verify(question, attempt(text), resources, {})).verdict
                assert verdict.outcome == "unsure", verdict
                assert verdict.reason in ("truncated", "unparsable"), verdict
        counts = calls.of("judge")
        assert counts.answered == 2
        assert counts.reused == 2
        assert counts.output_tokens > 0


async def test_no_number_of_votes_makes_garbage_a_verdict(address: tuple[str, str], tmp_path: Path) -> None:
    url, name = address
    start = time.monotonic()
    async with Ledger(tmp_path / "ledger") as ledger, Calls(ledger) as calls:
        resources = Resources(ledger, calls, Verdicts(ledger))
        model = Openai(model=name, base_url=url, timeout_s=120, max_tokens=8)
        judge = Judge(model=model, votes=3, reply_form="text")
        question = Question.of(problem="?", domain="math", truth=Answer(text="4"), source="s", source_id="1")
        verdict = await judge.verify(question, attempt("\\boxed{5}"), resources)
        assert verdict.outcome == "unsure"
        assert len(verdict.evidence["votes"]) == 3
        assert time.monotonic() - start < 120
