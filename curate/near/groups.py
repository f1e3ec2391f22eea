"""Groups of near texts over rows: which row of each is kept, and by which row and score each other one belongs to it.

The result does not depend on the order of rows: what they are ranked by decides.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from curate.near import forest
from curate.near.histograms import Ints
from curate.near.ratio import Floats, Join, Pairs, Union, together

# Joins what is near; `known` are rows joined already. Gives the links of the trees that it made.
Linker = Callable[["Distinct", Union], Pairs]


class Distinct(NamedTuple):
    """The distinct (group, text) pairs of rows; `of` is each row's place among them, -1 where a row has no text."""

    texts: list[str]
    groups: list[int]
    best: Ints  # the row of the lowest rank that holds it
    ranks: Ints  # of those rows
    of: Ints


@dataclass(frozen=True)
class Grouped:
    """One value per row. `cluster` is the lowest row of its group; a row in no group is its own.

    `partner` is the row that is kept in its place (-1: it is kept itself). `score` is that of the link by which it
    belongs to the group: to `via`, or to the partner itself where that is -1.
    """

    cluster: Ints
    partner: Ints
    via: Ints
    score: Floats

    @property
    def kept(self) -> npt.NDArray[np.bool_]:
        """Which rows stay."""
        kept: npt.NDArray[np.bool_] = self.partner < 0
        return kept


def distinct(texts: Sequence[str | None], groups: Sequence[Hashable], ranks: Ints) -> Distinct:
    """Collapse equal texts of a group. `ranks`: all different, the lowest is kept."""
    numbers: dict[Hashable, int] = {}
    places: dict[tuple[int, str], int] = {}
    of = np.full(len(texts), -1, np.int32)
    found: list[str] = []
    of_group: list[int] = []
    for row in np.argsort(ranks).tolist():
        text = texts[row]
        if text is not None:
            group = numbers.setdefault(groups[row], len(numbers))
            place = places.setdefault((group, text), len(found))
            if place == len(found):
                found.append(text)
                of_group.append(group)
            of[row] = place
    best = np.full(len(found), -1, np.int32)
    rows = np.argsort(ranks)[::-1]
    rows = rows[of[rows] >= 0]
    best[of[rows]] = rows  # the lowest rank is written last
    return Distinct(found, of_group, best, ranks[best].astype(np.int32), of)


@dataclass
class Course:
    """How far a linker came: `links` of the first `start` parts are known, `heard` is told of every further part."""

    start: int = 0
    links: list[Pairs] = field(default_factory=list)
    heard: Callable[[int, int, Pairs], None] = lambda done, parts, links: None

    def begin(self, known: Union) -> None:
        """Join what is known."""
        for one in self.links:
            known.join(one.left, one.right)

    def add(self, parts: int, links: Pairs) -> None:
        """Take the links of the next part of `parts`."""
        self.start += 1
        self.links.append(links)
        self.heard(self.start, parts, links)

    def all(self) -> Pairs:
        """Every link."""
        return together(self.links)


def joined(threshold: float, course: Course | None = None) -> Linker:
    """The linker that compares everything."""
    way = course or Course()

    def link(rows: Distinct, known: Union) -> Pairs:
        way.begin(known)
        join = Join(rows.texts, rows.groups, threshold)
        for one in join.links(known, way.start):
            way.add(join.parts, one)
        return way.all()

    return link


def grouped(rows: Distinct, link: Linker, threshold: float) -> Grouped:
    """Group rows by what `link` joins."""
    known = Union(len(rows.texts))
    found = link(rows, known)
    roots = known.roots()
    return hung(rows, forest.best(rows.texts, found, roots, threshold, rows.ranks), roots)


def hung(rows: Distinct, links: Pairs, roots: Ints) -> Grouped:
    """Hang every row on the one that its group keeps: the lowest rank. `roots` names the group of each text."""
    tops = np.arange(roots.size, dtype=np.int32)
    # The texts are in the order of their ranks, and the root of a group is its lowest place: the best is the root.
    above, values = forest.parents(links, roots, tops)
    count = rows.of.size
    here = rows.of >= 0
    place = rows.of[here]
    everyone = np.arange(count, dtype=np.int32)
    group = np.full(count, -1, np.int32)
    group[here] = roots[place]
    top = everyone.copy()
    top[here] = rows.best[roots[place]]
    on, score = np.full(count, -1, np.int32), np.zeros(count, np.float64)
    copy = here & (top != everyone)
    at = rows.of[copy]
    is_best = rows.best[at] == everyone[copy]
    on[copy] = np.where(is_best, rows.best[above[at]], rows.best[at])
    score[copy] = np.where(is_best, values[at], 100.0)
    partner = np.where(copy, top, -1).astype(np.int32)
    via = np.where(copy & (on != top), on, -1).astype(np.int32)
    return Grouped(_lowest(group), partner, via, score)


def _lowest(group: Ints) -> Ints:
    """Of each row the lowest row of its group; rows of group -1 are alone."""
    lowest = np.arange(group.size, dtype=np.int32)
    inside = np.flatnonzero(group >= 0)
    if inside.size:
        first = np.full(int(group.max()) + 1, group.size, np.int64)
        np.minimum.at(first, group[inside], inside)
        lowest[inside] = first[group[inside]]
    return lowest
