"""Where the sealed records are: 24 bytes a record in sorted arrays, so that ten million keys take 240 MB."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_U8 = np.dtype(np.uint64)


class KeyIndex:
    """Maps 16-byte keys to places (segment, row). Grows by sorted runs, merged as they come to equal sizes."""

    def __init__(self) -> None:
        self._runs: list[tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.uint64]]] = []

    def add(self, segment: int, keys: bytes) -> None:
        """Add the keys (16 bytes each, row by row) of a segment."""
        high, low = _halves(keys)
        if len(high):
            place = (np.uint64(segment) << np.uint64(32)) | np.arange(len(high), dtype=_U8)
            self._runs.append(_sorted(high, low, place))
        while len(self._runs) > 1 and len(self._runs[-2][0]) < 2 * len(self._runs[-1][0]):
            newer, older = self._runs.pop(), self._runs.pop()
            self._runs.append(_sorted(*(np.concatenate(pair) for pair in zip(older, newer, strict=True))))

    def find(self, keys: Sequence[str]) -> list[tuple[str, int, int]]:
        """(key, segment, row) of every record of `keys` (hex), a key's newest first."""
        if not keys:
            return []
        high, low = _halves(bytes.fromhex("".join(keys)))
        found: list[tuple[str, int]] = []
        for run_high, run_low, place in self._runs:
            first = run_high.searchsorted(high, "left")
            number = run_high.searchsorted(high, "right") - first
            if not number.any():
                continue
            # One row for each record that a key may have.
            at = np.repeat(np.arange(len(keys)), number)
            row = np.repeat(first - np.cumsum(number) + number, number) + np.arange(len(at))
            same = run_low[row] == low[at]
            found += [
                (keys[key], where) for key, where in zip(at[same].tolist(), place[row[same]].tolist(), strict=True)
            ]
        found.sort(key=lambda one: -one[1])
        return [(key, place >> 32, place & 0xFFFFFFFF) for key, place in found]


def _halves(keys: bytes) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    both = np.frombuffer(keys, dtype=">u8").reshape(-1, 2).astype(_U8)
    return np.ascontiguousarray(both[:, 0]), np.ascontiguousarray(both[:, 1])


def _sorted(
    high: NDArray[np.uint64], low: NDArray[np.uint64], place: NDArray[np.uint64]
) -> tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.uint64]]:
    order = np.argsort(high, kind="stable")
    return high[order], low[order], place[order]
