"""The audit at full size: 10,000 rows with 100 of every planted fault, its rate, its memory and its mistakes.

    python -m tests.bench.audit --data DATA --folder FOLDER [--rows 10000] [--each 100] [--only-quick]

Prints one JSON object. `--only-quick` leaves out the plants that cost their whole CPU limit or a gibibyte of memory,
so that the rate is that of ordinary rows.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.audit_faults import make, misjudged, write
from tests.bench.soak import watch


def main() -> None:
    """Make the rows, audit them, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder of real data")
    parser.add_argument("--folder", type=Path, required=True, help="an empty folder")
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--each", type=int, default=100)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--only-quick", action="store_true")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    costly = {"looping": 0, "memory_hog": 0} if args.only_quick else {}
    rows = make(args.data, args.rows, args.each, fewer=costly)
    write(rows, args.folder / "set.jsonl")

    out = args.folder / "out.jsonl"
    command = [
        str(Path(sys.executable).with_name("veristill")),
        "audit",
        str(args.folder / "set.jsonl"),
        "-o",
        str(out),
    ]
    command += ["--workers", str(args.workers)] if args.workers else []
    summary, code, peak, wall = watched([*command, "--json"])
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    wrong = misjudged([kind for kind, _ in rows], found)
    result = {
        "exit": code,
        "rows": len(found),
        "kinds": dict(sorted(Counter(kind for kind, _ in rows).items())),
        "outcomes": summary["outcomes"],
        "misjudged": len(wrong),
        "examples": wrong[:20],
        "wall_s": round(wall, 1),
        "rows_per_s": round(len(found) / wall, 1),
        "cpu_s": round(used.ru_utime + used.ru_stime, 1),
        "judging_cpu_s": round(sum(one["seconds"] for one in found), 1),
        "peak_rss_mb": {name: value >> 20 for name, value in peak.items()},
        "load": os.getloadavg()[0],
    }
    print(json.dumps(result, indent=1))


def watched(command: list[str]) -> tuple[Any, int, dict[str, int], float]:
    """What a command prints as JSON, its exit code, its peak memory in bytes (`main`, `tree`), its seconds."""
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    peak, stop = {"main": 0, "tree": 0}, threading.Event()
    watcher = threading.Thread(target=watch, args=(process.pid, peak, stop))
    watcher.start()
    summary = json.loads(process.communicate()[0])
    stop.set()
    watcher.join()
    return summary, process.returncode, peak, time.monotonic() - began


if __name__ == "__main__":
    main()
