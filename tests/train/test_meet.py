"""Nodes that find each other where nothing starts a command on all of them: attempts begin and end on all at once."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from train.job import Job
from train.render import scripts

# In the place of training: says that it ran, waits, and ends as the plan has it for this attempt and node.
NODE = """
import json, os, pathlib, sys, time
sys.path.insert(0, str(pathlib.Path(__file__).parent))
from placed import *
if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[2]).parent
    attempt = int(sys.argv[4])
    with open(folder / "ran", "a") as ran:
        ran.write(f"{attempt} {os.getpid()}\\n")
    seconds, rc = json.loads((folder / "plan.json").read_text())[attempt]
    time.sleep(seconds)
    sys.exit(rc)
"""


class Nodes:
    """Nodes with a folder each, on one machine."""

    def __init__(self, tmp: Path, count: int) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = min(probe.getsockname()[1], 60000)
        self.folders = [tmp / f"node {number}" for number in range(count)]
        self.processes: list[subprocess.Popen[bytes]] = []

    def write(self, *plans: list[tuple[float, int]], **more: Any) -> None:
        for folder, plan in zip(self.folders, plans, strict=True):
            settings: dict[str, Any] = {"first_step_s": 60, "grace_s": 2, "shared": False, **more}
            job = Job(name="r", folder=str(folder), python=sys.executable, nodes=len(plans), port=self.port, **settings)
            files = {**scripts(), "job.json": job.text(), "sft.yaml": "", "plan.json": json.dumps(plan)}
            files |= {"code/placed.py": files["code/node.py"], "code/node.py": NODE}
            for name, text in files.items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_text(text)

    def start(self, number: int) -> None:
        around = {"NODE_RANK": str(number), "NNODES": str(len(self.folders)), "MASTER_ADDR": "127.0.0.1"}
        folder = self.folders[number]
        command = [sys.executable, "-I", folder / "code" / "meet.py", "--job", folder / "job.json"]
        with (folder / "log").open("ab") as log:
            self.processes.append(
                subprocess.Popen(command, env={**os.environ, **around}, stdout=log, stderr=log, cwd="/")
            )

    def ends(self, limit: float = 90.0) -> list[int]:
        end = time.monotonic() + limit
        return [process.wait(max(1.0, end - time.monotonic())) for process in self.processes]

    def attempts(self, number: int) -> list[int]:
        path = self.folders[number] / "ran"
        return [int(line.split()[0]) for line in path.read_text().splitlines()] if path.exists() else []

    def log(self, number: int) -> str:
        return (self.folders[number] / "log").read_text()


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Nodes]:
    made = Nodes(tmp_path, 2)
    yield made
    for process in made.processes:
        process.kill()
        process.wait()
    left = [line.split()[1] for folder in made.folders for line in _lines(folder / "ran")]
    assert not [pid for pid in left if Path(f"/proc/{pid}").exists()], "what it started outlived it"


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def test_a_failure_on_one_node_ends_the_attempt_on_all_and_the_next_begins_together(nodes: Nodes) -> None:
    nodes.write([(60, 0), (0.1, 0)], [(0.1, 7), (0.1, 0)])
    nodes.start(1)  # the others may be there first
    nodes.start(0)
    with socket.socket() as stranger:  # what is no node of the job is not counted as one
        while stranger.connect_ex(("127.0.0.1", nodes.port + 100)):
            assert all(process.poll() is None for process in nodes.processes), nodes.log(0) + nodes.log(1)
            time.sleep(0.05)
        stranger.sendall(b"GET / HTTP/1.1\n")
        assert nodes.ends() == [0, 0], nodes.log(0) + nodes.log(1)
    assert nodes.attempts(0) == nodes.attempts(1) == [0, 1]
    assert "node 1 ended with 7" in nodes.log(0)


def test_all_nodes_end_with_the_supervisor_s_code(nodes: Nodes) -> None:
    nodes.write([(0.1, 3), (0.1, 3)], [(60, 0), (60, 0)])  # two failures without progress: it gives up
    nodes.start(0)
    nodes.start(1)
    assert nodes.ends() == [1, 1], nodes.log(0) + nodes.log(1)
    assert nodes.attempts(1) == [0, 1]


def test_a_node_that_never_comes_fails_the_attempt_with_its_number(nodes: Nodes) -> None:
    nodes.write([(0.1, 0)], [(0.1, 0)], first_step_s=1, attempts=1)
    nodes.start(0)
    until_said(nodes, "never came: [1]")
    assert nodes.attempts(0) == []


def test_a_stop_ends_all_nodes_and_says_that_it_can_go_on(nodes: Nodes) -> None:
    nodes.write([(60, 0)], [(60, 0)])
    for number in (0, 1):
        nodes.start(number)
    while not (nodes.attempts(0) and nodes.attempts(1)):
        assert all(process.poll() is None for process in nodes.processes), nodes.log(0) + nodes.log(1)
        time.sleep(0.05)
    for process in nodes.processes:  # as a scheduler does: every node is told
        process.send_signal(signal.SIGTERM)
    assert nodes.ends()[0] == 4, nodes.log(0)
    assert nodes.ends()[1] in (4, 128 + signal.SIGTERM), nodes.log(1)


def until_said(nodes: Nodes, words: str) -> None:
    end = time.monotonic() + 60
    while words not in nodes.log(0):
        assert time.monotonic() < end, nodes.log(0)
        time.sleep(0.1)
