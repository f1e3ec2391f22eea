"""Writes the ready scripts from their blocks: `python -m curate.calls.serving.ready`."""

from pathlib import Path

import yaml

from curate.calls.serving.script import batch_script
from curate.calls.serving.serve import Serve

if __name__ == "__main__":
    for path in sorted(Path(__file__).parent.glob("*.yaml")):
        block = yaml.safe_load(path.read_text("utf-8"))
        text = batch_script(Serve.model_validate(block["serve"]), block["model"])
        path.with_suffix(".sbatch").write_text(text, "utf-8")
