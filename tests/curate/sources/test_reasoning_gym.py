"""reasoning-gym's tasks as a source: the same questions everywhere, entries that its scorers accept, clear refusals."""

import json
from collections.abc import Callable, Iterator
from itertools import islice

import pytest

from curate.errors import InputError, Prerequisite
from curate.records import Drop, Question, Scored
from curate.sources.reasoning_gym import ReasoningGym


@pytest.fixture(autouse=True, scope="module")
def gym(missing: Callable[[str], None]) -> None:
    try:
        import reasoning_gym  # noqa: F401
    except ImportError:
        missing("reasoning-gym (pip install reasoning-gym)")


# Each reading starts a child, which imports reasoning-gym for 2 s of CPU: one serves several tests.
@pytest.fixture(scope="module")
def rehearsed() -> list[Question | Drop]:
    return list(ReasoningGym(task="leg_counting", size=100, seed=7).rehearsal().read())


def test_questions_and_their_entries(rehearsed: list[Question | Drop]) -> None:
    import reasoning_gym

    scorer = reasoning_gym.create_dataset("leg_counting", size=8, seed=7)
    assert [item.seq for item in rehearsed] == list(range(8))
    for item in rehearsed:
        assert isinstance(item, Question)
        assert isinstance(item.truth, Scored)
        assert (item.domain, item.source) == ("puzzle", "reasoning_gym/leg_counting")
        entry = json.loads(item.truth.entry)
        assert entry["question"] == item.problem
        assert scorer.score_answer(item.gold, entry) == 1.0
        assert scorer.score_answer("no legs at all", entry) < 1.0


def test_the_same_at_every_start(monkeypatch: pytest.MonkeyPatch) -> None:
    # It walks through a set: made in a process with random hashing it would differ.
    runs = []
    for seed in ("1", "2"):
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        runs.append([item.id for item in ReasoningGym(task="ransom_note", size=3, seed=3).read()])
    assert runs[0] == runs[1]


def test_a_task_whose_stored_entries_cannot_be_judged() -> None:
    items = list(ReasoningGym(task="arc_agi", size=2).read())
    assert [item.reason for item in items if isinstance(item, Drop)] == ["unreadable_truth"] * 2


def test_stopping_early_ends_the_child(rehearsed: list[Question | Drop]) -> None:
    reader = ReasoningGym(task="leg_counting", size=1_000_000, seed=7).read()
    assert isinstance(reader, Iterator)
    assert [item.id for item in islice(reader, 3)] == [item.id for item in rehearsed[:3]]
    reader.close()  # type: ignore[attr-defined]  # a child left behind would keep `close` waiting for a million rows


def test_wrong_task_and_options() -> None:
    with pytest.raises(InputError, match="no task 'leg_countin'") as caught:
        next(ReasoningGym(task="leg_countin").read())
    assert "did you mean 'leg_counting'?" in (caught.value.next or "")
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


def test_fingerprint_and_spec() -> None:
    source = ReasoningGym(task="leg_counting", size=100, seed=1)
    assert source.fingerprint() == ReasoningGym(task="chain_sum").fingerprint()
    assert source.spec() != ReasoningGym(task="leg_counting", size=100, seed=2).spec()
