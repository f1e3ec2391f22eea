"""`dedup` keeps the lowest seq of each group, names the partner, and does not depend on the order of rows."""

import random

import pyarrow as pa
import pytest

from curate.clean.dedup import Dedup


def table(rows: list[tuple[int, str, str | None]], truths: list[str] | None = None) -> pa.Table:
    return pa.table(
        {
            "seq": pa.array([row[0] for row in rows], pa.int64()),
            "id": pa.array([f"id{row[0]}" for row in rows], pa.string()),
            "problem": pa.array([row[1] for row in rows], pa.string()),
            "starter_code": pa.array([row[2] for row in rows], pa.string()),
            "truth_key": pa.array(truths or ["t"] * len(rows), pa.string()),
        }
    )


def kept(rows: list[tuple[int, str, str | None]]) -> list[bool]:
    return [one.kept for one in Dedup().label(table(rows))]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What is 1 + 1?", " What  is \t1 +\xa01?\n "),
        ("a\nb", "a \r\nb\r\n"),
        ("caf\u00e9", "cafe\u0301"),
    ],
)
def test_spaces_and_unicode_forms_do_not_count(one: str, other: str) -> None:
    assert kept([(0, one, None), (1, other, None)]) == [True, False]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Molar mass of CO?", "Molar mass of Co?"),
        ("1 2\n3 4", "1 2 3 4"),
        ("What is 1 + 1?", "What is 1+1?"),
        ("if x:\n  a", "if x:\na"),
        ("x\u00b2", "x2"),
    ],
)
def test_case_line_ends_and_indentation_count(one: str, other: str) -> None:
    assert kept([(0, one, None), (1, other, None)]) == [True, True]


def test_another_truth_is_another_question() -> None:
    rows: list[tuple[int, str, str | None]] = [(n, "p", None) for n in range(4)]
    opinions = Dedup().label(table(rows, ["a", "b", "a", "b"]))
    assert [one.kept for one in opinions] == [True, True, False, False]
    assert [one.evidence.get("partner_seq") for one in opinions] == [None, None, 0, 1]
    assert "truth_key" in Dedup.columns


def test_starter_code_counts_with_its_indentation() -> None:
    rows = [
        (0, "p", "def f():"),
        (1, "p", None),
        (2, "p", "def f():  \n"),
        (3, "p", "if x:\n  a"),
        (4, "p", "if x:\na"),
    ]
    assert kept(rows) == [True, True, False, True, True]
    assert kept([(0, "p", None), (1, "p", ""), (2, "p", " \n")]) == [True, False, False]


def test_the_partner_is_the_lowest_seq() -> None:
    opinions = Dedup().label(table([(5, "p", None), (2, " p", None), (9, "p ", None)]))
    assert [one.kept for one in opinions] == [False, True, False]
    for one in (opinions[0], opinions[2]):
        assert one.reason == "duplicate"
        assert one.evidence == {"rule": "exact", "partner_seq": 2, "partner_id": "id2"}


def test_any_order_and_chunking_give_the_same() -> None:
    rows: list[tuple[int, str, str | None]] = [(n, f"p{n % 700}", None) for n in range(3000)]
    wanted = {row[0]: one for row, one in zip(rows, Dedup().label(table(rows)), strict=True)}
    assert sum(one.kept for one in wanted.values()) == 700
    random.Random(1).shuffle(rows)
    chunks = pa.concat_tables([table(rows[:10]), table(rows[10:2000]), table(rows[2000:])])
    assert {row[0]: one for row, one in zip(rows, Dedup().label(chunks), strict=True)} == wanted


def test_no_rows() -> None:
    assert Dedup().label(table([])) == []
