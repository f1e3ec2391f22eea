"""The gate in a run: counted, durable by question, tried again after trouble of ours, and stages behind it follow."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import pyarrow.parquet as pq
import pytest

from curate.calls.client import Calls
from curate.errors import Stopped
from curate.gates import examine
from curate.ingest import ingest
from curate.kinds import Gate, Label, Opinion, Unexamined
from curate.labels import Cleaning, clean, label, label_drops
from curate.ledger import Ledger
from curate.progress import Progress
from curate.records import Question
from curate.report import Report
from curate.resources import Resources
from curate.run import Run
from curate.verdicts import Verdicts
from tests.curate.test_labels import Numbers, Odd

VERISTILL = str(Path(sys.executable).with_name("veristill"))
QUIET = Progress(quiet=True)


class Examining(Gate):
    """Drops multiples of three; numbers in `sick` cannot be examined; multiples of five are not looked at."""

    looked: ClassVar[list[int]] = []
    sick: ClassVar[set[int]] = set()
    full: ClassVar[set[int]] = set()

    def reads(self, question: Question) -> Any | None:
        return None if int(question.problem) % 5 == 0 else question.problem

    async def examine(self, question: Question, resources: Resources) -> Opinion:
        assert resources.ledger is not None
        await asyncio.sleep(0)
        number = int(question.problem)
        if number in self.full:
            raise Stopped("the disk is full")
        if number in self.sick:
            raise Unexamined("no sandbox") if number % 2 else RuntimeError("a plugin's defect")
        Examining.looked.append(number)
        return Opinion(False, "threes", {"n": number}) if number % 3 == 0 else Opinion(True, None, {"n": number})


@pytest.fixture
def run(tmp_path: Path) -> Run:
    Examining.looked, Examining.sick, Examining.full = [], set(), set()
    run = Run(tmp_path, "r")
    run.folder.mkdir(parents=True)
    return run


@asynccontextmanager
async def _handles(run: Run) -> AsyncIterator[Resources]:
    async with Ledger(run.root / "ledger") as ledger, Calls(ledger) as calls:
        yield Resources(ledger, calls, Verdicts(ledger))


async def _clean(run: Run, stages: list[Label | Gate]) -> Cleaning:
    done = ingest(run, [Numbers()], None, QUIET)
    cleaning = Cleaning(run, stages, done.rows, done.key)
    while (stage := cleaning.stage) is not None:
        reused = cleaning.labelled(whole=True)
        if not reused and isinstance(stage, Gate):
            await examine(cleaning, stage, _handles(run), QUIET)
        elif not reused:
            assert isinstance(stage, Label)
            label(cleaning, stage, QUIET)
        cleaning.apply(reused=reused)
    cleaning.sweep()
    return cleaning


async def test_counts_order_and_reuse(run: Run) -> None:
    numbers = [n for n in range(30) if n % 7 != 6]
    dropped = [n for n in numbers if n % 3 == 0 and n % 5]
    first = await _clean(run, [Examining(), Odd()])
    gate, odd = first.counts
    assert (gate.stage, gate.seen, gate.dropped) == ("0-test_gate_run", len(numbers), len(dropped))
    assert gate.reasons == {"threes": len(dropped)} and gate.unexamined == 0 and odd.seen == gate.kept
    drops = [(one.seq, one.evidence) for one in label_drops(run, [Examining()])]
    assert drops == [(n, {"n": n}) for n in dropped]
    assert sorted(Examining.looked) == [n for n in numbers if n % 5]
    again = await _clean(run, [Examining(), Odd()])
    assert [one.reused for one in again.counts] == [True, True]
    # Behind another stage its table is written anew, but nothing is examined again.
    behind = await _clean(run, [Odd(), Examining()])
    assert behind.counts[1].reused is False and len(Examining.looked) == len([n for n in numbers if n % 5])
    assert [path.name for path in sorted(run.labels.glob("*.parquet"))] == [
        "0-test_labels.parquet",
        "1-test_gate_run.parquet",
    ]


async def test_trouble_of_ours_keeps_and_is_tried_again(run: Run) -> None:
    Examining.sick = {3, 4, 9}
    first = await _clean(run, [Examining(), Odd()])
    # Odd numbers leave afterwards; 4 is even and stays.
    assert first.counts[0].unexamined == 3 and first.counts[1].seen == first.counts[0].kept and 4 in first.kept
    table = pq.read_table(run.labels / "0-test_gate_run.parquet").to_pylist()
    assert [row["evidence"] for row in table if row["reason"] == "unexamined"] == [
        '{"message": "no sandbox"}',
        '{"message": "RuntimeError: a plugin\'s defect"}',
        '{"message": "no sandbox"}',
    ]
    looked = len(Examining.looked)
    Examining.sick = set()
    second = await _clean(run, [Examining(), Odd()])
    assert second.counts[0].unexamined == 0 and second.counts[0].dropped == first.counts[0].dropped + 2
    assert len(Examining.looked) == looked + 3
    assert second.counts[1].reused is False  # it sees other rows now
    assert [one.reused for one in (await _clean(run, [Examining(), Odd()])).counts] == [True, True]


async def test_what_stops_a_run_stops_it_as_itself(run: Run) -> None:
    Examining.full = {7, 8, 11}
    with pytest.raises(Stopped, match="the disk is full"):
        await _clean(run, [Examining()])
    first, Examining.looked, Examining.full = len(Examining.looked), [], set()
    done = await _clean(run, [Examining()])
    assert done.counts[0].seen == 26 and {7, 8, 11} <= set(Examining.looked)
    assert first > 0 and len(Examining.looked) < 21  # what was stored before it is not examined again


async def test_readers_stop_before_an_open_gate(run: Run) -> None:
    done = ingest(run, [Numbers()], None, QUIET)
    kept, counts = clean(run, [Odd(), Examining()], done.rows, done.key, QUIET)
    assert [one.stage for one in counts] == ["0-test_labels"] and len(kept) == counts[0].kept
    Examining.sick = {4}
    await _clean(run, [Odd(), Examining()])
    _, counts = clean(run, [Odd(), Examining()], done.rows, done.key, None)
    assert len(counts) == 2 and counts[1].unexamined == 1  # what is there may be read, and published as partial


async def test_the_report_says_what_was_not_examined(run: Run) -> None:
    Examining.sick = {4}
    cleaning = await _clean(run, [Examining()])
    report = Report(recipe="r", ingest=ingest(run, [Numbers()], None, QUIET), clean=cleaning.counts)
    report.check()
    assert "kept unexamined 1" in report.to_markdown()
    with pytest.raises(Exception, match="kept unexamined because of trouble on our side: 0-test_gate_run 1"):
        report.raise_for_errors()


ROWS: list[dict[str, Any]] = [
    {"p": "double", "t": {"inputs": ["1\n", "2\n"], "outputs": ["2\n", "4\n"]}, "s": ["print(int(input()) * 2)"]},
    {"p": "bad", "t": {"inputs": ["1\n", "2\n"], "outputs": ["2\n", "5\n"]}, "s": ["print(int(input()) * 2)"]},
    {"p": "any", "t": {"inputs": ["1\n", "2\n"], "outputs": ["a\n", "b\n"]},
     "s": ["print('ab'[int(input()) - 1])", "print('ba'[int(input()) - 1])"]},
    {"p": "yes", "t": {"inputs": ["1\n"], "outputs": ["YES\n"]}, "s": "[\"print('YES')\"]"},
    {"p": "torn", "t": "{", "s": ["pass"]},
    {"p": "none", "t": {"inputs": ["1\n", "3\n"], "outputs": ["x\n", "y\n"]}, "s": None},
]  # fmt: skip
RECIPE = """
name: gated
sources:
  - {{kind: jsonl, path: {path}, domain: code, columns: {{problem: p, tests: t, solutions: s}}}}
clean: [test_gate, {{kind: dedup}}]
annotate: {{teacher: fake}}
"""


def _recipe(folder: Path, rows: list[dict[str, Any]]) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    recipe = folder / "gated.yaml"
    recipe.write_text(RECIPE.format(path=path))
    return recipe


def _command(folder: Path, *arguments: object) -> list[str]:
    return [VERISTILL, "--root", str(folder / "out"), *map(str, arguments)]


def _json(folder: Path, *arguments: object) -> dict[str, Any]:
    done = subprocess.run(_command(folder, *arguments), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_recipe_drops_questions_before_anything_is_asked(tmp_path: Path) -> None:
    recipe = _recipe(tmp_path, ROWS)
    report = _json(tmp_path, "run", recipe, "--until", "clean", "--json")
    gate, dedup = report["totals"]["clean"]
    assert gate["reasons"] == {
        "multiple_answers": 1, "tests_accept_trivial": 1, "tests_reject_gold": 1, "unreadable_tests": 1,
    }  # fmt: skip
    assert (gate["seen"], gate["kept"], dedup["seen"]) == (6, 2, 2)
    again = _json(tmp_path, "run", recipe, "--until", "clean", "--json")
    assert again["totals"] == report["totals"]
    found = _json(tmp_path, "explain", recipe, "seq:1", "--json")
    (told,) = found["labels"]
    assert told["reason"] == "tests_reject_gold" and json.loads(told["evidence"])["expected"] == "5\n"
    shown = subprocess.run(_command(tmp_path, "explain", recipe, "seq:1"), capture_output=True, text=True)
    assert "dropped, tests_reject_gold" in shown.stdout and '"expected": "5\\n"' in shown.stdout, shown.stderr
    assert _json(tmp_path, "status", recipe, "--json")["kept"] == 2


def test_what_was_not_examined_ends_with_1_and_is_explained(tmp_path: Path) -> None:
    recipe = _recipe(tmp_path, [{**ROWS[0], "s": ["import shapely\nprint(int(input()) * 2)"]}])
    done = subprocess.run(_command(tmp_path, "run", recipe, "--until", "clean"), capture_output=True, text=True)
    assert done.returncode == 1 and "kept unexamined" in done.stderr, done.stderr
    told = subprocess.run(_command(tmp_path, "explain", recipe, "seq:0"), capture_output=True, text=True)
    assert "0-test_gate: kept, unexamined" in told.stdout, told.stderr


def test_the_gate_runs_in_the_recipes_sandbox(tmp_path: Path) -> None:
    recipe = _recipe(tmp_path, ROWS[:1])
    recipe.write_text(recipe.read_text() + "sandbox: {backend: docker}\n")
    env = {**os.environ, "DOCKER_HOST": "unix:///nonexistent.sock"}
    command = _command(tmp_path, "run", recipe, "--until", "clean")
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=env)
    assert done.returncode == 3 and "Docker" in done.stderr, done.stderr


def test_a_killed_run_examines_nothing_twice(tmp_path: Path) -> None:
    slow = "import time\ns = time.process_time()\nwhile time.process_time() - s < 0.1: pass\n"
    rows = [
        {
            "p": f"times {n}",
            "t": {"inputs": ["1\n", "2\n"], "outputs": [f"{n}\n", f"{2 * n}\n"]},
            "s": [f"{slow}print(int(input()) * {n})"],
        }
        for n in range(2, 32)
    ]
    recipe = _recipe(tmp_path, rows)
    command = _command(tmp_path, "run", recipe, "--until", "clean", "--json")
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    stored: dict[str, bytes] = {}
    try:
        for _ in range(600):
            time.sleep(0.2)
            stored = _opinions(tmp_path / "out" / "ledger")
            if len(stored) >= 5 or process.poll() is not None:
                break
        assert process.poll() is None
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    stored = _opinions(tmp_path / "out" / "ledger")
    assert 5 <= len(stored) < 30
    report = _json(tmp_path, "run", recipe, "--until", "clean", "--json")
    assert report["totals"]["clean"][0]["kept"] == 30
    whole = _opinions(tmp_path / "out" / "ledger")
    assert len(whole) == 30 and stored.items() <= whole.items()
    fresh = _json(tmp_path / "other", *_at(tmp_path, recipe), "--json")
    assert fresh["totals"] == report["totals"]


def _at(tmp_path: Path, recipe: Path) -> tuple[object, ...]:
    (tmp_path / "other").mkdir()
    return "run", recipe, "--until", "clean"


def _opinions(folder: Path) -> dict[str, bytes]:
    if not (folder / "ledger.json").exists():
        return {}
    ledger = Ledger(folder, read_only=True)
    try:
        return {key: body for key, _, body in ledger.scan("opinion")}
    finally:
        ledger.close()


@pytest.mark.real
def test_published_problems_pass(data_dir: Path, tmp_path: Path) -> None:
    """HumanEval: every canonical solution passes; one problem has a single example, which its own output passes."""
    recipe = tmp_path / "humaneval.yaml"
    text = (Path(__file__).resolve().parents[3] / "recipes" / "humaneval.yaml").read_text()
    recipe.write_text(text.replace("annotate:", "clean: [test_gate]\nannotate:"))
    env = {**os.environ, "VERISTILL_DATA": str(data_dir)}
    command = _command(tmp_path, "run", recipe, "--until", "clean", "--json")
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, env=env)
    assert done.returncode == 0, done.stderr
    (gate,) = json.loads(done.stdout)["totals"]["clean"]
    assert (gate["seen"], gate["kept"], gate["reasons"]) == (164, 163, {"tests_accept_trivial": 1})
    (drop,) = [row for row in pq.read_table(_labels(tmp_path)).to_pylist() if not row["kept"]]
    assert (drop["seq"], json.loads(drop["evidence"])["trivial"]) == (34, "first_output")


def _labels(tmp_path: Path) -> Path:
    return tmp_path / "out" / "runs" / "humaneval" / "labels" / "0-test_gate.parquet"
