"""The API forms against a server that is not ours, `transformers serve` with a tiny random model."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from curate.calls.client import Calls
from curate.calls.completion import finish_reason, message
from curate.calls.model import Reply
from curate.ledger import Ledger
from curate.lengths import OnLength, answer
from curate.records import Attempt, Question, Unknown
from curate.teachers._api import Api
from curate.teachers.completions import Completions
from curate.teachers.openai import Openai
from tests.compat.environments import NoPackages
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
