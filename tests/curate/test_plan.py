"""What `plan` says holds: requests to the one, money within its range, a probe paid for once."""

import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from curate import survey, turns
from curate.calls.prices import Price
from curate.engine.local import Local
from curate.flow import Flow, Options
from curate.order import Course
from curate.plan import Plan, plan
from curate.progress import Progress
from curate.projection import Range
from curate.report import Report
from curate.run import Run
from recipes.cli.plan import _ends
from recipes.schema import Recipe
from tests.loopback import loopback

ROWS = 240
PRICE = {"input": 1.0, "output": 4.0}


class Model:
    """Answers sums, wrongly at times, with skewed lengths; it counts what it bills."""

    def __init__(self, right: float = 1.0) -> None:
        self.right = right
        self.url = ""
        self.requests = 0
        self.usd = 0.0

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.json()
        text = body["messages"][-1]["content"]
        self.requests += 1
        drawn = random.Random(text + str(self.requests if self.right < 1 else ""))
        number = int(text.split()[2])
        said = number + 1 if drawn.random() < self.right else 0
        tokens = {"prompt_tokens": 20 + number % 7, "completion_tokens": min(16_000, int(drawn.lognormvariate(7.5, 1)))}
        self.usd += (tokens["prompt_tokens"] * PRICE["input"] + tokens["completion_tokens"] * PRICE["output"]) / 1e6
        message = {"role": "assistant", "content": f"It is \\boxed{{{said}}}."}
        return web.json_response(
            {"model": "m-1", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": tokens}
        )


@asynccontextmanager
async def serving(model: Model) -> AsyncIterator[Model]:
    async with loopback(web.post("/v1/chat/completions", model.answer)) as model.url:
        yield model


def recipe(folder: Path, url: str, *, rows: int = ROWS, **annotate: Any) -> Recipe:
    path = folder / "questions.jsonl"
    lines = [{"problem": f"What is {n} + 1?", "answer": str(n + 1)} for n in range(rows)]
    path.write_text("".join(json.dumps(line) + "\n" for line in [*lines, lines[0]]))  # one stands twice
    teacher = {"kind": "openai", "model": "m", "base_url": url, "price": PRICE, "max_tokens": 16_000}
    return Recipe.model_validate(
        {
            "name": "planned",
            "sources": [{"kind": "jsonl", "path": str(path), "domain": "math", "columns": {"answer": "answer"}}],
            "annotate": {"teacher": teacher, **annotate},
            "select": ["all"],
        }
    )


async def run(flow: Flow, root: Path) -> Report:
    folder = Run(root, flow.name)
    progress = Progress(quiet=True)
    with folder.writing():
        return await Course(folder, flow, Options(root=root, quiet=True), Local(progress), progress).follow()


async def planned(flow: Recipe, root: Path, probe: int | None = None) -> Plan:
    return await plan(flow, Options(root=root, quiet=True, lock_text=flow.lock_text()), probe)


async def test_from_the_recipe_alone(tmp_path: Path) -> None:
    root = tmp_path / "root"
    found = await planned(recipe(tmp_path, "http://127.0.0.1:9/v1", samples=3), root)
    assert (found.rows, found.questions, found.answered, found.paid_usd) == (ROWS + 1, ROWS + 1, 0, 0)
    assert found.requests.low == found.requests.high == ROWS * 3
    assert found.output_tokens.high == ROWS * 3 * 16_000  # the cap is the worst case
    assert found.cost_usd is not None
    assert found.cost_usd.low < found.cost_usd.expected < found.cost_usd.high
    assert found.cost_usd.high >= found.output_tokens.high * PRICE["output"] / 1e6
    assert any("--probe" in note for note in found.notes)
    assert not root.exists()  # it only reads


async def test_answers_that_nothing_verifies_are_told_before_they_are_paid(tmp_path: Path) -> None:
    (tmp_path / "bare.jsonl").write_text('{"problem": "a?"}\n{"problem": "b?"}\n')
    known = recipe(tmp_path, "http://127.0.0.1:9/v1").model_dump(mode="json", exclude_unset=True)
    bare = {"kind": "jsonl", "path": str(tmp_path / "bare.jsonl"), "domain": "math"}
    for select, told in ((["verified"], True), ([{"kind": "verified", "also": ["math"]}], False), (["all"], False)):
        flow = Recipe.model_validate(known | {"select": select, "sources": [*known["sources"], bare]})
        notes = " ".join((await planned(flow, tmp_path / "root")).notes)
        assert (f"nothing verifies the answers to 2 of {ROWS + 3} questions" in notes) == told


async def test_a_probe_is_paid_once_and_bounds_the_bill(tmp_path: Path) -> None:
    async with serving(Model()) as model:
        flow, root = recipe(tmp_path, model.url), tmp_path / "root"
        found = await planned(flow, root, probe=40)
        assert model.requests == found.answered == found.probed == 40
        assert found.paid_usd == pytest.approx(model.usd)
        assert found.requests.expected == ROWS - 40
        again = await planned(flow, root, probe=40)  # the same questions: nothing is asked
        assert model.requests == 40
        assert again.cost_usd == found.cost_usd
        before = model.usd
        report = await run(flow, root)
        assert model.requests == ROWS
        assert report.this_run["answers_new"] == ROWS - 40
        assert found.cost_usd is not None
        assert found.cost_usd.low <= model.usd - before <= found.cost_usd.high
        done = await planned(flow, root)
        assert done.requests.high == 0
        assert done.paid_usd == pytest.approx(model.usd)


async def test_a_probe_of_many_samples_asks_no_more_than_it_says(tmp_path: Path) -> None:
    async with serving(Model()) as model:
        few, root = recipe(tmp_path, model.url, rows=5, samples=1000), tmp_path / "few"
        found = await planned(few, root, probe=50)  # of six rows, two of them the same: nine samples each
        assert found.probed == 6
        assert model.requests == found.answered == 5 * 9
        assert found.requests.expected == 5 * 1000 - 45
        many, sent = recipe(tmp_path, model.url, samples=4), model.requests
        assert (await planned(many, tmp_path / "many", probe=40)).probed == 40
        assert model.requests - sent == 40


async def test_rounds_are_projected_from_what_the_probe_verified(tmp_path: Path) -> None:
    async with serving(Model(right=0.4)) as model:
        flow, root = recipe(tmp_path, model.url, until_verified={"max_samples": 5}), tmp_path / "root"
        guessed = await planned(flow, root)
        assert (guessed.requests.low, guessed.requests.high) == (ROWS, ROWS * 5)
        found = await planned(flow, root, probe=60)
        sent, before = model.requests, model.usd
        await run(flow, root)
        assert found.requests.low <= model.requests - sent <= found.requests.high
        assert found.requests.high - found.requests.low < guessed.requests.high - guessed.requests.low
        assert found.cost_usd is not None
        assert found.cost_usd.low <= model.usd - before <= found.cost_usd.high


async def test_rounds_of_teachers_for_some_domains_begin_with_their_own_first_turn(tmp_path: Path) -> None:
    flow = recipe(tmp_path, "http://127.0.0.1:9/v1", until_verified={"max_samples": 4})
    one = flow.annotate.teacher[0]
    others = tuple(one.model_copy(update={"domains": (name,)}) for name in ("code", "math"))
    alone = await planned(flow, tmp_path / "root")
    both = flow.model_copy(update={"annotate": flow.annotate.model_copy(update={"teacher": others})})
    found = await planned(both, tmp_path / "root")
    assert found.requests == alone.requests and found.requests.low == ROWS
    none = flow.model_copy(update={"annotate": flow.annotate.model_copy(update={"teacher": others[:1]})})
    found = await planned(none, tmp_path / "root")
    assert found.requests.high == 0
    assert f"{ROWS + 1} questions have a domain that no teacher is for" in found.notes[0]


async def test_own_hardware_and_unknown_prices(tmp_path: Path) -> None:
    flow = recipe(tmp_path, "http://127.0.0.1:9/v1")
    teacher = flow.annotate.teacher[0]

    def priced(price: Price | None) -> Recipe:
        annotate = flow.annotate.model_copy(update={"teacher": (teacher.model_copy(update={"price": price}),)})
        return flow.model_copy(update={"annotate": annotate})

    own = await planned(priced(Price(gpu_hour=2.0, gpus=8)), tmp_path / "root")
    assert own.gpu_hours is not None
    assert own.cost_usd is not None
    assert own.gpu_hours.expected == pytest.approx(own.hours.expected * 8)
    assert own.cost_usd.expected == pytest.approx(own.gpu_hours.expected * 2)
    unknown = await planned(priced(None), tmp_path / "root")
    assert unknown.cost_usd is None
    assert any("price" in note for note in unknown.notes)


async def test_the_budget_is_held_against_the_projection(tmp_path: Path) -> None:
    flow = recipe(tmp_path, "http://127.0.0.1:9/v1")
    flow = flow.model_copy(update={"budget": flow.budget.model_copy(update={"max_cost_usd": 0.5})})
    found = await planned(flow, tmp_path / "root")
    assert any("$0.5" in note for note in found.notes)


def test_small_amounts_are_shown_without_an_exponent() -> None:
    shown = _ends(Range(low=0.0, expected=0.00002, high=0.0123), "hours")
    assert shown == ("0", "< 0.001", "0.0123")
    assert _ends(Range(low=999.4, expected=1234.5, high=1e9), "hours") == ("999", "1,234", "1,000,000,000")


async def test_of_very_many_samples_some_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers to the first samples are found to the last one, though few parts are looked at."""
    looked: list[int] = []
    look = survey.Survey._look

    def counted(self: Any, questions: Any, part: Any) -> Any:
        looked.append(part.start)
        return look(self, questions, part)

    monkeypatch.setattr(survey.Survey, "_look", counted)
    async with serving(Model()) as model:
        await run(recipe(tmp_path, model.url, rows=1, samples=41), tmp_path / "root")
        sent, paid = model.requests, model.usd
        monkeypatch.setattr(turns, "PART", 4)
        monkeypatch.setattr(survey, "PART", 4)
        more = recipe(tmp_path, model.url, rows=1, samples=4_000)
        found = await planned(more, tmp_path / "root")
    assert sent == 41 and 8 < len(looked) < 50
    assert found.answered == 41
    assert found.paid_usd == pytest.approx(paid, rel=0.3)
    assert found.requests.expected == 4_000 - 41
    assert any("an estimate" in note for note in found.notes)
