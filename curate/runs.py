"""The runs that lie under a root, and the error for one that does not."""

from pathlib import Path

from curate.errors import InputError
from curate.run import Run


def runs(root: Path) -> list[str]:
    """The names of the runs under a root, sorted."""
    return sorted(path.parent.name for path in (root / "runs").glob("*/recipe.lock.yaml"))


def need_run(run: Run) -> None:
    """Raise InputError where the folder of a run is not there; it names the runs that are."""
    if not run.folder.is_dir():
        raise InputError(
            f"there is no run '{run.name}' here; {said(run.root)}",
            where=str(run.root),
            next="start it with `veristill run RECIPE`, or name the folder that holds its runs/: veristill --root DIR",
        )


def said(root: Path) -> str:
    """The runs under a root in words, for errors."""
    known = runs(root)
    shown = ", ".join(known[:10]) + (", ..." if len(known) > 10 else "")
    return f"runs here: {shown}" if known else "no run lies here"
