"""`kill -9` at twenty moments of a run, then the same command: nothing lost, nothing asked twice, the same bytes."""

import asyncio
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from curate.ledger import Ledger
from tests.engine import ENGINES

VERISTILL = Path(sys.executable).with_name("veristill")
QUESTIONS = 140  # two batches of publishing
RECIPE = """
name: crash
sources:
  - kind: jsonl
    path: questions.jsonl
    columns: {problem: problem, id: id, domain: domain, answer: answer, tests: tests, gold: gold}
annotate:
  teacher: {kind: fake, error_rate: 0.3, seed: 7, latency_s: 0.05, concurrency: 8}
  samples: 2
"""
# Moments of a run, by fault point (name:passing[:group]); the rest are kills at random times.
FAULTS = [
    "ledger.commit:2", "ledger.commit:9:group", "ledger.commit:17", "ledger.committed:5:group", "ledger.seal:1",
    "publish.row:1", "publish.row:1:group", "publish.swap:1", "publish.swap:1:group", "publish.row:2",
]  # fmt: skip


def make_recipe(folder: Path) -> Path:
    with (folder / "questions.jsonl").open("w") as file:
        for number in range(QUESTIONS):
            row = {"id": str(number), "domain": "math", "problem": f"What is {number} + 1?", "answer": str(number + 1)}
            row |= {"tests": None, "gold": None}
            if number % 3 == 0:
                tests = json.dumps(
                    {"inputs": [f"{n}\n" for n in range(3)], "outputs": [f"{n + number}\n" for n in range(3)]}
                )
                gold = f"print(int(input()) + {number})"
                row |= {"domain": "code", "problem": f"Add {number}.", "answer": None, "tests": tests, "gold": gold}
            file.write(json.dumps(row) + "\n")
    (folder / "recipe.yaml").write_text(RECIPE)
    return folder / "recipe.yaml"


def command(recipe: Path, root: Path) -> list[str]:
    return [str(VERISTILL), "--root", str(root), "run", str(recipe)]


def digest(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def marked(mark: str) -> list[int]:
    """Processes started under this mark (it is in their environment) that are still there."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                if (
                    mark.encode() in (entry / "environ").read_bytes()
                    and b"\nState:\tZ" not in (entry / "status").read_bytes()
                ):
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def mounted(own: Path) -> list[str]:
    """The mounts that this machine has; other tests, and their engines, may mount in their own folders meanwhile."""
    lines = Path("/proc/self/mounts").read_text().splitlines()
    elsewhere = ("/pytest-", ENGINES, "/run/docker/")
    return [line for line in lines if str(own) in line or not any(folder in line for folder in elsewhere)]


def left_behind(mark: str) -> list[str]:
    """What is still running after a moment to die in; names them."""
    deadline = time.monotonic() + 10
    while (found := marked(mark)) and time.monotonic() < deadline:
        time.sleep(0.05)
    names = []
    for pid in found:
        try:
            names.append(f"{pid} {Path(f'/proc/{pid}/cmdline').read_bytes()[:200]!r}")
        except OSError:
            continue
    return names


async def ledger_state(root: Path) -> tuple[dict[str, int], set[str]]:
    """Sends per request key, and the keys that have a reply."""
    if not (root / "ledger").is_dir():
        return {}, set()
    async with Ledger(root / "ledger", read_only=True) as ledger:
        sends: dict[str, int] = {}
        for key, _, _ in ledger.scan("sent"):
            sends[key] = sends.get(key, 0) + 1
        return sends, {key for key, _, _ in ledger.scan("reply")}


@pytest.fixture(scope="module")
def baseline(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str], dict[str, object], float]:
    folder = tmp_path_factory.mktemp("baseline")
    recipe = make_recipe(folder)
    began = time.monotonic()
    done = subprocess.run(command(recipe, folder / "root"), capture_output=True, text=True)
    seconds = time.monotonic() - began
    assert done.returncode == 0, done.stderr
    run = folder / "root" / "runs" / "crash"
    totals = json.loads((run / "report.json").read_text())["totals"]
    assert totals["solve"]["asked"] == 2 * QUESTIONS
    assert totals["solve"]["outcomes"]["pass"] > QUESTIONS
    assert totals["solve"]["outcomes"]["fail"] > QUESTIONS // 4
    return recipe, digest(run / "dataset"), totals, seconds


@pytest.mark.slow
@pytest.mark.parametrize("moment", range(20))
def test_kill_and_go_on(
    moment: int, baseline: tuple[Path, dict[str, str], dict[str, object], float], tmp_path: Path
) -> None:
    recipe, files, totals, seconds = baseline
    fault = FAULTS[moment] if moment < len(FAULTS) else ""
    mark = f"veristill-crash-{uuid.uuid4().hex}"
    env = {**os.environ, "VERISTILL_TEST_MARK": mark, "VERISTILL_FAULT": fault}
    mounts = mounted(tmp_path)
    process = subprocess.Popen(
        command(recipe, tmp_path), env=env, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    if fault:
        process.wait(timeout=120)
    else:
        # Seeded, so that a failure can be looked at again; spread over the whole run.
        time.sleep(random.Random(moment).uniform(0.2, 0.95) * seconds)
        if moment % 2:
            os.kill(process.pid, signal.SIGKILL)
        else:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=60)
    assert process.returncode in (-signal.SIGKILL, 0 if not fault else -signal.SIGKILL)
    assert left_behind(mark) == []
    assert mounted(tmp_path) == mounts

    sends, replied = asyncio.run(ledger_state(tmp_path))
    in_flight = set(sends) - replied
    assert len(in_flight) <= 8

    env["VERISTILL_FAULT"] = ""
    done = subprocess.run(command(recipe, tmp_path), env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    run = tmp_path / "runs" / "crash"
    assert digest(run / "dataset") == files
    assert json.loads((run / "report.json").read_text())["totals"] == totals
    after, _ = asyncio.run(ledger_state(tmp_path))
    assert {key for key, count in after.items() if count > 1} <= in_flight
    assert max(after.values()) <= 2
    assert left_behind(mark) == []
    assert [path.name for path in tmp_path.rglob("*.tmp*")] == []
