"""After training: whole weights, adapters, shards of ZeRO and FSDP become the same plain folder, and go to a hub."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from curate.errors import InputError, Prerequisite, RecipeError
from tests.curate.publish.test_hub import Hub, hub  # noqa: F401 - its scripted hub
from tests.train import tiny
from train import after, card, finish
from train.block import Train
from train.job import Expected, Job
from train.stage import Staged

BLOCK = Train.model_validate({"student": "/s", "dataset": "/d", "cutoff": 512, "cluster": {"nodes": 1}})
# Writes, from the student in argv[1], what each way of training leaves in argv[2].
LEFT = """
import sys, json, torch, shutil
from pathlib import Path
import torch.distributed.checkpoint as dcp
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer
student, to = sys.argv[1], Path(sys.argv[2])
torch.manual_seed(1)
model = AutoModelForCausalLM.from_pretrained(student, dtype=torch.float32)
tokenizer = AutoTokenizer.from_pretrained(student)
adapted = get_peft_model(model, LoraConfig(r=4, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM"))
for name, one in adapted.named_parameters():
    if "lora_B" in name:
        one.data.normal_(std=0.1)
adapted.save_pretrained(to / "lora/output")
merged = adapted.merge_and_unload()
merged.config.use_cache = False
merged.save_pretrained(to / "whole/output", max_shard_size="300KB")
shards = to / "fsdp/output/checkpoint-4/pytorch_model_fsdp_0"
dcp.save({"model": merged.state_dict()}, checkpoint_id=shards, no_dist=True)
merged.config.save_pretrained(shards.parent)
for name in ("lora", "whole", "fsdp"):
    tokenizer.save_pretrained(to / name / "output")
"""
# The largest difference of logits between two folders, and what the first one is.
COMPARE = """
import sys, torch
from transformers import AutoModelForCausalLM, AutoTokenizer
made, wanted = (AutoModelForCausalLM.from_pretrained(one, dtype="auto") for one in sys.argv[1:3])
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
text = tokenizer.apply_chat_template([{"role": "user", "content": "What is 6 * 7?"}], tokenize=False)
ids = torch.tensor([tokenizer(text)["input_ids"]])
worst = (made(ids).logits.float() - wanted(ids).logits.float()).abs().max().item()
print(worst, made.dtype, made.config.use_cache, made.generation_config.eos_token_id is not None, len(text) > 20)
"""


def _run(python: Path, code: str, *arguments: Path) -> str:
    done = subprocess.run([python, "-I", "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory, training_python: Path) -> Path:
    """Runs named after how their weights lie, each with job.json and sft.yaml, trained to the end."""
    root = tmp_path_factory.mktemp("left behind")
    student = tiny.write_student(training_python, root / "student")
    _run(training_python, LEFT, student, root)
    for name in ("lora", "whole", "fsdp"):
        here = root / name
        expect = Expected(sharded="fsdp" if name == "fsdp" else "none", weights=name != "fsdp")
        job = Job(name=name, folder=str(here), python=str(training_python), accelerator="cpu", expect=expect)
        (here / "job.json").write_text(job.text())
        (here / "sft.yaml").write_text(f"model_name_or_path: {student}\ntemplate: qwen\n")
        (here / "state").mkdir()
        (here / "state/done.json").write_text(json.dumps({"step": 4}))
    return root


def _made(root: Path, name: str, python: Path, **more: Any) -> after.Gathered:
    here = root / name
    job = Job.read((here / "job.json").read_text(), name)
    source = after.Source(here / "output/checkpoint-4", "fsdp", 4) if name == "fsdp" else after.source(here, job)
    return after.gather(here, job, source, **more)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["whole", "lora", "fsdp"])
def test_the_same_model_however_it_was_trained(left: Path, name: str, training_python: Path) -> None:
    made = _made(left, name, training_python)
    assert made.source.kind == name
    assert made.facts["dtype"] == "bfloat16"  # the student's, though fp32 was saved
    assert made.facts["bytes"] < 1.2 * 2 * made.facts["parameters"]
    names = {"config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"}
    assert names < {path.name for path in made.folder.iterdir()}
    worst, *facts = _run(training_python, COMPARE, made.folder, left / "whole/output").split()
    assert float(worst) < 0.05  # bfloat16 against float32
    assert facts == ["torch.bfloat16", "True", "True", "True"]


@pytest.mark.slow
def test_shards_of_zero(tmp_path: Path, training_python: Path) -> None:
    """Two processes train under ZeRO-3 and gather nothing; beside them DeepSpeed's own fp32 weights are the measure."""
    student = tiny.write_student(training_python, tmp_path / "student")
    block = {"shard": "zero3", "precision": "fp32", "batch": {"rows": 8}, "max_steps": 2}
    block |= {"checkpoints": {"every": 1, "gather": False}, "cluster": {"nodes": 1, "gpus": 2, "gpu": "cpu"}}
    here = tmp_path / "a run"
    job = tiny.run_folder(here, student, tiny.write_rows(tmp_path / "rows"), training_python, **block)
    done = subprocess.run([here / "launch.sh"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    source = after.source(here, job)
    assert (source.kind, source.step) == ("zero", 2)
    made = after.gather(here, job, source, dtype="float32")
    code = """
import sys, torch
from pathlib import Path
from safetensors.torch import load_file
from deepspeed.utils.zero_to_fp32 import get_fp32_state_dict_from_zero_checkpoint
made = load_file(Path(sys.argv[1], "model.safetensors"))
other = get_fp32_state_dict_from_zero_checkpoint(sys.argv[2])
student = load_file(Path(sys.argv[3], "model.safetensors"))
assert made.keys() == other.keys()
assert all(torch.equal(made[key], other[key]) for key in made)
print("moved", sum(not torch.equal(made[key], student[key].float()) for key in made) > len(made) // 2)
"""
    out = _run(training_python, code, made.folder, source.folder, student)
    assert out.endswith("moved True\n")
    early = after.source(here, job, step=1)
    assert (early.folder.name, early.kind) == ("checkpoint-1", "zero")


@pytest.mark.slow
def test_weights_that_are_not_the_model_are_refused(left: Path, training_python: Path) -> None:
    config = left / "whole/output/config.json"
    before = config.read_text()
    config.write_text(json.dumps({**json.loads(before), "intermediate_size": 192}))
    try:
        with pytest.raises(InputError, match=r"not the model of its config\.json: .*of other shape"):
            _made(left, "whole", training_python)
    finally:
        config.write_text(before)


def test_training_that_has_not_ended(tmp_path: Path) -> None:
    (tmp_path / "output/checkpoint-40").mkdir(parents=True)
    job = Job(name="r", folder=str(tmp_path), python="/p")
    with pytest.raises(Prerequisite, match="its newest checkpoint is of step 40"):
        after.source(tmp_path, job)
    with pytest.raises(InputError, match="no checkpoint of step 7; there are: 40"):
        after.source(tmp_path, job, step=7)
    with pytest.raises(InputError, match=r"checkpoint-40 cannot be used: trainer_state\.json is missing"):
        after.source(tmp_path, job, step=40)
    (tmp_path / "output/checkpoint-40/trainer_state.json").write_text('{"global_step": 40}')
    (tmp_path / "output/checkpoint-40/veristill.json").write_text('{"sharded": "zero", "world": 2, "files": {}}')
    with pytest.raises(InputError, match="cannot be used: checkpoint-40 was saved with sharding 'zero'"):
        after.source(tmp_path, job, step=40)


def test_how_it_is_served(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").touch()
    with (tmp_path / "model.safetensors").open("r+b") as file:
        file.truncate(65_500_000_000)  # 32 B parameters: more than half of one H100
    command = after.serve_command(tmp_path, BLOCK, "r", "org/r")
    assert command == "vllm serve org/r --served-model-name r --max-model-len 512 --tensor-parallel-size 2"


FIGURES = """\
| steps | 4 |
| machines | 1 x 1 h100-80 |
| sharding | zero3 |
| epochs | 0.04 |
| tokens | 4,000 |
| first loss | 3.9000 |
| final loss (mean of the last steps) | 3.6000 |
"""


def test_the_card_says_what_was_measured(tmp_path: Path) -> None:
    (tmp_path / "output").mkdir()
    lines = [{"current_steps": n, "total_steps": 5, "loss": 4 - n / 10, "epoch": n / 100, "total_tokens": n * 1000,
              "elapsed_time": "0:00:01"} for n in range(1, 6)]  # fmt: skip
    (tmp_path / "output/trainer_log.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
    hub_block = BLOCK.model_copy(update={"student": "Qwen/Q", "dataset": "org/d", "dataset_revision": "abc"})
    source = after.Source(tmp_path / "output/checkpoint-4", "whole", 4)
    made = after.Gathered(tmp_path / "model", source, {"parameters": 151104, "dtype": "bfloat16"})
    told = card.Told("r", hub_block, Staged(), {"torch": "2.13.0"}, False, "vllm serve x")
    text = card.text(tmp_path, Job(name="r", folder="/r", python="/p"), made, told)
    assert FIGURES in text  # up to step 4, and no hours, which nobody measured
    assert "A fine-tune of `Qwen/Q` (all of its weights) on `org/d` at `abc`: 151,104 parameters in bfloat16." in text
    assert "These are the weights of step 4." in text
    assert "base_model: Qwen/Q" in text and "datasets:\n- org/d" in text
    assert str(tmp_path) not in text


@pytest.fixture
def model(tmp_path: Path) -> Iterator[Path]:
    for name in ("config.json", "README.md", "model.safetensors", "tokenizer.json"):
        (tmp_path / name).write_text("{}")
    yield tmp_path


def test_a_push_is_private_and_whole(model: Path, hub: str) -> None:  # noqa: F811
    Hub.old = ["model-00001-of-00002.safetensors", "model.safetensors.index.json"]
    assert after.push(model, "org/demo", private=True, endpoint=hub) == f"{hub}/org/demo"
    (commit,) = Hub.commits
    said = [(one["key"], one["value"].get("path")) for one in commit[1:]]
    assert {path for key, path in said if key == "file"} == {path.name for path in model.iterdir()}
    assert {path for key, path in said if key == "deletedFile"} == set(Hub.old)
    assert any(line.startswith("POST /api/models/org/demo/commit/") for line in Hub.log)


def test_nothing_goes_to_a_public_repository_unasked(model: Path, hub: str) -> None:  # noqa: F811
    Hub.private = False
    with pytest.raises(RecipeError, match="public on the hub"):
        after.push(model, "org/demo", private=True, endpoint=hub)
    assert Hub.commits == []
    after.push(model, "org/demo", private=False, endpoint=hub)
    assert len(Hub.commits) == 1


def test_only_a_finished_model_is_pushed(tmp_path: Path) -> None:
    with pytest.raises(Prerequisite, match="no finished model"):
        after.push(tmp_path, "org/demo", private=True)


def test_a_run_that_trained_in_an_image_is_finished_by_the_interpreter_that_is_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the image has at /opt is not on the machine that fetched the weights."""
    here = tmp_path / "train"
    here.mkdir()
    job = Job(name="r", folder="/opt/ml/veristill", python="/nonexistent/bin/python")
    (here / "job.json").write_text(job.text(), "utf-8")
    own = tmp_path / ".train" / "bin" / "python"
    own.parent.mkdir(parents=True)
    own.symlink_to(sys.executable)
    monkeypatch.delenv("VERISTILL_TRAIN_ENV", raising=False)
    asked: list[str] = []

    def gather(folder: Path, job: Job, *rest: Any, **more: Any) -> None:
        asked.append(job.python)
        raise InputError("as far as this test goes", where=str(folder))

    monkeypatch.setattr(after, "source", lambda *_: after.Source(here / "output", "whole", 1))
    monkeypatch.setattr(after, "gather", gather)
    with pytest.raises(InputError, match="as far as"):
        finish.finish(BLOCK, here, tmp_path)
    assert asked == [str(own)]


def test_finish_needs_a_rendered_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no training run here"):
        finish.finish(BLOCK, tmp_path, tmp_path)
