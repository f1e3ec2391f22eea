"""A list of machines reached with ssh, which share the run's folder under one path; held by the command that launched.

A node's ranks end when its connection does, so nothing trains on after the launch was stopped or killed.
"""

import json
import shlex
import shutil
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field, field_validator

from curate.errors import Prerequisite, RecipeError
from train.launcher import Launched, Launcher, NodeReply, Where
from train.launchers import _held

if TYPE_CHECKING:
    from train.block import Train
    from train.job import Job

_SCRIPT = """\
#!/bin/sh
# Trains on the hosts of hosts.json, and goes on from the newest complete checkpoint when it is run again. Ctrl-C saves
# and stops. Run it where the run's folder is mounted, such as on one of the hosts.
cd "$(dirname "$0")" || exit 1
exec python3 -I code/supervise.py --job job.json -- python3 -I code/spread.py --job job.json --hosts hosts.json
"""
# A host that does not answer is given up after a minute; nobody is there to type a password.
_SSH = ("ssh", "-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=30", "-o", "ServerAliveInterval=15", "-o",
        "ServerAliveCountMax=4")  # fmt: skip


class Hosts(Launcher):
    """One machine a host name, through ssh; the command waits until training ends."""

    hosts: tuple[str, ...] = Field(min_length=1, description="Machines as ssh takes them: name, or user@name.")
    ssh: tuple[str, ...] = Field(_SSH, min_length=1, description="The command that runs a line on a host.")
    master: str | None = Field(
        None, description="Address of the first host as the others reach it; by default its name."
    )
    python: str | None = Field(None, description="The training interpreter on the hosts, where it lies elsewhere.")
    folder: str | None = Field(
        None, description="The run's folder on the hosts, where it is mounted under another path."
    )

    @field_validator("hosts")
    @classmethod
    def _names(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        for host in hosts:
            if not host or host.startswith("-") or any(letter.isspace() for letter in host):
                raise ValueError(f"expected the name of a host, found {host!r}")
        if twice := {host for host in hosts if hosts.count(host) > 1}:
            raise ValueError(f"named twice: {', '.join(sorted(twice))}")
        return hosts

    def place(self, here: Path) -> str:
        """The run's folder on the hosts."""
        return self.folder or str(here)

    def interpreter(self, python: str) -> str:
        """The training interpreter on the hosts."""
        return self.python or python

    def files(self, job: "Job", block: "Train") -> dict[str, str]:
        """`hosts.json` and `launch.sh`. Raises RecipeError where hosts and nodes differ in number."""
        if job.nodes != len(self.hosts):
            raise RecipeError(
                f"{len(self.hosts)} hosts are named, the cluster has {job.nodes} nodes",
                where="train.launcher.hosts",
                next=f"say cluster: {{nodes: {len(self.hosts)}}}, or name {job.nodes} hosts",
            )
        plan = {"hosts": self.hosts, "ssh": self.ssh, "master": self.master or self.hosts[0].rpartition("@")[2]}
        return {"hosts.json": json.dumps(plan, indent=2) + "\n", "launch.sh": _SCRIPT}

    def launch(self, job: "Job", block: "Train", here: Path, say: Callable[[str], None]) -> Launched:
        """Train until the end. Raises Prerequisite without ssh, Stopped, InputError or Failed."""
        self._require()
        spread = [sys.executable, "-I", str(here / "code" / "spread.py"), "--job", str(here / "job.json")]
        return _held.hold(self.kind(), [*spread, "--hosts", str(here / "hosts.json")], here, say)

    def status(self, job: "Job", here: Path) -> Where:
        """What the run folder says."""
        return _held.held_where(here)

    def each(self, job: "Job", argv: Sequence[str], timeout: float) -> list[NodeReply]:
        """Run a command on every host at once."""
        self._require()
        master = self.master or self.hosts[0].rpartition("@")[2]

        def on(rank: int) -> NodeReply:
            line = shlex.join(["env", f"VERISTILL_RANK={rank}", f"VERISTILL_MASTER={master}", *argv])
            said = _held.reply(self.hosts[rank], [*self.ssh, self.hosts[rank], line], {}, timeout)
            unreachable = said.rc == 255  # ssh's own code
            return said._replace(rc=None) if unreachable else said

        with ThreadPoolExecutor(len(self.hosts)) as pool:
            return list(pool.map(on, range(len(self.hosts))))

    def _require(self) -> None:
        if shutil.which(self.ssh[0]) is None:
            raise Prerequisite(
                f"the program {self.ssh[0]} is missing",
                where="train.launcher.ssh",
                next="apt-get install openssh-client",
            )
