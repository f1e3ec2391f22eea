"""The recipes on the launchers' pages are recipes, and every launcher has its page and its place in the reference."""

from pathlib import Path

import pytest
import yaml

from curate.plug import kinds
from tests.test_docs import ROOT, blocks
from train.block import Train
from train.render import rendered

PAGES = ["slurm", "sagemaker", "skypilot", "kubernetes"]


@pytest.mark.parametrize("name", PAGES)
def test_the_recipe_of_the_page_renders(name: str, tmp_path: Path) -> None:
    text = (ROOT / "docs" / "how-to" / f"training-{name}.md").read_text("utf-8")
    (said,) = [yaml.safe_load(block.text) for block in blocks(text) if block.title]
    block = Train.model_validate(said["train"])
    assert block.launcher.kind() == name
    block.accumulate()
    made = rendered(block, name=said["name"], here=tmp_path / "runs" / said["name"] / "train", python="/env/bin/python")
    assert set(made.files) > {"job.json", "sft.yaml", "code/node.py", "code/supervise.py"}


def test_the_launchers_are_these() -> None:
    assert kinds("train.launchers") == sorted([*PAGES, "hosts", "local"])


def test_the_image_is_made_of_files_that_come_along() -> None:
    """Every file that the Dockerfile copies lies beside it, and the interpreter is where launchers look for it."""
    from train.launcher import IMAGE_PYTHON

    text = (ROOT / "train" / "Dockerfile").read_text("utf-8")
    (copied,) = [line.split()[1:-1] for line in text.splitlines() if line.startswith("COPY")]
    assert copied == ["pins.txt", "pins-cuda.txt"]
    assert all((ROOT / "train" / name).is_file() for name in copied)
    assert f"venv {Path(IMAGE_PYTHON).parent.parent}\n" in text
    assert [line for line in (ROOT / "train" / "pins.txt").read_text().splitlines() if line.startswith("deepspeed==")]
