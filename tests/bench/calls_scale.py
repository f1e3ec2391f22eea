"""Two measurements of `calls_peers`: memory over very many questions, and what a restart takes.

    python -P tests/bench/calls_scale.py million 1000000
    python -P tests/bench/calls_scale.py restart 173000

The questions of `million` are made up as they are read: nothing is on disk but the ledger. `restart` fills a ledger
with answers of 2 KB; then one fresh process looks which keys are there, and another one solves the first 20,000
questions again.
"""

import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import pyarrow as pa  # noqa: E402

from curate.attempts import AttemptTable  # noqa: E402
from curate.calls.given import given_reply  # noqa: E402
from curate.engine.local import Local  # noqa: E402
from curate.journal import Entry  # noqa: E402
from curate.ledger import Ledger  # noqa: E402
from curate.memory import give_back_freed_memory  # noqa: E402
from curate.progress import Progress  # noqa: E402
from curate.questions import SCHEMA, _to_row  # noqa: E402
from curate.records import Question, Unknown  # noqa: E402
from curate.report import SolveCounts  # noqa: E402
from curate.resources import open_resources  # noqa: E402
from curate.run import Run  # noqa: E402
from curate.solve import Solved  # noqa: E402
from curate.teachers.fake import Fake  # noqa: E402
from recipes.schema import Recipe  # noqa: E402

_GROUP = 4096
_TEXT = " ".join(random.Random(5).choices(["sum", "prime", "area", "graph", "angle", "root", "least"], k=330))


def question(number: int) -> Question:
    """A question of its own."""
    problem = f"[{number}] What is {number} + 1?"
    asked = Question.of(
        problem=problem, domain="open", truth=Unknown(), source="made", source_id=str(number), gold=_TEXT
    )
    return asked.model_copy(update={"seq": number})


def groups(count: int) -> Iterator[pa.Table]:
    """Row groups of the questions, made when they are asked for."""
    for start in range(0, count, _GROUP):
        rows = [_to_row(question(number)) for number in range(start, min(start + _GROUP, count))]
        yield pa.Table.from_pylist(rows, schema=SCHEMA)


def rss_mb() -> int:
    """Of this process, now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20


async def solve(folder: Path, count: int) -> dict[str, Any]:
    """Solve every question once with answers that cost nothing, through the durable ledger."""
    recipe = Recipe.model_validate(
        {"name": "many", "sources": ["quickstart"], "annotate": {"teacher": {"kind": "fake", "concurrency": 256}}}
    )
    give_back_freed_memory()  # as a run does
    run = Run(folder, "many")
    run.folder.mkdir(parents=True, exist_ok=True)
    counts, attempts = SolveCounts(), AttemptTable(folder)
    began, cpu = time.monotonic(), time.process_time()
    told: dict[str, Any] = {"rss_mb": []}

    def done(asked: Question, solved: Solved) -> None:
        counts.add(asked, solved)
        attempts.add(asked, solved)
        told.setdefault("first_answer_s", round(time.monotonic() - began, 2))
        if counts.questions % max(1, count // 20) == 0:
            told["rss_mb"].append(rss_mb())

    async with open_resources(run, recipe) as resources:
        await Local(Progress(quiet=True)).solve(groups(count), recipe.work(), resources, done)
        counted = resources.calls.counters
    seconds, spent = time.monotonic() - began, time.process_time() - cpu
    assert counts.answered == count
    told |= {"sent": counted.sent, "reused": counted.reused}
    return {**told, "wall_s": round(seconds, 1), "cpu_ms_a_question": round(1000 * spent / count, 3)}


def skip(folder: Path, count: int) -> dict[str, Any]:
    """Open the ledger and find which of the keys are answered: what stands between a restart and its first request."""
    began = time.monotonic()
    keys = json.loads((folder / "keys.json").read_text())
    read = time.monotonic()
    cpu = time.process_time()
    ledger = Ledger(folder / "ledger", read_only=True)
    found = ledger.have("reply", keys)
    seconds, spent = time.monotonic() - read, time.process_time() - cpu
    assert len(found) == count
    return {"skip_wall_s": round(seconds, 2), "skip_cpu_s": round(spent, 2), "read_keys_s": round(read - began, 2)}


async def fill(folder: Path, count: int) -> list[str]:
    """A ledger with an answer of 2 KB to each question; returns the request keys."""
    teacher, keys = Fake(concurrency=256), []
    nothing: Any = None
    async with Ledger(folder / "ledger") as ledger:
        entries: list[Entry] = []
        for number in range(count):
            call = teacher.call(question(number), 0, nothing)
            keys.append(call.key)
            entries.append(Entry("reply", call.key, "", given_reply(call).to_bytes()))
            if len(entries) == _GROUP or number == count - 1:
                await ledger.put(entries)
                entries = []
    return keys


def main() -> None:
    """Run one of them."""
    what, count = sys.argv[1], int(sys.argv[2])
    if what in ("skip", "again"):
        folder = Path(sys.argv[3])
        print(json.dumps(skip(folder, count) if what == "skip" else asyncio.run(solve(folder, count))), flush=True)
        return
    with tempfile.TemporaryDirectory(prefix="calls-scale-") as name:
        if what == "million":
            print(json.dumps({"questions": count, **asyncio.run(solve(Path(name), count))}), flush=True)
            return
        (Path(name) / "keys.json").write_text(json.dumps(asyncio.run(fill(Path(name), count))))
        for again, questions in (("skip", count), ("again", min(count, 20_000))):
            print(f"{again} {questions}:", end=" ", flush=True)
            subprocess.run([sys.executable, "-P", __file__, again, str(questions), name], check=True)


if __name__ == "__main__":
    main()
