"""Where a model fails, and whether it remembers: topics, lists of questions, bands of likeness."""

import json
from pathlib import Path

import pytest

from eval.failures import topics, write_failures
from eval.generalise import generalised
from eval.scores import read_samples, write_scores
from tests.eval.test_compare import row, write


def test_topics_come_worst_first(tmp_path: Path) -> None:
    rows = [row(at, topic="algebra", source="s", outcome="pass" if at < 9 else "fail") for at in range(10)]
    rows += [row(10 + at, topic="geometry", source="s", outcome="fail", finish_reason="length") for at in range(10)]
    rows += [row(20, topic=None, source="s")]
    found = topics(write(tmp_path, rows))
    assert [(one.topic, one.failed) for one in found] == [("geometry", 10), ("algebra", 1), ("(none)", 0)]
    assert found[0].truncated == 1.0
    assert found[0].accuracy.high < found[1].accuracy.low
    json.dumps([one.told() for one in found], allow_nan=False)


def test_the_questions_that_were_never_right_are_listed_and_private_ones_not_shown(tmp_path: Path) -> None:
    rows = [
        row(0, 0, outcome="fail", reason="wrong_answer", answer="3", problem="What is 1 + 1?"),
        row(0, 1, outcome="fail", reason="truncated", problem="What is 1 + 1?"),
        row(1, 0, outcome="fail", problem="right in the second run"),
        row(1, 1, problem="right in the second run"),
        row(2, 0, outcome="error", problem="trouble of ours"),
        row(3, 0, outcome="fail", problem="a secret", answer="secret too", private=True),
    ]
    out = tmp_path / "failures.jsonl"
    assert write_failures(write(tmp_path, rows), out) == 2
    first, second = (json.loads(line) for line in out.read_text().splitlines())
    assert first["problem"] == "What is 1 + 1?"
    assert (first["reasons"], first["answers"]) == (["wrong_answer", "truncated"], ["3", None])
    assert second["question_id"] == "q0003"
    assert "secret" not in out.read_text()


def test_a_model_that_remembers_is_seen(tmp_path: Path) -> None:
    rows = [row(at, similarity=at / 300, outcome="pass" if at >= 200 or at % 3 == 0 else "fail") for at in range(300)]
    found = generalised(read_samples(write(tmp_path, rows))[0])
    assert found is not None
    assert [(band.name, band.accuracy.questions) for band in found.bands] == [
        ("far", 100),
        ("middle", 100),
        ("near", 100),
    ]
    assert found.bands[0].high < found.bands[1].low < found.bands[2].low
    assert found.bands[2].accuracy.mean == 1.0
    assert "the model scores higher on what is like its training set" in found.words()
    told = json.loads((tmp_path / "scores.json").read_text()) if write_scores(tmp_path) else {}
    assert told["benchmarks"][0]["likeness"]["gap"]["mean"] == pytest.approx(found.gap.mean if found.gap else None)


@pytest.mark.parametrize("likeness", [0.0, 0.7])
def test_equal_likeness_says_nothing(tmp_path: Path, likeness: float) -> None:
    found = generalised(read_samples(write(tmp_path, [row(at, similarity=likeness) for at in range(9)]))[0])
    assert found is not None
    assert found.gap is None
    assert sum(band.accuracy.questions for band in found.bands) == 9
    assert "nothing to compare" in found.words()


def test_no_likeness_gives_no_bands(tmp_path: Path) -> None:
    assert generalised(read_samples(write(tmp_path, [row(0), row(1)]))[0]) is None
