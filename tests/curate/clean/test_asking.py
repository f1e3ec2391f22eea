"""Gates that ask a model: scores and bands, the budget, what a kill costs, and trouble of ours."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from curate.calls.payments import spent_by
from curate.clean._asked import all_of
from curate.engine.local import execute
from curate.errors import Failed, RecipeError, Stopped
from curate.flow import Options
from curate.kinds import Unexamined
from curate.labels import scores
from curate.ledger import Ledger
from curate.plan import plan
from curate.prompts.rating import load, read_rating
from curate.report import Report
from curate.run import Run
from recipes.schema import Recipe
from tests.curate.calls.till import open_till
from tests.curate.clean.model import SmallModel

VERISTILL = str(Path(sys.executable).with_name("veristill"))
ROWS = 12


@pytest.fixture
async def model() -> AsyncIterator[SmallModel]:
    small = SmallModel()
    async with open_till(small):  # type: ignore[arg-type,type-var]
        yield small


def made(folder: Path, clean: list[dict[str, Any]], **fields: Any) -> dict[str, Any]:
    rows = [{"id": f"q{n}", "problem": f"What is {n} + 1?", "answer": str(n + 1)} for n in range(ROWS)]
    path = folder / "q.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    source = {"kind": "jsonl", "path": str(path), "domain": "math", "columns": {"id": "id", "answer": "answer"}}
    return {"name": "r", "sources": [source], "clean": clean, "annotate": {"teacher": "fake"}, **fields}


def small(model: SmallModel, **fields: Any) -> dict[str, Any]:
    price = {"input": 1.0, "output": 10.0}
    return {"kind": "openai", "model": "small", "base_url": model.url, "seed": 7, "price": price, **fields}


def rate(model: SmallModel, **fields: Any) -> dict[str, Any]:
    return {"kind": "pass_rate", "teacher": small(model), "samples": 5, "max_tokens": 40, **fields}


async def run(folder: Path, recipe: dict[str, Any], until: str = "clean") -> Report:
    options = Options.model_validate({"root": folder, "until": until, "quiet": True})
    return await asyncio.to_thread(execute, Recipe.model_validate(recipe), options)


def labels(folder: Path, name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(folder / "runs" / "r" / "labels" / f"{name}.parquet").to_pylist()
    return [{**row, "evidence": json.loads(row["evidence"]), "scores": dict(row["scores"] or ())} for row in rows]


def paid(folder: Path) -> float:
    ledger = Ledger(folder / "ledger", read_only=True)
    try:
        return spent_by(ledger, "r").usd
    finally:
        ledger.close()


async def test_a_budget_stops_it_and_nothing_is_paid_twice(tmp_path: Path, model: SmallModel) -> None:
    clean = [rate(model, keep={"min": 0.2, "max": 0.8})]
    with pytest.raises(Stopped, match="the budget of"):
        await run(tmp_path, made(tmp_path, clean, budget={"max_cost_usd": 0.004}))
    begun = sum(model.asked.values())
    assert 0 < begun < 5 * ROWS and paid(tmp_path) == pytest.approx(model.usd) and model.usd <= 0.004
    assert json.loads((tmp_path / "runs/r/report.json").read_text())["money"]["spent_usd"] == pytest.approx(model.usd)
    done = await run(tmp_path, made(tmp_path, clean, budget={"max_cost_usd": 1.0}))
    assert set(model.asked.values()) == {1} and len(model.asked) == 5 * ROWS  # each sample of each question once
    assert paid(tmp_path) == pytest.approx(model.usd)
    assert done.money["cleaning_usd"] == pytest.approx(model.usd) == done.money["paid_usd"]
    assert done.this_run["difficulty_replies_new"] == 5 * ROWS - begun
    rows = labels(tmp_path, "0-pass_rate")
    for row in rows:
        right = row["evidence"]["pass"]
        assert row["evidence"]["asked"] == 5 and row["scores"] == {"model_pass_rate": right / 5}
        assert row["kept"] == (1 <= right <= 4) and row["reason"] in (None, "too_hard", "too_easy")
    assert {"too_hard", "too_easy"} == set(done.clean[0].reasons) and done.clean[0].kept
    # Another band, and a whole run with the answers that are there: nothing is asked again.
    report = await run(tmp_path, made(tmp_path, [rate(model, keep={"max": 0})]), until="solve")
    assert report.clean[0].kept == sum(row["evidence"]["pass"] == 0 for row in rows)
    assert sum(model.asked.values()) == 5 * ROWS and report.money["cleaning_usd"] == pytest.approx(model.usd)
    # The same model as the teacher: its answers are there, and are counted as answers alone.
    same = {"annotate": {"teacher": small(model), "samples": 2}}
    report = await run(tmp_path, made(tmp_path, [rate(model, keep={"max": 0})], **same), until="solve")
    assert sum(model.asked.values()) == 5 * ROWS and report.this_run["answers_reused"] == 2 * report.clean[0].kept > 0
    assert report.money["answers_usd"] > 0 and report.money["paid_usd"] == pytest.approx(model.usd)


async def test_a_plan_counts_once_what_gate_and_teacher_share(tmp_path: Path, model: SmallModel) -> None:
    async def planned(teacher: dict[str, Any], **fields: Any) -> list[float]:
        annotate = {"annotate": {"teacher": teacher, "samples": 7, **fields}}
        recipe = Recipe.model_validate(made(tmp_path, [rate(model), rate(model, score="again", samples=2)], **annotate))
        found = await plan(recipe, Options(root=tmp_path, quiet=True))
        return [one.requests.expected for one in found.teachers]

    assert await planned(small(model)) == [5 * ROWS, 0, 2 * ROWS]  # samples 0 to 4 are the gate's
    assert await planned(small(model, revision="b")) == [5 * ROWS, 0, 7 * ROWS]
    await run(tmp_path, made(tmp_path, [rate(model)]))
    assert await planned(small(model)) == [0, 2 * ROWS]
    assert not [text for text, times in model.asked.items() if times > 1]


async def test_the_judges_of_a_gate_are_paid_for_by_cleaning(tmp_path: Path, model: SmallModel) -> None:
    judged = {"verify": {"math": ["judge"]}, "judge": small(model, revision="judge", seed=9)}
    gate = rate(model, samples=1)
    report = await run(tmp_path, made(tmp_path, [gate], **judged))
    assert sum(model.asked.values()) == 2 * ROWS
    assert report.money["cleaning_usd"] == pytest.approx(model.usd) == report.money["paid_usd"]
    # The teacher is the same model: its answers and their verdicts are there, and are counted once.
    same = {"annotate": {"teacher": small(model), "samples": 1}}
    report = await run(tmp_path, made(tmp_path, [gate], **same, **judged), until="solve")
    assert sum(model.asked.values()) == 2 * ROWS
    assert report.money["paid_usd"] == pytest.approx(model.usd) and report.money["judging_usd"] > 0


async def test_trouble_leaves_a_question_unexamined_until_it_is_over(tmp_path: Path, model: SmallModel) -> None:
    recipe = made(tmp_path, [rate(model, keep={"min": 0.5})])
    model.sick = {3, 4}
    report = await run(tmp_path, recipe)
    assert report.clean[0].unexamined == 2
    rows = labels(tmp_path, "0-pass_rate")
    assert [row["reason"] for row in rows[3:5]] == ["unexamined"] * 2 and all(row["kept"] for row in rows[3:5])
    assert "I am sick" in rows[3]["evidence"]["message"] and rows[3]["scores"] == {}
    with pytest.raises(Failed, match="0-pass_rate 2"):
        report.raise_for_errors()
    asked = sum(model.asked.values())
    model.sick = set()
    report = await run(tmp_path, recipe)
    assert report.clean[0].unexamined == 0 and sum(model.asked.values()) == asked + 10
    assert all(row["scores"] for row in labels(tmp_path, "0-pass_rate"))


async def test_interrupted_and_killed_it_goes_on(tmp_path: Path, model: SmallModel) -> None:
    model.latency_s = 0.3
    recipe = tmp_path / "r.yaml"
    teacher = small(model, concurrency=6)
    recipe.write_text(json.dumps(made(tmp_path, [rate(model, teacher=teacher)], budget={"max_cost_usd": 1.0})))
    command = [VERISTILL, "--root", str(tmp_path), "run", str(recipe), "--until", "clean"]

    async def begun(count: int) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
        for _ in range(600):
            if sum(model.asked.values()) >= count or process.returncode is not None:
                break
            await asyncio.sleep(0.05)
        return process

    process = await begun(8)
    process.send_signal(signal.SIGINT)
    _, said = await process.communicate()
    assert process.returncode == 4 and b"stopping: waiting for" in said, said
    first = sum(model.asked.values())
    assert set(model.asked.values()) == {1} and paid(tmp_path) == pytest.approx(model.usd)  # what was in flight came
    process = await begun(first + 8)
    process.kill()
    await process.wait()
    process = await begun(10**6)
    _, said = await process.communicate()
    assert process.returncode == 0, said
    assert len(model.asked) == 5 * ROWS
    twice = [count for count in model.asked.values() if count > 1]
    assert len(twice) <= 6 and set(twice) <= {2}  # at most what was in flight when it was killed
    # The ledger counts those with their worst case: never less than the bill.
    assert paid(tmp_path) >= model.usd - 1e-9


REPLIES = {
    '{"why": "short", "difficulty": 7}': 7.0,
    'Sure!\n```json\n{"difficulty": "8.5"}\n```': 8.5,
    "**Difficulty: 6/10**": 6.0,
    "The difficulty is 4.": 4.0,
    "I would say difficulty rating: **9** out of 10": 9.0,
    "7": 7.0,
    " 3/10 ": 3.0,
    '{"difficulty": 11}': None,
    '{"difficulty": 0}': None,
    '{"difficulty": 3} or {"difficulty": 9}': None,
    '{"difficulty": 5} and again {"difficulty": 5}': 5.0,
    "Difficulty: 60/100": None,
    "It has 3 steps and 4 cases.": None,
    "I cannot say.": None,
    "": None,
    "difficulty: 5-7": None,
    '"difficulty": 1' + "x" * 30_000: None,
}


def test_a_rating_is_read_or_there_is_none() -> None:
    prompt = load("ten")
    assert {text: read_rating(text, prompt) for text in REPLIES} == REPLIES
    with pytest.raises(RecipeError, match=r"did you mean 'contest'\?"):
        load("contst")


async def test_ratings_and_lengths_are_columns_for_what_comes_behind(tmp_path: Path, model: SmallModel) -> None:
    rated = {"kind": "difficulty", "teacher": small(model), "votes": 3, "keep": {"min": 2}}
    length = {"kind": "response_length", "teacher": small(model), "max_tokens": 40}
    top = {"kind": "top", "score": "response_length", "share": 0.5}
    model.rating = '{"difficulty": 6}'
    report = await run(tmp_path, made(tmp_path, [rated, length, top]))
    assert [one.kept for one in report.clean] == [ROWS, ROWS, ROWS // 2]
    assert sum(model.asked.values()) == ROWS * 3 + ROWS
    flow = Recipe.model_validate(made(tmp_path, [rated, length, top]))
    found = scores(Run(tmp_path, "r"), flow.stages(), ROWS)
    assert found["difficulty"].tolist() == [6.0] * ROWS
    assert found["response_length"].tolist() == [10.0 + n for n in range(ROWS)]
    assert scores(Run(tmp_path, "r"), flow.stages(), ROWS, ["difficulty"]).keys() == {"difficulty"}
    rows = labels(tmp_path, "2-top")
    assert [row["seq"] for row in rows if row["kept"]] == list(range(6, 12))
    assert rows[5]["evidence"] == {"response_length": 15.0, "rank": 7, "of": 12, "last_kept": 16.0}
    # What cannot be read is no rating: the question is kept without one.
    model.rating = "hard to say"
    other = tmp_path / "other"
    assert (await run(other, made(tmp_path, [rated]))).clean[0].kept == ROWS
    assert np.isnan(scores(Run(other, "r"), flow.stages(), ROWS)["difficulty"]).all()
    assert labels(other, "0-difficulty")[0]["evidence"]["undecided"] == "unreadable"


async def test_a_plan_foresees_it_and_a_rehearsal_drops_nothing(tmp_path: Path, model: SmallModel) -> None:
    clean = [rate(model, keep={"max": 0}), {"kind": "difficulty", "teacher": small(model), "keep": {"min": 11}}]
    recipe = Recipe.model_validate(made(tmp_path, clean))
    foreseen = await plan(recipe, Options(root=tmp_path, quiet=True))
    gates = {one.teacher: one.requests for one in foreseen.teachers}
    assert gates["pass_rate (openai/small)"].low == gates["pass_rate (openai/small)"].high == 5 * ROWS
    asked = gates["difficulty (openai/small)"]
    assert (asked.low, asked.high) == (0, ROWS) and foreseen.cost_usd is not None and foreseen.cost_usd.high > 0
    rehearsed = await asyncio.to_thread(execute, recipe, Options(dry_run=True, until="solve", quiet=True))
    assert (
        [one.dropped for one in rehearsed.clean] == [0, 0] and rehearsed.solve is not None and rehearsed.solve["asked"]
    )
    assert not model.asked


async def test_a_plan_does_not_rank_by_scores_that_are_not_there(tmp_path: Path, model: SmallModel) -> None:
    clean = [
        {"kind": "response_length", "teacher": small(model)},
        {"kind": "top", "score": "response_length", "share": 0.5, "missing": "drop"},
    ]
    found = await plan(Recipe.model_validate(made(tmp_path, clean)), Options(root=tmp_path / "root", quiet=True))
    assert found.questions == ROWS and "not cleaned by response_length, top yet" in found.notes[0]
    asked = next(one for one in found.teachers if one.teacher.startswith("response_length"))
    assert asked.requests.expected == ROWS


async def test_what_nothing_can_verify_is_not_asked(tmp_path: Path, model: SmallModel) -> None:
    recipe = made(tmp_path, [rate(model)], verify={"math": []})
    report = await run(tmp_path, recipe)
    assert report.clean[0].kept == ROWS and not model.asked
    recipe = made(tmp_path, [rate(model, domains=["code"])])
    await run(tmp_path, recipe)
    assert not model.asked


@pytest.mark.parametrize("kind", ["pass_rate", "difficulty", "response_length"])
async def test_a_model_for_other_domains_is_not_asked(tmp_path: Path, model: SmallModel, kind: str) -> None:
    model.rating = "7"
    drop = {"undecided": "drop"} if kind == "pass_rate" else {}
    for domains, asked in ((["code"], 0), (["math"], ROWS), (["code"], 0), (["math", "code"], ROWS)):
        before = set(model.asked)
        stage = {"kind": kind, "teacher": small(model, domains=domains), "max_tokens": 40, **drop}
        report = await run(tmp_path, made(tmp_path, [stage | ({"samples": 1} if kind == "pass_rate" else {})]))
        scored = [row for row in labels(tmp_path, f"0-{kind}") if row["scores"]]
        assert bool(scored) == bool(asked), domains
        assert asked or (report.clean[0].kept == ROWS and set(model.asked) == before)
    assert set(model.asked.values()) == {1} and len(model.asked) == ROWS


async def test_what_stops_a_run_goes_before_trouble_with_one_question() -> None:
    async def one(trouble: Exception | None, wait_s: float) -> int:
        await asyncio.sleep(wait_s)
        if trouble is not None:
            raise trouble
        ended.append(wait_s)
        return len(ended)

    ended: list[float] = []
    with pytest.raises(Stopped, match="no more money"):
        await all_of([one(Unexamined("sick"), 0), one(Stopped("no more money"), 0.01), one(None, 0.05)])
    assert ended == [0.05]  # none is left running
    assert await all_of([one(None, 0.02), one(None, 0)]) == [3, 2]


@pytest.mark.parametrize(
    ("clean", "why"),
    [
        ([{"kind": "pass_rate", "teacher": "fake"}] * 2, "two stages give the score model_pass_rate"),
        ([{"kind": "top", "score": "difficulty", "share": 0.5}], "no stage before top gives the score difficulty"),
        ([{"kind": "pass_rate", "teacher": "fake", "keep": {"min": 1, "max": 0}}], "nothing would be kept"),
        ([{"kind": "difficulty", "teacher": "fake", "prompt": "nine"}], "there is no prompt 'nine'"),
    ],
)
def test_a_recipe_that_cannot_work_is_refused(tmp_path: Path, clean: list[dict[str, Any]], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Recipe.model_validate(made(tmp_path, clean))
