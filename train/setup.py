"""Makes the training environment: an interpreter of its own with LLaMA-Factory and DeepSpeed, by exact pins.

Every step can be done again, so a killed set-up goes on where it was; an environment that we did not make is looked at
and never changed. The pins are a closed set and are installed without a resolver, because pip, left alone, takes
torchvision's newest build and with it another torch.
"""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

from curate.errors import Failed, InputError, Prerequisite, Stopped
from curate.progress import Progress
from curate.run import locked, replace_file, usable
from train.environment import Examined, Flavour, examine, pins, quiet

READY = ".ready"  # written last: what was made, by which pins
_LOG = "setup.log"
_BEGUN = ".veristill-setup"
_MADE_ON = ".compiled-for"  # the kind of CPU that operators were compiled for
_CPU_TORCH = "https://download.pytorch.org/whl/cpu"  # the builds for the CPU; PyPI has the one for CUDA
_GIGABYTES = {"cpu": 4, "cuda": 14}  # the environment and what pip unpacks on the way
_NEWEST = (3, 12)  # the pins are not the whole set beyond it
_NVIDIA = 25  # packages that torch for CUDA brings
_STUB = '''"""Stands where torchaudio is imported and never used: PyPI's build needs CUDA, text needs none."""

__version__ = "{version}"


def __getattr__(name: str) -> object:
    raise ImportError(f"torchaudio.{{name}}: this environment was made for text on the CPU, without torchaudio")
'''


class Made(NamedTuple):
    """An environment that is ready: its folder, its interpreter, and what was found in it."""

    folder: Path
    python: Path
    found: Examined


def setup(folder: Path, flavour: Flavour, progress: Progress, *, wait: bool = False, base: str | None = None) -> Made:
    """Make the environment in `folder`, or go on making it, and examine it. One that is ready is only examined.

    `base` is the Python that it is made with, by default the one that runs us; with `wait`, another process that makes
    the same one is waited for. Raises InputError where the folder is something else, Prerequisite for what is missing
    here (disk, Python, a build of torch), Stopped where pip fails or another process is at it, and Failed where
    the finished environment does not work.
    """
    folder = folder.absolute()
    python = folder / "bin" / "python"
    with usable(folder, "choose another folder with --python"):
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = locked(folder.parent / f".{folder.name}.lock", "this environment is being made already", wait=wait)
        try:
            if not _ready(folder, flavour):
                _fresh_or_ours(folder, flavour)
                _Making(folder, flavour, progress).run(base or sys.executable)
        finally:
            os.close(lock)
    found = examine(python)
    problems = found.problems()
    if found.flavour not in (flavour, None):
        problems.insert(0, f"torch {found.packages['torch']} is not a build for {flavour}")
    if problems:
        raise Failed("the environment does not work:\n  " + "\n  ".join(problems), where=str(folder),
                     next=f"remove {folder} and run the same command again")  # fmt: skip
    return Made(folder, python, found)


def key(flavour: Flavour) -> str:
    """A short name for the pins: another environment is made where they change."""
    text = json.dumps([flavour, pins(flavour), _STUB], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def likely() -> Flavour:
    """`cuda` where this machine has an NVIDIA driver."""
    return "cuda" if shutil.which("nvidia-smi") or Path("/dev/nvidiactl").exists() else "cpu"


def _ready(folder: Path, flavour: Flavour) -> bool:
    try:
        made = json.loads((folder / READY).read_text("utf-8"))
    except (OSError, ValueError):
        return False
    there = made.get("flavour") == flavour and made.get("pins") == key(flavour)
    made_on = folder / _MADE_ON
    return bool(there and (not made_on.exists() or made_on.read_text("utf-8") == _cpu()))


def _fresh_or_ours(folder: Path, flavour: Flavour) -> None:
    """Raises InputError for a folder that holds something we did not put there."""
    begun = folder / _BEGUN
    if not folder.exists() or not any(folder.iterdir()):
        return
    if not begun.exists():
        raise InputError(
            "this folder holds something else, which is left as it is", where=str(folder),
            next="give the folder of a new environment, or look at this one with `veristill train setup --check`",
        )  # fmt: skip
    made_for = begun.read_text("utf-8").strip()
    if made_for != flavour:
        raise InputError(f"this environment was begun for {made_for}, not for {flavour}", where=str(folder),
                         next="give another folder, or remove this one")  # fmt: skip


class _Making:
    """One set-up under way."""

    def __init__(self, folder: Path, flavour: Flavour, progress: Progress) -> None:
        self.folder, self.flavour, self.progress = folder, flavour, progress
        self.python = folder / "bin" / "python"
        self.log = folder / _LOG
        self.pins = pins(flavour)

    def run(self, base: str) -> None:
        """All steps, in order; `.ready` stands there once every one of them is done."""
        (self.folder / READY).unlink(missing_ok=True)
        _room(self.folder, self.flavour)
        self._interpreter(base)
        steps: list[tuple[str, Callable[[], None]]] = [
            ("torch", self._torch if self.flavour == "cpu" else self._cuda_torch),
            ("packages", self._packages),
            ("DeepSpeed", self._deepspeed),
        ]
        if self.flavour == "cpu":
            steps.append(("torchaudio", partial(_stub, self._site(), self.pins["torchaudio"])))
        for name, step in steps:
            self.progress.say(f"training environment: {name}")
            step()
        made = {"flavour": self.flavour, "pins": key(self.flavour), "python": str(self.python)}
        replace_file(self.folder / READY, json.dumps(made).encode())

    def _interpreter(self, base: str) -> None:
        version = _version(base)
        if not (3, 11) <= version <= _NEWEST:
            raise Prerequisite(
                f"the pins are for Python 3.11 to {_NEWEST[0]}.{_NEWEST[1]}, and this is {version[0]}.{version[1]}",
                where=base, next="veristill train setup --base python3.11",
            )  # fmt: skip
        self.folder.mkdir(exist_ok=True)
        (self.folder / _BEGUN).write_text(self.flavour, "utf-8")
        if self.python.exists() and _works(self.python, "-c", "") and any(self._site().glob("pip-*.dist-info")):
            return
        # A Python without ensurepip (Debian splits it off) makes one without pip; ours installs into it then.
        if not _works(base, "-m", "venv", str(self.folder)):
            self._do([base, "-m", "venv", "--without-pip", str(self.folder)], "making the environment")

    def _torch(self) -> None:
        """The build for the CPU has a version of its own (+cpu): from a configured index, else from PyTorch's."""
        wanted = f"torch=={self.pins['torch']}"
        if self._has("torch"):
            return
        said = self._pip(["--no-deps", wanted], 1)
        if said is not None and self._pip(["--no-deps", wanted, "--index-url", _CPU_TORCH], 1) is not None:
            raise Prerequisite(
                f"no build of {wanted} for this Python and machine is to be had", where=str(self.log),
                next=f"this needs {_CPU_TORCH}, or a folder with the wheel: export PIP_FIND_LINKS=DIR",
            )  # fmt: skip

    def _cuda_torch(self) -> None:
        """With what it asks for of NVIDIA's, which it pins itself; all else is held where the pins have it."""
        held = self.folder / "constraints.txt"
        held.write_text("".join(f"{name}=={version}\n" for name, version in self.pins.items()), "utf-8")
        wanted = sorted(set(self.pins) - set(pins("")))
        self._need(["-c", str(held), *wanted], len(wanted) + _NVIDIA)

    def _packages(self) -> None:
        apart = {*(set(self.pins) - set(pins(""))), "deepspeed"}
        wanted = [f"{name}=={version}" for name, version in self.pins.items() if name not in apart]
        self._need(["--no-deps", *wanted], len(wanted))

    def _deepspeed(self) -> None:
        """Its source is built here; on the CPU with the collectives that ZeRO needs, compiled once and for all.

        Built against the torch that is there (no isolation), and never taken from pip's cache of built wheels, which
        does not tell one with operators from one without. It is compiled for this very CPU, so on another kind of CPU
        it is built again; where it cannot be compiled, it is left to the first run.
        """
        made_on = self.folder / _MADE_ON
        if self._has("deepspeed") and (not made_on.exists() or made_on.read_text("utf-8") == _cpu()):
            return
        wanted = ["--force-reinstall", "--no-deps", "--no-build-isolation", "--no-cache-dir"]
        wanted.append(f"deepspeed=={self.pins['deepspeed']}")
        made_on.unlink(missing_ok=True)
        more = {"DS_ACCELERATOR": self.flavour}
        if self.flavour == "cpu" and shutil.which("g++") is not None:
            if self._pip(wanted, 1, {**more, "DS_BUILD_SHM_COMM": "1"}) is None:
                made_on.write_text(_cpu(), "utf-8")
                return
            self.progress.say(f"DeepSpeed's operators could not be compiled ({self._failed}): see {self.log}")
        self._need(wanted, 1, {**more, "DS_BUILD_OPS": "0"})

    def _has(self, package: str) -> bool:
        """Whether the pinned version is there; a half-unpacked one has no record and is not."""
        there = sorted(self._site().glob(f"{package}-*.dist-info"))
        version = self.pins[package]
        return [one.name for one in there] == [f"{package}-{version}.dist-info"] and (there[0] / "RECORD").exists()

    def _site(self) -> Path:
        return next(iter(self.folder.glob("lib/python*/site-packages")))

    def _need(self, arguments: list[str], count: int, more: dict[str, str] | None = None) -> None:
        said = self._pip(arguments, count, more)
        if said is not None:
            raise Stopped(f"pip failed: {said}", where=str(self.log), next="the same command goes on")

    def _pip(self, arguments: list[str], count: int, more: dict[str, str] | None = None) -> str | None:
        """Install, with progress by package; what pip said last where it failed.

        Nothing is compiled to bytecode but what the examination imports: the rest of 2 GB is never run.
        """
        pip = [str(self.python), "-m", "pip"]
        if not any(self._site().glob("pip-*.dist-info")):
            pip = [sys.executable, "-m", "pip", "--python", str(self.python)]
        command = [
            *pip,
            "install",
            "--no-compile",
            "--disable-pip-version-check",
            "--no-input",
            "--progress-bar",
            "off",
        ]
        with self.progress.stage("packages", count) as bar:
            for line in self._run([*command, *arguments], more or {}):
                if re.match(r"(Collecting|Processing|Requirement already satisfied:) ", line):
                    bar.note = line.split("/")[-1].split()[-1] if line.startswith("Processing") else line.split()[-1]
                    bar.advance(1 if bar.done < count else 0)
                if line.startswith("Installing collected packages"):
                    bar.note = "unpacking"
        return self._failed

    def _run(self, command: list[str], more: dict[str, str]) -> Iterator[str]:
        """The lines of a program, which also go to the log; `_failed` says afterwards why it failed."""
        path = os.pathsep.join([str(self.python.parent), os.environ.get("PATH", "")])
        last: list[str] = []
        with self.log.open("a", encoding="utf-8") as log:
            log.write(f"$ {' '.join(command)}\n")
            process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True,
                start_new_session=True,
                env={**quiet(), "PATH": path, **more}, errors="replace", cwd=tempfile.gettempdir(),
            )  # fmt: skip
            assert process.stdout is not None
            try:
                for line in process.stdout:
                    log.write(line)
                    last = [*last[-20:], line.strip()] if line.strip() else last
                    yield line
                code = process.wait()
            finally:
                _end(process)
        errors = [line for line in last if line.upper().startswith("ERROR")]
        self._failed = None if code == 0 else (errors or last or [f"exit code {code}"])[-1]

    _failed: str | None = None

    def _do(self, command: list[str], what: str) -> None:
        for _ in self._run(command, {}):
            pass
        if self._failed is not None:
            raise Prerequisite(f"{what} failed: {self._failed}", where=str(self.log))


def _stub(site: Path, version: str) -> None:
    """A package that may be imported and not be used."""
    place = site / "torchaudio"
    place.mkdir(exist_ok=True)
    replace_file(place / "__init__.py", _STUB.format(version=version).encode())


def _cpu() -> str:
    """The kind of this CPU: what a compiler for the machine at hand may make use of."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        return "unknown"
    flags = sorted({word for line in lines if line.startswith(("flags", "Features")) for word in line.split()[2:]})
    return hashlib.sha256(" ".join(flags).encode()).hexdigest()[:16]


def _room(folder: Path, flavour: Flavour) -> None:
    free = shutil.disk_usage(folder.parent).free / 1e9
    there = folder.exists() and any(folder.glob("lib/python*/site-packages/torch/version.py"))
    if free < _GIGABYTES[flavour] and not there:
        raise Prerequisite(f"{free:.1f} GB are free, and it takes {_GIGABYTES[flavour]} GB", where=str(folder.parent),
                           next="free some space, or choose another folder with --python")  # fmt: skip


def _version(python: str) -> tuple[int, int]:
    command = [python, "-I", "-c", "import sys; print(*sys.version_info[:2])"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise InputError(f"this Python does not start: {error}", where=python) from None
    major, minor = done.stdout.split()
    return int(major), int(minor)


def _end(process: "subprocess.Popen[str]") -> None:
    """End a program that is interrupted with all that it started: pip starts compilers."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def _works(*command: str | Path) -> bool:
    return subprocess.run([str(part) for part in command], capture_output=True, check=False).returncode == 0
