"""Answers that hold benchmark questions: found in thinking and solution, told with their places, dropped by policy."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from curate.contamination.match import Matcher
from curate.drops import read_drops
from curate.engine.local import execute
from curate.explain import explain
from curate.flow import Options
from curate.report import Report
from curate.run import Run
from curate.sources.gpqa import Gpqa
from curate.view.opening import open_traces
from recipes.schema import Recipe

ITEM = "A river is 340 metres wide at the ford where two ferries leave at nine. When do they meet for the first time?"
ANSWERS = [
    ("Let me add. One and one is two.", "\\boxed{2}"),
    (f"This is like one that I know: {ITEM} There the boats meet at ten. Here, two plus one is three.", "\\boxed{3}"),
    ("Three plus one.", f"See also: {ITEM.replace('340', '90')} Anyway, it is \\boxed{{4}}"),
    ("Two ferries at a river come to mind, but this asks for four plus one.", "\\boxed{5}"),
]


def recipe(folder: Path, *select: Any, answers: list[tuple[str, str]] = ANSWERS) -> Recipe:
    rows = [{"id": f"q{n}", "problem": f"What is {n + 1} + 1?", "answer": str(n + 2)} for n in range(len(answers))]
    given = [{"id": f"q{n}", "reasoning": one, "solution": other} for n, (one, other) in enumerate(answers)]
    for name, lines in (("q", rows), ("a", given), ("bench", [{"id": "ferry", "problem": ITEM}])):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    columns = {"id": "id", "answer": "answer"}
    source = {"kind": "jsonl", "path": str(folder / "q.jsonl"), "domain": "math", "columns": columns}
    teacher = {"kind": "replay", "path": str(folder / "a.jsonl"), "column": "id", "reasoning": "reasoning"}
    return Recipe.model_validate(
        {"name": "r", "sources": [source], "annotate": {"teacher": teacher}, "select": list(select)}
    )


def run(folder: Path, *select: Any, **fields: Any) -> Report:
    return execute(recipe(folder, *select, **fields), Options(root=folder / "root", quiet=True))


def told(folder: Path) -> list[dict[str, Any]]:
    path = folder / "root" / "runs" / "r" / "labels" / "select-0-decontaminate.parquet"
    return [{**row, "evidence": json.loads(row["evidence"])} for row in pq.read_table(path).to_pylist()]


def test_answers_are_found_told_and_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = {"kind": "decontaminate", "against": [str(tmp_path / "bench.jsonl")]}
    report = run(tmp_path, stage, "verified")
    assert report.select is not None
    assert [(one.kept, one.reasons) for one in report.select] == [(2, {"contaminated": 2}), (2, {})]
    first, quoted, changed, near = told(tmp_path)
    assert first["evidence"] == {} and first["kept"] and near["kept"]
    (span,) = quoted["evidence"]["spans"]
    assert (quoted["evidence"]["tier"], quoted["evidence"]["in"]) == ("exact", "reasoning")
    assert ANSWERS[1][0][span["start"] : span["end"]] == ITEM[:-1] == span["text"]
    assert (changed["evidence"]["tier"], changed["evidence"]["in"]) == ("number_changed", "solution")
    drops = [one for one in read_drops(tmp_path / "root/runs/r/drops.parquet") if one.reason == "contaminated"]
    assert [one.evidence["item"] for one in drops] == ["ferry", "ferry"]
    # Another policy looks at no answer again.
    monkeypatch.setattr(Matcher, "find", None)
    report = run(tmp_path, {**stage, "drop": []}, "verified")
    assert report.select is not None and report.select[0].kept == 4 and told(tmp_path)[1]["evidence"]["tier"] == "exact"
    report = run(tmp_path, {**stage, "drop": ["exact"]}, "verified")
    assert report.select is not None and report.select[0].kept == 3


def test_a_private_question_in_an_answer_is_not_shown(tmp_path: Path) -> None:
    tiny = Gpqa.tiny()
    asked = json.loads(tiny.read_text("utf-8").splitlines()[0])["Question"]
    answers = [(f"I remember this: {asked} That is another one.", "\\boxed{2}"), ("Simple.", "\\boxed{3}")]
    run(tmp_path, {"kind": "decontaminate", "against": [f"gpqa_diamond={tiny}"], "drop": []}, answers=answers)
    found = Run(tmp_path / "root", "r")
    opened = open_traces(found.root, "r")
    shown = json.dumps([told(tmp_path), [opened.row(0), opened.row(1)]])
    shown += json.dumps(asyncio.run(explain(found, recipe(tmp_path, "all", answers=answers), "seq:0")))
    assert asked[:24] not in shown and "gpqa_diamond" in shown and "Simple." in shown


def test_a_rehearsal_asks_for_no_benchmark(tmp_path: Path) -> None:
    flow = recipe(tmp_path, {"kind": "decontaminate", "against": ["aime24", "gpqa_diamond"]}, "verified")
    report = execute(flow, Options(root=tmp_path / "root", quiet=True, dry_run=True))
    assert report.select is not None and report.select[0].dropped == 0


def test_a_recipe_that_cannot_work_is_refused(tmp_path: Path) -> None:
    one = {"kind": "decontaminate", "against": ["aime24"]}
    with pytest.raises(ValidationError, match="needs a selector `decontaminate`"):
        recipe(tmp_path, {"kind": "where", "expression": 'benchmark != "x"'})
    with pytest.raises(ValidationError, match="one list"):
        recipe(tmp_path, one, {**one, "against": ["aime25"]})
    recipe(tmp_path, one, {**one, "drop": []})
