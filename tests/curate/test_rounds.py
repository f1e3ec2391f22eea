"""Sampling until verified asks exactly what the verdicts call for, however it is interrupted."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from datasets import load_dataset

from curate.calls.model import Call, Reply
from curate.engine.local import execute
from curate.flow import Flow, Options
from curate.records import Attempt, Question, Unknown, Verdict
from curate.report import Report
from curate.run import Run
from curate.select.all import All
from curate.sources.columns import Columns
from curate.sources.jsonl import Jsonl
from curate.status import status
from curate.teachers.fake import Fake
from curate.turns import Asking, Turns, UntilVerified

ROWS = 40
MOST = 6


def flow(folder: Path, *teachers: Fake, **annotate: Any) -> Flow:
    path = folder / "questions.jsonl"
    path.write_text(
        "".join(json.dumps({"problem": f"What is {n} + 1?", "answer": str(n + 1)}) + "\n" for n in range(ROWS))
    )
    return Flow.model_validate(
        {
            "name": "rounds",
            "sources": (Jsonl(path=path, domain="math", columns=Columns(problem="problem", answer="answer")),),
            "annotate": {"teacher": teachers, **annotate},
            "select": (All(),),
        }
    )


def run(made: Flow, folder: Path, **options: Any) -> Report:
    return execute(made, Options(root=folder, quiet=True, **options))


def attempts(folder: Path, tmp_path: Path) -> dict[str, list[tuple[int, str]]]:
    """(sample, outcome) of the attempts at each question, as published."""
    rows = load_dataset(
        str(folder / "runs" / "rounds" / "dataset"), "unverified", split="train", cache_dir=str(tmp_path / "hf")
    )
    found: dict[str, list[tuple[int, str]]] = {}
    for row in rows:
        found.setdefault(row["problem"], []).append((row["sample"], row["outcome"]))
    return found


def test_a_question_is_asked_until_it_is_verified(tmp_path: Path) -> None:
    whole = run(flow(tmp_path, Fake(error_rate=0.6), samples=MOST), tmp_path / "whole")
    every = attempts(tmp_path / "whole", tmp_path)
    rounds = run(
        flow(tmp_path, Fake(error_rate=0.6), until_verified=UntilVerified(max_samples=MOST)), tmp_path / "rounds"
    )
    asked = attempts(tmp_path / "rounds", tmp_path)
    for problem, samples in every.items():
        outcomes = [outcome for _, outcome in samples]
        first = outcomes.index("pass") + 1 if "pass" in outcomes else MOST
        assert asked[problem] == samples[:first]
    assert whole.solve is not None and rounds.solve is not None
    assert whole.solve["asked"] == ROWS * MOST
    assert rounds.solve["asked"] == sum(map(len, asked.values())) == rounds.this_run["requests_sent"]
    assert any(len(one) == MOST for one in asked.values()) and any(len(one) == 1 for one in asked.values())


def test_teachers_take_turns(tmp_path: Path) -> None:
    weak, strong = Fake(error_rate=0.9, seed=1), Fake(error_rate=0.1, seed=2)
    run(flow(tmp_path, weak, strong, until_verified=UntilVerified(want=2, max_samples=3)), tmp_path / "root")
    for samples in attempts(tmp_path / "root", tmp_path).values():
        by_turn = sorted(samples, key=lambda one: (one[0] % 3, one[0] // 3))
        outcomes = [outcome for _, outcome in by_turn]
        turns = [(sample // 3, sample % 3) for sample, _ in by_turn]
        assert turns == [(teacher, own) for own in range(3) for teacher in range(2)][: len(turns)]
        assert outcomes.count("pass") == 2 or len(outcomes) == 6
        assert outcomes[:-1].count("pass") < 2


def test_a_stopped_run_goes_on_with_the_same_rounds(tmp_path: Path) -> None:
    made = flow(tmp_path, Fake(error_rate=0.6, latency_s=0.01), until_verified=UntilVerified(max_samples=MOST))
    run(made, tmp_path / "whole")
    wanted = attempts(tmp_path / "whole", tmp_path)
    root = tmp_path / "parts"
    run(
        made.model_copy(
            update={"annotate": made.annotate.model_copy(update={"until_verified": UntilVerified(max_samples=2)})}
        ),
        root,
    )
    known = run(made, root, partial=True)
    assert known.solve is not None and known.solve["pending"] > 0
    report = run(made, root)
    assert attempts(root, tmp_path) == wanted
    assert report.this_run["answers_reused"] > 0
    assert report.this_run["answers_new"] + report.this_run["answers_reused"] == sum(map(len, wanted.values()))


async def test_a_reader_of_the_ledger_comes_to_the_same(tmp_path: Path) -> None:
    import asyncio

    made = flow(tmp_path, Fake(error_rate=0.6), until_verified=UntilVerified(want=2, max_samples=MOST))
    report = await asyncio.to_thread(run, made, tmp_path / "root")
    state = await status(Run(tmp_path / "root", "rounds"), made)
    assert report.solve is not None
    for name in ("asked", "answered", "pending", "outcomes"):
        assert state["solve"][name] == report.solve[name]
    assert state["stage"] == "published"


def test_what_can_never_be_verified_is_asked_once(tmp_path: Path) -> None:
    made = flow(tmp_path, Fake(), until_verified=UntilVerified(max_samples=MOST))
    made = made.model_copy(update={"verify": made.verify.model_copy(update={"chains": {"math": ()}})})
    report = run(made, tmp_path / "root")
    assert report.solve is not None
    assert report.solve["asked"] == ROWS
    assert report.solve["reasons"] == {"unsure/no_verifier": ROWS}


@pytest.mark.parametrize("want", [1, 2, 3])
def test_no_turn_is_given_that_a_slower_asker_would_not_give(want: int) -> None:
    """Asking in bunches asks nothing that asking one by one would not ask."""
    outcomes = ("pass", "fail", "error")
    for drawn in itertools.product(outcomes, repeat=4):
        turns = Turns(iter(range(4)), want)  # type: ignore[arg-type]  # what a request is, is nothing to it
        asked = []
        while due := turns.due():
            asked += due
            for one in due:
                turns.settle(_verdict(drawn[one]))  # type: ignore[call-overload]
        alone = 0
        while alone < 4 and sum(outcome != "fail" for outcome in drawn[:alone]) < want:
            alone += 1
        assert len(asked) == alone == turns.asked


def _verdict(outcome: str) -> Verdict:
    reason = {"pass": "ok", "fail": "wrong_answer", "error": "infrastructure"}[outcome]
    return Verdict.model_validate({"verifier": "x", "verifier_version": "1", "outcome": outcome, "reason": reason})


def test_samples_and_rounds_exclude_each_other(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not both"):
        flow(tmp_path, Fake(), samples=2, until_verified=UntilVerified())


def test_a_million_samples_come_in_parts() -> None:
    asking = Asking((Fake(), Fake(seed=1)), 1_000_000)
    parts = list(asking.parts())
    assert sum(len(part) for part in parts if part is not None) == asking.most == 2_000_000
    assert len({part.start for part in parts if part is not None}) == len(parts)


class _Unreadable(Fake):
    """A teacher whose reader fails on some replies, as one of a third party may."""

    def parse(self, question: Question, sample: int, call: Call, reply: Reply) -> Attempt:
        if question.problem.startswith("What is 7"):
            raise KeyError("choices")
        return super().parse(question, sample, call, reply)


def test_a_teacher_that_cannot_read_a_reply_loses_one_row(tmp_path: Path) -> None:
    report = run(flow(tmp_path, _Unreadable(error_rate=0.0), samples=1), tmp_path / "root")
    assert report.solve is not None
    assert report.solve["outcomes"] == {"error": 1, "pass": ROWS - 1}


@pytest.mark.parametrize("annotate", [{"samples": 2}, {"samples": 300}, {"until_verified": {"max_samples": 2}}])
def test_a_teacher_is_asked_for_its_domains_alone(tmp_path: Path, annotate: dict[str, Any]) -> None:
    rows = [{"problem": f"{n} + 1?", "answer": str(n + 1), "domain": "math" if n % 2 else "puzzle"} for n in range(6)]
    path = tmp_path / "mixed.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in [*rows, {**rows[0], "domain": "code"}]))
    columns = Columns(problem="problem", answer="answer", domain="domain")
    teachers = (Fake(error_rate=0.0, domains=("math",)), Fake(error_rate=1.0, domains=("puzzle",)))
    made = flow(tmp_path, *teachers, **annotate).model_copy(update={"sources": (Jsonl(path=path, columns=columns),)})
    report = run(made, tmp_path)
    each = annotate.get("samples", 0)
    assert report.solve is not None
    assert report.solve["asked"] == (6 * each if each else 3 * 1 + 3 * 2)  # all of math pass, all of puzzle fail
    assert report.solve["without_answer_reasons"] == {"no_teacher": 1}  # nobody is asked for code
    found = attempts(tmp_path, tmp_path)
    assert {problem: {outcome for _, outcome in got} for problem, got in found.items()} == {
        f"{n} + 1?": {"pass" if n % 2 else "fail"} for n in range(6)
    }
    assert {got[0][0] for got in found.values()} == {0}


def test_science_is_all_of_science_to_a_teacher_as_it_is_to_a_chain() -> None:
    def question(domain: str) -> Question:
        return Question.of(problem="Why?", domain=domain, truth=Unknown(), source="s", source_id="1")

    teacher = Fake(domains=("science",))
    assert [name for name in ("science", "physics", "biology", "math") if teacher.asks(question(name))] == [
        "science", "physics", "biology",
    ]  # fmt: skip
    assert not Fake(domains=("physics",)).asks(question("science"))
