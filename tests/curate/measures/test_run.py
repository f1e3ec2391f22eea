"""Measured columns in a run: right values, measured once, the same after a kill, told in report and explanation."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from curate.engine.local import execute
from curate.explain import explain
from curate.flow import Flow, Options
from curate.measures import checks, reading, tokens
from curate.report import Report
from curate.run import Run
from tests.curate.measures.test_tokens import tokenizer

PLAIN = "I add the two numbers and see that the sum is what the first of them was."
LOOP = "Wait, let me check that again. " * 20


def flow(folder: Path, select: Any, **rest: Any) -> Flow:
    """Six questions, four answers to each: question n has n right ones of its first three; the last one loops."""
    questions, answers = [], []
    for number in range(6):
        known = {"answer": str(number)} if number < 4 else {}
        questions.append({"id": str(number), "q": f"What is {number} + 0?", "level": number % 2, **known})
        for sample in range(4):
            right = sample < number
            said = f"The answer is \\boxed{{{number if right else number + 100 + (sample if number < 5 else 0)}}}."
            answers.append(
                {"id": str(number), "sample": sample, "reasoning": LOOP if sample == 3 else PLAIN, "solution": said}
            )
    for name, rows in (("q", questions), ("a", answers)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    columns = {"problem": "q", "id": "id", "answer": "answer", "meta": ["level"]}
    source = {"kind": "jsonl", "path": folder / "q.jsonl", "domain": "math", "columns": columns}
    teacher = {"kind": "replay", "path": folder / "a.jsonl", "column": "id"}
    return Flow.model_validate(
        {"name": "m", "sources": [source], "annotate": {"teacher": teacher, "samples": 4}, "select": select, **rest}
    )


def run(made: Flow, root: Path, **options: Any) -> Report:
    return execute(made, Options(root=root, quiet=True, **{"until": "select", **options}))


def labels(root: Path, name: str) -> list[dict[str, Any]]:
    rows = pq.read_table(root / "runs" / "m" / "labels" / f"select-{name}.parquet").to_pylist()
    return [{**row, "evidence": json.loads(row["evidence"])} for row in rows]


def test_columns_are_measured_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tokenizer(tmp_path)
    read = "pass_rate >= 0 and samples > 0 and passed >= 0 and tokens > 0 and repeated >= 0 and problem_chars > 3"
    where = {"kind": "where", "expression": f"not loop and {read} and language is not None"}
    made = flow(tmp_path, [where, {"kind": "token_budget", "tokens": 10_000}], measure={"tokenizer": str(path)})
    report = run(made, tmp_path / "root")
    rows = {(row["seq"], row["sample"]): row for row in labels(tmp_path / "root", "0-where")}
    counter = tokens.Measure(tokenizer=str(path)).counter()
    assert counter is not None
    for (seq, sample), row in rows.items():
        told = row["evidence"]
        assert told["loop"] is (sample == 3)
        if seq < 4:
            assert (told["samples"], told["passed"], told["pass_rate"]) == (4, min(seq, 4), min(seq, 4) / 4)
            assert row["kept"] is (sample != 3)
        else:  # the truth is unknown: nothing was decided
            assert told["samples"] == 0 and row["reason"] == "not_true"
        right = f"The answer is \\boxed{{{seq if sample < seq else seq + 100 + (sample if seq < 5 else 0)}}}."
        assert told["tokens"] == sum(counter.count([LOOP.strip() if sample == 3 else PLAIN, right]))
    assert report.select is not None
    first, last = report.select
    assert first.tokens_by.endswith(str(path))
    assert first.before.rows == 24 and last.after.rows == sum(row["kept"] for row in rows.values())
    assert first.before.tokens == sum(row["evidence"]["tokens"] for row in rows.values())
    text = (tmp_path / "root" / "runs" / "m" / "report.md").read_text()
    assert "## Selection" in text and f"| before | 6 | 24 | {first.before.tokens:,} |" in text

    def again(*_: Any) -> Any:
        raise AssertionError("measured twice")

    monkeypatch.setattr(checks, "checks", again)
    monkeypatch.setattr(tokens.Counter, "count", again)
    monkeypatch.setattr(reading, "decided_now", again)
    second = run(made, tmp_path / "root")
    assert second.totals() == report.totals()
    partial = run(made, tmp_path / "root", partial=True)
    assert partial.select == second.select


def test_a_kill_while_measuring_loses_no_measure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("curate.assemble._ATTEMPTS", 4)
    made = flow(tmp_path, [{"kind": "where", "expression": "not loop"}])
    seen: list[str] = []
    true = checks.checks

    def dies(reasoning: str, solution: str) -> dict[str, Any]:
        seen.append(solution)
        if len(seen) == 10:
            raise KeyboardInterrupt
        return true(reasoning, solution)

    monkeypatch.setattr(checks, "checks", dies)
    with pytest.raises(KeyboardInterrupt):
        run(made, tmp_path / "root")
    seen.extend([""] * 10)
    before = len(seen)
    killed = run(made, tmp_path / "root")
    assert len(seen) - before <= 24 - 8  # two batches of four were stored
    monkeypatch.setattr(checks, "checks", true)
    whole = run(made, tmp_path / "other")
    assert killed.select == whole.select


def test_majority_answers(tmp_path: Path) -> None:
    made = flow(tmp_path, [{"kind": "majority"}])
    run(made, tmp_path / "root", until="publish")
    kept = {(row["seq"], row["sample"]) for row in labels(tmp_path / "root", "0-majority") if row["kept"]}
    # Question 4: 4 of 4 said 4; question 5: all said 5; the others have a truth.
    assert {pair for pair in kept if pair[0] >= 4} == {(seq, sample) for seq in (4, 5) for sample in range(4)}
    assert {pair for pair in kept if pair[0] < 4} == {(seq, sample) for seq in range(4) for sample in range(seq)}
    folder = tmp_path / "root" / "runs" / "m" / "dataset" / "unverified"
    published = [row for path in sorted(folder.glob("*.parquet")) for row in pq.read_table(path).to_pylist()]
    for row in published:
        told = json.loads(row["evidence"])
        if row["source_id"] in ("4", "5"):
            assert row["outcome"] == "unsure"  # never a pass
            assert told["majority"] == {"samples": 4, "agree": 4, "pseudo_reference": row["source_id"]}
        else:
            assert "majority" not in told
    found = asyncio.run(explain(Run(tmp_path / "root", "m"), made, "seq:4"))
    assert found["attempts"][0]["selected"][0]["evidence"]["pseudo_reference"] == "4"


def test_a_score_of_cleaning_is_a_column(tmp_path: Path) -> None:
    teacher = {"kind": "replay", "path": tmp_path / "a.jsonl", "column": "id"}
    stage = {"kind": "response_length", "teacher": teacher, "unit": "chars", "samples": 4, "domains": ["math"]}
    select = [
        {"kind": "where", "expression": "response_length > 0"},
        {"kind": "band", "column": "response_length", "lowest": 0.5},
    ]
    made = flow(tmp_path, select, clean=[stage])
    report = run(made, tmp_path / "root")
    length: dict[int, float] = {}
    for line in (tmp_path / "a.jsonl").read_text().splitlines():
        row = json.loads(line)
        seq = int(row["id"])
        length[seq] = length.get(seq, 0) + len((row["reasoning"] + row["solution"]).strip()) / 4
    told = {row["seq"]: row["evidence"]["response_length"] for row in labels(tmp_path / "root", "0-where")}
    assert set(told) == set(range(6))
    assert max(abs(told[seq] - length[seq]) for seq in told) <= 1
    kept = [row["seq"] for row in labels(tmp_path / "root", "1-band") if row["kept"]]
    assert len(kept) == 12  # three questions, each of them whole
    assert max(length[seq] for seq in kept) <= min(length[seq] for seq in length if seq not in kept)
    assert report.select is not None and report.select[0].reasons == {}
    second = run(made, tmp_path / "root")
    assert second.totals() == report.totals()


def test_a_question_without_a_score_has_no_value(tmp_path: Path) -> None:
    teacher = {"kind": "replay", "path": tmp_path / "a.jsonl", "column": "id"}
    stage = {"kind": "response_length", "teacher": teacher, "unit": "chars", "domains": ["code"]}
    made = flow(tmp_path, [{"kind": "where", "expression": "not response_length > 5"}], clean=[stage])
    assert [one.reasons for one in run(made, tmp_path / "root").select or []] == [{"missing_value": 24}]


def test_nobody_votes_on_programs(tmp_path: Path) -> None:
    made = flow(tmp_path, [{"kind": "majority"}])
    code = made.sources[0].model_copy(update={"domain": "code"})
    report = run(made.model_copy(update={"sources": (code,)}), tmp_path / "root")
    assert report.select is not None and report.select[0].reasons["no_answer"] == 8
    kept = [row["seq"] for row in labels(tmp_path / "root", "0-majority") if row["kept"]]
    assert max(kept) < 4  # what has a truth and passed


def test_a_run_without_answers_has_all_columns(tmp_path: Path) -> None:
    read = "language == 'en' and not loop and meta.level > 0 and truth == 'answer' and pass_rate > 0 and tokens > 1"
    made = flow(tmp_path, [{"kind": "where", "expression": read}, {"kind": "majority"}, "verified"])
    (tmp_path / "a.jsonl").write_text(json.dumps({"id": "none", "solution": "1"}) + "\n")
    report = run(made, tmp_path / "root")
    assert [(one.seen, one.kept) for one in report.select or []] == [(0, 0)] * 3


def test_keys_of_questions_may_hold_anything(tmp_path: Path) -> None:
    made = flow(tmp_path, [{"kind": "where", "expression": "meta.level != 3"}])
    rows = [json.loads(line) for line in (tmp_path / "q.jsonl").read_text().splitlines()]
    for row, level in zip(rows, [10**400, 1, float("nan"), None, 3, 2.5], strict=True):
        row["level"] = level
    (tmp_path / "q.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    run(made, tmp_path / "root")
    found = {row["seq"]: row["reason"] for row in labels(tmp_path / "root", "0-where")}
    assert found == {0: "missing_value", 1: None, 2: "missing_value", 3: "missing_value", 4: "not_true", 5: None}


def test_what_is_read_of_questions(tmp_path: Path) -> None:
    made = flow(
        tmp_path, [{"kind": "where", "expression": "meta.level == 1 and truth == 'answer' and licence is None"}]
    )
    report = run(made, tmp_path / "root")
    kept = {row["seq"] for row in labels(tmp_path / "root", "0-where") if row["kept"]}
    assert kept == {1, 3}
    assert report.select is not None and report.select[0].reasons == {"not_true": 16}


def test_tokens_without_a_tokenizer_are_of_one_kind(tmp_path: Path) -> None:
    report = run(flow(tmp_path, [{"kind": "token_budget", "tokens": 200}]), tmp_path / "root")
    assert report.select is not None
    assert report.select[0].tokens_by.startswith("an estimate: 3 characters a token")
    rows = labels(tmp_path / "root", "0-token_budget")
    assert sum(row["evidence"]["tokens"] for row in rows if row["kept"]) <= 200


@pytest.mark.parametrize(
    ("select", "says"),
    [
        ([{"kind": "where", "expression": "pas_rate > 0"}], "select[0]: there is no column 'pas_rate'; did you mean"),
        (["all", {"kind": "best_of", "by": "tokns"}], "select[1]: there is no column 'tokns'; did you mean 'tokens'"),
        ([{"kind": "best_of", "by": "domain"}], "'domain' is no column of numbers"),
        ([{"kind": "where", "expression": "domain > 3"}], "compares a text with a number"),
        ([{"kind": "random", "like": [{"kind": "best_of", "by": "nothing"}]}], "no column 'nothing'"),
        ([{"kind": "random", "like": [{"kind": "best_of", "by": "domain"}]}], "'domain' is no column of numbers"),
        ([{"kind": "mix", "weights": {"a": float("inf")}}], "finite"),
        ([{"kind": "band", "column": "tokens", "min": float("nan")}], "finite"),
        ([], "at least 1 item"),
    ],
)
def test_wrong_columns_are_told_before_anything_runs(tmp_path: Path, select: Any, says: str) -> None:
    with pytest.raises(ValidationError) as error:
        flow(tmp_path, select)
    assert says in str(error.value)


def test_equal_questions_of_two_sources_are_explained_apart(tmp_path: Path) -> None:
    made = flow(tmp_path, [{"kind": "where", "expression": "seq > 0"}])
    first = (tmp_path / "q.jsonl").read_text().splitlines()[0]
    (tmp_path / "again.jsonl").write_text(first + "\n")
    second = made.sources[0].model_copy(update={"path": tmp_path / "again.jsonl"})
    made = made.model_copy(update={"sources": (*made.sources, second)})
    run(made, tmp_path / "root")
    told = {seq: asyncio.run(explain(Run(tmp_path / "root", "m"), made, f"seq:{seq}"))["attempts"][0] for seq in (0, 6)}
    assert told[0]["attempt"]["id"] == told[6]["attempt"]["id"]
    assert [[one["kept"] for one in told[seq]["selected"]] for seq in (0, 6)] == [[False], [True]]
