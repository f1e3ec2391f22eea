"""The cleaning stage: what it drops and tells, when its labels are made anew, and what a rehearsal looks at."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pydantic import ValidationError

from curate.clean.decontaminate import Decontaminate
from curate.contamination.against import Against, read_items
from curate.errors import InputError, Prerequisite
from curate.flow import Options
from curate.labels import clean
from curate.sources.benchmarks import benchmark_source, benchmarks
from recipes.load import load

RIVER = (
    "A river is 340 metres wide at the ford where two ferries leave at 9 o'clock. When do they meet for the first time?"
)
OTHER = "How many stamps does Ines have left after she gives a third of her 96 stamps away and buys another dozen?"


def written(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


@pytest.fixture
def bench(tmp_path: Path) -> Path:
    return written(tmp_path / "mine.jsonl", [{"question": RIVER, "id": "ferry"}])


def table(*texts: str) -> pa.Table:
    return pa.table({"problem": pa.array(texts, pa.string())})


def test_opinions(bench: Path) -> None:
    stage = Decontaminate.model_validate({"against": [str(bench)]})
    changed = RIVER.replace("340", "500")
    found, other, kept = stage.label(table(f"Solve: {RIVER}", changed, OTHER))
    assert (found.kept, found.reason) == (False, "contaminated")
    assert found.evidence["bench"] == "mine.jsonl" and found.evidence["item"] == "ferry"
    assert found.evidence["tier"] == "exact" and found.scores == {"contamination": 1.0}
    assert (other.evidence["tier"], other.evidence["number_changed"], other.kept) == ("number_changed", True, False)
    assert (kept.kept, kept.evidence, kept.scores) == (True, {}, {})


def test_what_is_dropped_is_a_choice(bench: Path) -> None:
    changed = RIVER.replace("340", "500")
    only = Decontaminate.model_validate({"against": [str(bench)], "drop": ["exact"]})
    one, other = only.label(table(RIVER, changed))
    assert (one.kept, other.kept, other.reason, other.evidence["tier"]) == (False, True, None, "number_changed")
    told = Decontaminate.model_validate({"against": [str(bench)], "drop": []})
    assert [one.kept for one in told.label(table(RIVER, changed))] == [True, True]
    with pytest.raises(ValidationError):
        Decontaminate.model_validate({"against": [str(bench)], "drop": ["exat"]})


def test_the_key_knows_which_column_of_a_file_is_read_and_whether_it_may_be_shown(bench: Path) -> None:
    """Another column holds other questions: labels made of the wrong one are no labels of the right one."""
    ways = [{}, {"column": "problem"}, {"column": "answer"}, {"private": True}]
    assert len({Against.model_validate({"file": bench, **way}).content() for way in ways}) == len(ways)
    assert Against(bench="aime24").content() != Against(bench="aime24", private=True).content()


def test_the_key_is_the_content_of_the_benchmark(bench: Path, tmp_path: Path) -> None:
    def spec(**fields: Any) -> dict[str, Any]:
        return Decontaminate.model_validate({"against": [str(bench)], **fields}).spec()

    first = spec()
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "mine.jsonl").write_bytes(bench.read_bytes())
    assert Decontaminate.model_validate({"against": [str(copy / "mine.jsonl")]}).spec() == first
    assert spec(self_test=True) == first, "a self-test decides nothing"
    assert spec(drop=["ngram", "exact"]) == spec(drop=["exact", "ngram"]) != first
    written(bench, [{"question": OTHER, "id": "ferry"}])
    assert spec() != first


def test_against_in_words_and_in_fields(bench: Path, tmp_path: Path) -> None:
    local = written(tmp_path / "aime.jsonl", [{"id": 1, "problem": RIVER, "answer": "5"}])
    assert Against.model_validate("aime24").bench == "aime24"
    assert Against.model_validate("livecodebench@release_v5").bench == "livecodebench@release_v5"
    copied = Against.model_validate(f"aime24={local}")
    assert [(one.bench, one.text) for one in copied.items()] == [("aime24", RIVER)]
    dated = Against.model_validate({"bench": "livecodebench", "since": "2024-08-01"})
    assert dated.content() != Against.model_validate("livecodebench").content()
    for wrong in (
        "aime99",
        "aime24@nobody",
        {"bench": "aime24", "file": str(bench)},
        {},
        {"bench": "aime24", "since": "2024-01-01"},
    ):
        with pytest.raises(ValidationError):
            Against.model_validate(wrong)
    with pytest.raises(ValidationError, match="did you mean 'aime2"):
        Against.model_validate("aime23")
    with pytest.raises(InputError, match="no column 'text'"):
        list(Against.model_validate({"file": str(bench), "column": "text"}).items())
    with pytest.raises(InputError, match="no such file"):
        Decontaminate.model_validate({"against": [str(tmp_path / "none.jsonl")]}).spec()


def test_a_benchmark_that_cannot_be_fetched_names_the_next_step(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(source: object) -> Any:
        raise Prerequisite("the hub cannot be reached", next="check the network")

    monkeypatch.setattr("curate.sources.aime.Aime.read", away)
    with pytest.raises(Prerequisite, match="aime24=PATH"):
        read_items([Against.model_validate("aime24")])


def test_every_benchmark_is_a_source_with_bundled_rows_that_are_found() -> None:
    assert {
        "aime24",
        "aime25",
        "math500",
        "amc23",
        "gpqa_diamond",
        "livecodebench",
        "humaneval",
        "mbpp",
        "arc_agi_1",
    } <= set(benchmarks())
    for name, known in benchmarks().items():
        for version in known.versions:
            assert benchmark_source(f"{name}@{version}").spec()["kind"]
    stage = Decontaminate.model_validate({"against": sorted(benchmarks())}).rehearsal()
    items = read_items(stage.against)
    assert {item.bench for item in items} == set(benchmarks())
    opinions = stage.label(table(*(item.text for item in items)))
    assert not any(one.kept for one in opinions)
    private = [one for item, one in zip(items, opinions, strict=True) if item.bench.startswith("gpqa")]
    assert private and all("text" not in json.dumps(one.evidence["spans"]) for one in private)


def test_in_a_run(tmp_path: Path, bench: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from curate.engine.local import execute

    written(
        tmp_path / "train.jsonl", [{"problem": text, "answer": "1"} for text in (OTHER, f"{RIVER} Show your work.")]
    )
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        "name: clean\nsources: [{kind: jsonl, path: train.jsonl, domain: math}]\n"
        "clean: [{kind: decontaminate, against: [./mine.jsonl], self_test: true}]\n"
        "annotate: {teacher: fake}\n",
        "utf-8",
    )
    flow = load(str(recipe))
    report = execute(flow, Options(root=tmp_path / "root", until="clean"))
    assert [(one.kept, one.reasons) for one in report.clean] == [(1, {"contaminated": 1})]
    assert "exact: 1.000 (1 of 1)" in capsys.readouterr().err
    assert execute(flow, Options(root=tmp_path / "root", until="clean")).clean[0].reused
    written(bench, [{"question": OTHER, "id": "stamps"}])
    again = execute(flow, Options(root=tmp_path / "root", until="clean")).clean[0]
    assert not again.reused and again.kept == 1
    assert clean  # the stage runs through the label tables
