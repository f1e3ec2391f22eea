"""Builds small datasets of every kind of question, for the tests of publishing."""

from pathlib import Path

import pyarrow as pa

from curate.publish.publish import Publish
from curate.publish.writer import DatasetWriter, Publication, Published
from curate.questions import SCHEMA, _to_row
from curate.records import Answer, Attempt, Choice, Question, Tests, Unknown, Verdict

MARKERS = "\n\n<|end_of_thought|>\n\n<|begin_of_solution|>\n\n</think>\n\n"


def questions() -> list[Question]:
    """One question of each kind, in `seq` order."""
    made = [
        Question.of(
            problem="1 + 1 = ?", domain="math", source="sums", source_id="0", licence="MIT", truth=Answer(text="2")
        ),
        Question.of(
            problem="Warum? 🤔 é", domain="math", source="sums", source_id="1", truth=Answer(text="42"), gold="Weil 42."
        ),
        Question.of(
            problem="Write add.",
            domain="code",
            source="puzzles|<b>",
            source_id="a",
            licence="Apache-2.0",
            truth=Tests(cases='{"fn_name": "add", "inputs": [[1, 2]], "outputs": [3]}'),
            starter_code="def add(a, b):\n",
        ),
        Question.of(
            problem="Which?",
            domain="puzzle",
            source="riddles",
            source_id="r",
            truth=Choice(letter="B", options=("x", "y")),
        ),
        Question.of(problem="Explain\0 light.", domain="science", source="essays", source_id="e", truth=Unknown()),
    ]
    return [question.model_copy(update={"seq": seq}) for seq, question in enumerate(made)]


def table(made: list[Question]) -> pa.Table:
    """The questions table that these questions stand in."""
    return pa.Table.from_pylist([_to_row(question) for question in made], schema=SCHEMA)


def attempt(question: Question, sample: int = 0, **fields: object) -> Attempt:
    """A finished attempt."""
    known: dict[str, object] = {
        "id": f"{question.id}-{sample}",
        "question_id": question.id,
        "sample": sample,
        "teacher": "replay/x",
        "model": "x-1",
        "reasoning": f"Think about {question.source_id} {sample}.",
        "solution": f"It is {sample}.",
        "finish_reason": "stop",
        "request_key": f"request-{question.source_id}-{sample}",
    }
    return Attempt.model_validate({**known, **fields})


def verdict(outcome: str = "pass", reason: str = "ok", **fields: object) -> Verdict:
    """A verdict with what a verifier measures, which must never be published."""
    return Verdict.model_validate(
        {
            "verifier": "math",
            "verifier_version": "1+math-verify-0.9.0",
            "outcome": outcome,
            "reason": reason,
            "seconds": 1.25,
            "measured": {"host": "SECRET-HOST"},
            "cost": 0.5,
            **fields,
        }
    )


def attempts(made: list[Question]) -> list[Published]:
    """Two attempts per question: the first selected, the second wrong; some without reasoning, some with markers."""
    rows: list[Published] = []
    for row, question in enumerate(made):
        reasoning = {0: MARKERS, 3: None}.get(row, f"Think about {question.source_id}.")
        first = attempt(question, 0, reasoning=reasoning)
        evidence = {"z": 1, "a": {"y": [1, 2], "x": "\ud800"}}
        rows.append(Published(row, first, verdict(evidence=evidence), True, f"verdict-{row}", "rev-1"))
        second = attempt(question, 1, finish_reason="length", solution="", model=None)
        rows.append(Published(row, second, verdict("fail", "truncated"), False))
    return rows


def write(target: Path, publish: Publish | None = None, batch: int = 100, partial: bool = False) -> Publication:
    """Publish the questions of this file to `target`, `batch` questions at a time."""
    made = questions()
    rows = attempts(made)
    with DatasetWriter(target, publish or Publish(), name="demo", partial=partial) as writer:
        for start in range(0, len(made), batch):
            part = [one for one in rows if start <= one.row < start + batch]
            moved = [
                Published(one.row - start, one.attempt, one.verdict, one.selected, one.verdict_key, one.source_revision)
                for one in part
            ]
            writer.add_batch(table(made[start : start + batch]), moved)
        return writer.finish()


def content(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, by its relative path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
