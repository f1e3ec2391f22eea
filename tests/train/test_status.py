"""Where a run is, from what it leaves in its folder: logs of several attempts, heartbeats, checkpoints."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from curate.errors import InputError, Prerequisite
from train import curve, readings, status
from train.block import Train
from train.job import Expected, Job

SAID = {"student": "/s", "dataset": "/d", "shard": "ddp", "offload": "none", "batch": {"rows": 2}}
BLOCK = Train.model_validate({**SAID, "cluster": {"nodes": 1, "gpus": 2}})


def _line(step: int, loss: float, seconds: int, tokens: int | None = None, steps: int = 100) -> str:
    said: dict[str, Any] = {"current_steps": step, "total_steps": steps, "loss": loss, "epoch": step / 50, "lr": 1e-5}
    said["elapsed_time"] = f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return json.dumps({**said, "total_tokens": tokens} if tokens else said) + "\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run of 100 steps that was killed at step 30 and went on from step 20; it is at step 60."""
    job = Job(name="r", folder=str(tmp_path), python="/p", processes=2, expect=Expected(steps=100))
    (tmp_path / "output").mkdir()
    (tmp_path / "state").mkdir()
    (tmp_path / "job.json").write_text(job.text())
    first = [_line(step, 5 - step / 20, step * 10, step * 1000) for step in range(1, 31)]
    second = [_line(step, 4 - step / 20, (step - 20) * 2, step * 1000) for step in range(21, 61)]
    (tmp_path / "output/trainer_log.jsonl").write_text("".join([*first, '{"current_ste', "\n", *second, '{"cur']))
    now = time.time()
    events = [
        {"event": "start", "attempt": 0, "time": now - 7200, "step": 0},
        {"event": "end", "attempt": 0, "time": now - 5400, "how": "failed", "why": "a rank was ended by SIGKILL"},
        {"event": "start", "attempt": 1, "time": now - 1800, "step": 20},
        {"event": "resumed", "attempt": 1, "time": now - 1700, "step": 21, "lost_s": 100.0},
    ]
    (tmp_path / "state/attempts.jsonl").write_text("".join(json.dumps(one) + "\n" for one in events))
    beat = {"node": 0, "host": "n0", "state": "training", "step": 61, "attempt": 1, "time": now - 3}
    (tmp_path / "state/node-0.json").write_text(json.dumps(beat))
    return tmp_path


def test_steps_that_were_made_twice_count_once(folder: Path) -> None:
    points = readings.points(folder / "output")
    assert [one.step for one in points] == list(range(1, 61))
    assert points[19].loss == pytest.approx(4.0)  # of the first attempt
    assert points[20].loss == pytest.approx(2.95)  # of the second


def test_speed_is_of_the_newest_attempt(folder: Path) -> None:
    speed = readings.speed(folder / "output")
    assert speed is not None
    assert speed.seconds_per_step == pytest.approx(2.0)
    assert speed.tokens_per_second == pytest.approx(500.0)


def test_an_elapsed_time_of_days(tmp_path: Path) -> None:
    said = {"current_steps": 2, "total_steps": 9, "loss": 1.0, "elapsed_time": "2 days, 3:04:05"}
    (tmp_path / "trainer_log.jsonl").write_text(json.dumps(said))
    assert readings.points(tmp_path)[0].seconds == 2 * 86400 + 3 * 3600 + 4 * 60 + 5


def test_the_whole_state(folder: Path) -> None:
    model = status.Model(flops_per_token=1e9, peak=5e12, hours=(1.0, 2.0))
    now = status.status(BLOCK, folder, model)
    assert (now.step, now.steps, now.tokens) == (61, 100, 60000)
    assert now.mfu == pytest.approx(500 * 1e9 / 5e12)
    assert now.hours_left == pytest.approx(39 * 2 / 3600)
    assert now.hours == pytest.approx((1800 + 1797) / 3600, abs=0.01)  # attempts; not the hour between them
    assert (now.attempts, now.failures, now.lost_s) == (2, 1, 100.0)
    assert now.checkpoint == 0
    assert now.nodes[0].age_s == pytest.approx(3, abs=2)
    # Nobody holds the supervisor's lock, so it does not run.
    assert now.state == "stopped"
    said = status.lines(now)
    assert said["step"] == "61 of 100 (61.0 %), epoch 1.20"
    assert said["speed"] == "500 tokens/s, 2 s/step, MFU 10.0 %"
    assert said["hours"].endswith("0.02 left, planned 1.0 to 2.0 in all")
    assert said["attempts"] == "2, 1 of them failed, 100 s lost"
    assert said["checkpoint"] == "none is complete yet"


def test_a_node_that_is_not_heard_of(folder: Path) -> None:
    job = json.loads((folder / "job.json").read_text()) | {"nodes": 2}
    (folder / "job.json").write_text(json.dumps(job))
    old = {"node": 0, "host": "n0", "state": "training", "step": 61, "time": time.time() - 600}
    (folder / "state/node-0.json").write_text(json.dumps(old))
    now = status.status(None, folder).model_copy(update={"state": "running"})
    said = status.lines(now)
    assert said["node 0"] == "n0: training at step 61, heard 10.0 min ago (SILENT)"
    assert said["node 1"] == "not heard of"


def test_nothing_was_rendered(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no training run here"):
        status.status(BLOCK, tmp_path)


def test_a_run_that_has_not_begun(folder: Path) -> None:
    for path in ("output/trainer_log.jsonl", "state/attempts.jsonl", "state/node-0.json"):
        (folder / path).unlink()
    now = status.status(BLOCK, folder)
    assert (now.state, now.step, now.steps, now.hours_left) == ("absent", None, 100, None)
    assert status.lines(now) == {"run": "r", "state": "absent", "node 0": "not heard of"}


def test_watching_ends_with_the_run() -> None:
    states = iter(["queued", "running", "running", "done", "running"])
    waits: list[float] = []
    seen = status.watch(lambda: status.Status(name="r", folder="/", state=next(states)), 3.0, waits.append)
    assert [one.state for one in seen] == ["queued", "running", "running", "done"]
    assert waits == [3.0] * 3


def _points(losses: list[float]) -> list[readings.Point]:
    return [readings.Point(step, len(losses), loss, None, float(step)) for step, loss in enumerate(losses, 1)]


def test_the_curve_in_the_terminal() -> None:
    lines = curve.text(_points([4.0, 3.0, 2.0, 1.0]), width=30, height=4).splitlines()
    assert lines[0].startswith("      4 ") and lines[3].startswith("      1 ")
    assert lines[4].split() == ["step", "1", "4"]
    # It falls from the upper left to the lower right, in every line some of it.
    starts = [next(number for number, mark in enumerate(line[8:]) if mark > "\u2800") for line in lines[:4]]
    assert starts == sorted(starts) and starts[0] == 0
    assert max(len(line) for line in lines) <= 30


@pytest.mark.parametrize("losses", [[2.0], [2.0, 2.0], [1.0 / n for n in range(1, 5000)]])
def test_curves_of_any_length(losses: list[float]) -> None:
    lines = curve.text(_points(losses)).splitlines()
    assert len(lines) == 13
    assert all(len(line) <= 72 for line in lines)


def test_no_curve_without_a_loss() -> None:
    assert curve.text([]) == ""


def test_a_loss_that_is_no_number_any_more_has_no_dot() -> None:
    nan, infinite = float("nan"), float("inf")
    assert curve.text(_points([nan])) == ""
    lines = curve.text(_points([2.0, 1.0, nan, infinite])).splitlines()
    assert lines[-1].split() == ["step", "1", "2"]


def test_a_run_on_a_gpu_that_the_table_does_not_have_has_a_status(tmp_path: Path) -> None:
    from recipes.training import planned
    from train.plan import plan

    block = Train.model_validate({"student": "Qwen/Qwen2.5-0.5B", "dataset": "org/d", "cluster": {"gpu": "mine"}})
    made = plan(block, name="r", root=tmp_path, rows=100)
    (tmp_path / "plan.json").write_text(made.model_dump_json())
    assert planned(block, tmp_path) is None


def test_the_curve_as_a_picture(tmp_path: Path, training_python: Path) -> None:
    path = tmp_path / "a folder" / "loss.png"
    curve.png(_points([1.0 / n for n in range(1, 301)]), path, training_python, "a run")
    assert path.read_bytes().startswith(b"\x89PNG")
    assert path.stat().st_size > 10_000
    with pytest.raises(InputError, match="no loss in the log"):
        curve.png([], path, training_python, "a run")


def test_an_interpreter_without_matplotlib(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    with pytest.raises(Prerequisite, match="no matplotlib"):
        curve.png(_points([1.0, 0.5]), tmp_path / "loss.png", tmp_path / "bare/bin/python", "a run")
