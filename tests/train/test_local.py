"""Real training on this machine, with the real LLaMA-Factory, accelerate and DeepSpeed: it learns, dies and goes on."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from curate.errors import Stopped, VeristillError
from tests.train.tiny import losses, run_folder, train_block, write_student
from train.inside import checkpoints, process
from train.job import Job
from train.launchers.local import Local

pytestmark = pytest.mark.slow
STEPS = 24


@pytest.fixture(scope="module")
def inputs(training_python: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The student, and the dataset of a run that was made just now, below a folder with a space in its name."""
    folder = tmp_path_factory.mktemp("made here") / "in puts"
    veristill = Path(sys.executable).with_name("veristill")
    subprocess.run([veristill, "--root", folder, "run", "quickstart"], check=True, capture_output=True, text=True)
    return write_student(training_python, folder / "student"), folder / "runs" / "quickstart" / "dataset"


@pytest.fixture(scope="module")
def job(inputs: tuple[Path, Path], training_python: Path) -> Callable[..., Job]:
    """Render a run of `STEPS` steps of four rows."""

    def make(here: Path, processes: int, **block: Any) -> Job:
        cluster = {"nodes": 1, "gpus": processes, "gpu": "cpu"}
        settings: dict[str, Any] = {"batch": {"rows": 4}, "micro_batch": 4 // processes, "max_steps": STEPS, **block}
        return run_folder(here, *inputs, training_python, cluster=cluster, **settings)

    return make


def launch(job: Job) -> list[str]:
    said: list[str] = []
    Local().launch(job, train_block(Path("/s"), Path("/d")), Path(job.folder), said.append)
    return said


def step(here: Path) -> int:
    return int(process.read_state(here / "state" / "node-0.json").get("step") or 0)


def wait_for_step(here: Path, number: int, seconds: float = 500) -> None:
    deadline = time.monotonic() + seconds
    while step(here) < number:
        assert time.monotonic() < deadline, f"step {step(here)}"
        time.sleep(0.01)


def ranks(folder: Path) -> list[int]:
    """Process ids of the ranks that work in a run's folder."""
    entry = str(folder / "code" / "entry.py").encode()
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:  # it ended meanwhile
            continue
        if entry in words and b"torch.distributed.run" not in words and b"accelerate.commands.launch" not in words:
            found.append(int(path.parent.name))
    return sorted(found)


def learned(here: Path) -> dict[int, float]:
    """The loss curve, which must be whole and fall."""
    curve = losses(here)
    assert sorted(curve) == list(range(1, STEPS + 1))
    assert sum(curve[at] for at in range(STEPS - 3, STEPS + 1)) < 0.9 * sum(curve[at] for at in range(1, 5))
    return curve


def test_one_process_learns_pauses_and_goes_on(tmp_path: Path, job: Callable[..., Job]) -> None:
    """A polite stop saves at the step it is in; the curve is that of a run that was never stopped."""
    whole = job(tmp_path / "whole run", 1, shard="ddp")
    assert launch(whole)[-1] == f"finished in attempt 0 at step {STEPS}; 0.0 s lost to 0 failures"
    curve = learned(tmp_path / "whole run")
    newest = tmp_path / "whole run" / "output" / f"checkpoint-{STEPS}"
    assert checkpoints.fault(newest, checkpoints.Wanted.of(whole.model_dump())) is None
    assert (newest / checkpoints.RECORD).exists()
    assert (tmp_path / "whole run" / "output" / "model.safetensors").exists()

    here = tmp_path / "paused run"
    paused = job(here, 1, shard="ddp", checkpoints={"every": 1000})
    stopper = threading.Thread(target=_stop_at, args=(here, 3))
    stopper.start()
    with pytest.raises(Stopped, match=r"paused at step \d+; the same command goes on from checkpoint-"):
        launch(paused)
    stopper.join()
    stopped = step(here)
    assert 3 <= stopped < STEPS
    assert launch(paused)[0] == f"attempt 1: from checkpoint-{stopped}"
    assert learned(here) == pytest.approx(curve, rel=1e-3)

    shorter = job(here, 1, shard="ddp", checkpoints={"every": 1000}, max_steps=STEPS // 2)
    with pytest.raises(
        VeristillError, match=rf"checkpoint is at step {STEPS}.*now asked for ends at step {STEPS // 2}"
    ):
        launch(shorter)


def _stop_at(here: Path, number: int) -> None:
    """What a scheduler does before a time limit."""
    wait_for_step(here, number)
    lock = (here / "state" / "lock").read_text()
    os.kill(int(lock.split()[1]), signal.SIGUSR1)


def test_two_processes_survive_a_killed_one(tmp_path: Path, job: Callable[..., Job]) -> None:
    """DDP: the optimizer is resumed on the CPU too. A checkpoint that was half written is set aside."""
    here = tmp_path / "ddp run"
    made = job(here, 2, shard="ddp")

    def kill() -> None:
        wait_for_step(here, 10)
        os.kill(ranks(here)[1], signal.SIGKILL)
        shutil.copytree(here / "output" / "checkpoint-8", here / "output" / "checkpoint-99")

    killer = threading.Thread(target=kill)
    killer.start()
    said = launch(made)
    killer.join()
    learned(here)
    assert any("ended at step" in line and "a rank was ended by SIGKILL" in line for line in said), said
    assert any(line.startswith("checkpoint-99 set aside: trainer_state.json is of step 8") for line in said), said
    assert f"finished in attempt 1 at step {STEPS}" in said[-1]
    assert ranks(here) == []


def test_zero3_on_two_processes(tmp_path: Path, job: Callable[..., Job]) -> None:
    here = tmp_path / "zero3 run"
    made = job(here, 2, shard="zero3", precision="fp32")
    launch(made)
    learned(here)
    newest = here / "output" / f"checkpoint-{STEPS}"
    assert len(list(newest.glob("global_step*/*_optim_states.pt"))) == 2
    assert checkpoints.survey(here / "output", checkpoints.Wanted.of(made.model_dump())).newest == newest
