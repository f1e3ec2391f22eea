"""Interpreters of their own for tests that need what must not stand beside the core: the SDKs of clouds.

`python -m tests.train.interpreters` makes all of them.
"""

import os
from collections.abc import Callable
from pathlib import Path

from curate.run import locked
from tests.compat.environments import NoPackages, environment, place

SAGEMAKER = ("sagemaker-train==1.27.0", "moto[s3]==5.2.5", "flask", "flask-cors")
SCHEMAS = ("skypilot==0.14.1", "kubeflow-trainer-api==2.3.0")


def interpreter(variable: str, packages: tuple[str, ...], missing: Callable[[str], None]) -> Path:
    """The Python in the folder that `variable` names, else one that was made before.

    It is made here only where every part is required: hundreds of megabytes are never fetched by accident.
    """
    if folder := os.environ.get(variable):
        return Path(folder) / "bin" / "python"
    required = os.environ.get("VERISTILL_REQUIRE") == "all"
    if not required and not (place(*packages) / "complete").exists():
        missing(f"an environment with {packages[0]} ({variable}, or python -m tests.train.interpreters)")
    try:
        return made(packages)
    except NoPackages as error:
        missing(f"{packages[0]} from an index: {error}")
        raise


def made(packages: tuple[str, ...]) -> Path:
    """The Python of an environment; processes that need it at the same time wait for the one that makes it."""
    folder = place(*packages)
    folder.parent.mkdir(exist_ok=True)
    handle = locked(folder.parent / f".{folder.name}.lock", "it is being made", wait=True)
    try:
        return environment(*packages)
    finally:
        os.close(handle)


if __name__ == "__main__":
    for each in (SAGEMAKER, SCHEMAS):
        print(made(each))
