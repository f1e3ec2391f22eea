"""GSM8K's recorded solutions against their published labels; MATH500 and AIME24 reference solutions; the truth file."""

import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pytest_asyncio

from curate.records import Answer
from curate.verifiers.math import Math
from curate.verifiers.worker import MEMORY_BYTES, worker_command
from sandbox.workers import Workers
from tests.real.verdicts import Recorded, disagreements, judge_all, reasons

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]


class Gate(NamedTuple):
    """The largest shares of rows that may be accepted or rejected wrongly, or left unsure."""

    accepts: float
    rejects: float
    unsure: float


GATES = {"gsm8k": Gate(0, 0, 0.01), "rho_math": Gate(0, 0.001, 0.03), "hard": Gate(0.005, 0.02, 0.03)}
MODELS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def workers() -> AsyncIterator[Workers]:
    async with Workers(worker_command(), count=2, memory_bytes=MEMORY_BYTES) as pool:
        yield pool


def lines(path: Path) -> list[dict[str, Any]]:
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


async def test_gsm8k_verdicts_agree_with_the_published_labels(data_dir: Path, workers: Workers) -> None:
    golds = [row["answer"].rpartition("####")[2].strip() for row in lines(data_dir / "gsm8k/test.jsonl")]
    solutions = lines(data_dir / "gsm8k/example_model_solutions.jsonl.gz")
    rows = [
        Recorded(f"{index} {model}", Answer(text=gold), row[model]["solution"], row[model]["is_correct"])
        for index, (gold, row) in enumerate(zip(golds, solutions, strict=True))
        for model in MODELS
    ]
    assert len(rows) == 5276
    verdicts = await judge_all(Math(), rows, workers=workers)
    wrong = disagreements(rows, verdicts)
    print(reasons(verdicts), *wrong, sep="\n")
    assert len(wrong) <= 5, wrong
    assert not [verdict for verdict in verdicts if verdict.outcome == "error"]
    # What disagrees is undecided, never decided the wrong way.
    assert all("unsure" in line for line in wrong), wrong


@pytest.mark.parametrize(("name", "count"), [("math", 500), ("aime", 30)])
async def test_reference_solutions_pass(data_dir: Path, workers: Workers, name: str, count: int) -> None:
    rows = [
        Recorded(f"{name} {index}", Answer(text=str(row["answer"])), row["solution"], True)
        for index, row in enumerate(lines(data_dir / f"limo_eval/{name}.jsonl"))
    ]
    assert len(rows) == count
    verdicts = await judge_all(Math(), rows, workers=workers)
    wrong = disagreements(rows, verdicts)
    assert len(wrong) <= count // 100, wrong
    assert not [verdict for verdict in verdicts if verdict.outcome == "error"]


async def test_the_reference_of_another_question_does_not_pass(data_dir: Path, workers: Workers) -> None:
    found = lines(data_dir / "limo_eval/math.jsonl")
    golds = [row["answer"] for row in found]
    rows = [
        Recorded(f"math {index}", Answer(text=gold), found[index]["solution"], False)
        for index, gold in enumerate(golds[1:] + golds[:1])
        if gold != found[index]["answer"]
    ]
    verdicts = await judge_all(Math(), rows, workers=workers)
    passed = [verdict.evidence for verdict in verdicts if verdict.outcome == "pass"]
    assert [(one["answer"], one["reference"]) for one in passed] == [("5", "x=5")]  # two questions, one answer
    assert reasons(verdicts)["fail/wrong_answer"] > 0.9 * len(rows)


async def test_the_truth_file(data_dir: Path, workers: Workers) -> None:
    """The gates, per source: recorded outputs are judged as whole texts, hand-written pairs as boxed answers."""
    rows = [row for row in lines(data_dir / "math_truth.jsonl") if not row["policy"]]
    records = [
        Recorded(
            row["id"],
            Answer(text=row["gold"]),
            f"\\boxed{{{row['answer']}}}" if row["kind"].startswith("hard") else row["prediction_text"],
            row["label"],
        )
        for row in rows
    ]
    verdicts = await judge_all(Math(), records, workers=workers)
    print(len(rows), reasons(verdicts), *disagreements(records, verdicts), sep="\n")
    assert not [verdict for verdict in verdicts if verdict.outcome == "error"]
    for kind, limits in GATES.items():
        chosen = [(row, one) for row, one in zip(rows, verdicts, strict=True) if row["kind"].startswith(kind)]
        accepted = sum(not row["label"] and one.outcome == "pass" for row, one in chosen)
        rejected = sum(row["label"] and one.outcome == "fail" for row, one in chosen)
        unsure = sum(one.outcome == "unsure" for _, one in chosen)
        print(kind, len(chosen), accepted, rejected, unsure)
        assert (accepted, rejected) <= (limits.accepts * len(chosen), limits.rejects * len(chosen)), kind
        assert rejected <= limits.rejects * len(chosen), kind
        assert unsure <= limits.unsure * len(chosen), kind
