"""`check`: every shipped recipe passes it, and it finds offline what a run would trip over."""

import json
import re
from pathlib import Path

import pytest

from curate.errors import RecipeError
from curate.records import Question
from curate.verifiers.router import Router
from recipes.check import check
from recipes.load import read, shipped

RECIPE = """\
name: mine
sources:
  - {{kind: jsonl, path: {path}, domain: math, columns: {{problem: {column}, answer: answer}}}}
annotate: {{teacher: {{kind: openai, model: m, api_key_env: NO_SUCH_KEY}}}}
"""


def _recipe(folder: Path, path: str = "q.jsonl", column: str = "question") -> Path:
    recipe = folder / "r.yaml"
    recipe.write_text(RECIPE.format(path=path, column=column), "utf-8")
    (folder / "q.jsonl").write_text(json.dumps({"question": "1 + 1?", "answer": "2"}) + "\n", "utf-8")
    return recipe


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_recipe_is_valid(name: str, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VERISTILL_DATA", str(data_dir))
    stages = check(name).stages
    assert ("ingest" in stages) == read(shipped()[name]).makes_dataset
    assert stages


def test_the_starter_is_valid(tmp_path: Path) -> None:
    starter = Path(__file__).resolve().parents[2] / "recipes/cli/starter.yaml"
    copy = tmp_path / "recipe.yaml"
    copy.write_text(starter.read_text("utf-8"), "utf-8")
    assert check(str(copy)).name == "my-dataset"


STARTER = Path(__file__).resolve().parents[2] / "recipes/cli/starter.yaml"


def test_the_starter_judges_as_a_recipe_without_a_verify_block_does() -> None:
    assert read(STARTER).verify == Router()


def test_the_starter_s_commented_source_reads_your_own_file(tmp_path: Path) -> None:
    """Its comment marks removed, the example in `sources:` is a source of math questions."""
    text = re.sub(
        r"^  # (- kind: jsonl|  )", r"  \1", STARTER.read_text("utf-8").split("\nclean:")[0], flags=re.MULTILINE
    )
    row = {"id": "a", "question": "1 + 1?", "answer": "2"}
    (tmp_path / "questions.jsonl").write_text(json.dumps(row) + "\n", "utf-8")
    (tmp_path / "r.yaml").write_text(text + "\nannotate: {teacher: fake}\n", "utf-8")
    (question,) = read(tmp_path / "r.yaml").sources[1].read()
    assert isinstance(question, Question)
    assert (question.domain, question.problem, question.source_id) == ("math", "1 + 1?", "a")


def test_it_says_what_would_be_done_and_what_is_not_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    found = check(str(_recipe(tmp_path)))
    assert found.stages["solve"] == "1 answer(s) per question from openai/m"
    assert any("NO_SUCH_KEY" in note for note in found.notes)


def test_a_source_without_truth_is_told_before_it_is_paid_for(tmp_path: Path) -> None:
    recipe = _recipe(tmp_path)
    assert not any("nothing verifies" in note for note in check(str(recipe)).notes)
    recipe.write_text(recipe.read_text("utf-8").replace(", answer: answer", ""), "utf-8")
    assert any(
        "nothing verifies the answers to the first rows of source jsonl" in note for note in check(str(recipe)).notes
    )
    recipe.write_text(recipe.read_text("utf-8") + "select: [all]\n", "utf-8")
    assert not any("nothing verifies" in note for note in check(str(recipe)).notes)


def test_a_missing_file_is_named_with_its_line(tmp_path: Path) -> None:
    recipe = _recipe(tmp_path, path="qq.jsonl")
    with pytest.raises(RecipeError) as caught:
        check(str(recipe))
    assert str(caught.value).startswith(f"{recipe}:3: sources[0].path: there is no file {tmp_path / 'qq.jsonl'}")


def test_a_wrong_column_is_found_before_the_run(tmp_path: Path) -> None:
    recipe = _recipe(tmp_path, column="questoin")
    with pytest.raises(RecipeError) as caught:
        check(str(recipe))
    assert "questoin" in str(caught.value)
    assert "question" in str(caught.value)


def _models(folder: Path, teacher: str, more: str = "") -> Path:
    (folder / "q.jsonl").write_text('{"question": "1 + 1?", "answer": "2"}\n', "utf-8")
    source = "{kind: jsonl, path: q.jsonl, domain: math, columns: {problem: question, answer: answer}}"
    recipe = folder / "r.yaml"
    recipe.write_text(f"name: mine\nsources:\n  - {source}\nannotate:\n  teacher: {teacher}\n{more}", "utf-8")
    return recipe


@pytest.mark.parametrize(
    ("teacher", "budget", "told"),
    [
        (
            "{kind: openai, model: m, base_url: 'http://x/v1', max_tokens: 9}",
            "{max_cost_usd: 5}",
            "the price of openai/m",
        ),
        ("{kind: openai, model: gpt-4o}", "{max_cost_usd: 5}", "nothing limits an answer of openai/gpt-4o"),
        ("{kind: openai, model: m, base_url: 'http://x/v1'}", "{max_output_tokens: 5}", "nothing limits an answer"),
        ("{kind: openai, model: m, base_url: 'http://x/v1'}", "{max_gpu_hours: 5}", "how many GPUs it runs on"),
    ],
)
def test_a_budget_that_nothing_can_be_held_to_is_told(tmp_path: Path, teacher: str, budget: str, told: str) -> None:
    recipe = _models(tmp_path, teacher, f"budget: {budget}\n")
    with pytest.raises(RecipeError, match=told):
        check(str(recipe))
    recipe.write_text(recipe.read_text("utf-8").split("budget:")[0], "utf-8")
    check(str(recipe))


def test_a_judge_without_a_price_is_told(tmp_path: Path) -> None:
    teacher, judge = "{kind: openai, model: gpt-4o, max_tokens: 9}", "{kind: openai, model: j, base_url: 'http://x/v1'}"
    recipe = _models(
        tmp_path, teacher, f"judge: {judge}\nbudget: {{max_cost_usd: 5}}\nverify: {{math: [math, judge]}}\n"
    )
    with pytest.raises(RecipeError, match="the price of openai/j"):
        check(str(recipe))


def test_the_gpus_of_a_price_are_those_that_serve_takes(tmp_path: Path) -> None:
    serve = "serve: {gpus: 4, slurm: {nodes: 2}}, price: {gpu_hour: 2.5}"
    recipe = _models(tmp_path, f"{{kind: openai, model: m, {serve}}}", "budget: {max_gpu_hours: 5}\n")
    price = read(recipe).annotate.teacher[0].price  # type: ignore[attr-defined]
    assert (price.gpu_hour, price.gpus) == (2.5, 8)
    for bad in ("price: {gpu_hour: 2.5}, base_url: 'http://x/v1'", "serve: {gpus: 0}, price: {gpu_hour: 2.5}"):
        with pytest.raises(RecipeError, match="gpus"):
            read(_models(tmp_path, f"{{kind: openai, model: m, {bad}}}"))


def test_what_starting_servers_lacks_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    notes = check(str(_models(tmp_path, "{kind: openai, model: m, serve: {server: vllm}}"))).notes
    assert any("vllm, which is not there: install vllm" in note for note in notes)
    notes = check(str(_models(tmp_path, "{kind: openai, model: m, serve: {slurm: {nodes: 1}}}"))).notes
    assert any("sbatch is not there" in note for note in notes)
    notes = check(str(_models(tmp_path, "{kind: openai, model: m, endpoints_folder: nowhere}"))).notes
    assert any("there is no such folder" in note for note in notes)
    for name in ("vllm", "sbatch"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    assert not check(str(_models(tmp_path, "{kind: openai, model: m, serve: {server: vllm}}"))).notes


def test_a_domain_that_no_teacher_is_for_is_told(tmp_path: Path) -> None:
    path = _recipe(tmp_path)
    text = path.read_text("utf-8")
    for domains, told in (("[science, code]", True), ("[code, math]", False)):
        path.write_text(text.replace("kind: openai,", f"kind: openai, domains: {domains},"), "utf-8")
        notes = check(str(path)).notes
        assert (
            any(note.startswith("no teacher is asked about math (first rows of source jsonl)") for note in notes)
            is told
        )


def test_every_key_that_is_not_set_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also the one that OpenAI gets by default, those of several servers, of embeddings and of what gives rewards."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    path = _recipe(tmp_path)
    (tmp_path / "bench.jsonl").write_text('{"problem": "2 + 2?"}\n', "utf-8")
    path.write_text(
        path.read_text("utf-8").replace(", api_key_env: NO_SUCH_KEY", "")
        + "clean: [{kind: reworded, against: [bench.jsonl], embed: {model: e, price: {input: 0.1}}}]\n"
        + "measure: {reward: {kind: served, server: {model: r, base_url: 'http://127.0.0.1:9', api_key_env: NO_RM}}}\n"
        + "select: [{kind: best_of, by: reward}]\n",
        "utf-8",
    )
    needed = [note for note in check(str(path)).notes if "environment variable" in note]
    assert [note.split(", which")[0] for note in needed] == [
        "teacher openai/m, reworded embeddings/e need the environment variable OPENAI_API_KEY",
        "reward served/r needs the environment variable NO_RM",
    ]
    servers = "[{base_url: 'http://127.0.0.1:9', api_key_env: NO_J}]"
    judge = f"reward: {{kind: judge, teacher: {{kind: openai, model: j, endpoints: {servers}}}}}"
    text = path.read_text("utf-8").splitlines()
    path.write_text("\n".join(f"measure: {{{judge}}}" if one.startswith("measure") else one for one in text), "utf-8")
    assert any("reward judge/openai/j needs the environment variable NO_J" in one for one in check(str(path)).notes)
    monkeypatch.setenv("OPENAI_API_KEY", "x")
    assert not any("OPENAI_API_KEY" in note for note in check(str(path)).notes)


def test_the_judge_of_a_gate_needs_no_cap_and_is_named_once(tmp_path: Path) -> None:
    path = _recipe(tmp_path)
    price = "price: {input: 1, output: 2}"
    asked = f"{{kind: openai, model: small, api_key_env: NO_SUCH_KEY, {price}, max_tokens: 100}}"
    path.write_text(
        path.read_text("utf-8").replace("NO_SUCH_KEY}", f"NO_SUCH_KEY, {price}, max_tokens: 100}}")
        + f"clean: [{{kind: pass_rate, teacher: {asked}}}]\n"
        + f"judge: {{kind: openai, model: j, api_key_env: NO_SUCH_KEY, {price}}}\n"
        + "budget: {max_cost_usd: 1}\n",
        "utf-8",
    )
    told = [note.split(" need ")[0] for note in check(str(path)).notes if "NO_SUCH_KEY" in note]
    assert told == ["teacher openai/m, judge openai/j, pass_rate openai/small"]
    path.write_text(
        path.read_text("utf-8").replace(
            f"model: small, api_key_env: NO_SUCH_KEY, {price}, max_tokens: 100", f"model: small, {price}"
        ),
        "utf-8",
    )
    with pytest.raises(RecipeError, match="nothing limits an answer of openai/small"):
        check(str(path))
