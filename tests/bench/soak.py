"""The soak run: does a large run stay flat in memory and small on disk?

    python tests/bench/soak.py answers [--rows 200000]     recorded answers of 20 KB
    python tests/bench/soak.py tests   [--rows 20000]      code rows with 100 KB of tests, five of them with 200 MB

Makes its own input (seeded), runs the `veristill` command over it, and prints rows per second, peak RSS of the main
process and of the whole process tree, seconds per stage, and sizes against the compressed input.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import zstandard

WORDS = [f"{a}{b}{c}" for a in "bcdfghklmnprstvz" for b in "aeiou" for c in ("n", "r", "st", "l", "m", "x", "ck", "")]


def make_answers(folder: Path, rows: int) -> tuple[str, int]:
    """Questions with a numeric answer, and a 20 KB recorded answer to each; returns the recipe and compressed bytes."""
    rng = random.Random(20260101)
    with (folder / "questions.jsonl").open("w") as questions, (folder / "answers.jsonl").open("w") as answers:
        for row in range(rows):
            left, right = rng.randrange(10**6), rng.randrange(10**6)
            right_answer = left + right if rng.random() < 0.7 else left - right
            questions.write(
                json.dumps(
                    {"id": str(row), "problem": f"[{row}] What is {left} + {right}?", "answer": str(left + right)}
                )
                + "\n"
            )
            reasoning = " ".join(rng.choices(WORDS, k=4200))
            answers.write(
                json.dumps({"id": str(row), "reasoning": reasoning, "solution": f"It is \\boxed{{{right_answer}}}."})
                + "\n"
            )
    recipe = f"""
name: soak-answers
sources:
  - {{kind: jsonl, path: {folder}/questions.jsonl, domain: math, columns: {{id: id, answer: answer}}}}
annotate:
  teacher: {{kind: replay, path: {folder}/answers.jsonl, match: source_id, column: id}}
"""
    return recipe, compressed(folder / "questions.jsonl") + compressed(folder / "answers.jsonl")


def make_tests(folder: Path, rows: int) -> tuple[str, int]:
    """Code questions (sum a list) with 100 KB of tests each, five with 200 MB, and a right or wrong program to each."""
    rng = random.Random(20260102)
    huge = set(rng.sample(range(rows), 5))
    with (folder / "questions.jsonl").open("w") as questions, (folder / "answers.jsonl").open("w") as answers:
        for row in range(rows):
            size, count = (200 << 20, 20) if row in huge else (100 << 10, 5)
            inputs, outputs = [], []
            for _ in range(count):
                numbers = [rng.randrange(10**9) for _ in range(size // count // 11)]
                inputs.append(" ".join(map(str, numbers)) + "\n")
                outputs.append(f"{sum(numbers)}\n")
            tests = json.dumps({"inputs": inputs, "outputs": outputs})
            questions.write(json.dumps({"id": str(row), "problem": f"[{row}] Print the sum.", "tests": tests}) + "\n")
            program = "print(sum(map(int, input().split())))" if rng.random() < 0.7 else "print(0)"
            answers.write(
                json.dumps({"id": str(row), "reasoning": "Add.", "solution": f"```python\n{program}\n```"}) + "\n"
            )
    recipe = f"""
name: soak-tests
sources:
  - {{kind: jsonl, path: {folder}/questions.jsonl, domain: code, columns: {{id: id, tests: tests}}}}
annotate:
  teacher: {{kind: replay, path: {folder}/answers.jsonl, match: source_id, column: id}}
"""
    return recipe, compressed(folder / "questions.jsonl") + compressed(folder / "answers.jsonl")


def compressed(path: Path) -> int:
    """Bytes of the file under zstd -3: within a few percent of gzip -6 on these texts, and ten times as fast."""
    size = 0
    compressor = zstandard.ZstdCompressor(level=3, threads=-1).compressobj()
    with path.open("rb") as source:
        while chunk := source.read(1 << 20):
            size += len(compressor.compress(chunk))
    return size + len(compressor.flush())


def watch(pid: int, peak: dict[str, int], stop: threading.Event) -> None:
    """Sample the RSS of the main process and of its tree."""
    while not stop.wait(0.2):
        total = 0
        for one in [pid, *descendants(pid)]:
            try:
                pages = int(Path(f"/proc/{one}/statm").read_text().split()[1])
            except (OSError, IndexError):
                continue
            rss = pages * os.sysconf("SC_PAGE_SIZE")
            total += rss
            if one == pid:
                peak["main"] = max(peak["main"], rss)
        peak["tree"] = max(peak["tree"], total)


def descendants(pid: int) -> list[int]:
    """Process ids below `pid`."""
    found: list[int] = []
    try:
        tasks = list(Path(f"/proc/{pid}/task").glob("*/children"))
    except OSError:
        return found  # it ended in this very moment
    for task in tasks:
        try:
            children = [int(one) for one in task.read_text().split()]
        except OSError:
            continue
        for child in children:
            found += [child, *descendants(child)]
    return found


def size_of(folder: Path) -> int:
    """Bytes of a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main() -> None:
    """Make the input, run, measure, print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["answers", "tests"])
    parser.add_argument("--rows", type=int)
    parser.add_argument("--folder", type=Path, required=True, help="an empty folder with room for several gigabytes")
    args = parser.parse_args()
    rows = args.rows or {"answers": 200_000, "tests": 20_000}[args.what]
    args.folder.mkdir(parents=True, exist_ok=True)
    recipe, gzipped = {"answers": make_answers, "tests": make_tests}[args.what](args.folder, rows)
    (args.folder / "recipe.yaml").write_text(recipe)
    root = args.folder / "root"
    began = time.monotonic()
    command = [
        str(Path(sys.executable).with_name("veristill")),
        "--root",
        str(root),
        "run",
        str(args.folder / "recipe.yaml"),
    ]
    process = subprocess.Popen(command)
    peak, stop = {"main": 0, "tree": 0}, threading.Event()
    watcher = threading.Thread(target=watch, args=(process.pid, peak, stop))
    watcher.start()
    code = process.wait()
    stop.set()
    watcher.join()
    wall = time.monotonic() - began
    run = root / "runs" / f"soak-{args.what}"
    state = size_of(run / "questions") + size_of(run / "labels") + size_of(root / "ledger")
    dataset = size_of(run / "dataset") if (run / "dataset").exists() else 0
    report = json.loads((run / "report.json").read_text())
    result = {
        "exit": code,
        "rows": rows,
        "rows_per_s": round(rows / wall, 1),
        "wall_s": round(wall, 1),
        "stages_s": report["this_run"]["seconds"],
        "outcomes": report["totals"]["solve"]["outcomes"],
        "peak_rss_mb": {name: value >> 20 for name, value in peak.items()},
        "compressed_input_mb": gzipped >> 20,
        "questions_ledger_labels_to_input": round(state / gzipped, 3),
        "dataset_to_input": round(dataset / gzipped, 3),
        "parts_mb": {p.name: size_of(p) >> 20 for p in [*run.iterdir(), root / "ledger"] if p.is_dir()},
        "dataset_parts_mb": {p.name: size_of(p) >> 20 for p in (run / "dataset").iterdir() if p.is_dir()},
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
