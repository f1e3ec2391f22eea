"""Looks at the interpreter that runs it and prints what training will find there, as one JSON object.

Runs in the training interpreter (`python -I examine.py [--imports]`) with the standard library alone. It reports facts;
what they mean is for the control process to say.
"""

import json
import os
import platform
import shutil
import sys
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

ROOTS = ("llamafactory", "accelerate", "deepspeed")  # what a training environment is for
# In this order: the first that fails is the cause of those after it.
IMPORTS = ("torch", "torchvision", "torchaudio", "transformers", "accelerate", "deepspeed", "llamafactory.train.tuner")


def main() -> None:
    """Print the facts. Whatever the imports print goes to standard error."""
    out = os.dup(1)
    os.dup2(2, 1)
    found: dict[str, Any] = {
        "python": platform.python_version(),
        "executable": sys.executable,
        "prefix": sys.prefix,
        "host": platform.node(),
        "packages": _packages(),
        "unmet": _unmet(),
        "programs": {name: shutil.which(name, path=_path()) for name in ("g++", "ninja", "nvcc")},
    }
    found["flavour"] = _flavour(found["packages"].get("torch"))
    if "--imports" in sys.argv[1:]:
        found["broken"] = _broken()
        found["gpus"] = _gpus()
        found["ops"] = _ops()
    os.write(out, json.dumps(found).encode() + b"\n")


def _path() -> str:
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])


def _packages() -> dict[str, str]:
    """Every installed distribution, by its plain name."""
    found: dict[str, str] = {}
    for one in metadata.distributions():
        name = one.metadata["Name"]
        if name:
            found.setdefault(_plain(name), one.version)
    return dict(sorted(found.items()))


def _plain(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def _unmet() -> list[dict[str, str | None]]:
    """What the roots and all that they need ask for, and is not so: `by` asks for `wanted`; `found` None: not there."""
    try:
        from packaging.requirements import Requirement
    except ImportError:
        return [{"by": "transformers", "wanted": "packaging", "found": None}]
    unmet, seen, waiting = [], set(ROOTS), list(ROOTS)
    while waiting:
        by = waiting.pop()
        try:
            wanted = metadata.requires(by) or []
        except metadata.PackageNotFoundError:
            continue
        for text in wanted:
            one = Requirement(text)
            if one.marker is not None and not one.marker.evaluate({"extra": ""}):
                continue
            found = _version(one.name)
            if found is None or not one.specifier.contains(found, prereleases=True):
                unmet.append({"by": by, "wanted": f"{one.name}{one.specifier}", "found": found})
            if _plain(one.name) not in seen:
                seen.add(_plain(one.name))
                waiting.append(one.name)
    return unmet


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _flavour(version: str | None) -> str | None:
    """`cpu` or `cuda`, read from torch's own version file without importing it; None where there is no torch."""
    if version is None:
        return None
    place = Path(str(metadata.distribution("torch").locate_file("torch/version.py")))
    text = place.read_text("utf-8") if place.is_file() else ""
    return "cuda" if any(line.startswith("cuda") and "'" in line for line in text.splitlines()) else "cpu"


def _broken() -> dict[str, str]:
    """What cannot be imported, and why; what is not installed and not needed is not tried."""
    broken = {}
    for name in IMPORTS:
        if name == "torchvision" and _version(name) is None:
            continue
        try:
            import_module(name)
        except BaseException as error:  # noqa: BLE001 - boundary to foreign packages: a broken library raises anything
            broken[name] = f"{type(error).__name__}: {error}"
    return broken


def _gpus() -> list[dict[str, Any]]:
    try:
        torch: Any = import_module("torch")
        found = [torch.cuda.get_device_properties(number) for number in range(torch.cuda.device_count())]
    except Exception:  # noqa: BLE001 - boundary to torch and its driver: no GPU that can be used
        return []
    return [{"name": one.name, "memory": one.total_memory} for one in found]


def _ops() -> list[str]:
    """DeepSpeed's operators that were compiled ahead, for the accelerator that they were compiled for."""
    try:
        installed: Any = import_module("deepspeed.git_version_info")
    except Exception:  # noqa: BLE001 - boundary to DeepSpeed: said by `broken`
        return []
    return sorted(name for name, there in installed.installed_ops.items() if there)


if __name__ == "__main__":
    main()
