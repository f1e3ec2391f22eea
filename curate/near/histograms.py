"""Character histograms, and the scan that leaves few pairs of texts to compare: proven bounds, never a guess.

One insertion or deletion changes one count by one, so the sum of differences between two histograms (L1) is at most
the indel distance of the texts, and so is the difference of their lengths. Putting several characters into one count,
or stopping to count, only makes L1 smaller: the bound stays one. What a deletion takes is a digit or it is not, so the
indel distance of the digits alone, and L1 of the counts of all else, are together at most that of the texts.
"""

from collections.abc import Callable, Sequence
from functools import cache
from pickle import UnpicklingError
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from curate.errors import Prerequisite

Ints = npt.NDArray[np.int32]

BINS = 64
_DIGIT = 26  # the count of 0; those of the other digits follow
_CHUNK = 4 << 20  # characters counted at a time
_LONG = 1500  # characters: from this median on, counts of one byte would be full too often


class Counted(NamedTuple):
    """Lengths of texts in code points, and their histograms: one row of 64 counts each.

    `digits` are the ASCII digits of all texts; those of a text end at `ends`. A text of more than 64 has none there.
    """

    lengths: Ints
    counts: npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
    digits: npt.NDArray[np.uint8]
    ends: npt.NDArray[np.int64]


def counted(texts: Sequence[str]) -> Counted:
    """The histograms of texts. Memory: 72 or (long texts) 136 bytes each, and a byte a digit."""
    lengths = np.fromiter(map(len, texts), np.int32, len(texts))
    long = len(texts) > 0 and float(np.median(lengths)) > _LONG
    counts: Any = np.zeros((len(texts), BINS), np.uint16 if long else np.uint8)
    count, bins = _count(), _bins()
    digits, many = [np.empty(0, np.uint8)], np.zeros(len(texts), np.int64)
    begin = size = 0
    for number, length in enumerate(lengths.tolist(), 1):
        size += length
        if size >= _CHUNK or number == len(texts):
            part = "".join(texts[begin:number]).encode("utf-32-le", "surrogatepass")
            ends = np.cumsum(lengths[begin:number], dtype=np.int64)
            some = np.empty(size, np.uint8)
            taken = count(np.frombuffer(part, np.uint32), ends, bins, counts[begin:number], (some, many[begin:number]))
            digits.append(some[:taken].copy())
            begin, size = number, 0
    return Counted(lengths, counts, np.concatenate(digits), np.cumsum(many))


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
    """A function as machine code, kept for the next process where its folder or the user's cache can be written.

    Raises Prerequisite where numba does not load.
    """
    try:
        from numba import njit
    except (ImportError, OSError) as missing:  # of its own libraries, or for numpy's version
        raise Prerequisite(
            f"numba does not load: {missing}", next="install Veristill anew: it brings numba"
        ) from missing
    try:
        found: Callable[..., Any] = njit(nogil=True, cache=True)(function)
    except RuntimeError:  # numba found no place for its cache
        found = njit(nogil=True)(function)

    def call(*values: Any) -> Any:
        nonlocal found
        try:
            return found(*values)
        except (OSError, EOFError, UnpicklingError):  # numba's cache is full or torn: the function opens no file
            found = njit(nogil=True)(function)
            return found(*values)

    return call


def _count_into(chars: Any, ends: Any, bins: Any, counts: Any, digits: Any) -> int:
    some, many = digits
    taken = 0
    most = np.uint32(255) if counts.itemsize == 1 else np.uint32(65535)
    begin = 0
    for row in range(ends.size):
        held = 0
        for at in range(begin, ends[row]):
            char = chars[at]
            if 48 <= char <= 57:
                some[taken + held] = char - 48
                held += 1
            if char < 128:
                place = np.int64(bins[char])
            else:
                place = np.int64((char * np.uint32(2654435761) >> np.uint32(16)) & np.uint32(63))
            if counts[row, place] < most:
                counts[row, place] += 1
        if held <= 64:
            taken += held
            many[row] = held
        begin = ends[row]
    return taken


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


@cache
def thinner() -> Callable[..., int]:
    """`thin`, compiled; it lets go of Python's lock too."""
    return compiled(thin)


def thin(table: Any, share: float, left: Any, right: Any) -> int:
    """Move the pairs of `left` and `right` that may still score `1 - share` by their digits to the front; how many.

    `table` is (counts, lengths, digits, their ends). The longest common run of digits, gaps allowed, is counted bit by
    bit (H. Hyyro, "Bit-parallel LCS-length computation revisited", 2004).
    """
    counts, lengths, digits, ends = table
    places = np.zeros(10, np.uint64)  # bit n of a digit's word: it is the n-th digit of `row`
    row, own, found = -1, 0, 0
    for pair in range(left.size):
        i, other = left[pair], right[pair]
        if i != row:
            row, first = i, ends[i - 1] if i else 0
            own = ends[i] - first
            places[:] = np.uint64(0)
            for at in range(own):
                places[digits[first + at]] |= np.uint64(1) << np.uint64(at)
        begin = ends[other - 1] if other else 0
        apart = np.int32(own + ends[other] - begin)
        if own and ends[other] > begin:
            free = np.uint64(0xFFFFFFFFFFFFFFFF)  # a bit that is off: this digit of `row` is in the common run
            for at in range(begin, ends[other]):
                same = free & places[digits[at]]
                free = (free + same) | (free - same)
            for at in range(own):
                if not (free >> np.uint64(at)) & np.uint64(1):
                    apart = np.int32(apart - 2)
            for k in range(64):
                if k < _DIGIT or k >= _DIGIT + 10:
                    by = np.int32(np.int32(counts[i, k]) - np.int32(counts[other, k]))
                    apart = np.int32(apart + np.int32(abs(by)))
        else:  # the counts have said all
            apart = np.int32(0)
        if apart <= np.int32(share * (lengths[i] + lengths[other]) + 1e-6):
            left[found] = i
            right[found] = other
            found += 1
    return found
