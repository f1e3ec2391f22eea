"""The links between the texts of a group: a tree of the best scores, so that a higher threshold only cuts links.

The groups of a threshold are the connected parts of all pairs that reach it. A tree that joins a group by the highest
scores there are (a maximum spanning tree) falls apart at a higher threshold exactly as the group does.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from curate.near.histograms import Ints
from curate.near.ratio import Floats, Pairs, Union, scores, together

_MEMBERS, _CHARS = 64, 1 << 15  # larger groups keep the links that were found first
_AT_ONCE = 1 << 18


def whole(members: int, chars: int) -> bool:
    """Whether a group of so many distinct texts, the longest of so many characters, has the tree of its best scores."""
    return members <= max(3, min(_MEMBERS, _CHARS // max(1, chars)))


def members(roots: Ints) -> Iterator[Ints]:
    """The groups of at least two rows, in tables: one group a line, ascending; a table for each size."""
    order = np.argsort(roots, kind="stable").astype(np.int32)
    starts = np.flatnonzero(np.diff(roots[order], prepend=-1))
    sizes = np.diff(np.append(starts, roots.size))
    for size in np.unique(sizes[sizes > 1]).tolist():
        yield order[starts[sizes == size][:, None] + np.arange(size)]


def wholes(texts: Sequence[str], groups: Ints) -> npt.NDArray[np.bool_]:
    """Which groups of a table are `whole`."""
    return np.array([whole(len(rows), max(len(texts[row]) for row in rows)) for rows in groups.tolist()], np.bool_)


def best(texts: Sequence[str], found: Pairs, roots: Ints, threshold: float, ranks: Ints) -> Pairs:
    """The links of every group: of the best scores where it is `whole`, else as `found`.

    `ranks` decides between equal scores: links to texts of a low rank go first.
    """
    small = np.zeros(roots.size, np.bool_)
    kept: list[Pairs] = []
    for groups in members(roots):
        groups = groups[wholes(texts, groups)]
        if not groups.size:  # those of a large size are many pairs
            continue
        small[groups] = True
        one, other = np.triu_indices(groups.shape[1], 1)
        step = max(1, _AT_ONCE // one.size)
        for begin in range(0, len(groups), step):
            part = groups[begin : begin + step]
            kept.append(_tree(texts, part[:, one].ravel(), part[:, other].ravel(), threshold, ranks))
    large = ~small[found.left]
    return together([*kept, found.at(large)])


def _tree(texts: Sequence[str], left: Ints, right: Ints, threshold: float, ranks: Ints) -> Pairs:
    values = scores(texts, left, right, threshold)
    reached = values > 0
    left, right, values = left[reached], right[reached], values[reached]
    ours, others = ranks[left], ranks[right]
    order = np.lexsort((np.maximum(ours, others), np.minimum(ours, others), -values))
    left, right, values = left[order], right[order], values[order]
    rows = np.unique(np.concatenate([left, right]))  # numbered anew: the forest of all rows would be built each time
    needed = Union(rows.size).join(_place(rows, left), _place(rows, right))
    return Pairs(left, right, values).at(needed)


def _place(rows: Ints, wanted: Ints) -> Ints:
    return np.searchsorted(rows, wanted).astype(np.int32)


def parents(links: Pairs, roots: Ints, tops: Ints) -> tuple[Ints, Floats]:
    """Of each row the row it hangs on, on the way to its group's top, and the score of that link; -1 and 0 for tops.

    `tops` names the top of the group of each root.
    """
    near: dict[int, list[tuple[int, float]]] = {}
    for one, other, value in zip(links.left.tolist(), links.right.tolist(), links.scores.tolist(), strict=True):
        near.setdefault(one, []).append((other, value))
        near.setdefault(other, []).append((one, value))
    above = np.full(roots.size, -1, np.int32)
    value_of = np.zeros(roots.size, np.float64)
    for root in np.unique(roots[links.left]).tolist():
        waiting = [int(tops[root])]
        while waiting:
            row = waiting.pop()
            for other, value in near[row]:
                if other != above[row]:
                    above[other], value_of[other] = row, value
                    waiting.append(other)
    return above, value_of
