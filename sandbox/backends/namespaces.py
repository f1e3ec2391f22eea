"""Tests in namespaces of the Linux kernel, without any daemon or image: one zygote a worker, one fresh cell a test.

Needs Linux 5.14 with user namespaces; works as root and as an ordinary user. There is no fallback: where the kernel
refuses a step, `run` raises SandboxError.
"""

import json
import platform
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from sandbox.backends.exchange import exchange
from sandbox.frames import Facts, Job
from sandbox.model import Limits, SandboxError
from sandbox.packages import added, installed
from sandbox.workers import Workers

_ZYGOTE = Path(__file__).parent.parent / "zygote.py"
# Not -I, which would ignore PYTHONHASHSEED; the environment below holds nothing else that Python reads.
_FLAGS = ("-P", "-s", "-S", "-B")
_ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "HOME": "/tmp",
    "LANG": "C.UTF-8",
    "TZ": "UTC",
    "PYTHONHASHSEED": "0",
    "PYTHONUTF8": "1",
    "OPENBLAS_NUM_THREADS": "1",  # a thread a core would take the memory limit for their buffers
    "OMP_NUM_THREADS": "1",
}
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store")
_INSTALLED, _ADDED = "/site", "/packages"  # where packages lie inside


class Namespaces:
    """A pool of zygotes. An async context manager; `run` is safe to call from any number of tasks at once."""

    name = "namespaces"

    def __init__(self, workers: int, *, packages: Sequence[str] = ()) -> None:
        self._workers = Workers(_command(packages), count=workers, env=_ENVIRONMENT)

    async def __aenter__(self) -> Self:
        await self._workers.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._workers.__aexit__(kind, error, trace)

    async def run(self, job: Job, limits: Limits) -> list[Facts]:
        """See `Backend`."""
        return await exchange(self._workers, job, limits, _advice)


def _command(packages: Sequence[str]) -> list[str]:
    if sys.platform != "linux":
        raise SandboxError(f"this sandbox needs Linux, and this is {sys.platform}", next="run it on a Linux machine")
    if platform.machine() not in ("x86_64", "aarch64"):
        raise SandboxError(f"this sandbox knows no system calls of {platform.machine()}; it knows x86_64 and aarch64")
    python = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    sites = _sites(packages)
    settings = {
        "shown": _shown(sites),
        "paths": [path for path in (_ADDED, _INSTALLED) if any(one.startswith(path) for one in sites.values())],
        "python": str(python),
    }
    return [sys.executable, *_FLAGS, str(_ZYGOTE), json.dumps(settings)]


def _sites(packages: Sequence[str]) -> dict[str, str]:
    """Files and folders of the packages that tests can import, and the names that these get inside."""
    sites = {str(path): f"{_INSTALLED}/{name}" for name, path in installed(packages).items()}
    if (folder := added(packages)) is not None:
        sites[str(folder)] = _ADDED
    return sites


def _shown(sites: Mapping[str, str]) -> dict[str, str]:
    """What a test sees of this machine: system libraries, this Python, and installed packages."""
    shown: dict[str, str] = {}
    system = {path for path in _SYSTEM if Path(path).is_dir() and not Path(path).is_symlink()}
    for path in sorted({*system, sys.base_prefix, sys.base_exec_prefix}, key=len):
        if not any(Path(path).is_relative_to(other) for other in shown):
            shown[path] = path
    if any(Path(path).is_relative_to("/tmp") for path in shown):
        raise SandboxError(f"Python lies in /tmp ({sys.base_prefix}), which every test has for itself",
                           next="use a Python installed elsewhere")  # fmt: skip
    return {**shown, **sites}


def _advice(detail: str) -> str:
    """The next thing to do, from what failed and the switches that kernels have for it."""
    for switch, off, command in (
        ("/proc/sys/kernel/unprivileged_userns_clone", "0", "sysctl -w kernel.unprivileged_userns_clone=1"),
        ("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1",
         "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"),
        ("/proc/sys/user/max_user_namespaces", "0", "sysctl -w user.max_user_namespaces=15000"),
    ):  # fmt: skip
        if Path(switch).exists() and Path(switch).read_text().strip() == off:
            return f"as root: {command}"
    if Path("/.dockerenv").exists():
        return "start this container with --security-opt seccomp=unconfined --security-opt systempaths=unconfined"
    if "Function not implemented" in detail:
        return "use a kernel of version 5.14 or later"
    return "allow user namespaces for this user (see docs/reference/sandbox.md, 'What it needs')"
