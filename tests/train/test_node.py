"""One node: where it finds its place, how it starts its ranks, and that nothing it started outlives it."""

import argparse
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from train.inside import node, process

NODE = Path(node.__file__)
JOB: dict[str, Any] = {"nodes": 2, "processes": 8, "port": 29500, "python": "/opt/train env/bin/python"}
SURROUNDINGS = {
    "Slurm": {
        "SLURM_STEP_ID": "0",
        "SLURM_NODEID": "1",
        "SLURM_JOB_NUM_NODES": "2",
        "SLURM_JOB_NODELIST": "n[0-1]",
        "VERISTILL_MASTER": "first",
    },
    "SageMaker": {"SM_CURRENT_HOST": "algo-2", "SM_HOSTS": '["algo-2", "first"]', "SM_MASTER_ADDR": "first"},
    "SageMaker, all said": {
        "SM_CURRENT_HOST": "algo-2",
        "SM_CURRENT_HOST_RANK": "1",
        "SM_HOST_COUNT": "2",
        "SM_MASTER_ADDR": "first",
    },
    "SkyPilot": {"SKYPILOT_NODE_RANK": "1", "SKYPILOT_NODE_IPS": "first\n10.0.0.2", "SKYPILOT_NUM_NODES": "2"},
    "Kubeflow": {"PET_NODE_RANK": "1", "PET_NNODES": "2", "PET_MASTER_ADDR": "first", "PET_NPROC_PER_NODE": "8"},
    "by hand": {"NODE_RANK": "1", "NNODES": "2", "MASTER_ADDR": "first"},
}


def flags(**given: Any) -> argparse.Namespace:
    return argparse.Namespace(**{"rank": None, "master": None, **given})


@pytest.mark.parametrize("name", SURROUNDINGS)
def test_the_place_is_found_in_the_surroundings(name: str) -> None:
    env = SURROUNDINGS[name]
    if name == "SageMaker":
        env = {**env, "SM_HOSTS": '["algo-2", "algo-1"]'}
    here = node.found_place(flags(), JOB, env)
    assert (here.rank, here.nodes, here.master) == (1, 2, "first")
    with pytest.raises(node.Refusal, match="started 2 nodes, the job has 3"):
        node.found_place(flags(), {**JOB, "nodes": 3}, env)
    assert node.found_place(flags(rank=0, master="x"), JOB, env)[:3] == (0, 2, "x"), "flags come first"


def test_the_place_without_surroundings() -> None:
    alone = node.found_place(flags(), {**JOB, "nodes": 1}, {})
    assert alone[:3] == (0, 1, "127.0.0.1")
    with pytest.raises(node.Refusal, match="give --rank and --master"):
        node.found_place(flags(), JOB, {})
    with pytest.raises(node.Refusal, match="on which host the nodes meet"):
        node.found_place(flags(rank=1), JOB, {})
    with pytest.raises(node.Refusal, match="calls this node 2, the job has nodes 0 to 1"):
        node.found_place(flags(rank=2), JOB, {})
    assert node.found_place(flags(rank=1), {**JOB, "master": "m"}, {}).master == "m"


def test_the_first_node_of_slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address that Slurm itself uses: the name of a node need not resolve."""
    scontrol = tmp_path / "scontrol"
    scontrol.write_text(
        '#!/bin/sh\n[ "$2" = hostnames ] && printf "n0\\nn1\\n" && exit\n'
        '[ "$3" = n0 ] && echo "NodeName=n0 Arch=x NodeAddr=10.1.2.3 NodeHostName=n0"\n'
    )
    scontrol.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    env = {key: value for key, value in SURROUNDINGS["Slurm"].items() if key != "VERISTILL_MASTER"}
    assert node.found_place(flags(), JOB, env).master == "10.1.2.3"


def test_the_ranks_are_started_with_a_list_of_arguments() -> None:
    here, folder = node.Place(1, 2, "first", "x"), Path("/a run/train")
    entry = ["/a run/train/code/entry.py", "--job", "/a run/train/job.json"]
    found = node.command(JOB, folder, here, 29503)
    assert found[:3] == ["/opt/train env/bin/python", "-m", "torch.distributed.run"]
    assert found[-3:] == entry
    options = dict(zip(found[3:-3:2], found[4:-3:2], strict=True))
    assert options == {
        "--nnodes": "2",
        "--nproc-per-node": "8",
        "--node-rank": "1",
        "--master-addr": "first",
        "--master-port": "29503",
        "--max-restarts": "0",
    }
    alone = {**JOB, "nodes": 1, "processes": 1}
    assert node.command(alone, folder, here, 1) == [JOB["python"], "-u", *entry]
    zero = {**alone, "expect": {"sharded": "zero"}}
    assert node.command(zero, folder, here, 1)[2] == "torch.distributed.run", "DeepSpeed wants a group, of one too"
    fsdp = node.command({**JOB, "accelerate": "accelerate.yaml"}, folder, here, 1)
    assert fsdp[2:5] == ["accelerate.commands.launch", "--config_file", "/a run/train/accelerate.yaml"]
    assert fsdp[fsdp.index("--num_processes") + 1] == "16"


def test_a_taken_port() -> None:
    """One node takes the next; several must agree, so the attempt ends and the next one counts on."""
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        job = {**JOB, "port": taken.getsockname()[1] - 3}
        assert node.port_for(job, 3, node.Place(0, 1, None, "x")) > job["port"] + 3
        assert node.port_for(job, 3, node.Place(1, 2, None, "x")) == job["port"] + 3
        with pytest.raises(node.Refusal, match="is taken") as refusal:
            node.port_for(job, 3, node.Place(0, 2, None, "x"))
        assert refusal.value.code == 98
    assert node.port_for({**JOB, "port": job["port"]}, 103, node.Place(0, 2, None, "x")) == job["port"] + 3


class Case:
    """A folder whose training interpreter is a script: what it starts leaves its session, as torch's ranks do."""

    def __init__(self, folder: Path, script: str, **job: Any) -> None:
        self.folder = folder
        folder.mkdir()
        python = folder / "the python"
        python.write_text(f"#!/bin/bash\n{script}\n")
        python.chmod(0o755)
        settings = {**JOB, "nodes": 1, "processes": 2, "python": str(python), "env": {"OMP_NUM_THREADS": 1}}
        (folder / "job.json").write_text(json.dumps({**settings, **job}))

    def start(self, *more: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-I", str(NODE), "--job", str(self.folder / "job.json"), *more]
        env = {**os.environ, "RANK": "7", "PET_NNODES": "9"}
        pipe = subprocess.PIPE
        return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=env)

    def state(self) -> dict[str, Any]:
        return process.read_state(self.folder / "state" / "node-0.json")

    def pids(self, count: int) -> list[int]:
        """The processes that the script wrote down, once there are so many."""
        deadline = time.monotonic() + 60
        while True:
            found = [int(pid) for path in self.folder.glob("pid*") for pid in path.read_text().split()]
            if len(found) >= count:
                return found
            assert time.monotonic() < deadline
            time.sleep(0.02)


def gone(pids: list[int], seconds: float = 60.0) -> bool:
    deadline = time.monotonic() + seconds
    while any(process.parent_of(pid) is not None for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_what_the_ranks_say_and_how_they_end(tmp_path: Path) -> None:
    script = 'echo "$OMP_NUM_THREADS $PYTHONSAFEPATH $VERISTILL_ATTEMPT ${RANK-unset} ${PET_NNODES-unset} $PWD"; exit 7'
    case = Case(tmp_path / "a run", script)
    out, _ = case.start("--attempt", "3").communicate(timeout=120)
    assert out == f"1 1 3 unset unset {case.folder}\n"
    assert (case.folder / "logs" / "attempt-3-node-0.log").read_text() == out
    state = case.state()
    assert (state["state"], state["rc"], state["attempt"], state["node"]) == ("failed", 7, 3, 0)


LEAVES = 'setsid sleep 300 & echo $! > pid1; trap "" TERM; sleep 300 & echo $! > pid2; echo $$ > pid3; wait; sleep 300'


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_an_ended_node_leaves_nothing_behind(tmp_path: Path, number: signal.Signals) -> None:
    """Neither what left its session nor what ignores SIGTERM."""
    case = Case(tmp_path / "run", LEAVES)
    started = case.start()
    pids = case.pids(3)
    started.send_signal(number)
    started.communicate(timeout=120)
    assert started.returncode != 0
    assert gone(pids, 0.1)
    assert case.state()["why"] == number.name


def test_a_node_that_is_killed_takes_its_ranks_with_it(tmp_path: Path) -> None:
    case = Case(tmp_path / "run", "echo $$ > pid1; exec sleep 300")
    started = case.start()
    pids = case.pids(1)
    started.kill()
    started.communicate()
    assert gone(pids)


def test_a_tied_node_ends_with_its_connection(tmp_path: Path) -> None:
    case = Case(tmp_path / "run", LEAVES)
    started = case.start("--tied")
    pids = case.pids(3)
    assert started.poll() is None
    started.communicate(timeout=120)  # it closes standard input
    assert gone(pids, 0.1)
    assert case.state()["why"] == "the connection ended"


def test_ranks_that_leave_others_behind(tmp_path: Path) -> None:
    case = Case(tmp_path / "run", "setsid sleep 300 & echo $! > pid1; exit 1")
    started = case.start()
    started.communicate(timeout=120)
    assert started.returncode == 1
    assert gone(case.pids(1), 0.1)


def test_a_pause_is_no_end(tmp_path: Path) -> None:
    """The ranks end with 0 in both cases; their state tells."""
    say = 'echo "{\\"attempt\\": 5, \\"state\\": \\"paused\\", \\"step\\": 8}" > state/node-0.json'
    for attempt, rc in (("5", node.PAUSED), ("6", 0)):
        case = Case(tmp_path / attempt, say)
        started = case.start("--attempt", attempt)
        started.communicate(timeout=120)
        assert started.returncode == rc
    assert case.state()["state"] == "ended", "the word of another attempt does not count"


def test_ranks_of_an_earlier_attempt_are_waited_for(tmp_path: Path) -> None:
    case = Case(tmp_path / "run", "echo begun")
    (case.folder / "state").mkdir()
    with (case.folder / "state" / "node-0.ranks").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_SH)
        started = case.start()
        deadline = time.monotonic() + 60
        while case.state().get("state") != "starting":
            assert time.monotonic() < deadline
            time.sleep(0.02)
        time.sleep(0.3)  # it would begin now
        assert case.state()["state"] == "starting"
        assert not (case.folder / "logs").exists()
    out, _ = started.communicate(timeout=120)
    assert (out, started.returncode) == ("begun\n", 0)


def test_a_refusal_is_written_down(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        case = Case(tmp_path / "run", "exit 0", nodes=2, port=taken.getsockname()[1])
        started = case.start("--rank", "0", "--master", "127.0.0.1")
        _, said = started.communicate(timeout=120)
    assert started.returncode == 98
    assert "is taken" in said
    assert (case.state()["state"], case.state()["rc"]) == ("refused", 98)


@pytest.mark.parametrize(("told", "rc"), [("done", 0), ("saving", 134), ("training", 134)])
def test_a_rank_that_aborts_in_leaving_does_not_undo_what_is_done(tmp_path: Path, told: str, rc: int) -> None:
    """Only once the model is written: before, the attempt has failed."""
    one = node.Node({"nodes": 1, "processes": 2}, tmp_path, node.Place(0, 1, None, "one node"), 3)
    one.state.parent.mkdir()
    one.tell(state=told)
    assert one._result(-6) == rc
