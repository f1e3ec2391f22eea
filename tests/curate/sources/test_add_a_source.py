"""The how-to page on adding a source: its files work as they stand, from outside the project too."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[3] / "docs" / "how-to" / "add-a-source.md"
_TITLED = re.compile(r'^```\w+ title="(?P<name>[^"]+)"\n(?P<text>.*?)^```$', re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The page's files, and the metadata that installing its package would leave."""
    for block in _TITLED.finditer(PAGE.read_text("utf-8")):
        (tmp_path / block["name"]).write_text(block["text"], "utf-8")
    project = tomllib.loads((tmp_path / "pyproject.toml").read_text("utf-8"))["project"]
    (point,) = project["entry-points"]["veristill.sources"].items()
    info = tmp_path / "installed" / "veristill_quiz-0.1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text(f"[veristill.sources]\n{point[0]} = {point[1]}\n")
    package = tmp_path / "installed" / point[1].split(".")[0]
    package.mkdir()
    (package / "__init__.py").touch()
    shutil.copy(tmp_path / "quiz.py", package)
    return tmp_path


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(folder / "installed")}
    return subprocess.run([sys.executable, "-P", *command], cwd=folder, env=environment, capture_output=True, text=True)


def test_the_page_s_own_test_passes(folder: Path) -> None:
    done = run(folder, "-m", "pytest", "-q", "test_quiz.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def test_the_kind_is_found_by_its_entry_point(folder: Path) -> None:
    script = (
        "from curate.plug import find, kinds; from pathlib import Path; assert 'quiz' in kinds('curate.sources');"
        "source = find('curate.sources', 'quiz')(path=Path('spiders.txt'));"
        "print(source.spec()['kind'], len(list(source.read())))"
    )
    done = run(folder, "-c", script)
    assert done.stdout == "quiz 3\n", done.stderr


def test_a_recipe_runs_it(folder: Path) -> None:
    done = run(folder, "-m", "recipes.cli.main", "run", "spiders.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((folder / "runs" / "spiders" / "report.json").read_text("utf-8"))
    ingest = report["totals"]["ingest"]
    assert (ingest["rows"], ingest["questions"], ingest["reasons"]) == (3, 2, {"no_truth": 1})


@pytest.mark.parametrize("name", ["quiz.py", "test_quiz.py"])
def test_its_code_is_as_clean_as_ours(name: str, tmp_path: Path) -> None:
    text = next(block["text"] for block in _TITLED.finditer(PAGE.read_text("utf-8")) if block["name"] == name)
    (tmp_path / name).write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--isolated", "--line-length=120", str(tmp_path / name)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
