"""`kill -9` in the middle of rounds: what was in flight is asked again, the rest goes on as if nothing had been."""

import hashlib
import json
import multiprocessing
import os
import signal
from pathlib import Path

from curate.engine.local import execute
from curate.flow import Flow, Options
from curate.ledger import Ledger
from curate.select.all import All
from curate.sources.columns import Columns
from curate.sources.jsonl import Jsonl
from curate.teachers.fake import Fake
from tests.curate import killed_rounds

ROWS, MOST, CONCURRENCY = 60, 5, 8
# Which commit of the ledger is the last one of each command.
DEATHS = [int(text) for text in os.environ.get("VERISTILL_ROUNDS_KILLS", "2,9,17").split(",")]
_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["tests.curate.killed_rounds"])


def flow(folder: Path) -> Flow:
    path = folder / "questions.jsonl"
    path.write_text(
        "".join(json.dumps({"problem": f"What is {n} + 1?", "answer": str(n + 1)}) + "\n" for n in range(ROWS))
    )
    teacher = Fake(error_rate=0.6, latency_s=0.02, concurrency=CONCURRENCY)
    return Flow.model_validate(
        {
            "name": "rounds",
            "sources": (Jsonl(path=path, domain="math", columns=Columns(problem="problem", answer="answer")),),
            "annotate": {"teacher": teacher, "until_verified": {"want": 1, "max_samples": MOST}},
            "select": (All(),),
        }
    )


def dataset(root: Path) -> dict[str, str]:
    folder = root / "runs" / "rounds" / "dataset"
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def sends(root: Path) -> tuple[dict[str, int], set[str]]:
    """How often each request was sent, and the ones that have a reply."""
    if not (root / "ledger" / "ledger.json").exists():
        return {}, set()
    ledger = Ledger(root / "ledger", read_only=True)
    found: dict[str, int] = {}
    for key, _, _ in ledger.scan("sent"):
        found[key] = found.get(key, 0) + 1
    replied = {key for key, _, _ in ledger.scan("reply")}
    ledger.close()
    return found, replied


def test_killed_in_mid_round_it_goes_on_with_the_same_rounds(tmp_path: Path) -> None:
    made, whole, root = flow(tmp_path), tmp_path / "whole", tmp_path / "root"
    wanted = execute(made, Options(root=whole, quiet=True))
    assert wanted.solve is not None
    lost: dict[str, int] = {}  # by request, how often it was in flight at a death
    told = 0
    for commit in DEATHS:
        before, _ = sends(root)
        dying = _forks.Process(target=killed_rounds.run, args=(made, str(root), commit))
        dying.start()
        dying.join(120)
        assert dying.exitcode == -signal.SIGKILL
        sent, replied = sends(root)
        flying = {key for key, count in sent.items() if count > before.get(key, 0) and key not in replied}
        assert len(flying) <= CONCURRENCY
        lost |= {key: lost.get(key, 0) + 1 for key in flying}
        told = sum(count for key, count in sent.items() if key not in replied)
    assert len(sends(root)[1]) > ROWS // 4  # it got into the rounds
    report = execute(made, Options(root=root, quiet=True))
    assert report.totals() == wanted.totals()
    assert dataset(root) == dataset(whole)
    assert report.this_run["possibly_paid_twice"] == told
    sent, replied = sends(root)
    assert set(sent) == replied == set(sends(whole)[0])  # not one request that a run in peace would not send
    assert {key: count - 1 for key, count in sent.items() if count > 1} == lost
