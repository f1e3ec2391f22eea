"""Rows, templates and keys as the real LLaMA-Factory treats them, and what preflight says to that."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from recipes.load import load
from tests.train.tiny import rows, write_rows, write_student
from train.block import Train
from train.dataset import find
from train.environment import quiet
from train.finding import Finding
from train.kept import findings
from train.preflight import Run, preflight, ready
from train.render import Inputs, rendered, write

LOOKERS = Path(__file__).with_name("lookers.py")
CPU = {"gpu": "cpu", "nodes": 1, "gpus": 2}
SHIPPED = ("openthinker-32b", "openthinker-32b-tuned", "openthinker-7b", "openthinker-32b-unverified")
ROWS = 24
Row = dict[str, Any]


def thinking(row: Row) -> Row:
    """The trace between <think> marks, as reasoning templates know it."""
    user, answer = row["conversations"]
    text = answer["value"].replace("<|begin_of_thought|>\n\n", "<think>\n").replace(
        "\n\n<|end_of_thought|>\n\n", "\n</think>\n\n"
    )  # fmt: skip
    return {**row, "conversations": [user, {**answer, "value": text}]}


def two_turns(row: Row) -> Row:
    return {**row, "conversations": thinking(row)["conversations"] * 2}


def asked_twice(row: Row) -> Row:
    return {**row, "conversations": [row["conversations"][0], *row["conversations"]]}


def unprompted(row: Row) -> Row:
    return {**row, "system": None}


class Case(NamedTuple):
    """A run with something planted in it, and the finding that must follow: check, level, code, words."""

    said: dict[str, Any]
    expected: tuple[str, str, int, str]
    change: Callable[[Row], Row] = dict
    only: int | None = None  # the one row that is changed
    edit: tuple[str, str] | None = None  # in sft.yaml, after rendering
    plant: Callable[[Path], object] | None = None  # in the student's folder
    workers: int = 1


def shrink(student: Path) -> None:
    config = json.loads((student / "config.json").read_text())
    (student / "config.json").write_text(json.dumps({**config, "vocab_size": 500}))


def tear(student: Path) -> None:
    (student / "tokenizer.json").write_text('{"model": ')


CASES = {
    "unknown key": Case({"extra": {"lora_rnk": 4}}, ("keys", "bad", 2, "did you mean `lora_rank`")),
    "wrong value": Case({"optimizer": {"schedule": "cosin"}}, ("keys", "bad", 2, "cosin")),
    "wrong template": Case({"template": "qwen25"}, ("template", "bad", 2, "no template 'qwen25'")),
    "empty thought in the loss": Case({"template": "qwen3"}, ("trace", "bad", 2, "trains on text before the trace")),
    "empty thought in the prompt": Case(
        {"template": "qwen3", "extra": {"enable_thinking": None}}, ("trace", "bad", 2, "empty thinking block")
    ),
    "trace stripped": Case(
        {"template": "qwen3", "extra": {"enable_thinking": False}}, ("trace", "bad", 2, "drops the trace"), thinking
    ),
    "history stripped": Case(
        {"template": "qwen3", "extra": {"mask_history": True}}, ("trace", "bad", 2, "drops the trace"), two_turns
    ),
    "a prompt of the template's": Case(
        {}, ("trace", "bad", 2, "You are Qwen"), unprompted, edit=('default_system: ""', "default_system: null")
    ),
    "trace cut": Case({"cutoff": 180, "on_cut": "fail"}, ("cutoff", "bad", 2, "on_cut: fail")),
    "trace cut and kept": Case({"cutoff": 180}, ("cutoff", "warn", 0, "no answer, no end")),
    "trace cut and dropped": Case({"cutoff": 180, "on_cut": "drop"}, ("cutoff", "warn", 0, "are left out")),
    "all cut": Case({"cutoff": 20, "on_cut": "drop"}, ("rows", "bad", 2, "none of 24 rows")),
    "a row that is dropped": Case({}, ("rows", "bad", 2, "1 row (7) without a word"), asked_twice, only=7),
    "no stop token": Case({"template": "empty"}, ("stop token", "bad", 2, "24 rows")),
    "tokens of another family": Case({"template": "llama3"}, ("tokenizer", "bad", 2, "<|start_header_id|>")),
    "tokenizer mismatch": Case({}, ("tokenizer", "bad", 2, "tokens up to 599, the model only 500"), plant=shrink),
    "a torn tokenizer": Case({}, ("student", "bad", 2, "cannot be read"), plant=tear),
    "a think template that fits": Case({"template": "qwen3"}, ("trace", "ok", 0, "whole"), thinking),
    "no system prompt": Case({}, ("rows", "ok", 0, "24 rows in, 24 tokenised"), unprompted),
    "packed": Case({"packing": "neat"}, ("rows", "ok", 0, "24 tokenised in"), workers=2),
}
# What LLaMA-Factory is asked to make without us, too.
OWN = {
    "plain": Case({}, ("", "", 0, "")),
    "cut": Case({"cutoff": 180}, ("", "", 0, "")),
    "packed by itself": Case({"packing": "greedy"}, ("", "", 0, "")),
}


@pytest.fixture(scope="module")
def student(training_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_student(training_python, tmp_path_factory.mktemp("student") / "tiny student")


@pytest.fixture(scope="module")
def looked(training_python: Path, student: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All that the training interpreter is asked here, in one process: importing LLaMA-Factory takes longest."""
    folder = tmp_path_factory.mktemp("looked")
    wishes = []
    for name, case in {**CASES, **OWN}.items():
        planted(folder / name, student, case)
        wishes.append(f"look:{folder / name}")
    for name in OWN:
        own = folder / f"{name} without us"
        planted(own, student, OWN[name])
        wishes.append(f"read:{own}")
    kept = folder / "plain"
    (kept / "sft.yaml").write_text((kept / "sft.yaml").read_text() + "tokenized_path: tokenized/a\n")
    wishes.append(f"read:{kept}")
    for name in SHIPPED:
        block = shipped(name)
        write(rendered(block, name=name, here=folder / name, python="/p"), folder / name)
        wishes.append(f"parse:{folder / name}")
    command = [str(training_python), "-I", str(LOOKERS), *wishes]
    done = subprocess.run(command, env=quiet(), capture_output=True, text=True, check=False)
    errors = [path.read_text()[-300:] for path in folder.glob("*/error.txt")]
    assert done.returncode == 0 and not errors, f"{done.stderr[-500:]}\n{errors}"
    return folder


def shipped(name: str) -> Train:
    block = load(name).train
    assert block is not None
    return block


def block_of(student: Path, said: dict[str, Any]) -> Train:
    base = {"student": str(student), "cluster": CPU, "batch": {"rows": 4}, "shard": "ddp", "offload": "none"}
    return Train.model_validate({**base, "cutoff": 512, **said})


def planted(folder: Path, student: Path, case: Case) -> None:
    """A rendered run of a case, of 24 rows in two shards."""
    if case.plant is not None:
        own = folder / "student"
        own.mkdir(parents=True)
        for path in student.iterdir():
            (own / path.name).write_bytes(path.read_bytes())
        case.plant(own)
        student = own
    table = [case.change(row) if case.only in (None, number) else row for number, row in enumerate(rows(ROWS))]
    source = folder / "rows" / "default"
    source.mkdir(parents=True)
    for shard, part in enumerate((table[: ROWS // 2], table[ROWS // 2 :])):
        (source / f"train-{shard}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in part))
    block = block_of(student, case.said)
    run = rendered(block, name="a run", here=folder, python="/p", inputs=Inputs(student, find(folder / "rows")))
    write(run, folder)
    if case.edit is not None:
        text = (folder / "sft.yaml").read_text()
        assert case.edit[0] in text
        (folder / "sft.yaml").write_text(text.replace(*case.edit))
    (folder / "wish.json").write_text(json.dumps({"on_cut": block.on_cut, "workers": case.workers}))


def told(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "look.json").read_text())
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_a_planted_mistake_has_its_finding(looked: Path, student: Path, name: str) -> None:
    case = CASES[name]
    found = list(findings(block_of(student, case.said), told(looked / name), ROWS))
    check, level, code, words = case.expected
    mine = [one for one in found if one.check == check and one.level == level]
    assert len(mine) == 1, found
    assert mine[0].code == code
    assert words in f"{mine[0].where} {mine[0].what}"
    assert [one for one in found if one.level == "bad" and one not in mine] == []
    kept = (looked / name / "tokenized" / "a" / "facts.json").exists()
    assert kept == (level != "bad" or check in ("stop token", "tokenizer"))


@pytest.mark.slow
def test_what_was_cut_or_left_out_is_written_down_and_adds_up(looked: Path) -> None:
    kept, out = (told(looked / f"trace cut and {policy}")["counts"] for policy in ("kept", "dropped"))
    assert kept["cut"] == out["cut"] > 0
    assert (kept["tokenised"], out["tokenised"]) == (ROWS, ROWS - out["cut"])
    assert out["lost"] == 0 < kept["lost"]
    lines = (looked / "trace cut and dropped" / "tokenized" / "a" / "left-out.jsonl").read_text().splitlines()
    left = [json.loads(line) for line in lines]
    assert len(left) == out["cut"]
    assert all(one["fate"] == "cut-out" and one["tokens"] > 180 for one in left)
    assert told(looked / "no system prompt")["counts"]["no_system"] == ROWS


@pytest.mark.slow
def test_the_tokens_are_those_that_llamafactory_makes_itself(looked: Path) -> None:
    """Its own loader reads our dataset_info.json: rows in are rows out, in order, and equal to what we have kept."""
    plain, cut, packed = (json.loads((looked / f"{name} without us" / "read.json").read_text()) for name in OWN)
    assert [len(plain["ids"]), len(cut["ids"])] == [ROWS, ROWS]
    assert json.loads((looked / "plain" / "read.json").read_text()) == plain
    assert told(looked / "plain")["counts"]["tokens"] == sum(map(len, plain["ids"]))
    assert told(looked / "cut")["counts"]["tokens"] == sum(map(len, cut["ids"]))
    trained = sum(label != -100 for labels in packed["labels"] for label in labels)
    facts = told(looked / "packed by itself")
    assert (facts["sequences"], facts["counts"]["trained"]) == (len(packed["ids"]), trained)
    assert {len(ids) for ids in packed["ids"]} == {512}


@pytest.mark.slow
@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_recipe_loads_in_llamafactorys_parser(looked: Path, name: str) -> None:
    found, block = json.loads((looked / name / "parse.json").read_text()), shipped(name)
    assert found["learning_rate"] == block.optimizer.lr
    assert found["num_train_epochs"] == block.epochs
    assert (found["bf16"], found["template"], found["deepspeed"]) == (True, "qwen", "ds.json")
    assert found["cutoff_len"] == block.cutoff - (block.packing != "none")  # LLaMA-Factory's own doing
    assert found["gradient_accumulation_steps"] == block.accumulate()
    # One process is not the world; all else in ds.json agrees.
    assert [one for one in found["mismatches"] if "train_batch_size" not in one] == []


@pytest.mark.slow
def test_preflight_makes_a_run_ready_on_two_nodes(training_python: Path, student: Path, tmp_path: Path) -> None:
    """The whole of it: two hosts (of this machine), spaces in every path, an all-reduce between them."""
    ssh = tmp_path / "ssh"
    ssh.write_text('#!/bin/sh\nshift\nexec sh -c "$*"\n')
    ssh.chmod(0o755)
    hosts = {"kind": "hosts", "hosts": ["one", "two"], "ssh": [str(ssh)], "master": "127.0.0.1"}
    said = {
        "dataset": str(write_rows(tmp_path / "my rows")),
        "cluster": {**CPU, "nodes": 2, "gpus": 1},
        "launcher": hosts,
    }
    run = Run(block_of(student, said), "a run", tmp_path / "a run" / "train", training_python, tmp_path / "none")
    report = preflight(run, lambda line: None)
    assert [one for one in report.findings if one.level in ("bad", "skipped") and one.check != "memory"] == []
    assert {"all-reduce", "clocks", "versions", "run folder", "trace", "rows"} <= {one.check for one in report.of("ok")}
    assert report.example is not None and "[trained:]<|begin_of_thought|>" in report.example
    assert report.tokenized is not None
    text = (run.here / "sft.yaml").read_text()
    assert f"tokenized_path: {report.tokenized}" in text
    before = (run.here / report.tokenized / "facts.json").stat().st_mtime_ns
    assert f"tokenized_path: {report.tokenized}" in ready(run, lambda line: None).files["sft.yaml"]
    assert (run.here / report.tokenized / "facts.json").stat().st_mtime_ns == before  # they were made once
    assert {path.name for path in (run.here / "tokenized").iterdir()} == {Path(report.tokenized).name, ".lock"}
    apart_folder(run, hosts)


def apart_folder(run: Run, hosts: dict[str, Any]) -> None:
    """The same run where the nodes have a folder of their own under that name: what we write does not get there."""
    import shutil

    from train.nodes import findings as asked
    from train.render import _job

    other = run.here.parent / "another disk"
    shutil.copytree(run.here, other)
    block = Train.model_validate({**run.block.model_dump(), "launcher": {**hosts, "folder": str(other)}})
    job = _job(block, run.name, run.here, str(run.python))
    bad: list[Finding] = [one for one in asked(block, job, run.here, [], lambda line: None) if one.level == "bad"]
    assert {(one.check, one.code) for one in bad} == {("run folder", 3)}
    assert "not shared" in bad[0].what
