"""Every pair of texts whose `rapidfuzz.fuzz.ratio` reaches a threshold: exactly those that comparing all pairs finds.

The ratio is `100 * (1 - d / (len(a) + len(b)))` with d the indel distance. Pairs that the bounds of `histograms` leave
are compared by rapidfuzz itself, so its rounding and its score for empty texts are ours.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from curate.near.histograms import Counted, Ints, counted, scanner, thinner

Floats = npt.NDArray[np.float64]

_ROWS = 1024  # of a task; fixed, so that what is found never depends on the number of threads
_TASKS = 16  # of a round
_PAIRS = 1 << 15  # candidates of a task
_CHARS = 8 << 20  # of those candidates: long texts cost more to compare
_AT_ONCE = 1 << 18  # pairs scored in one call


class Pairs(NamedTuple):
    """Pairs of row numbers and their scores."""

    left: Ints
    right: Ints
    scores: Floats

    def at(self, places: Any) -> "Pairs":
        """The pairs at these places, or where a mask is true."""
        return Pairs(self.left[places], self.right[places], self.scores[places])


def together(parts: Sequence[Pairs]) -> Pairs:
    """All pairs of parts, in order."""
    none = Pairs(np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.float64))
    left, right, values = zip(none, *parts, strict=True)
    return Pairs(np.concatenate(left), np.concatenate(right), np.concatenate(values))


def threads() -> int:
    """Cores that this process may use; nothing that is found depends on it."""
    return len(os.sched_getaffinity(0))


def scores(texts: Sequence[str], left: Ints, right: Ints, threshold: float) -> Floats:
    """The ratio of each pair; 0 where it is below the threshold."""
    from rapidfuzz.fuzz import ratio
    from rapidfuzz.process import cpdist

    found = np.zeros(left.size, np.float64)
    for begin in range(0, left.size, _AT_ONCE):
        part = slice(begin, begin + _AT_ONCE)
        ours, others = [texts[one] for one in left[part].tolist()], [texts[one] for one in right[part].tolist()]
        found[part] = cpdist(ours, others, scorer=ratio, score_cutoff=threshold, dtype=np.float64, workers=threads())
    return found


class Join:
    """Distinct texts prepared for joining. `groups` holds a number per text: only texts of one group are compared.

    Every text of a group differs from the others of it. Row numbers are those of `texts`.
    """

    def __init__(self, texts: Sequence[str], groups: Sequence[int], threshold: float) -> None:
        order = sorted(range(len(texts)), key=lambda row: (groups[row], len(texts[row]), texts[row]))
        self._order = np.array(order, np.int32)
        self.texts = [texts[row] for row in order]
        self._groups = np.array([groups[row] for row in order], np.int32)
        self._counted: Counted = counted(self.texts)
        self._runs = _ends(self._groups, self._counted.lengths)
        self._threshold = threshold
        mean = float(self._counted.lengths.mean()) if texts else 0.0
        self._room = max(256, min(_PAIRS, int(_CHARS / max(1.0, mean))))

    @property
    def parts(self) -> int:
        """How many parts `links` yields."""
        return 1 + -(-len(self.texts) // (_ROWS * _TASKS))

    def pairs(self) -> Iterator[Pairs]:
        """Every pair that reaches the threshold, once."""
        roots = np.arange(len(self.texts), dtype=np.int32)
        for number in range(self.parts - 1):
            yield from map(self._named, self._round(number, lambda: roots, lambda found: None))

    def links(self, joined: "Union", start: int = 0) -> Iterator[Pairs]:
        """Pairs that join what `joined` (over the rows of `texts`) holds apart, from part `start` on.

        Each yielded part is joined already; together they are a tree for each group. Texts that are joined by other
        pairs are never compared: a family of n texts costs about n comparisons, not n * n.
        """
        kept: list[Pairs] = []

        def take(found: Pairs) -> None:
            named = self._named(found)
            needed = joined.join(named.left, named.right)
            kept.append(named.at(needed))

        if start == 0:
            # Neighbours in the order of length and text first: most of a family is joined before it is scanned.
            near = np.arange(max(0, len(self.texts) - 1), dtype=np.int32)
            near = near[self._groups[:-1] == self._groups[1:]]
            take(self._scored(near, near + np.int32(1)))
            yield kept.pop()
        for number in range(max(0, start - 1), self.parts - 1):
            for _ in self._round(number, lambda: joined.roots()[self._order], take):
                pass
            yield together(kept)
            kept.clear()

    def _named(self, found: Pairs) -> Pairs:
        return Pairs(self._order[found.left], self._order[found.right], found.scores)

    def _round(self, number: int, roots: Callable[[], Ints], take: Callable[[Pairs], None]) -> Iterator[Pairs]:
        first = number * _ROWS * _TASKS
        last = min(first + _ROWS * _TASKS, len(self.texts))
        spans = [(begin, min(begin + _ROWS, last), 0) for begin in range(first, last, _ROWS)]
        held = self._counted
        counts, digits = (held.counts, held.lengths), (held.digits, held.ends)
        share, room, scan, thin = (100.0 - self._threshold) / 100.0, self._room, scanner(), thinner()

        def one(span: tuple[int, int, int]) -> tuple[Ints, Ints, tuple[int, int, int]]:
            left, right = np.empty(room, np.int32), np.empty(room, np.int32)
            found, at, resume = scan(table, share, span, left, right)
            found = thin((*counts, *digits), share, left[:found], right[:found])
            return left[:found], right[:found], (at, span[1], resume)

        with ThreadPoolExecutor(threads()) as pool:
            while spans:
                table = (*counts, self._runs, self._groups, roots())
                done = list(pool.map(one, spans))
                found = self._scored(*(np.concatenate([part[side] for part in done]) for side in (0, 1)))
                take(found)
                yield found
                spans = [span for _, _, span in done if span[0] < span[1]]

    def _scored(self, left: Ints, right: Ints) -> Pairs:
        values = scores(self.texts, left, right, self._threshold)
        reached = values > 0
        return Pairs(left, right, values).at(reached)


def _ends(groups: Ints, lengths: Ints) -> Ints:
    """Of each row the end of its run of equal groups and lengths."""
    new = np.flatnonzero((np.diff(groups) != 0) | (np.diff(lengths) != 0)) + 1
    ends = np.append(new, groups.size)
    return np.repeat(ends, np.diff(np.concatenate([[0], ends]))).astype(np.int32)


class Union:
    """Which rows are joined: union-find over row numbers, the root of a group is its lowest row."""

    def __init__(self, rows: int) -> None:
        self._parents = list(range(rows))

    def join(self, left: Ints, right: Ints) -> list[int]:
        """Join pairs, in order; returns the places of those that joined what was apart."""
        needed = []
        for place, (one, other) in enumerate(zip(left.tolist(), right.tolist(), strict=True)):
            low, high = self.root(one), self.root(other)
            if low != high:
                self._parents[max(low, high)] = min(low, high)
                needed.append(place)
        return needed

    def root(self, row: int) -> int:
        """The lowest row of the group of `row`."""
        parents = self._parents
        while parents[row] != row:
            parents[row] = parents[parents[row]]
            row = parents[row]
        return row

    def roots(self) -> Ints:
        """The root of every row."""
        found = np.array(self._parents, np.int32)
        while not np.array_equal(found, further := found[found]):
            found = further
        return found
