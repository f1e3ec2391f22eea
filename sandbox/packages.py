"""Which installed packages tests can import, and those that a user adds: the same ones on every backend.

Tests see the packages that judges of programming problems usually have, as far as they are installed here, with what
these need, and the ones named in `packages`; nothing else that happens to be installed. So a verdict does not depend on
what else shares an environment with us.
"""

import functools
import hashlib
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path

from sandbox.model import SandboxError

# What judges install beside Python: AtCoder's list for CPython (language update 202301), without its machine-learning
# frameworks, and what LeetCode names in its environment notes (sortedcontainers).
USUAL = (
    *("numpy", "scipy", "pandas", "sympy", "mpmath", "networkx", "sortedcontainers", "more-itertools", "bitarray"),
    *("gmpy2", "numba", "shapely", "pulp", "z3-solver", "scikit-learn", "ac-library-python"),
)
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_PIP_S = 1800.0


class PackagesError(SandboxError):
    """What `packages` asks for cannot be had: no backend would open, however well it isolates."""


def installed(extra: Sequence[str] = ()) -> dict[str, Path]:
    """Files and folders of the installed packages that tests see, by their name at the top of `site-packages`.

    `extra` are requirements; those that are a mere name of an installed package come from there too.
    """
    found: dict[str, Path] = {}
    for distribution in _closure([*USUAL, *extra]):
        for file in distribution.files or ():
            top = file.parts[0]
            if top not in ("..", "__pycache__", "/") and top not in found and not top.endswith(".pth"):
                path = Path(str(distribution.locate_file(top)))
                if path.exists():
                    found[top] = path.resolve()
    return found


def added(extra: Sequence[str], *, all_of_them: bool = False) -> Path | None:
    """A folder with the requirements that are not installed (or all), and what they need; None where there are none.

    It is filled by pip when first needed, named by what it holds, and used again. Raises PackagesError with the command
    to run where pip cannot get them.
    """
    wanted = sorted({one.strip() for one in extra if all_of_them or not _here(one.strip())})
    if not wanted:
        return None
    for one in wanted:
        if one.startswith("-"):
            raise PackagesError(f"packages: {one!r} is an option of pip, not a package")
    key = hashlib.sha256("\n".join([sys.version, *wanted]).encode()).hexdigest()[:16]
    folder = _cache() / "packages" / key
    if not folder.is_dir():
        _install(wanted, folder)
    return folder


def modules(extra: Sequence[str] = ()) -> frozenset[str]:
    """Names of the modules outside the standard library that tests can import."""
    names = set(installed(extra))
    if (folder := added(extra)) is not None:
        names |= set(os.listdir(folder))  # noqa: PTH208
    return frozenset(name.partition(".")[0] for name in names)


def _here(requirement: str) -> bool:
    return _NAME.fullmatch(requirement) is not None and _distribution(requirement) is not None


def _closure(names: Iterable[str]) -> list[metadata.Distribution]:
    """The installed ones among `names`, and all that they need."""
    found: dict[str, metadata.Distribution] = {}
    waiting = list(names)
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        distribution = None if name in found else _distribution(name)
        if distribution is None:
            continue
        found[name] = distribution
        for requirement in distribution.requires or ():
            match = _NAME.match(requirement)
            if match is not None and not re.search(r"\bextra\s*==", requirement):
                waiting.append(match.group())
    return [found[name] for name in sorted(found)]


@functools.cache
def _distribution(name: str) -> metadata.Distribution | None:
    try:
        return metadata.distribution(name)
    except (metadata.PackageNotFoundError, ValueError):
        return None


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "veristill"


def _install(wanted: list[str], folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    pip = _pip()
    told = ["install", "--disable-pip-version-check", "--no-input", "--quiet", "--target"]
    advice = shlex.join([*pip, "install", "--target", str(folder), *wanted])
    with tempfile.TemporaryDirectory(dir=folder.parent) as place:
        fresh = Path(place, "site")
        try:
            subprocess.run(
                [*pip, *told, str(fresh), *wanted], check=True, capture_output=True, text=True, timeout=_PIP_S
            )
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as failed:
            said = str(failed.stderr or failed).strip().splitlines()
            last = next((line for line in reversed(said) if "ERROR" in line), said[-1] if said else "")
            raise PackagesError(
                f"cannot install packages for tests ({', '.join(wanted)}): {last}", next=f"with a network: {advice}"
            ) from None
        try:
            fresh.rename(folder)
        except OSError:  # another process was faster
            if not folder.is_dir():
                raise


def _pip() -> list[str]:
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    found = shutil.which("pip3") or shutil.which("pip")
    if found is None:
        raise PackagesError("packages: there is no pip to install them with", next=f"{sys.executable} -m ensurepip")
    return [found, "--python", sys.executable]
