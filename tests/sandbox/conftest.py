"""The backends, one open sandbox for all tests of this room, and a look at processes."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox import Sandbox
from sandbox.packages import USUAL

# A package that judges usually have, and this environment does not.
MISSING = next(name for name in reversed(USUAL) if name.isidentifier() and importlib.util.find_spec(name) is None)


@pytest.fixture(scope="module", params=["namespaces", "docker"])
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of each backend in turn, for `Sandbox(backend=...)`; `DOCKER_HOST` names an engine for `docker`."""
    if request.param == "namespaces":
        yield "namespaces"
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_HOST", request.getfixturevalue("engine"))
        yield "docker"


@pytest.fixture(scope="session")
def box() -> Iterator[Sandbox]:
    """An open sandbox with one worker, so that every test meets the zygote that the one before it met."""
    with Sandbox(workers=1) as sandbox:
        yield sandbox


class Processes:
    """Processes by id and start time, so that a reused id is not mistaken for the same process."""

    @staticmethod
    def below(pid: int) -> set[tuple[int, str]]:
        """All living descendants of a process."""
        found: set[tuple[int, str]] = set()
        parents = {pid}
        while parents:
            children = {
                (int(stat.parent.name), fields[19])
                for stat in Path("/proc").glob("[0-9]*/stat")
                if (fields := _fields(stat)) and int(fields[1]) in parents
            }
            parents = {pid for pid, _ in children - found}
            found |= children
        return found

    @staticmethod
    def alive(processes: set[tuple[int, str]]) -> set[tuple[int, str]]:
        """Those of `processes` that still run."""
        return {
            (pid, start)
            for pid, start in processes
            if (fields := _fields(Path(f"/proc/{pid}/stat"))) and fields[19] == start and fields[0] != "Z"
        }


def _fields(stat: Path) -> list[str]:
    try:
        return stat.read_text().rpartition(")")[2].split()
    except OSError:
        return []


@pytest.fixture
def processes() -> type[Processes]:
    return Processes


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    """No mount of the host may come from a test of this room."""
    before = _mounts()
    yield
    assert _mounts() == before


def _mounts() -> list[str]:
    """Mounts at the places where the sandbox makes its own; other programs may mount elsewhere meanwhile."""
    places = {"/", "/tmp", "/tmp/proc", "/tmp/usr", "/proc"}
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return sorted(line.split(" ", 4)[4] for line in lines if line.split()[4] in places)
