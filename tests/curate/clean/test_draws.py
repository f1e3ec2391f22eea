"""Questions drawn at random, chosen by an expression, sorted into subjects, and compared within some domains."""

import json
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pydantic import ValidationError

from curate.clean.dedup import Dedup
from curate.clean.sample import Sample
from curate.clean.subject import read_number
from curate.clean.where import Where
from curate.flow import Options
from curate.kinds import Opinion
from curate.plan import plan
from recipes.schema import Recipe
from tests.curate.calls.till import open_till
from tests.curate.clean.model import SmallModel
from tests.curate.clean.test_asking import ROWS, labels, made, run, small

TEXTS = ("id", "problem", "domain", "source", "source_id", "licence", "truth_type", "truth_key", "gold", "starter_code")


def table(rows: list[dict[str, Any]], **scores: list[float | None]) -> pa.Table:
    whole = [{"domain": "math", "source": "s", "problem": "?", "truth_key": "k", **row} for row in rows]
    columns: dict[str, Any] = {name: pa.array([row.get(name) for row in whole], pa.string()) for name in TEXTS}
    columns["seq"] = pa.array(range(len(rows)))
    columns["meta"] = pa.array([json.dumps(row.get("meta", {})) for row in whole])
    return pa.table({**columns, **{name: pa.array(values, pa.float64()) for name, values in scores.items()}})


def kept(opinions: list[Opinion]) -> list[int]:
    return [place for place, one in enumerate(opinions) if one.kept]


def test_a_draw_follows_from_the_questions_alone() -> None:
    rows = [
        {"id": f"q{n % 90}", "source": f"s{n % 3}", "source_id": str(n), "domain": "code" if n % 5 == 0 else "math"}
        for n in range(100)
    ]
    chance = random.Random(1)

    def chosen(stage: Sample, rows: list[dict[str, Any]]) -> set[str]:
        return {rows[place]["source_id"] for place in kept(stage.label(table(rows)))}

    drawn = chosen(Sample(n=20), rows)
    for _ in range(5):
        chance.shuffle(rows)
        assert chosen(Sample(n=20), rows) == drawn
    assert len(drawn) == 20 and drawn < chosen(Sample(n=21), rows) and drawn != chosen(Sample(n=20, seed=1), rows)
    each = chosen(Sample(n=7, per="source"), rows)
    assert [sum(row["source_id"] in each for row in rows if row["source"] == f"s{n}") for n in range(3)] == [7, 7, 7]
    some = chosen(Sample(n=3, domains=("code",)), rows)
    assert sum(row["source_id"] in some for row in rows) == 3 + 80
    assert chosen(Sample(n=0), rows) == set() and len(chosen(Sample(n=1000), rows)) == 100
    told = [one for one in Sample(n=20).label(table(rows)) if not one.kept]
    assert {one.reason for one in told} == {"not_drawn"} and {one.evidence["rank"] for one in told} == set(
        range(21, 101)
    )


WHERE = {
    "meta.level == 5": [1],
    'meta.level == "5"': [2],
    "meta.level > 2 or problem_chars > 100": [0, 1],
    'meta.tags.x == 1 or domain == "code"': None,
    'source in ["a", "b"] and meta.level is not None': [1, 2],
    '"AIME" in problem or truth == "choice"': [0, 3],
    "not meta.proof": [3],
    "difficulty >= 4 and source_id != '3'": [0],
    "gold is None": [1, 2, 3],
}


@pytest.mark.parametrize("expression", WHERE)
def test_an_expression_over_questions(expression: str) -> None:
    rows: list[dict[str, Any]] = [
        {"source": "a", "problem": "AIME " * 30, "source_id": "0", "gold": "g", "meta": {"level": None}},
        {"source": "a", "source_id": "1", "meta": {"level": 5, "proof": True}},
        {"source": "b", "source_id": "2", "meta": {"level": "5", "proof": "no"}},
        {"source": "c", "source_id": "3", "truth_type": "choice", "meta": {"level": [5], "proof": False}},
    ]
    if WHERE[expression] is None:
        with pytest.raises(ValidationError, match="only meta has parts"):
            Where(expression=expression)
        return
    stage = Where(expression=expression)
    whole = table(rows, difficulty=[4.0, None, 3.0, 9.0])
    found = stage.label(whole)
    assert kept(found) == WHERE[expression]
    # One row at a time, and in any other company, it is the same.
    assert [stage.label(whole.slice(row, 1))[0] for row in range(4)] == found
    assert {one.reason for one in found if not one.kept} <= {"not_true", "missing_value"}
    loose = Where(expression=expression, missing="keep").label(whole)
    assert kept(loose) == [row for row, one in enumerate(found) if one.kept or one.reason == "missing_value"]
    assert all(one.kept for one in Where(expression=expression, domains=("code",)).label(whole))


def test_mistakes_in_an_expression_are_told_at_once() -> None:
    for wrong, what in {
        "problem > 3": "compare",
        "problem_chars": "must be true or false",
        "1 <": "cannot be read",
    }.items():
        with pytest.raises(ValidationError, match=what):
            Where(expression=wrong)
    recipe = {"name": "r", "sources": ["quickstart"], "annotate": {"teacher": "fake"}}
    with pytest.raises(ValidationError, match="no stage before where gives the score dificulty"):
        Recipe.model_validate({**recipe, "clean": [{"kind": "where", "expression": "dificulty > 3"}]})


@pytest.mark.parametrize("rule", ["exact", "ratio", "template", "minhash"])
def test_dedup_compares_questions_of_its_domains_alone(rule: str) -> None:
    text = "Add the numbers one and two, then say which of both is larger than the other one, and by how much it is."
    rows = [{"id": str(n), "problem": text, "domain": ("math", "code", "physics")[n % 3]} for n in range(9)]
    stage = Dedup.model_validate({"rule": rule, "domains": ["math", "science"], "keep_per_family": 1})
    found = stage.label(table(rows))
    assert kept(found) == [0, 1, 4, 7]
    assert {one.evidence["partner_seq"] for one in found if not one.kept} == {0}
    everything = Dedup.model_validate({"rule": rule, "keep_per_family": 1}).label(table(rows))
    assert kept(everything) == [0]


@pytest.fixture
async def model() -> AsyncIterator[SmallModel]:
    known = SmallModel()
    async with open_till(known):  # type: ignore[arg-type,type-var]
        yield known


async def test_subjects_are_scores_of_what_comes_behind(tmp_path: Path, model: SmallModel) -> None:
    model.rating = 'It is this: {"subject": 5}'
    subject = {"kind": "subject", "teacher": small(model)}
    recipe = made(tmp_path, [subject, {"kind": "where", "expression": "subject == 5"}])
    foreseen = await plan(Recipe.model_validate(recipe), Options(root=tmp_path / "p", quiet=True))
    assert {one.teacher: one.requests.high for one in foreseen.teachers}["subject (openai/small)"] == ROWS
    report = await run(tmp_path, recipe)
    assert report.clean[1].kept == ROWS == sum(model.asked.values())
    rows = labels(tmp_path, "0-subject")
    assert {(row["evidence"]["subject"], row["scores"]["subject"]) for row in rows} == {("Number theory", 5.0)}
    dropping = made(tmp_path, [{**subject, "drop": ["Number theory"]}])
    report = await run(tmp_path, dropping)
    assert report.clean[0].reasons == {"subject": ROWS}
    assert sum(model.asked.values()) == ROWS  # the same requests
    model.rating = "I cannot say."
    report = await run(tmp_path, made(tmp_path, [{**subject, "teacher": small(model, revision="b")}]))
    assert report.clean[0].kept == ROWS
    assert labels(tmp_path, "0-subject")[0]["evidence"] == {"undecided": "unreadable"}


def test_numbers_of_subjects_are_read_or_there_is_none() -> None:
    texts = {'{"subject": 12}': 12, "7": 7, "**3**": 3, '{"subject": "4"}': 4, '{"subject": 1} {"subject": 2}': None}
    texts |= {"Algebra": None, "": None, "1 or 2": None, '{"subject": 2.5}': None}
    assert {text: read_number(text) for text in texts} == texts
