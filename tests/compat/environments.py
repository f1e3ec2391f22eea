"""Virtual environments that hold one requirement and what pip resolves for it; kept under .venvs/ between runs."""

import hashlib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class NoPackages(Exception):
    """pip could not bring the packages (no network, no mirror)."""


def place(*requirements: str) -> Path:
    """The folder of an environment, whether or not it is made."""
    name = "-".join(requirements).replace("==", "-")
    mark = hashlib.sha256(f"{sys.version}\n{requirements}".encode()).hexdigest()[:8]
    return ROOT / ".venvs" / f"{name}-{mark}"


def environment(*requirements: str) -> Path:
    """The Python of an environment with exactly `requirements`, made on first use."""
    folder = place(*requirements)
    python = folder / "bin" / "python"
    if (folder / "complete").exists():
        return python
    subprocess.run([sys.executable, "-P", "-m", "venv", "--clear", "--without-pip", str(folder)], check=True)
    # Our own pip installs there (theirs would be one package more), and compiles no bytecode: what is imported compiles
    # itself, and all of pandas is not.
    pip = [sys.executable, "-P", "-m", "pip", "--python", str(python), "--disable-pip-version-check", "--quiet"]
    done = subprocess.run([*pip, "install", "--no-compile", *requirements], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NoPackages(done.stderr[-2000:])
    (folder / "complete").write_text("\n".join(requirements))
    return python
