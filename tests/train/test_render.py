"""What a recipe's `train:` block becomes: compared with the files in `golden/`, and read back as YAML and JSON.

`VERISTILL_GOLDEN=write` writes the files anew; look at the difference before you keep it.
"""

import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from curate.errors import InputError, RecipeError
from tests.train.tiny import rows, write_rows
from train.block import Train
from train.dataset import find
from train.job import Job
from train.render import Inputs, Rendered, rendered, scripts, write
from train.tokens import learns

GOLDEN = Path(__file__).parent / "golden"
STUDENT = "Qwen/Qwen2.5-32B-Instruct"
SKY = {"kind": "skypilot", "bucket": "s3://mine", "image": "mine", "accelerator": "H100"}
CPU = {"gpu": "cpu", "nodes": 1, "gpus": 2}
CASES: dict[str, dict[str, Any]] = {
    "reference": {"student": STUDENT, "dataset": "open-thoughts/OpenThoughts-114k", "launcher": "slurm"},
    "tuned": {
        "student": STUDENT,
        "student_revision": "5ede1c97bbab6ce5cda5812749b4c0bdf79b18dd",
        "dataset": "open-thoughts/OpenThoughts-114k",
        "system": 'Say "so" first: then think.',
        "method": {"kind": "lora", "rank": 16},
        "packing": "neat",
        "batch": {"tokens": 16384 * 64},
        "micro_batch": 2,
        "max_steps": 500,
        "liger": True,
        "attention": "fa2",
        "shard": "zero2",
        "offload": "optimizer",
        "optimizer": {"name": "adamw_8bit", "lr": 2e-4, "warmup": 20, "schedule": "constant_with_warmup"},
        "report_to": ["wandb"],
        "env": {"NCCL_SOCKET_IFNAME": "eth0"},
        "extra": {"neftune_noise_alpha": 5, "logging_steps": 10},
        "launcher": "slurm",
    },
    "cpu-ddp": {"student": STUDENT, "cluster": CPU, "batch": {"rows": 4}, "shard": "ddp", "offload": "none",
                "gradient_checkpointing": False},
    "cpu-zero3": {"student": STUDENT, "cluster": CPU, "batch": {"rows": 4}, "offload": "none", "precision": "fp32"},
    "fsdp": {"student": STUDENT, "shard": "fsdp", "launcher": "slurm", "checkpoints": {"gather": False}},
}  # fmt: skip
# Not these: the scripts are code, the launcher's files have tests of their own.
SHOWN = ("sft.yaml", "ds.json", "accelerate.yaml", "job.json", "data/dataset_info.json")


def made(case: str, **more: Any) -> Rendered:
    block = Train.model_validate({**CASES[case], **more})
    return rendered(block, name=case, here=Path(f"/runs/{case}/train"), python="/opt/train/bin/python")


@pytest.mark.parametrize("case", CASES)
def test_the_files_are_those_in_golden(case: str) -> None:
    files = {name: text for name, text in made(case).files.items() if name in SHOWN}
    folder = GOLDEN / case
    if os.environ.get("VERISTILL_GOLDEN") == "write":
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, "utf-8")
    kept = {str(path.relative_to(folder)): path.read_text("utf-8") for path in folder.rglob("*") if path.is_file()}
    assert files == kept


@pytest.mark.parametrize("case", CASES)
def test_every_value_has_the_type_that_the_parser_wants(case: str) -> None:
    values = yaml.safe_load(made(case).files["sft.yaml"])
    for key in ("learning_rate", "adam_epsilon", "num_train_epochs", "weight_decay"):
        assert isinstance(values[key], float), key
    assert "resume_from_checkpoint" not in values
    assert "overwrite_output_dir" not in values
    assert ("ddp_backend" in values) == (case == "cpu-ddp")
    assert Job.read(made(case).files["job.json"], "job.json") == made(case).job


def test_the_batch_of_deepspeed_is_the_batch_of_transformers() -> None:
    for case in ("reference", "tuned", "cpu-zero3"):
        files = made(case).files
        ds, sft = json.loads(files["ds.json"]), yaml.safe_load(files["sft.yaml"])
        assert ds["train_micro_batch_size_per_gpu"] == sft["per_device_train_batch_size"]
        assert ds["gradient_accumulation_steps"] == sft["gradient_accumulation_steps"]
        world = made(case).job.world
        each = sft["per_device_train_batch_size"] * sft["gradient_accumulation_steps"]
        assert ds["train_batch_size"] == each * world
        assert ds["gradient_clipping"] == sft["max_grad_norm"]
        assert ds["bf16"]["enabled"] == sft["bf16"]
    assert json.loads(made("reference").files["ds.json"])["train_batch_size"] == 96


def test_a_run_of_its_own_dataset_names_each_shard_by_its_path(tmp_path: Path) -> None:
    here = tmp_path / "runs" / "one, two" / "train"
    folder = tmp_path / "runs" / "one, two" / "dataset" / "default"
    folder.mkdir(parents=True)
    for number in (2, 0, 1):
        pq.write_table(pa.Table.from_pylist(rows(4)), folder / f"train-0000{number}-of-00003.parquet")
    data = find(folder.parent)
    assert data.rows() == 12
    block = Train.model_validate({**CASES["cpu-ddp"], "student": str(tmp_path)})
    run = rendered(
        block, name="one, two", here=here, python="/p", inputs=Inputs(tmp_path, data), tokenized="tokenized/a"
    )
    info = json.loads(run.files["data/dataset_info.json"])
    assert list(info) == ["one-two-00000", "one-two-00001", "one-two-00002"]
    assert [entry["file_name"] for entry in info.values()] == [
        f"../../dataset/default/train-0000{number}-of-00003.parquet" for number in range(3)
    ]
    sft = yaml.safe_load(run.files["sft.yaml"])
    assert sft["dataset"].split(",") == list(info)
    assert sft["tokenized_path"] == "tokenized/a"
    assert sft["default_system"] == ""


def test_a_prompt_of_the_recipe_replaces_the_column(tmp_path: Path) -> None:
    data = find(write_rows(tmp_path))
    block = Train.model_validate({**CASES["cpu-ddp"], "student": str(tmp_path), "system": "Think."})
    run = rendered(block, name="a", here=tmp_path / "r", python="/p", inputs=Inputs(tmp_path, data))
    assert "system" not in json.loads(run.files["data/dataset_info.json"])["a"]["columns"]
    assert yaml.safe_load(run.files["sft.yaml"])["default_system"] == "Think."


@pytest.mark.parametrize(
    ("more", "where"),
    [
        ({"extra": {"save_only_model": True}}, "train.extra.save_only_model"),
        ({"extra": {"overwrite_output_dir": True}}, "train.extra.overwrite_output_dir"),
        ({"extra": {"resume_from_checkpoint": True}}, "train.extra.resume_from_checkpoint"),
        ({"checkpoints": {"resumable": False}}, "train.checkpoints.resumable"),
        ({"batch": {"rows": 95}}, "train.batch"),
        ({"env": {"WANDB_API_KEY": "x"}}, "train.env.WANDB_API_KEY"),
        ({"env": {"HTTPS_PROXY": "http://me:word@proxy:3128"}}, "train.env.HTTPS_PROXY"),
        ({"env": {"WHO": "AKIAIOSFODNN7EXAMPLE"}}, "train.env.WHO"),
        ({"extra": {"hf_hub_token": "hf_x"}}, "train.extra.hf_hub_token"),
        ({"checkpoints": {"keep": 1}}, "train.checkpoints.keep"),
        ({"shard": "fsdp", "launcher": SKY}, "train.shard"),
        ({"system": "cost: ${PRICE}"}, "default_system"),
        ({"cluster": CPU, "batch": {"rows": 4}, "launcher": "local"}, "train.precision"),
    ],
)
def test_what_no_file_can_say_is_refused(more: dict[str, Any], where: str) -> None:
    with pytest.raises(RecipeError) as caught:
        made("reference", **more)
    assert caught.value.where == where
    assert caught.value.next


def test_what_only_sounds_like_a_secret_is_passed_on() -> None:
    env = {"TOKENIZERS_PARALLELISM": "true", "HTTPS_PROXY": "http://proxy:3128", "NCCL_DEBUG": "INFO"}
    run = made("reference", env=env, extra={"ignore_pad_token_for_loss": True, "add_tokens": "<a>,<b>"})
    assert env.items() <= run.job.env.items()
    assert "add_tokens" in run.files["sft.yaml"]


def test_nodes_without_a_shared_folder_keep_what_they_go_on_from() -> None:
    """DeepSpeed's first rank alone would save the parameters of ZeRO-2."""
    assert "checkpoint" not in json.loads(made("reference").files["ds.json"])
    own = json.loads(made("reference", launcher=SKY).files["ds.json"])
    assert own["checkpoint"] == {"use_node_local_storage": True}


def test_what_a_run_learns_from_has_a_name_of_its_own(tmp_path: Path) -> None:
    """It changes with the rows and how they are read, and not with what may change while a run goes on."""
    data, student = find(write_rows(tmp_path / "rows", 4)), tmp_path / "student"
    student.mkdir()
    (student / "config.json").write_text("{}")

    def name(**more: Any) -> str:
        return learns(Train.model_validate({**CASES["cpu-ddp"], **more}), data, student)

    first = name()
    same = ({"optimizer": {"lr": 1.0}}, {"epochs": 9}, {"batch": {"rows": 8}}, {"checkpoints": {"every": 7}})
    assert {name(**more) for more in same} == {first}
    other = ({"template": "llama3"}, {"cutoff": 99}, {"system": "x"}, {"on_cut": "drop"}, {"method": "lora"})
    assert len({first, *(name(**more) for more in other)}) == 1 + len(other)
    write_rows(tmp_path / "rows", 5)
    assert name() != first
    block = Train.model_validate(CASES["cpu-ddp"])
    run = rendered(block, name="a", here=tmp_path, python="/p", inputs=Inputs(student, data, first))
    assert json.loads(run.files["job.json"])["learns"] == first


def test_writing_leaves_what_training_wrote(tmp_path: Path) -> None:
    run = made("cpu-ddp")
    assert set(write(run, tmp_path)) == set(run.files)
    (tmp_path / "output").mkdir()
    (tmp_path / "output" / "trainer_log.jsonl").write_text("{}\n")
    assert write(run, tmp_path) == []
    (tmp_path / "sft.yaml").write_text("stale")
    assert write(run, tmp_path) == ["sft.yaml"]
    assert (tmp_path / "output" / "trainer_log.jsonl").read_text() == "{}\n"
    assert os.access(tmp_path / "launch.sh", os.X_OK)


def test_the_scripts_import_nothing_of_ours() -> None:
    for name, text in scripts().items():
        lines = [line.strip() for line in text.splitlines()]
        ours = [line for line in lines if line.startswith(("from train", "import train", "from curate"))]
        # For type checkers and for the control process, which imports them as modules.
        assert not ours or "TYPE_CHECKING or __package__" in text, name


def test_datasets_that_cannot_be_read_are_told_apart(tmp_path: Path) -> None:
    def folder(name: str, table: list[dict[str, Any]]) -> Path:
        (tmp_path / name).mkdir()
        pq.write_table(pa.Table.from_pylist(table), tmp_path / name / "train.parquet")
        return tmp_path / name

    with pytest.raises(InputError, match=r"no \.parquet or \.jsonl"):
        find(tmp_path)
    with pytest.raises(InputError, match="columns: problem"):
        find(folder("flat", [{"problem": "1+1", "answer": "2"}]))
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "train.parquet").write_bytes(b"PAR1 torn")
    with pytest.raises(InputError, match="cannot be read"):
        find(tmp_path / "torn")
    with pytest.raises(InputError, match="pattern"):
        find(folder("a[1]", rows(1)))


def test_other_datasets_are_found_by_what_they_declare(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "2?"}, {"role": "assistant", "content": "2."}]
    for config in ("main", "metadata"):
        (tmp_path / config).mkdir()
        pq.write_table(pa.Table.from_pylist([{"messages": turns}] * 3), tmp_path / config / "train-0.parquet")
        pq.write_table(pa.Table.from_pylist([{"messages": turns}]), tmp_path / config / "test-0.parquet")
    configs = [
        {"config_name": "metadata", "data_files": "metadata/*.parquet"},
        {"config_name": "main", "default": True,
         "data_files": [{"split": "train", "path": ["main/train-*", "main/tr*"]},  # which name one file twice
                        {"split": "test", "path": "main/test-*"}]},
    ]  # fmt: skip
    (tmp_path / "README.md").write_text("---\n" + yaml.safe_dump({"configs": configs}) + "---\n# x\n")
    data = find(tmp_path)
    assert [path.name for path in data.files] == ["train-0.parquet"]
    assert data.files[0].parent.name == "main"
    assert data.rows() == 3
    assert (data.columns.role, data.columns.content, data.columns.user, data.columns.system) == (
        "role", "content", "user", None
    )  # fmt: skip
