"""What a math verdict costs here and in Math-Verify: the same pairs, warm processes, one run, rounds interleaved.

    python -P tests/bench/math_peers.py [--rounds 3] [--json FILE]

Pairs are reference and extracted answer of the recorded GSM8K and MATH outputs under VERISTILL_DATA. Measured is CPU
time, of this process and of the workers: Math-Verify as its documentation calls it (`parse("$...$")`, `verify`), our
comparison with its workers (`pairs`), and the whole verifier on the whole output text, extraction and verdict records
included (`texts`). Every verdict that differs from Math-Verify's is listed, with the label that says who is right.
"""

import argparse
import asyncio
import gzip
import json
import logging
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from curate.records import Answer, Attempt, Question  # noqa: E402
from curate.verifiers.answers.decide import _read, asks_for_number  # noqa: E402
from curate.verifiers.math import Math  # noqa: E402
from curate.verifiers.worker import MEMORY_BYTES, worker_command  # noqa: E402
from sandbox.workers import Workers  # noqa: E402

DATA = Path(os.environ.get("VERISTILL_DATA", ROOT.parent / "shared" / "data"))
WARM = [("7", r"\int_0^7 1 dx"), (r"\frac{1}{2}", "0.5"), ("(1,2)", r"\{1,2\}"), ("x^2+1", "1+x^2"), (r"\sqrt{2}", "2")]
MODELS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")


class Pair(NamedTuple):
    """A reference, the answer that its source extracted, the whole output, and whether it is known to be right."""

    name: str
    gold: str
    answer: str
    text: str
    right: bool


def main() -> None:
    """Measure, and print two tables and the differences."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write every round's figures here")
    args = parser.parse_args()
    logging.disable(logging.WARNING)
    sets = {"GSM8K": gsm8k(), "MATH": rho("rho_math")}
    figures: dict[str, Any] = {}
    for name, pairs in sets.items():
        figures[name] = asyncio.run(measured(pairs, args.rounds))
        show(name, pairs, figures[name])
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1))


def gsm8k() -> list[Pair]:
    """5,276 outputs; the answer is what follows `A:` or `####` in the last line, as the source writes it."""
    golds = [json.loads(line)["answer"].rpartition("####")[2].strip() for line in (DATA / "gsm8k/test.jsonl").open()]
    with gzip.open(DATA / "gsm8k/example_model_solutions.jsonl.gz", "rt") as file:
        rows = [json.loads(line) for line in file]
    pairs = []
    for index, (gold, row) in enumerate(zip(golds, rows, strict=True)):
        for model in MODELS:
            text = row[model]["solution"]
            last_line = text.strip().rpartition("\n")[2]
            answer = last_line.rpartition("####")[2].rpartition("A:")[2].strip() or last_line
            pairs.append(Pair(f"{index} {model}", gold, answer, text, row[model]["is_correct"]))
    return pairs


def rho(kind: str) -> list[Pair]:
    """The recorded MATH outputs of the truth file, but for those that are a matter of taste."""
    rows = [json.loads(line) for line in (DATA / "math_truth.jsonl").open()]
    return [
        Pair(row["id"], row["gold"], row["answer"], row["prediction_text"], row["label"])
        for row in rows
        if row["kind"].startswith(kind) and not row["policy"]
    ]


async def measured(pairs: list[Pair], rounds: int) -> dict[str, Any]:
    """CPU seconds of each round, and the verdicts of the last."""
    found: dict[str, Any] = {"rows": len(pairs), "math-verify": [], "pairs": [], "texts": []}
    peer = math_verify()
    for gold, answer in WARM:
        peer(gold, answer)
    for _ in range(rounds):
        empty_caches()
        started = time.process_time()
        theirs = [peer(pair.gold, pair.answer) for pair in pairs]
        found["math-verify"].append(time.process_time() - started)
        found["math-verify outcomes"] = theirs
        for name in ("pairs", "texts"):
            empty_caches()
            async with Workers(worker_command(), count=1, memory_bytes=MEMORY_BYTES) as workers:
                ours = Judge(workers)
                for gold, answer in WARM:
                    await ours.judge(*records(Pair("warm", gold, answer, "", True), boxed=True))
                given = [records(pair, boxed=name == "pairs") for pair in pairs]  # as a run has them at hand
                started = time.process_time() + tree_cpu_s()
                verdicts = [await ours.judge(question, attempt) for question, attempt in given]
                found[name].append(time.process_time() + tree_cpu_s() - started)
            found[f"{name} outcomes"] = verdicts
    return found


class Judge:
    """Our verifier on pairs and on whole texts."""

    def __init__(self, workers: Workers) -> None:
        self.verifier, self.resources = Math(), SimpleNamespace(workers=workers)

    async def judge(self, question: Question, attempt: Attempt) -> str:
        """The outcome."""
        resources: Any = self.resources
        return (await self.verifier.verify(question, attempt, resources)).outcome


def records(pair: Pair, *, boxed: bool) -> tuple[Question, Attempt]:
    """A pair as the verifier takes it; `boxed` gives it the extracted answer alone."""
    solution = rf"\boxed{{{pair.answer}}}" if boxed else pair.text
    question = Question.model_construct(truth=Answer.model_construct(text=pair.gold))
    return question, Attempt.model_construct(solution=solution)


def math_verify() -> Callable[[str, str], bool | None]:
    """Math-Verify as its documentation shows it, with its own time limits; None where it raises."""
    from math_verify import parse, verify

    def judge(gold: str, answer: str) -> bool | None:
        try:
            return bool(verify(parse(f"${gold}$"), parse(f"${answer}$")))
        except Exception:  # the boundary to a peer, which may raise anything
            return None

    return judge


def empty_caches() -> None:
    """Each round sees each pair for the first time, as a run does (the workers are new in each)."""
    import math_verify.grader
    import math_verify.parser

    from curate.verifiers.answers.units import unit

    theirs = [one for module in (math_verify.parser, math_verify.grader) for one in vars(module).values()]
    for cache in (_read, asks_for_number, unit, *theirs):
        if hasattr(cache, "cache_clear"):
            cache.cache_clear()


def tree_cpu_s() -> float:
    """CPU seconds of all processes below this one."""
    ticks, parents, total = os.sysconf("SC_CLK_TCK"), {os.getpid()}, 0
    stats: dict[int, tuple[int, int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_bytes().rpartition(b")")[2].split()
            except OSError:
                continue
            stats[int(entry.name)] = int(fields[1]), sum(map(int, fields[11:15]))
    while parents:
        children = {pid for pid, (parent, _) in stats.items() if parent in parents}
        total += sum(stats[pid][1] for pid in children)
        parents = children
    return total / ticks


def show(name: str, pairs: list[Pair], found: dict[str, Any]) -> None:
    """Print one set's table and its differences."""
    peer = statistics.median(found["math-verify"])
    print(f"\n{name}: {len(pairs)} rows, median CPU seconds of {len(found['math-verify'])} rounds")
    print(f"{'':14}{'CPU s':>9}{'rows/CPU s':>12}{'ratio':>8}{'wrong pass':>12}{'wrong fail':>12}{'unsure':>8}")
    for runner in ("math-verify", "pairs", "texts"):
        cpu = statistics.median(found[runner])
        outcomes = [verdict_of(one) for one in found[f"{runner} outcomes"]]
        judged = list(zip(outcomes, pairs, strict=True))
        wrong = [sum(one is right and pair.right is not right for one, pair in judged) for right in (True, False)]
        label = runner if runner == "math-verify" else f"ours, {runner}"
        speed = f"{cpu:9.2f}{len(pairs) / cpu:12.0f}{peer / cpu:8.1f}"
        print(f"{label:14}{speed}{wrong[0]:12}{wrong[1]:12}{outcomes.count(None):8}")
    print("differences on pairs (label; ours; Math-Verify's):")
    for pair, ours, theirs in zip(pairs, found["pairs outcomes"], found["math-verify outcomes"], strict=True):
        if verdict_of(ours) is not theirs:
            shown = f"{pair.gold[:50]!r} {pair.answer[:50]!r}"
            print(f"  {pair.name}: {'right' if pair.right else 'wrong'}; {ours}; {theirs}: {shown}")


def verdict_of(outcome: Any) -> bool | None:
    """An outcome of either runner as True, False or None."""
    return {"pass": True, "fail": False}.get(outcome, outcome if isinstance(outcome, bool) else None)


if __name__ == "__main__":
    main()
