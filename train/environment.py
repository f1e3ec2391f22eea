"""The training interpreter as the control process sees it: where it is, what is in it, and what is wrong with it.

Nothing here imports torch or LLaMA-Factory: `train/inside/examine.py` runs in that interpreter and reports.
"""

import json
import os
import subprocess
import sys
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from curate.errors import InputError, Prerequisite

VARIABLE = "VERISTILL_TRAIN_ENV"
NEEDED = ("llamafactory", "torch", "transformers", "accelerate", "datasets", "peft", "trl", "deepspeed")
_PATIENCE_S = 600.0  # the first import of a fresh environment on a slow disk
_SETUP = "veristill train setup"
Flavour = Literal["cpu", "cuda"]


class Examined(BaseModel):
    """What `examine.py` found. `broken` and `ops` are None where nothing was imported."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    python: str
    executable: str
    prefix: str
    host: str = ""
    packages: dict[str, str]
    unmet: list[dict[str, str | None]]
    programs: dict[str, str | None]
    flavour: Flavour | None = None
    broken: dict[str, str] | None = None
    gpus: list[dict[str, Any]] = []
    ops: list[str] | None = None

    def problems(self, accelerator: Flavour | None = None) -> list[str]:
        """Why training on `accelerator` (None: whichever it was made for) cannot work here; each with its remedy."""
        found = [f"{name} is not installed: {_SETUP} makes an environment that has it"
                 for name in NEEDED if name not in self.packages]  # fmt: skip
        if tuple(int(part) for part in self.python.split(".")[:2]) < (3, 11):
            found.append(f"Python {self.python} is older than 3.11, which llamafactory needs")
        found += [_unmet(one) for one in self.unmet if not self._tolerated(one)]
        found += [self._why(name, said) for name, said in (self.broken or {}).items()]
        if accelerator == "cuda" and self.flavour == "cpu":
            found.append("torch is a build for the CPU, and the recipe trains on GPUs: veristill train setup --cuda")
        elif accelerator == "cuda" and self.broken is not None and not self.gpus and "torch" not in self.broken:
            found.append("torch sees no GPU here: look at nvidia-smi, and at CUDA_VISIBLE_DEVICES")
        return found

    def warnings(self) -> list[str]:
        """What differs from the pins, or will be slow or missing later; training may well work."""
        pinned = pins(self.flavour or "cpu")
        other = [f"{name} {self.packages[name]} (tested: {pinned[name]})" for name in NEEDED
                 if name in self.packages and _public(self.packages[name]) != _public(pinned[name])]  # fmt: skip
        found = [f"other versions than the tested ones: {', '.join(other)}"] if other else []
        if self.flavour == "cpu" and self.ops is not None and "deepspeed_shm_comm" not in self.ops:
            found.append("DeepSpeed compiles its CPU collectives at the first run, minutes long" + self._compiler())
        if self.flavour == "cuda" and self.programs.get("nvcc") is None:
            found.append("there is no nvcc: `offload:` compiles DeepSpeed's CPU Adam and needs the CUDA toolkit")
        return found

    def _compiler(self) -> str:
        lacking = [name for name in ("g++", "ninja") if self.programs.get(name) is None]
        return f", and needs {' and '.join(lacking)} for it" if lacking else ""

    def _tolerated(self, one: dict[str, str | None]) -> bool:
        """Left out on purpose on the CPU: text needs neither, and PyPI's builds are linked against CUDA."""
        absent = self.flavour == "cpu" and one["found"] is None
        return absent and (one["wanted"] or "").startswith(("torchvision", "torchaudio"))

    def _why(self, name: str, said: str) -> str:
        """A failed import in words, with the remedy where the cause is a known one."""
        first = f"import {name} fails: {said.splitlines()[0]}"
        if self.flavour == "cpu" and ("torchvision::nms" in said or name == "torchvision"):
            return f"{first}\n  torchvision from PyPI is built for CUDA: {self.executable} -m pip uninstall torchvision"
        if self.flavour == "cpu" and "torchaudio" in f"{name} {said}":
            return (
                f"{first}\n  torchaudio from PyPI is built for CUDA, and llamafactory imports it always: "
                f"take one from https://download.pytorch.org/whl/cpu, or make an environment with {_SETUP} --cpu"
            )
        return first


def _unmet(one: dict[str, str | None]) -> str:
    there = f"{one['found']} is there" if one["found"] else "it is not there"
    return f"{one['by']} asks for {one['wanted']}, and {there}"


def _public(version: str) -> str:
    return version.partition("+")[0]


@cache
def pins(flavour: Flavour | Literal[""]) -> dict[str, str]:
    """The tested version of every package, by name: train/pins.txt and, but for "", train/pins-<flavour>.txt."""
    found = {}
    for name in ("pins.txt", f"pins-{flavour}.txt") if flavour else ("pins.txt",):
        for line in files("train").joinpath(name).read_text("utf-8").splitlines():
            written = line.partition("#")[0].partition(";")[0].strip()
            if written:
                package, _, version = written.partition("==")
                found[package.strip().lower().replace("_", "-").replace(".", "-")] = version.strip()
    return found


def interpreter(python: Path | None, root: Path) -> Path:
    """The training interpreter that `python` (a recipe's `train.python`: a program, or an environment's folder) means.

    Without one: the environment that VERISTILL_TRAIN_ENV names, else `<root>/.train`, else the running interpreter
    where LLaMA-Factory is installed beside us. Raises InputError where what is named is not there, else Prerequisite.
    """
    if python is not None:
        return _program(python, "train.python")
    if named := os.environ.get(VARIABLE):
        return _program(Path(named), VARIABLE)
    own = root / ".train"
    if (own / "bin" / "python").exists():
        return (own / "bin" / "python").absolute()
    if _beside_us():
        return Path(sys.executable)
    raise Prerequisite("there is no training environment", where=str(own.absolute()), next=_SETUP)


def _program(place: Path, where: str) -> Path:
    found = place / "bin" / "python" if place.is_dir() else place
    if not os.access(found, os.X_OK) or found.is_dir():
        raise InputError(f"there is no Python at {found}", where=where, next=f"{_SETUP} --python {place}")
    return found.absolute()  # never resolved: the link in an environment is what makes it one


def _beside_us() -> bool:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return bool(version("llamafactory"))
    except PackageNotFoundError:
        return False


def examine(python: Path, *, imports: bool = True) -> Examined:
    """Look at a training interpreter. Importing everything takes seconds, and is the only proof that it works.

    Raises Prerequisite where it does not even start.
    """
    script = files("train").joinpath("inside", "examine.py")
    command = [str(python), "-I", str(script), *(["--imports"] if imports else [])]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_S, env=quiet(), check=False)
        return Examined.model_validate_json(done.stdout.strip().rpartition("\n")[2])
    except subprocess.TimeoutExpired:
        raise Prerequisite(f"importing took more than {_PATIENCE_S:.0f} s", where=str(python)) from None
    except OSError as error:
        raise Prerequisite(f"it does not start: {error.strerror}", where=str(python), next=_SETUP) from None
    except ValueError:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise Prerequisite(f"it cannot be examined: {last}", where=str(python), next=_SETUP) from None


def quiet() -> dict[str, str]:
    """The environment in which the training interpreter is asked something: no network, one thread, no usage report."""
    away = {"PYTHONPATH", "PYTHONHOME"}
    return {
        **{name: value for name, value in os.environ.items() if name not in away},
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONSAFEPATH": "1",
    }


def said(found: Examined) -> dict[str, Any]:
    """One line each for people and `--json`: the interpreter, its packages, its GPUs."""
    versions = ", ".join(f"{name} {found.packages[name]}" for name in NEEDED if name in found.packages)
    gpus = json.dumps([one["name"] for one in found.gpus]) if found.gpus else "none"
    return {"interpreter": found.executable, "python": found.python, "packages": versions, "gpus": gpus}
