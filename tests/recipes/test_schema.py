"""The JSON schema is whole and says the same as the models; the lock file reads back to the same recipe."""

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from curate.errors import RecipeError
from recipes.check import check
from recipes.load import load_flow, read, shipped
from recipes.schema import Recipe, json_schema


@pytest.fixture(autouse=True)
def _data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VERISTILL_DATA", str(tmp_path))


schema_of = cache(json_schema)  # it takes seconds, and is the same for every test


def _walk(node: Any) -> Any:
    yield node
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else []:
        yield from _walk(inner)


def test_every_reference_leads_somewhere() -> None:
    schema = schema_of()
    references = {node["$ref"] for node in _walk(schema) if isinstance(node, dict) and "$ref" in node}
    assert references
    for reference in references:
        assert reference.removeprefix("#/$defs/") in schema["$defs"]
    assert not any("$defs" in node for node in _walk(schema) if isinstance(node, dict) and node is not schema)


def test_it_names_every_block_and_kind() -> None:
    schema = schema_of()
    assert set(schema["properties"]) == set(Recipe.model_fields)
    kinds = {node["const"] for node in _walk(schema) if isinstance(node, dict) and "const" in node}
    assert {"jsonl", "quickstart", "replay", "fake", "openai", "verified", "math", "code", "dedup"} <= kinds


@pytest.fixture(scope="module")
def validator() -> Any:
    """Made once: the schema of all kinds takes seconds."""
    jsonschema = pytest.importorskip("jsonschema")
    schema = schema_of()
    cls = jsonschema.validators.validator_for(schema)
    cls.check_schema(schema)
    return cls(schema)


@pytest.mark.parametrize("name", shipped())
def test_the_schema_accepts_every_shipped_recipe(name: str, validator: Any) -> None:
    validator.validate(yaml.safe_load(shipped()[name].read_text("utf-8")))


@pytest.mark.parametrize("name", shipped())
def test_the_lock_reads_back_to_the_same_recipe(name: str, tmp_path: Path) -> None:
    recipe = read(shipped()[name])
    lock = tmp_path / "elsewhere" / "recipe.lock.yaml"
    lock.parent.mkdir()
    lock.write_text(recipe.lock_text(), "utf-8")
    assert read(lock) == recipe
    assert read(lock).lock_text() == recipe.lock_text()


def test_paths_stand_beside_the_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "recipes here"
    folder.mkdir()
    path = folder / "r.yaml"
    path.write_text(
        "name: a\nsources:\n  - {kind: jsonl, domain: math, path: q.jsonl}\n"
        "  - {kind: jsonl, domain: math, path: '${WHERE:-other}/q.jsonl'}\nannotate: {teacher: fake}\n",
        "utf-8",
    )
    monkeypatch.delenv("WHERE", raising=False)
    assert [source.path for source in read(path).sources] == [folder / "q.jsonl", folder / "other/q.jsonl"]
    monkeypatch.setenv("WHERE", "/data")
    assert read(path).sources[1].path == Path("/data/q.jsonl")
    monkeypatch.chdir(folder)
    assert read(Path("r.yaml")).sources[0].path == folder / "q.jsonl"


def test_variables_are_expanded_in_paths_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "sk-123")
    path = tmp_path / "r.yaml"
    path.write_text(
        "name: a\nsources: [quickstart]\nannotate: {teacher: {kind: openai, model: '${SECRET}'}}\n", "utf-8"
    )
    assert "sk-123" not in read(path).lock_text()


TRAINS = "train:\n  student: org/model\n  dataset: org/rows\n"


def test_a_recipe_may_only_train(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text("name: a\n" + TRAINS, "utf-8")
    recipe = read(path)
    assert recipe.train is not None and not recipe.makes_dataset
    with pytest.raises(RecipeError, match="makes no dataset"):
        load_flow(str(path))
    lock = tmp_path / "recipe.lock.yaml"
    lock.write_text(recipe.lock_text(), "utf-8")
    assert read(lock) == recipe


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: a\n", ["sources: this key is missing", "annotate: this key is missing"]),
        ("name: a\nsources: [quickstart]\n" + TRAINS, ["annotate: this key is missing"]),
        ("name: a\ntrain: {student: org/model}\n", ["train.dataset is missing"]),
        ("name: a\nsources: []\nannotate: {teacher: fake}\n", ["sources: expected at least 1 item"]),
        ("name: a\n" + TRAINS + "  shrad: ddp\n", ["train.shrad: unknown key; did you mean 'shard'?"]),
        ("name: a\n" + TRAINS + "  launcher: slrum\n", ["did you mean 'slurm'?"]),
    ],
)
def test_a_recipe_is_for_something(text: str, words: list[str], tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(RecipeError) as caught:
        read(path)
    for word in words:
        assert word in str(caught.value)


def test_check_knows_the_gpus(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text("name: a\n" + TRAINS + "  cluster:\n    gpu: h1000\n", "utf-8")
    with pytest.raises(RecipeError, match=r"r\.yaml:6: train\.cluster\.gpu: .* h100-80"):
        check(str(path))


def test_check_does_the_arithmetic_of_a_batch(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text("name: a\n" + TRAINS + "  batch: {rows: 100}\n", "utf-8")
    with pytest.raises(RecipeError, match=r"r\.yaml:5: train\.batch: .* say 96 or 128"):
        check(str(path))
