"""Every verb works in a folder that holds a user's `train.py`, `eval.py`, `sandbox.py` and `recipes.py`."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

VERISTILL = str(Path(sys.executable).with_name("veristill"))
NAMES = ("train", "eval", "sandbox", "recipes", "curate", "json", "typing", "datasets")
RECIPE = """\
name: small
sources: [{kind: jsonl, path: q.jsonl, domain: math, columns: {problem: problem, answer: answer}}, quickstart]
annotate: {teacher: {kind: fake, error_rate: 0.0}}
train: {student: Qwen/Qwen2.5-7B-Instruct, cluster: {nodes: 1}, batch: {rows: 8}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A user's folder in which importing any of these files would end the process."""
    made = tmp_path_factory.mktemp("user")
    for name in NAMES:
        (made / f"{name}.py").write_text(f"raise SystemExit('the user\\'s {name}.py was imported')\n", "utf-8")
    (made / "r.yaml").write_text(RECIPE, "utf-8")
    (made / "q.jsonl").write_text('{"problem": "1 + 1?", "answer": "2"}\n', "utf-8")
    yield made


# In this order: later verbs read what `run` left.
COMMANDS = [
    ["version"],
    ["--help"],
    ["schema"],
    ["doctor", "--sandbox", "namespaces"],
    ["init", "started.yaml"],
    ["check", "started.yaml"],
    ["run", "r.yaml", "--limit", "30"],
    ["plan", "r.yaml"],
    ["run", "r.yaml", "--dry-run"],
    ["run", "r.yaml", "--partial"],
    ["status", "r.yaml"],
    ["status"],
    ["explain", "r.yaml", "0"],
    ["dedup", "q.jsonl", "-o", "near.jsonl"],
    ["render", "runs/small/dataset", "--trace-format", "think", "-o", "think.jsonl"],
    ["train", "plan", "r.yaml"],
    ["train", "render", "r.yaml"],
    ["train", "status", "r.yaml"],
]


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_each_verb(folder: Path, arguments: list[str]) -> None:
    done = subprocess.run([VERISTILL, *arguments], cwd=folder, env=_unsafe(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "was imported" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_the_trap_would_be_seen(folder: Path) -> None:
    command = [sys.executable, "-c", "import sandbox"]
    done = subprocess.run(command, cwd=folder, env=_unsafe(), capture_output=True, text=True)
    assert "the user's sandbox.py was imported" in done.stderr


def _unsafe() -> dict[str, str]:
    """Our environment without the switch, which a verb that runs in this process may have set."""
    return {key: value for key, value in os.environ.items() if key != "PYTHONSAFEPATH"}
