"""Two nodes, each a network namespace, joined by a cable: real ZeRO-3 over it, with ranks killed and stopped."""

import os
import random
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import pytest

from tests.train.test_local import ranks, wait_for_step
from tests.train.tiny import losses, run_folder, train_block, write_rows, write_student
from train.inside import process
from train.job import Job
from train.launchers.hosts import Hosts

pytestmark = pytest.mark.slow
STEPS = 46
# What `ssh` does: the line runs in a shell elsewhere, is no child of ours, and has our standard input.
SSH = '#!/bin/sh\nexec 3<&0\nsetsid ip netns exec "{prefix}$1" sh -c "$2" <&3 &\nwait $!\n'


class Nodes:
    """The namespaces of nodes `a` (10.79.0.10) and `b` (10.79.0.11), one veth pair between them and no way out."""

    def __init__(self) -> None:
        self.prefix = f"vst{os.getpid()}"

    def __enter__(self) -> Self:
        _ip("netns", "add", f"{self.prefix}a")
        _ip("netns", "add", f"{self.prefix}b")
        _ip(
            "link",
            "add",
            "eth0",
            "netns",
            f"{self.prefix}a",
            "type",
            "veth",
            "peer",
            "eth0",
            "netns",
            f"{self.prefix}b",
        )
        for name, address in (("a", "10.79.0.10/24"), ("b", "10.79.0.11/24")):
            _ip("-n", self.prefix + name, "addr", "add", address, "dev", "eth0")
            _ip("-n", self.prefix + name, "link", "set", "eth0", "up")
            _ip("-n", self.prefix + name, "link", "set", "lo", "up")
        return self

    def __exit__(self, *error: object) -> None:
        for name in ("a", "b"):
            subprocess.run(["ip", "netns", "del", self.prefix + name], check=False)

    def hosts(self, folder: Path) -> Hosts:
        """A launcher for them."""
        ssh = folder / "into namespace"
        ssh.write_text(SSH.format(prefix=self.prefix))
        ssh.chmod(0o755)
        return Hosts(hosts=("a", "b"), ssh=(str(ssh),), master="10.79.0.10")

    def rank(self, name: str, here: Path) -> int:
        """The rank that trains on a node."""
        inside = subprocess.run(["ip", "netns", "pids", self.prefix + name], capture_output=True, text=True, check=True)
        (found,) = set(ranks(here)) & {int(pid) for pid in inside.stdout.split()}
        return found


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


@pytest.fixture(scope="module")
def nodes(missing: Callable[[str], None]) -> Iterator[Nodes]:
    if shutil.which("ip") is None:
        missing("ip (apt-get install iproute2)")
    if os.geteuid() != 0:
        missing("root, to make network namespaces")
    with Nodes() as made:
        yield made


@pytest.fixture(scope="module")
def inputs(training_python: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("in puts")
    return write_student(training_python, folder / "student"), write_rows(folder / "dataset", 80)


@pytest.fixture(scope="module")
def run(
    nodes: Nodes, inputs: tuple[Path, Path], training_python: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], tuple[Hosts, Job]]:
    root = tmp_path_factory.mktemp("two nodes")
    hosts = nodes.hosts(root)

    def make(name: str) -> tuple[Hosts, Job]:
        return hosts, run_folder(
            root / name,
            *inputs,
            training_python,
            shard="zero3",
            precision="fp32",
            cluster={"nodes": 2, "gpus": 1, "gpu": "cpu"},
            launcher=hosts,
            batch={"rows": 4},
            micro_batch=2,
            max_steps=STEPS,
            env={"GLOO_SOCKET_IFNAME": "eth0"},
            # Many times what a step or a save takes, on a busy machine too; the one real hang is waited out.
            retries={"attempts": 6, "hang_minutes": 1.5, "first_step_minutes": 6, "grace_seconds": 60},
        )

    return make


def launch(hosts: Hosts, job: Job) -> list[str]:
    said: list[str] = []
    hosts.launch(job, train_block(Path("/s"), Path("/d")), Path(job.folder), said.append)
    return said


def test_two_nodes_survive_three_kills_and_a_hang(nodes: Nodes, run: Callable[[str], tuple[Hosts, Job]]) -> None:
    """The last loss is that of a run which nothing happened to, and the time lost is stated."""
    hosts, job = run("left alone")
    launch(hosts, job)
    whole = losses(Path(job.folder))
    assert sorted(whole) == list(range(1, STEPS + 1))
    assert sum(list(whole.values())[-4:]) < 0.8 * sum(list(whole.values())[:4])

    hosts, job = run("shot at")
    here = Path(job.folder)
    chance = random.Random(time.time_ns())
    faults: list[tuple[str, int, signal.Signals]] = []

    def shoot() -> None:
        # Each behind a checkpoint of its own attempt, else it would be given up; the last one well before the end.
        for begin in (5, 14, 23, 32):
            node, at = chance.choice("ab"), begin + chance.randrange(4)
            number = signal.SIGSTOP if begin == 14 else signal.SIGKILL
            wait_for_step(here, at - 2)
            pid = nodes.rank(node, here)  # looked up before: it takes longer than a step
            wait_for_step(here, at)
            os.kill(pid, number)
            faults.append((node, at, number))

    shooter = threading.Thread(target=shoot)
    shooter.start()
    begun = time.monotonic()
    said = launch(hosts, job)
    took = time.monotonic() - begun
    shooter.join()
    told = f"{faults}\n" + "\n".join(said)
    print(told)
    assert len(faults) == 4
    assert sum("a rank was ended by SIGKILL" in line for line in said) == 3, told
    assert sum("it hung, and was ended" in line for line in said) == 1, told
    assert said[-1].startswith(f"finished in attempt 4 at step {STEPS}"), told
    assert "s lost to 4 failures" in said[-1]
    broken = losses(here)
    assert sorted(broken) == sorted(whole)
    assert broken[STEPS] == pytest.approx(whole[STEPS], rel=0.01), told
    assert broken == pytest.approx(whole, rel=0.01), told
    assert ranks(here) == []
    done = process.read_state(here / "state" / "done.json")
    assert 90 < done["lost_s"] < took, "the hang alone is a minute and a half"
