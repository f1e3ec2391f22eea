"""`kind: balance`: rows of every domain alike, and within a domain the long ones first: s1's way to diversity."""

import math
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field

from curate.kinds import Selector
from curate.select.choices import Choices, Sieve
from curate.select.columns import Codes, chance, drop_unfinished, need_numbers, numbers, order, places, words


class Balance(Selector):
    """Draw `size` finished answers, each from a group drawn with equal chances among those that have some left.

    Within a group the row at place r (from 0) of those left, the longest first, is drawn with a chance of 2^-(r+1), as
    s1K was made (arXiv 2501.19393, section 2.2: domains uniformly, then by the rank of the length). Groups are domains,
    sources or clusters: any column of words. The draws follow from the seed and the rows, not from their order.
    """

    size: int = Field(ge=0, description="Rows to draw; all of them where there are fewer.")
    by: str = Field("domain", description="The groups: `domain`, `source`, or a column such as `meta.cluster`.")
    within: Literal["longest", "shortest", "random"] = Field("longest", description="What is likelier in a group.")
    length: str = Field("chars", description="The column that measures length: `chars`, or `tokens`.")
    seed: int = Field(0, description="Another seed is another choice by chance.")

    def reads(self) -> frozenset[str]:
        """The column of the groups, and the length where it decides."""
        return frozenset({self.by} | ({self.length} if self.within != "random" else set()))

    def fits(self, types: Mapping[str, str]) -> None:
        """Raises ValueError where a column that is ranked holds no numbers."""
        need_numbers(types, self.length)

    def select(self, attempts: pa.Table) -> Choices:
        """Reasons: `unfinished`, `missing_value`, or `not_drawn`; kept rows have the number of their draw."""
        sieve = Sieve(attempts.num_rows)
        drop_unfinished(attempts, sieve)
        tie = chance(attempts, "balance", self.seed)
        keys: list[npt.NDArray[Any]] = [tie]
        if self.within != "random":
            value = numbers(attempts, self.length)
            sieve.drop("missing_value", np.isnan(value))
            sieve.tell(self.length, value, sieve.open)
            keys = [-value if self.within == "longest" else value, tie]
        pool = sieve.open
        groups, names = words(attempts, self.by)
        ranked = order(attempts, *keys)
        draw, rank = self._drawn(groups, ranked[pool[ranked]], len(names))
        sieve.drop("not_drawn", pool & (draw < 0))
        sieve.tell("group", pa.array(names, pa.string()).take(pa.array(groups)), pool)
        for name, found in (("rank", rank), ("draw", draw)):
            sieve.tell(name, pa.array(np.where(found < 0, np.nan, found + 1), pa.int64(), from_pandas=True))
        return sieve.choices()

    def _drawn(self, groups: Codes, ranked: Codes, count: int) -> tuple[Codes, Codes]:
        """The number of the draw of each row (n,), and its place in its group, both from 0; -1: none."""
        draw: Codes = np.full(len(groups), -1, dtype=np.int64)
        rank = places(groups, ranked)
        by_group = ranked[np.argsort(groups[ranked], kind="stable")]
        ends = np.cumsum(np.bincount(groups[by_group], minlength=count))[:-1]
        # The likeliest row is the last of its list: taking it out is cheap.
        waiting = [rows[::-1].tolist() for rows in np.split(by_group, ends) if len(rows)]
        source = np.random.Generator(np.random.PCG64(self.seed))
        for number in range(min(self.size, len(ranked))):
            which, at = source.random(2).tolist()
            rows_left = waiting[int(which * len(waiting))]
            place = 0 if self.within == "random" else _place(at, len(rows_left))
            draw[rows_left.pop(len(rows_left) - 1 - place)] = number
            if not rows_left:
                waiting.remove(rows_left)
        return draw, rank


def _place(chance_: float, rows: int) -> int:
    """The place of 0..rows-1 that a number in [0, 1) falls on when place r weighs 2^-(r+1)."""
    scaled = chance_ * (1.0 - 2.0**-rows if rows < 60 else 1.0)
    return min(rows - 1, int(-math.log2(1.0 - scaled)))
