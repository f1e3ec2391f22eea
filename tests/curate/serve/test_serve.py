"""The `serve:` block: the commands it stands for, what it refuses, and the scripts that are written from it."""

import subprocess
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from curate.calls.serving.script import batch_script
from curate.calls.serving.serve import Serve
from curate.errors import RecipeError
from curate.paths import relative_to
from curate.records import Answer, Question
from curate.teachers.openai import Openai
from recipes.load import load

READY = ("qwq-32b", "deepseek-r1")


def test_one_gpu_needs_no_parallelism() -> None:
    assert Serve().launch("org/m") == ["vllm", "serve", "org/m", "--served-model-name", "org/m"]
    assert Serve(server="transformers").launch("org/m") == ["transformers", "serve", "org/m"]
    found = ["python3", "-m", "sglang.launch_server", "--model-path", "org/m", "--served-model-name", "org/m"]
    assert Serve(server="sglang").launch("org/m") == found


def test_gpus_nodes_and_arguments() -> None:
    serve = Serve(path="/w/r1", gpus=8, slurm={"nodes": 2}, args=("--max-model-len", "32768"))
    assert serve.launch("r1")[1:] == [
        "serve",
        "/w/r1",
        "--served-model-name",
        "r1",
        "--tensor-parallel-size",
        "8",
        "--pipeline-parallel-size",
        "2",
        "--distributed-executor-backend",
        "ray",
        "--max-model-len",
        "32768",
    ]
    assert "16" in Serve(server="sglang", gpus=8, slurm={"nodes": 2}).launch("m")
    own = Serve(gpus=8, args=("--tensor-parallel-size=4", "--pipeline-parallel-size", "2")).launch("m")
    assert own.count("--tensor-parallel-size") == 0
    assert Serve(server="transformers", gpus=0).launch("m")[-2:] == ["--device", "cpu"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"args": ["--port", "80"]}, "the run sets it"),
        ({"args": ["--host=0.0.0.0"]}, "the run sets it"),
        ({"args": ["--api-key", "sk-1"]}, "api_key_env"),
        ({"server": "ollama"}, "vllm"),
        ({"server": "transformers", "slurm": {"nodes": 2}}, "one node"),
        ({"gpus": -1}, "greater"),
        ({"copies": 0}, "greater"),
        ({"node": 2}, "Extra"),
    ],
)
def test_what_cannot_be_is_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Serve.model_validate(fields)


def test_paths_stand_beside_the_recipe(tmp_path: Path) -> None:
    with relative_to(tmp_path):
        assert Serve(path="./weights").path == str(tmp_path / "weights")
        assert Serve(path="org/model").path == "org/model"


def test_a_teacher_has_one_address(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="leave base_url"):
        Openai(model="m", base_url="http://x/v1", serve={})
    with pytest.raises(ValidationError, match="answers only to the name"):
        Openai(model="m", serve={"server": "transformers", "path": "/w"})
    path = tmp_path / "r.yaml"
    path.write_text(
        "name: r\nsources: [quickstart]\nannotate:\n  teacher:\n    kind: openai\n    model: m\n    serve: {gpu: 2}\n"
    )
    with pytest.raises(RecipeError, match="gpu"):
        load(str(path))


def test_serving_is_no_part_of_a_key() -> None:
    """Started here or reached elsewhere: an answer that is there is not asked for again."""
    question = Question.of(problem="?", domain="math", truth=Answer(text="1"), source="s", source_id="1")
    none: Any = None
    calls = [
        teacher.call(question, 0, none)
        for teacher in (
            Openai(model="m", base_url="http://a/v1"),
            Openai(model="m", serve={}),
            Openai(model="m", serve={"gpus": 8, "slurm": {"nodes": 2}}),
        )
    ]
    assert len({call.key for call in calls}) == 1
    assert [call.served is None for call in calls] == [True, False, False]
    assert calls[1].served != calls[2].served
    assert calls[1].api_key_env is None


def test_the_script_quotes_what_it_is_given(tmp_path: Path) -> None:
    nasty = "a b'; touch harm; '$(touch harm)"
    setup = "source /opt/x/activate\nexport Y=$UNSET"
    serve = Serve(path=nasty, args=("--x", nasty), env={"Z": nasty}, slurm={"setup": setup, "options": ["--time=1:00"]})
    text = batch_script(serve, "m\nharm")
    assert "#SBATCH --time=1:00\n" in text
    assert "#SBATCH --gpus-per-node=1\n" in text
    head = text.partition("exec python3")[0].replace("source /opt/x/activate", "")
    script = tmp_path / "head.sh"
    script.write_text(head + '\nprintf "%s\\n" "$Z" "${command[@]}"\n')
    done = subprocess.run(["bash", script, "folder"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(nasty) == 3
    assert not (tmp_path / "harm").exists()


def test_gpus_named_in_the_options_are_not_asked_for_twice() -> None:
    assert "--gpus-per-node" not in batch_script(Serve(gpus=8, slurm={"options": ["--gres=gpu:a100:8"]}), "m")


@pytest.mark.parametrize("name", READY)
def test_the_ready_scripts_are_what_their_blocks_say(name: str) -> None:
    """Written by `python -m curate.calls.serving.ready`."""
    folder = files("curate.calls.serving") / "ready"
    block = yaml.safe_load((folder / f"{name}.yaml").read_text("utf-8"))
    text = (folder / f"{name}.sbatch").read_text("utf-8")
    assert text == batch_script(Serve.model_validate(block["serve"]), block["model"])
    assert subprocess.run(["bash", "-n"], input=text, text=True, check=False).returncode == 0
    # A teacher as it stands in a recipe.
    assert Openai.model_validate(block).serve is not None
