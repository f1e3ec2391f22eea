"""Slurm at its worst moments, which a healthy cluster does not show: programs in its place that are slow, or fail."""

import asyncio
import json
from pathlib import Path

import pytest

from curate.calls.serving.serve import Serve
from curate.calls.serving.slurm import SlurmServers
from curate.errors import Stopped

SBATCH = "touch {place}/submitting; sleep 1; echo 77 | tee -a {place}/submitted"


class Programs:
    """sbatch, squeue and scancel as shell lines, first in PATH."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.place = folder / "place"
        self.place.mkdir()
        self._bin = folder / "bin"
        self._bin.mkdir()
        monkeypatch.setenv("PATH", str(self._bin), prepend=":")
        self.say: list[str] = []
        self.do("sbatch", SBATCH.format(place=self.place))
        self.do("squeue", "echo PENDING")
        self.do("scancel", f"echo $* >> {self.place}/cancelled")

    def do(self, name: str, line: str) -> None:
        (self._bin / name).write_text(f"#!/bin/sh\n{line}\n")
        (self._bin / name).chmod(0o755)

    def servers(self) -> SlurmServers:
        return SlurmServers(Serve(gpus=0, slurm={}), "m", self.place, {}, self.say.append)  # type: ignore[arg-type]

    def wrote(self, name: str) -> str:
        path = self.place / name
        return path.read_text().strip() if path.exists() else ""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    return Programs(tmp_path, monkeypatch)


async def started(programs: Programs, until: str) -> tuple[SlurmServers, "asyncio.Task[None]"]:
    servers = programs.servers()
    starting = asyncio.create_task(servers.start())
    while not (programs.place / until).exists():
        await asyncio.sleep(0.02)
    return servers, starting


async def test_an_array_that_is_being_submitted_when_the_run_ends_is_cancelled(programs: Programs) -> None:
    servers, starting = await started(programs, "submitting")
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    await servers.end()
    assert programs.wrote("submitted") == "77"
    assert programs.wrote("cancelled") == "77"
    assert not (programs.place / "array.json").exists()


async def test_jobs_that_cannot_be_cancelled_lose_their_lease(programs: Programs) -> None:
    programs.do("scancel", "echo slurm_load_jobs error: Unable to contact slurm controller >&2; exit 1")
    servers, starting = await started(programs, "array.json")
    assert (programs.place / "lease").exists()
    starting.cancel()
    await servers.end()
    assert not (programs.place / "lease").exists()
    assert "Unable to contact" in programs.say[-1]
    assert json.loads(programs.wrote("array.json")) == {"array": "77"}  # a run that comes soon takes them over
    programs.do("scancel", f"echo $* >> {programs.place}/cancelled")
    again = programs.servers()
    starting = asyncio.create_task(again.start())
    while not any("taking over" in line for line in programs.say):
        await asyncio.sleep(0.02)
    starting.cancel()
    await again.end()
    assert programs.wrote("submitted") == programs.wrote("cancelled") == "77"


async def test_no_second_array_is_submitted_while_slurm_does_not_tell_of_the_first(programs: Programs) -> None:
    (programs.place / "array.json").write_text('{"array": "77"}')
    programs.do("squeue", "echo Unable to contact slurm controller >&2; exit 1")
    with pytest.raises(Stopped, match="array 77"):
        await programs.servers().start()
    assert programs.wrote("submitted") == ""
    programs.do("squeue", "echo slurm_load_jobs error: Invalid job id specified >&2; exit 1")  # long over
    _, starting = await started(programs, "submitted")
    starting.cancel()
