"""The questions table gives back what was put in, whatever the truth, and holds little at a time."""

from pathlib import Path

import pytest

from curate.questions import QuestionTable, QuestionWriter, questions_of
from curate.records import Answer, Choice, Grid, Question, Reference, Scored, Tests, Unknown

TRUTHS = [
    Answer(text="\\frac{1}{2}"),
    Tests(cases='{"inputs": ["1\\n"], "outputs": ["2\\n"]}', time_s=1.5, memory_mb=256),
    Choice(letter="B", options=("one", "two")),
    Grid(cells=((1, 2), (3, 4))),
    Scored(task="basic_arithmetic", entry='{"answer": "3"}'),
    Reference(text="because"),
    Unknown(),
]


def question(number: int, **fields: object) -> Question:
    values = {"problem": f"p{number}", "domain": "d", "truth": TRUTHS[number % len(TRUTHS)], **fields}
    made = Question.of(**values, source="s", source_id=str(number))
    return made.model_copy(update={"seq": number})


def test_round_trip_of_every_truth(tmp_path: Path) -> None:
    questions = [
        question(n, gold="g" if n % 2 else None, starter_code="def f():", licence="MIT", meta={"a": [1, None]})
        for n in range(14)
    ]
    writer = QuestionWriter(tmp_path)
    for one in questions:
        writer.add(one)
    writer.close()
    table = QuestionTable(tmp_path)
    assert len(table) == 14
    assert list(table.questions()) == questions
    (group,) = table.groups()
    assert [one.truth_key for one in questions_of(group, tests=False)] == [one.truth_key for one in questions]
    assert list(questions_of(group, tests=False)) == [one.untested() for one in questions]


def test_groups_are_cut_by_bytes(tmp_path: Path) -> None:
    writer = QuestionWriter(tmp_path)
    for number in range(6):
        writer.add(question(number, problem=str(number) * (12 << 20)))
    writer.close()
    assert [group.num_rows for group in QuestionTable(tmp_path).groups(["seq"])] == [2, 2, 2]


def test_an_empty_table_is_a_table(tmp_path: Path) -> None:
    QuestionWriter(tmp_path).close()
    assert len(QuestionTable(tmp_path)) == 0
    assert list(QuestionTable(tmp_path).questions()) == []


@pytest.mark.parametrize("text", ["\0", "é" * 3, "𝔸", "line\r\nline"])
def test_odd_texts_survive(tmp_path: Path, text: str) -> None:
    writer = QuestionWriter(tmp_path)
    writer.add(question(0, problem=text))
    writer.close()
    assert next(iter(QuestionTable(tmp_path).questions())).problem == text
