"""Scores and comparisons of recorded results: what few questions cannot show, what many can."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from curate.errors import InputError
from eval.compare import compare
from eval.results import ResultWriter
from eval.scores import write_scores


def row(question: int, run: int = 0, *, outcome: str = "pass", **more: Any) -> dict[str, Any]:
    fixed = {"bench": "made", "version": "v1", "question_id": f"q{question:04}", "seq": question, "run": run}
    told = {"outcome": outcome, "reason": "", "finish_reason": "stop", "private": False, "evalchemy": outcome == "pass"}
    return {**fixed, **told, **more}


def write(folder: Path, rows: list[dict[str, Any]]) -> Path:
    with ResultWriter(folder) as writer:
        for one in rows:
            writer.add(one)
    return folder


def recorded(folder: Path, questions: int, share: float, seed: int) -> Path:
    """A model that answers this share of questions right: exactly, and which ones by chance."""
    order = np.random.default_rng(seed).permutation(questions)
    right = set(order[: round(share * questions)].tolist())
    return write(folder, [row(at, outcome="pass" if at in right else "fail") for at in range(questions)])


@pytest.mark.parametrize(("questions", "a", "b", "shown"), [(30, 0.5, 0.55, False), (1000, 0.5, 0.55, True)])
def test_five_points_are_shown_by_a_thousand_questions_and_not_by_thirty(
    tmp_path: Path, questions: int, a: float, b: float, shown: bool
) -> None:
    one = recorded(tmp_path / "a", questions, a, 1)
    two = recorded(tmp_path / "b", questions, b, 2)
    for found in compare(one, two):
        assert found.difference.mean == pytest.approx(round(b * questions) / questions - a)
        assert found.shown is shown
        assert found.words().startswith("B is better by 5.0 points" if shown else "not shown: B minus A is +")
        json.dumps(found.told(), allow_nan=False)


def test_errors_of_ours_are_no_answers_and_are_counted(tmp_path: Path) -> None:
    folder = write(tmp_path, [row(0), row(0, 1, outcome="error", evalchemy=None), row(1, outcome="unsure"), row(1, 1)])
    (told,) = write_scores(folder)["benchmarks"]
    assert (told["error"], told["unsure"], told["samples"], told["questions"]) == (1, 1, 4, 2)
    assert told["ours"]["mean"] == pytest.approx((1 + 0.5) / 2)
    assert json.loads((folder / "scores.json").read_text()) == {"benchmarks": [told]}


def test_answers_that_could_not_be_compared_say_nothing_of_a_majority(tmp_path: Path) -> None:
    rows = [row(0, run, answer="1", answer_class=0) for run in range(3)]
    rows += [row(1, run, answer="1") for run in range(3)]  # trouble of ours: none has a class
    rows += [row(2, run, outcome="fail", finish_reason="length") for run in range(3)]  # no answer, no vote
    (told,) = write_scores(write(tmp_path, rows))["benchmarks"]
    assert told["ours"]["mean"] == pytest.approx(2 / 3)
    assert told["majority_at"]["3"]["mean"] == pytest.approx(1 / 2)


def test_every_score_of_a_small_set_by_hand(tmp_path: Path) -> None:
    rows = [
        row(0, 0, answer_class=0, output_tokens=100, score=0.9),
        row(0, 1, answer_class=0, output_tokens=300, score=0.1),
        row(0, 2, outcome="fail", answer_class=1, output_tokens=200, score=0.5),
        row(1, 0, outcome="fail", answer_class=0, output_tokens=500, score=0.7, finish_reason="length"),
        row(1, 1, outcome="fail", answer_class=0, output_tokens=500, score=0.6),
        row(1, 2, answer_class=1, output_tokens=50, score=0.2),
    ]
    (told,) = write_scores(write(tmp_path, rows))["benchmarks"]
    assert told["ours"]["mean"] == pytest.approx(0.5)
    assert told["pass_at"]["1"]["mean"] == pytest.approx(0.5)
    assert told["pass_at"]["2"]["mean"] == pytest.approx((1 + 2 / 3) / 2)
    assert told["pass_at"]["3"]["mean"] == pytest.approx(1.0)
    assert told["majority_at"]["3"]["mean"] == pytest.approx(0.5)
    assert told["best_of"]["3"]["mean"] == pytest.approx(0.5)
    assert told["weighted_majority_at"]["3"]["mean"] == pytest.approx(0.5)
    assert told["within_tokens"] == {"256": pytest.approx(1 / 3), "500": pytest.approx(0.5)}
    assert told["truncated"] == pytest.approx(1 / 6)
    assert told["mean_output_tokens"] == pytest.approx(275)


def test_what_cannot_be_compared_says_why(tmp_path: Path) -> None:
    a = write(tmp_path / "a", [row(0)])
    b = write(tmp_path / "b", [row(0, version="v2")])
    with pytest.raises(InputError, match="no benchmark of the same version"):
        compare(a, b)
    with pytest.raises(InputError, match="no results of an evaluation"):
        compare(a, tmp_path / "none")


def test_several_benchmarks_are_compared_at_once_more_strictly(tmp_path: Path) -> None:
    a, b = [], []
    for bench in range(10):
        for question in range(200):
            a.append(row(question, bench=f"b{bench}", outcome="pass" if question % 2 else "fail"))
            better = bench == 0 and question < 12  # six questions more: p = 0.03 alone
            b.append(row(question, bench=f"b{bench}", outcome="pass" if question % 2 or better else "fail"))
    alone = compare(write(tmp_path / "a1", a[:200]), write(tmp_path / "b1", b[:200]))
    among = compare(write(tmp_path / "a", a), write(tmp_path / "b", b))
    assert all(one.shown for one in alone)
    assert not any(one.shown for one in among)
    assert "not shown" in among[0].words()
