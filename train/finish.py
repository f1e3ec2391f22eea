"""The last step of a training run: weights to a folder, its card and curve beside them, each made once."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from curate.errors import VeristillError
from curate.sources.files import fingerprint
from train import after, card, curve, dataset, readings
from train.block import is_folder
from train.environment import NEEDED, examine, interpreter
from train.inside import process
from train.stage import Staged
from train.status import job_of

if TYPE_CHECKING:
    from train.block import Train
    from train.job import Job

_RECORD = "model.json"


class Finished(NamedTuple):
    """The model's folder; `made` is False where it was there already."""

    folder: Path
    step: int
    facts: Mapping[str, Any]
    serve: str
    made: bool


def finish(
    block: "Train", here: Path, root: Path, *, step: int | None = None, dtype: str | None = None,
    repo: str | None = None,
) -> Finished:  # fmt: skip
    """Make the model of the run in `here`, or find it made; its card is written anew, for `repo` where it is to go.

    The interpreter of a run that trained in an image is not on this machine: the one under `root` takes its place.
    Raises what `after.source` and `after.gather` raise, and Prerequisite without an interpreter.
    """
    job = job_of(here)
    if not Path(job.python).exists():
        job = job.model_copy(update={"python": str(interpreter(None, root))})
    source = after.source(here, job, step)
    asked = {"source": str(source.folder), "kind": source.kind, "step": source.step, "dtype": dtype}
    folder, record = here / "model", process.read_state(here / "state" / _RECORD)
    there = record.get("asked") == asked and (folder / "config.json").exists()
    made = after.Gathered(folder, source, record["facts"]) if there else after.gather(here, job, source, dtype=dtype)
    serve = after.serve_command(folder, block, job.name)
    told = card.Told(
        name=job.name,
        block=block,
        inputs=Staged.read(here),
        packages=_packages(job),
        curve=(folder / card.CURVE).exists() or _curve(here, job, folder, source.step),
        serve=after.serve_command(folder, block, job.name, repo or "path/to/this/folder"),
        rows=_content(block, here),
    )
    (folder / card.NAME).write_text(card.text(here, job, made, told), "utf-8")
    process.write_state(here / "state" / _RECORD, {"asked": asked, "facts": dict(made.facts)})
    return Finished(folder, source.step, made.facts, serve, not there)


def _content(block: "Train", here: Path) -> str | None:
    """What the rows of a folder were, as a hash; a repository has its commit."""
    folder = Path(block.dataset) if block.dataset and is_folder(block.dataset) else here.parent / "dataset"
    if (block.dataset and not is_folder(block.dataset)) or not folder.is_dir():
        return None
    return fingerprint(dataset.find(folder).files)[:16]


def _packages(job: "Job") -> dict[str, str]:
    found = examine(Path(job.python), imports=False)
    return {name: found.packages[name] for name in NEEDED if name in found.packages}


def _curve(here: Path, job: "Job", folder: Path, step: int) -> bool:
    """Whether the picture could be drawn; a model without one is as good."""
    points = [one for one in readings.points(here / job.output) if one.step <= step]
    try:
        curve.png(points, folder / card.CURVE, Path(job.python), job.name)
    except VeristillError:
        return False
    return True
