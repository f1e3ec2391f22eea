"""Checkpoints as the trainer leaves them, made without it."""

import json
import struct
import zipfile
from pathlib import Path

from train.inside import checkpoints
from train.inside.checkpoints import Wanted

PLAIN = Wanted(world=2, ranks=2, shards=1, sharded="none", weights=True, resumable=True)
ZERO = Wanted(world=2, ranks=2, shards=2, sharded="zero", weights=True, resumable=True)


def torch_file(path: Path) -> None:
    """As torch.save writes it: an uncompressed zip archive."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"x" * 1000)


def tensors(path: Path, size: int = 64) -> None:
    header = json.dumps({"w": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(size))


def checkpoint(output: Path, step: int, wanted: Wanted, *, recorded: bool = True) -> Path:
    """One as the trainer leaves it."""
    path = output / f"checkpoint-{step}"
    path.mkdir(parents=True)
    tensors(path / "model.safetensors")
    for rank in range(wanted.ranks):
        torch_file(path / (f"rng_state_{rank}.pth" if wanted.world > 1 else "rng_state.pth"))
    torch_file(path / "scheduler.pt")
    if wanted.sharded == "zero":
        for rank in range(wanted.shards):
            torch_file(path / f"global_step{step}" / f"zero_pp_rank_{rank}_mp_rank_00_optim_states.pt")
            torch_file(path / f"global_step{step}" / f"zero_pp_rank_{rank}_mp_rank_00_model_states.pt")
        (path / "latest").write_text(f"global_step{step}")
    else:
        torch_file(path / "optimizer.pt")
    (path / "trainer_state.json").write_text(json.dumps({"global_step": step}))
    if recorded:
        checkpoints.record(path, wanted)
    return path
