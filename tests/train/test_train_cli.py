"""The verbs of `train`: from a dataset that `veristill run` has just made to a model that loads, and each exit code."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.train import tiny

VERISTILL = str(Path(sys.executable).with_name("veristill"))
VERBS = ["finish", "launch", "plan", "preflight", "render", "setup", "stage", "status"]
BLOCK = """\
  student: ./student
  shard: ddp
  offload: none
  precision: bf16
  cutoff: 2048
  batch: {rows: 4}
  epochs: 6
  optimizer: {lr: 2.0e-3}
  checkpoints: {every: 10}
  gradient_checkpointing: false
  cluster: {nodes: 1, gpus: 1, gpu: cpu}
"""


def _veristill(folder: Path, *arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **(env or {})}
    return subprocess.run([VERISTILL, *arguments], cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.slow
def test_from_questions_to_a_model(tmp_path: Path, training_python: Path) -> None:
    """One recipe, six commands, in a folder whose name has a space; the loss falls, the model loads and talks."""
    here = tmp_path / "my work"
    here.mkdir()
    tiny.write_student(training_python, here / "student")
    recipe = "name: small\nsources: [quickstart]\nannotate: {teacher: {kind: fake, error_rate: 0.0}}\ntrain:\n" + BLOCK
    (here / "r.yaml").write_text(recipe)
    env = {"VERISTILL_TRAIN_ENV": str(training_python.parent.parent)}

    before = _veristill(here, "train", "launch", "r.yaml", env=env)
    assert before.returncode == 3 and "has published no dataset" in before.stderr
    made = _veristill(here, "run", "r.yaml")
    assert made.returncode == 0, made.stderr

    launched = _veristill(here, "train", "launch", "r.yaml", env=env)
    assert launched.returncode == 0, launched.stderr
    assert "no mistakes" in launched.stderr
    assert "next: veristill train finish r.yaml" in launched.stdout

    status = json.loads(_veristill(here, "train", "status", "small", "--json").stdout)
    assert status["state"] == "done" and status["step"] == status["steps"] == status["checkpoint"]
    assert status["tokens_per_second"] is None or status["tokens_per_second"] > 0
    losses = list(tiny.losses(here / "runs/small/train").values())
    assert sum(losses[-3:]) < 0.9 * sum(losses[:3]), losses
    watched = _veristill(here, "train", "status", "r.yaml", "--watch", "--png", "loss.png", env=env)
    assert watched.returncode == 0 and watched.stdout.startswith("state done")
    assert (here / "loss.png").read_bytes().startswith(b"\x89PNG")

    finished = _veristill(here, "train", "finish", "r.yaml", "--json")
    assert finished.returncode == 0, finished.stderr
    facts = json.loads(finished.stdout)
    card = Path(facts["folder"], "README.md").read_text()
    assert f"| tokens | {status['tokens']:,} |" in card and "the dataset of the recipe's own run (content `" in card
    assert "made before" in _veristill(here, "train", "finish", "r.yaml").stdout
    code = (
        "import sys; from transformers import AutoModelForCausalLM, AutoTokenizer\n"
        "tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])\n"
        "model = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype='auto')\n"
        "said = [{'role': 'user', 'content': 'Hi'}]\n"
        "text = tokenizer.apply_chat_template(said, add_generation_prompt=True, tokenize=False)\n"
        "out = model.generate(**tokenizer(text, return_tensors='pt'), max_new_tokens=4, do_sample=False)\n"
        "print(model.dtype, out.shape[1] > 4)"
    )
    talked = subprocess.run([training_python, "-I", "-c", code, facts["folder"]], capture_output=True, text=True)
    assert talked.stdout == "torch.bfloat16 True\n", talked.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Recipes with and without `train:`, and no training environment."""
    (tmp_path / "r.yaml").write_text(f"name: small\ntrain:\n  dataset: ./rows\n{BLOCK}")
    (tmp_path / "other.yaml").write_text("name: o\nsources: [quickstart]\nannotate: {teacher: {kind: fake}}\n")
    return tmp_path


NOWHERE = {"VERISTILL_TRAIN_ENV": ""}


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["plan", "other.yaml"], 2, "has no `train:` block"),
        (["render", "other.yaml"], 2, "has no `train:` block"),
        (["plan", "r.yaml", "--rows", "0"], 2, "Invalid value"),
        (["setup", "--cpu", "--cuda"], 2, "choose one of them"),
        (["setup", "--check"], 3, "no training environment"),
        (["setup", "--check", "--python", "nowhere"], 2, "no such folder"),
        (["setup", "--cpu", "--python", "."], 2, "holds something else"),
        (["preflight", "r.yaml"], 3, "veristill train setup"),
        (["launch", "r.yaml"], 3, "veristill train setup"),
        (["stage", "r.yaml"], 2, "no such folder"),
        (["finish", "r.yaml"], 2, "no training run here"),
        (["finish", "r.yaml", "--dtype", "int4"], 2, "bfloat16"),
        (["status", "r.yaml"], 2, "no training run here"),
        (["status", "nobody"], 2, "no recipe 'nobody'"),
        (["launch"], 2, "Missing argument"),
    ],
)
def test_exit_codes(folder: Path, arguments: list[str], code: int, said: str) -> None:
    done = _veristill(folder, "train", *arguments, env=NOWHERE)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr
    assert said in re.sub(r"\s*│?\n│?\s*", " ", done.stderr), done.stderr


def test_render_needs_no_environment_and_nothing_staged(folder: Path) -> None:
    (folder / "hub.yaml").write_text(
        "name: h\ntrain: {student: Qwen/Qwen2.5-7B-Instruct, dataset: org/d, cluster: {nodes: 1}, batch: {rows: 8}}\n"
    )
    done = _veristill(folder, "train", "render", "hub.yaml", "--show", "sft.yaml", env=NOWHERE)
    assert done.returncode == 0, done.stderr
    assert "model_name_or_path: Qwen/Qwen2.5-7B-Instruct" in done.stdout
    assert "not staged" in done.stderr
    job = json.loads((folder / "runs/h/train/job.json").read_text())
    assert job["python"] == str(folder / ".train/bin/python")
    again = json.loads(_veristill(folder, "train", "render", "hub.yaml", "--json", env=NOWHERE).stdout)
    assert again["changed"] == [] and "ds.json" in again["files"]
    other = _veristill(folder, "train", "render", "hub.yaml", "--show", "sfft.yaml", env=NOWHERE)
    assert other.returncode == 2 and "sft.yaml" in other.stderr


def test_a_launch_of_a_run_that_is_under_way(folder: Path) -> None:
    """Whoever holds the lock trains: a second launch stops with 4 before it checks anything."""
    import fcntl

    (folder / "hub.yaml").write_text(
        "name: h\ntrain: {student: ./s, dataset: ./d, cluster: {nodes: 1}, batch: {rows: 8}}\n"
    )
    assert _veristill(folder, "train", "render", "hub.yaml", env=NOWHERE).returncode in (0, 2)
    here = folder / "runs/h/train"
    if not (here / "job.json").exists():
        tiny.write_rows(folder / "d")
        (folder / "s").mkdir()
        for name in ("config.json", "tokenizer.json", "model.safetensors"):
            (folder / "s" / name).write_text("{}")
        done = _veristill(folder, "train", "render", "hub.yaml", env=NOWHERE)
        assert done.returncode == 0, done.stderr
    (here / "state").mkdir(exist_ok=True)
    with (here / "state/lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = _veristill(folder, "train", "launch", "hub.yaml", env={"VERISTILL_TRAIN_ENV": sys.prefix})
    assert done.returncode == 4, done.stderr
    assert "this training is running already" in done.stderr


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(verb: str) -> None:
    done = subprocess.run([VERISTILL, "train", verb, "--help"], capture_output=True, text=True, check=True)
    assert f"Example: veristill train {verb}" in done.stdout


def test_the_verbs_are_these() -> None:
    listed = subprocess.run([VERISTILL, "train", "--help"], capture_output=True, text=True, check=True).stdout
    assert sorted(re.findall(r"^  (\w+)  ", listed.split("Commands:")[1], re.MULTILINE)) == VERBS
