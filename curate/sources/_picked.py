"""Which rows of a set are read at all: those of some values of a column, or a fixed number drawn from each group.

A draw depends on content and seed alone, not on the order of the rows, and holds only what it keeps.
"""

import heapq
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

from curate.errors import InputError
from curate.keys import digest
from curate.sources._published import Part, Published
from curate.sources.row_reader import RawRow

Rows = Iterator[tuple[Part, RawRow]]


_SHOWN = 20  # values of a column


def among(source: Published, rows: Rows, column: str, wanted: Collection[Any] | None) -> Rows:
    """The rows whose `column` holds one of `wanted` (None: all). Others are no part of the source, as another split.

    A row without the column, or with nothing in it, is passed on, so that whoever reads it says so. Raises InputError
    at the end of a set that holds other values alone; the few bundled rows need not hold every value.
    """
    any_wanted, others = False, dict[str, None]()
    for part, raw in rows:
        if wanted is None or raw.values.get(column) is None or raw.values[column] in wanted:
            any_wanted = True
            yield part, raw
        elif len(others) < _SHOWN:
            others[f"{raw.values[column]!s:.40}"] = None
        del raw
    if others and not any_wanted and source.path != source.tiny():
        raise InputError(
            f"no row has {' or '.join(map(str, wanted or ()))} as its '{column}'",
            where=str(source.path or source.origin.repo),
            next=f"its values are: {', '.join(others)}",
        )


class Drawn(NamedTuple):
    """A row that was drawn, and its number among all rows, from 0."""

    number: int
    part: Part
    raw: RawRow


class _Held(NamedTuple):
    worst: int  # the negative of its rank: a heap gives up the highest rank first
    number: int
    part: Part
    raw: RawRow


class Draw:
    """Keeps of each group the `size` rows of lowest rank; a rank is a hash of the seed and what names the row."""

    def __init__(self, size: int, seed: int) -> None:
        self._size = size
        self._seed = seed
        self._groups: dict[str, list[_Held]] = {}

    def offer(self, group: str, names: Collection[Any], number: int, part: Part, raw: RawRow) -> None:
        """Consider one row of a group; `names` are the values that tell it from the others."""
        rank = int(digest("draw", self._seed, group, list(names)), 16)
        held = self._groups.setdefault(group, [])
        one = _Held(-rank, -number, part, raw)
        if len(held) < self._size:
            heapq.heappush(held, one)
        elif one[:2] > held[0][:2]:
            heapq.heapreplace(held, one)

    def drawn(self) -> list[Drawn]:
        """What is kept, in the order of the rows."""
        kept = [Drawn(-one.number, one.part, one.raw) for held in self._groups.values() for one in held]
        return sorted(kept, key=lambda one: one.number)
