"""The JSON schema is whole and says the same as the models; the lock file reads back to the same recipe."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from recipes.load import read, shipped
from recipes.schema import Recipe, json_schema


@pytest.fixture(autouse=True)
def _data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VERISTILL_DATA", str(tmp_path))


def _walk(node: Any) -> Any:
    yield node
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else []:
        yield from _walk(inner)


def test_every_reference_leads_somewhere() -> None:
    schema = json_schema()
    references = {node["$ref"] for node in _walk(schema) if isinstance(node, dict) and "$ref" in node}
    assert references
    for reference in references:
        assert reference.removeprefix("#/$defs/") in schema["$defs"]
    assert not any("$defs" in node for node in _walk(schema) if isinstance(node, dict) and node is not schema)


def test_it_names_every_block_and_kind() -> None:
    schema = json_schema()
    assert set(schema["properties"]) == set(Recipe.model_fields)
    kinds = {node["const"] for node in _walk(schema) if isinstance(node, dict) and "const" in node}
    assert {"jsonl", "quickstart", "replay", "fake", "openai", "verified", "math", "code", "dedup"} <= kinds


@pytest.mark.parametrize("name", shipped())
def test_the_schema_accepts_every_shipped_recipe(name: str) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.validate(yaml.safe_load(shipped()[name].read_text("utf-8")), json_schema())


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
