"""Rewards of answers: what is sent and read, what selectors make of it, what a kill, a budget and trouble cost."""

import asyncio
import json
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web
from pydantic import ValidationError

from curate.errors import InputError, Stopped
from curate.explain import explain
from curate.flow import Flow, Options
from curate.keys import digest
from curate.plan import plan
from curate.report import Report
from curate.run import Run
from tests.curate.calls.server import answer
from tests.curate.measures.test_run import flow, labels, run
from tests.loopback import loopback

VERISTILL = str(Path(sys.executable).with_name("veristill"))
BEST = [{"kind": "best_of", "by": "reward", "n": 1}]
PRICE = {"input": 1.0, "output": 10.0}


def worth(problem: str, solution: str) -> float:
    """What the model of these tests thinks of an answer."""
    return int(digest(problem, solution)[:6], 16) / 2**24 * 10 - 5


class RewardModel:
    """A reward model behind the paths of vLLM, and a chat model that rates; counts what it is asked and bills."""

    def __init__(self) -> None:
        self.url = ""
        self.seen: list[tuple[str, dict[str, Any]]] = []
        self.asked: Counter[str] = Counter()
        self.sick: set[str] = set()  # texts in an answer that it refuses
        self.usd = 0.0
        self.latency_s = 0.0
        self.numbers: Any = None  # what it says in the place of one number

    async def handle(self, request: web.Request) -> web.Response:
        path, body = request.path.removeprefix("/v1"), json.loads(await request.read())
        self.seen.append((path, body))
        if path == "/chat/completions":
            text = body["messages"][-1]["content"]
            rating = 1 + int(digest(text)[:6], 16) % 10
            return web.json_response(
                {**answer(f'{{"score": {rating}}}'), "usage": {"prompt_tokens": 9, "completion_tokens": 9}}
            )
        if "messages" in body:
            asked = [tuple(turn["content"] for turn in body["messages"][-2:])]
        elif "text_1" in body:
            asked = [(body["text_1"], body["text_2"])]
        else:  # texts that wait together are sent together
            texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
            asked = [tuple(text.split("|")) for text in texts]
        if any(text in said for text in self.sick for _, said in asked):
            return web.json_response({"error": {"message": "too long"}}, status=400)
        self.asked.update(f"{problem}|{said}" for problem, said in asked)
        self.usd += 100 * len(asked) / 1e6
        await asyncio.sleep(self.latency_s)
        data = [{"index": number, **self.row(path, *one)} for number, one in enumerate(asked)]
        usage = {"prompt_tokens": 100 * len(asked), "total_tokens": 100 * len(asked)}
        return web.json_response({"object": "list", "data": data, "usage": usage, "model": "rm"})

    def row(self, path: str, problem: str, said: str) -> dict[str, Any]:
        value: Any = worth(problem, said) if self.numbers is None else self.numbers
        values = value if isinstance(value, list) else [value]
        rows: dict[str, dict[str, Any]] = {
            "/classify": {"probs": values, "label": None},
            "/pooling": {"data": values},
            "/score": {"score": value},
            "/embeddings": {"embedding": values},
        }
        return rows[path]


@pytest.fixture
async def model() -> AsyncIterator[RewardModel]:
    made = RewardModel()
    paths = ("classify", "pooling", "score", "embeddings", "chat/completions")
    async with loopback(*(web.post(f"/v1/{path}", made.handle) for path in paths)) as made.url:
        yield made


def served(model: RewardModel, **fields: Any) -> dict[str, Any]:
    server = {"model": "rm", "base_url": model.url, "price": PRICE, **fields.pop("server", {})}
    return {"reward": {"kind": "served", "server": server, **fields}}


async def ran(made: Flow, root: Path, **options: Any) -> Report:
    return await asyncio.to_thread(run, made, root, **options)


def said(seq: int, sample: int) -> str:
    right = sample < seq
    return f"The answer is \\boxed{{{seq if right else seq + 100 + (sample if seq < 5 else 0)}}}."


def problem(seq: int) -> str:
    return f"What is {seq} + 0?"


async def test_the_best_answer_by_reward_is_kept_and_nothing_is_asked_twice(tmp_path: Path, model: RewardModel) -> None:
    made = flow(tmp_path, BEST, measure=served(model))
    root = tmp_path / "root"
    report = await ran(made, root, until="publish")
    for row in labels(root, "0-best_of"):
        values = [worth(problem(row["seq"]), said(row["seq"], sample)) for sample in range(4)]
        assert row["evidence"]["reward"] == pytest.approx(values[row["sample"]])
        best = max(range(4), key=lambda sample: values[sample])
        if values.count(values[best]) == 1:
            assert row["kept"] is (row["sample"] == best)
    different = {f"{problem(seq)}|{said(seq, sample)}" for seq in range(6) for sample in range(4)}
    assert model.asked == dict.fromkeys(different, 1)  # equal answers to a question are asked about once
    assert report.money["rewards_usd"] == pytest.approx(model.usd) == report.money["paid_usd"]
    assert report.this_run["reward_replies_new"] == len(different)
    assert "for rewards of answers" in (root / "runs" / "m" / "report.md").read_text()
    again = await ran(made, root, until="publish")
    partial = await ran(made, root, until="select", partial=True)
    assert len(model.asked) == model.asked.total() and again.totals() == report.totals()
    assert partial.select is not None and partial.select[0].kept == 6
    assert "reward" in str(await explain(Run(root, "m"), made, "seq:1"))


@pytest.mark.parametrize(
    ("api", "fields", "sent"),
    [
        ("classify", {}, {"messages": "conversation", "use_activation": False}),
        ("pooling", {}, {"messages": "conversation", "use_activation": False}),
        ("score", {}, {"text_1": problem(1), "text_2": said(1, 0), "use_activation": False}),
        ("embeddings", {"template": "{{ problem }}|{{ answer }}"}, {"input": f"{problem(1)}|{said(1, 0)}"}),
    ],
)
async def test_what_each_api_is_sent(
    tmp_path: Path, model: RewardModel, api: str, fields: dict[str, Any], sent: dict[str, Any]
) -> None:
    made = flow(tmp_path, BEST, measure=served(model, api=api, of="verified", **fields))
    await ran(made, tmp_path / "root")
    asked = {path for path, _ in model.seen}
    bodies = [body for _, body in model.seen]
    if api == "embeddings":
        bodies = [{**body, "input": text} for body in bodies for text in body["input"]]
    mine = next(body for body in bodies if problem(1) in json.dumps(body))
    talk = [{"role": "user", "content": problem(1)}, {"role": "assistant", "content": said(1, 0)}]
    wanted = {"model": "rm", **{name: talk if value == "conversation" else value for name, value in sent.items()}}
    assert asked == {f"/{api}"} and mine == wanted
    kept = {row["seq"]: row["evidence"]["reward"] for row in labels(tmp_path / "root", "0-best_of") if row["kept"]}
    # Only verified answers were scored: questions 0, 4 and 5 have none.
    assert kept == {seq: pytest.approx(worth(problem(seq), said(seq, 0))) for seq in (1, 2, 3)}


@pytest.mark.parametrize(
    ("numbers", "fields", "value"),
    [
        ([[0.5], [0.25], [0.75]], {"steps": "min"}, 0.25),
        ([[0.5], [0.25], [0.75]], {"steps": "product"}, 0.09375),
        ([[0.5], [0.25], [0.75]], {}, 0.75),
        ([[0.1, 0.5], [0.3, 0.7]], {"number": -1, "steps": "mean"}, 0.6),
    ],
)
async def test_values_of_steps_and_classes(
    tmp_path: Path, model: RewardModel, numbers: Any, fields: dict[str, Any], value: float
) -> None:
    model.numbers = numbers
    await ran(flow(tmp_path, BEST, measure=served(model, api="pooling", **fields)), tmp_path / "root")
    found = {row["evidence"]["reward"] for row in labels(tmp_path / "root", "0-best_of")}
    assert [round(one, 9) for one in found] == [value]


async def test_a_reply_of_several_numbers_ends_the_run_and_is_not_paid_for_again(
    tmp_path: Path, model: RewardModel
) -> None:
    model.numbers = [0.1, 0.9]
    with pytest.raises(InputError, match="holds 2 numbers"):
        await ran(flow(tmp_path, BEST, measure=served(model, server={"concurrency": 2})), tmp_path / "root")
    begun = model.asked.total()
    report = await ran(flow(tmp_path, BEST, measure=served(model, number=1)), tmp_path / "root")
    assert max(model.asked.values()) == 1 and begun < model.asked.total()
    assert report.select is not None and report.select[0].kept == 6


async def test_trouble_leaves_a_value_out_and_the_next_run_asks_again(tmp_path: Path, model: RewardModel) -> None:
    made = flow(tmp_path, BEST, measure=served(model))
    model.sick = {said(2, 0), said(5, 3)}
    report = await ran(made, tmp_path / "root")
    lacking = [
        (row["seq"], row["sample"])
        for row in labels(tmp_path / "root", "0-best_of")
        if row["reason"] == "missing_value"
    ]
    assert lacking == [(2, 0), (2, 1), (5, 0), (5, 1), (5, 2), (5, 3)]  # an equal answer has the same text
    assert report.this_run["rewards_missing"] == len(lacking)
    model.sick = set()
    before = model.asked.copy()
    report = await ran(made, tmp_path / "root")
    assert (
        max(model.asked.values()) == 1
        and sum((model.asked - before).values()) == report.this_run["reward_replies_new"] > 0
    )
    assert not [row for row in labels(tmp_path / "root", "0-best_of") if row["reason"] == "missing_value"]


async def test_a_budget_stops_it_and_the_next_run_goes_on(tmp_path: Path, model: RewardModel) -> None:
    reward = served(model, server={"concurrency": 1})
    with pytest.raises(Stopped, match="the budget of"):
        await ran(flow(tmp_path, BEST, measure=reward, budget={"max_cost_usd": 0.0012}), tmp_path / "root")
    assert 0 < model.usd <= 0.0012
    told = json.loads((tmp_path / "root" / "runs" / "m" / "report.json").read_text())
    assert told["money"]["rewards_usd"] == pytest.approx(model.usd)
    await ran(flow(tmp_path, BEST, measure=reward), tmp_path / "root")
    assert max(model.asked.values()) == 1


async def test_a_killed_run_pays_again_for_what_was_in_flight_alone(tmp_path: Path, model: RewardModel) -> None:
    model.latency_s = 0.05
    made = flow(tmp_path, BEST, measure=served(model, server={"concurrency": 2}))
    path = tmp_path / "m.yaml"
    path.write_text(yaml.safe_dump(made.model_dump(mode="json", exclude_defaults=True)))
    command = (VERISTILL, "--root", str(tmp_path / "root"), "run", str(path), "--until", "select")
    first = await asyncio.create_subprocess_exec(*command, stdout=-3, stderr=-3)
    while model.asked.total() < 6:
        assert first.returncode is None, "it ended before it was killed"
        await asyncio.sleep(0.02)
    first.send_signal(signal.SIGKILL)
    await first.wait()
    model.latency_s = 0.0
    report = await ran(made, tmp_path / "root")
    twice = [text for text, times in model.asked.items() if times > 1]
    assert len(twice) <= 2 and max(model.asked.values()) <= 2
    assert report.select is not None and report.select[0].kept == 6


async def test_a_chat_model_rates_and_a_rehearsal_asks_nobody(tmp_path: Path, model: RewardModel) -> None:
    teacher = {"kind": "openai", "model": "rm", "base_url": model.url, "price": PRICE}
    select = [{"kind": "where", "expression": "1 <= reward <= 10"}]
    made = flow(tmp_path, select, measure={"reward": {"kind": "judge", "teacher": teacher, "sees": "whole"}})
    rehearsed = await ran(made, tmp_path / "aside", dry_run=True)
    assert rehearsed.select is not None and rehearsed.select[0].kept > 0 and not model.seen
    foreseen = {one.teacher: one for one in (await plan(made, Options(root=tmp_path / "root", quiet=True))).teachers}
    assert foreseen["reward (judge/openai/rm)"].requests.expected == 24  # the answers are recorded, the ratings not
    report = await ran(made, tmp_path / "root")
    assert report.select is not None and report.select[0].kept == 24
    texts = [body["messages"][-1]["content"] for _, body in model.seen]
    assert all("I add the two numbers" in text or "Wait, let me check" in text for text in texts)
    left = await plan(made, Options(root=tmp_path / "root", quiet=True))
    reward = next(one for one in left.teachers if one.teacher == "reward (judge/openai/rm)")
    assert reward.answered == len(texts) and reward.paid_usd == pytest.approx(report.money["rewards_usd"])


async def test_the_plan_counts_rewards(tmp_path: Path, model: RewardModel) -> None:
    made = flow(tmp_path, BEST, measure=served(model))
    fake = made.model_copy(update={"annotate": made.annotate.model_validate({"teacher": "fake", "samples": 4})})
    found = await plan(fake, Options(root=tmp_path / "root", quiet=True))
    reward = next(one for one in found.teachers if one.teacher == "reward (served/rm)")
    assert (reward.requests.expected, reward.output_tokens.high) == (24, 0)
    assert reward.cost_usd is not None and reward.cost_usd.high > 0 and not model.seen
    none = await plan(
        fake.model_copy(update={"select": made.select[:0] or ()}), Options(root=tmp_path / "x", quiet=True)
    )
    assert [one.teacher for one in none.teachers] == ["fake/gold"]


@pytest.mark.parametrize(
    ("measure", "what"),
    [
        ({}, "who is to be asked for 'reward'"),
        ({"reward": {"kind": "served", "server": {"model": "m"}, "api": "embeddings"}}, "write a `template`"),
        ({"reward": {"kind": "served", "server": {"model": "m"}, "template": "{{ x }}"}}, "unknown variable x"),
        ({"reward": {"kind": "served", "server": {"model": "m"}}}, "say where it is served"),
        ({"reward": {"kind": "judge", "teacher": "fake", "prompt": "nine"}}, "there is no prompt 'nine'"),
    ],
)
def test_mistakes_are_told_when_the_recipe_is_read(tmp_path: Path, measure: dict[str, Any], what: str) -> None:
    with pytest.raises(ValidationError, match=what):
        flow(tmp_path, BEST, measure=measure)
