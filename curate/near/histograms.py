"""Character histograms, and the scan that leaves few pairs of texts to compare: proven bounds, never a guess.

One insertion or deletion changes one count by one, so the sum of differences between two histograms (L1) is at most
the indel distance of the texts, and so is the difference of their lengths. Putting several characters into one count,
or stopping to count, only makes L1 smaller: the bound stays one.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int32]

BINS = 64
_CHUNK = 4 << 20  # characters counted at a time
_LONG = 1500  # characters: from this median on, counts of one byte would be full too often


class Counted(NamedTuple):
    """Lengths of texts in code points, and their histograms: one row of 64 counts each."""

    lengths: Ints
    counts: npt.NDArray[np.uint8] | npt.NDArray[np.uint16]


def counted(texts: Sequence[str]) -> Counted:
    """The histograms of texts. Memory: 64 or (long texts) 128 bytes each."""
    lengths = np.fromiter(map(len, texts), np.int32, len(texts))
    long = len(texts) > 0 and float(np.median(lengths)) > _LONG
    counts: Any = np.zeros((len(texts), BINS), np.uint16 if long else np.uint8)
    count, bins = _count(), _bins()
    begin = size = 0
    for number, length in enumerate(lengths.tolist(), 1):
        size += length
        if size >= _CHUNK or number == len(texts):
            part = "".join(texts[begin:number]).encode("utf-32-le", "surrogatepass")
            ends = np.cumsum(lengths[begin:number], dtype=np.int64)
            count(np.frombuffer(part, np.uint32), ends, bins, counts[begin:number])
            begin, size = number, 0
    return Counted(lengths, counts)


@cache
def _bins() -> npt.NDArray[np.uint8]:
    """The count of each ASCII character: letters and digits one each, what is rare in questions together."""
    bins = np.full(128, 47, np.uint8)
    own = "abcdefghijklmnopqrstuvwxyz0123456789 \n\\"
    together = ["{}", "$", "()", ",", ".", "_^", "=", "+-"]
    for number, char in enumerate(own):
        bins[ord(char)] = number
    for number, chars in enumerate(together, len(own)):
        for char in chars:
            bins[ord(char)] = number
    for number in range(26):
        bins[ord("A") + number] = 48 + number % 16
    return bins


@cache
def _count() -> Callable[..., None]:
    return compiled(_count_into)


@cache
def scanner() -> Callable[..., tuple[int, int, int]]:
    """`scan`, compiled: it lets go of Python's lock, so several threads may run it."""
    return compiled(scan)


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function as machine code, kept for the next process where its folder or the user's cache can be written."""
    from numba import njit

    try:
        found: Callable[..., Any] = njit(nogil=True, cache=True)(function)
    except RuntimeError:  # numba found no place for its cache
        found = njit(nogil=True)(function)
    return found


def _count_into(chars: Any, ends: Any, bins: Any, counts: Any) -> None:
    most = np.uint32(255) if counts.itemsize == 1 else np.uint32(65535)
    begin = 0
    for row in range(ends.size):
        for at in range(begin, ends[row]):
            char = chars[at]
            if char < 128:
                place = np.int64(bins[char])
            else:
                place = np.int64((char * np.uint32(2654435761) >> np.uint32(16)) & np.uint32(63))
            if counts[row, place] < most:
                counts[row, place] += 1
        begin = ends[row]


def scan(table: Any, share: float, rows: Any, left: Any, right: Any) -> tuple[int, int, int]:
    """Write pairs of rows that may score at least `1 - share` into `left` and `right`.

    `table` is (counts, lengths, runs, groups, roots), rows sorted by group, then length; `runs` holds of each row the
    end of the rows of its group and length. Only pairs within a group and with different roots are looked at. `rows` is
    (first, behind the last, where to go on among the partners of the first). Returns how many pairs were written and
    where to go on: the call was cut short by full arrays, or the first of both is behind the last.
    """
    counts, lengths, runs, groups, roots = table
    begin, end, resume = rows
    found = 0
    for i in range(begin, end):
        j = max(i + 1, resume) if i == begin else i + 1
        while j < lengths.size and groups[j] == groups[i]:
            # The distance that a pair of the wanted score may have at most; the tiny amount is for rounding.
            most = np.int32(share * (lengths[i] + lengths[j]) + 1e-6)
            if lengths[j] - lengths[i] > most:
                break
            for other in range(j, runs[j]):
                if roots[i] != roots[other]:
                    apart = np.int32(0)
                    for k in range(64):
                        by = np.int32(np.int32(counts[i, k]) - np.int32(counts[other, k]))
                        apart = np.int32(apart + np.int32(abs(by)))
                    if apart <= most:
                        if found == left.size:
                            return found, i, other
                        left[found] = i
                        right[found] = other
                        found += 1
            j = runs[j]
    return found, end, 0
