"""Parquet: the mapped columns only, batch by batch, and exact about a file that is none."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.errors import InputError
from curate.records import Answer, Drop, Question, Tests
from curate.sources.parquet import Parquet


def write(path: Path, rows: dict[str, list[Any]], **options: Any) -> Path:
    pq.write_table(pa.table(rows), path, **options)
    return path


def source(path: Path, **columns: Any) -> Parquet:
    return Parquet(path=path, domain="math", columns={"answer": "answer", **columns})


def error_of(parquet: Parquet) -> InputError:
    with pytest.raises(InputError) as caught:
        list(parquet.read())
    return caught.value


def test_reads_all_row_groups_in_order(tmp_path: Path) -> None:
    rows = {"problem": [f"p{n}" for n in range(5000)], "answer": [float(n) for n in range(5000)]}
    path = write(tmp_path / "rows.parquet", rows, row_group_size=700)
    items = list(source(path).read())
    assert [item.seq for item in items] == list(range(5000))
    last = items[-1]
    assert isinstance(last, Question)
    assert (last.problem, last.truth, last.source) == ("p4999", Answer(text="4999"), "rows")


def test_the_same_question_as_from_json_lines(tmp_path: Path, lines: Any) -> None:
    from curate.sources.jsonl import Jsonl

    row = {"problem": "p é\0", "answer": 2.5, "tests": {"inputs": ["1"], "outputs": ["2"]}, "deep": {"text": "x"}}
    columns = {"tests": "tests", "gold": "deep.text", "starter_code": "deep.text", "meta": ["deep"]}
    path = write(tmp_path / "rows.parquet", {name: [value] for name, value in row.items()})
    (one,) = source(path, **columns).read()
    (two,) = Jsonl(path=lines(row), domain="math", columns={"answer": "answer", **columns}).read()
    assert one == two
    assert isinstance(one, Question)
    assert isinstance(one.truth, Tests)


@pytest.mark.parametrize(("kind", "text"), [(pa.float16(), "0.1"), (pa.float32(), "0.1"), (pa.float64(), "0.1")])
def test_a_float_is_the_one_that_was_written(tmp_path: Path, kind: pa.DataType, text: str) -> None:
    rows = {"problem": ["p"], "answer": pa.array([0.1], pa.float64()).cast(kind, safe=False)}
    (item,) = source(write(tmp_path / "x.parquet", rows)).read()
    assert isinstance(item, Question)
    assert item.truth == Answer(text=text)


def test_maps_and_short_floats_inside_tests(tmp_path: Path) -> None:
    inner = pa.map_(pa.string(), pa.list_(pa.float32()))
    kind = pa.struct([("inputs", pa.list_(inner)), ("outputs", pa.list_(pa.float64()))])
    value = {"inputs": [[("x", [0.1, 16777216.0, None])]], "outputs": [float("inf")]}
    rows = {"problem": ["p"], "answer": ["1"], "t": pa.array([value], kind)}
    (item,) = source(write(tmp_path / "x.parquet", rows), tests="t").read()
    assert isinstance(item, Question)
    assert item.truth == Tests(cases='{"inputs": [{"x": [0.1, 16777216.0, null]}], "outputs": [Infinity]}')


def test_a_map_that_holds_one_key_twice(tmp_path: Path) -> None:
    twice = pa.array([[("x", 1), ("x", 2)]], pa.map_(pa.string(), pa.int64()))
    path = write(tmp_path / "x.parquet", {"problem": ["p"], "answer": ["1"], "m": twice})
    error = error_of(source(path, meta=["m"]))
    assert (error.what, error.where) == ("a map holds one key twice", f"{path}:1")


def test_folder_and_glob(tmp_path: Path) -> None:
    for name in ("b", "a"):
        write(tmp_path / f"{name}.parquet", {"problem": [name], "answer": ["1"]})
    for path in (tmp_path, tmp_path / "?.parquet"):
        assert [item.problem for item in source(path).read() if isinstance(item, Question)] == ["a", "b"]


def test_rows_without_a_question(tmp_path: Path) -> None:
    rows = {"problem": pa.array(["p", None, "q"]), "answer": pa.array([None, None, "1"])}
    items = list(source(write(tmp_path / "x.parquet", rows)).read())
    assert [item.reason if isinstance(item, Drop) else "kept" for item in items] == ["kept", "empty_problem", "kept"]
    assert isinstance(items[1], Drop)
    assert items[1].evidence["place"] == "x.parquet:2"


def test_a_column_of_nulls(tmp_path: Path) -> None:
    rows = {"problem": pa.nulls(3), "answer": pa.nulls(3)}
    items = list(source(write(tmp_path / "x.parquet", rows)).read())
    assert [item.reason for item in items if isinstance(item, Drop)] == ["empty_problem"] * 3


def test_wrong_column_is_said_before_any_row(tmp_path: Path) -> None:
    path = write(tmp_path / "x.parquet", {"question": ["p"], "answer": ["1"]})
    error = error_of(source(path, problem="questions"))
    assert "no column 'questions'" in error.what
    assert "did you mean 'question'? the columns are: question, answer" in (error.next or "")


def test_wrong_type(tmp_path: Path) -> None:
    path = write(tmp_path / "x.parquet", {"problem": ["p", "q"], "answer": [{"x": 1}, {"x": 2}]})
    error = error_of(source(path))
    assert (error.what, error.where) == ("column 'answer': expected text or a number, found an object", f"{path}:1")


def test_not_utf8(tmp_path: Path) -> None:
    text = pa.array([b"fine", b"bad \xff"]).cast(pa.string(), safe=False)
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"problem": text, "answer": ["1", "2"]}), path)
    error = error_of(source(path))
    assert (error.what, error.where) == ("not UTF-8: byte 5 of a text is 0xff", f"{path}:2")


@pytest.mark.parametrize("keep", [0.0, 0.5, 0.95])
def test_a_truncated_file(tmp_path: Path, keep: float) -> None:
    path = write(tmp_path / "x.parquet", {"problem": [f"p{n}" for n in range(1000)], "answer": ["1"] * 1000})
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep)])
    error = error_of(source(path))
    assert "not a readable Parquet file" in error.what
    assert str(path) in (error.where or "")


def test_damage_inside(tmp_path: Path) -> None:
    path = write(tmp_path / "x.parquet", {"problem": [f"p{n}" for n in range(9000)], "answer": ["1"] * 9000})
    whole = path.read_bytes()
    path.write_bytes(whole[:100] + b"\xff" * 400 + whole[500:])
    assert "not a readable Parquet file" in error_of(source(path)).what


def test_no_rows_and_no_file(tmp_path: Path) -> None:
    empty = write(tmp_path / "x.parquet", {"problem": pa.array([], pa.string()), "answer": pa.array([], pa.string())})
    assert "empty: there are no rows" in error_of(source(empty)).what
    assert "no such file" in error_of(source(tmp_path / "y.parquet")).what


def test_an_id_twice(tmp_path: Path) -> None:
    path = write(tmp_path / "x.parquet", {"problem": ["p", "q"], "answer": ["1", "2"], "n": [7, 7]})
    error = error_of(source(path, id="n"))
    assert f"the id '7' stands twice in one source; it stood first at {path}:1" == error.what


def test_fingerprint_and_rehearsal(tmp_path: Path) -> None:
    path = write(tmp_path / "x.parquet", {"problem": [f"p{n}" for n in range(20)], "answer": ["1"] * 20})
    before = source(path).fingerprint()
    assert len(list(source(path).rehearsal().read())) == 8
    write(path, {"problem": ["p"], "answer": ["1"]})
    assert source(path).fingerprint() != before
