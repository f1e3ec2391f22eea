"""`veristill decontaminate --reworded`: what is asked, what goes on, what is refused, and how it is interrupted."""

import asyncio
import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from aiohttp import web

from curate.clean.reworded import Reworded
from curate.contamination.again import Again, looking
from curate.contamination.items import Item
from curate.errors import Stopped
from recipes.cli.main import command
from tests.curate.clean.test_reworded import FAR, ITEM, LIKE, REWORDED, Models, stage
from tests.curate.serve.test_local import SCRIPTED
from tests.loopback import loopback


@contextmanager
def serving() -> Iterator[Models]:
    """The same models on a loop of another thread: a verb runs in the main one."""
    both, ready, loop = Models(), threading.Event(), asyncio.new_event_loop()
    ended = asyncio.Event()

    async def serve() -> None:
        routes = (web.post("/v1/embeddings", both.embed), web.post("/v1/chat/completions", both.judge))
        async with loopback(*routes) as both.url:
            ready.set()
            await ended.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    ready.wait()
    try:
        yield both
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
        loop.close()


def test_the_verb_asks_too_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving() as models:
        _of_the_verb(tmp_path, models, monkeypatch, capsys)


def _of_the_verb(
    tmp_path: Path, models: Models, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    told = stage(tmp_path, models)
    (tmp_path / "ask.yaml").write_text(json.dumps({name: told[name] for name in ("embed", "judge")}))
    texts = [f"Solve: {ITEM}", REWORDED, LIKE, FAR]
    (tmp_path / "q.jsonl").write_text("".join(json.dumps({"problem": text}) + "\n" for text in texts))
    arguments = ["decontaminate", "q.jsonl", "--against", "bench.jsonl", "-o", "out.jsonl", "--json", "--reworded"]
    models.sick = True
    assert command([*arguments, "ask.yaml", "--max-cost", "1"]) == 4
    assert "I am sick" in capsys.readouterr().err
    models.sick = False
    assert command([*arguments, "ask.yaml", "--max-cost", "1"]) == 0
    summary = json.loads(capsys.readouterr().out)
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [(row["contaminated"], row["tier"]) for row in rows] == [
        (True, "exact"), (True, "judge"), (False, "embedding"), (False, None),
    ]  # fmt: skip
    assert [json.loads(row["judge"] or "{}").get("verdict") for row in rows] == [None, "equal", "different", None]
    assert summary["asked"]["replies_new"] == 3 and summary["asked"]["replies_reused"] == 4
    assert set(models.embedded.values()) == {1} and texts[0] not in models.embedded
    (tmp_path / "ask.yaml").write_text("judge: {kind: openai}\n")
    assert command([*arguments, "ask.yaml"]) == 2
    assert "judge.model" in capsys.readouterr().err


def test_the_verb_takes_no_fields_that_it_would_not_heed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "q.jsonl").write_text(json.dumps({"problem": ITEM}) + "\n")
    arguments = ["decontaminate", "q.jsonl", "--against", "q.jsonl"]
    (tmp_path / "ask.yaml").write_text("judge: fake\nagainst: [aime24]\n")
    for more, why in (
        (["-o", "out.jsonl", "--reworded", "ask.yaml"], "ask.yaml:2"),
        (["-o", "out.jsonl", "--max-cost", "1"], "--reworded"),
        (["--self-test", "--reworded", "ask.yaml"], "--self-test"),
    ):
        assert command([*arguments, *more]) == 2
        assert why in capsys.readouterr().err


def test_a_second_interrupt_abandons_what_is_in_flight(tmp_path: Path) -> None:
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        os.kill(os.getpid(), signal.SIGINT)

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with serving() as models:
            models.holds = True
            fields = stage(tmp_path, models, "embed")
            del fields["kind"]
            again = Again(Reworded.model_validate(fields), tmp_path / "root")
            try:
                with (
                    pytest.raises(Stopped, match="1 answers in flight were abandoned"),
                    looking(again, [Item("bench", "ferry", ITEM)], say) as look,
                ):
                    look([FAR], [[]])
            finally:
                models.holds = False
        assert len(said) == 1 and "Ctrl-C again" in said[0]
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_the_verb_has_a_server_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "q.jsonl").write_text(json.dumps({"problem": REWORDED}) + "\n")
    with serving() as models:
        told = stage(tmp_path, models, "embed")
        judge = {"kind": "openai", "model": "m", "serve": {"command": SCRIPTED, "gpus": 0}}
        (tmp_path / "ask.yaml").write_text(json.dumps({"embed": told["embed"], "judge": judge}))
        arguments = ["decontaminate", "q.jsonl", "--against", "bench.jsonl", "-o", "out.jsonl"]
        assert command([*arguments, "--reworded", "ask.yaml"]) == 0
    row = json.loads((tmp_path / "out.jsonl").read_text())
    assert json.loads(row["judge"])["verdict"] == "unclear"  # it was asked, and says nothing of use
