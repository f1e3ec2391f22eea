"""Peak memory of real training against the plan, and packed against unpacked rows in tokens a second.

    python -m tests.bench.train_memory --python TRAINING_PYTHON [--student Qwen/Qwen2.5-1.5B] [--gpus 1] [--folder DIR]
    python -m tests.bench.train_memory --python TRAINING_PYTHON --tiny --device cpu     does the script itself work?

Trains a student of random weights with LLaMA-Factory on rows that fill the cutoff, at two lengths under two ZeRO
settings, and prints one JSON object: for each the peak that torch allocated, the plan without its workspace (torch
does not allocate that), and their ratio. On the CPU there is no such peak: the figures then say only that it ran.
"""

import argparse
import json
import os
import random
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import yaml

from tests.train.tiny import write_student
from train.block import Train
from train.dataset import find
from train.facts import facts, known
from train.lengths import measured
from train.memory import on_gpu, total
from train.render import Inputs, rendered, write

RANK = Path(__file__).with_name("train_rank.py")
STEPS = 4  # of a run that is measured for its memory
_PORT = 29731


def main() -> None:
    """Make the student and the rows, train, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", type=Path, required=True, help="the interpreter of `veristill train setup`")
    parser.add_argument("--student", default="Qwen/Qwen2.5-1.5B", help="a student of train/students.yaml: its shape")
    parser.add_argument("--tiny", action="store_true", help="the tests' two-layer student instead")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--gpus", type=int, default=1)
    parser.add_argument("--cutoffs", type=int, nargs="+")
    parser.add_argument("--settings", nargs="+", default=["zero2", "zero3"], choices=("zero2", "zero3"))
    parser.add_argument("--rows", type=int, help="of the speed test")
    parser.add_argument("--folder", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="train-memory-") as made:
        folder = args.folder or Path(made)
        student = _student(args, folder / "student")
        cutoffs = args.cutoffs or ([128, 256] if args.tiny else [4096, 16384])
        memory = [_memory(args, folder, student, cutoff, shard) for cutoff in cutoffs for shard in args.settings]
        speed = _speed(args, folder, student, cutoffs[-1])
    print(
        json.dumps({"student": args.student if not args.tiny else "tiny", "memory": memory, "speed": speed}, indent=2)
    )


def _student(args: argparse.Namespace, folder: Path) -> Path:
    write_student(args.python, folder)
    if args.tiny:
        return folder
    table = yaml.safe_load(Path("train/students.yaml").read_text("utf-8"))
    config = next(entry["config"] for key, entry in table.items() if args.student in (key, *entry["names"]))
    (folder / "shape.json").write_text(json.dumps(config), "utf-8")
    subprocess.run([args.python, "-I", RANK, "make", folder, folder / "shape.json"], check=True)
    assert facts(str(folder)).parameters in {published for _, published in known().values()}
    return folder


def _rows(folder: Path, lengths: list[int]) -> Path:
    """Rows of at least so many tokens each: random digits, of which the tiny tokenizer joins two or three."""
    chance = random.Random(0)
    (folder / "default").mkdir(parents=True)
    with (folder / "default" / "train.jsonl").open("w", encoding="utf-8") as file:
        for length in lengths:
            text = "".join(chance.choices("0123456789", k=3 * length))
            turns = [{"from": "user", "value": "Write digits."}, {"from": "assistant", "value": text}]
            file.write(json.dumps({"system": "", "conversations": turns}) + "\n")
    return folder


def _block(args: argparse.Namespace, student: Path, dataset: Path, **more: Any) -> Train:
    cpu = args.device == "cpu"
    settings: dict[str, Any] = {
        "student": str(student),
        "dataset": str(dataset),
        "epochs": 1,
        "batch": {"rows": args.gpus},
        "offload": "none",
        "precision": "fp32" if cpu else "bf16",
        "cluster": {"nodes": 1, "gpus": args.gpus, "gpu": "cpu" if cpu else "h100-80"},
        "checkpoints": {"every": 10_000},
        **more,
    }
    return Train.model_validate(settings)


def _train(args: argparse.Namespace, here: Path, block: Train, student: Path, dataset: Path) -> list[dict[str, Any]]:
    """Run it on every GPU; what each rank measured."""
    made = rendered(block, name=here.name, here=here, python=str(args.python), inputs=Inputs(student, find(dataset)))
    write(made, here)
    ranks = here / "ranks"
    command = [
        str(args.python), "-m", "torch.distributed.run", "--nnodes=1", f"--nproc_per_node={args.gpus}",
        "--master_addr=127.0.0.1", f"--master_port={_PORT}", str(RANK), "run", str(ranks),
    ]  # fmt: skip
    done = subprocess.run(command, cwd=here, env={**os.environ, **made.job.env}, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{here.name} failed ({done.returncode}):\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    return [json.loads(path.read_text("utf-8")) for path in sorted(ranks.glob("*.json"))]


def _memory(args: argparse.Namespace, folder: Path, student: Path, cutoff: int, shard: str) -> dict[str, Any]:
    name = f"{shard}-{cutoff}"
    rows = _rows(folder / f"rows-{name}", [cutoff] * args.gpus * STEPS)
    block = _block(args, student, rows, shard=shard, cutoff=cutoff, max_steps=STEPS)
    seen = _train(args, folder / name, block, student, rows)
    parts = {part.name: part.size for part in on_gpu(facts(str(student)), block)}
    planned = total(on_gpu(facts(str(student)), block)) - parts.get("workspace", 0)
    peak = max(one["allocated"] for one in seen)
    return {
        "shard": shard,
        "cutoff": cutoff,
        "gpu": seen[0]["gpu"],
        "steps": len(seen[0]["steps"]),
        "peak_bytes": peak or None,
        "reserved_bytes": max(one["reserved"] for one in seen) or None,
        "resident_bytes": max(one["resident"] for one in seen),
        "planned_bytes": round(planned),
        "parts": {key: round(size) for key, size in parts.items()},
        "ratio": round(peak / planned, 3) if peak else None,
    }


def _speed(args: argparse.Namespace, folder: Path, student: Path, cutoff: int) -> dict[str, Any]:
    """Tokens a second of the same rows, one a sequence and packed; the first step is not counted."""
    chance = random.Random(1)
    count = args.rows or (24 if args.tiny else 64) * args.gpus
    lengths = [max(8, min(cutoff, round(chance.lognormvariate(0, 0.66) * 0.36 * cutoff))) for _ in range(count)]
    rows = _rows(folder / "rows-speed", lengths)
    found: dict[str, Any] = {"cutoff": cutoff, "rows": count}
    for packing in ("none", "neat"):
        attention = "fa2" if packing == "neat" and args.device == "cuda" else "auto"
        block = _block(args, student, rows, shard="zero3", cutoff=cutoff, packing=packing, attention=attention)
        tokens = sum(measured(block, rows, limit=count).trained(cutoff, "keep"))
        steps = _train(args, folder / f"speed-{packing}", block, student, rows)[0]["steps"]
        seconds = steps[-1] - steps[0]
        found[packing] = round(tokens * (len(steps) - 1) / len(steps) / seconds, 1)
    found["packed_over_unpacked"] = round(found["neat"] / found["none"], 2)
    return found


if __name__ == "__main__":
    main()
