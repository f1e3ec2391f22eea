"""`length` counts characters and keeps both ends of its range."""

import pyarrow as pa
import pytest
from pydantic import ValidationError

from curate.clean.length import Length


def table(*problems: str) -> pa.Table:
    return pa.table({"seq": list(range(len(problems))), "problem": list(problems)})


def test_both_ends_are_kept() -> None:
    opinions = Length(min_chars=2, max_chars=4).label(table("a", "ab", "äöü😀", "abcde"))
    assert [one.kept for one in opinions] == [False, True, True, False]
    assert [one.reason for one in opinions] == ["too_short", None, None, "too_long"]
    assert opinions[0].evidence == {"chars": 1, "min_chars": 2}
    assert opinions[3].evidence == {"chars": 5, "max_chars": 4}


def test_one_end_is_enough() -> None:
    assert [one.kept for one in Length(max_chars=3).label(table("", "abcd"))] == [True, False]
    assert [one.kept for one in Length(min_chars=3).label(table("", "abcd"))] == [False, True]


def test_batches_of_any_size_agree() -> None:
    problems = ["x" * n for n in range(50)]
    stage = Length(min_chars=10, max_chars=40)
    whole = stage.label(table(*problems))
    assert whole == [stage.label(table(problem))[0] for problem in problems]
    assert stage.label(table().cast(pa.schema([("seq", pa.int64()), ("problem", pa.string())]))) == []


@pytest.mark.parametrize("fields", [{}, {"min_chars": 5, "max_chars": 4}, {"min_chars": -1}, {"max": 3}])
def test_nonsense_is_refused(fields: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        Length.model_validate(fields)
