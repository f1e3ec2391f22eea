"""The RL export: files that `datasets` opens; the verifier that a row names scores a right and a wrong answer."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest
from datasets import load_dataset

from curate.errors import Failed
from curate.publish.rl import SCHEMAS
from curate.verifiers import reward, scoring
from recipes.cli.main import app

RECIPE = """\
name: mine
sources: [{kind: jsonl, path: q.jsonl, domain: DOMAIN, columns: {id: id, problem: problem, COLUMNS}}]
annotate: {teacher: {kind: fake, error_rate: 0.5, seed: 3}, samples: 4}
select: [SELECT]
publish: {rl: [verl, trl, rllm]}
"""
MATH = [{"id": n, "problem": f"What is {n} + 1/2?", "answer": f"{2 * n + 1}/2"} for n in range(12)]
CODE = [
    {
        "id": n,
        "problem": f"Print the sum of two numbers and {n}.",
        "tests": json.dumps({"inputs": ["1 2\n", "5 6\n"], "outputs": [f"{3 + n}\n", f"{11 + n}\n"]}),
    }
    for n in range(3)
]


@pytest.fixture(autouse=True)
def _processes() -> Iterator[None]:
    yield
    scoring.close()


def _run(folder: Path, rows: list[dict[str, Any]], columns: str, domain: str, select: str = "verified") -> Path:
    (folder / "q.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    text = RECIPE.replace("COLUMNS", columns).replace("DOMAIN", domain).replace("SELECT", select)
    (folder / "r.yaml").write_text(text, "utf-8")
    app(args=["--root", str(folder), "run", str(folder / "r.yaml")], standalone_mode=False)
    return folder / "runs" / "mine"


def _rows(run: Path, name: str, cache: Path) -> list[dict[str, Any]]:
    """The rows of one export, as `datasets` reads them."""
    data = load_dataset("parquet", data_files=str(run / "rl" / name / "train.parquet"), split="train", cache_dir=cache)
    return [dict(row) for row in data]


def test_math_is_scored_by_the_verifier_that_each_row_names(tmp_path: Path) -> None:
    run = _run(tmp_path, MATH, "answer: answer", "math")
    verl, trl, rllm = (_rows(run, name, tmp_path / "cache") for name in ("verl", "trl", "rllm"))
    selected = {
        row["question_id"] for row in pq.read_table(run / "dataset/provenance", columns=["question_id"]).to_pylist()
    }
    assert {row["extra_info"]["question_id"] for row in verl} == selected
    assert len(verl) == len(trl) == len(rllm) == len(selected)
    assert 0 < len(selected) <= len(MATH)
    for number, (one, two, three) in enumerate(zip(verl, trl, rllm, strict=True)):
        spec = json.loads(one["reward_model"]["ground_truth"])
        assert spec["kind"] == "math"
        assert one["reward_model"]["ground_truth"] == two["verifier"] == three["ground_truth"]
        assert one["prompt"] == two["prompt"] == [{"role": "user", "content": three["question"]}]
        assert one["extra_info"]["index"] == number
        assert 1 <= one["extra_info"]["passed"] <= one["extra_info"]["samples"] == 4
        assert (three["id"], three["passed"]) == (two["question_id"], two["passed"])

    row = verl[0]
    truth = json.loads(row["reward_model"]["ground_truth"])["truth"]["text"]
    right, wrong = f"<think>easy</think>It is \\boxed{{{truth}}}.", "<think>hm</think>It is \\boxed{-77}."
    scored = [reward.compute_score(row["data_source"], text, row["reward_model"]["ground_truth"], row["extra_info"])
              for text in (right, wrong)]  # fmt: skip
    assert [one["score"] for one in scored] == [1.0, 0.0]
    assert reward.compute_scores(["x"] * 2, [right, wrong], [row["reward_model"]["ground_truth"]] * 2) == [1.0, 0.0]
    chats = [[{"role": "assistant", "content": text}] for text in (right, wrong)]
    assert reward.trl_reward(prompts=[trl[0]["prompt"]] * 2, completions=chats, verifier=[trl[0]["verifier"]] * 2) == [
        1.0,
        0.0,
    ]


def test_code_is_scored_in_the_sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = _run(tmp_path, CODE, "tests: tests", "code", "all")
    rows = _rows(run, "rllm", tmp_path / "cache")
    assert len(rows) == len(CODE)
    shift = int(rows[1]["question"].split()[-1].rstrip("."))
    right = f"```python\na, b = map(int, input().split())\nprint(a + b + {shift})\n```"
    wrong = right.replace("a + b", "a - b")
    # rllm itself is not installed: this is its class as reward_types.py defines it.
    types = ModuleType("rllm.rewards.reward_types")
    types.RewardOutput = SimpleNamespace  # type: ignore[attr-defined]
    for name in ("rllm", "rllm.rewards"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, "rllm.rewards.reward_types", types)
    found = [reward.rllm_reward(rows[1], text) for text in (right, wrong, SimpleNamespace(action=right))]
    assert [(one.reward, one.is_correct) for one in found] == [(1.0, True), (0.0, False), (1.0, True)]
    assert found[1].metadata["reason"] == "wrong_answer"


def test_trouble_of_ours_is_no_reward() -> None:
    truth = {"type": "tests", "cases": "no tests at all"}
    spec = json.dumps({"kind": "code", "version": _code_version(), "truth": truth})
    text = "```python\nprint(1)\n```"
    assert reward.trl_reward([text], [spec]) == [None]
    with pytest.raises(Failed, match="unreadable_tests"):
        reward.compute_score("x", text, spec)
    assert reward.compute_score("x", text, spec, on_error=0.0) == {"score": 0.0, "undecided": 0.0, "trouble": 1.0}


def test_what_only_a_model_could_score_is_left_out_and_counted(tmp_path: Path) -> None:
    rows = [*MATH[:2], {"id": 9, "problem": "Why?", "answer": None}]
    run = _run(tmp_path, rows, "answer: answer", "math", "all")
    assert len(_rows(run, "trl", tmp_path / "cache")) == 2
    published = json.loads((run / "report.json").read_text("utf-8"))["totals"]["publish"]
    assert (published["rl"], published["rl_unscorable"]) == (2, 1)


def test_an_export_that_is_no_longer_asked_for_goes_and_equal_runs_write_equal_bytes(tmp_path: Path) -> None:
    run = _run(tmp_path, MATH, "answer: answer", "math")
    first = {name: (run / "rl" / name / "train.parquet").read_bytes() for name in SCHEMAS}
    _run(tmp_path, MATH, "answer: answer", "math")
    assert first == {name: (run / "rl" / name / "train.parquet").read_bytes() for name in SCHEMAS}
    text = (tmp_path / "r.yaml").read_text("utf-8").replace("publish: {rl: [verl, trl, rllm]}\n", "")
    (tmp_path / "r.yaml").write_text(text, "utf-8")
    app(args=["--root", str(tmp_path), "run", str(tmp_path / "r.yaml")], standalone_mode=False)
    assert not (run / "rl").exists()


def test_an_empty_selection_gives_files_without_rows(tmp_path: Path) -> None:
    run = _run(tmp_path, [{"id": 1, "problem": "Why?", "answer": None}], "answer: answer", "math")
    for name, schema in SCHEMAS.items():
        table = pq.read_table(run / "rl" / name / "train.parquet")
        assert (table.num_rows, table.column_names) == (0, schema.names)


def _code_version() -> int:
    from curate.verifiers.code import Code

    return Code.version
