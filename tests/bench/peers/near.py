"""Peers that find near texts, each in a process of its own: none of ours is imported but by `ours` and `minhash`.

python near.py NAME FILE THRESHOLD       FILE: a JSON list of texts; prints one JSON object
"""

import hashlib
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

BLOCK = 500  # rows of a block of brute force
Pair = tuple[int, int]


def main() -> None:
    """Find, and print wall and CPU seconds (imports apart), what was found and the peak of memory."""
    name, file, threshold = sys.argv[1], sys.argv[2], float(sys.argv[3])
    with open(file, encoding="utf-8") as given:  # noqa: PTH123
        texts: list[str] = json.load(given)
    prepare, find = PEERS[name]
    began, cpu = time.monotonic(), cpu_s()
    tools = prepare()
    ready, warm = time.monotonic() - began, cpu_s() - cpu
    began, cpu = time.monotonic(), cpu_s()
    told = find(texts, threshold, tools)
    measured = {"wall_s": time.monotonic() - began, "cpu_s": cpu_s() - cpu, "ready_s": ready, "ready_cpu_s": warm}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({**told, **measured, "peak_mb": peak}))


def cpu_s() -> float:
    """CPU seconds of this process and its children."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def pairs_of(pairs: Iterable[Pair]) -> dict[str, Any]:
    """How many pairs, and a hash of which."""
    found = sorted(pairs)
    return {"pairs": len(found), "which": hashlib.sha256(json.dumps(found).encode()).hexdigest()[:16]}


def brute(texts: list[str], threshold: float, tools: Any) -> dict[str, Any]:
    """Every text with every other, as rapidfuzz does it on all cores."""
    import numpy as np
    from rapidfuzz.fuzz import ratio
    from rapidfuzz.process import cdist

    found: list[Pair] = []
    for begin in range(0, len(texts), BLOCK):
        some = texts[begin : begin + BLOCK]
        scores = cdist(some, texts, scorer=ratio, score_cutoff=threshold, workers=-1)
        for row, other in zip(*(place.tolist() for place in np.nonzero(scores)), strict=True):
            if begin + row < other:
                found.append((begin + row, other))
    return pairs_of(found)


def half(texts: list[str], threshold: float, tools: Any) -> dict[str, Any]:
    """The same, but each pair once and only texts whose lengths are near enough."""
    import numpy as np
    from rapidfuzz.fuzz import ratio
    from rapidfuzz.process import cdist

    order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
    lengths = np.array([len(texts[row]) for row in order])
    found: list[Pair] = []
    for begin in range(0, len(order), BLOCK):
        rows = order[begin : begin + BLOCK]
        longest = lengths[begin + len(rows) - 1] * (200 - threshold) / threshold
        last = int(np.searchsorted(lengths, longest + 1, side="right"))
        others = [texts[row] for row in order[begin:last]]
        scores = cdist([texts[row] for row in rows], others, scorer=ratio, score_cutoff=threshold, workers=-1)
        for row, other in zip(*(place.tolist() for place in np.nonzero(np.triu(scores, 1))), strict=True):
            one, two = order[begin + row], order[begin + other]
            found.append((min(one, two), max(one, two)))
    return pairs_of(found)


def ours_ready() -> Any:
    """Import and compile."""
    from curate.near.rules import Rows, Rule, apply, ranked

    for name in ("ratio", "minhash"):
        apply(Rule(name), Rows(["a", "b"], ["", ""], ranked([], "first", range(2))))
    return None


def ours_pairs(texts: list[str], threshold: float, tools: Any) -> dict[str, Any]:
    """Our join, every pair of rows."""
    import numpy as np

    from curate.near.groups import distinct
    from curate.near.ratio import Join

    rows = distinct(texts, [0] * len(texts), np.arange(len(texts), dtype=np.int32))
    of: list[list[int]] = [[] for _ in rows.texts]
    for row, place in enumerate(rows.of.tolist()):
        of[place].append(row)
    found = [(one, other) for same in of if len(same) > 1 for one in same for other in same if one < other]
    for part in Join(rows.texts, rows.groups, threshold).pairs():
        for left, right in zip(part.left.tolist(), part.right.tolist(), strict=True):
            found += [(min(one, other), max(one, other)) for one in of[left] for other in of[right]]
    return pairs_of(found)


def ours(texts: list[str], threshold: float, tools: Any, rule: str = "ratio") -> dict[str, Any]:
    """Our groups, with partner and score of every row."""
    from curate.near.rules import Rows, Rule, apply, ranked

    given = Rows(texts, [""] * len(texts), ranked([], "first", range(len(texts))))
    found = apply(Rule(rule, threshold), given)  # type: ignore[arg-type]
    return {"kept": int(found.kept.sum()), "clusters": found.cluster.tolist()}


def minhash(texts: list[str], threshold: float, tools: Any) -> dict[str, Any]:
    """The same by MinHash."""
    return ours(texts, threshold, tools, "minhash")


def shingles(text: str) -> list[str]:
    """Runs of five characters."""
    return [text[at : at + 5] for at in range(max(1, len(text) - 4))]


def rensa(texts: list[str], threshold: float, tools: Any) -> dict[str, Any]:
    """rensa: 128 permutations in 32 bands, nothing compared afterwards."""
    from rensa import RMinHash, RMinHashLSH

    index = RMinHashLSH(threshold=0.7, num_perm=128, num_bands=32)
    hashes = []
    for row, text in enumerate(texts):
        one = RMinHash(num_perm=128, seed=42)
        one.update(shingles(text))
        index.insert(row, one)
        hashes.append(one)
    return grouped(len(texts), ((row, other) for row, one in enumerate(hashes) for other in index.query(one)))


def datasketch(texts: list[str], threshold: float, tools: Any) -> dict[str, Any]:
    """datasketch: MinHash LSH at a Jaccard similarity of 0.7, nothing compared afterwards."""
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(threshold=0.7, num_perm=128)
    hashes = list(MinHash.generator([[one.encode() for one in shingles(text)] for text in texts], num_perm=128, seed=1))
    for row, one in enumerate(hashes):
        index.insert(row, one)
    return grouped(len(texts), ((row, other) for row, one in enumerate(hashes) for other in index.query(one)))


def openthoughts(texts: list[str], threshold: float, tools: Any) -> dict[str, Any]:
    """The rule of OpenThoughts-114k: for each text its five best matches, itself among them; all but the first go."""
    from multiprocessing import get_context

    unique = list(dict.fromkeys(texts))
    with get_context("fork").Pool(len(os.sched_getaffinity(0)), _given, (unique, threshold)) as pool:
        matches = pool.map(_extracted, unique, chunksize=100)
    rows: dict[str, list[int]] = {}
    for row, text in enumerate(texts):
        rows.setdefault(text, []).append(row)
    gone: set[int] = set()
    for text, near in zip(unique, matches, strict=True):
        for other in near:
            gone.update(sorted({*rows[text], *rows[other]})[1:])
    return {"kept": len(texts) - len(gone)}


def _given(unique: list[str], threshold: float) -> None:
    globals()["_GIVEN"] = unique, threshold


def _extracted(text: str) -> list[str]:
    from rapidfuzz import fuzz, process

    unique, threshold = globals()["_GIVEN"]
    return [one[0] for one in process.extract(text, unique, scorer=fuzz.ratio, score_cutoff=threshold)]


def grouped(rows: int, pairs: Iterable[Pair]) -> dict[str, Any]:
    """The groups that pairs make."""
    parents = list(range(rows))

    def root(row: int) -> int:
        while parents[row] != row:
            parents[row] = parents[parents[row]]
            row = parents[row]
        return row

    for one, other in pairs:
        low, high = sorted((root(one), root(other)))
        parents[high] = low
    clusters = [root(row) for row in range(rows)]
    return {"kept": len(set(clusters)), "clusters": clusters}


def nothing() -> None:
    """A peer without anything to prepare."""


Find = Callable[[list[str], float, Any], dict[str, Any]]
PEERS: dict[str, tuple[Callable[[], Any], Find]] = {
    "brute": (nothing, brute),
    "half": (nothing, half),
    "pairs": (ours_ready, ours_pairs),
    "ours": (ours_ready, ours),
    "minhash": (ours_ready, minhash),
    "rensa": (nothing, rensa),
    "datasketch": (nothing, datasketch),
    "openthoughts": (nothing, openthoughts),
}

if __name__ == "__main__":
    main()
