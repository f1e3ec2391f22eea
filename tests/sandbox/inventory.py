"""What stands on this machine: processes of a sandbox, containers, mounts, shared memory."""

import subprocess
from pathlib import Path

from tests.engine import Engine


def inside(engine: Engine) -> dict[int, int]:
    """Processes in the engine's containers, as this machine numbers them, with their parents."""
    ids = containers(engine)
    found = {}
    for path in Path("/proc").glob("[0-9]*/cgroup"):
        if any(one in _bytes(path).decode() for one in ids):
            stat = _bytes(path.parent / "stat").rpartition(b")")[2].split()
            if stat:
                found[int(path.parent.name)] = int(stat[1])
    return found


def zygotes(engine: Engine) -> list[int]:
    """Process ids of the zygotes in the engine's containers: the children of the first processes."""
    found = inside(engine)
    return [pid for pid, parent in found.items() if parent in found and found[parent] not in found]


def containers(engine: Engine) -> set[str]:
    """Ids of all containers that the engine knows, running or not.

    Each is inspected: an engine under load may go on listing a container that ended in the moment of its removal, of
    which nothing is left and of which it says itself that there is no such container.
    """
    import docker

    client = docker.DockerClient(base_url=engine.url)
    try:
        return {one.id for one in client.containers.list(all=True, ignore_removed=True)}
    finally:
        client.close()


def volumes(engine: Engine) -> set[str]:
    """Names of all volumes that the engine knows."""
    import docker

    client = docker.DockerClient(base_url=engine.url)
    try:
        return {one.name for one in client.volumes.list()}
    finally:
        client.close()


def host(engine: Engine) -> dict[str, list[str]]:
    """Of everything that a sandbox could leave; other programs' changes outside these places do not show."""
    return {
        "containers": sorted(containers(engine)),
        "volumes": sorted(volumes(engine)),
        "mounts": sorted(line.split()[4] for line in _bytes(Path("/proc/self/mountinfo")).decode().splitlines()
                         if str(engine.folder) in line),
        "shims": sorted(str(path.parent.name) for path in Path("/proc").glob("[0-9]*/cmdline")
                        if b"containerd-shim" in _bytes(path) and str(engine.folder).encode() in _bytes(path)),
        "shared memory": sorted(path.name for path in Path("/dev/shm").iterdir()),
        "ipc": subprocess.run(["ipcs", "-a"], capture_output=True, text=True, check=True).stdout.splitlines(),
    }  # fmt: skip


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
