"""Mistakes planted one by one, found by the control process alone: each has one clear finding and an exit code."""

import json
import socket
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from curate.errors import InputError, Prerequisite, RecipeError
from tests.train.tiny import write_rows
from train import checks
from train.block import Train
from train.environment import Examined
from train.finding import Finding, Report
from train.launcher import NodeReply
from train.nodes import judged
from train.preflight import Findings, Run, preflight, ready
from train.stage import Input, Staged

BIG = "Qwen/Qwen2.5-32B-Instruct"
CPU = {"gpu": "cpu", "nodes": 1, "gpus": 2}


def write_folder(folder: Path) -> Path:
    """A student as a folder: enough of it for every check that opens no weights."""
    folder.mkdir(parents=True)
    config = {
        "model_type": "qwen2", "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "vocab_size": 600,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 4096,
        "tie_word_embeddings": False, "architectures": ["Qwen2ForCausalLM"],
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_text("{}")
    header = json.dumps({"w": {"dtype": "BF16", "shape": [2, 2], "data_offsets": [0, 8]}}).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(8))
    return folder


class Place(NamedTuple):
    """A run of a tiny student, in order until something is planted."""

    student: Path
    dataset: Path
    here: Path

    def run(self, **more: Any) -> Run:
        said = {
            "student": str(self.student), "dataset": str(self.dataset), "cluster": CPU, "batch": {"rows": 4},
            "shard": "ddp", "offload": "none", "cutoff": 512, **more,
        }  # fmt: skip
        block = Train.model_validate({key: value for key, value in said.items() if value is not None})
        return Run(block, "a run", self.here, Path("/nowhere/python"), self.here.parent / "dataset")

    def findings(self, resuming: bool = False, **more: Any) -> list[Finding]:
        found = Findings(self.run(**more), lambda line: None)
        found.alone(resuming)
        return found.made


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(write_folder(tmp_path / "student"), write_rows(tmp_path / "rows"), tmp_path / "runs" / "a" / "train")


def torn_checkpoint(place: Place) -> None:
    folder = place.here / "output" / "checkpoint-20"
    folder.mkdir(parents=True)
    (folder / "trainer_state.json").write_text('{"global_step": 20')


def other_world(place: Place) -> None:
    folder = place.here / "output" / "checkpoint-20"
    folder.mkdir(parents=True)
    (folder / "veristill.json").write_text(json.dumps({"step": 20, "world": 8, "sharded": "zero", "files": {}}))


def no_shard(place: Place) -> None:
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (place.student / "model.safetensors.index.json").write_text(json.dumps(index))


def no_turns(place: Place) -> None:
    (place.dataset / "default" / "train.jsonl").write_text('{"problem": "1+1", "answer": "2"}\n')


def another_commit(place: Place) -> None:
    entry = Input(source=BIG, revision="old", commit="0" * 40, path=str(place.student))
    (place.here / "inputs").mkdir(parents=True)
    (place.here / "inputs" / "inputs.json").write_text(Staged(student=entry).model_dump_json())


def nothing(place: Place) -> None:
    pass


ZERO = {"shard": "zero3", "precision": "fp32"}
H100 = {"gpu": "h100-80", "nodes": 1, "gpus": 8, "disk_gb": 10_000}
ROOMY = {**CPU, "disk_gb": 10_000}
Case = tuple[dict[str, Any], Callable[[Place], None], str, int, str]
PLANTED: dict[str, Case] = {
    "batch not divisible": ({"batch": {"rows": 5}}, nothing, "batch", 2, "cannot be split evenly over 2 GPUs"),
    "ZeRO on the CPU in bf16": ({"shard": "zero3"}, nothing, "recipe", 2, "fp32 only"),
    "five years": ({"ddp_timeout_minutes": 3_000_000}, nothing, "time-outs", 2, "5.7 years"),
    "no time at all": ({"ddp_timeout_minutes": 1}, nothing, "time-outs", 2, "a slow checkpoint would end the run"),
    "a hang of two days": ({"retries": {"hang_minutes": 2880}}, nothing, "time-outs", 2, "48 hours"),
    "save_only_model": ({"extra": {"save_only_model": True}}, nothing, "recipe", 2, "train.checkpoints.resumable"),
    "not resumable": ({"checkpoints": {"resumable": False}}, nothing, "recipe", 2, "weights alone cannot be resumed"),
    "begin again": ({"extra": {"overwrite_output_dir": True}}, nothing, "recipe", 2, "would begin again"),
    "a secret": ({"env": {"HF_TOKEN": "x"}}, nothing, "recipe", 2, "looks like a secret"),
    "positions": ({"cutoff": 8192}, nothing, "positions", 2, "knows 4,096 positions"),
    "memory": ({"student": BIG, "cluster": H100, "batch": {"rows": 96}, "shard": "zero3", "cutoff": 16384},
               nothing, "memory", 2, "GB a GPU"),
    "an unknown GPU": ({"cluster": {**CPU, "gpu": "h100"}}, nothing, "memory", 2, "there is no GPU 'h100'"),
    "disk": ({"cluster": {**CPU, "disk_gb": 0.001}}, nothing, "disk", 3, "2 checkpoints of"),
    "student not staged": ({"student": BIG, "cluster": ROOMY}, nothing, "inputs", 3, "not staged"),
    "another revision": ({"student": BIG, "student_revision": "new", "cluster": ROOMY}, another_commit, "inputs", 3,
                         "not staged"),
    "dataset not staged": ({"dataset": "me/rows", "dataset_revision": "v1"}, nothing, "inputs", 3, "me/rows"),
    "dataset not there": ({"dataset": "/nowhere/rows"}, nothing, "inputs", 2, "no such folder"),
    "nothing published": ({"dataset": None}, nothing, "inputs", 3, "published no dataset"),
    "no conversations": ({}, no_turns, "inputs", 2, "no column holds conversations"),
    "weights missing": ({}, no_shard, "inputs", 2, "2 of 2 files of weights are missing"),
    "half a checkpoint": ({}, torn_checkpoint, "checkpoints", 3, "half a checkpoint"),
    "wrong world size": (ZERO, other_world, "checkpoints", 3, "saved by 8 ranks"),
}  # fmt: skip


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_mistake_is_found(place: Place, name: str) -> None:
    more, plant, check, code, words = PLANTED[name]
    plant(place)
    bad = [one for one in place.findings(**more) if one.level == "bad"]
    mine = [one for one in bad if one.check == check]
    assert len(mine) == 1, bad
    assert words in f"{mine[0].where} {mine[0].what}"
    assert mine[0].code == code
    assert mine[0].next
    # Nothing else is called a mistake, but for what a plan needs no staged student for.
    assert {one.check for one in bad} - {check} <= ({"inputs"} if name == "memory" else set())


def test_a_run_in_order_has_no_mistake(place: Place) -> None:
    found = place.findings()
    assert [one for one in found if one.level in ("bad", "warn")] == []
    assert {"batch", "time-outs", "inputs", "disk", "checkpoints"} <= {one.check for one in found}


def test_a_launch_sets_half_a_checkpoint_aside_and_goes_on(place: Place) -> None:
    torn_checkpoint(place)
    found = [one for one in place.findings(resuming=True) if one.check == "checkpoints"]
    assert [one.level for one in found] == ["warn"]


def test_no_revision_is_a_warning_with_the_commit(place: Place) -> None:
    entry = Input(source="me/rows", revision=None, commit="c0ffee", path=str(place.dataset))
    (place.here / "inputs").mkdir(parents=True)
    (place.here / "inputs" / "inputs.json").write_text(Staged(dataset=entry).model_dump_json())
    found = [one for one in place.findings(dataset="me/rows") if one.level == "warn"]
    assert [(one.check, one.next) for one in found] == [("revisions", "say c0ffee")]


def test_the_report_has_the_code_of_what_is_mended_first(place: Place) -> None:
    report = preflight(place.run(batch={"rows": 5}, cluster={**CPU, "disk_gb": 0.001}), lambda line: None)
    assert report.exit_code == 2
    with pytest.raises(RecipeError) as caught:
        report.raise_bad()
    assert "also: " in caught.value.what
    assert "2 mistakes" in report.lines()[-1]
    kept = Report.model_validate_json((place.here / "state" / "preflight.json").read_text())
    assert kept == report


def test_a_missing_interpreter_is_a_prerequisite(place: Place) -> None:
    report = preflight(place.run(), lambda line: None)
    assert [one.check for one in report.of("bad")] == ["environment"]
    assert report.exit_code == 3
    with pytest.raises(Prerequisite):
        report.raise_bad()
    with pytest.raises(Prerequisite):
        ready(place.run(), lambda line: None)


def examined(**more: Any) -> Examined:
    packages = dict.fromkeys(
        ("llamafactory", "torch", "transformers", "accelerate", "datasets", "peft", "trl", "deepspeed"), "1"
    )
    return Examined.model_validate(
        {"python": "3.11.7", "executable": "/e/bin/python", "prefix": "/e", "packages": packages, "unmet": [],
         "programs": {"nvcc": "x"}, "flavour": "cuda", **more}
    )  # fmt: skip


@pytest.mark.parametrize(
    ("more", "seen", "words"),
    [
        ({"liger": True}, {}, "liger-kernel is not installed"),
        ({"attention": "fa2"}, {}, "flash-attn is not installed"),
        ({"report_to": ["wandb"]}, {}, "wandb is not installed"),
        ({"cluster": {"nodes": 1, "gpus": 2}}, {"flavour": "cpu"}, "torch is a build for the CPU"),
        ({}, {"unmet": [{"by": "llamafactory", "wanted": "trl<=0.24", "found": "0.30"}]}, "0.30 is there"),
        ({}, {"packages": {"torch": "2.13"}}, "llamafactory is not installed"),
    ],
)
def test_what_the_interpreter_lacks_is_told(place: Place, more: Any, seen: Any, words: str) -> None:
    bad = [one for one in checks.environment(place.run(**more).block, examined(**seen)) if one.level == "bad"]
    assert any(words in one.what for one in bad)
    assert {one.code for one in bad} == {3}


def reply(node: str, rank: int, **more: Any) -> NodeReply:
    said = {
        "rank": rank, "python": "3.11.7", "versions": {"torch": "2.13.0", "llamafactory": "0.9.5"}, "token": "ok",
        "programs": {"g++": True}, "missing": [], "interpreter": True, "memory": 1, "gpus": [], "disk": 1,
        "port": "free" if rank == 0 else None, "reduce": {}, **more,
    }  # fmt: skip
    return NodeReply(node, 0, f"noise\nVERISTILL {json.dumps(said)}\n")


FAST = {"world": 4, "backend": "gloo", "right": True, "seconds": 0.001, "bytes_s": 1e9, "skew": 0.01}
GPUS = [{"name": "H100", "total": 81559, "used": 0}] * 7
NODES: dict[str, tuple[dict[str, Any], list[NodeReply], str, str]] = {
    "versions": ({}, [reply("n0", 0, reduce=FAST), reply("n1", 1, versions={"torch": "2.12.0"})],
                 "versions", "torch 2.13.0 on n0, 2.12.0 on n1"),
    "python": ({}, [reply("n0", 0, reduce=FAST), reply("n1", 1, python="3.12.1")], "versions", "Python 3.11.7 on n0"),
    "clocks": ({}, [reply("n0", 0, reduce={**FAST, "skew": 61.0}), reply("n1", 1)], "clocks", "61.0 s"),
    "a wrong sum": ({}, [reply("n0", 0, reduce={**FAST, "right": False}), reply("n1", 1)], "all-reduce", "wrong"),
    "no way": ({}, [reply("n0", 0, reduce={"failed": "gloo: timed out"}), reply("n1", 1)], "all-reduce", "timed out"),
    "a node away": ({}, [reply("n0", 0, reduce=FAST), NodeReply("n1", None, "No route to host")], "nodes", "No route"),
    "a node too few": ({}, [reply("n0", 0, reduce=FAST)], "nodes", "1 nodes, the recipe 2"),
    "no student there": ({}, [reply("n0", 0, reduce=FAST), reply("n1", 1, missing=["/m/config.json"])], "run folder",
                         "/m/config.json"),
    "not seen here": ({}, [reply("n0", 0, reduce=FAST), reply("n1", 7)], "run folder", "not seen here"),
    "seven GPUs": ({"cluster": {"nodes": 2, "gpus": 8}}, [reply("n0", 0, gpus=GPUS, reduce=FAST),
                   reply("n1", 1, gpus=[*GPUS, GPUS[0]])], "GPUs", "7 GPUs, the recipe says 8"),
}  # fmt: skip


@pytest.mark.parametrize("name", NODES)
def test_what_a_node_says_is_judged(place: Place, name: str) -> None:
    more, replies, check, words = NODES[name]
    block = place.run(**{"cluster": {**CPU, "nodes": 2, "gpus": 2}, "batch": {"rows": 16}, **more}).block
    launcher = Train.model_validate({"student": BIG, "launcher": "slurm"}).launcher
    from train.render import _job

    job = _job(block.model_copy(update={"launcher": launcher}), "a", place.here, "/p")
    bad = [one for one in judged(block, job, replies, {0, 1}) if one.level == "bad"]
    assert [(one.check, one.code) for one in bad] == [(check, 3)]
    assert words in bad[0].what


def test_half_of_the_gpus_in_use_is_a_warning(place: Place) -> None:
    busy = [{"name": "H100", "total": 80000, "used": 9000}] * 8
    block = place.run(cluster={"nodes": 1, "gpus": 8}, batch={"rows": 8}).block
    from train.render import _job

    found = list(judged(block, _job(block, "a", place.here, "/p"), [reply("n0", 0, gpus=busy, reduce=FAST)], {0}))
    assert [one.check for one in found if one.level == "warn"] == ["GPUs"]


def test_a_taken_port_is_found_by_the_probe(place: Place) -> None:
    """The probe itself, run by this interpreter: it needs no training environment but for the all-reduce."""
    from train.render import _job, scripts

    for name, text in scripts().items():
        (place.here / name).parent.mkdir(parents=True, exist_ok=True)
        (place.here / name).write_text(text)
    (place.here / "state").mkdir()
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen(1)
        block = place.run().block
        job = _job(block, "a", place.here, sys.executable).model_copy(update={"port": taken.getsockname()[1]})
        (place.here / "job.json").write_text(job.text())
        (place.here / "state" / "token-1").write_text("token-1")
        command = [sys.executable, "-I", str(place.here / "code" / "probe.py"), "--job", str(place.here / "job.json")]
        command += ["--token", "token-1", "--reduce"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = list(judged(block, job, [NodeReply("here", 0, done.stdout)], {0}))
    bad = [one for one in found if one.level == "bad"]
    assert [(one.check, one.code) for one in bad] == [("port", 3)]
    assert (place.here / "state" / "token-1-0").read_text() == "token-1 0"


def test_the_control_process_imports_no_torch() -> None:
    code = (
        "import sys, train.preflight, train.stage, train.render, train.inside.tokenise, train.inside.probe\n"
        "heavy = {'torch', 'transformers', 'llamafactory', 'deepspeed', 'accelerate', 'datasets', 'pyarrow'}\n"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_errors_become_findings_with_a_code() -> None:
    assert checks.as_finding("rows", InputError("x")).code == 2
    from curate.errors import Failed

    assert checks.as_finding("rows", Failed("it broke", next="read the log")).code == 3
