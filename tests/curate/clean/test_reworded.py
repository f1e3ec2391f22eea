"""Benchmark questions in other words: what is embedded, what a judge is asked, what is told, and what is paid."""

import asyncio
import base64
import json
import os
import re
import signal
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from aiohttp import web
from pydantic import ValidationError

from curate.calls.embeddings import Embeddings
from curate.clean.reworded import Reworded
from curate.contamination.embed import Embed, vector_of
from curate.contamination.items import Item
from curate.contamination.match import Found
from curate.engine.local import execute
from curate.errors import InputError
from curate.flow import Options
from curate.kinds import Unexamined
from curate.plan import plan
from curate.report import Report
from curate.sources.gpqa import Gpqa
from recipes.schema import Recipe
from tests.curate.calls.server import answer
from tests.loopback import loopback

ITEM = "Two ferries leave the opposite banks of a river at nine and meet 340 metres from one bank. How wide is it?"
REWORDED = "At nine o'clock boats set off from both shores of a stream, crossing 340 m from a shore; find its breadth."
LIKE = "Two ferries carry 340 cars over a river at nine. How many cars does each ferry carry?"
FAR = "A baker sells loaves on Monday and rolls on Tuesday. How much flour does she need?"
SAME = {"boats": "ferries", "set": "leave", "shores": "banks", "shore": "bank", "stream": "river", "m": "metres",
        "breadth": "wide", "crossing": "meet"}  # fmt: skip
BLOCK = re.compile(r"<(data-[0-9a-f]+)>\n(.*?)\n</\1>", re.DOTALL)


def words(text: str) -> Counter[str]:
    return Counter(SAME.get(word, word) for word in re.findall(r"[a-z]+|\d+", text.lower()))


def vector(text: str) -> list[float]:
    found = np.zeros(64)
    for word, count in words(text).items():
        found[int.from_bytes(word.encode(), "little") % 61] += count if len(word) > 3 else 0.2
    return [float(one) for one in found]


class Models:
    """An embedding model and a judge behind one address."""

    def __init__(self) -> None:
        self.url = ""
        self.embedded: Counter[str] = Counter()
        self.requests = self.judged = self.tokens = 0
        self.sick = self.holds = False  # the judge, the embedding model
        self.too_long = ""

    async def embed(self, request: web.Request) -> web.Response:
        body = await request.json()
        texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
        self.requests += 1
        if self.holds:
            os.kill(os.getpid(), signal.SIGINT)
        while self.holds:
            await asyncio.sleep(0.01)
        if self.too_long in texts:
            return web.json_response({"error": {"message": "too long"}}, status=400)
        self.embedded.update(texts)
        tokens = sum(len(text) // 4 for text in texts)
        self.tokens += tokens
        data = [{"index": n, "embedding": self._sent(vector(text), body)} for n, text in enumerate(texts)]
        return web.json_response({"data": data[::-1], "model": "e", "usage": {"prompt_tokens": tokens}})

    @staticmethod
    def _sent(values: list[float], body: dict[str, Any]) -> Any:
        if body.get("encoding_format") == "base64":
            return base64.b64encode(np.array(values, "<f4").tobytes()).decode()
        return values

    async def judge(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.judged += 1
        if self.sick:
            return web.json_response({"error": {"message": "I am sick"}}, status=400)
        one, other = (words(block) for _, block in BLOCK.findall(body["messages"][-1]["content"]))
        shared = ("wide" in one) == ("wide" in other)
        verdict = {"why": "both ask for the width", "verdict": "equal" if shared else "different"}
        return web.json_response(
            {**answer(json.dumps(verdict)), "usage": {"prompt_tokens": 100, "completion_tokens": 9}}
        )


@pytest.fixture
async def models() -> AsyncIterator[Models]:
    both = Models()
    routes = (web.post("/v1/embeddings", both.embed), web.post("/v1/chat/completions", both.judge))
    async with loopback(*routes) as both.url:
        yield both


def stage(folder: Path, models: Models, *parts: str, **fields: Any) -> dict[str, Any]:
    (folder / "bench.jsonl").write_text(json.dumps({"id": "ferry", "problem": ITEM}) + "\n")
    price = {"input": 1.0, "output": 10.0}
    known: dict[str, Any] = {
        "embed": {"model": "e", "base_url": models.url, "threshold": 0.2, "price": {"input": 1.0, "output": 0.0}},
        "judge": {"kind": "openai", "model": "j", "base_url": models.url, "price": price},
    }
    chosen = {name: known[name] for name in parts or known}
    return {"kind": "reworded", "against": [str(folder / "bench.jsonl")], **chosen, **fields}


async def run(folder: Path, clean: dict[str, Any], *texts: str, **fields: Any) -> Report:
    rows = [{"id": f"q{n}", "problem": text, "answer": "1"} for n, text in enumerate(texts)]
    (folder / "q.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    options = Options.model_validate({"root": folder / "root", "until": "clean", "quiet": True, **fields})
    return await asyncio.to_thread(execute, recipe(folder, clean), options)


def recipe(folder: Path, clean: dict[str, Any]) -> Recipe:
    source = {
        "kind": "jsonl",
        "path": str(folder / "q.jsonl"),
        "domain": "math",
        "columns": {"id": "id", "answer": "answer"},
    }
    told = {"name": "r", "sources": [source], "clean": [clean], "annotate": {"teacher": "fake"}}
    return Recipe.model_validate({**told, "budget": {"max_cost_usd": 1.0}})


def labels(folder: Path) -> list[dict[str, Any]]:
    rows = pq.read_table(folder / "root/runs/r/labels/0-reworded.parquet").to_pylist()
    return [{**row, "evidence": json.loads(row["evidence"]), "scores": dict(row["scores"] or ())} for row in rows]


async def test_a_judge_decides_on_what_is_near_and_nothing_is_paid_twice(tmp_path: Path, models: Models) -> None:
    report = await run(tmp_path, stage(tmp_path, models), REWORDED, LIKE, FAR)
    assert [(one.kept, one.reasons) for one in report.clean] == [(2, {"contaminated": 1})]
    reworded, like, far = labels(tmp_path)
    told = reworded["evidence"]
    assert (told["item"], told["tier"], told["judge"]["verdict"]) == ("ferry", "judge", "equal")
    assert told["judge"]["votes"] == ["equal"] and told["judge"]["why"] and reworded["scores"]["reworded"] >= 0.5
    assert like["kept"] and like["evidence"]["judge"]["verdict"] == "different"
    assert far == {**far, "kept": True, "evidence": {}, "scores": {}}
    assert set(models.embedded.values()) == {1} and len(models.embedded) == 4
    assert models.judged == 3  # the one that is equal in both orders
    paid = (models.tokens + models.judged * (100 + 9 * 10)) / 1e6
    assert report.money["cleaning_usd"] == pytest.approx(paid, rel=0.02)
    # Another policy, and one more question: only that one is asked for.
    again = await run(tmp_path, stage(tmp_path, models, drop=[]), REWORDED, LIKE, FAR, f"{FAR} And eggs?")
    assert again.clean[0].kept == 4 and labels(tmp_path)[0]["evidence"]["tier"] == "judge"
    assert set(models.embedded.values()) == {1} and len(models.embedded) == 5 and models.judged == 3


async def test_without_a_judge_it_is_only_told(tmp_path: Path, models: Models) -> None:
    report = await run(tmp_path, stage(tmp_path, models, "embed"), REWORDED, FAR)
    assert report.clean[0].dropped == 0 and models.judged == 0
    told = labels(tmp_path)[0]
    assert (told["evidence"]["tier"], told["evidence"]["spans"]) == ("embedding", [])
    cosine = np.dot(vector(ITEM), vector(REWORDED)) / np.linalg.norm(vector(ITEM)) / np.linalg.norm(vector(REWORDED))
    assert told["scores"] == {"reworded": pytest.approx(cosine, abs=0.001)}
    report = await run(tmp_path, stage(tmp_path, models, "embed", drop=["embedding"]), REWORDED, FAR)
    assert report.clean[0].reasons == {"contaminated": 1}


async def test_a_judge_alone_sees_what_is_alike_by_words(tmp_path: Path, models: Models) -> None:
    close = ITEM.replace("meet 340 metres from one bank", "pass each other 340 metres off the left bank")
    filler = [FAR.replace("Monday", f"day {number}") for number in range(40)]
    report = await run(tmp_path, stage(tmp_path, models, "judge"), close, *filler)
    assert not models.embedded and models.judged == 2 and report.clean[0].reasons == {"contaminated": 1}
    told = labels(tmp_path)[0]["evidence"]
    assert told["tier"] == "judge" and told["spans"] and told["judge"]["model"]


async def test_trouble_leaves_a_question_unexamined(tmp_path: Path, models: Models) -> None:
    models.sick = True
    report = await run(tmp_path, stage(tmp_path, models), REWORDED, FAR)
    assert (report.clean[0].unexamined, report.clean[0].dropped) == (1, 0)
    models.sick = False
    report = await run(tmp_path, stage(tmp_path, models), REWORDED, FAR)
    assert (report.clean[0].unexamined, report.clean[0].dropped) == (0, 1)
    assert set(models.embedded.values()) == {1}


async def test_a_text_that_is_too_long_fails_alone(tmp_path: Path, models: Models) -> None:
    models.too_long = FAR
    report = await run(tmp_path, stage(tmp_path, models, "embed"), REWORDED, LIKE, FAR)
    assert report.clean[0].unexamined == 1 and labels(tmp_path)[0]["evidence"]["tier"] == "embedding"
    assert "too long" in labels(tmp_path)[2]["evidence"]["message"]


async def test_an_item_without_a_vector_is_asked_for_once(tmp_path: Path, models: Models) -> None:
    models.too_long = ITEM
    report = await run(tmp_path, stage(tmp_path, models, "embed"), *(f"{FAR} {n}" for n in range(9)))
    assert (report.clean[0].unexamined, models.requests) == (9, 1)
    assert labels(tmp_path)[8]["evidence"]["message"].startswith("bench.jsonl ferry: no vector: 400 too long")


async def test_a_score_is_that_of_these_rows(tmp_path: Path, models: Models) -> None:
    close = ITEM.replace("meet 340 metres from one bank", "pass each other 340 metres off the left bank")
    some = [FAR.replace("Monday", f"day {number}") for number in range(40)]
    others = [f"Two ferries leave the opposite banks of a river at {number}. Which is late?" for number in range(40)]
    clean, found = stage(tmp_path, models, "judge", drop=[]), []
    for root, filler in (("root", some), ("root", others), ("fresh", others)):
        await run(tmp_path, clean, close, *filler, root=tmp_path / root)
        row = pq.read_table(tmp_path / root / "runs/r/labels/0-reworded.parquet").to_pylist()[0]
        found.append((row["evidence"], dict(row["scores"])))
    assert found[1] == found[2] != found[0]


async def test_private_questions_are_not_sent(tmp_path: Path, models: Models) -> None:
    against = {"against": [f"gpqa_diamond={Gpqa.tiny()}", str(tmp_path / "bench.jsonl")]}
    asked = json.loads(Gpqa.tiny().read_text("utf-8").splitlines()[0])["Question"]
    report = await run(tmp_path, stage(tmp_path, models, **against), REWORDED, f"Think first. {asked}", " ")
    assert sorted(models.embedded) == sorted([ITEM, REWORDED]) and report.clean[0].unexamined == 0
    await run(tmp_path, stage(tmp_path, models, **against, private=True), REWORDED)
    assert len(models.embedded) > 2 and "why" not in json.dumps(labels(tmp_path)[0]["evidence"].get("also", []))


async def test_a_plan_foresees_it_and_a_rehearsal_asks_nobody(tmp_path: Path, models: Models) -> None:
    clean = stage(tmp_path, models)
    await run(tmp_path, {**clean, "drop": ["judge"]}, REWORDED, LIKE, FAR, until="ingest")
    found = await plan(recipe(tmp_path, clean), Options(root=tmp_path / "root", quiet=True))
    shares = {one.teacher: one for one in found.teachers if one.teacher.startswith("reworded")}
    embedded = shares["reworded (embeddings/e)"]
    assert embedded.requests.expected == 3 and embedded.output_tokens.high == 0
    assert embedded.cost_usd is not None and 0 < embedded.cost_usd.expected < 1e-3
    assert not models.embedded
    report = await run(tmp_path, clean, REWORDED, LIKE, FAR, until="publish", dry_run=True)
    assert report.clean[0].dropped == 0 and not models.embedded and not models.judged


async def test_a_local_model(tmp_path: Path, models: Models) -> None:
    local = saved_model(tmp_path / "model", [ITEM, REWORDED, LIKE, FAR])
    clean = {**stage(tmp_path, models, "embed"), "embed": {"local": str(local), "threshold": 0.6}}
    report = await run(tmp_path, clean, ITEM.upper().lower().replace("two", "2"), FAR)
    assert report.clean[0].unexamined == 0 and not models.embedded
    near, far = labels(tmp_path)
    assert near["scores"] and not far["scores"]


def saved_model(folder: Path, texts: list[str]) -> Path:
    """A real model2vec model: a vector of its own for each word."""
    from model2vec import StaticModel
    from tokenizers import Tokenizer, models, pre_tokenizers

    known = sorted({word for text in texts for word in re.findall(r"\w+|[^\w\s]", text)})
    tokenizer = Tokenizer(
        models.WordLevel({"[UNK]": 0, **{word: n for n, word in enumerate(known, 1)}}, unk_token="[UNK]")
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    StaticModel(np.random.default_rng(0).normal(size=(len(known) + 1, 32)), tokenizer).save_pretrained(folder)
    return folder


def test_what_cannot_work_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bench.jsonl").write_text(json.dumps({"problem": ITEM}) + "\n")
    told: dict[str, Any] = {"against": [str(tmp_path / "bench.jsonl")]}
    for wrong, why in (
        ({}, "say `judge:`"),
        ({"embed": {"threshold": 0.5}}, "say `model:`"),
        ({"judge": "fake", "prompt": "nothing"}, "nothing"),
        ({"judge": "fake", "drop": ["exact"]}, "judge"),
    ):
        with pytest.raises(ValidationError, match=why):
            Reworded.model_validate({**told, **wrong})
    with pytest.raises(InputError, match="no embedding model"):
        Embed(local=tmp_path / "none").spec()


async def test_texts_go_together_and_share_what_is_billed(models: Models) -> None:
    embed, transport = Embed(model="e", base_url=models.url), Embeddings()
    texts = [f"text {number} " * (1 + number % 7) for number in range(100)]
    try:
        found = await asyncio.gather(*(transport.send(embed.request(text)) for text in texts))
    finally:
        await transport.close()
    assert models.requests == 4 and sum(one.usage["input"] for one in found) == models.tokens
    for one, text in zip(found, texts, strict=True):
        assert np.allclose(vector_of(one), vector(text) / np.linalg.norm(vector(text)), atol=1e-6)


def test_a_judge_is_not_quoted_where_a_row_is_private() -> None:
    judged = {"verdict": "equal", "votes": ["equal"], "why": "both ask for the secret"}
    one = Found(Item("b", "1", ITEM), "judge", 0.9, ((0, 3),), False, judged)
    assert one.evidence(ITEM)["judge"] == judged
    assert "secret" not in json.dumps(one.evidence(ITEM, private=True))


def test_a_reply_without_a_vector_is_no_vector() -> None:
    from curate.calls.model import Reply

    for data in (
        None,
        [],
        [{}],
        [{"embedding": "!"}],
        [{"embedding": [0.0, 0.0]}],
        [{"embedding": [1.0, float("nan")]}],
    ):
        with pytest.raises(Unexamined):
            vector_of(Reply(raw={"data": data}))
    assert vector_of(Reply(raw={"data": [{"embedding": [3, 4]}]})).tolist() == pytest.approx([0.6, 0.8])
