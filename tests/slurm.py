"""A Slurm cluster for tests: a controller and two nodes on this machine, private and without systemd."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

_START_S = 60.0
_DAEMONS = ("munged", "slurmctld", "slurmd")
_CONF = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SwitchType=switch/none
ReturnToService=2
SlurmctldTimeout=30
SlurmdTimeout=30
KillWait=20
MinJobAge=300
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=2,sched_interval=1
JobRequeue=1
SlurmdParameters=config_overrides
{gpus}{nodes}
PartitionName=test Nodes=n0,n1 Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO
"""


class Cluster:
    """Two nodes, `n0` and `n1`, of one CPU each. `conf` is what SLURM_CONF names; all its files lie in `folder`.

    `gpus` is how many GPUs each node claims to have; nobody looks whether they are there.
    """

    def __init__(self, gpus: int = 0) -> None:
        self.gpus = gpus
        self.folder = Path(tempfile.mkdtemp(prefix="veristill-slurm-", dir="/tmp"))
        self.conf = self.folder / "slurm.conf"
        self._daemons: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        if self.conf.exists():
            self.run("scancel", "--user=root", check=False)
            end = time.monotonic() + 20
            while self.run("squeue", "--noheader", check=False).strip() and time.monotonic() < end:
                time.sleep(0.2)
        for daemon in reversed(self._daemons):
            daemon.send_signal(signal.SIGTERM)
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, *command: str | Path, check: bool = True) -> str:
        """The output of one of Slurm's programs."""
        done = subprocess.run(command, env=self.environment(), capture_output=True, text=True, check=False)
        if check and done.returncode:
            raise RuntimeError(f"{command}: {done.stderr}\n{self._logs()}")
        return done.stdout

    def environment(self) -> dict[str, str]:
        """The environment in which Slurm's programs find this cluster."""
        return {**os.environ, "SLURM_CONF": str(self.conf)}

    def _start(self) -> None:
        folder, host = self.folder, socket.gethostname().partition(".")[0]
        folder.chmod(0o755)
        (folder / "state").mkdir()
        key = folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        ports = _free_ports(3)
        node = "NodeName=n{} NodeHostname={} NodeAddr=127.0.0.1 Port={} CPUs=1 RealMemory=1024 {}State=UNKNOWN"
        claim = f"Gres=gpu:h100:{self.gpus} " if self.gpus else ""
        nodes = "\n".join(node.format(number, host, port, claim) for number, port in enumerate(ports[1:]))
        types = "GresTypes=gpu\n" if self.gpus else ""
        self.conf.write_text(_CONF.format(host=host, port=ports[0], folder=folder, gpus=types, nodes=nodes))
        if self.gpus:
            for number in range(self.gpus):
                (folder / f"gpu{number}").touch()
            (folder / "gres.conf").write_text(f"Name=gpu Type=h100 File={folder}/gpu[0-{self.gpus - 1}]\n")
        files = [f"--{name}-file={folder}/munge.{name}" for name in ("key", "pid", "log", "seed")]
        self._daemon("munged", "--foreground", "--force", f"--socket={folder}/munge.socket", *files)
        self._until(lambda: (folder / "munge.socket").exists())
        self._daemon("slurmctld", "-D", "-c", "-f", str(self.conf))
        for name in ("n0", "n1"):
            self._daemon("slurmd", "-D", "-f", str(self.conf), "-N", name)
        self._until(lambda: self.run("sinfo", "-h", "-t", "idle", "-o", "%D", check=False).strip() == "2")

    def _daemon(self, *command: str) -> None:
        path = f"{os.environ.get('PATH', '')}:/usr/sbin"
        with (self.folder / f"log.{len(self._daemons)}").open("wb") as log:
            environment = {**self.environment(), "PATH": path}
            daemon = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, env=environment)
        self._daemons.append(daemon)

    def _until(self, holds: Callable[[], bool]) -> None:
        end = time.monotonic() + _START_S
        while not holds():
            if time.monotonic() > end or any(daemon.poll() is not None for daemon in self._daemons):
                raise RuntimeError(self._logs())
            time.sleep(0.1)

    def _logs(self) -> str:
        return "\n".join(path.read_text("utf-8", "replace")[-1500:] for path in sorted(self.folder.glob("*log*")))


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def missing_part() -> str | None:
    """What this machine lacks to start a cluster; None where it can."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin"
    if any(shutil.which(name, path=path) is None for name in _DAEMONS):
        return "Slurm (apt-get install slurm-wlm munge)"
    return None if os.geteuid() == 0 else "root, to start a Slurm cluster"
