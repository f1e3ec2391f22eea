"""Finding near questions: our join beside brute force, MinHash libraries and the rule of OpenThoughts-114k.

    python -P tests/bench/dedup_peers.py [--rows 20000] [--rounds 3] [--only brute,pairs,ours] [--family 5000]

Rows are the real questions under VERISTILL_DATA, each once, filled up to `--rows` with planted variants of them
(copies, typos, other numbers, words in another order), by a fixed seed. Each runner is a process of its own, imports
apart, rounds in turn; rensa and datasketch have environments of their own. `pairs` must find brute force's very pairs.
Recall and precision of groups are over pairs of rows: those that `ratio >= threshold` joins.
"""

import argparse
import gzip
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.compat.environments import NoPackages, environment  # noqa: E402

DATA = Path(os.environ.get("VERISTILL_DATA", ROOT.parent / "shared" / "data"))
NEAR = Path(__file__).parent / "peers" / "near.py"
PACKAGES = {"rensa": ["rensa"], "datasketch": ["datasketch"]}
ALL = ["brute", "half", "pairs", "ours", "minhash", "rensa", "datasketch", "openthoughts"]
TIMEOUT_S = 3600


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threshold", type=float, default=95.0)
    parser.add_argument("--family", type=int, default=0, help="rows of one family of number variants, on top")
    parser.add_argument("--only", default=",".join(ALL))
    args = parser.parse_args()
    texts, real = rows_of(args.rows, args.family)
    print(f"{len(texts)} rows, {len(set(texts))} distinct, {real} real questions, load {os.getloadavg()[0]:.1f}")
    told: dict[str, list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "texts.json"
        file.write_text(json.dumps(texts), "utf-8")
        for _ in range(args.rounds):
            for name in args.only.split(","):
                one = runner(name, file, args.threshold)
                if one is not None:
                    told.setdefault(name, []).append(one)
                    print(f"{name}: {one['wall_s']:.2f} s wall, {one['cpu_s']:.2f} s CPU", flush=True)
    show(told)


def runner(name: str, file: Path, threshold: float) -> dict[str, Any] | None:
    """Run one runner and return what it told; None where its environment cannot be made."""
    python: str | Path = sys.executable
    if name in PACKAGES:
        try:
            python = environment(*PACKAGES[name])
        except NoPackages as missing:
            print(f"{name}: {missing}")
            return None
    path = {**os.environ, "PYTHONPATH": str(ROOT)} if python == sys.executable else dict(os.environ)
    command = [str(python), "-P", str(NEAR), name, str(file), str(threshold)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT_S, env=path)
    if done.returncode != 0:
        raise RuntimeError(f"{name}: {done.stderr[-1500:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def rows_of(count: int, family: int) -> tuple[list[str], int]:
    """The rows, shuffled, and how many of them are real questions."""
    draw = random.Random(20260101)
    real = list(dict.fromkeys(questions()))
    draw.shuffle(real)
    real = real[:count]
    texts = list(real)
    while len(texts) < count:
        texts.append(variant(draw.choice(real), draw))
    stem = (
        "Tom has {} apples and buys {} more for {} dollars each at the market on the corner. How many has he after {}?"
    )
    texts += [stem.format(*(draw.randint(1, 9999) for _ in range(4))) for _ in range(family)]
    draw.shuffle(texts)
    return texts, len(real)


def questions() -> list[str]:
    """Questions of GSM8K, MATH500, AIME, AMC, Minerva, OlympiadBench and contests."""
    files = [DATA / "gsm8k/train.jsonl.gz", DATA / "gsm8k/test.jsonl"]
    files += sorted(DATA.glob("limo_eval/*.jsonl")) + sorted(DATA.glob("nemo_*/test.jsonl"))
    found = []
    for path in files:
        with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as lines:
            for line in lines:
                row = json.loads(line)
                found.append(row.get("problem") or row["question"])
    return found


def variant(text: str, draw: random.Random) -> str:
    """A copy, or one with typos, other numbers, or its words in another order."""
    way = draw.randrange(4)
    letters = list(text)
    if way == 1:
        for _ in range(draw.randint(1, 4)):
            letters[draw.randrange(len(letters))] = draw.choice("abcdefghijklmnopqrstuvwxyz ")
    if way == 2:
        return re.sub(r"\d+", lambda found: str(draw.randint(2, 999)), text)
    if way == 3:
        words = text.split()
        draw.shuffle(words)
        return " ".join(words)
    return "".join(letters)


def show(told: dict[str, list[dict[str, Any]]]) -> None:
    """One line a runner: medians, the ratio to brute force, and what it found."""
    slow = {unit: median(told["brute"], unit) for unit in ("wall_s", "cpu_s")} if "brute" in told else {}
    head = f"{'':14}{'wall s':>9}{'CPU s':>9}{'ready s':>9}{'x wall':>8}{'x CPU':>8}{'MB':>7}{'pairs':>9}{'kept':>8}"
    print(f"{head}{'recall':>8}{'precision':>11}")
    truth = told["ours"][0]["clusters"] if "ours" in told else None
    for name, runs in told.items():
        one = runs[0]
        times = [median(runs, unit) for unit in ("wall_s", "cpu_s", "ready_s")]
        faster = [slow[unit] / median(runs, unit) if slow else 0.0 for unit in ("wall_s", "cpu_s")]
        line = f"{name:14}{times[0]:9.2f}{times[1]:9.2f}{times[2]:9.2f}{faster[0]:8.1f}{faster[1]:8.1f}"
        line += f"{median(runs, 'peak_mb'):7.0f}{one.get('pairs', ''):>9}{one.get('kept', ''):>8}"
        if truth is not None and "clusters" in one:
            line += "{:8.4f}{:11.4f}".format(*agreement(truth, one["clusters"]))
        print(line)
    if "brute" in told and "pairs" in told:
        print("the same pairs:", told["brute"][0]["which"] == told["pairs"][0]["which"])


def median(runs: list[dict[str, Any]], name: str) -> float:
    """The median of a figure over the rounds."""
    return statistics.median(run[name] for run in runs)


def agreement(truth: list[int], found: list[int]) -> tuple[float, float]:
    """Recall and precision of the pairs of rows that are put together."""
    both, true, ours = Counter(zip(truth, found, strict=True)), Counter(truth), Counter(found)
    together = [sum(n * (n - 1) // 2 for n in counts.values()) for counts in (both, true, ours)]
    return together[0] / max(1, together[1]), together[0] / max(1, together[2])


if __name__ == "__main__":
    main()
