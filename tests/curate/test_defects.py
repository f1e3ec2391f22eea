"""A defect of ours at one request costs that row a verdict and nothing else, and every reader sees the same."""

import json
from pathlib import Path
from typing import Any

import pytest

from curate.calls.counters import Counters
from curate.calls.given import Given
from curate.calls.model import Call, Reply
from curate.engine.local import execute
from curate.flow import Flow, Options
from curate.report import Report
from curate.sources.columns import Columns
from curate.sources.jsonl import Jsonl
from curate.teachers.fake import Fake

ROWS = 20


def flow(folder: Path, **changes: Any) -> Flow:
    path = folder / "questions.jsonl"
    path.write_text("".join(json.dumps({"problem": f"{n} + 1?", "answer": str(n + 1)}) + "\n" for n in range(ROWS)))
    source = Jsonl(path=path, domain="math", columns=Columns(problem="problem", answer="answer"))
    return Flow.model_validate(
        {"name": "defects", "sources": (source,), "annotate": {"teacher": (Fake(error_rate=0.0),)}, **changes}
    )


def run(made: Flow, folder: Path, **options: Any) -> Report:
    return execute(made, Options(root=folder / "root", quiet=True, **options))


def test_a_transport_that_falls_over_is_seen_and_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Given.send
    fell: list[str] = []

    async def falls(self: Given, call: Call) -> Reply:
        if len(fell) < 3:
            fell.append(call.key)
            raise KeyError("choices")
        return await whole(self, call)

    monkeypatch.setattr(Given, "send", falls)
    report = run(flow(tmp_path), tmp_path)  # checks its own counts, against what publishing reads again
    assert report.solve is not None
    assert report.solve["outcomes"] == {"error": 3, "pass": ROWS - 3}
    assert (report.solve["answered"], report.solve["failed"]) == (ROWS - 3, 3)
    assert report.this_run["troubles"] == {"KeyError: 'choices'": 3}
    again = run(flow(tmp_path), tmp_path, until="solve")
    assert again.solve is not None
    assert again.solve["outcomes"] == {"pass": ROWS}
    assert again.this_run["answers_new"] == again.this_run["possibly_paid_twice"] == 3
    assert run(flow(tmp_path), tmp_path, until="solve").this_run["possibly_paid_twice"] == 0


def test_a_reply_that_is_safe_outlives_what_came_after(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Counters.count
    fell: list[Reply] = []

    def falls(self: Counters, reply: Reply) -> None:
        if not fell:
            fell.append(reply)
            raise ValueError("what is this")
        whole(self, reply)

    monkeypatch.setattr(Counters, "count", falls)
    report = run(flow(tmp_path), tmp_path)
    assert fell
    assert report.solve is not None
    assert report.solve["outcomes"] == {"pass": ROWS}
    assert run(flow(tmp_path), tmp_path, until="solve").this_run["requests_sent"] == 0


def test_answers_without_a_verdict_are_pending_and_nothing_else(tmp_path: Path) -> None:
    made = flow(tmp_path)
    unverified = made.model_copy(update={"verify": made.verify.model_copy(update={"chains": {"math": []}})})
    run(unverified, tmp_path, until="solve")
    solve = run(made, tmp_path, partial=True).solve
    assert solve is not None
    assert {name: solve[name] for name in ("asked", "answered", "failed", "pending")} == {
        "asked": ROWS,
        "answered": 0,
        "failed": 0,
        "pending": ROWS,
    }
