"""Changing one thing recomputes exactly what depends on it: told by the counters of the report."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from datasets import load_dataset

VERISTILL = Path(sys.executable).with_name("veristill")
ROWS = 24
BUMPED = """
import sys
from curate.verifiers.math import Math
Math.version = 999
from recipes.cli.main import main
main()
"""


class Project:
    """A recipe over a source of sums, with a fake teacher that is sometimes wrong."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows = [{"id": f"q{n}", "problem": f"What is {n} + 1?", "answer": str(n + 1)} for n in range(ROWS)]
        self.select = "verified"
        self.samples = 1

    def run(self, *command: str) -> dict[str, Any]:
        with (self.folder / "questions.jsonl").open("w") as file:
            file.writelines(json.dumps(row) + "\n" for row in self.rows)
        (self.folder / "recipe.yaml").write_text(
            "name: sums\n"
            "sources: [{kind: jsonl, path: questions.jsonl, domain: math, columns: {id: id, answer: answer}}]\n"
            f"annotate: {{teacher: {{kind: fake, error_rate: 0.4, seed: 3}}, samples: {self.samples}}}\n"
            f"select: [{self.select}]\n"
        )
        arguments = ["--root", str(self.folder), "run", str(self.folder / "recipe.yaml")]
        done = subprocess.run([*(command or [str(VERISTILL)]), *arguments], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        report: dict[str, Any] = json.loads((self.folder / "runs" / "sums" / "report.json").read_text())
        return report["this_run"]

    def dataset(self, tmp_path: Path) -> list[dict[str, Any]]:
        folder = str(self.folder / "runs" / "sums" / "dataset")
        return load_dataset(folder, "metadata", split="train", cache_dir=str(tmp_path / "hf")).to_list()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "p").mkdir()
    project = Project(tmp_path / "p")
    first = project.run()
    assert counters(first) == (ROWS, 0, ROWS, 0)
    assert not first["questions_reused"]
    return project


def counters(this: dict[str, Any]) -> tuple[int, int, int, int]:
    return this["answers_new"], this["answers_reused"], this["verdicts_new"], this["verdicts_reused"]


def test_nothing_changed(project: Project) -> None:
    this = project.run()
    assert counters(this) == (0, ROWS, 0, ROWS)
    assert this["questions_reused"]


def test_one_question_changed(project: Project) -> None:
    project.rows[5] = {"id": "q5", "problem": "What is 1000 + 1?", "answer": "1001"}
    this = project.run()
    assert counters(this) == (1, ROWS - 1, 1, ROWS - 1)
    assert not this["questions_reused"]


def test_one_question_added_in_front(project: Project) -> None:
    project.rows.insert(0, {"id": "new", "problem": "What is 70 + 7?", "answer": "77"})
    assert counters(project.run()) == (1, ROWS, 1, ROWS)


def test_another_sample(project: Project) -> None:
    project.samples = 2
    assert counters(project.run())[:2] == (ROWS, ROWS)


def test_the_selection_changed(project: Project, tmp_path: Path) -> None:
    before = project.dataset(tmp_path)
    project.select = "all"
    assert counters(project.run()) == (0, ROWS, 0, ROWS)
    assert len(before) < len(project.dataset(tmp_path)) == ROWS


def test_the_order_of_the_source_changed(project: Project, tmp_path: Path) -> None:
    before = project.dataset(tmp_path)
    project.rows.reverse()
    assert counters(project.run()) == (0, ROWS, 0, ROWS)
    assert project.dataset(tmp_path) == before[::-1]


def test_the_version_of_the_verifier_changed(project: Project) -> None:
    assert counters(project.run(sys.executable, "-P", "-c", BUMPED)) == (0, ROWS, ROWS, 0)
    assert counters(project.run()) == (0, ROWS, 0, ROWS)
