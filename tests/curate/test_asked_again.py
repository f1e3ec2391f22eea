"""What a changed recipe, prompt or row asks again: exactly what it changes. And what is never a good answer."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from datasets import load_dataset

from curate.engine.local import execute
from curate.flow import Flow, Options
from curate.report import Report

ROWS = 12
REASONS = {
    "fail/no_answer": 1, "fail/refused": 1, "fail/truncated": 1, "pass/ok": 3, "unsure/unparsable": 1,
}  # fmt: skip


class Server:
    """Answers at once; the first word of a problem says how."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        outer = self

        class Answer(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                text = body["messages"][-1]["content"]
                outer.asked[text] += 1
                made = json.dumps(outer.reply(text.split()[0])).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(made)))
                self.end_headers()
                self.wfile.write(made)

            def log_message(self, *_: Any) -> None:
                return

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"

    def reply(self, word: str) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": "It is \\boxed{4}."}
        finish = "length" if word == "length" else "content_filter" if word == "refused" else "stop"
        usage: Any = {"prompt_tokens": 11, "completion_tokens": 7}
        if word == "empty":
            message["content"] = None
        if word == "open":
            message["content"] = "<think>It is \\boxed{4}."
        if word == "nousage":
            usage = None
        if word == "odd":
            usage = {"prompt_tokens": float("nan"), "completion_tokens": 5,
                     "completion_tokens_details": {"reasoning_tokens": 9}}  # fmt: skip
        choice = {"index": 0, "message": message, "finish_reason": finish}
        return {"id": "c", "model": "m-1", "choices": [choice], "usage": usage}


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    thread = threading.Thread(target=running.http.serve_forever)
    thread.start()
    try:
        yield running
    finally:
        running.http.shutdown()
        thread.join()
        running.http.server_close()


def run(
    folder: Path,
    server: Server,
    problems: list[str],
    samples: int = 1,
    truth: bool = False,
    until: Any = "solve",
    **teacher: Any,
) -> Report:
    """Without a truth nothing has to be verified, which is most of the time of so small a run."""
    path = folder / "questions.jsonl"
    path.write_text(
        "".join(json.dumps({"problem": text} | ({"answer": "4"} if truth else {})) + "\n" for text in problems)
    )
    known = {"kind": "openai", "model": "m", "base_url": server.url, "price": {"input": 1000, "output": 1000}}
    columns = {"answer": "answer"} if truth else {"problem": "problem"}
    flow = Flow.model_validate(
        {
            "name": "r",
            "sources": [{"kind": "jsonl", "path": path, "domain": "math", "columns": columns}],
            "annotate": {"teacher": {**known, "max_tokens": 100, **teacher}, "samples": samples},
        }
    )
    return execute(flow, Options(root=folder, quiet=True, until=until))


def problems() -> list[str]:
    return [f"good {number}: 2 + 2?" for number in range(ROWS)]


@pytest.mark.parametrize(
    ("change", "asked"),
    [
        ({}, 0),
        ({"timeout_s": 5, "concurrency": 2, "price": {"input": 1, "output": 2}, "stream": False}, 0),
        ({"base_url": "http://localhost"}, 0),
        ({"prompt": "own.yaml"}, 0),  # another name, the same text
        ({"max_tokens": 50}, 0),  # complete answers serve any cap they fit under
        ({"temperature": 0.5}, ROWS),
        ({"model": "n"}, ROWS),
        ({"system": "Be brief."}, ROWS),
        ({"reasoning_effort": "high"}, ROWS),
        ({"revision": "b"}, ROWS),
        ({"seed": 1}, ROWS),
        ({"extra_body": {"top_k": 20}}, ROWS),
    ],
)
def test_only_what_decides_asks_again(tmp_path: Path, server: Server, change: dict[str, Any], asked: int) -> None:
    run(tmp_path, server, problems())
    assert server.asked.total() == ROWS
    if "prompt" in change:
        shipped = Path(__file__).parents[2] / "curate" / "prompts" / "annotate" / "plain.yaml"
        (tmp_path / "own.yaml").write_text(shipped.read_text())
        change = {"prompt": str(tmp_path / "own.yaml")}
    if "base_url" in change:
        change = {"base_url": server.url.replace("127.0.0.1", "localhost")}
    report = run(tmp_path, server, problems(), **change)
    assert server.asked.total() == ROWS + asked
    assert report.this_run["requests_sent"] == asked
    assert report.solve is not None
    assert report.solve["answered"] == ROWS


def test_one_changed_row_pays_for_one_and_order_for_none(tmp_path: Path, server: Server) -> None:
    before = problems()
    run(tmp_path, server, before)
    changed = [*reversed(before[1:]), "good and new: 2 + 2?", "another one: 2 + 2?"]
    report = run(tmp_path, server, changed)
    assert report.this_run["requests_sent"] == 2
    assert report.this_run["answers_reused"] == ROWS - 1


def test_the_same_question_is_asked_once_and_samples_are_not(tmp_path: Path, server: Server) -> None:
    twice = ["good a: 2 + 2?", "good b: 2 + 2?", "good a: 2 + 2?"]
    report = run(tmp_path, server, twice, samples=4, until="publish")
    assert {text.split(":")[0]: count for text, count in server.asked.items()} == {"good a": 4, "good b": 4}
    assert report.this_run["requests_sent"] == 8
    rows = load_dataset(
        str(tmp_path / "runs" / "r" / "dataset"), "unverified", split="train", cache_dir=str(tmp_path / "hf")
    )
    assert [row["problem"] for row in rows] == [text for text in twice for _ in range(4)]
    assert [row["sample"] for row in rows] == [0, 1, 2, 3] * 3


def test_what_is_no_finished_answer_is_never_verified_and_not_paid_twice(tmp_path: Path, server: Server) -> None:
    words = ["good", "length", "refused", "empty", "open", "nousage", "odd"]
    for sent in (len(words), 0):
        report = run(tmp_path, server, [f"{word} : 2 + 2?" for word in words], truth=True, until="publish")
        assert report.this_run["requests_sent"] == sent
        assert report.solve is not None
        assert report.solve["outcomes"] == {"fail": 3, "pass": 3, "unsure": 1}
        assert report.solve["reasons"] == REASONS
        assert report.publish is not None
        assert report.publish["metadata"] == 3
    rows = load_dataset(
        str(tmp_path / "runs" / "r" / "dataset"), "unverified", split="train", cache_dir=str(tmp_path / "hf")
    )
    assert [row["finish_reason"] for row in rows] == ["stop", "length", "refused", "empty", "malformed", "stop", "stop"]


def test_tokens_that_are_not_known_do_not_poison_the_totals(tmp_path: Path, server: Server) -> None:
    report = run(tmp_path, server, ["good : 2 + 2?", "nousage : 2 + 2?", "odd : 2 + 2?"])
    assert report.this_run["cost_usd"] == pytest.approx(0.018)
    assert report.this_run["cost_unknown"] == 2
