"""How a run stops and goes on: Ctrl-C once and twice, a budget over several commands, --partial beside a live run."""

import contextlib
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from curate.errors import InputError
from curate.ledger import Ledger

VERISTILL = Path(sys.executable).with_name("veristill")
ROWS = 40


def recipe(folder: Path, teacher: str, more: str = "") -> Path:
    with (folder / "q.jsonl").open("w") as file:
        for n in range(ROWS):
            file.write(json.dumps({"id": f"q{n}", "problem": f"What is {n} + 1?", "answer": str(n + 1)}) + "\n")
    path = folder / "recipe.yaml"
    path.write_text(
        "name: r\nsources: [{kind: jsonl, path: q.jsonl, domain: math, columns: {id: id, answer: answer}}]\n"
        f"annotate: {{teacher: {{kind: fake, seed: 1, error_rate: 0.2, {teacher}}}}}\n{more}"
    )
    return path


def start(path: Path, *options: str, background: bool = False) -> subprocess.Popen[str]:
    """A run; in the background as a script starts it with `&`, which has it ignore Ctrl-C."""
    command = [str(VERISTILL), "--root", str(path.parent), "run", str(path), *options]
    if background:
        command = ["sh", "-c", "trap '' INT; exec \"$@\"", "sh", *command]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def report(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((path.parent / "runs" / "r" / "report.json").read_text())
    return found


def wait_for_answers(path: Path, count: int) -> None:
    """Wait until a live run has `count` verdicts, as `status` tells."""
    command = [str(VERISTILL), "--root", str(path.parent), "status", "r", "--json"]
    for _ in range(120):
        done = subprocess.run(command, capture_output=True, text=True)
        solve = json.loads(done.stdout).get("solve") if done.returncode == 0 else None
        if solve and sum(solve["outcomes"].values()) >= count:
            return
        time.sleep(0.2)
    pytest.fail("the run never got that far")


def wait_for_sends(path: Path, count: int) -> None:
    """Wait until the ledger of a live run has noted `count` requests."""
    for _ in range(600):
        with contextlib.suppress(InputError):  # there is no ledger yet
            ledger = Ledger(path.parent / "ledger", read_only=True)
            sent = ledger.count("sent")
            ledger.close()
            if sent >= count:
                return
        time.sleep(0.1)
    pytest.fail("the run never asked that much")


@pytest.mark.parametrize("background", [False, True])
def test_one_interrupt_keeps_what_is_in_flight(tmp_path: Path, background: bool) -> None:
    path = recipe(tmp_path, "latency_s: 1.5, concurrency: 4")
    process = start(path, background=background)
    wait_for_answers(path, 1)
    process.send_signal(signal.SIGTERM if background else signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 4, err
    assert "stopping: waiting for" in err
    assert "every answer that was asked for is kept" in err
    again = start(path)
    _, err = again.communicate(timeout=120)
    assert again.returncode == 0, err
    this = report(path)["this_run"]
    assert this["possibly_paid_twice"] == 0
    assert this["answers_new"] + this["answers_reused"] == ROWS
    assert this["answers_reused"] >= 1


def test_two_interrupts_say_what_may_be_paid_twice(tmp_path: Path) -> None:
    path = recipe(tmp_path, "latency_s: 60, concurrency: 4")
    process = start(path)
    wait_for_sends(path, 4)
    time.sleep(1)  # they are noted, and a moment later they leave: one stopped between the two was never sent
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    told = ""
    while "Ctrl-C again" not in told:
        told = process.stderr.readline()
        assert told, "it ended at the first interrupt"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 4
    assert "4 answers in flight were abandoned and may be paid twice" in err
    path.write_text(path.read_text().replace("latency_s: 60", "latency_s: 0.01"))
    again = start(path)
    _, err = again.communicate(timeout=60)
    assert again.returncode == 0, err
    assert "4 requests were in flight" in err
    assert report(path)["this_run"]["possibly_paid_twice"] == 4
    last = start(path)
    _, err = last.communicate(timeout=60)
    assert "in flight" not in err  # they have their answers now


def test_partial_beside_a_live_run(tmp_path: Path) -> None:
    path = recipe(tmp_path, "latency_s: 1.0, concurrency: 3")
    process = start(path)
    wait_for_answers(path, 3)
    partial = start(path, "--partial")
    _, err = partial.communicate(timeout=60)
    assert partial.returncode == 0, err
    assert process.poll() is None, "the run ended too early to tell"
    found = report(path)
    assert found["partial"]
    totals = found["totals"]
    assert 3 <= totals["publish"]["unverified"] == sum(totals["solve"]["outcomes"].values()) < ROWS
    assert "**Partial:**" in (tmp_path / "runs" / "r" / "dataset" / "README.md").read_text()
    second = start(path)  # a second writer is refused
    _, err = second.communicate(timeout=60)
    assert second.returncode == 4
    assert f"process {process.pid}" in err
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert report(path)["totals"]["publish"]["unverified"] == ROWS
    assert "**Partial:**" not in (tmp_path / "runs" / "r" / "dataset" / "README.md").read_text()


def test_partial_without_a_run_says_so(tmp_path: Path) -> None:
    process = start(recipe(tmp_path, "latency_s: 0"), "--partial")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "nothing has been ingested here yet" in err


def test_a_limited_run_says_so_everywhere(tmp_path: Path) -> None:
    path = recipe(tmp_path, "latency_s: 0")
    process = start(path, "--limit", "5")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert report(path)["limit"] == 5
    assert "only the first 5 rows" in (tmp_path / "runs" / "r" / "dataset" / "README.md").read_text()


def test_a_chain_for_a_domain_that_does_not_occur_is_named(tmp_path: Path) -> None:
    process = start(recipe(tmp_path, "latency_s: 0", "verify: {mth: [math]}\n"), "--until", "solve")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "verify.mth: no question has this domain; the domains are: math" in err


def test_recorded_answers_that_nobody_asked_for_are_counted(tmp_path: Path) -> None:
    path = recipe(tmp_path, "latency_s: 0")
    with (tmp_path / "a.jsonl").open("w") as file:
        for key in ("q1", "q2", "nobody", "q2"):
            file.write(json.dumps({"id": key, "solution": "\\boxed{2}"}) + "\n")
    head = path.read_text().split("annotate:")[0]
    path.write_text(head + "annotate: {teacher: {kind: replay, path: a.jsonl, match: source_id, column: id}}\n")
    process = start(path)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "2 recorded answers belong to no question" in err
    found = report(path)
    assert found["this_run"]["recorded_unused"] == 2
    assert found["totals"]["solve"]["without_answer"] == ROWS - 2


def test_damage_is_told(tmp_path: Path) -> None:
    path = recipe(tmp_path, "latency_s: 0")
    start(path).communicate(timeout=60)
    (reply,) = (tmp_path / "ledger").glob("*/segment-*/reply.parquet")
    data = bytearray(reply.read_bytes())
    data[len(data) // 3] ^= 0xFF
    reply.write_bytes(bytes(data))
    process = start(path)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    this = report(path)["this_run"]
    assert this["damage"], "damage must be in the report"
    assert this["answers_new"] > 0
