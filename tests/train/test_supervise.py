"""The supervisor, with real processes that make steps, save, die, hang and refuse as they are told."""

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.train.saved import PLAIN, ZERO, checkpoint, tensors
from train.inside import diagnosis, process

ROOT = Path(__file__).resolve().parents[2]
SUPERVISE = ROOT / "train" / "inside" / "supervise.py"


class Case:
    """A run folder with a job, and supervisors on it."""

    def __init__(self, folder: Path, **job: Any) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        (folder / "sft.yaml").write_text("learning_rate: 1\n")
        expect = {"steps": 12, "shards": 1, "sharded": "none", "weights": True}
        settings = {"nodes": 1, "processes": 2, "attempts": 5, "hang_s": 60.0, "first_step_s": 60.0, "grace_s": 20.0}
        (folder / "job.json").write_text(json.dumps({**settings, "expect": expect, **job}))

    def start(self, *plan: dict[str, Any], tied: bool = False) -> subprocess.Popen[str]:
        node = [sys.executable, "-P", str(ROOT / "tests" / "train" / "fake_node.py"), json.dumps(plan)]
        command = [sys.executable, "-I", str(SUPERVISE), "--job", str(self.folder / "job.json")]
        return subprocess.Popen(
            [*command, *(["--tied"] if tied else []), "--", *node],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            cwd="/",
        )

    def run(self, *plan: dict[str, Any]) -> tuple[int, str]:
        supervisor = self.start(*plan)
        out, err = supervisor.communicate(timeout=300)
        return supervisor.returncode, out + err

    def lines(self, event: str) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in (self.folder / "state" / "attempts.jsonl").read_text().splitlines()]
        return [one for one in found if one["event"] == event]

    def step(self) -> int:
        return int(process.read_state(self.folder / "state" / "node-0.json").get("step") or 0)

    def wait_for_step(self, step: int) -> None:
        deadline = time.monotonic() + 120
        while self.step() < step:
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def alive(self) -> list[int]:
        """Which of all processes that attempts started still live."""
        pids = [int(pid) for pid in (self.folder / "pids").read_text().split()]
        return [pid for pid in pids if process.parent_of(pid) is not None]

    def wait_for_end_of_all(self) -> None:
        deadline = time.monotonic() + 60
        while self.alive():
            assert time.monotonic() < deadline, self.alive()
            time.sleep(0.05)


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path / "run folder")


def test_a_run_that_ends_well(case: Case) -> None:
    rc, said = case.run({})
    assert rc == 0, said
    assert "finished in attempt 0 at step 12; 0.0 s lost to 0 failures" in said
    rc, said = case.run({"rc": 1})
    assert (rc, "already finished" in said) == (0, True), "a finished run is not started again"
    (case.folder / "sft.yaml").write_text("learning_rate: 2\n")
    rc, said = case.run({})
    assert rc == 0
    assert "sft.yaml is not what attempt 0 ran: its checkpoint goes on with the new values" in said
    assert "attempt 1: from checkpoint-12" in said


def test_a_finished_run_is_not_finished_with_other_rows(tmp_path: Path) -> None:
    """It would make no step and call the model of the old rows that of the new ones."""
    case = Case(tmp_path / "run", learns="new")
    path = checkpoint(case.folder / "output", 12, PLAIN._replace(learns="old"))
    rc, said = case.run({})
    assert (rc, "refused: checkpoint-12 has learnt from other rows" in said) == (2, True)
    assert path.is_dir()


def test_it_goes_on_from_the_newest_complete_checkpoint(case: Case) -> None:
    """Killed three times, once while it saves; the heartbeat and checkpoints of dead attempts mislead nobody."""
    begun = time.monotonic()
    rc, said = case.run({"to": 5, "killed": True}, {"to": 9, "killed": True, "half": 10}, {"to": 11, "rc": 1}, {})
    assert rc == 0, said
    starts = [f"attempt {number} from {step}" for number, step in enumerate((0, 4, 8, 8))]
    assert [line for line in said.splitlines() if line in starts] == starts
    assert "checkpoint-10 set aside: it holds no optimizer state" in said
    assert (case.folder / "state" / "aside" / "checkpoint-10-before-attempt-2").is_dir()
    assert [line["how"] for line in case.lines("end")] == ["failed", "failed", "failed", "done"]
    lost = [line["lost_s"] for line in case.lines("resumed")]
    assert len(lost) == 3
    assert all(one > 2 for one in lost), "the pause between attempts, and what it takes to begin"
    assert sum(lost) < time.monotonic() - begun
    done = json.loads((case.folder / "state" / "done.json").read_text())
    assert done["lost_s"] == pytest.approx(sum(lost))
    assert f"{sum(lost):.1f} s lost to 3 failures" in said
    case.wait_for_end_of_all()


def test_a_hang_is_ended_and_tried_again(tmp_path: Path) -> None:
    """The stopped process cannot end its child: its group is killed."""
    case = Case(tmp_path / "run", hang_s=4.0)
    rc, said = case.run({"to": 6, "hang": True}, {})
    assert rc == 0, said
    assert "attempt 0 ended at step 6: no step for 4 s: it hung, and was ended" in said
    assert "attempt 1: from checkpoint-4" in said
    case.wait_for_end_of_all()


def test_the_first_step_may_take_longer(tmp_path: Path) -> None:
    case = Case(tmp_path / "a", hang_s=2.0)
    rc, said = case.run({"pace": 3.0, "to": 1})
    assert rc == 0, said
    other = Case(tmp_path / "b", hang_s=0.3, first_step_s=0.5)
    rc, said = other.run({"pace": 30.0, "to": 1})
    assert rc == 1
    assert "two failures in a row without a new checkpoint, the last one: no step for" in said


def beating(folder: Path, step: int, *, saves: bool) -> None:
    told = {"node": 0, "attempt": 0, "state": "training", "beat": step, "step": step, "saves": saves}
    process.write_state(folder / "state" / "node-0.json", told)


def test_a_slow_save_is_no_hang(tmp_path: Path) -> None:
    """Ranks that save say nothing, and a large checkpoint takes longer than any step; one that grows is alive."""
    watch = diagnosis.Watch(tmp_path / "state", 0, 0, {"hang_s": 10.0, "first_step_s": 40.0})
    beating(tmp_path, 4, saves=False)
    watch.look()
    assert watch.patience() == 10.0
    beating(tmp_path, 5, saves=True)
    watch.look()
    assert watch.patience() == 40.0
    for size in (0, 100, 200):
        (tmp_path / "output" / "checkpoint-5").mkdir(parents=True, exist_ok=True)
        (tmp_path / "output" / "checkpoint-5" / "optimizer.pt").write_bytes(bytes(size))
        watch._changed_at = 0.0
        watch.look()
        assert (watch.silent_for() < 1000) == (size > 0), "an empty file is no growth"
    watch._changed_at = 0.0
    watch.look()
    assert watch.silent_for() >= time.monotonic() - 1, "nothing grew"
    beating(tmp_path, 6, saves=False)
    watch.look()
    assert watch.patience() == 10.0


def test_two_failures_without_progress_end_it(case: Case) -> None:
    log = "ok\n[rank0]: RuntimeError: Connection closed by peer\n[rank1]: torch.OutOfMemoryError: CUDA out of memory.\n"
    rc, said = case.run({"to": 5, "rc": 1}, {"to": 7, "rc": 1, "log": log})
    assert rc == 1
    words = "two failures in a row without a new checkpoint, the last one: torch.OutOfMemoryError: CUDA out of memory."
    assert words in said, "attempt 0 made progress, attempts 1 and 2 did not"
    assert len(case.lines("start")) == 3


def test_attempts_are_bounded(tmp_path: Path) -> None:
    case = Case(tmp_path / "run", attempts=2)
    plan = [{"to": 4, "rc": 1}, {"to": 8, "rc": 1}, {}]
    rc, said = case.run(*plan)
    assert (rc, len(case.lines("start"))) == (1, 2)
    assert "given up after 2 attempts, at checkpoint-8; the same command goes on" in said
    rc, said = case.run(*plan)
    assert rc == 0, said
    assert case.lines("start")[-1]["attempt"] == 2, "attempts count on: no log or port is used twice"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
def test_a_polite_stop_saves_first(case: Case, number: signal.Signals) -> None:
    supervisor = case.start({"pace": 0.2})
    case.wait_for_step(2)
    supervisor.send_signal(number)
    _, said = supervisor.communicate(timeout=120)
    assert supervisor.returncode == 4, said
    step = case.step()
    assert 2 <= step < 12
    assert f"stopped, paused at step {step}; the same command goes on from checkpoint-{step}" in said
    case.wait_for_end_of_all()
    rc, said = case.run({})
    assert (rc, f"attempt 1: from checkpoint-{step}" in said) == (0, True)


def test_who_does_not_pause_is_ended(tmp_path: Path) -> None:
    case = Case(tmp_path / "run", grace_s=0.5)
    deaf = {"pace": 0.2, "deaf": True}
    supervisor = case.start(deaf)
    case.wait_for_step(1)
    supervisor.send_signal(signal.SIGTERM)
    _, said = supervisor.communicate(timeout=120)
    assert (supervisor.returncode, "ended before it could save" in said) == (4, True)
    case.wait_for_end_of_all()


def test_a_second_interrupt_ends_at_once(tmp_path: Path) -> None:
    case = Case(tmp_path / "run", grace_s=600.0)
    supervisor = case.start({"pace": 0.2, "deaf": True})
    case.wait_for_step(1)
    supervisor.send_signal(signal.SIGINT)
    deadline = time.monotonic() + 60
    while not (case.folder / "state" / "stop.json").exists():  # two signals at once are one
        assert time.monotonic() < deadline
        time.sleep(0.02)
    supervisor.send_signal(signal.SIGINT)
    supervisor.communicate(timeout=120)
    assert supervisor.returncode == 4
    case.wait_for_end_of_all()


def test_a_killed_supervisor_takes_its_nodes_with_it(case: Case) -> None:
    supervisor = case.start({"pace": 0.2})
    case.wait_for_step(5)
    supervisor.kill()
    case.wait_for_end_of_all()
    supervisor.communicate()
    rc, said = case.run({})
    assert rc == 0, said
    assert "attempt 1: from checkpoint-4" in said
    assert case.lines("resumed")[0]["lost_s"] > 0


def test_it_stops_when_its_launcher_ends(case: Case) -> None:
    supervisor = case.start({"pace": 0.1}, tied=True)
    case.wait_for_step(2)
    assert supervisor.stdin is not None
    supervisor.stdin.close()
    assert supervisor.wait(120) == 4
    case.wait_for_end_of_all()
    for pipe in (supervisor.stdout, supervisor.stderr):
        assert pipe is not None
        pipe.close()


def test_one_supervisor_a_folder(case: Case) -> None:
    first = case.start({"pace": 0.2, "to": 20})
    case.wait_for_step(1)
    rc, said = case.run({})
    assert rc == 4
    assert f"another launch of this run is at work (process {first.pid} on" in said
    first.send_signal(signal.SIGTERM)
    first.communicate(timeout=120)
    case.wait_for_end_of_all()


def test_a_lock_of_another_machine_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a network file system the lock of a machine that died lives on for a while."""
    monkeypatch.setattr(diagnosis, "_LOCK_S", 0.2)
    path = tmp_path / "lock"
    with path.open("a+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        held.write("process 7 on elsewhere")
        held.flush()
        timer = threading.Timer(1.0, fcntl.flock, (held, fcntl.LOCK_UN))
        timer.start()
        with diagnosis.locked(path):
            assert path.read_text().endswith(f" on {socket.gethostname()}")
            with pytest.raises(diagnosis.Busy, match=f"process {os.getpid()} on"), diagnosis.locked(path):
                pass
        timer.join()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small file system")
def test_a_disk_that_is_full(tmp_path: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", tmp_path], check=True)
    try:
        case = Case(tmp_path / "run")
        with pytest.raises(OSError, match="No space left"), (tmp_path / "filler").open("wb") as filler:
            while True:
                filler.write(bytes(512))
                filler.flush()
        rc, said = case.run({})
        assert (rc, "the disk is full at" in said) == (4, True), said
        assert "make room, the same command goes on" in said
        (tmp_path / "filler").unlink()
        rc, said = case.run({})
        assert rc == 0, said
    finally:
        subprocess.run(["umount", "-l", tmp_path], check=True)


def test_what_a_node_refuses_is_not_tried_again(case: Case) -> None:
    rc, said = case.run({"refused": "SageMaker started 2 nodes, the job has 4", "rc": 2})
    assert (rc, "refused: SageMaker started 2 nodes, the job has 4" in said) == (2, True)
    assert len(case.lines("start")) == 1


def test_a_taken_port_costs_no_attempt(tmp_path: Path) -> None:
    case = Case(tmp_path / "run", attempts=1)
    rc, said = case.run(*[{"refused": "port 29500 is taken", "rc": 98}] * 3, {})
    assert rc == 0, said
    assert [line["how"] for line in case.lines("end")] == ["port"] * 3 + ["done"]


def test_another_topology_is_refused(tmp_path: Path) -> None:
    case = Case(tmp_path / "run", processes=4, expect={"shards": 4, "sharded": "zero", "weights": True})
    path = checkpoint(case.folder / "output", 8, ZERO)
    rc, said = case.run({})
    assert rc == 2
    assert "refused: checkpoint-8 was saved by 2 ranks, this job has 4" in said
    assert path.is_dir(), "and nothing is thrown away"


def test_weights_alone_are_neither_gone_on_from_nor_lost(tmp_path: Path) -> None:
    case = Case(tmp_path / "run", expect={"shards": 0, "sharded": "none", "weights": True, "resumable": False})
    path = checkpoint(case.folder / "output", 8, PLAIN._replace(resumable=False))
    rc, said = case.run({})
    assert (rc, "refused: checkpoint-8 holds weights alone, nothing can go on from it" in said) == (2, True)
    assert path.is_dir()


def test_weights_that_block_a_new_start_are_set_aside(case: Case) -> None:
    (case.folder / "output").mkdir()
    tensors(case.folder / "output" / "model.safetensors")
    rc, said = case.run({})
    assert (rc, "model.safetensors set aside: weights without a checkpoint" in said) == (0, True)


def test_a_full_disk_stops_it(case: Case) -> None:
    """Another attempt would fill it again."""
    rc, said = case.run({"to": 5, "rc": 1, "log": "OSError: [Errno 28] No space left on device\n"}, {})
    assert rc == 4
    assert "the disk is full" in said
    assert "make room, the same command goes on" in said


def test_too_little_room_for_a_checkpoint_stops_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = checkpoint(tmp_path / "output", 4, PLAIN)
    monkeypatch.setattr("shutil.disk_usage", lambda path: os.statvfs_result((0,) * 10) and _Usage(1000))
    assert "a checkpoint has" in diagnosis.short_of_room(tmp_path / "output", "exit code 1")
    monkeypatch.setattr("shutil.disk_usage", lambda path: _Usage(10**9))
    assert diagnosis.short_of_room(tmp_path / "output", "exit code 1") == ""
    assert path.is_dir()


class _Usage:
    def __init__(self, free: int) -> None:
        self.free = free


def test_a_line_that_a_crash_broke_off_is_left_out(tmp_path: Path) -> None:
    log = diagnosis.Attempts(tmp_path / "attempts.jsonl")
    log.add("start", 3, step=0)
    with log.path.open("a") as file:
        file.write('{"event": "end", "att')
    log.add("start", 4, step=0)
    assert [line["attempt"] for line in log.lines()] == [3, 4]
    assert log.next_number() == 5


CAUSES = {
    "exitcode  : -9 (pid: 7)\n  traceback : Signal 9 (SIGKILL) received by PID 7\n": "a rank was ended by SIGKILL",
    "Signal 15 (SIGTERM) received by PID 7\nValueError: Some keys are not used\n": "ValueError: Some keys are not used",
    "[rank0]: torch.distributed.DistBackendError: gone\n[rank0]: KeyError: 'x'\n": "KeyError: 'x'",
    "RuntimeError: Connection reset by peer\n": "RuntimeError: Connection reset by peer",
    "all is well\n": "",
}


@pytest.mark.parametrize("log", CAUSES)
def test_the_cause_is_found_in_the_log(tmp_path: Path, log: str) -> None:
    (tmp_path / "attempt-2-node-0.log").write_text(log)
    (tmp_path / "attempt-1-node-0.log").write_text("RuntimeError: of an earlier attempt\n")
    assert diagnosis.cause(tmp_path, 2) == CAUSES[log]
