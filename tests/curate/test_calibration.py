"""Calibration: intervals, the drawn sample, and a whole run whose judge is wrong at a known rate."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from curate.calibrate import Calibrate, CalibrationCounts, Compared, bounds, calibration_lines, wilson
from curate.engine.local import execute
from curate.errors import RecipeError
from curate.flow import Options
from curate.ledger import Ledger
from curate.report import Report
from recipes.load import read


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [  # Agresti and Coull 1998, and the closed form at the ends: 0 of n ends at z2 / (n + z2)
        (0, 10, 0.0, 0.277533), (10, 10, 0.722467, 1.0), (5, 10, 0.236593, 0.763407), (1, 100, 0.001767, 0.054486),
    ],
)  # fmt: skip
def test_wilson(count: int, of: int, low: float, high: float) -> None:
    interval = wilson(count, of)
    assert (interval.low, interval.high) == (pytest.approx(low, abs=2e-6), pytest.approx(high, abs=2e-6))
    assert interval.share == count / of
    assert wilson(0, 0).share is None


def test_the_sample_follows_content_not_order() -> None:
    rows = [(f"{number:032x}", "math" if number % 3 else "code") for number in range(900)]

    def drawn(rows: list[tuple[str, str]], chunk: int, **fields: Any) -> dict[str, str]:
        tables = [
            pa.table({"id": [one for one, _ in part], "domain": [two for _, two in part]})
            for part in (rows[start : start + chunk] for start in range(0, len(rows), chunk))
        ]
        return bounds(Calibrate(**{"sample": 50, **fields}), tables)

    plain = drawn(rows, 100)
    assert set(plain) == {"math", "code"}
    assert drawn(rows[::-1], 7) == plain == drawn(rows + rows[:100], 50)
    assert drawn(rows, 100, seed=1) != plain
    assert all(drawn(rows, 100, sample=60)[name] > bound for name, bound in plain.items())
    assert drawn(rows, 100, sample=0) == {}


def test_counts() -> None:
    counts = CalibrationCounts()
    pairs = [("pass", "pass")] * 6 + [("pass", "fail")] * 2 + [("fail", "pass")] + [("fail", "fail")] * 3
    pairs += [("pass", "unsure"), ("fail", "error")]
    for ours, judge in pairs:
        counts.add(Compared(domain="math", source="a", ours=ours, judge=judge))
    counts.add(
        Compared(
            domain="math", source="b", ours="pass", label=False, presets={"strict": "pass", "openthoughts": "fail"}
        )
    )
    totals = counts.totals()
    judge = totals["judge"]["domain"]["math"]
    assert judge["false_rejects"]["count"] == 2
    assert judge["false_rejects"]["of"] == 9
    assert (judge["false_accepts"]["count"], judge["false_accepts"]["of"]) == (1, 4)
    assert (judge["rows"], judge["unsure"], judge["error"]) == (14, 1, 1)
    assert totals["judge"]["source"].keys() == {"a"}
    assert totals["ours"]["source"]["b"]["false_accepts"]["share"] == 1.0
    assert totals["yields"] == {"rows": 1, "pass": {"ours": 1, "openthoughts": 0, "strict": 1}}
    text = "\n".join(calibration_lines(totals))
    assert "| domain math | 14 | 1 of 4 (25.00 %, 4.56 to 69.94) | 2 of 9 (22.22 %, 6.32 to 54.74) | 1 | 1 |" in text
    counts.add(Compared(domain="math", source="a", ours="fail", presets={"strict": "fail"}))
    yields = counts.totals()["yields"]  # a preset known of some rows only is not held against the others
    assert yields == {"rows": 2, "pass": {"ours": 1, "strict": 1}}
    counts.add(Compared(domain="math", source="a", ours="fail", presets={}))
    assert "yields" not in counts.totals()
    assert CalibrationCounts().totals() == {}
    json.dumps(totals)


ROWS = 60


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """Sums with recorded answers, a third of them wrong, and two of the labels."""
    questions, answers = tmp_path / "questions.jsonl", tmp_path / "answers.jsonl"
    with questions.open("w") as ask, answers.open("w") as say:
        for number in range(ROWS):
            right = number % 3 != 0
            told = number + 1 if right else number + 2
            label = right if number > 1 else not right
            ask.write(
                json.dumps({"id": str(number), "problem": f"{number} + 1?", "answer": str(number + 1), "ok": label})
                + "\n"
            )
            say.write(json.dumps({"source_id": str(number), "solution": f"It is \\boxed{{{told}}}."}) + "\n")
    path = tmp_path / "recipe.yaml"
    path.write_text(
        f"""
name: calibrated
sources:
  - {{kind: jsonl, path: {questions}, domain: math, columns: {{id: id, answer: answer, meta: [ok]}}}}
annotate: {{teacher: {{kind: replay, path: {answers}}}}}
verify: {{math: [math, judge]}}
judge: {{kind: fake, error_rate: 0.5, seed: 5}}
calibrate: {{sample: 40, presets: true, label: ok}}
"""
    )
    return path


def ran(path: Path, root: Path, **options: Any) -> Report:
    flow = read(path)
    return execute(flow, Options(root=root, lock_text=flow.lock_text(), quiet=True, **options))


def test_a_run_reports_how_often_judge_and_verdicts_are_wrong(recipe: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    report = ran(recipe, root)
    assert report.solve is not None
    found = report.solve["calibration"]
    everything = found["judge"]["all"]["all"]
    assert everything["rows"] == 40
    wrong = everything["false_accepts"]["count"] + everything["false_rejects"]["count"]
    assert 8 <= wrong <= 32  # half of them, drawn by a hash
    assert everything["false_accepts"]["of"] + everything["false_rejects"]["of"] == 40
    labels = found["ours"]["domain"]["math"]
    assert labels["rows"] == ROWS
    assert labels["false_accepts"]["count"] + labels["false_rejects"]["count"] == 2
    assert found["yields"]["rows"] == 40
    assert set(found["yields"]["pass"]) == {"ours", "openthoughts", "strict"}
    assert found["yields"]["pass"]["ours"] == found["yields"]["pass"]["strict"]
    assert (report.this_run["answers_recorded"], report.this_run["judge_replies_new"]) == (ROWS, 80)
    # The judge changed no verdict, and nothing of it is in the dataset.
    assert report.solve["outcomes"] == {"fail": 20, "pass": 40}
    text = (root / "runs/calibrated/report.md").read_text()
    assert "## The judge, held against the rules" in text
    assert "## Our verdicts, held against the label" in text
    assert "## Yields on the same rows" in text

    again = ran(recipe, root)
    assert again.totals() == report.totals()
    assert (again.this_run["verdicts_new"], again.this_run.get("judge_replies_new", 0)) == (0, 0)
    partial = ran(recipe, root, partial=True)
    assert partial.solve == report.solve
    with_ledger = Ledger(root / "ledger", read_only=True)
    assert with_ledger.count("verdict") == ROWS + 80
    with_ledger.close()


def test_presets_are_asked_on_the_sample_whatever_the_recipe_verifies_with(recipe: Path, tmp_path: Path) -> None:
    text = recipe.read_text().replace("{math: [math, judge]}", "openthoughts")
    recipe.write_text(text.replace("calibrate: {sample: 40,", "calibrate: {sample: 10,"))
    answers = tmp_path / "answers.jsonl"  # every fifth says nothing: it counts where its question is drawn, only there
    rows = [json.loads(line) for line in answers.read_text().splitlines()]
    answers.write_text(
        "".join(json.dumps({**row, **({} if n % 5 else {"solution": ""})}) + "\n" for n, row in enumerate(rows))
    )
    report = ran(recipe, tmp_path / "root")
    assert report.solve is not None
    yields = report.solve["calibration"]["yields"]
    assert yields["rows"] == 10
    assert set(yields["pass"]) == {"ours", "openthoughts", "strict"}
    assert yields["pass"]["ours"] == yields["pass"]["openthoughts"]
    partial = ran(recipe, tmp_path / "root", partial=True)
    assert partial.solve == report.solve
    recipe.write_text(recipe.read_text().replace("sample: 10, presets: true, label: ok", "sample: 0"))
    report = ran(recipe, tmp_path / "root")
    assert report.solve is not None
    assert report.solve["calibration"]["yields"]["rows"] == ROWS  # and no strict, which is known of some rows only
    assert set(report.solve["calibration"]["yields"]["pass"]) == {"ours", "openthoughts"}


def test_programs_are_nothing_that_a_judge_could_be_held_against(recipe: Path, tmp_path: Path) -> None:
    sources = tmp_path / "code.jsonl"
    tests = json.dumps({"inputs": ["1\n"], "outputs": ["1\n"]})
    sources.write_text(json.dumps({"id": "code", "problem": "Echo.", "tests": tests}) + "\n")
    with (tmp_path / "answers.jsonl").open("a") as answers:
        answers.write(json.dumps({"source_id": "code", "solution": "```python\nprint(input())\n```"}) + "\n")
    more = f"  - {{kind: jsonl, path: {sources}, domain: code, columns: {{id: id, tests: tests}}}}\nannotate:"
    recipe.write_text(recipe.read_text().replace("annotate:", more).replace("presets: true", "presets: false"))
    report = ran(recipe, tmp_path / "root")
    assert report.solve is not None
    assert report.solve["domains"]["code"] == {"pass": 1}
    found = report.solve["calibration"]["judge"]
    assert found["domain"].keys() == {"math"}
    assert found["all"]["all"]["unsure"] == 0


def test_presets_need_a_sample(recipe: Path) -> None:
    recipe.write_text(recipe.read_text().replace("sample: 40, ", ""))
    with pytest.raises(RecipeError, match="say how large, `sample: N`"):
        read(recipe)


def test_without_a_sample_nothing_is_asked_for(recipe: Path, tmp_path: Path) -> None:
    recipe.write_text(recipe.read_text().replace("sample: 40, presets: true, label: ok", "sample: 0"))
    report = ran(recipe, tmp_path / "root")
    assert report.solve is not None
    assert report.solve["calibration"] == {"yields": {"rows": ROWS, "pass": {"ours": 40, "strict": 40}}}
    assert "judge_replies_new" not in report.this_run
    recipe.write_text(recipe.read_text().replace("judge: {kind: fake", "#").replace("[math, judge]", "[math]"))
    report = ran(recipe, tmp_path / "root")
    assert report.solve is not None
    assert report.solve["calibration"] == {}


def test_a_rehearsal_of_a_judged_recipe(recipe: Path, tmp_path: Path) -> None:
    recipe.write_text(
        recipe.read_text().replace("{kind: fake, error_rate: 0.5, seed: 5}", "{kind: openai, model: gpt-4o}")
        .replace("[math, judge]", "[{kind: judge, model: {kind: openai, model: other}}]")
    )  # fmt: skip
    report = ran(recipe, tmp_path / "root", dry_run=True)
    assert report.solve is not None
    assert sum(report.solve["outcomes"].values()) == 8
    assert report.this_run["judge_replies_new"] > 0
    assert not report.solve["outcomes"].get("error")
