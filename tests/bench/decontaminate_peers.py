"""Decontamination here and by the 8-gram rule: recall by change, real rows found, and rows per second.

    python -P tests/bench/decontaminate_peers.py [--items 400] [--stream 1000000] [--rounds 3] [--json FILE]

Items of MATH500, AIME, AMC, Minerva and OlympiadBench under VERISTILL_DATA are changed and planted into the training
questions of GSM8K, all in one run: by the changes of our self-test (`plant`) and by those of our tests (`tests`),
which were written apart. The peers are re-implemented from their rules: `8-gram`, that of open-r1 and s1 (lower case,
words split at white space, any shared 8-gram), `13-gram` likewise, and `ratio`, that of OpenThoughts (rapidfuzz ratio
of at least 95).
`--stream N` sends N rows made of GSM8K's sentences through the verb in a process of its own: wall and CPU time, memory.
"""

import argparse
import gzip
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from rapidfuzz import fuzz, process  # noqa: E402

from curate.clean.decontaminate import DROPPED  # noqa: E402
from curate.contamination.index import Index  # noqa: E402
from curate.contamination.items import Item  # noqa: E402
from curate.contamination.match import Matcher  # noqa: E402
from curate.contamination.plant import plant, sample  # noqa: E402
from tests.curate.contamination.changes import CHANGES, embedded  # noqa: E402

DATA = Path(os.environ.get("VERISTILL_DATA", ROOT.parent / "shared" / "data"))
BENCHES = (
    "limo_eval/math",
    "limo_eval/aime",
    "limo_eval/amc",
    "limo_eval/minerva",
    "limo_eval/olympiadbench",
    "nemo_aime25/test",
)
Finder = Callable[[Sequence[Item], Sequence[str]], list[set[str]]]  # the item texts found in each row


class Planted(NamedTuple):
    change: str
    item: Item
    text: str


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=400, help="benchmark items that are planted")
    parser.add_argument("--stream", type=int, default=0, help="rows that are streamed through the verb")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the figures here")
    args = parser.parse_args()
    items = [Item(name, str(n), text) for name in BENCHES for n, text in enumerate(texts(DATA / f"{name}.jsonl"))]
    rows = texts(DATA / "gsm8k/train.jsonl.gz")
    planted = list(changed(sample(items, args.items), rows))
    figures: dict[str, Any] = {"items": len(items), "rows": len(rows), "planted": len(planted)}
    finders: dict[str, Finder] = {"ours": ours, "8-gram": ngrams(8), "13-gram": ngrams(13)}
    for name, finder in finders.items():
        times = []
        for _ in range(args.rounds):
            wall, cpu = time.perf_counter(), time.process_time()
            found = finder(items, [*rows, *(one.text for one in planted)])
            times.append((time.perf_counter() - wall, time.process_time() - cpu))
        figures[name] = told(rows, planted, found, times)
    few = sample(planted, 600)
    began = time.process_time()
    found = ratio(items, [*rows[:600], *(one.text for one in few)])
    figures["ratio"] = told(rows[:600], few, found, [(0.0, time.process_time() - began)])
    show(figures, [*finders, "ratio"])
    if args.stream:
        figures["stream"] = streamed(args.stream, rows)
        print(figures["stream"])
    if args.json:
        args.json.write_text(json.dumps(figures, indent=2), "utf-8")


def texts(path: Path) -> list[str]:
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
        found = [json.loads(line) for line in lines]
    return [row.get("problem") or row["question"] for row in found]


def changed(items: Sequence[Item], rows: list[str]) -> Iterator[Planted]:
    """The items under both lists of changes."""
    for one in plant(items, rows, seed=7):
        yield Planted(f"plant: {one.change}", one.item, one.text)
    chance = random.Random(7)
    for item in items:
        for name, change in CHANGES.items():
            text = change(item.text, chance)
            if name == "exact" or text != item.text:
                yield Planted(f"tests: {name}", item, text)
        yield Planted("tests: embedded", item, embedded(item.text, chance, rows))


def ours(items: Sequence[Item], rows: Sequence[str]) -> list[set[str]]:
    index = Index(items)
    survey = index.survey()
    index.surveyed(survey, rows)
    index.weigh(survey)
    return [{one.item.text for one in seen if one.tier in DROPPED} for seen in Matcher(index).find(rows)]


def ngrams(size: int) -> Finder:
    def find(items: Sequence[Item], rows: Sequence[str]) -> list[set[str]]:
        held: dict[tuple[str, ...], set[str]] = {}
        for item in items:
            for gram in grams(item.text):
                held.setdefault(gram, set()).add(item.text)
        return [set().union(*(held.get(gram, set()) for gram in grams(row))) for row in rows]

    def grams(text: str) -> Iterator[tuple[str, ...]]:
        words = text.lower().split()
        return zip(*(words[start:] for start in range(size)), strict=False)

    return find


def ratio(items: Sequence[Item], rows: Sequence[str]) -> list[set[str]]:
    wanted = [item.text for item in items]
    scores = process.cdist(rows, wanted, scorer=fuzz.ratio, score_cutoff=95, workers=2)
    return [{wanted[place] for place in line.nonzero()[0]} for line in scores]


def told(
    rows: Sequence[str], planted: Sequence[Planted], found: list[set[str]], times: list[tuple[float, float]]
) -> Any:
    tried: Counter[str] = Counter()
    hit: Counter[str] = Counter()
    for one, seen in zip(planted, found[len(rows) :], strict=True):
        tried[one.change] += 1
        hit[one.change] += one.item.text in seen
    return {
        "recall": {name: round(hit[name] / count, 4) for name, count in tried.items()},
        "real_rows_found": sum(map(bool, found[: len(rows)])),
        "of": len(rows),
        "wall_s": round(statistics.median(wall for wall, _ in times), 2),
        "cpu_s": round(statistics.median(cpu for _, cpu in times), 2),
    }


def show(figures: dict[str, Any], names: list[str]) -> None:
    print(f"{figures['planted']:,} changed items planted into {figures['rows']:,} rows; {figures['items']:,} items")
    print(f"{'recall':26}" + "".join(f"{name:>10}" for name in names))
    for change in figures["ours"]["recall"]:
        print(f"{change:26}" + "".join(f"{figures[name]['recall'].get(change, float('nan')):10.3f}" for name in names))
    for what in ("real_rows_found", "of", "wall_s", "cpu_s"):
        print(f"{what:26}" + "".join(f"{figures[name][what]:>10}" for name in names))


def streamed(count: int, rows: Sequence[str]) -> dict[str, Any]:
    """The verb over `count` rows, each made of three sentences of other questions."""
    sentences = [one for row in rows for one in row.split(". ")]
    chance = random.Random(1)
    with tempfile.TemporaryDirectory() as folder:
        path, out = Path(folder) / "rows.jsonl", Path(folder) / "out.parquet"
        with path.open("w", encoding="utf-8") as file:
            for _ in range(count):
                file.write(json.dumps({"problem": ". ".join(chance.choice(sentences) for _ in range(3))}) + "\n")
        against = ",".join(str(DATA / f"{name}.jsonl") for name in BENCHES)
        command = ["decontaminate", str(path), "--against", against, "-o", str(out), "--json"]
        # The most memory that it held, as the kernel says: rusage would count what this process had before the fork.
        code = (
            f"from recipes.cli.main import command; code = command({command!r}); import sys; "
            "sys.stderr.write(open('/proc/self/status').read()); raise SystemExit(code)"
        )
        began = time.perf_counter()
        done = subprocess.run([sys.executable, "-P", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
        wall = time.perf_counter() - began
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        size = path.stat().st_size
    cpu = used.ru_utime + used.ru_stime
    return {
        "rows": count,
        "chars_a_row": round(size / count - 15),
        "wall_s": round(wall, 1),
        "cpu_s": round(cpu, 1),
        "rows_a_second": round(count / wall),
        "rows_a_cpu_second": round(count / cpu),
        "peak_mb": int(done.stderr.split("VmHWM:")[1].split()[0]) >> 10,
        "contaminated": json.loads(done.stdout)["contaminated"],
    }


if __name__ == "__main__":
    main()
