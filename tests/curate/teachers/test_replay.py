"""Recorded answers: read from every kind of file, matched, numbered, and refused with file and line when broken."""

import gzip
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.errors import InputError
from curate.records import Answer, Question
from curate.teachers.replay import Replay

ROWS = [
    {"source_id": "a", "solution": "first a", "reasoning": "thought", "out": {"deep": "deep a"}},
    {"source_id": "b", "solution": "only b", "reasoning": None, "out": {"deep": "deep b"}},
    {"source_id": "a", "solution": "second a", "reasoning": "again", "out": {"deep": "deep a2"}},
    {"source_id": None, "solution": "of nobody", "reasoning": "", "out": None},
]


def question(source_id: str, problem: str = "2 + 2?") -> Question:
    return Question.of(problem=problem, domain="math", truth=Answer(text="4"), source="s", source_id=source_id)


def lines(rows: list[Any]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def write(path: Path, rows: list[Any]) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=2)
    elif path.suffix == ".gz":
        path.write_bytes(gzip.compress(lines(rows)))
    else:
        path.write_bytes(lines(rows))
    return path


async def opened(**fields: Any) -> tuple[Replay, Any]:
    teacher, resources = Replay(**fields), SimpleNamespace(recordings={})
    await teacher.open(resources)  # type: ignore[arg-type]
    return teacher, resources


def answer(teacher: Replay, resources: Any, asked: Question, sample: int = 0) -> tuple[str | None, str, str] | None:
    call = teacher.call(asked, sample, resources)
    if call is None:
        return None
    assert not call.billed
    from curate.calls.given import given_reply

    attempt = teacher.parse(asked, sample, call, given_reply(call))
    return attempt.reasoning, attempt.solution, attempt.finish_reason


@pytest.mark.parametrize("name", ["x.jsonl", "x.jsonl.gz", "x.parquet"])
async def test_every_kind_of_file_gives_the_same(tmp_path: Path, name: str) -> None:
    teacher, resources = await opened(path=write(tmp_path / name, ROWS))
    assert teacher.name() == "replay/x"
    assert answer(teacher, resources, question("a")) == ("thought", "first a", "stop")
    assert answer(teacher, resources, question("a"), 1) == ("again", "second a", "stop")
    assert answer(teacher, resources, question("a"), 2) is None
    [recording] = resources.recordings.values()
    assert (len(recording), recording.unused()) == (3, 2)  # b, and the row of nobody
    assert answer(teacher, resources, question("b")) == (None, "only b", "stop")
    assert recording.unused() == 1
    assert answer(teacher, resources, question("c")) is None


async def test_columns_by_name_and_one_index_for_teachers_that_match_alike(tmp_path: Path) -> None:
    path = write(tmp_path / "x.jsonl", ROWS)
    resources = SimpleNamespace(recordings={})
    for label, column in (("deep", "out.deep"), ("plain", "solution")):
        teacher = Replay(path=path, solution=column, label=label)
        await teacher.open(resources)  # type: ignore[arg-type]
        assert teacher.name() == f"replay/{label}"
        assert answer(teacher, resources, question("a"))[1] == {"deep": "deep a", "plain": "first a"}[label]  # type: ignore[index]
    assert len(resources.recordings) == 1


async def test_samples_finish_reasons_and_problems(tmp_path: Path) -> None:
    rows = [
        {"q": " 2 + 2? ", "n": 2, "text": "<think>hm</think>four", "end": "length"},
        {"q": "2 + 2?", "n": 0, "text": None, "end": None},
    ]
    path = write(tmp_path / "x.jsonl", rows)
    teacher, resources = await opened(
        path=path, match="problem", column="q", sample="n", solution="text", finish_reason="end"
    )
    assert answer(teacher, resources, question("z"), 2) == ("hm", "four", "length")
    assert answer(teacher, resources, question("z"), 0) == (None, "", "empty")
    assert answer(teacher, resources, question("z"), 1) is None


async def test_numbers_match_ids_and_lone_surrogates_are_read(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"source_id": 7, "solution": "half \\ud83d"}\n\n{"source_id": "8", "solution": 12}\n')
    teacher, resources = await opened(path=path)
    assert answer(teacher, resources, question("7")) == (None, "half \ufffd", "stop")
    assert answer(teacher, resources, question("8")) == (None, "12", "stop")


async def test_the_key_is_the_recorded_text(tmp_path: Path) -> None:
    path = write(tmp_path / "x.jsonl", ROWS)
    teacher, resources = await opened(path=path)
    keys = {name: teacher.call(question(name), 0, resources).key for name in "ab"}  # type: ignore[union-attr]
    changed = [*ROWS[3:], {**ROWS[0], "other": 1}, {**ROWS[1], "solution": "changed"}]
    teacher, resources = await opened(path=write(tmp_path / "x.jsonl", changed))
    again = {name: teacher.call(question(name), 0, resources).key for name in "ab"}  # type: ignore[union-attr]
    assert keys["a"] == again["a"]
    assert keys["b"] != again["b"]


BROKEN = [
    (b"", "holds no answers"),
    (b"\n\n", "holds no answers"),
    (b'{"source_id": "a", "solution": "x"}\n{"source_id": \n', r"x\.jsonl:2: is not JSON"),
    (b'{"source_id": "a", "solution": "x"}\n[1]\n', r"x\.jsonl:2: is not a JSON object"),
    (b'{"source_id": "a", "solution": "\xff"}\n', r"x\.jsonl:1: is not UTF-8"),
    (b'{"source_id": {"a": 1}, "solution": "x"}\n', r"x\.jsonl:1: column 'source_id'"),
    (b'{"sourceid": "a", "solution": "x"}\n', "no column 'source_id'; did you mean 'sourceid'"),
    (b'{"source_id": "a", "solutions": "x"}\n', "no column 'solution'; did you mean 'solutions'"),
    (b'{"source_id": "a", "sample": -1, "solution": "x"}\n', r"x\.jsonl:1: column 'sample' must be"),
    (
        b'{"source_id": "a", "sample": 0, "solution": "x"}\n' * 2,
        r"x\.jsonl:2: sample 0 of the same 'source_id' .* line 1",
    ),
    (b"\x1f\x8b\x08\x00 no gzip", "gzip file is damaged"),
    (b"PAR1 no parquet", "no readable Parquet"),
]


@pytest.mark.parametrize(("content", "message"), BROKEN)
async def test_a_broken_file_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        await opened(path=path)


async def test_missing_files_and_columns(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        await opened(path=tmp_path / "none.jsonl")
    path = write(tmp_path / "x.jsonl", ROWS)
    with pytest.raises(InputError, match=r"no column 'out\.dep'; did you mean 'out\.deep'"):
        await opened(path=path, solution="out.dep")
    teacher, resources = await opened(path=path, solution="out")
    with pytest.raises(InputError, match="must hold text, found dict"):
        teacher.call(question("a"), 0, resources)


async def test_the_recorded_answers_to_gsm8k(data_dir: Path) -> None:
    folder = data_dir / "gsm8k"
    teacher, resources = await opened(
        path=folder / "example_model_solutions.jsonl.gz", match="problem", column="question",
        solution="175b_verification.solution",
    )  # fmt: skip
    with (folder / "test.jsonl").open() as file:
        problems = [json.loads(line)["question"] for line in file]
    answers = [answer(teacher, resources, question(str(n), problem)) for n, problem in enumerate(problems)]
    assert len(answers) == 1319
    assert all(one is not None and one[2] == "stop" for one in answers)
    [recording] = resources.recordings.values()
    assert recording.unused() == 0
