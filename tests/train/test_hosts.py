"""The hosts launcher: one command on each machine through a configurable ssh, and all of them end together."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from curate.errors import Failed, InputError, Prerequisite, RecipeError, Stopped
from tests.train.test_node import gone
from tests.train.tiny import train_block
from train.inside import process
from train.job import Job
from train.launcher import noted
from train.launchers.hosts import Hosts
from train.launchers.local import Local
from train.render import scripts

# As ssh does it: what runs on the host is no child of ours, ends not with us, and gets a line for its shell.
SSH = '#!/bin/sh\nexec 3<&0\nHOSTNAME_HERE="$1" setsid sh -c "$2" <&3 &\nwait $!\n'
# A training interpreter of a few lines: it starts the node with a real Python, and is a rank itself.
PYTHON = """#!/bin/bash
[ "$1" = -I ] && exec {real} "$@"
echo "$HOSTNAME_HERE" >> "{folder}/hosts.txt"
echo $$ > "{folder}/pid-$HOSTNAME_HERE"
{script}
"""


def run_folder(here: Path, script: str, launcher: Hosts | Local, **job: Any) -> Job:
    here.mkdir(parents=True)
    (here / "sft.yaml").write_text("learning_rate: 1\n")
    python = here / "the python"
    python.write_text(PYTHON.format(real=sys.executable, folder=here, script=script))
    nodes = len(launcher.hosts) if isinstance(launcher, Hosts) else 1
    settings = {"nodes": nodes, "processes": 2, "hang_s": 300.0, "first_step_s": 300.0, "port": 23456, **job}
    made = Job(name="r", folder=str(here), python=str(python), **settings)
    block = train_block(Path("/student"), Path("/data"))
    (here / "job.json").write_text(made.text())
    for name, text in {**scripts(), **launcher.files(made, block)}.items():
        path = here / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
    python.chmod(0o755)
    return made


@pytest.fixture
def hosts(tmp_path: Path) -> Hosts:
    ssh = tmp_path / "my ssh"
    ssh.write_text(SSH)
    ssh.chmod(0o755)
    return Hosts(hosts=("me@a", "b"), ssh=(str(ssh),))


def launch(launcher: Hosts | Local, job: Job) -> tuple[Any, list[str]]:
    said: list[str] = []
    launched = launcher.launch(job, train_block(Path("/s"), Path("/d")), Path(job.folder), said.append)
    return launched, said


def test_one_node_a_host(tmp_path: Path, hosts: Hosts) -> None:
    script = 'echo "$*" > "$(dirname "$0")/args-$VERISTILL_NODE"'
    job = run_folder(tmp_path / "my run", script, hosts)
    launched, said = launch(hosts, job)
    assert launched.done
    assert said[-1].startswith("finished in attempt 0")
    assert sorted((tmp_path / "my run" / "hosts.txt").read_text().split()) == ["b", "me@a"]
    for rank in (0, 1):
        args = (tmp_path / "my run" / f"args-{rank}").read_text()
        assert f"--nnodes 2 --nproc-per-node 2 --node-rank {rank} --master-addr a --master-port 23456" in args
    assert hosts.status(job, Path(job.folder)).state == "done"
    recorded = noted(Path(job.folder))
    assert recorded is not None
    assert recorded.done


def test_all_end_when_one_fails(tmp_path: Path, hosts: Hosts) -> None:
    script = '[ "$VERISTILL_NODE" = 1 ] && sleep 1 && exit 3; exec sleep 300'
    job = run_folder(tmp_path / "run", script, hosts)
    with pytest.raises(Failed, match="two failures in a row without a new checkpoint"):
        launch(hosts, job)
    assert gone([int(path.read_text()) for path in (tmp_path / "run").glob("pid-*")], 0.5)
    assert hosts.status(job, Path(job.folder)).state == "failed"


def start(hosts: Hosts, job: Job) -> subprocess.Popen[str]:
    """A launch in a process of its own, which can be interrupted and killed."""
    code = (
        "import sys, json; from pathlib import Path\n"
        "from train.launchers.hosts import Hosts; from train.job import Job\n"
        "from curate.errors import VeristillError\n"
        "fields, here = json.loads(sys.argv[1]), Path(sys.argv[2])\n"
        "job = Job.read((here / 'job.json').read_text(), 'job.json')\n"
        "try: Hosts(**fields).launch(job, None, here, lambda line: print(line, flush=True))\n"
        "except VeristillError as error: print(error); sys.exit(error.exit_code)\n"
    )
    arguments = [json.dumps(hosts.model_dump(mode="json")), job.folder]
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)


def ranks(here: Path) -> list[int]:
    deadline = time.monotonic() + 120
    while True:
        found = [path.read_text().strip() for path in here.glob("pid-*")]
        if len(found) == 2 and all(found):
            return [int(pid) for pid in found]
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_all_end_when_the_launch_ends(tmp_path: Path, hosts: Hosts, number: signal.Signals) -> None:
    job = run_folder(tmp_path / "run", "exec sleep 300", hosts)
    launching = start(hosts, job)
    pids = ranks(tmp_path / "run")
    assert hosts.status(job, Path(job.folder)).state == "running"
    with pytest.raises(Stopped, match="another launch of this training is under way"):
        launch(hosts, job)
    launching.send_signal(number)
    out, _ = launching.communicate(timeout=120)
    assert gone(pids, 120)
    if number == signal.SIGINT:
        assert launching.returncode == 4
        assert "the same command goes on" in out
        assert hosts.status(job, Path(job.folder)).state == "stopped"


def test_all_end_when_the_supervisor_is_killed(tmp_path: Path, hosts: Hosts) -> None:
    job = run_folder(tmp_path / "run", "exec sleep 300", hosts)
    launching = start(hosts, job)
    pids = ranks(tmp_path / "run")
    recorded = noted(Path(job.folder))
    assert recorded is not None
    os.kill(recorded.more["pid"], signal.SIGKILL)
    assert gone(pids, 120)
    launching.communicate(timeout=120)
    assert hosts.status(job, Path(job.folder)).words == "its supervisor was killed; the same command goes on"


def test_a_host_that_cannot_be_reached(tmp_path: Path, hosts: Hosts) -> None:
    Path(hosts.ssh[0]).write_text('#!/bin/sh\n[ "$1" = b ] && exit 255\nexec sh -c "$2"\n')
    job = run_folder(tmp_path / "run", "exec sleep 300", hosts)
    said: list[str] = []
    with pytest.raises(Failed):
        hosts.launch(job, train_block(Path("/s"), Path("/d")), Path(job.folder), said.append)
    assert "spread: b cannot be reached, or its connection broke (255)" in said
    replies = hosts.each(job, ["echo", "it's here"], 20)
    assert [(one.node, one.rc, one.output) for one in replies] == [("me@a", 0, "it's here\n"), ("b", None, "")]


def test_a_command_on_each_host(hosts: Hosts) -> None:
    job = Job(name="r", folder="/r", python="/p", nodes=2)
    script = "import os; print(os.environ['VERISTILL_RANK'], os.environ['VERISTILL_MASTER'])"
    replies = hosts.each(job, [sys.executable, "-c", script], 20)
    assert [(one.node, one.rc, one.output) for one in replies] == [("me@a", 0, "0 a\n"), ("b", 0, "1 a\n")]
    slow = hosts.each(job, ["sleep", "60"], 0.5)
    assert [one.rc for one in slow] == [None, None]
    assert "no answer within" in slow[0].output
    mine = Local().each(job, [sys.executable, "-c", script], 20)
    assert [(one.rc, one.output) for one in mine] == [(0, "0 127.0.0.1\n")]


def test_what_cannot_be_rendered() -> None:
    block = train_block(Path("/s"), Path("/d"))
    job = Job(name="r", folder="/r", python="/p", nodes=3)
    with pytest.raises(RecipeError, match="2 hosts are named, the cluster has 3 nodes"):
        Hosts(hosts=("a", "b")).files(job, block)
    with pytest.raises(RecipeError, match="local is one machine, the cluster has 3 nodes"):
        Local().files(job, block)
    for bad in ((), ("a b",), ("-oProxyCommand=x",), ("a", "a"), ("",)):
        with pytest.raises(ValidationError):
            Hosts(hosts=bad)
    elsewhere = Hosts(hosts=("a",), folder="/mnt/run", python="/opt/python")
    assert (elsewhere.place(Path("/here")), elsewhere.interpreter("/mine")) == ("/mnt/run", "/opt/python")


def test_a_missing_ssh(tmp_path: Path) -> None:
    without = Hosts(hosts=("a",), ssh=("no-such-ssh",))
    job = run_folder(tmp_path / "run", "exit 0", without)
    with pytest.raises(Prerequisite, match="the program no-such-ssh is missing"):
        launch(without, job)


def test_launch_by_hand(tmp_path: Path, hosts: Hosts) -> None:
    """The rendered script needs nothing of ours but the folder."""
    for launcher in (hosts, Local()):
        here = tmp_path / launcher.kind()
        run_folder(here, "exit 0", launcher)
        done = subprocess.run([here / "launch.sh"], cwd="/", capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        assert "finished in attempt 0" in done.stderr
        assert process.read_state(here / "state" / "done.json")["attempt"] == 0


def test_a_job_that_is_refused(tmp_path: Path, hosts: Hosts) -> None:
    job = run_folder(tmp_path / "run", "exit 0", hosts)
    job = job.model_copy(update={"nodes": 1})
    Path(job.folder, "job.json").write_text(job.text())
    with pytest.raises(InputError, match="refused: --rank calls this node 1, the job has nodes 0 to 0"):
        launch(hosts, job)
