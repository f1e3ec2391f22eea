"""Candidates by MinHash for tens of millions of texts: near texts share a band of their signatures, most likely.

Nothing is joined unseen: every candidate is compared as `ratio` does it. So what is found is right, and what is missed
is stated in docs/how-to/dedup.md. Shingles are runs of five characters, without case; 128 permutations in 32 bands
of 4 rows (a pair of Jaccard similarity 0.6 shares a band with a chance of 0.99, one of 0.3 with 0.23). The method:
A. Broder, "On the resemblance and containment of documents", 1997.
"""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from curate.near.groups import Course, Distinct, Linker
from curate.near.histograms import compiled
from curate.near.ratio import Pairs, Union, scores, together

BANDS, ROWS, SHINGLE = 32, 4, 5
_TOGETHER = 4  # bands hashed in one pass over the texts: memory is 8 bytes a text and band
_SEED = 20_240_117
_CHUNK = 4 << 20  # characters hashed at a time
_NEAR = 8  # members of a bucket that each member is compared with
_AT_ONCE = 1 << 18

Words = npt.NDArray[np.uint64]
Ints2 = np.ndarray[tuple[int, int], np.dtype[np.int32]]


def linked(threshold: float, course: Course | None = None) -> Linker:
    """The linker that compares what shares a band; a band is a part."""
    way = course or Course()

    def link(rows: Distinct, known: Union) -> Pairs:
        way.begin(known)
        for pairs in _candidates(rows, way.start):
            way.add(BANDS, _joined(rows, known, pairs, threshold))
        return way.all()

    return link


def _joined(rows: Distinct, known: Union, pairs: Ints2, threshold: float) -> Pairs:
    """Those of the candidates that join what is apart."""
    found: list[Pairs] = []
    for begin in range(0, pairs.shape[1], _AT_ONCE):
        left, right = pairs[:, begin : begin + _AT_ONCE]
        roots = known.roots()
        apart = roots[left] != roots[right]
        left, right = left[apart], right[apart]
        values = scores(rows.texts, left, right, threshold)
        near = Pairs(left, right, values).at(values > 0)
        found.append(near.at(known.join(near.left, near.right)))
    return together(found)


def _candidates(rows: Distinct, start: int) -> Iterator[Ints2]:
    """Pairs that share a band, band by band from `start` on. In a large bucket each member meets the few before it."""
    groups = np.array(rows.groups, np.uint64)
    for first in range(start - start % _TOGETHER, BANDS, _TOGETHER):
        for keys in _keys(rows, first).T[max(0, start - first) :]:
            keys = keys ^ (groups * np.uint64(0x9E3779B97F4A7C15))
            order = np.argsort(keys, kind="stable").astype(np.int32)
            sorted_keys = keys[order]
            left, right = [], []
            for step in range(1, _NEAR + 1):
                same = np.flatnonzero(sorted_keys[step:] == sorted_keys[:-step])
                left.append(order[same])
                right.append(order[same + step])
            pairs = np.stack([np.concatenate(left), np.concatenate(right)])
            yield pairs[:, groups[pairs[0]] == groups[pairs[1]]]


def _keys(rows: Distinct, first: int) -> Words:
    """Of each text the keys of bands `first` to `first + 3`."""
    found = np.empty((len(rows.texts), _TOGETHER), np.uint64)
    hashed, seeds = _hash(), _seeds()[first * ROWS : (first + _TOGETHER) * ROWS]
    begin = size = 0
    lengths: list[int] = []
    parts: list[str] = []
    for number, text in enumerate(rows.texts, 1):
        parts.append(" ".join(text.casefold().split()))
        lengths.append(len(parts[-1]))
        size += lengths[-1]
        if size >= _CHUNK or number == len(rows.texts):
            chars = np.frombuffer("".join(parts).encode("utf-32-le", "surrogatepass"), np.uint32)
            hashed(chars, np.cumsum(lengths, dtype=np.int64), seeds, found[begin:number])
            begin, size, lengths, parts = number, 0, [], []
    return found


@cache
def _seeds() -> Words:
    # Philox is the same in every version of numpy: the words come from the generator's raw output, not a distribution.
    return np.random.Philox(_SEED).random_raw(BANDS * ROWS) | np.uint64(1)


@cache
def _hash() -> Callable[..., None]:
    return compiled(_hash_into)


def _hash_into(chars: Any, ends: Any, seeds: Any, keys: Any) -> None:
    low = np.empty(seeds.size, np.uint64)
    begin = 0
    for row in range(ends.size):
        low[:] = np.uint64(0xFFFFFFFFFFFFFFFF)
        end = ends[row]
        for at in range(begin, max(begin + 1, end - 4)):  # a text shorter than a shingle is one shingle
            value = np.uint64(14695981039346656037)
            for place in range(at, min(at + 5, end)):
                value = (value ^ np.uint64(chars[place])) * np.uint64(1099511628211)
            value ^= value >> np.uint64(29)
            for k in range(seeds.size):
                mixed = value * seeds[k]
                mixed ^= mixed >> np.uint64(32)
                low[k] = min(low[k], mixed)
        for band in range(keys.shape[1]):
            value = np.uint64(band + 1)
            for k in range(band * 4, band * 4 + 4):
                value = (value ^ low[k]) * np.uint64(0xFF51AFD7ED558CCD)
                value ^= value >> np.uint64(33)
            keys[row, band] = value
        begin = end
