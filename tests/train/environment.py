"""The training environment for tests: made once by the code of `veristill train setup --cpu`, then found again.

`VERISTILL_TRAIN_ENV` names one; else it lies in ~/.cache/veristill under a name that changes with the pins. Processes
that need it at the same time wait for the one that makes it.
"""

import os
from pathlib import Path

from curate.errors import VeristillError
from curate.progress import Progress
from train.setup import READY, key, setup

_CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "veristill"


def place() -> Path:
    """Its folder, whether or not it is made."""
    named = os.environ.get("VERISTILL_TRAIN_ENV")
    return Path(named) if named else _CACHE / f"train-{key('cpu')}"


def missing_part() -> str | None:
    """Why it cannot be had; None where it is ready, or was made just now.

    It is made where every part is required, or where nobody else would: never by accident, since that fetches 700 MB.
    """
    if (place() / READY).exists():
        return None
    if os.environ.get("VERISTILL_REQUIRE") != "all":
        return f"training environment (make train-env, or VERISTILL_TRAIN_ENV; it would lie in {place()})"
    try:
        setup(place(), "cpu", Progress(), wait=True)
    except VeristillError as error:
        return f"training environment: {error}"
    return None


def python() -> Path:
    """Its interpreter."""
    return place() / "bin" / "python"


if __name__ == "__main__":
    print(f"the training environment for tests: {setup(place(), 'cpu', Progress(), wait=True).folder}")
