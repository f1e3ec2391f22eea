"""The API forms and the judge against a server that is not ours, `transformers serve` with a tiny random model.

The judge stands here because starting that server takes longer than all the tests that ask it: its garbage is never a
verdict.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from curate.calls.client import Calls
from curate.calls.completion import finish_reason, message
from curate.calls.model import Reply
from curate.ledger import Ledger
from curate.lengths import OnLength, answer
from curate.records import Answer, Attempt, Question, Reference, Unknown
from curate.resources import Resources
from curate.teachers._api import Api
from curate.teachers.completions import Completions
from curate.teachers.openai import Openai
from curate.verdicts import Verdicts
from curate.verifiers.judge import Judge
from curate.verifiers.router import Router
from tests.compat.environments import NoPackages
from tests.curate.verifiers.rows import attempt as attempt_of
from tests.tiny.serve import serving

pytestmark = pytest.mark.slow
CAP = 6
QUESTION = Question.of(problem="a reply of no meaning", domain="none", truth=Unknown(), source="s", source_id="1")


@pytest.fixture(scope="module")
def address(missing: Callable[[str], None], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    try:
        with serving(tmp_path_factory.mktemp("serve") / "log") as running:
            yield running
    except NoPackages as error:
        missing(f"packages from an index for transformers serve: {error}")


async def asked(teacher: Api, folder: Path, rule: OnLength | None = None) -> tuple[Attempt, Reply, Any]:
    async with Ledger(folder) as ledger, Calls(ledger) as calls:
        call = teacher.call(QUESTION, 0, None)  # type: ignore[arg-type]
        reply = await answer(teacher, call, rule or OnLength(), calls)
        assert reply.status == "ok", reply.error
        return teacher.parse(QUESTION, 0, call, reply), reply, calls.counters


def model(kind: type[Api], address: tuple[str, str], **fields: Any) -> Api:
    url, name = address
    return kind(**{"model": name, "base_url": url, "timeout_s": 120, "max_tokens": CAP, **fields})


@pytest.mark.parametrize("kind", [Openai, Completions])
@pytest.mark.parametrize("stream", [False, True])
async def test_a_real_answer_is_read(address: tuple[str, str], tmp_path: Path, kind: type[Api], stream: bool) -> None:
    attempt, reply, counters = await asked(model(kind, address, stream=stream), tmp_path)
    # A random model ends by itself only by chance: it is cut, and nothing of it counts as an answer.
    assert finish_reason(reply.raw) == "length"
    assert (reply.truncated, attempt.finish_reason) == (True, "length")
    assert attempt.usage["output"] == CAP
    assert attempt.usage["input"] > 0
    assert reply.model
    assert message(reply.raw)["content"]
    assert counters.output_tokens == CAP
    again, _, counters = await asked(model(kind, address, stream=not stream), tmp_path)
    assert (again, counters.sent) == (attempt, 0)  # the same request, however it is sent


async def test_the_whole_and_its_pieces_are_the_same(address: tuple[str, str], tmp_path: Path) -> None:
    whole, _, _ = await asked(model(Openai, address), tmp_path / "a")
    pieces, _, _ = await asked(model(Openai, address, stream=True), tmp_path / "b")
    assert (pieces.solution, pieces.usage) == (whole.solution, whole.usage)


async def test_a_cut_answer_goes_on_where_it_was(address: tuple[str, str], tmp_path: Path) -> None:
    teacher = model(Completions, address, temperature=0.0)
    short, _, _ = await asked(teacher, tmp_path)
    longer, _, counters = await asked(teacher, tmp_path, OnLength(action="continue", times=2))
    assert longer.solution.startswith(short.solution)
    assert len(longer.solution) > len(short.solution)
    assert longer.usage["output"] == 3 * CAP
    assert counters.sent == 2


async def test_a_parameter_that_it_does_not_know_fails_that_request(address: tuple[str, str], tmp_path: Path) -> None:
    teacher = model(Openai, address, extra_body={"no_such_parameter": 1})
    async with Ledger(tmp_path) as ledger, Calls(ledger) as calls:
        reply = await calls.ask(teacher.call(QUESTION, 0, None))  # type: ignore[arg-type]
        assert reply.status == "failed"
        assert calls.counters.sent == 1


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
                verdict = (await router.verify(question, attempt_of(text), resources, {})).verdict
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
        verdict = await judge.verify(question, attempt_of("\\boxed{5}"), resources)
        assert verdict.outcome == "unsure"
        assert len(verdict.evidence["votes"]) == 3
        assert time.monotonic() - start < 120
