"""JSON lines: lazy, exact about what is wrong and where, and steady in what it yields."""

import json
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from curate.errors import InputError
from curate.records import Answer, Drop, Question, Tests
from curate.sources.jsonl import Jsonl
from curate.verifiers.testcases import read_tests
from sandbox.model import Call

Lines = Callable[..., Path]


def source(path: Path, **columns: Any) -> Jsonl:
    return Jsonl(path=path, domain="math", columns={"answer": "answer", **columns})


def error_of(jsonl: Jsonl) -> InputError:
    with pytest.raises(InputError) as caught:
        list(jsonl.read())
    assert caught.value.where
    assert caught.value.next
    return caught.value


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz", "rows.txt"])
def test_reads_plain_and_compressed(lines: Lines, name: str) -> None:
    path = lines({"problem": "1+1?", "answer": 2}, {"problem": "1+2?", "answer": "3"}, name=name)
    first, second = source(path).read()
    assert isinstance(first, Question)
    assert (first.problem, first.truth, first.seq, first.source) == ("1+1?", Answer(text="2"), 0, "rows")
    assert isinstance(second, Question)
    assert (second.truth, second.seq) == (Answer(text="3"), 1)


def test_blank_lines_and_a_byte_order_mark_are_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"problem": "a", "answer": 1}\r\n\r\n  \n{"problem": "b", "answer": 1}')
    assert [item.seq for item in source(path).read()] == [0, 1]


def test_folder_and_glob_read_files_in_sorted_order(lines: Lines, tmp_path: Path) -> None:
    lines({"problem": "b", "answer": 1}, name="b.jsonl")
    lines({"problem": "a", "answer": 1}, name="a.jsonl.gz")
    (tmp_path / "notes.txt").write_text("no rows")
    for path in (tmp_path, tmp_path / "*.jsonl*"):
        found = list(source(path).read())
        assert [(item.problem, item.seq) for item in found if isinstance(item, Question)] == [("a", 0), ("b", 1)]
        assert {item.source for item in found if isinstance(item, Question)} == {tmp_path.name}


def test_a_broken_line_is_met_only_when_it_is_reached(lines: Lines) -> None:
    path = lines({"problem": "a", "answer": 1}, {"problem": "b", "answer": 1}, b'{"problem": ')
    assert len(list(islice(source(path).read(), 2))) == 2
    assert error_of(source(path)).where == f"{path}:3"


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (b'{"problem": "b", "answer": }', "broken JSON at column 28"),
        (b'{"problem": "b"', "broken JSON at column 16"),
        (b'{"problem": "b"} {"problem": "c"}', "broken JSON at column 18: Extra data"),
        (b'{"problem": "\x00"}', "broken JSON at column 14: Invalid control character"),
        (b"\x00" * 40, "broken JSON at column 1"),
        (b'{"problem": "\xe9t\xe9"}', "not UTF-8: byte 14 of the line is 0xe9"),
        (b"[1, 2]", "expected a JSON object, found a list"),
        (b'"text"', "expected a JSON object, found str"),
        (b"[" * 100_000, "cannot be read"),
    ],
)
def test_an_unreadable_line_names_file_line_and_place(lines: Lines, line: bytes, what: str) -> None:
    path = lines({"problem": "a", "answer": 1}, line)
    error = error_of(source(path))
    assert error.where == f"{path}:2"
    assert what in error.what


def test_integers_of_any_length(lines: Lines) -> None:
    digits = "9" * 5001
    path = lines(f'{{"problem": "p", "answer": -{digits}, "m": {digits}}}'.encode())
    (item,) = source(path, meta=["m"]).read()
    assert isinstance(item, Question)
    assert (item.truth, item.meta) == (Answer(text="-" + digits), {"m": digits})
    path = lines(f'{{"problem": "p", "tests": {{"inputs": [[1]], "outputs": [{digits}], "fn_name": "f"}}}}'.encode())
    (item,) = Jsonl(path=path, domain="code", columns={"tests": "tests"}).read()
    assert isinstance(item, Question)
    assert isinstance(item.truth, Tests)
    (case,) = read_tests(item.truth.cases, {}).cases
    assert isinstance(case, Call)
    assert case.expected == 10**5001 - 1


def test_a_deep_value(lines: Lines) -> None:
    path = lines(b'{"problem": "p", "answer": 1, "m": ' + b"[" * 700 + b"]" * 700 + b"}")
    assert "nested too deeply" in error_of(source(path, meta=["m"])).what
    assert "nested too deeply" in error_of(source(path, tests="m")).what


def test_a_file_of_another_kind(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("problem,answer\n1+1?,2\n")
    error = error_of(source(path))
    assert error.where == f"{path}:1"
    assert "is this a JSON lines file?" in (error.next or "")


@pytest.mark.parametrize(("field", "beside"), [("domain", "domain"), ("licence", "licence"), ("source", "name")])
def test_a_constant_under_columns(lines: Lines, field: str, beside: str) -> None:
    error = error_of(source(lines({"problem": "a", "answer": 1}), **{field: "x y"}))
    assert f"for a constant write `{beside}: x y` beside `path:`" in (error.next or "")


def test_missing_file_names_near_ones(lines: Lines, tmp_path: Path) -> None:
    lines({"problem": "a"}, name="questions.jsonl")
    error = error_of(source(tmp_path / "question.jsonl"))
    assert "no such file" in error.what
    assert "did you mean 'questions.jsonl'?" in (error.next or "")
    assert "no such file" in error_of(source(tmp_path / "data" / "deep" / "x.jsonl")).what
    assert "no such file" in error_of(source(tmp_path / "*.json")).what


def test_empty_files_and_folders(lines: Lines, tmp_path: Path) -> None:
    assert "empty: there are no rows" in error_of(source(lines(name="empty.jsonl"))).what
    assert "empty: there are no rows" in error_of(source(lines(name="empty.jsonl.gz"))).what
    (tmp_path / "folder").mkdir()
    assert "holds no .jsonl" in error_of(source(tmp_path / "folder")).what


def test_damaged_gzip(lines: Lines, tmp_path: Path) -> None:
    path = lines(*({"problem": f"question {n}", "answer": n} for n in range(2000)), name="rows.jsonl.gz")
    whole = path.read_bytes()
    cut = tmp_path / "cut.jsonl.gz"
    cut.write_bytes(whole[: len(whole) // 2])
    assert "ends too early" in error_of(source(cut)).what
    flipped = tmp_path / "flipped.jsonl.gz"
    flipped.write_bytes(whole[:100] + bytes([whole[100] ^ 255]) + whole[101:])
    assert isinstance(error_of(source(flipped)), InputError)


def test_unreadable_file(lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    path = lines({"problem": "a", "answer": 1})

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert "Permission denied" in error_of(source(path)).what


def test_wrong_column_lists_what_there_is(lines: Lines) -> None:
    path = lines({"question": "a", "answer": 1, "deep": {"solution": "x"}})
    error = error_of(source(path, problem="qestion"))
    assert "no column 'qestion' (mapped to problem)" in error.what
    assert "did you mean 'question'? the columns are: question, answer, deep, deep.solution" in (error.next or "")
    error = error_of(source(path, problem="question", gold="deep.solutoin"))
    assert "did you mean 'deep.solution'?" in (error.next or "")


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ({"problem": ["a"], "answer": 1}, "column 'problem': expected text, found a list"),
        ({"problem": 7, "answer": 1}, "column 'problem': expected text, found int 7"),
        ({"problem": "a", "answer": {"x": 1}}, "column 'answer': expected text or a number, found an object"),
        ({"problem": "a", "answer": True}, "column 'answer': expected text or a number, found bool True"),
    ],
)
def test_wrong_type_in_a_column(lines: Lines, row: dict[str, Any], what: str) -> None:
    path = lines({"problem": "first", "answer": 1}, row)
    error = error_of(source(path))
    assert (error.what, error.where) == (what, f"{path}:2")


def test_an_id_twice_names_both_places(lines: Lines) -> None:
    rows = [{"n": n, "problem": f"p{n}", "answer": n} for n in range(5)]
    path = lines(*rows, {"n": 2, "problem": "other", "answer": 0})
    error = error_of(source(path, id="n"))
    assert "id '2' stands twice" in error.what
    assert f"first at {path}:3" in error.what
    assert error.where == f"{path}:6"


def test_an_id_on_a_dropped_row_may_come_again(lines: Lines) -> None:
    path = lines({"n": 1, "problem": None, "answer": 1}, {"n": 1, "problem": "p", "answer": 1})
    assert [type(item) for item in source(path, id="n").read()] == [Drop, Question]


def test_equal_rows_without_an_id_are_no_error(lines: Lines) -> None:
    path = lines(*[{"problem": "a", "answer": 1}] * 2)
    one, two = source(path).read()
    assert isinstance(one, Question)
    assert isinstance(two, Question)
    assert one.source_id == two.source_id == one.id[:16]


def test_an_edit_or_a_new_order_changes_no_other_id(lines: Lines) -> None:
    rows = [{"problem": f"p{n}", "answer": n} for n in range(4)]
    ids = {item.id for item in source(lines(*rows)).read()}
    again = {item.id for item in source(lines(*reversed(rows), name="other.jsonl")).read()}
    assert ids == again
    rows[1]["problem"] = "edited"
    assert len(ids & {item.id for item in source(lines(*rows)).read()}) == 3


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"problem": None, "answer": 1}, "empty_problem"),
        ({"problem": " \n ", "answer": 1}, "empty_problem"),
        ({"answer": 1}, "empty_problem"),
        ({"problem": None, "answer": None}, "empty_problem"),
        ({}, "empty_problem"),
        ({"problem": "p", "answer": None}, "no_truth"),
        (b'{"problem": "half of it: \\ud83d", "answer": 1}', "not_unicode"),
        (b'{"problem": "p", "answer": "\\udc00"}', "not_unicode"),
    ],
)
def test_a_row_that_asks_nothing_is_a_drop(lines: Lines, row: Any, reason: str) -> None:
    path = lines({"problem": "first", "answer": 1}, row, {"problem": "last", "answer": 2})
    first, drop, last = source(path, require_truth=True).read()
    assert isinstance(first, Question)
    assert isinstance(last, Question)
    assert isinstance(drop, Drop)
    assert (drop.unit, drop.stage, drop.reason, drop.seq) == ("question", "ingest", reason, 1)
    assert drop.evidence["place"] == "rows.jsonl:2"
    json.dumps(drop.evidence).encode()


def test_nul_and_five_megabytes_pass_unchanged(lines: Lines) -> None:
    problem = "a\0b " + "x" * 5_000_000 + " é 😀"
    (item,) = source(lines({"problem": problem, "answer": 1})).read()
    assert isinstance(item, Question)
    assert item.problem == problem


def test_fingerprint_is_the_content(lines: Lines, tmp_path: Path) -> None:
    path = lines({"problem": "a", "answer": 1})
    before = source(path).fingerprint()
    assert before == source(path).fingerprint()
    (tmp_path / "moved").mkdir()
    assert source(path.rename(tmp_path / "moved" / "rows.jsonl")).fingerprint() == before
    assert source(lines({"problem": "b", "answer": 1})).fingerprint() != before
    with pytest.raises(InputError):
        source(tmp_path / "none.jsonl").fingerprint()


def test_where_the_file_lies_is_not_in_the_spec(lines: Lines) -> None:
    one, two = lines({"problem": "a"}), lines({"problem": "a"}, name="other.jsonl")
    assert source(one).spec() == source(two).spec()
    assert source(one).spec() != source(one, pattern="x").spec()


def test_rehearsal_reads_the_first_rows_only(lines: Lines) -> None:
    path = lines(*({"problem": f"p{n}", "answer": n} for n in range(20)), b"broken")
    assert len(list(source(path).rehearsal().read())) == 8


def test_reads_the_same_twice(data_dir: Path) -> None:
    gsm8k = Jsonl(
        path=data_dir / "gsm8k" / "test.jsonl",
        domain="math",
        columns={"problem": "question", "gold": "answer", "answer": "answer", "pattern": "#### (.+)"},
    )
    first = [item.model_dump() for item in gsm8k.read()]
    assert first == [item.model_dump() for item in gsm8k.read()]
    assert len(first) == 1319
    assert all(row["truth"]["type"] == "answer" for row in first)
