"""What one node finds before the run begins: its folder, disk, GPUs, port and versions, and the way to the others.

`python -I code/probe.py --job FOLDER/job.json --token NAME [--need PATH...] [--reduce]`, on all nodes at once; who this
is and where the nodes meet stands in VERISTILL_RANK and VERISTILL_MASTER. The last line of the output is the report, as
JSON. Standard library alone, but for the ranks of the all-reduce, which import torch.
"""

import argparse
import importlib
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or __package__:
    from train.inside import process
else:  # run from code/, beside its siblings
    sys.path.insert(0, str(Path(__file__).absolute().parent))
    import process

MARK = "VERISTILL "
COMPARED = (
    "llamafactory", "torch", "transformers", "accelerate", "deepspeed", "datasets", "peft", "trl", "tokenizers",
    "liger-kernel", "flash-attn",
)  # fmt: skip
_ROUNDS = 5
_FLOATS = {"cuda": 64 << 20, "cpu": 1 << 20}  # of the all-reduce that is timed: 256 MiB, 4 MiB


def facts(folder: Path, job: dict[str, Any], token: str, need: list[str]) -> dict[str, Any]:
    """All but the all-reduce."""
    rank = int(os.environ.get("VERISTILL_RANK", "0"))
    found: dict[str, Any] = {
        "rank": rank,
        "host": socket.gethostname(),
        "time": time.time(),
        "python": platform.python_version(),
        "versions": {name: version for name in COMPARED if (version := _version(name))},
        "programs": {name: bool(shutil.which(name, path=_path())) for name in ("g++", "ninja", "nvcc")},
        "token": _token(folder / "state" / token, rank),
        "missing": [path for path in need if not (folder / path).exists()],
        "interpreter": os.access(job["python"], os.X_OK),
        "memory": _memory(),
        "gpus": _gpus(),
        "port": _port(int(job["port"])) if rank == 0 else None,
    }
    try:
        found["disk"] = shutil.disk_usage(folder).free
    except OSError as error:
        found["disk"] = None
        found["token"] = f"the folder cannot be read: {error.strerror}"
    return found


def _path() -> str:
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _token(path: Path, rank: int) -> str:
    """`ok` where this node sees what the control process wrote; its answer stands beside it."""
    try:
        words = path.read_text("utf-8")
        path.with_name(f"{path.name}-{rank}").write_text(f"{words} {rank}", "utf-8")
    except OSError as error:
        return f"{path}: {error.strerror}"
    return "ok"


def _memory() -> int | None:
    """Bytes of this node's memory."""
    try:
        lines = Path("/proc/meminfo").read_text("utf-8").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemTotal:")), None)


def _gpus() -> list[dict[str, Any]]:
    """Name, memory and memory in use of each GPU, in MiB, as the driver says it."""
    query = ["nvidia-smi", "--query-gpu=name,memory.total,memory.used", "--format=csv,noheader,nounits"]
    try:
        said = subprocess.run(query, capture_output=True, text=True, timeout=60, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    rows = [[part.strip() for part in line.split(",")] for line in said.splitlines() if line.strip()]
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        rows = rows[: len([one for one in visible.split(",") if one.strip() not in ("", "-1")])]
    return [{"name": name, "total": _number(total), "used": _number(used)} for name, total, used in rows]


def _number(text: str) -> int | None:
    return int(text) if text.isdigit() else None


def _port(port: int) -> str:
    """`free`, or who cannot be told holds it."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
            probe.listen(1)
        except OSError as error:
            return str(error.strerror)
    return "free"


def reduce(job: dict[str, Any], me: Path, timeout: float) -> dict[str, Any]:
    """Start this node's ranks for an all-reduce over all nodes; what rank 0 measured, or why it failed."""
    nodes, rank = int(job["nodes"]), os.environ.get("VERISTILL_RANK", "0")
    command = [str(job["python"]), "-m", "torch.distributed.run", "--nnodes", str(nodes), "--node-rank", rank]
    command += ["--nproc-per-node", str(job["processes"]), "--max-restarts", "0", "--master-port", str(job["port"])]
    command += ["--master-addr", str(job.get("master") or os.environ.get("VERISTILL_MASTER", "127.0.0.1"))]
    command += [str(me), "--ranks", str(job["accelerator"]), "--patience", str(timeout)]
    stale = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "GROUP_RANK")
    env = {key: value for key, value in os.environ.items() if key not in stale and not key.startswith("PET_")}
    env |= {"PYTHONSAFEPATH": "1", **job.get("env", {})}
    mine = os.getpid()
    process.adopt_orphans()  # torch's ranks have sessions of their own, and would hold their GPUs
    ranks = subprocess.Popen(
        command,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: process.die_with_parent(mine),
    )
    try:
        said, _ = ranks.communicate(timeout=timeout + 30)
    except subprocess.TimeoutExpired:
        process.end_descendants(mine, 0.0)
        ranks.communicate()
        return {"failed": f"no end after {timeout + 30:.0f} s: the nodes do not reach each other"}
    lines = said.splitlines()
    told = [line.removeprefix(MARK) for line in lines if line.startswith(MARK)]
    if ranks.returncode:
        errors = [line.strip() for line in lines if "Error" in line and "ChildFailedError" not in line]
        return {"failed": (errors or lines or [f"exit code {ranks.returncode}"])[-1][-400:]}
    return json.loads(told[-1]) if told else {}


def rank(accelerator: str, patience: float) -> None:
    """One rank: sum ones over all, check the sum, time it; then all look at their clocks at the same moment."""
    process.end_with_parent()
    torch: Any = importlib.import_module("torch")
    dist: Any = importlib.import_module("torch.distributed")
    from datetime import timedelta

    backend = "nccl" if accelerator == "cuda" else "gloo"
    if accelerator == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group(backend, timeout=timedelta(seconds=patience))
    world = dist.get_world_size()
    data = torch.ones(_FLOATS[accelerator], dtype=torch.float32, device=accelerator)
    dist.all_reduce(data)
    right = bool((data == world).all())
    _settle(torch, dist, accelerator)
    begin = time.perf_counter()
    for _ in range(_ROUNDS):
        dist.all_reduce(data)
    _settle(torch, dist, accelerator)
    seconds = (time.perf_counter() - begin) / _ROUNDS
    clocks = [torch.zeros(1, dtype=torch.float64, device=accelerator) for _ in range(world)]
    dist.barrier()
    dist.all_gather(clocks, torch.tensor([time.time()], dtype=torch.float64, device=accelerator))
    if dist.get_rank() == 0:
        times = [float(one) for one in clocks]
        # Of a ring: each rank sends and receives 2 (n - 1) / n of the data.
        moved = 2 * (world - 1) / world * data.numel() * data.element_size()
        told = {"world": world, "backend": backend, "right": right, "seconds": seconds, "bytes_s": moved / seconds}
        print(MARK + json.dumps({**told, "skew": max(times) - min(times)}), flush=True)
    dist.destroy_process_group()


def _settle(torch: Any, dist: Any, accelerator: str) -> None:
    dist.barrier()
    if accelerator == "cuda":
        torch.cuda.synchronize()


def main() -> int:
    """0: the report is the last line of the output."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--job", type=Path)
    parser.add_argument("--token", default="")
    parser.add_argument("--need", nargs="*", default=[])
    parser.add_argument("--reduce", action="store_true")
    parser.add_argument("--ranks", choices=["cuda", "cpu"])
    parser.add_argument("--patience", type=float, default=120.0)
    flags = parser.parse_args()
    if flags.ranks:
        rank(flags.ranks, flags.patience)
        return 0
    job = json.loads(flags.job.read_text("utf-8"))
    found = facts(flags.job.absolute().parent, job, flags.token, flags.need)
    if flags.reduce and found["port"] in ("free", None):
        found["reduce"] = reduce(job, Path(__file__).absolute(), flags.patience)
    print(MARK + json.dumps(found), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
