"""What goes over the wire is what the preset says: prompts, decoding and seeds; rows are what came back."""

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from curate import turns
from curate.errors import Failed, InputError, Stopped
from eval.block import Eval
from eval.pose import Setting
from eval.results import by_question, folder_of, read_results
from eval.sample import Done, Options, evaluate
from recipes.cli.main import command
from tests.eval.scripted import Model, asked, jsonl, serving

PROBLEMS = {"What is 6 times 7?": "42", "What is 2 to the 10?": "1024", "Solve $x^2 = 9$ for $x > 0$.": "3"}


def questions(folder: Path) -> str:
    path = folder / "math500.jsonl"
    rows = [
        {"problem": problem, "solution": "", "answer": answer, "subject": "Algebra", "level": n, "unique_id": f"u{n}"}
        for n, (problem, answer) in enumerate(PROBLEMS.items(), 1)
    ]  # fmt: skip
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return f"math500={path}"


def right(text: str) -> str:
    return next(answer for problem, answer in PROBLEMS.items() if problem in text)


async def follow(model: Model, folder: Path, options: Options | None = None, **fields: Any) -> Done:
    told = {
        "models": {"student": {"kind": "openai", "model": "m-1", "base_url": model.url}},
        "benchmarks": [questions(folder)],
        **fields,
    }
    setting = Setting(folder, "demo", quiet=True)
    return await asyncio.to_thread(evaluate, Eval.model_validate(told), setting, options)


async def test_openthinker_on_the_wire(tmp_path: Path) -> None:
    async with serving(lambda body: f"<think>hm</think>The answer is \\boxed{{{right(asked(body))}}}.") as model:
        done = await follow(model, tmp_path, preset="openthinker")
        bodies = model.seen
    assert len(bodies) == 15  # three questions, five runs
    for body in bodies:
        problem = next(one for one in PROBLEMS if one in asked(body))
        assert body["messages"] == [
            {"role": "user", "content": f"Problem: {problem}\nMark your solution with \\boxed\nAnswer:"}
        ]
        assert body["temperature"] == 0.7
        assert body["max_tokens"] == 32768
        assert "top_p" not in body
        assert "n" not in body
    # Evalchemy's seeds: of the run alone, the same for every question.
    texts = {asked(body) for body in bodies}
    assert Counter((asked(body), body["seed"]) for body in bodies) == Counter(
        (text, seed) for text in texts for seed in range(5)
    )
    (one,) = done.models
    assert (one.rows, one.outcomes, one.answers_new, one.truncated) == (15, {"pass": 15}, 15, 0)
    rows = read_results(one.folder, None).to_pylist()
    assert [(row["seq"], row["run"], row["seed"]) for row in rows] == [(q, r, r) for q in range(3) for r in range(5)]
    assert all(row["evalchemy"] and row["answer_class"] == 0 and row["reasoning"] == "hm" for row in rows)
    assert {row["model_returned"] for row in rows} == {"m-1-0001"}
    assert [row["topic"] for row in rows[::5]] == ["Algebra / 1", "Algebra / 2", "Algebra / 3"]
    lock = yaml.safe_load((one.folder / "protocol.lock.yaml").read_text("utf-8"))
    assert lock["preset"] == "openthinker"
    assert lock["benchmarks"][0]["decoding"] == {"temperature": 0.7, "top_p": None, "max_tokens": 32768}
    assert "Mark your solution" in lock["benchmarks"][0]["prompt_text"]["user"]["math"]


async def test_our_own_preset_has_a_seed_for_each_run_and_question(tmp_path: Path) -> None:
    async with serving(lambda body: f"\\boxed{{{right(asked(body))}}}") as model:
        await follow(model, tmp_path, runs=2, system="Be brief.", top_p=0.9)
        bodies = model.seen
    assert len({body["seed"] for body in bodies}) == len(bodies) == 6
    assert all(body["messages"][0] == {"role": "system", "content": "Be brief."} for body in bodies)
    assert all((body["temperature"], body["top_p"]) == (0.6, 0.9) for body in bodies)


async def test_every_sample_is_what_the_model_said(tmp_path: Path) -> None:
    """Right at even seeds, wrong at 1, spelt otherwise at 2 (which `evalchemy` misses), cut at 3."""

    def says(body: dict[str, Any]) -> str | tuple[str, str]:
        answer = right(asked(body))
        if body["seed"] == 3:
            return "so far \\boxed{" + answer + "} but", "length"
        said = {0: answer, 1: "0", 2: f"{answer}.0", 4: answer}[body["seed"]]
        return f"It is \\boxed{{{said}}}."

    async with serving(says) as model:
        done = await follow(model, tmp_path, preset="openthinker")
    (one,) = done.models
    assert (one.outcomes, one.truncated) == ({"fail": 6, "pass": 9}, 3)
    (bench,) = by_question(read_results(one.folder))
    assert bench.bench == "math500@h4"
    for runs in bench.rows:
        assert [row["outcome"] for row in runs] == ["pass", "fail", "pass", "fail", "pass"]
        assert [row["reason"] for row in runs] == ["ok", "wrong_answer", "ok", "truncated", "ok"]
        # It grades a cut output like any other, and knows texts alone.
        assert [row["evalchemy"] for row in runs] == [True, False, False, True, True]
        assert [row["answer_class"] for row in runs] == [0, 1, 0, None, 0]
        assert [row["finish_reason"] for row in runs] == ["stop", "stop", "stop", "length", "stop"]


async def test_a_second_time_costs_nothing_and_more_runs_cost_only_themselves(tmp_path: Path) -> None:
    async with serving(lambda body: f"\\boxed{{{right(asked(body))}}}") as model:
        await follow(model, tmp_path, runs=2)
        first = (folder_of(tmp_path, "demo", "student") / "results.parquet").read_bytes()
        (again,) = (await follow(model, tmp_path, runs=2)).models
        assert len(model.seen) == 6
        assert (again.answers_new, again.answers_reused) == (0, 6)
        assert (again.folder / "results.parquet").read_bytes() == first
        (more,) = (await follow(model, tmp_path, runs=3)).models
        assert (more.answers_new, more.rows) == (3, 9)
        (limited,) = (await follow(model, tmp_path, Options(limit=1), runs=3)).models
        assert (limited.answers_new, limited.rows) == (0, 3)


async def test_one_budget_is_for_all_models(tmp_path: Path) -> None:
    price = {"input": 0.0, "output": 1e6}  # a dollar a token, and one token an answer
    async with serving(lambda body: "42") as model:
        server = {"kind": "openai", "base_url": model.url, "price": price}
        models = {"base": {**server, "model": "b"}, "student": {**server, "model": "s"}}
        told = {"models": models, "runs": 1, "max_tokens": 1}
        with pytest.raises(Stopped, match="the budget of"):
            await follow(model, tmp_path, **told, budget={"max_cost_usd": 4.5})
        assert Counter(body["model"] for body in model.seen) == {"b": 3, "s": 1}
        assert not (folder_of(tmp_path, "demo", "student") / "protocol.lock.yaml").exists()  # nor its results
        assert (folder_of(tmp_path, "demo", "base") / "scores.json").exists()
        await follow(model, tmp_path, **told, budget={"max_cost_usd": 6.5})  # over both commands
        assert len(model.seen) == 6


async def test_equal_answers_are_numbered_over_all_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More runs than a question is solved in at a time."""
    monkeypatch.setattr(turns, "PART", 4)
    async with serving(lambda body: f"\\boxed{{{body['seed'] % 3}}}") as model:
        own = tmp_path / "own.jsonl"
        own.write_text('{"problem": "1 + 1", "answer": "2"}\n', "utf-8")
        (one,) = (await follow(model, tmp_path, benchmarks=[{"source": jsonl(own)}], runs=11)).models
    rows = read_results(one.folder).to_pylist()
    assert [row["run"] for row in rows] == list(range(11))
    assert len({(row["answer"], row["answer_class"]) for row in rows}) == 3


async def test_a_benchmark_without_questions_is_told_before_anybody_is_asked(tmp_path: Path) -> None:
    own = tmp_path / "own.jsonl"
    own.write_text('{"problem": "", "answer": "2"}\n', "utf-8")
    async with serving(lambda body: "7") as model:
        with pytest.raises(InputError, match="own has no question"):
            await follow(model, tmp_path, benchmarks=[{"source": jsonl(own), "name": "own"}, questions(tmp_path)])
        assert not model.seen


async def test_trouble_of_ours_is_neither_right_nor_wrong(tmp_path: Path) -> None:
    async with serving(lambda body: 422) as model:
        done = await follow(model, tmp_path, runs=1)
    with pytest.raises(Failed, match="have no verdict"):
        done.raise_for_errors()
    (one,) = done.models
    assert one.outcomes == {"error": 3}
    assert read_results(one.folder).column("evalchemy").to_pylist() == [None] * 3


async def test_two_models_and_nearness_to_the_training_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train = tmp_path / "train.jsonl"
    seen = "Compute the number of ways in which seven red books and four green books fit on one long shelf."
    train.write_text(json.dumps({"problem": "Unrelated text about rivers and mountains."}) + "\n"
                     + json.dumps({"problem": f"Solve it. {seen}"}) + "\n", "utf-8")  # fmt: skip
    rows = [
        {"problem": seen, "answer": "330"},
        {"problem": "How many prime numbers are below fifty in all?", "answer": "15"},
    ]
    own = tmp_path / "own.jsonl"
    own.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    async with serving(lambda body: "\\boxed{330}" if "books" in asked(body) else "\\boxed{7}") as model:
        server = {"kind": "openai", "base_url": model.url}
        done = await follow(
            model,
            tmp_path,
            models={"base": {**server, "model": "b"}, "org/student": {**server, "model": "s"}},
            benchmarks=[{"source": jsonl(own), "name": "own"}],
            contamination=str(train),
        )
    folders = [str(one.folder) for one in done.models]
    assert [one.folder.name for one in done.models] == ["base", "org-student"]
    assert command(["eval", "compare", *folders, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [one["benchmark"] for one in told["compared"]] == ["own@own"]
    assert told["not_alike"] == []
    assert command(["eval", "compare", folders[0]]) == 2
    found = read_results(done.models[1].folder).to_pylist()
    assert [(row["outcome"], row["near_row"]) for row in found] == [("pass", "1"), ("fail", None)]
    assert found[0]["similarity"] == 1.0
    assert found[1]["similarity"] == 0.0
    assert {row["version"] for row in found} == {"own"}
