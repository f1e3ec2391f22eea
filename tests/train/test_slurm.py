"""Training on a real Slurm (a controller and two nodes): ranks killed, jobs cancelled, a time limit reached."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from curate.errors import RecipeError, Stopped
from tests.slurm import Cluster, missing_part
from tests.train.tiny import run_folder, write_rows, write_student
from train.block import Train
from train.job import Job
from train.launcher import noted
from train.launchers import _queue
from train.launchers.slurm import Slurm, seconds

BIG = Job(name="big run", folder="/scratch/my runs/big", python="/opt/train/bin/python", nodes=2, processes=8)


@pytest.fixture(scope="module")
def cluster(missing: Callable[[str], None]) -> Iterator[Cluster]:
    if part := missing_part():
        missing(part)
    with Cluster(gpus=8) as running:
        yield running


@pytest.fixture
def slurm(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """The cluster as the launcher finds it; no job is left behind."""
    monkeypatch.setenv("SLURM_CONF", str(cluster.conf))
    yield cluster
    cluster.run("scancel", "--user=root", check=False)
    until(lambda: not cluster.run("squeue", "--noheader", check=False).strip(), 60)


@pytest.fixture(scope="module")
def inputs(training_python: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A student and a dataset."""
    folder = tmp_path_factory.mktemp("inputs")
    return write_student(training_python, folder / "student"), write_rows(folder / "dataset")


def until(holds: Callable[[], object], limit: float = 600.0) -> Any:
    end = time.monotonic() + limit
    while not (found := holds()):
        assert time.monotonic() < end, "it never came"
        time.sleep(0.2)
    return found


def script(job: Job, **fields: Any) -> str:
    return Slurm(**fields).files(job, block())["job.sbatch"]


def block(**more: Any) -> Train:
    return Train.model_validate({"student": "org/student", **more})


def test_every_wish_stands_in_the_script_and_sbatch_takes_it(slurm: Cluster, tmp_path: Path) -> None:
    text = script(
        BIG.model_copy(update={"folder": str(tmp_path)}),
        partition="test",
        time="1-12:00:00",
        gpu_type="h100",
        directives=["--mail-type=END", "--comment=two words"],
        setup="export SITE=1",
    )
    for line in ("--nodes=2", "--time=1-12:00:00", "--gpus-per-node=h100:8", "--signal=B:USR1@300", "--requeue"):
        assert f"#SBATCH {line}\n" in text
    (tmp_path / "job.sbatch").write_text(text)
    taken = subprocess.run(
        ["sbatch", "--test-only", tmp_path / "job.sbatch"], capture_output=True, text=True, check=False
    )
    assert taken.returncode == 0, taken.stderr
    assert "on nodes n[0-1]" in taken.stderr
    (tmp_path / "job.sbatch").write_text(text.replace("h100:8", "h100:9"))  # it does look at the GPUs
    refused = subprocess.run(["sbatch", "--test-only", tmp_path / "job.sbatch"], capture_output=True, check=False)
    assert refused.returncode != 0
    assert subprocess.run(["bash", "-n", tmp_path / "job.sbatch"], check=False).returncode == 0


def test_optional_wishes_are_left_out_and_own_gpu_options_win() -> None:
    text = script(BIG, account="me", qos="boost", constraint="a&b", cpus=32, memory="480G", modules=["cuda/12.4"])
    for line in ("--account=me", "--qos=boost", '--constraint="a&b"', "--cpus-per-task=32", "--mem=480G"):
        assert f"#SBATCH {line}\n" in text
    assert "module load cuda/12.4" in text
    assert "--time" not in text
    assert '#SBATCH --output="/scratch/my runs/big/logs/slurm-%j.log"' in text
    assert "cd '/scratch/my runs/big' || exit 2" in text
    own = script(BIG, directives=["--gres=gpu:4"])
    assert "--gres=gpu:4" in own
    assert "gpus-per-node" not in own
    assert "gpus-per-node" not in script(BIG.model_copy(update={"accelerator": "cpu"}))


@pytest.mark.parametrize("kind", ["apptainer", "docker"])
def test_nodes_train_in_an_image_and_the_supervisor_outside(kind: str) -> None:
    image = {"kind": kind, "image": "train.sif", "binds": ["/models"], "host_python": "/usr/bin/python3.11"}
    text = script(BIG, container=image)
    assert "/usr/bin/python3.11 -I code/supervise.py" in text
    assert "/opt/train/bin/python" in text
    assert ("--nv" in text) == (kind == "apptainer")
    assert ("--gpus=all" in text) == (kind == "docker")


@pytest.mark.parametrize(
    ("limit", "expected"),
    [("90", 5400), ("90:30", 5430), ("12:00:00", 43200), ("2-0", 172800), ("2-6", 194400), ("1-02:03:04", 93784)],
)
def test_limits_are_read_as_slurm_reads_them(limit: str, expected: int) -> None:
    assert seconds(limit) == expected


@pytest.mark.parametrize(
    "fields", [{"time": "soon"}, {"time": "00:04:00"}, {"directives": ["mail"]}, {"chain": 0}, {"container": {}}]
)
def test_what_slurm_would_refuse_is_refused_first(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Slurm(**fields)


def test_what_a_script_cannot_hold_is_a_recipe_error() -> None:
    with pytest.raises(RecipeError, match="warning_seconds"):
        script(BIG, warning_seconds=30)
    with pytest.raises(RecipeError, match="quotes"):
        script(BIG, gpu_type="h100\ntouch /tmp/injected")
    with pytest.raises(RecipeError, match="quotes"):
        script(BIG.model_copy(update={"folder": '/scratch/a "run"'}))


def test_a_command_runs_on_every_node(slurm: Cluster, tmp_path: Path) -> None:
    job = BIG.model_copy(update={"folder": str(tmp_path), "accelerator": "cpu"})
    said = 'echo "$VERISTILL_RANK of $VERISTILL_MASTER"; exit "$VERISTILL_RANK"'
    replies = Slurm().each(job, ["bash", "-c", said], 30)
    assert replies == [("n0", 0, "0 of 127.0.0.1\n"), ("n1", 1, "1 of 127.0.0.1\n")]
    late = Slurm().each(job, ["sleep", "60"], 3)
    assert late is not None
    assert [reply.rc for reply in late] == [None, None]
    assert "no answer in time" in late[0].output
    assert not list((tmp_path / "state").glob("each-*"))
    slurm.run("sbatch", "--nodes=2", "--exclusive", "--output=/dev/null", "--wrap", "sleep 60")
    until(lambda: "R" in slurm.run("squeue", "--noheader", "--format=%t").split())
    queued = Slurm().each(job, ["true"], 2)
    assert queued is not None
    assert [reply.rc for reply in queued] == [None, None]
    # Its request does not stay in the queue, to hold the nodes when they are free.
    until(lambda: slurm.run("squeue", "--noheader", "--format=%j").split() == ["wrap"], 20)


def test_a_job_that_failed_is_not_called_stopped_by_those_that_it_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"1": _queue.JobNow("1", "FAILED", "NonZeroExitCode", "1"), "2": _queue.JobNow("2", "CANCELLED")}
    monkeypatch.setattr(_queue, "_job", told.get)
    assert _queue.where(["1", "2"])[::2] == ("failed", "1")
    told["1"] = _queue.JobNow("1", "CANCELLED")
    assert _queue.where(["1", "2"]).state == "stopped"
    told["1"] = _queue.JobNow("1", "FAILED", "NonZeroExitCode", "4")  # stopped where it can go on
    assert _queue.where(["1", "2"]).state == "stopped"


class Run:
    """A tiny run on the cluster."""

    def __init__(self, here: Path, inputs: tuple[Path, Path], python: Path, **launcher: Any) -> None:
        self.here, self.inputs, self.python, self.launcher = here, inputs, python, launcher
        self.render(100_000)

    def render(self, steps: int, **launcher: Any) -> None:
        self.launcher |= launcher
        settings = {
            "launcher": {"kind": "slurm", "exclusive": False, **self.launcher},
            "cluster": {"nodes": 2, "gpus": 1, "gpu": "cpu"},
            "shard": "ddp",
            "offload": "none",
            "precision": "fp32",
            "batch": {"rows": 4},
            "max_steps": steps,
            "retries": {"grace_seconds": 10},
        }
        self.job = run_folder(self.here, *self.inputs, self.python, **settings)
        self.block = block(**settings)

    def launch(self) -> list[str]:
        return self.block.launcher.launch(self.job, self.block, self.here, print).more["ids"]

    @property
    def state(self) -> str:
        return self.block.launcher.status(self.job, self.here).state

    def step(self) -> int:
        """Of the newest checkpoint that has its record."""
        found = self.here.glob("output/checkpoint-*/veristill.json")
        return max((int(path.parent.name.partition("-")[2]) for path in found), default=0)

    def attempts(self) -> list[dict[str, Any]]:
        path = self.here / "state" / "attempts.jsonl"
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []

    def log(self) -> str:
        return "\n".join(path.read_text("utf-8", "replace")[-6000:] for path in self.here.glob("logs/*"))

    def kill_a_rank(self, rank: str) -> None:
        wanted = {f"RANK={rank}".encode(), b"WORLD_SIZE=2"}
        entry = str(self.here / "code" / "entry.py").encode()
        for process in Path("/proc").glob("[0-9]*"):
            try:
                command = (process / "cmdline").read_bytes().split(b"\0")
                around = set((process / "environ").read_bytes().split(b"\0"))
            except OSError:
                continue
            if entry in command and wanted <= around:
                os.kill(int(process.name), signal.SIGKILL)
                return
        raise AssertionError(f"there is no rank {rank}")


@pytest.mark.slow
def test_a_killed_rank_is_resumed_and_a_running_job_is_not_launched_twice(
    slurm: Cluster, inputs: tuple[Path, Path], training_python: Path, tmp_path: Path
) -> None:
    run = Run(tmp_path / "a run", inputs, training_python)
    assert run.state == "absent"
    run.render(24, chain=2)
    job, later = run.launch()
    with pytest.raises(Stopped, match=f"Slurm job {job}"):
        run.launch()
    until(lambda: run.step() >= 4 or run.state not in ("queued", "running"))
    assert run.state == "running", run.log()
    noted_as = (run.here / "state" / "launch.json").read_bytes()
    (run.here / "state" / "launch.json").unlink()  # Slurm itself knows the job by its script
    with pytest.raises(Stopped, match=f"Slurm job {job}"):
        run.launch()
    (run.here / "state" / "launch.json").write_bytes(noted_as)
    run.kill_a_rank("1")
    until(lambda: slurm.run("squeue", "--noheader", "--me").strip() == "")
    shown = slurm.run("scontrol", "show", "job", job, "--oneliner")
    assert "JobState=COMPLETED" in shown, run.log()
    assert "JobState=CANCELLED" in slurm.run("scontrol", "show", "job", later, "--oneliner")  # nothing is left for it
    assert run.state == "done"
    starts = [one for one in run.attempts() if one["event"] == "start"]
    assert [one["step"] >= 4 for one in starts] == [False, True]
    assert json.loads((run.here / "state" / "done.json").read_text())["step"] == 24


@pytest.mark.slow
def test_a_cancelled_job_goes_on_and_so_does_one_that_reached_its_time_limit(
    slurm: Cluster, inputs: tuple[Path, Path], training_python: Path, tmp_path: Path
) -> None:
    run = Run(tmp_path / "b run", inputs, training_python)
    (job,) = run.launch()
    until(lambda: run.step() >= 4 or run.state not in ("queued", "running"))
    slurm.run("scancel", job)
    until(lambda: slurm.run("squeue", "--noheader", "--me").strip() == "")
    assert run.state == "stopped", run.log()
    before = run.step()
    assert before >= 4

    run.render(100_000, chain=2, time="30", warning_seconds=90)
    first, second = run.launch()
    slurm.run("scontrol", "hold", second)  # so that the test can say how much is left
    until(lambda: run.step() > before)
    spent = slurm.run("squeue", "--noheader", f"--jobs={first}", "--format=%M").strip()
    # Slurm counts in minutes and looks every 30 s: a limit nearer than the warning is noticed at the next look.
    slurm.run("scontrol", "update", f"JobId={first}", f"TimeLimit={int(spent.split(':')[-2]) + 2}")
    until(lambda: slurm.run("squeue", "--noheader", f"--jobs={first}", check=False).strip() == "")
    assert "SIGUSR1: saving a checkpoint" in run.log()
    assert run.state == "queued"
    reached = run.step()
    assert reached > before, run.log()

    run.render(reached + 4)
    slurm.run("scontrol", "release", second)
    until(lambda: slurm.run("squeue", "--noheader", "--me").strip() == "")
    assert run.state == "done", run.log()
    starts = [one["step"] for one in run.attempts() if one["event"] == "start"]
    assert starts == [0, starts[1], reached]
    assert before <= starts[1] < reached
    launched = noted(run.here)
    assert launched is not None
    assert launched.more["ids"] == [first, second]
