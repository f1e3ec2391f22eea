"""Which checkpoint training goes on from: the newest complete one.

A checkpoint is complete when its record (written after every rank has saved) names files that are there in full; one
without a record, when each file that its layout needs is there and ends as such a file must. Nothing is read whole.
Standard library only: runs in the training interpreter.
"""

import contextlib
import json
import os
import re
import shutil
import struct
import time
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

RECORD = "veristill.json"
KEPT_ASIDE = 2  # partial checkpoints are as large as whole ones: older ones are deleted, their reasons stay
_NAME = re.compile(r"checkpoint-(\d+)")
# Whole weights outside a checkpoint. LLaMA-Factory refuses an output folder that holds such a file and no checkpoint.
_WEIGHTS = ("model*.safetensors", "pytorch_model*.bin", "adapter_model*", "model*.index.json")


class Wanted(NamedTuple):
    """What a complete checkpoint of this job holds, in the folder that this node sees."""

    world: int  # ranks of the whole job
    ranks: int  # ranks that save into this folder: all, or one node's where each node has its own
    shards: int  # files of optimizer state in this folder
    sharded: str  # zero, fsdp or none
    weights: bool
    resumable: bool
    learns: str | None = None  # a digest of the rows and the student; None: not known

    @classmethod
    def of(cls, job: dict[str, Any]) -> "Wanted":
        """From the text of job.json."""
        expect, nodes = job.get("expect", {}), int(job["nodes"])
        world = nodes * int(job["processes"])
        share = 1 if job.get("shared", True) else nodes
        sharded = str(expect.get("sharded", "none"))
        shards = int(expect.get("shards", 1))
        return cls(
            world=world,
            ranks=world // share,
            shards=shards // share if sharded == "zero" else shards,
            sharded=sharded,
            weights=bool(expect.get("weights", True)),
            resumable=bool(expect.get("resumable", True)),
            learns=job.get("learns"),
        )


class Found(NamedTuple):
    """The newest complete checkpoint (None: there is none), and the partial ones that are newer, with the reasons."""

    newest: Path | None
    partial: list[tuple[Path, str]]

    @property
    def step(self) -> int:
        """Of the newest complete one; 0 where training starts at the beginning."""
        return step(self.newest) if self.newest else 0


class Refused(Exception):
    """Going on would be wrong: another number of ranks, another layout. The words say what to do instead."""


def step(path: Path) -> int:
    """The number in `checkpoint-N`."""
    match = _NAME.fullmatch(path.name)
    return int(match[1]) if match else 0


def listed(output: Path) -> list[Path]:
    """The checkpoint folders of `output`, newest first; complete or not."""
    if not output.is_dir():
        return []
    found = [path for path in output.iterdir() if _NAME.fullmatch(path.name) and path.is_dir()]
    return sorted(found, key=step, reverse=True)


def survey(output: Path, wanted: Wanted) -> Found:
    """Look from the newest checkpoint down to the first complete one. Raises Refused (see `refuse_other`)."""
    partial: list[tuple[Path, str]] = []
    for path in listed(output):
        reason = fault(path, wanted)
        if reason is None:
            return Found(path, partial)
        partial.append((path, reason))
    return Found(None, partial)


def fault(path: Path, wanted: Wanted) -> str | None:
    """Why a checkpoint is not complete; None if it is. Raises Refused where it is complete, but of another topology."""
    record = _json(path / RECORD)
    if record is not None:
        if reason := _missing(path, record.get("files", {})):
            return reason
        refuse_other(path, record, wanted)
    state = _json(path / "trainer_state.json")
    if state is None:
        return "trainer_state.json is missing or breaks off"
    if state.get("global_step") != step(path):
        return f"trainer_state.json is of step {state.get('global_step')}"
    if record is not None:  # what it needs is what the trainer saved: only whether that is whole is asked
        return _broken(path, [path / name for name in record.get("files", {})])
    return _weights(path, wanted) or (_resumable(path, wanted) if wanted.resumable else None)


def refuse_weights_alone(found: Found, wanted: Wanted) -> None:
    """Raises Refused where a run that saves no optimizer was begun: it can neither go on nor be thrown away."""
    if found.newest is not None and not wanted.resumable:
        raise Refused(
            f"{found.newest.name} holds weights alone, nothing can go on from it: move {found.newest.parent} away to "
            "begin again, or use its weights as they are"
        )


def refuse_other(path: Path, record: dict[str, Any], wanted: Wanted) -> None:
    """Sharded state fits only the topology that saved it.

    Raises Refused for another number of ranks (DeepSpeed and FSDP keep a part of the optimizer per rank), for another
    layout, and where the run now learns from something else: a finished one would make no step on the new rows and call
    itself done. A plain optimizer.pt serves any number of ranks.
    """
    world, sharded = record.get("world"), record.get("sharded")
    if record.get("learns") and wanted.learns and record["learns"] != wanted.learns:
        raise Refused(
            f"{path.name} has learnt from other rows (dataset, template, system, cutoff, packing, on_cut) or is of "
            "another student or method: start in another run (another `name:`), or undo the change to go on"
        )
    follow = "go on with the same nodes, GPUs and sharding, or start in another run (another `name:`)"
    if sharded != wanted.sharded:
        raise Refused(f"{path.name} was saved with sharding '{sharded}', this job has '{wanted.sharded}': {follow}")
    if sharded != "none" and world != wanted.world:
        raise Refused(
            f"{path.name} was saved by {world} ranks, this job has {wanted.world}: each rank's part of the optimizer "
            f"({sharded}) fits only the same number; {follow}"
        )


def complete_zero(path: Path, wanted: Wanted) -> None:
    """Name DeepSpeed's state where it did not itself.

    Only the first rank of all writes `latest`; where each node has a folder of its own, the others look for it in vain
    when they go on. To be called once every rank has saved.
    """
    tags = [one.name for one in path.glob("global_step*") if one.is_dir()]
    if wanted.sharded == "zero" and len(tags) == 1 and not (path / "latest").exists():
        (path / "latest").write_text(tags[0], "utf-8")


def record(path: Path, wanted: Wanted) -> None:
    """Write down that a checkpoint is complete. To be called once every rank has saved its part."""
    files = {
        str(one.relative_to(path)): one.stat().st_size
        for one in sorted(path.rglob("*"))
        if one.is_file() and one.name != RECORD
    }
    facts = {
        "step": step(path),
        "world": wanted.world,
        "sharded": wanted.sharded,
        "learns": wanted.learns,
        "files": files,
    }
    text = json.dumps({**facts, "time": round(time.time(), 3)}, indent=1)
    beside = path / f".{RECORD}"
    with beside.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path / RECORD)


def set_aside(path: Path, state: Path, reason: str, attempt: int) -> str:
    """Move a checkpoint (or a file of weights) out of LLaMA-Factory's sight into state/aside/; returns one line.

    The reason is appended to state/aside/reasons.jsonl. Where the disk is too full to write it down, or two are kept
    already, the oldest are deleted: what is incomplete is worth less than room for the next.
    """
    aside = state / "aside"
    aside.mkdir(parents=True, exist_ok=True)
    target = aside / f"{path.name}-before-attempt-{attempt}"
    _remove(target)
    path.rename(target)
    kept = sorted((one for one in aside.iterdir() if one.is_dir()), key=lambda one: one.stat().st_mtime)
    for old in kept[: len(kept) - KEPT_ASIDE]:
        _remove(old)
    note = {"what": path.name, "reason": reason, "attempt": attempt, "to": target.name, "time": round(time.time(), 3)}
    with contextlib.suppress(OSError), (aside / "reasons.jsonl").open("a", encoding="utf-8") as log:
        log.write(json.dumps(note) + "\n")
    return f"{path.name} set aside: {reason}"


def stray_weights(output: Path) -> list[Path]:
    """Whole weights that an ended attempt left in an output folder without any checkpoint."""
    return [] if listed(output) else sorted(one for name in _WEIGHTS for one in output.glob(name))


def size(path: Path) -> int:
    """Bytes of a checkpoint; of one that is being written or removed, of the files that are there now."""
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(folder, name)).st_size  # noqa: PTH118
    return total


def weight(output: Path) -> int:
    """Bytes of the newest checkpoint of `output`, which grow while it is written; 0 where there is none."""
    newest = next(iter(listed(output)), None)
    return size(newest) if newest else 0


def _missing(path: Path, files: dict[str, int]) -> str | None:
    for name, expected in files.items():
        try:
            real = (path / name).stat().st_size
        except OSError:
            return f"{name} is missing"
        if real != expected:
            return f"{name} has {real} of {expected} bytes"
    return None


def _weights(path: Path, wanted: Wanted) -> str | None:
    for index in path.glob("*.safetensors.index.json"):
        named = set((_json(index) or {}).get("weight_map", {}).values())
        if not named or any(not (path / name).exists() for name in named):
            return f"{index.name} names files that are missing"
    tensors = list(path.glob("*.safetensors"))
    if wanted.weights and not tensors and not list(path.glob("pytorch_model*")):
        return "it holds no weights"
    return _broken(path, tensors)


def _broken(path: Path, files: list[Path]) -> str | None:
    """The first of a checkpoint's files that does not end as its kind must."""
    for one in files:
        whole = {".safetensors": _safetensors_whole, ".pt": _torch_whole, ".pth": _torch_whole, ".bin": _torch_whole}
        if one.suffix in whole and not whole[one.suffix](one):
            return f"{one.relative_to(path)} breaks off"
    return None


def _resumable(path: Path, wanted: Wanted) -> str | None:
    """Why the state of optimizer, scheduler or random numbers is not whole."""
    state = {"zero": _zero, "fsdp": _fsdp}.get(wanted.sharded, _plain)(path, wanted)
    if isinstance(state, str):
        return state
    random = list(path.glob("rng_state*.pth"))
    if len(random) < wanted.ranks:
        return f"random state of {len(random)} of {wanted.ranks} ranks"
    return _broken(path, [*random, *state, *path.glob("scheduler.pt")])


def _zero(path: Path, wanted: Wanted) -> list[Path] | str:
    """DeepSpeed: `latest` names a folder that holds a shard of the optimizer per rank."""
    try:
        tag = (path / "latest").read_text("utf-8").strip()
    except OSError:
        return "DeepSpeed's file `latest` is missing"
    shards = list((path / tag).glob("*_optim_states.pt"))
    if len(shards) == wanted.shards:
        return [*shards, *(path / tag).glob("*_model_states.pt")]
    if shards and len(shards) == len(list(path.glob("rng_state*.pth"))):  # whole, but of another number of ranks
        refuse_other(path, {"world": len(shards), "sharded": "zero"}, wanted)
    return f"{len(shards)} of {wanted.shards} optimizer shards in {tag}"


def _fsdp(path: Path, wanted: Wanted) -> list[Path] | str:
    """FSDP: one file, or a folder of .distcp shards whose .metadata is written last."""
    if not isinstance(whole := _plain(path, wanted), str):
        return whole
    folders = [one for one in path.glob("optimizer_*") if one.is_dir()]
    if not folders:
        return "it holds no optimizer state"
    shards = [shard for folder in folders for shard in folder.glob("*.distcp")]
    if not all((folder / ".metadata").exists() for folder in folders) or len(shards) < wanted.shards:
        return f"{len(shards)} of {wanted.shards} optimizer shards"
    return shards


def _plain(path: Path, wanted: Wanted) -> list[Path] | str:
    found = [one for one in (path / "optimizer.pt", path / "optimizer.bin") if one.exists()]
    return found or "it holds no optimizer state"


def _torch_whole(path: Path) -> bool:
    """Whether a file of torch.save is whole: a zip archive, whose directory stands at its end."""
    try:
        with zipfile.ZipFile(path) as archive:
            return bool(archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False


def _safetensors_whole(path: Path) -> bool:
    """Whether a safetensors file is as long as its header says (8 bytes of length, JSON, then the tensors)."""
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > path.stat().st_size:
                return False
            header = json.loads(file.read(length))
        ends = [value["data_offsets"][1] for key, value in header.items() if key != "__metadata__"]
        return bool(path.stat().st_size == 8 + length + max(ends, default=0))
    except (OSError, struct.error, ValueError, AttributeError, KeyError, TypeError):  # a header of other things
        return False


def _json(path: Path) -> dict[str, Any] | None:
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    elif path.exists():
        path.unlink()
