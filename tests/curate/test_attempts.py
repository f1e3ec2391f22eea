"""The attempts table: in order, whatever came when, and however much of it had to leave memory."""

import random
from pathlib import Path

import pyarrow as pa
import pytest

from curate import attempts
from curate.attempts import AttemptTable, select, select_drops, selection_files
from curate.kinds import Opinion, Selector
from curate.records import Answer, Attempt, Question, Verdict
from curate.run import Run
from curate.solve import Decided, Solved


def solved(seq: int, samples: int) -> tuple[Question, Solved]:
    question = Question.of(
        problem=f"q{seq}", domain=f"d{seq % 3}", truth=Answer(text="1"), source="s", source_id=str(seq)
    )
    made = tuple(
        Decided(
            attempt=Attempt(
                id=f"{seq:016x}{sample:016x}", question_id=question.id, sample=sample, teacher="t",
                finish_reason="stop", request_key="0" * 32,
            ),
            verdict=Verdict(verifier="v", verifier_version="1", outcome=("pass", "fail")[seq % 2], reason="ok"),
        )
        for sample in range(samples)
    )  # fmt: skip
    return question.model_copy(update={"seq": seq}), Solved(seq=seq, asked=samples, answered=samples, decided=made)


@pytest.mark.parametrize("chunk", [5, 64, 10_000])
def test_it_is_the_same_in_memory_and_on_disk(chunk: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "_CHUNK", chunk)
    table = AttemptTable(tmp_path)
    seqs = list(range(300))
    random.Random(4).shuffle(seqs)
    for seq in seqs:
        table.add(*solved(seq, 1 + seq % 3))
        assert not list(tmp_path.iterdir())  # what lies on disk has no name: nothing is left by a process that dies
    found = table.table().to_pylist()
    assert [(row["seq"], row["sample"]) for row in found] == [
        (seq, sample) for seq in range(300) for sample in range(1 + seq % 3)
    ]
    assert all(row["attempt_id"] == f"{row['seq']:016x}{row['sample']:016x}" for row in found)
    assert {(row["seq"] % 3, row["domain"]) for row in found} == {(0, "d0"), (1, "d1"), (2, "d2")}
    assert all(row["outcome"] == ("pass", "fail")[row["seq"] % 2] for row in found)


class Careless(Selector):
    """Somebody else's selector: it looks at no `finish_reason`, and gives no reasons."""

    def select(self, attempts: pa.Table) -> list[Opinion]:
        return [Opinion(sample < 2) for sample in attempts.column("sample").to_pylist()]


def test_no_selector_makes_rows_of_unfinished_answers(tmp_path: Path) -> None:
    table = AttemptTable(tmp_path)
    for seq in range(4):
        question, made = solved(seq, 3)
        cut = [
            one.model_copy(update={"attempt": one.attempt.model_copy(update={"finish_reason": "length"})})
            for one in made.decided
        ]
        table.add(question, made.model_copy(update={"decided": tuple(cut)}) if seq == 2 else made)
    run = Run(tmp_path, "r")
    run.labels.mkdir(parents=True)
    left, counts = select(run, table.table(), [Careless()] * 12)
    assert set(left.column("finish_reason").to_pylist()) == {"stop"} and left.num_rows == 6
    assert counts[0].reasons == {"?": 4, "unfinished": 2} and counts[0].seen == counts[0].kept + counts[0].dropped
    assert {drop.reason for drop in select_drops(run)} == {"?", "unfinished"}
    assert [int(path.stem.split("-")[1]) for path in selection_files(run)] == list(range(12))
    assert table.table().num_rows == 12  # it can be asked for again


def test_it_can_be_empty(tmp_path: Path) -> None:
    assert AttemptTable(tmp_path).table().num_rows == 0
