"""What all named sets share: bundled rows with the hub's types, evidence, parts, drops with reasons, and no network."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from curate.errors import InputError, Prerequisite
from curate.plug import find, kinds
from curate.records import Answer, Drop, Question
from curate.sources._places import KnownHub, schema, typed
from curate.sources._published import Left, Origin, Part, Published, Row
from curate.sources.features import Labels, differences, read_features, written
from curate.sources.files import Place
from curate.sources.row_reader import RawRow

ROOT = Path(__file__).resolve().parents[3]
PUBLISHED = [kind for kind in kinds("curate.sources") if issubclass(find("curate.sources", kind), Published)]


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")


def published(kind: str, **fields: Any) -> Published:
    source = find("curate.sources", kind)(**fields)
    assert isinstance(source, Published)
    return source


class Rivers(Published):
    """A set made for these tests."""

    origin: ClassVar[Origin] = Origin(
        repo="veristill-tests/rivers",
        configs=("long", "short"),
        splits=("train", "test"),
        features={"name": "string", "length": "int64", "kind": Labels("stream", "river"), "by": {"city": ["string"]}},
        evidence=("here",),
        confirmed=True,
        licence="mit",
        gigabytes=100,
    )
    domain: ClassVar[str] = "geography"

    def question(self, row: Row, part: Part) -> Question:
        if row["length"] is None:
            raise Left("no_length", river=row["name"])
        kind = self.origin.features["kind"].name(row["kind"])
        return self.made(f"How long is {row['name']}?", Answer(text=str(row["length"])), source_id=kind)


def write(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def river(name: str, length: int | None, kind: int = 1) -> dict[str, Any]:
    return {"name": name, "length": length, "kind": kind, "by": None}


@pytest.mark.parametrize("kind", PUBLISHED)
def test_a_named_set_says_where_its_schema_was_read(kind: str) -> None:
    origin = published(kind).origin
    assert origin.evidence, "where was the schema read?"
    assert all("/" in one for one in origin.evidence)
    assert origin.confirmed or origin.note, "say what is a guess"
    assert "/" in origin.repo
    assert f"\n## {kind}\n" in (ROOT / "docs" / "reference" / "sources.md").read_text("utf-8")


@pytest.mark.parametrize("kind", PUBLISHED)
def test_its_bundled_rows_have_the_hub_s_types_and_become_questions(kind: str) -> None:
    source = published(kind).rehearsal()
    assert isinstance(source, Published)
    items = list(source.read())  # `typed` raises for a column too many or too few, and for another type
    assert any(isinstance(item, Question) for item in items)
    assert [item.seq for item in items] == list(range(len(items)))
    ids = [item.source_id for item in items if isinstance(item, Question)]
    assert len(set(ids)) == len(ids)
    assert all(item.id and item.licence == item.licence for item in items if isinstance(item, Question))
    assert source.fingerprint() == published(kind).rehearsal().fingerprint()


@pytest.mark.parametrize("kind", PUBLISHED)
def test_the_hub_is_named_and_never_asked_here(kind: str) -> None:
    source = published(kind)
    assert all(hub.path.count("/") == 1 for hub in source.hubs())
    assert source.fingerprint() is None
    assert source.model_copy(update={"revision": "abc"}).fingerprint() is not None
    with pytest.raises(Prerequisite, match=r"the hub cannot be reached|restricted"):
        next(iter(source.read()))


def test_rows_become_questions_and_drops_with_reasons(tmp_path: Path) -> None:
    path = write(tmp_path / "r.jsonl", river("Elbe", 1094), river("Ucha", None), river("Oder", 840), river(" ", 1, 0))
    first, dropped, second, third = Rivers(path=path).read()
    assert isinstance(first, Question)
    assert (first.source, first.domain, first.licence, first.truth) == (
        "test_published", "geography", "mit", Answer(text="1094"),
    )  # fmt: skip
    assert isinstance(dropped, Drop)
    assert (dropped.stage, dropped.reason, dropped.seq) == ("ingest", "no_length", 1)
    assert dropped.evidence == {"source": "test_published", "place": "train/r.jsonl:2", "river": "Ucha"}
    assert isinstance(second, Question)
    assert isinstance(third, Question)
    # An id that stands twice with other content: both rows stay, and the content tells them apart.
    assert (first.source_id, second.source_id) == ("river", f"river#{second.id[:8]}")


def test_copies_of_a_row_have_ids_of_their_own(lines: Callable[..., Path]) -> None:
    items = list(Rivers(path=lines(*[river("Elbe", 1094)] * 70, river("Oder", 1))).read())
    ids = [item.source_id for item in items if isinstance(item, Question)]
    assert len(set(ids)) == 71
    assert ids[:2] == ["river", ids[1]]
    assert ids[2:70] == [f"{ids[1]}-{n}" for n in range(2, 70)]
    assert len({item.id for item in items}) == 2


def test_two_files_for_one_part_are_not_both_read(tmp_path: Path) -> None:
    write(tmp_path / "train.jsonl", river("Elbe", 1094))
    rows = pa.Table.from_pylist([river("Elbe", 1094)], schema=schema(Rivers.origin.features))
    pq.write_table(rows, tmp_path / "train.parquet")
    with pytest.raises(InputError, match=r"several files for one part: train\.jsonl, train\.parquet"):
        list(Rivers(path=tmp_path).read())


def test_of_a_large_set_only_the_columns_that_are_needed_are_read(tmp_path: Path) -> None:
    rows = pa.Table.from_pylist([river("Elbe", 1094)], schema=schema(Rivers.origin.features))
    pq.write_table(rows.append_column("secret", pa.array(["x"])), tmp_path / "one.parquet")
    ((_, raw),) = Rivers(path=tmp_path / "one.parquet").rows()
    assert sorted(raw.values) == sorted(Rivers.origin.features)
    pq.write_table(rows.select(["name"]).append_column("other", pa.array(["x"])), tmp_path / "two.parquet")
    ((_, raw),) = Rivers(path=tmp_path / "two.parquet").rows()
    assert sorted(raw.values) == ["name", "other"]  # not the set's columns: its reading says what is missing


def test_a_missing_column_names_those_that_are_there(tmp_path: Path) -> None:
    path = write(tmp_path / "r.jsonl", {"name": "Elbe", "lenght": 3, "kind": 1})
    with pytest.raises(InputError) as caught:
        list(Rivers(path=path).read())
    assert "no column 'length'" in str(caught.value)
    assert "did you mean 'lenght'?" in str(caught.value)


def test_options_are_checked_against_what_the_set_has() -> None:
    for fields, told in (
        ({"config": "wide"}, "no configuration 'wide': long, short"),
        ({"split": "train+dev"}, "no split 'dev': train, test"),
        ({"streaming": False}, "100 GB"),
    ):
        with pytest.raises(ValidationError, match=told):
            Rivers(**fields)
    parts = Rivers(split="all", config="short").parts()
    assert [part[1:] for part in parts] == [("short", "train", "train"), ("short", "test", "test")]


def test_a_folder_holds_a_file_for_each_part(tmp_path: Path) -> None:
    write(tmp_path / "train.jsonl", river("Elbe", 1094))
    assert [item.seq for item in Rivers(path=tmp_path).read()] == [0]
    with pytest.raises(InputError, match="no file for test"):
        list(Rivers(path=tmp_path, split="all").read())
    pq.write_table(pa.Table.from_pylist([river("Oder", 840)], schema=schema(Rivers.origin.features)),
                   tmp_path / "test.parquet")  # fmt: skip
    names = [item.problem for item in Rivers(path=tmp_path, split="all").read() if isinstance(item, Question)]
    assert names == ["How long is Elbe?", "How long is Oder?"]
    before = Rivers(path=tmp_path).fingerprint()
    write(tmp_path / "train.jsonl", river("Elbe", 1095))
    assert Rivers(path=tmp_path).fingerprint() != before


def test_a_folder_that_datasets_opens(tmp_path: Path) -> None:
    rows = pa.Table.from_pylist([river("Oder", 840)], schema=schema(Rivers.origin.features))
    pq.write_table(rows, tmp_path / "train-00000-of-00001.parquet")
    (item,) = Rivers(path=tmp_path).read()
    assert isinstance(item, Question)
    assert item.truth == Answer(text="840")


def test_a_copy_of_the_repository_is_read_as_the_hub_is(tmp_path: Path) -> None:
    (tmp_path / "TACO.py").write_text("raise SystemExit('a loading script ran')\n")
    (tmp_path / "ALL").mkdir()
    taco = find("curate.sources", "taco")
    assert issubclass(taco, Published)
    rows = [json.loads(line) for line in taco.tiny().read_text("utf-8").splitlines()][:2]
    for split, kept in (("train", rows[:1]), ("test", rows[1:])):
        table = pa.Table.from_pylist(kept, schema=schema(taco.origin.features))
        pq.write_table(table.append_column("secret", pa.array(["x"])), tmp_path / "ALL" / f"{split}-00000.parquet")
    source = published("taco", path=tmp_path)
    assert [sorted(raw.values) for _, raw in source.rows()] == [sorted(taco.origin.features)] * 2
    assert len([item for item in source.read() if isinstance(item, Question)]) == 2


def test_named_files_are_read_with_the_declared_columns_and_types(tmp_path: Path) -> None:
    rows = {"name": ["Elbe"], "length": [1094], "secret": ["x" * 100]}
    pq.write_table(pa.table(rows), tmp_path / "data-0.parquet")
    (tmp_path / "rivers.py").write_text("raise SystemExit('a loading script ran')\n")
    write(tmp_path / "test.jsonl", {"day": "2024-01-06T00:00:00", "n": "1"})

    def hub(*files: str, **types: Any) -> KnownHub:
        return KnownHub(path=str(tmp_path), data_files=files, types=types, domain="x")

    assert [row.values for row in hub("data-*.parquet", name="string", length="int64").rows()] == [
        {"name": "Elbe", "length": 1094}
    ]
    # The JSON reader takes a text that looks like a time for one; the declared type makes it a text again.
    (row,) = hub("test.jsonl", day="string", n="string").rows()
    assert row.values == {"day": "2024-01-06 00:00:00", "n": "1"}


def test_bundled_rows_of_other_types_are_refused() -> None:
    place = Place("f", 1)
    for values, told in (
        ({"n": "x"}, "not of the declared types"),
        ({"n": 1, "m": 2}, "not the declared columns: m"),
        ({}, "not the declared columns: n"),
    ):
        with pytest.raises(InputError, match=told):
            list(typed([{"n": "int64"}], [RawRow(place, values)]))
    rows = typed([{"n": "int64"}, {"m": "string"}], [RawRow(place, {"m": None}), RawRow(place, {"n": 3})])
    assert [row.values for row in rows] == [{"m": None}, {"n": 3}]


def test_labels() -> None:
    labels = Labels("no", "yes")
    assert [labels.name(value) for value in (1, 0, "yes", -1, None)] == ["yes", "no", "yes", None, None]
    for strange in (2, -2, "maybe"):
        with pytest.raises((IndexError, ValueError)):
            labels.name(strange)


def test_features_are_what_datasets_calls_them() -> None:
    import datasets

    kind = {"a": "string", "b": ["int32"], "c": {"d": Labels("x", "y"), "e": [{"f": "bool"}]}}
    found = datasets.Features.from_arrow_schema(schema(kind))
    assert read_features(found) == {**kind, "c": {"d": "int64", "e": [{"f": "bool"}]}}
    told = datasets.Features({"a": datasets.Value("large_string"), "l": datasets.ClassLabel(names=["x", "y"])})
    assert differences({"a": "string", "l": Labels("x", "y")}, read_features(told)) == []
    assert differences({"a": "int64", "z": "string"}, read_features(told)) == [
        "'a' is string, expected int64",
        "no column 'z'",
    ]
    assert differences({"l": Labels("x")}, read_features(told)) == ["'l' is ClassLabel(x, y), expected ClassLabel(x)"]
    old = datasets.Features({"t": datasets.Sequence({"input": datasets.Value("string")})})
    assert differences({"t": {"input": ["string"]}}, read_features(old)) == []
    assert written(kind["c"]) == "{d: ClassLabel(x, y), e: list of {f: bool}}"


def test_a_set_of_which_no_row_can_be_read_stops_the_run(lines: Callable[..., Path]) -> None:
    strange = [{**river("Oder", n), "kind": 7} for n in range(20)]
    with pytest.raises(InputError, match="none of the first 20 rows can be read: IndexError"):
        list(Rivers(path=lines(*strange)).read())
    assert len(list(Rivers(path=lines(*strange[1:], river("Elbe", 1), *strange)).read())) == 40


@pytest.mark.parametrize("kind", PUBLISHED)
def test_a_row_of_nulls_is_a_drop_with_a_reason(kind: str, lines: Callable[..., Path]) -> None:
    origin = published(kind).origin
    for features in (origin.features, *origin.others.values()):
        source = published(kind, path=lines(dict.fromkeys(features), name="nulls.jsonl"))
        items = list(source.read())
        assert all(isinstance(item, Drop) and item.reason != "unreadable_row" for item in items), items


def test_a_row_of_other_types_is_a_drop_that_says_so(lines: Callable[..., Path]) -> None:
    rows = [river("Elbe", 1094), {**river("Oder", 840), "kind": 7}, {**river("Ucha", 100), "kind": [1]}]
    first, second, third = Rivers(path=lines(*rows)).read()
    assert isinstance(first, Question)
    assert isinstance(second, Drop)
    assert isinstance(third, Drop)
    assert [one.reason for one in (second, third)] == ["unreadable_row"] * 2
    assert second.evidence["detail"] == "IndexError: tuple index out of range"
