import json

import pytest

from curate.audit.state import Finding
from curate.audit.tally import Tally, confusion, rate


def finding(row: int, outcome: str = "pass", label: bool | None = None, **fields: str) -> Finding:
    reason = {"pass": "ok", "fail": "wrong_answer", "unsure": "unparsable", "error": "infrastructure"}[outcome]
    told = {"domain": "math", "source": "s", "evidence": json.dumps({"answer": str(row)}), **fields}
    return Finding(row, outcome, reason, "math", "1", told["evidence"], 0.0, told["domain"], told["source"], label)


def test_wilson_intervals() -> None:
    """5 of 100 is 2.15 % to 11.18 %; the interval of the rest mirrors it; the ends stay within 0 and 1."""
    few, many = rate(5, 100), rate(95, 100)
    assert few is not None
    assert many is not None
    assert (few["rate"], few["count"], few["of"]) == (0.05, 5, 100)
    assert (round(few["low"], 4), round(few["high"], 4)) == (0.0215, 0.1118)
    assert (many["low"], many["high"]) == (pytest.approx(1 - few["high"]), pytest.approx(1 - few["low"]))
    nothing, all_ = rate(0, 20), rate(20, 20)
    assert nothing is not None
    assert all_ is not None
    assert (nothing["low"], all_["high"]) == (0.0, 1.0)
    assert nothing["high"] == pytest.approx(1 - all_["low"])
    assert rate(0, 0) is None


def test_rates_count_decided_rows_of_one_label() -> None:
    found = confusion(
        {(True, "pass"): 90, (True, "fail"): 10, (True, "unsure"): 7, (False, "pass"): 1, (False, "fail"): 49}
    )
    assert found["rows"] == 157
    assert (found["false_reject"]["count"], found["false_reject"]["of"]) == (10, 100)
    assert (found["false_accept"]["count"], found["false_accept"]["of"]) == (1, 50)


def test_groups_reasons_and_first_rows() -> None:
    tally = Tally()
    for row in range(8):
        tally.add(finding(row, "fail" if row % 2 else "pass", source="ab"[row // 4]))
    summary = tally.summary()
    assert summary["outcomes"] == {"pass": 4, "fail": 4, "unsure": 0, "error": 0}
    assert [(one["source"], one["rows"], one["fail"], one["reasons"]) for one in summary["groups"]] == [
        ("a", 4, 2, {"wrong_answer": 2}),
        ("b", 4, 2, {"wrong_answer": 2}),
    ]
    assert summary["reasons"][0] == {"outcome": "fail", "reason": "wrong_answer", "rows": 4, "first": [1, 3, 5, 7]}
    assert summary["labels"] is None


def test_the_rows_to_look_at_come_from_many_sources() -> None:
    tally = Tally()
    for row in range(100):
        tally.add(finding(row, "pass", False, source="big" if row < 90 else f"s{row}"))
    worst = tally.summary()["labels"]["false_accepts"]
    assert [one["row"] for one in worst] == [0, 1, 2, 3, 4, *range(90, 100)]
    assert worst[0]["evidence"] == {"answer": "0"}


@pytest.mark.parametrize(("domains", "groups"), [(1, 501), (3, 503), (2000, 1001)])
def test_memory_does_not_grow_with_the_sources(domains: int, groups: int) -> None:
    tally = Tally()
    for row in range(2000):
        tally.add(finding(row, source=f"source {row}", domain=f"domain {row % domains}"))
    found = tally.summary()["groups"]
    assert len(found) == groups
    assert sum(one["rows"] for one in found) == 2000
