"""Whole runs through the Batch API: killed while a batch is away, cut answers left out, a model that changes."""

import asyncio
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.curate.calls.batch_server import BatchServer, batching

ROWS = 30
# The command line with a batch API that answers within seconds.
QUICK = "from curate.calls import batch; batch.LINGER_S = batch.POLL_S = 0.3\nfrom recipes.cli.main import main; main()"


@contextmanager
def running() -> Iterator[BatchServer]:
    """A batch server on a loop of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    serving = batching()
    try:
        yield asyncio.run_coroutine_threadsafe(serving.__aenter__(), loop).result(20)
        asyncio.run_coroutine_threadsafe(serving.__aexit__(None, None, None), loop).result(20)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def recipe(folder: Path, server: BatchServer, more: str = "", *, truth: bool = False) -> Path:
    """Without a truth nothing is verified, which is most of the time of so small a run."""
    columns = "{id: id, answer: answer}" if truth else "{id: id}"
    with (folder / "q.jsonl").open("w") as file:
        for n in range(ROWS):
            word = "length" if n % 10 == 9 else "ok"
            file.write(json.dumps({"id": f"q{n}", "problem": f"{word} {n}: What is 2 + 2?", "answer": "4"}) + "\n")
    path = folder / "recipe.yaml"
    path.write_text(
        f"name: r\nsources: [{{kind: jsonl, path: q.jsonl, domain: math, columns: {columns}}}]\n"
        f"annotate: {{teacher: {{kind: batch, model: m, base_url: '{server.url}', max_tokens: 100,"
        f" price: {{input: 1, output: 1}}}}{more}}}\nbudget: {{max_cost_usd: 10}}\n"
    )
    return path


def start(path: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", QUICK, "--root", str(path.parent), "run", str(path), *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finished(path: Path, *options: str) -> tuple[dict[str, Any], str]:
    process = start(path, *options)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    found: dict[str, Any] = json.loads((path.parent / "runs" / "r" / "report.json").read_text())
    return found, err


def wait_for_a_batch(server: BatchServer, process: subprocess.Popen[str]) -> None:
    for _ in range(1200):
        if server.polls and sum(server.sizes) == ROWS:  # a slow disk may have made two of it
            return
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.1)
    process.kill()
    raise AssertionError(f"no batch came: {process.communicate()[1]}")


def test_a_run_that_is_killed_fetches_its_batch(tmp_path: Path) -> None:
    with running() as server:
        server.held = True
        path = recipe(tmp_path, server)
        process = start(path)
        wait_for_a_batch(server, process)
        process.kill()
        process.communicate()
        server.held = False
        report, err = finished(path, "--until", "solve")
        assert "may be paid twice" not in err
        assert report["this_run"]["possibly_paid_twice"] == 0
        assert report["this_run"]["answers_new"] + report["this_run"]["answers_reused"] == ROWS
        assert report["totals"]["solve"]["answered"] == ROWS
        assert sum(server.sizes) == ROWS
        assert set(server.billed.values()) == {1}


def test_an_interrupt_leaves_the_batch_at_once_and_the_next_command_fetches_it(tmp_path: Path) -> None:
    with running() as server:
        server.held = True
        path = recipe(tmp_path, server)
        process = start(path)
        wait_for_a_batch(server, process)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
        assert process.returncode == 4, err
        server.held = False
        report, _ = finished(path, "--until", "solve")
        assert report["this_run"]["possibly_paid_twice"] == 0
        assert sum(server.sizes) == ROWS


def test_what_was_cut_is_left_out_and_a_changed_model_is_told(tmp_path: Path) -> None:
    with running() as server:
        path = recipe(tmp_path, server, ", on_length: drop", truth=True)
        report, err = finished(path, "--limit", "10")
        assert "model_changes" not in report["this_run"]
        assert (report["totals"]["publish"]["unverified"], report["totals"]["publish"]["metadata"]) == (9, 9)
        server.model = "teacher-0002"
        report, err = finished(path)
        [line] = report["this_run"]["model_changes"]
        assert "teacher-0001, teacher-0002" in line
        assert line in " ".join(err.split())
        assert report["totals"]["solve"]["outcomes"] == {"fail": 3, "pass": 27}
        assert report["totals"]["solve"]["left_out"] == 3
        assert report["totals"]["publish"]["unverified"] == 27
        path.write_text(path.read_text().replace("on_length: drop", "on_length: keep"))
        report, _ = finished(path)
        assert report["totals"]["publish"]["unverified"] == ROWS
        assert report["this_run"]["requests_sent"] == 0
        assert sum(server.sizes) == ROWS
