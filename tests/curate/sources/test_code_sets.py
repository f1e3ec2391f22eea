"""The sets of programming problems: their filters, forms of tests, limits, solutions, and what groups rows."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from curate.plug import find
from curate.records import Drop, Question, Tests
from curate.sources._code import accepted, megabytes, seconds, site
from curate.verifiers.testcases import UnreadableTests, read_tests
from sandbox.model import Call, Stdin

LONG = "x" * 200
FILES = ["input.txt", "output.txt"]


def read(kind: str, path: Path | None = None, **fields: Any) -> list[Question | Drop]:
    source = find("curate.sources", kind)(**fields)
    return list((source.model_copy(update={"path": path}) if path else source.rehearsal()).read())


def kept(items: list[Question | Drop]) -> dict[str, Question]:
    return {item.source_id: item for item in items if isinstance(item, Question)}


def reasons(items: list[Question | Drop]) -> list[str]:
    return [item.reason for item in items if isinstance(item, Drop)]


def truth_of(question: Question) -> Tests:
    assert isinstance(question.truth, Tests)
    return question.truth


@pytest.mark.parametrize(
    ("kind", "questions", "dropped"),
    [
        ("taco", 5, ["short_problem", "excluded_text", "no_tests", "unreadable_tests"]),
        ("apps", 5, ["no_tests", "excluded_text", "short_problem"]),
        ("code_contests", 4, ["reads_files", "short_problem", "no_tests"]),
        ("codeforces", 3, ["no_tests", "excluded_text", "no_accepted_submission"]),
        ("mbpp", 4, ["no_tests"]),
        ("humaneval", 3, []),
        ("livecodebench", 3, ["no_tests"]),
        ("open_code_reasoning", 3, ["question_elsewhere"]),
    ],
)
def test_bundled_rows(kind: str, questions: int, dropped: list[str]) -> None:
    items = read(kind)
    assert (len(kept(items)), reasons(items)) == (questions, dropped)


@pytest.mark.parametrize("kind", ["taco", "apps", "code_contests"])
def test_the_filters_are_options(kind: str) -> None:
    items = read(kind, min_chars=0, exclude=())
    assert {"short_problem", "excluded_text"}.isdisjoint(reasons(items))
    assert len(kept(items)) > len(kept(read(kind)))
    (dropped,) = {item.reason for item in read(kind, min_chars=10_000) if isinstance(item, Drop)}
    assert dropped == "short_problem"
    assert read(kind, exclude=("line",))[0].model_dump()["evidence"]["text"] == "line"


def test_a_problem_without_a_solution_leaves_where_one_is_asked_for(lines: Callable[..., Path]) -> None:
    tests = json.dumps({"inputs": ["1\n"], "outputs": ["1\n"]})
    row = {"problem_id": 1, "question": LONG, "solutions": "", "input_output": tests, "difficulty": None}
    path = lines({**row, "url": None, "starter_code": None})
    assert reasons(read("apps", path, need_solution=True)) == ["no_solution"]
    (question,) = kept(read("apps", path)).values()
    assert question.meta == {"problem_id": 1, "site": "UNKNOWN_SOURCE"}
    assert question.starter_code is None


def test_tests_are_kept_as_the_set_wrote_them() -> None:
    taco = list(kept(read("taco")).values())
    assert truth_of(taco[1]).cases.startswith("{'inputs': [")  # a Python literal
    assert (truth_of(taco[0]).time_s, truth_of(taco[0]).memory_mb) == (2.0, 256)
    assert (truth_of(taco[1]).time_s, truth_of(taco[1]).memory_mb) == (None, None)
    longest = read_tests(truth_of(taco[3]).cases, {})
    assert longest.entry == "total"
    last = longest.cases[1]
    assert isinstance(last, Call)
    assert last.expected == [int("8" * 4300) * 10**100 + int("8" * 100)]  # 4,400 digits: more than Python reads


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2 seconds", 2.0), ("2.0 seconds", 2.0), ("1 second", 1.0), ("500 ms", 0.5), ("1.5 sec", 1.5),
        ("", None), (None, None), ("0 seconds", None), ("soon", None), ("2", None), ("2 megabytes", None),
    ],
)  # fmt: skip
def test_time_limits(text: str | None, found: float | None) -> None:
    assert seconds(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("256 megabytes", 256), ("256.0 megabytes", 256), ("64MB", 64), ("1 gigabyte", 1024), ("512 kilobytes", 1),
        ("1024 KB", 1), (None, None), ("many", None), ("3 seconds", None),
    ],
)  # fmt: skip
def test_memory_limits(text: str | None, found: int | None) -> None:
    assert megabytes(text) == found


def test_accepted_solutions() -> None:
    assert accepted('["a", "b", "a"]') == ["a", "b"]
    assert accepted("['a']") == ["a"]
    assert [accepted(one) for one in ("", None, "[]", "print(1)", "[1]", '"a"', "{'a': 1}")] == [[]] * 7
    assert len(accepted(json.dumps([str(n) for n in range(100)]))) == 8


def test_sites() -> None:
    assert site("https://www.codechef.com/problems/X") == "CODECHEF"
    assert site("https://atcoder.jp/contests/x") == "ATCODER.JP"
    assert [site(one) for one in ("", None, "codeforces")] == [None] * 3


def test_code_contests_joins_its_tests_and_keeps_python_3() -> None:
    both = kept(read("code_contests"))
    first, second, third, last = both.values()
    cases = read_tests(truth_of(first).cases, {}).cases
    assert [case.input for case in cases if isinstance(case, Stdin)] == ["3\n2 5 1\n", "1\n0\n", "4\n-3 -3 4 10\n"]
    assert (truth_of(first).time_s, truth_of(first).memory_mb) == (2.0, 244)
    assert (truth_of(second).time_s, truth_of(second).memory_mb, truth_of(third).time_s) == (0.5, None, None)
    assert (first.meta["site"], first.meta["difficulty"], last.meta["difficulty"]) == ("CODEFORCES", "A", "V")
    assert first.meta["url"] == "https://codeforces.com/problemset/problem/1/A"
    assert "url" not in second.meta
    assert all("int main" not in one and "raw_input" not in one for one in first.meta["solutions"])
    assert len(first.meta["solutions"]) == 2
    public = kept(read("code_contests", tests=("public",)))
    assert [len(read_tests(truth_of(one).cases, {}).cases) for one in public.values()] == [1, 1, 2, 1]


def submission(verdict: str = "OK", **fields: Any) -> dict[str, Any]:
    row = {
        "contestId": 1, "index": "A", "name": "N", "rating": None, "tags": None, "time-limit": None,
        "memory-limit": None, "problem-description": LONG, "input-specification": "in", "output-specification": "out",
        "demo-input": ["1", "3"], "demo-output": ["2", "4"], "test_cases": [{"input": "1", "output": "2"}],
        "verdict": verdict, "code": "print(2)",
    }  # fmt: skip
    return {**row, **fields}


def test_codeforces_makes_one_question_of_all_submissions(lines: Callable[..., Path]) -> None:
    other = {"problem-description": LONG + "y", "contestId": 2}
    rows = [
        submission("WRONG_ANSWER", code="bad"), submission(**other, verdict="TIME_LIMIT_EXCEEDED"),
        submission(code="first"), submission(code="second"), submission("WRONG_ANSWER", contestId=9),
    ]  # fmt: skip
    question, dropped = read("codeforces", lines(*rows))
    assert isinstance(question, Question)
    assert (question.source_id, question.meta["solutions"]) == ("1/A", ["first"])
    assert question.problem.endswith(
        "in\nout\nSample Input\n1\nSample Output\n2\nSample Input\n3\nSample Output\n4"
    )  # each sample with its own answer
    assert isinstance(dropped, Drop)
    assert (dropped.reason, dropped.evidence["place"]) == ("no_accepted_submission", "train/rows.jsonl:2")


def test_codeforces_leaves_out_tests_that_the_site_cut(lines: Callable[..., Path]) -> None:
    cut = {"input": "5" * 250 + "...", "output": "1"}
    grid = {"input": "2\n#.\n...", "output": "..."}  # short: a grid of dots
    (question,) = kept(read("codeforces", lines(submission(test_cases=[cut, grid])))).values()
    assert [case.input for case in read_tests(truth_of(question).cases, {}).cases if isinstance(case, Stdin)] == [
        "2\n#.\n..."
    ]
    assert question.meta["tests_left_out"] == 1


def test_codeforces_cut_tests_are_an_option(lines: Callable[..., Path]) -> None:
    cut = [{"input": "5" * 250 + "...", "output": "1"}]
    (dropped,) = read("codeforces", lines(submission(test_cases=cut)))
    assert isinstance(dropped, Drop)
    assert (dropped.reason, dropped.evidence["tests_left_out"]) == ("no_tests", 1)
    for cut_from in (None, 300):
        (question,) = kept(read("codeforces", lines(submission(test_cases=cut)), cut_from=cut_from)).values()
        assert "tests_left_out" not in question.meta


def test_codeforces_keeps_no_solution_that_python_3_does_not_run(lines: Callable[..., Path]) -> None:
    path = lines(submission(programmingLanguage="PyPy 2", code="print 2"), submission(programmingLanguage="PyPy 3-64"))
    (question,) = kept(read("codeforces", path)).values()
    assert "solutions" not in question.meta
    (question,) = kept(read("codeforces", path, need_solution=True)).values()
    assert question.meta["solutions"] == ["print(2)"]


def test_code_contests_file_problems_are_an_option() -> None:
    items = read("code_contests", drop_file_io=False)
    assert "reads_files" not in reasons(items)
    assert [item.meta["files"] for item in kept(items).values() if "files" in item.meta] == [FILES]


@pytest.mark.parametrize("quoted", [json.dumps, repr])
def test_the_function_s_name_is_told_however_the_tests_are_written(
    lines: Callable[..., Path], quoted: Callable[[Any], str]
) -> None:
    tests = quoted({"fn_name": "f", "inputs": [["'fn_name': 'g'"]], "outputs": [1]})
    row = {"problem_id": 1, "question": LONG, "solutions": "", "input_output": tests, "difficulty": None}
    (question,) = kept(read("apps", lines({**row, "url": None, "starter_code": None}))).values()
    assert question.meta["fn_name"] == "f"


def test_mbpp_shows_its_tests_and_runs_its_imports() -> None:
    first, second, _, last = kept(read("mbpp")).values()
    assert "assert longest_word('') == ''" in first.problem
    assert json.loads(truth_of(first).cases)["fn_name"] == "longest_word"
    assert json.loads(truth_of(second).cases)["asserts"][0].startswith("import math\nassert ")
    assert json.loads(truth_of(last).cases)["fn_name"] == "angles"
    hidden = next(iter(kept(read("mbpp", show="none")).values()))
    assert "assert" not in hidden.problem
    more = next(iter(kept(read("mbpp", challenge=True)).values()))
    assert len(json.loads(truth_of(more).cases)["asserts"]) == 4


def test_livecodebench_by_release_and_by_date() -> None:
    kind = find("curate.sources", "livecodebench")
    for config, files in (
        (None, [f"test{n}.jsonl" for n in ("", 2, 3, 4, 5, 6)]),
        ("release_v2", ["test.jsonl", "test2.jsonl"]),
        ("v1", ["test.jsonl"]),
        ("v5", ["test5.jsonl"]),
    ):
        (hub,) = kind(config=config).hubs()
        assert list(hub.data_files) == files
    items = read("livecodebench", since="2024-01-01", until="2024-12-31")
    assert (list(kept(items)), reasons(items)) == (["abc000_a"], ["other_date", "other_date", "no_tests"])
    with pytest.raises(ValidationError, match="later than"):
        kind(since="2025-01-01", until="2024-01-01")


def test_livecodebench_reads_public_and_private_tests_together() -> None:
    stdin, plain, functional = kept(read("livecodebench")).values()
    for question, count in ((stdin, 3), (plain, 2), (functional, 3)):
        suite = read_tests(truth_of(question).cases, question.meta)
        assert (len(suite.cases), suite.compare) == (count, "lcb")
    assert read_tests(truth_of(functional).cases, functional.meta).entry == "echo"
    assert "testtype" not in truth_of(stdin).cases.split("private_test_cases")[1]  # compressed as the hub has it


def test_public_and_private_tests_must_be_lists() -> None:
    for cases in ({"private_test_cases": "{}"}, {"public_test_cases": "[", "private_test_cases": "[]"}):
        with pytest.raises(UnreadableTests):
            read_tests(json.dumps(cases), {})


def test_opencodereasoning_reads_each_question_once() -> None:
    kind = find("curate.sources", "open_code_reasoning")
    assert [part.config for part in kind(split="all").parts()] == ["split_0", "split_1"]
    items = read("open_code_reasoning")
    assert [one.meta["id"] for one in kept(items).values()] == ["0001", "0003", "0006"]
    assert {one.truth.type for one in kept(items).values()} == {"unknown"}
    (dropped,) = [item for item in items if isinstance(item, Drop)]
    assert dropped.evidence["index"] == "12"


@pytest.mark.real
def test_the_real_humaneval(data_dir: Path) -> None:
    items = read("humaneval", data_dir / "humaneval" / "HumanEval.jsonl.gz")
    assert (len(kept(items)), reasons(items)) == (164, [])
    first = kept(items)["HumanEval/0"]
    assert read_tests(truth_of(first).cases, first.meta).entry == "has_close_elements"
    assert first.starter_code == first.problem
