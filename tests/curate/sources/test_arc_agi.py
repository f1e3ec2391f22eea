"""ARC-AGI: one question for each test grid, in either edition's columns, with a truth that the grid verifier reads."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from curate.errors import InputError
from curate.records import Drop, Grid, Question
from curate.sources.arc_agi import ArcAgi
from curate.verifiers.grid import find_attempts

Lines = Callable[..., Path]
PAIR = {"input": [[1, 0], [0, 2]], "output": [[0, 1], [2, 0]]}


def task(*tests: Any, **more: Any) -> dict[str, Any]:
    return {"train": [PAIR, PAIR], "test": list(tests), **more}


def test_a_question_for_each_test_grid_named_by_its_task(lines: Lines) -> None:
    path = lines(task({"input": [[5]], "output": [[6]]}, {"input": [[7]], "output": [[8]]}, id="abc"))
    one, two = [item for item in ArcAgi(path=path).read() if isinstance(item, Question)]
    assert (one.source_id, two.source_id) == ("abc-0", "abc-1")
    assert (one.truth, two.truth) == (Grid(cells=((6,),)), Grid(cells=((8,),)))
    assert "Pair 2, output:\n0 1\n2 0\n\nLast grid, input:\n7\n" in two.problem
    assert "8" not in two.problem
    assert (one.domain, one.licence) == ("puzzle", "apache-2.0")


def test_without_an_id_the_pairs_name_the_task(lines: Lines) -> None:
    test = {"input": [[5]], "output": [[6]]}
    (one,) = ArcAgi(path=lines(task(test))).read()
    (again,) = ArcAgi(path=lines({"x": 0, **task(test)}, name="other.jsonl")).read()
    assert isinstance(one, Question)
    assert isinstance(again, Question)
    assert one.source_id == again.source_id
    assert len(one.source_id) == 10


@pytest.mark.parametrize("edition", [1, 2])
def test_the_bundled_truths_are_read_back_from_lines_and_lists(edition: Any) -> None:
    source = ArcAgi(edition=edition).rehearsal()
    found = [item for item in source.read() if isinstance(item, Question)]
    assert len(found) >= 3
    for question in found:
        assert isinstance(question.truth, Grid)
        cells = question.truth.cells
        assert find_attempts("\n".join(" ".join(map(str, row)) for row in cells)) == [cells]
        assert find_attempts(json.dumps(cells)) == [cells]


def test_hidden_outputs_and_broken_rows_are_drops(lines: Lines) -> None:
    ragged = {"train": "no list", "test": [PAIR]}
    items = ArcAgi(path=lines(task({"input": [[5]]}), task({"output": [[5]]}), task(), ragged)).read()
    assert [item.reason for item in items if isinstance(item, Drop)] == [
        "no_answer", "wrong_type", "wrong_type", "wrong_type",
    ]  # fmt: skip


def test_a_missing_column_stops_the_run(lines: Lines) -> None:
    with pytest.raises(InputError, match="no column 'test'"):
        list(ArcAgi(path=lines({"train": [PAIR]})).read())


def test_the_editions_and_splits_of_the_hub() -> None:
    def places(**options: Any) -> list[tuple[str, str]]:
        return [(hub.path, hub.split) for hub in ArcAgi(**options).hubs()]

    assert places() == [("lordspline/arc-agi", "training")]
    assert places(edition=2, split="evaluation") == [("arc-agi-community/arc-agi-2", "test")]
    assert [split for _, split in places(edition=2, split="all")] == ["train", "test"]


@pytest.mark.parametrize("split", ["training", "evaluation", "all", "training+evaluation"])
def test_every_split_can_be_rehearsed(split: str) -> None:
    assert len(list(ArcAgi(split=split).rehearsal().read())) == 4


@pytest.mark.real
def test_the_real_tasks_give_a_question_for_each_test_grid(data_dir: Path) -> None:
    for path, edition, split, count in (
        ("arc_agi1/evaluation", 1, "evaluation", 419),
        ("arc_agi2/evaluation", 2, "evaluation", 167),
    ):
        source = ArcAgi.model_validate({"path": data_dir / f"{path}.jsonl.gz", "edition": edition, "split": split})
        found = [item for item in source.read() if isinstance(item, Question)]
        assert len(found) == len({question.source_id for question in found}) == count
        for question in found[::10]:
            assert isinstance(question.truth, Grid)
            assert find_attempts(json.dumps(question.truth.cells)) == [question.truth.cells]
