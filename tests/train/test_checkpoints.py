"""Which checkpoints are complete, which are partial and why, and which must not be gone on from at all."""

import json
import os
from pathlib import Path

import pytest

from tests.train.saved import PLAIN, ZERO, checkpoint, tensors
from train.inside import checkpoints
from train.inside.checkpoints import Refused, Wanted


@pytest.mark.parametrize("wanted", [PLAIN, ZERO], ids=["plain", "zero"])
@pytest.mark.parametrize("recorded", [True, False])
def test_the_newest_complete_one_is_found(tmp_path: Path, wanted: Wanted, recorded: bool) -> None:
    for step in (4, 8, 12, 100):
        checkpoint(tmp_path, step, wanted, recorded=recorded)
    (tmp_path / "checkpoint-100" / "trainer_state.json").unlink()
    (tmp_path / "checkpoint-200").mkdir()  # a save that had just begun
    (tmp_path / "checkpoint-best").mkdir()  # none of ours
    (tmp_path / "checkpoint-300").write_text("a file")
    found = checkpoints.survey(tmp_path, wanted)
    assert (found.newest, found.step) == (tmp_path / "checkpoint-12", 12)
    assert [path.name for path, _ in found.partial] == ["checkpoint-200", "checkpoint-100"]


SPOILED = {
    "model.safetensors": "breaks off",
    "optimizer.pt": "breaks off",
    "rng_state_1.pth": "breaks off",
    "scheduler.pt": "breaks off",
    "trainer_state.json": "trainer_state.json is missing or breaks off",
}


@pytest.mark.parametrize("recorded", [True, False])
@pytest.mark.parametrize("name", SPOILED)
def test_a_file_that_breaks_off_is_found(tmp_path: Path, name: str, recorded: bool) -> None:
    path = checkpoint(tmp_path, 8, PLAIN, recorded=recorded)
    size = (path / name).stat().st_size
    os.truncate(path / name, size // 2)
    reason = checkpoints.fault(path, PLAIN)
    assert reason is not None
    assert (f"{size // 2} of {size} bytes" if recorded else SPOILED[name]) in reason
    (path / name).unlink()
    assert (checkpoints.fault(path, PLAIN) is None) == (name == "scheduler.pt" and not recorded)


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.pt", "rng_state_1.pth"])
def test_a_file_whose_blocks_never_reached_the_disk_is_found(tmp_path: Path, name: str) -> None:
    """After a power cut a file can have its length and hold zeros."""
    path = checkpoint(tmp_path, 8, PLAIN)
    (path / name).write_bytes(bytes((path / name).stat().st_size))
    assert checkpoints.fault(path, PLAIN) == f"{name} breaks off"


def test_a_record_that_breaks_off_is_no_record(tmp_path: Path) -> None:
    path = checkpoint(tmp_path, 8, PLAIN)
    os.truncate(path / checkpoints.RECORD, 20)
    assert checkpoints.fault(path, PLAIN) is None
    (path / "optimizer.pt").unlink()
    assert checkpoints.fault(path, PLAIN) == "it holds no optimizer state"


def test_each_shard_of_the_optimizer_counts(tmp_path: Path) -> None:
    path = checkpoint(tmp_path, 8, ZERO, recorded=False)
    for rank in (0, 1):
        (path / "global_step8" / f"zero_pp_rank_{rank}_mp_rank_00_optim_states.pt").unlink()
        assert checkpoints.fault(path, ZERO) == f"{1 - rank} of 2 optimizer shards in global_step8"
    (path / "latest").unlink()
    assert checkpoints.fault(path, ZERO) == "DeepSpeed's file `latest` is missing"


def test_a_node_of_its_own_names_what_deepspeed_names_on_the_first_alone(tmp_path: Path) -> None:
    path = checkpoint(tmp_path, 8, ZERO, recorded=False)
    (path / "latest").unlink()
    checkpoints.complete_zero(path, PLAIN)
    assert not (path / "latest").exists()
    checkpoints.complete_zero(path, ZERO)
    assert (path / "latest").read_text() == "global_step8"
    assert checkpoints.fault(path, ZERO) is None


@pytest.mark.parametrize("header", [b"[]", b'{"a": 1}', b'{"a": {}}'])
def test_a_header_of_other_things_is_no_whole_file(tmp_path: Path, header: bytes) -> None:
    path = checkpoint(tmp_path, 8, PLAIN, recorded=False)
    (path / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    assert checkpoints.fault(path, PLAIN) == "model.safetensors breaks off"


def test_shards_of_weights(tmp_path: Path) -> None:
    path = checkpoint(tmp_path, 8, PLAIN, recorded=False)
    index = {"weight_map": {"a": "model.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (path / "model.safetensors.index.json").write_text(json.dumps(index))
    assert checkpoints.fault(path, PLAIN) == "model.safetensors.index.json names files that are missing"


def test_weights_alone_need_no_state(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint-8"
    path.mkdir()
    (path / "trainer_state.json").write_text('{"global_step": 8}')
    alone = PLAIN._replace(resumable=False)
    assert checkpoints.fault(path, alone) == "it holds no weights"
    tensors(path / "model.safetensors")
    assert checkpoints.fault(path, alone) is None


@pytest.mark.parametrize("recorded", [True, False])
def test_zero_refuses_another_number_of_ranks(tmp_path: Path, recorded: bool) -> None:
    """It is whole, and setting it aside would throw the run away: the words say what to do."""
    checkpoint(tmp_path, 8, ZERO, recorded=recorded)
    four = ZERO._replace(world=4, ranks=4, shards=4)
    with pytest.raises(Refused, match=r"checkpoint-8 was saved by 2 ranks, this job has 4.*same nodes") as refused:
        checkpoints.survey(tmp_path, four)
    assert "another `name:`" in str(refused.value)


def test_another_layout_is_refused(tmp_path: Path) -> None:
    checkpoint(tmp_path, 8, ZERO)
    with pytest.raises(Refused, match="sharding 'zero', this job has 'none'"):
        checkpoints.survey(tmp_path, PLAIN)


def test_other_rows_are_refused(tmp_path: Path) -> None:
    """A finished run would make no step on them and say that it is done."""
    checkpoint(tmp_path, 8, PLAIN._replace(learns="a"))
    assert checkpoints.survey(tmp_path, PLAIN._replace(learns="a")).step == 8
    assert checkpoints.survey(tmp_path, PLAIN).step == 8, "not looked at"
    with pytest.raises(Refused, match=r"checkpoint-8 has learnt from other rows .* or is of another student"):
        checkpoints.survey(tmp_path, PLAIN._replace(learns="b"))
    checkpoint(tmp_path, 12, PLAIN)
    assert checkpoints.survey(tmp_path, PLAIN._replace(learns="b")).step == 12, "of an earlier version: unknown"


def test_a_plain_optimizer_serves_another_number_of_ranks(tmp_path: Path) -> None:
    path = checkpoint(tmp_path, 8, PLAIN)
    assert checkpoints.fault(path, PLAIN._replace(world=4, ranks=4)) is None


def test_a_node_with_a_folder_of_its_own_holds_its_part() -> None:
    job = {"nodes": 2, "processes": 4, "shared": False, "expect": {"shards": 8, "sharded": "zero"}}
    assert Wanted.of(job) == Wanted(world=8, ranks=4, shards=4, sharded="zero", weights=True, resumable=True)
    assert Wanted.of({**job, "shared": True}).shards == 8


def test_partial_ones_are_set_aside_and_do_not_fill_the_disk(tmp_path: Path) -> None:
    state = tmp_path / "state"
    for attempt, step in enumerate((4, 8, 12, 12)):
        path = checkpoint(tmp_path / "output", step, PLAIN)
        os.utime(path, (attempt, attempt))
        assert checkpoints.set_aside(path, state, "cut", attempt) == f"checkpoint-{step} set aside: cut"
    assert checkpoints.listed(tmp_path / "output") == []
    kept = sorted(path.name for path in (state / "aside").iterdir() if path.is_dir())
    assert kept == ["checkpoint-12-before-attempt-2", "checkpoint-12-before-attempt-3"]
    notes = [json.loads(line) for line in (state / "aside" / "reasons.jsonl").read_text().splitlines()]
    assert [(one["what"], one["reason"], one["attempt"]) for one in notes] == [
        ("checkpoint-4", "cut", 0),
        ("checkpoint-8", "cut", 1),
        ("checkpoint-12", "cut", 2),
        ("checkpoint-12", "cut", 3),
    ]


def test_weights_without_a_checkpoint_are_strays(tmp_path: Path) -> None:
    """LLaMA-Factory refuses to begin in such a folder."""
    tensors(tmp_path / "model.safetensors")
    (tmp_path / "trainer_log.jsonl").write_text("{}\n")
    assert checkpoints.stray_weights(tmp_path) == [tmp_path / "model.safetensors"]
    checkpoint(tmp_path, 4, PLAIN)
    assert checkpoints.stray_weights(tmp_path) == []
