"""The card of a trained model: what it learned from, how, and the figures that were measured; nothing else."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from train import readings
from train.block import is_folder
from train.stage import Input, Staged

if TYPE_CHECKING:
    from train.after import Gathered
    from train.block import Train
    from train.job import Job

NAME = "README.md"
CURVE = "loss.png"


class Told(NamedTuple):
    """What the card is made from beside the weights."""

    name: str
    block: "Train"
    inputs: Staged
    packages: Mapping[str, str]  # of the training interpreter: the versions that matter
    curve: bool  # whether loss.png lies beside the card
    serve: str
    rows: str | None = None  # the content of the rows, where they are a folder's


def text(folder: Path, job: "Job", made: "Gathered", told: Told) -> str:
    """The card, with front matter as the hub reads it."""
    block = told.block
    parts = [
        _front(block),
        f"# {told.name}\n",
        _words(told, made),
        "![loss](loss.png)\n" if told.curve else "",
        "## Training\n\n" + _table(_figures(folder, job, made, block)),
        "## Recipe\n\n```yaml\n" + _recipe(told) + "```\n",
        _table({name: version for name, version in told.packages.items()}) if told.packages else "",
        f"## Serve it\n\n```bash\n{told.serve}\n```\n",
        "Made with Veristill.\n",
    ]
    return "\n".join(part for part in parts if part)


def _front(block: "Train") -> str:
    matter: dict[str, Any] = {"library_name": "transformers", "pipeline_tag": "text-generation"}
    if not is_folder(block.student):
        matter["base_model"] = block.student
    if block.dataset and not is_folder(block.dataset):
        matter["datasets"] = [block.dataset]
    matter["tags"] = ["reasoning", "distillation", "veristill"]
    return "---\n" + yaml.safe_dump(matter, sort_keys=False, allow_unicode=True) + "---\n"


def _words(told: Told, made: "Gathered") -> str:
    block, inputs = told.block, told.inputs
    how = "LoRA adapters, merged into it" if block.method.kind == "lora" else "all of its weights"
    student = _named(block.student, block.student_revision, inputs.student)
    own = block.dataset or "the dataset of the recipe's own run"
    rows = _named(own, block.dataset_revision, inputs.dataset) + (f" (content `{told.rows}`)" if told.rows else "")
    step = f" These are the weights of step {made.source.step:,}." if made.source.folder.name != "output" else ""
    return (
        f"A fine-tune of {student} ({how}) on {rows}: {made.facts['parameters']:,} parameters in "
        f"{made.facts['dtype']}.{step}\n"
    )


def _named(source: str, revision: str | None, entry: Input | None) -> str:
    """A hub id with the commit that was read, else with the revision that was asked for; a folder by its last name."""
    commit = (entry.commit if entry else None) or revision
    name = f"the folder `{Path(source).name}`" if is_folder(source) else f"`{source}`" if "/" in source else source
    return f"{name} at `{commit}`" if commit else name


def _figures(folder: Path, job: "Job", made: "Gathered", block: "Train") -> dict[str, str]:
    """What was measured; a figure that nobody measured has no line. Up to the step that the weights are of."""
    points = [one for one in readings.points(folder / job.output) if one.step <= made.source.step]
    tries = readings.attempts(folder)
    machines = f"{job.nodes} x {job.processes} {'CPU processes' if block.on_cpu else block.cluster.gpu}"
    found = {"steps": f"{made.source.step:,}", "machines": machines, "sharding": block.shard}
    if points:
        last = points[-1]
        found |= {"epochs": f"{last.epoch:.2f}" if last.epoch is not None else ""}
        found |= {"tokens": f"{last.tokens:,}" if last.tokens else ""}
        loss = readings.recent_loss(points)
        found |= {"first loss": f"{points[0].loss:.4f}", "final loss (mean of the last steps)": f"{loss:.4f}"}
    if tries.hours is not None:
        found |= {"hours": f"{tries.hours:.2f}", "attempts": f"{tries.made}, {tries.failures} of them failed"}
        found |= {"GPU-hours": "" if block.on_cpu else f"{tries.hours * job.world:,.1f}"}
    return {name: value for name, value in found.items() if value}


def _recipe(told: Told) -> str:
    """The `train:` block without what only says where it ran."""
    dump = told.block.model_dump(mode="json", exclude_defaults=True)
    for name in ("python", "launcher", "env", "report_to", "retries"):
        dump.pop(name, None)
    for name in ("student", "dataset"):
        if isinstance(dump.get(name), str) and is_folder(dump[name]):
            dump[name] = f"./{Path(dump[name]).name}"
    return str(yaml.safe_dump({"name": told.name, "train": dump}, sort_keys=False, allow_unicode=True, width=100))


def _table(rows: Mapping[str, str]) -> str:
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items()), ""])
