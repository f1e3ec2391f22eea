"""Tests in namespaces of the Linux kernel, without any daemon or image: one zygote a worker, one fresh cell a test.

Needs Linux 5.14 with user namespaces; works as root and as an ordinary user. There is no fallback: where the kernel
refuses a step, `run` raises SandboxError.
"""

import json
import math
import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from sandbox.inside.wire import pack, unpack
from sandbox.model import Limits, SandboxError
from sandbox.verdict import Facts, Job
from sandbox.workers import JobCrashed, JobTimeout, Workers

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
_PATIENCE_S = 60.0  # for a zygote that hangs: a test itself is watched, and ended long before
_TRIES = 2  # of a test whose zygote hangs


class Namespaces:
    """A pool of zygotes. An async context manager; `run` is safe to call from any number of tasks at once."""

    name = "namespaces"

    def __init__(self, workers: int) -> None:
        self._workers = Workers(_command(), count=workers, env=_ENVIRONMENT)

    async def __aenter__(self) -> Self:
        await self._workers.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._workers.__aexit__(kind, error, trace)

    async def run(self, job: Job, limits: Limits) -> Facts:
        """Run one test and say how it ended.

        Raises SandboxError where no zygote can start, or the test's zygotes broke (a defect or a sick machine).
        """
        idle_s = limits.wall_s if limits.wall_s is not None else 3 * limits.cpu_s + 5
        header = {
            "kind": job.kind,
            "entry": job.entry,
            "limits": {
                "cpu_s": limits.cpu_s,
                "idle_s": idle_s,
                "memory": limits.memory_mb << 20,
                "output": limits.output_mb << 20,
                "processes": limits.processes,
            },
        }
        message = pack(json.dumps(header).encode(), job.source, job.data)
        patience = _PATIENCE_S + 10 * (idle_s + limits.cpu_s)
        for _ in range(_TRIES):
            try:
                answer = await self._workers.run(message, cpu_s=math.inf, wall_s=patience)
            except JobTimeout:
                continue
            except JobCrashed as crashed:
                what = f"the sandbox broke twice on one test: {crashed.how[-500:]}"
                raise SandboxError(what, next=_advice(crashed.how)) from None
            except SandboxError as error:
                raise SandboxError(f"no sandbox can start here: {error.what}", next=_advice(error.what)) from None
            facts, report, stdout = unpack(answer)
            return Facts(**json.loads(facts), report=report, stdout=stdout)
        raise SandboxError(f"a test had no answer after {patience:.0f} s, twice")


def _command() -> list[str]:
    if sys.platform != "linux":
        raise SandboxError(f"this sandbox needs Linux, and this is {sys.platform}", next="run it on a Linux machine")
    if platform.machine() not in ("x86_64", "aarch64"):
        raise SandboxError(f"this sandbox knows no system calls of {platform.machine()}; it knows x86_64 and aarch64")
    python = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    sites = _sites()
    settings = {
        "shown": _shown(sites),
        "paths": list(sites.values()),
        "python": str(python),
    }
    return [sys.executable, *_FLAGS, str(_ZYGOTE), json.dumps(settings)]


def _sites() -> dict[str, str]:
    """Where installed packages lie: their folders here, and the names that these get inside."""
    folders = [
        path for path in sys.path if Path(path).name in ("site-packages", "dist-packages") and Path(path).is_dir()
    ]
    return {path: f"/site/{number}" for number, path in enumerate(dict.fromkeys(folders))}


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
