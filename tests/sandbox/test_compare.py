"""Each rule of the comparison, both ways."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from sandbox import Program, Sandbox, Stdin
from sandbox.compare import Unreadable, read_report, same_output, same_value


@contextmanager
def unlimited_digits() -> Iterator[None]:
    """As in the process that writes reports."""
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    yield
    sys.set_int_max_str_digits(before)


OUTPUTS = [
    # expected, got, same
    ("7\n", "7", True),
    ("7", "7\n\n", True),
    ("1 2\n3\n", "1  2 \n\n3", True),
    ("1 2 3", "1\n2\n3", True),
    ("1\t2", "1 2\r\n", True),
    ("", "", True),
    ("", " \n", True),
    ("", "0", False),
    ("0", "", False),
    ("YES", "yes", False),
    ("1 2 3", "3 2 1", False),
    ("1 2 3", "3\n2\n1", False),
    ("0 0 1", "1 0 0", False),
    ("1 0", "0 0 1 1 0", False),
    ("1 1 2", "1 2 2", False),
    ("1 2", "1 2 3", False),
    ("1 2 3", "1 2", False),
    ("3", "3.0", False),
    ("3", "03", False),
    ("3", "+3", False),
    ("123456789", "123456790", False),
    ("12345678901234567890", "12345678901234567891", False),
    ("0.33333333", "0.33333334", True),
    ("0.1 0.2", "0.1000001 0.2", True),
    ("0.1 0.2", "0.1 0.3", False),
    ("0.5", ".5", True),
    ("0.5", "5e-1", True),
    ("1000000.0", "1000000.9", True),
    ("1000000.0", "1000002.0", False),
    ("1e9", "1000000000", True),
    ("1e9", "1000000001", True),
    ("2.0", "2", True),
    ("-0.0", "0.0", True),
    ("0.000001", "0.000002", True),
    ("0.5", "0.500002", False),
    ("0.5", "nan", False),
    ("0.5", "inf", False),
    ("1e400", "1e401", True),
    ("1e400", "1.0", False),
    ("nan", "nan", True),
    ("nan", "0.0", False),
    ("1.2.3", "1.2.4", False),
    ("0.5", "1_0.5", False),
    ("0.5", "٠.٥", False),
    ("a.b", "a.c", False),
    ("é", "é", True),
]


@pytest.mark.parametrize(("expected", "got", "same"), OUTPUTS)
def test_output(expected: str, got: str, same: bool) -> None:
    assert same_output(expected, got.encode()) is same


def test_output_that_is_no_utf8_matches_nothing() -> None:
    assert not same_output("é", "é".encode("latin-1"))
    assert not same_output("", b"\xff")


def test_long_outputs_are_compared_without_a_list_of_tokens() -> None:
    import tracemalloc

    expected, got = "1 " * 500_000, b"1\n" * 500_000
    tracemalloc.start()
    assert same_output(expected, got)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20


LINES = [
    # rules, expected, got, same
    ("exact", "7\n", "7", True),
    ("exact", "7", "7  \n\n", True),
    ("exact", "7", " 7", False),
    ("exact", "1 2", "1  2", False),
    ("exact", "1\n2", "1 2", False),
    ("exact", "1\n2", "1\r\n2\r\n", True),
    ("exact", "1\n\n2", "1\n2", False),
    ("exact", "0.5", "0.50", False),
    ("exact", "a", "A", False),
    ("exact", "", "\n", True),
    ("exact", "", "0", False),
    ("exact", "1\n2", "1", False),
    ("lcb", "7\n", "  7  \n\n", True),
    ("lcb", "1\n2", " 1 \n\t2", True),
    ("lcb", "1 2", "1  2", True),
    ("lcb", "a b", "a  b", False),
    ("lcb", "1\n2", "1 2", False),
    ("lcb", "1\n\n2", "1\n2", False),
    ("lcb", "1.0", "1", True),
    ("lcb", "1", "1.0", True),
    ("lcb", "1e9", "1000000000", True),
    ("lcb", "0.1", "0.1000001", False),
    ("lcb", "0.1 0.2", "0.10 0.20", True),
    ("lcb", "0.1 x", "0.10 x", False),
    ("lcb", "YES", "yes", False),
    ("lcb", "1 2 3", "3 2 1", False),
    ("lcb", "1\n2\n3", "1", False),
    ("lcb", "nan", "nan", True),
    ("lcb", "1", "nan", False),
    ("lcb", "1", "sNaN", False),
    ("lcb", "1", "1e999999999999999999", False),
    ("lcb", "", "", True),
]


@pytest.mark.parametrize(("rules", "expected", "got", "same"), LINES)
def test_output_by_other_rules(rules: Any, expected: str, got: str, same: bool) -> None:
    assert same_output(expected, got.encode(), rules) is same


OTHER_VALUES = [
    # expected, got, same by lcb, same by exact
    (7, 7, True, True),
    (7, 7.0, True, False),
    (1, True, True, False),
    (0.1, 0.1000001, False, False),
    (0.1, 0.1, True, True),
    ([7], 7, False, False),
    ((1, 2), [1, 2], True, True),
    ([1, 2], [2, 1], False, False),
    ({1: "x"}, {"1": "x"}, True, True),
    ("a", "A", False, False),
    (None, None, True, True),
    (None, False, False, False),
    (float("nan"), float("nan"), False, True),
    ([], {}, False, False),
    ("", [], False, False),
    (10**5000, 10**5000, True, True),
    (10**5000, 10**5000 + 1, False, False),
]


@pytest.mark.parametrize(("expected", "got", "lcb", "exact"), OTHER_VALUES, ids=range(len(OTHER_VALUES)))
def test_value_by_other_rules(expected: object, got: object, lcb: bool, exact: bool) -> None:
    with unlimited_digits():
        text = json.dumps(["value", got])
    report = read_report(text.encode())
    assert same_value(expected, report[1], "lcb") is lcb
    assert same_value(expected, report[1], "exact") is exact


@pytest.mark.parametrize(
    ("compare", "expected", "passes"),
    [("token", "0.333333333", True), ("lcb", "0.333333333", False), ("exact", "0.3333333333333333", True)],
)
def test_a_program_chooses_its_rules(box: Sandbox, compare: Any, expected: str, passes: bool) -> None:
    program = Program(source="print(1 / 3)", cases=[Stdin(input="", expected=expected)], compare=compare)
    assert (box.run_sync(program).status == "pass") is passes


VALUES = [
    (7, 7, True),
    (7, 8, False),
    (7, 7.0, True),
    (7, 7.0000001, False),
    (7, "7", False),
    ("7", 7, False),
    (10**30, 10**30, True),
    (10**30, 1e30, False),
    (10**30, 10**30 + 1, False),
    (True, True, True),
    (True, 1, False),
    (1, True, False),
    (0, False, False),
    (1.0, True, False),
    (None, None, True),
    (None, 0, False),
    (None, False, False),
    (0.1, 0.1000001, True),
    (0.1, 0.10001, False),
    (2.0, 2, True),
    (2.5, 2, False),
    (1e9, 1e9 + 500, True),
    (1e9, 1e9 + 5000, False),
    (float("nan"), float("nan"), True),
    (float("nan"), 0.0, False),
    (float("inf"), float("inf"), True),
    (float("inf"), float("-inf"), False),
    (float("inf"), 10**400, False),
    ("a", "a", True),
    ("a", "a ", False),
    ("a", "A", False),
    ((1, 2), [1, 2], True),
    ([1, 2], [2, 1], False),
    ([1, 2], [1, 2, 3], False),
    ([1, 1, 2], [1, 2, 2], False),
    ([], [], True),
    ([], None, False),
    ([], {}, False),
    ({"a": [1, 2.0]}, {"a": [1, 2.0000001]}, True),
    ({"a": 1}, {"a": 1, "b": 2}, False),
    ({True: "y"}, {"true": "y"}, True),
    ({1: "x"}, {"1": "x"}, True),
    ({None: 0.5}, {"null": 0.5}, True),
    # A one-element list may hold the value.
    ([7], 7, True),
    ([7], [7], True),
    ([[1, 2]], [1, 2], True),
    ([[1, 2]], [[1, 2]], True),
    ([7, 8], 7, False),
    ([[7]], 7, False),
    (7, [7], False),
    ([None], None, True),
]


@pytest.mark.parametrize(("expected", "got", "same"), VALUES)
def test_value(expected: object, got: object, same: bool) -> None:
    report = read_report(json.dumps(["value", got]).encode())
    assert same_value(expected, report[1]) is same


def test_numbers_of_many_digits_are_compared_and_cost_no_time() -> None:
    long = "9" * 200_000
    report = read_report(f'["value", {long}]'.encode())
    started = time.process_time()
    assert same_value(10**200_000 - 1, report[1])
    assert not same_value(10**200_000 - 2, report[1])
    assert not same_value(7, report[1])
    assert not same_value(0.5, report[1])
    assert time.process_time() - started < 5
    assert same_value(-(10**5000), read_report(("[" + '"value", -1' + "0" * 5000 + "]").encode())[1])


def test_no_depth_exhausts_the_comparison() -> None:
    deep: object = 7
    for _ in range(100_000):
        deep = [deep]
    assert same_value(deep, deep)


@pytest.mark.parametrize(
    "text", [b"", b"7", b"[]", b"[1]", b"{}", b"\xff", b"[" * 100_000, b'["value", ', b'["value"]x', b"nonsense"]
)
def test_what_is_no_report(text: bytes) -> None:
    with pytest.raises(Unreadable):
        read_report(text)
