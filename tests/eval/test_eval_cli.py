"""`veristill eval` from a recipe to scores, reports and logs, over recorded answers, and `eval compare` over those."""

import json
from pathlib import Path

import pytest

from recipes.cli.main import command

RECIPE = """
name: demo
eval:
  models:
    base: {kind: replay, path: base.jsonl, match: problem}
    student: {kind: replay, path: student.jsonl, match: problem}
  runs: 2
  benchmarks:
    - {source: {kind: jsonl, path: own.jsonl, domain: math, columns: {problem: problem, answer: answer}}, name: own}
"""


def _lines(path: Path, rows: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(one) + "\n" for one in rows))


def test_an_evaluation_leaves_scores_reports_and_logs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "demo.yaml").write_text(RECIPE)
    _lines(tmp_path / "own.jsonl", [{"problem": f"What is {at} + 1?", "answer": str(at + 1)} for at in range(6)])
    for name, right in (("base", 2), ("student", 5)):
        said = [(at, at + 1 if at < right else -7) for at in range(6) for _ in range(2)]
        rows = [{"problem": f"What is {at} + 1?", "solution": f"It is $\\boxed{{{value}}}$."} for at, value in said]
        _lines(tmp_path / f"{name}.jsonl", rows)
    root = ["--root", str(tmp_path)]
    assert command([*root, "eval", str(tmp_path / "demo.yaml"), "--inspect"]) == 0
    shown = capsys.readouterr().out
    folder = tmp_path / "runs" / "demo" / "eval"
    assert f"wrote {folder / 'report.html'}" in shown
    for name, percent in (("base", "33.33"), ("student", "83.33")):
        files = {one.name for one in (folder / name).iterdir()}
        assert {"results.parquet", "scores.json", "report.md", "report.html", "inspect"} <= files
        line = next(line for line in shown.splitlines() if line.startswith(name))
        assert percent in line
        ours = json.loads((folder / name / "scores.json").read_text())["benchmarks"][0]["ours"]
        bounds = f"{100 * ours['low']:.1f} to {100 * ours['high']:.1f}"
        assert bounds in line
        assert (
            f"| own@own | {name} | 6 | 2 | {float(percent):.1f} | {bounds} |"
            in (folder / name / "report.md").read_text()
        )
        assert json.loads((folder / name / "inspect" / "own-own.json").read_text())["eval"]["model"] == name
    both = (folder / "report.md").read_text()
    assert "student is not shown to differ from base. The gap of +50.0 points is within noise" in both
    out = tmp_path / "new" / "compare.html"
    assert command([*root, "eval", "compare", "demo/base", "demo/student", "-o", str(out)]) == 0
    assert "not shown: B minus A is +50.0 points" in capsys.readouterr().out
    assert "Questions where the models differ, side by side" in out.read_text()
    assert "It is" in out.read_text()


@pytest.mark.parametrize(
    "arguments",
    [
        ["compare", "a"],
        ["compare", "a", "b", "-o", "page.txt"],
        ["compare", "a", "b", "--limit", "3"],
        ["a.yaml", "b.yaml"],
        ["a.yaml", "-o", "page.html"],
    ],
)
def test_words_that_do_not_belong_together_are_refused(arguments: list[str]) -> None:
    assert command(["eval", *arguments]) == 2


def test_questions_without_a_recorded_answer_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "demo.yaml").write_text(
        RECIPE.replace("    student: {kind: replay, path: student.jsonl, match: problem}\n", "")
    )
    _lines(tmp_path / "own.jsonl", [{"problem": f"What is {at} + 1?", "answer": str(at + 1)} for at in range(6)])
    _lines(tmp_path / "base.jsonl", [{"problem": "What is 3 + 1?", "solution": "It is $\\boxed{4}$."}])
    assert command(["--root", str(tmp_path), "eval", str(tmp_path / "demo.yaml")]) == 0
    assert "base: 5 questions have no recorded answer" in capsys.readouterr().out
