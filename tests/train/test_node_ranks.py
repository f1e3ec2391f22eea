"""What ranks agree on before and while they train: the checkpoint to go on from, the step to pause after."""

import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.train.saved import ZERO, checkpoint
from train.inside import entry, process
from train.inside.checkpoints import Wanted

JOB: dict[str, Any] = {"nodes": 2, "processes": 1, "expect": {"shards": 2, "sharded": "zero"}}
OWN = ZERO._replace(ranks=1, shards=1)  # a node's part, where each node has its own folder


class Store:
    """As torch's TCPStore: `get` waits until the key is there."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.changed = threading.Condition()

    def set(self, key: str, value: str) -> None:
        with self.changed:
            self.values[key] = value
            self.changed.notify_all()

    def get(self, key: str) -> bytes:
        with self.changed:
            assert self.changed.wait_for(lambda: key in self.values, 10)
            return self.values[key].encode()

    def check(self, keys: list[str]) -> bool:
        return all(key in self.values for key in keys)


def rank(folder: Path, number: int, store: Store, monkeypatch: pytest.MonkeyPatch, **job: Any) -> entry.Rank:
    for name, value in {"RANK": number, "WORLD_SIZE": 2, "VERISTILL_NODE": number, "VERISTILL_ATTEMPT": 3}.items():
        monkeypatch.setenv(name, str(value))
    made = entry.Rank(folder, {**JOB, **job})
    made._store = store
    return made


def agreed(ranks: list[entry.Rank]) -> list[int]:
    found: dict[int, Path | None] = {}
    threads = [threading.Thread(target=lambda one=one: found.update({one.rank: one.agreed()})) for one in ranks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return [int(path.name.partition("-")[2]) if path else 0 for path in (found[one.rank] for one in ranks)]


def test_nodes_with_folders_of_their_own_go_on_from_one_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Node 1 was killed while it saved step 12; a later step of node 0 must not be gone on from."""
    store = Store()
    ranks = [rank(tmp_path / str(node), node, store, monkeypatch, shared=False) for node in (0, 1)]
    assert ranks[0].wanted == Wanted.of({**JOB, "shared": False}) == OWN._replace(weights=True)
    for step in (4, 8, 12):
        for node in (0, 1):
            checkpoint(ranks[node].output, step, OWN)
    (ranks[1].output / "checkpoint-12" / "latest").unlink()
    assert agreed(ranks) == [8, 8]
    for one in ranks:
        assert sorted(path.name for path in one.output.iterdir()) == ["checkpoint-4", "checkpoint-8"]
        assert (one.state / "aside" / "checkpoint-12-before-attempt-3").is_dir()


def test_nodes_that_have_nothing_in_common_begin_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the folder of one node was lost with its machine."""
    store = Store()
    ranks = [rank(tmp_path / str(node), node, store, monkeypatch, shared=False) for node in (0, 1)]
    checkpoint(ranks[0].output, 4, OWN)
    assert agreed(ranks) == [0, 0]
    assert list(ranks[0].output.iterdir()) == [], "LLaMA-Factory would find it on its own"


def test_one_folder_is_looked_after_by_one_rank(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store()
    ranks = [rank(tmp_path, node, store, monkeypatch) for node in (0, 1)]
    assert [one.keeper for one in ranks] == [True, False]
    checkpoint(tmp_path / "output", 4, ZERO)
    (checkpoint(tmp_path / "output", 8, ZERO) / "trainer_state.json").unlink()
    assert agreed(ranks) == [4, 4]


def test_all_pause_after_the_same_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The request arrives while rank 1 has ended a step that rank 0 has not."""
    store = Store()
    first, second = (entry.Beat(rank(tmp_path, node, store, monkeypatch)) for node in (0, 1))
    assert not first.stops(4)
    assert not second.stops(4)
    assert not second.stops(5)
    process.write_state(tmp_path / "state" / "stop.json", {"attempt": 2})
    assert not first.stops(5), "of an earlier attempt"
    process.write_state(tmp_path / "state" / "stop.json", {"attempt": 3})
    assert not first.stops(6)
    assert [second.stops(6), second.stops(7), first.stops(7)] == [False, True, True]


def test_a_lock_that_a_killed_compiler_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """torch waits for such a file for ever."""
    monkeypatch.setenv("TORCH_EXTENSIONS_DIR", str(tmp_path))
    for name, age in (("dead", 7200), ("at work", 7200), ("new", 0)):
        (tmp_path / "py311" / name).mkdir(parents=True)
        for file in ("lock", "build.ninja"):
            path = tmp_path / "py311" / name / file
            path.touch()
            os.utime(path, (time.time() - age,) * 2)
    (tmp_path / "py311" / "at work" / "op.o").touch()
    entry._free_stale_builds()
    assert sorted(path.parent.name for path in tmp_path.rglob("lock")) == ["at work", "new"]
