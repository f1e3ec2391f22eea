"""`plan`: refuses nothing, explains all; what it says of the shipped recipes, and of a dataset that is there."""

import json
from pathlib import Path
from typing import Any

import pytest

from recipes.load import load
from tests.train.test_lengths import _dataset, _rows, student  # noqa: F401 - a fixture
from train.block import Train
from train.plan import lines, plan
from train.planned import Plan

CONFIG = {
    "model_type": "qwen2", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 600,
    "num_key_value_heads": 2, "intermediate_size": 128, "max_position_embeddings": 4096,
}  # fmt: skip


def _plan(root: Path, rows: int | None = None, **more: Any) -> Plan:
    block = Train.model_validate(
        {"student": "Qwen/Qwen2.5-32B-Instruct", "dataset": "open-thoughts/OpenThoughts-114k", **more}
    )
    return plan(block, name="test", root=root, rows=rows)


def test_the_reference_run(tmp_path: Path) -> None:
    recipe = load("openthinker-32b")
    assert recipe.train is not None
    found = plan(recipe.train, name=recipe.name, root=tmp_path)
    assert found.gpu.fits and found.host.fits and found.disk.fits
    assert found.steps.accumulate == 3
    assert found.steps.steps == pytest.approx(3562, rel=0.05)
    assert found.steps.traffic == pytest.approx(197e9, rel=0.05)
    assert found.time is not None
    assert found.time.hours.low < 90 < found.time.hours.high  # what it took
    assert dict(found.time.busy) == pytest.approx({0.25: 17.7, 0.4: 11.1}, rel=0.05)
    assert not found.rows.measured
    assert any("nobody measured this run" in one for one in found.assumptions)
    assert any("took 90 h on 32 h100-80" in one for one in found.published)


def test_the_tuned_recipe_keeps_the_rows_of_a_step_and_saves_hours(tmp_path: Path) -> None:
    blocks = {name: load(name).train for name in ("openthinker-32b", "openthinker-32b-tuned")}
    plans = {name: plan(block, name=name, root=tmp_path) for name, block in blocks.items() if block is not None}
    reference, tuned = plans["openthinker-32b"], plans["openthinker-32b-tuned"]
    assert tuned.gpu.fits
    assert tuned.steps.rows == pytest.approx(reference.steps.rows, rel=0.05)
    assert tuned.steps.steps == pytest.approx(reference.steps.steps or 0, rel=0.05)
    assert reference.time is not None and tuned.time is not None
    assert tuned.time.hours.expected < 0.2 * reference.time.hours.expected
    assert 10 <= tuned.time.hours.expected <= 20


@pytest.mark.parametrize(
    "name", ["openthinker-32b", "openthinker-32b-unverified", "openthinker-7b", "openthinker-32b-tuned"]
)
def test_every_shipped_recipe_fits_its_machines(name: str, tmp_path: Path) -> None:
    block = load(name).train
    assert block is not None
    found = plan(block, name=name, root=tmp_path)
    assert found.gpu.fits and found.host.fits and found.disk.fits and found.steps.accumulate
    assert found.rows.rows and not any("cannot be launched" in one for one in found.notes)


def test_a_measured_dataset(student: Path, tmp_path: Path) -> None:  # noqa: F811
    """Lengths of the run's own dataset, by the student's own tokenizer; the recipe's folder is found under the root."""
    (student / "config.json").write_text(json.dumps(CONFIG), "utf-8")
    _dataset(tmp_path / "runs" / "test" / "dataset", _rows([89] * 60 + [289] * 40))
    block = Train.model_validate(
        {
            "student": str(student),
            "cutoff": 200,
            "epochs": 2,
            "batch": {"rows": 8},
            "cluster": {"nodes": 1, "gpus": 4, "price_per_gpu_hour": 3},
        }
    )
    found = plan(block, name="test", root=tmp_path)
    assert (found.rows.measured, found.rows.rows) == (True, 100)
    assert (found.rows.cut_rows, found.rows.cut_tokens) == (0.4, 40 * 100 / (60 * 100 + 40 * 300))
    assert found.rows.row_tokens.expected == 0.6 * 100 + 0.4 * 200
    assert found.steps.steps == 2 * 13  # 100 rows on 4 GPUs are 25 micro-batches each, two a step
    assert found.rows.tokens is not None and found.rows.tokens.expected == pytest.approx(2 * 100 * 140)
    assert found.time is not None and found.time.price_usd is not None
    assert found.time.price_usd.expected == pytest.approx(found.time.hours.expected * 4 * 3)
    dropped = plan(block.model_copy(update={"on_cut": "drop"}), name="test", root=tmp_path)
    assert dropped.rows.tokens is not None and dropped.rows.tokens.expected == pytest.approx(2 * 60 * 100)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"batch": {"rows": 100}}, ["cannot be launched", "say 96 or 128"]),
        ({"cutoff": 65536}, ["more than the 32,768 positions"]),
        (
            {"cluster": {"nodes": 1, "gpus": 8}, "offload": "none"},
            ["it would fit with `offload: optimizer`", "24 GPUs"],
        ),
        ({"shard": "ddp", "offload": "none"}, ["it would fit with `shard: zero3, offload: optimizer`"]),
        ({"cluster": {"gpu": "a10g"}}, ["no number of GPUs of 24 GB"]),
        ({"on_cut": "drop"}, ["they are dropped"]),
        ({"on_cut": "fail"}, ["preflight refuses"]),
        ({"packing": "greedy"}, ["see each other", "rows a step"]),
        ({"packing": "neat"}, ["attention: fa2"]),
        ({}, ["GPUs wait for the longest of 32 rows"]),
    ],
)
def test_it_refuses_nothing_and_says_what_is_wrong(more: dict[str, Any], words: list[str], tmp_path: Path) -> None:
    notes = "\n".join(_plan(tmp_path, **more).notes)
    for word in words:
        assert word in notes


def test_without_a_number_of_rows_it_says_what_it_can(tmp_path: Path) -> None:
    found = _plan(tmp_path, dataset="org/rows")
    assert (found.time, found.rows.rows, found.rows.tokens, found.steps.steps) == (None, None, None, None)
    assert found.gpu.fits
    assert any("--rows N" in one for one in found.notes)
    told = _plan(tmp_path, rows=1000, dataset="org/rows")
    assert told.time is not None and told.rows.rows == 1000
    few = _plan(tmp_path, dataset="org/rows", max_steps=10)
    assert few.steps.steps == 10 and few.time is not None


def test_a_dataset_that_cannot_be_read_is_a_note(tmp_path: Path) -> None:
    found = _plan(tmp_path, dataset=str(tmp_path / "nowhere"))
    assert any("could not be measured" in one for one in found.notes)


def test_an_unknown_gpu_is_a_note(tmp_path: Path) -> None:
    found = _plan(tmp_path, cluster={"gpu": "h1000"})
    assert (found.gpu.fits, found.time) == (None, None)
    assert any("h1000" in one and "h100-80" in one and "gpu_memory_gb" in one for one in found.notes)
    said = _plan(tmp_path, cluster={"gpu": "h1000", "gpu_memory_gb": 96, "gpu_tflops": 1000})
    assert said.gpu.fits and said.time is not None


def test_the_cpu_has_no_hours(tmp_path: Path) -> None:
    found = _plan(tmp_path, cluster={"gpu": "cpu", "nodes": 1, "gpus": 2}, offload="none", precision="fp32")
    assert (found.time, found.gpu.fits) == (None, None)
    assert "workspace" not in {part.name for part in found.gpu.parts}


def test_lines_and_json_say_the_same(tmp_path: Path) -> None:
    found = _plan(tmp_path, cluster={"price_per_node_hour": 40})
    text = "\n".join(lines(found))
    for part in found.gpu.parts:
        assert part.name in text and part.formula in text
    assert ": fits" in text and "dollars" in text and "an estimate" in text
    assert all(one in text for one in (*found.assumptions, *found.published, *found.notes))
    assert Plan.model_validate_json(found.model_dump_json()) == found
