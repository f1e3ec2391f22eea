"""Tables on standard output."""

import pytest

from recipes.cli import show


def test_columns_are_as_wide_as_they_need_and_numbers_stand_right(capsys: pytest.CaptureFixture[str]) -> None:
    show.table(("stage", "in", "remark"), [("ingest", 1319, ""), ("solve", None, "5 failed")])
    assert capsys.readouterr().out.splitlines() == [
        "stage      in  remark",
        "------  -----  --------",
        "ingest  1,319",
        "solve          5 failed",
    ]


def test_an_empty_table_has_its_head(capsys: pytest.CaptureFixture[str]) -> None:
    show.table(("a", "bb"), [])
    assert capsys.readouterr().out == "a  bb\n-  --\n"


def test_pairs_line_up(capsys: pytest.CaptureFixture[str]) -> None:
    show.pairs({"a": 1, "long": True, "c": None})
    assert capsys.readouterr().out == "a     1\nlong  yes\nc     \n"
