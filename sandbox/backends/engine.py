"""The Docker engine: reaching it, the image, how a container is closed in, and what dead owners left behind."""

import hashlib
import json
import os
import platform
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox import image, packages
from sandbox.model import SandboxError

if TYPE_CHECKING:
    from docker import APIClient

REPOSITORY = "veristill-sandbox"
_LABEL = "veristill.sandbox"  # whose a container is: boot id, process id, start time of the process
_POOL = "veristill.pool"  # which open sandbox of that process
_ADDED = "/opt/veristill-packages"  # as boot.py looks for it
_PROFILE = Path(__file__).parent / "seccomp.json"
_BOOT = Path(__file__).parent / "boot.py"
_ANSWER_S = 120.0  # for the engine to do one thing
_GREETING_S = 5.0  # for it to say that it is there
_STALE_S = 3600.0  # of a container that never ran, made on another machine or before a restart
_CLEAR_S = 20.0  # for an engine to remove what a pool left, and between two looks
_PAUSE_S = 0.1
LEASE_S = 300.0  # without a job, after which a container ends: an engine that crashed does not tell it that we are gone
_SCRATCH = "rw,nosuid,nodev,noexec,size=4m,nr_inodes=1024,mode=1777"
ENVIRONMENT = {
    "HOME": "/tmp",
    "LANG": "C.UTF-8",
    "TZ": "UTC",
    "PYTHONHASHSEED": "0",
    "PYTHONUTF8": "1",
    "PYTHONSAFEPATH": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "VERISTILL_PARENT": "0",  # worker_loop.PARENT: the first process of a container has none
}


def connect() -> "APIClient":
    """A client of the engine that `DOCKER_HOST` names, or of this machine's. Raises SandboxError if none answers."""
    where = os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
    if where.startswith("unix://") and not Path(where.removeprefix("unix://")).exists():
        raise _silent(where, "there is no such file")  # without importing a client for it
    from docker import APIClient
    from docker.errors import DockerException
    from docker.utils import kwargs_from_env

    try:
        client = APIClient(version="auto", timeout=_GREETING_S, **kwargs_from_env())
        client.ping()
    except (DockerException, OSError, ValueError) as error:
        raise _silent(where, str(error)[:200]) from None
    if client.base_url.startswith("https") or os.environ.get("DOCKER_HOST", "").startswith("ssh://"):
        raise SandboxError(
            "the sandbox talks to Docker over unix:// and tcp:// only, not over TLS or ssh://",
            next="forward it: ssh -NL /tmp/docker.sock:/var/run/docker.sock HOST; DOCKER_HOST=unix:///tmp/docker.sock",
        )
    client.timeout = _ANSWER_S
    return client


def _silent(where: str, why: str) -> SandboxError:
    return SandboxError(
        f"no Docker engine answers at {where}: {why}", next="start Docker, or name a running engine in DOCKER_HOST"
    )


def ready_image(client: "APIClient", named: str | None, extra: Sequence[str]) -> str:
    """The id of the image to run: `named`, or one made from this machine's Python, with `extra` packages in it."""
    if named is not None:
        base = _existing(client, named) or _pulled(client, named)
        folder = packages.added(extra, all_of_them=True)
    else:
        base = _own(client, extra)
        folder = packages.added(extra)
    return base if folder is None else _with_packages(client, base, folder)


def _existing(client: "APIClient", name: str) -> str | None:
    from docker.errors import ImageNotFound

    try:
        found: str = client.inspect_image(name)["Id"]
    except ImageNotFound:
        return None
    return found


def _pulled(client: "APIClient", name: str) -> str:
    from docker.errors import DockerException

    try:
        client.pull(name)
        found: str = client.inspect_image(name)["Id"]
    except DockerException as error:
        raise SandboxError(f"there is no image {name}, and it cannot be pulled: {str(error)[:200]}",
                           next=f"docker build -t {name} .  (docs/how-to/docker.md)") from None  # fmt: skip
    return found


def _own(client: "APIClient", extra: Sequence[str]) -> str:
    found = image.contents(packages.installed(extra))
    name = f"{REPOSITORY}:{found.key()}"
    if (there := _existing(client, name)) is not None:
        return there
    tag = name.partition(":")[2]
    with image.stream(found) as file:
        pieces = iter(lambda: file.read(1 << 20), b"")
        said = client.import_image(src=pieces, stream_src=True, repository=REPOSITORY, tag=tag)
    if (there := _existing(client, name)) is None:
        raise SandboxError(f"the engine did not take the sandbox's image: {said[-300:]}")
    return there


def _with_packages(client: "APIClient", base: str, folder: Path) -> str:
    key = hashlib.sha256(f"{base} {folder.name}".encode()).hexdigest()[:20]
    name = f"{REPOSITORY}:{key}"
    if (there := _existing(client, name)) is not None:
        return there
    made = client.create_container(base, command=["true"], network_disabled=True, labels={_LABEL: owner()})["Id"]
    try:
        client.put_archive(made, "/", image.packed(folder, _ADDED))
        done: str = client.commit(made, repository=REPOSITORY, tag=key)["Id"]
    finally:
        client.remove_container(made, force=True, v=True)
    return done


def create(client: "APIClient", base: str, *, pool: str, memory: int, processes: int, runtime: str | None) -> str:
    """Make a container of a pool, not started. `memory` is in bytes. Returns its id."""
    host = client.create_host_config(
        network_mode="none",
        read_only=True,
        cap_drop=["ALL"],
        security_opt=_security(client),
        mem_limit=memory,
        memswap_limit=memory,
        pids_limit=processes,
        nano_cpus=10**9 * min(2, os.cpu_count() or 1),
        tmpfs={"/tmp": _SCRATCH},
        shm_size=1 << 20,
        ipc_mode="private",
        auto_remove=True,
        log_config={"Type": "none"},
        runtime=runtime,
    )
    # The zygote mounts a fresh /proc for each test, in namespaces of its own; the kernel allows that only while no
    # part of the container's own is covered. What Docker would cover, no test ever sees.
    host["MaskedPaths"], host["ReadonlyPaths"] = [], []
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    made = client.create_container(
        base,
        command=["-P", "-s", "-S", "-B", "-c", _BOOT.read_text(), python, str(LEASE_S)],
        entrypoint=["python3"],
        user="65534:65534",
        working_dir="/tmp",
        environment=ENVIRONMENT,
        labels={_LABEL: owner(), _POOL: pool},
        network_disabled=True,
        stdin_open=True,
        host_config=host,
        healthcheck={"test": ["NONE"]},
        stop_signal="SIGKILL",  # nothing in it waits for a polite one: an engine that restarts is not held up
    )
    container: str = made["Id"]
    return container


def fit(client: "APIClient", containers: Sequence[str], *, memory: int, processes: int) -> None:
    """Give running containers other limits."""
    for one in containers:
        client.update_container(one, mem_limit=memory, memswap_limit=memory)
        data = {"PidsLimit": processes}  # which this library's update_container does not know
        client._result(client._post_json(client._url("/containers/{0}/update", one), data=data))


def _security(client: "APIClient") -> list[str]:
    known = client.info().get("SecurityOptions") or []
    options = ["no-new-privileges:true", f"seccomp={json.dumps(json.loads(_PROFILE.read_text()))}"]
    if any("apparmor" in one for one in known):
        options.append(
            "apparmor=unconfined"
        )  # Docker's default profile refuses mounts, also in namespaces of their own
    return options


def owner() -> str:
    """Who we are, for the label of what we make: boot id, process id, start time."""
    return f"{_boot()} {os.getpid()} {_started(os.getpid())}"


def sweep(client: "APIClient") -> None:
    """Remove the containers of owners that are dead: those that were made and never started, the others end alone."""
    from docker.errors import DockerException

    for one in client.containers(all=True, filters={"label": _LABEL}):
        boot, pid, started = [*one["Labels"][_LABEL].split(" "), "", ""][:3]
        if boot == _boot():
            dead = _started(int(pid or 0)) != started
        else:
            dead = one["State"] != "running" and time.time() - one["Created"] > _STALE_S
        if dead:
            try:
                client.remove_container(one["Id"], force=True, v=True)
            except DockerException:  # another process was faster
                continue


def clear(client: "APIClient", pool: str) -> None:
    """Remove what is left of a pool that ended: an engine that died may have made what it never told of.

    Asks until nothing is left, for at most 20 s: an engine that has just been started again may refuse a removal, or
    be in the middle of one that fails.
    """
    from docker.errors import DockerException, NotFound

    deadline = time.monotonic() + _CLEAR_S
    with suppress(DockerException, OSError):  # the engine is gone: the next sandbox sweeps
        refused = True
        while refused and time.monotonic() < deadline:
            refused = False
            for one in client.containers(all=True, filters={"label": f"{_POOL}={pool}"}):
                try:
                    client.remove_container(one["Id"], force=True, v=True)
                except NotFound:  # engines may list for ever what ended while it was being removed
                    continue
                except DockerException:  # being removed already, or not yet possible
                    refused = True
            if refused:
                time.sleep(_PAUSE_S)


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _started(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return ""


def check_machine(client: "APIClient") -> None:
    """Raise SandboxError for an engine whose containers could not run our zygote."""
    there = client.version()
    if there.get("Os") != "linux" or there.get("Arch") not in ("amd64", "arm64"):
        raise SandboxError(f"the sandbox needs an engine with Linux on x86-64 or AArch64, and this one has "
                           f"{there.get('Os')} on {there.get('Arch')}")  # fmt: skip
    mine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine())
    if mine != there["Arch"]:
        raise SandboxError(f"the engine's machine is {there['Arch']} and this one {mine}", next="name an image")
