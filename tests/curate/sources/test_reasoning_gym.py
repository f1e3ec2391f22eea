"""reasoning-gym's tasks as a source: the same questions everywhere, entries that its scorers accept, clear refusals."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import islice

import pytest

from curate.errors import InputError, Prerequisite
from curate.records import Drop, Question, Scored
from curate.sources.reasoning_gym import ReasoningGym


@pytest.fixture(autouse=True)
def gym(missing: Callable[[str], None]) -> None:
    try:
        import reasoning_gym  # noqa: F401
    except ImportError:
        missing("reasoning-gym (pip install reasoning-gym)")


def test_questions_and_their_entries() -> None:
    import reasoning_gym

    items = list(ReasoningGym(task="leg_counting", size=4, seed=7).read())
    scorer = reasoning_gym.create_dataset("leg_counting", size=4, seed=7)
    assert [item.seq for item in items] == [0, 1, 2, 3]
    for item in items:
        assert isinstance(item, Question)
        assert isinstance(item.truth, Scored)
        assert (item.domain, item.source) == ("puzzle", "reasoning_gym/leg_counting")
        entry = json.loads(item.truth.entry)
        assert entry["question"] == item.problem
        assert scorer.score_answer(item.gold, entry) == 1.0
        assert scorer.score_answer("no legs at all", entry) < 1.0
    assert items[2].id == list(islice(ReasoningGym(task="leg_counting", size=90, seed=7).read(), 3))[2].id


@pytest.mark.parametrize("task", ["ransom_note", "isomorphic_strings", "polynomial_multiplication"])
def test_the_same_at_every_start(task: str) -> None:
    # These walk through sets or hashes: made in a process with random hashing they would differ.
    script = (
        "from curate.sources.reasoning_gym import ReasoningGym as G; "
        f"print([q.id for q in G(task={task!r}, size=3, seed=3).read()])"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-P", "-c", script], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(runs) == 1


def test_a_task_whose_stored_entries_cannot_be_judged() -> None:
    items = list(ReasoningGym(task="arc_agi", size=2).read())
    assert [item.reason for item in items if isinstance(item, Drop)] == ["unreadable_truth"] * 2


def test_stopping_early_ends_the_child() -> None:
    reader = ReasoningGym(task="chain_sum", size=1_000_000).read()
    assert isinstance(reader, Iterator)
    assert isinstance(next(reader), Question)
    reader.close()  # type: ignore[attr-defined]  # a child left behind would keep `close` waiting for a million rows


def test_wrong_task_and_options() -> None:
    with pytest.raises(InputError, match="no task 'leg_countin'") as caught:
        next(ReasoningGym(task="leg_countin").read())
    assert "did you mean 'leg_counting'?" in (caught.value.next or "")
    with pytest.raises(InputError, match="min_animals must be positive"):
        next(ReasoningGym(task="leg_counting", options={"min_animals": 0}).read())
    with pytest.raises(InputError, match="unexpected keyword argument"):
        next(ReasoningGym(task="leg_counting", options={"legs": 0}).read())


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.metadata import PackageNotFoundError

    def absent(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("curate.sources.reasoning_gym.version", absent)
    with pytest.raises(Prerequisite) as caught:
        next(ReasoningGym(task="leg_counting").read())
    assert "pip install reasoning-gym" in (caught.value.next or "")


def test_rehearsal_and_fingerprint() -> None:
    source = ReasoningGym(task="leg_counting", size=100, seed=1)
    assert len(list(source.rehearsal().read())) == 8
    assert source.fingerprint() == ReasoningGym(task="chain_sum").fingerprint()
    assert source.spec() != ReasoningGym(task="leg_counting", size=100, seed=2).spec()
