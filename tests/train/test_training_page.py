"""The page on training is true: its blocks run, in order and in one folder, with a training environment."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_docs import ROOT, blocks


@pytest.mark.slow
def test_every_block_runs(tmp_path: Path, training_python: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {"PATH": path, "HOME": str(tmp_path), "LANG": "C.UTF-8", "HF_HUB_OFFLINE": "1"}
    env["VERISTILL_TRAIN_ENV"] = str(training_python.parent.parent)
    ran = 0
    for block in blocks((ROOT / "docs/how-to/training.md").read_text("utf-8")):
        if block.title:
            (tmp_path / block.title).write_text(block.text, "utf-8")
            continue
        assert block.tag == "bash"
        command = ["bash", "-euo", "pipefail", "-c", block.text]
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
        assert done.returncode == 0, f"{block.text}\n{done.stdout}\n{done.stderr}"
        ran += 1
    assert ran == 2
    assert (tmp_path / "runs/tiny/train/model/README.md").exists()
