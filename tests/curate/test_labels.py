"""Label stages: in = kept + dropped, results are reused exactly while nothing before them changed."""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pyarrow as pa
import pytest

from curate.ingest import ingest
from curate.kinds import Label, Opinion, Source
from curate.labels import clean, label_drops
from curate.progress import Progress
from curate.records import Answer, Drop, Question
from curate.run import Run

QUIET = Progress(quiet=True)


class Numbers(Source):
    """Numbers as questions; every seventh row is a drop."""

    count: int = 30

    def read(self) -> Iterator[Question | Drop]:
        for number in range(self.count):
            if number % 7 == 6:
                yield Drop(unit="question", id=f"n/{number}", seq=number, stage="ingest", reason="seventh")
            else:
                yield Question.of(
                    problem=f"{number}", domain="math", truth=Answer(text="1"), source="n", source_id=str(number)
                ).model_copy(update={"seq": number})

    def fingerprint(self) -> str:
        return "numbers"


class Odd(Label):
    """Drops odd numbers, or every number divisible by `also`."""

    calls: ClassVar[list[int]] = []
    also: int = 0

    def label(self, rows: pa.Table) -> list[Opinion]:
        Odd.calls.append(rows.num_rows)
        out = []
        for text in rows.column("problem").to_pylist():
            bad = int(text) % 2 or (self.also and int(text) % self.also == 0)
            out.append(Opinion(False, "odd", {"n": int(text)}) if bad else Opinion(True))
        return out


class Whole(Odd):
    whole: ClassVar[bool] = True


@pytest.fixture
def run(tmp_path: Path) -> Run:
    run = Run(tmp_path, "r")
    run.folder.mkdir(parents=True)
    return run


def test_counts_add_up_and_results_are_reused(run: Run) -> None:
    done = ingest(run, [Numbers()], None, QUIET)
    assert (done.rows, done.questions, done.dropped, done.reused) == (30, 26, 4, False)
    assert ingest(run, [Numbers()], None, QUIET).reused
    assert not ingest(run, [Numbers()], 10, QUIET).reused
    done = ingest(run, [Numbers()], None, QUIET)

    kept, counts = clean(run, [Odd(), Whole(also=4)], done.rows, done.key, QUIET)
    assert [(one.seen, one.kept, one.dropped) for one in counts] == [(26, len(range(0, 30, 2)) - 2, 13), (13, 6, 7)]
    assert len(kept) == 6
    assert [one.reused for one in counts] == [False, False]
    _, again = clean(run, [Odd(), Whole(also=4)], done.rows, done.key, QUIET)
    assert [one.reused for one in again] == [True, True]
    _, other = clean(run, [Odd(), Whole(also=8)], done.rows, done.key, QUIET)
    assert [one.reused for one in other] == [True, False]
    drops = list(label_drops(run, [Odd(), Whole(also=8)]))
    assert len(drops) == sum(one.dropped for one in other)
    assert drops[0].evidence == {"n": 1}


def test_reading_only_stops_before_what_is_not_there(run: Run) -> None:
    done = ingest(run, [Numbers()], None, QUIET)
    clean(run, [Odd()], done.rows, done.key, QUIET)
    kept, counts = clean(run, [Odd(), Whole()], done.rows, done.key, None)
    assert len(counts) == 1
    assert len(kept) == 13


def test_a_whole_stage_sees_all_rows_at_once(run: Run) -> None:
    done = ingest(run, [Numbers(count=9000)], None, QUIET)
    Odd.calls.clear()
    clean(run, [Odd(), Whole()], done.rows, done.key, QUIET)
    *batches, whole = Odd.calls
    assert len(batches) > 1
    assert whole == sum(batches) - sum(1 for n in range(9000) if n % 7 != 6 and n % 2)


def test_a_removed_stage_leaves_no_labels(run: Run) -> None:
    done = ingest(run, [Numbers()], None, QUIET)
    clean(run, [Odd(), Whole()], done.rows, done.key, QUIET)
    clean(run, [Odd()], done.rows, done.key, QUIET)
    assert len(list(run.labels.iterdir())) == 1
