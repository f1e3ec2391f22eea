"""`kind: band`: the rows whose value lies in a band, or in the highest or lowest share of all."""

from collections.abc import Mapping
from typing import Self

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from curate.kinds import Selector
from curate.select.choices import Choices, Sieve
from curate.select.columns import (
    Codes,
    Floats,
    chance,
    directed,
    drop_unfinished,
    need_numbers,
    numbers,
    of_domains,
    order,
    places,
    questions,
    words,
)


class Band(Selector):
    """Keep rows by the value of one column: within bounds, and of those the highest or lowest share.

    A column that says the same of every answer to a question (`pass_rate`, `difficulty`) ranks questions, so that a
    question is kept or dropped whole; any other column ranks answers. Ties go by hash(seed, id). `domains` limits it to
    some domains, the rest is kept as it is; `per` ranks within each domain or source.
    """

    column: str = Field(description="A column of numbers, such as `pass_rate`, `difficulty` or `response_length`.")
    min: float | None = Field(None, allow_inf_nan=False, description="The least value that is kept.")
    max: float | None = Field(None, allow_inf_nan=False, description="The greatest value that is kept.")
    highest: float | None = Field(None, gt=0, le=1, description="The share with the highest values, such as 0.5.")
    lowest: float | None = Field(None, gt=0, le=1, description="The share with the lowest values.")
    per: str | None = Field(None, description="A column of words, such as `domain`: shares are taken within each.")
    domains: tuple[str, ...] = Field((), description="Domains that it looks at; none: all of them.")
    keep_missing: bool = Field(False, description="Whether a row without a value is kept.")
    seed: int = Field(0, description="Another seed is another choice by chance.")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        given = [one for one in (self.min, self.max, self.highest, self.lowest) if one is not None]
        if not given:
            raise ValueError("give min, max, highest or lowest")
        if self.highest is not None and self.lowest is not None:
            raise ValueError("give highest or lowest, not both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("min is above max: nothing could be kept")
        return self

    def reads(self) -> frozenset[str]:
        """The column, and the one whose words part the rows."""
        return frozenset({self.column} | ({self.per} if self.per else set()))

    def fits(self, types: Mapping[str, str]) -> None:
        """Raises ValueError where a column that is ranked holds no numbers."""
        need_numbers(types, self.column)

    def select(self, attempts: pa.Table) -> Choices:
        """Reasons: `unfinished`, `missing_value`, `below`, `above`, `outside_share`, each with the value."""
        sieve = Sieve(attempts.num_rows)
        drop_unfinished(attempts, sieve)
        value = numbers(attempts, self.column)
        mine = of_domains(attempts, *self.domains) if self.domains else np.ones(len(value), dtype=np.bool_)
        sieve.tell(self.column, value, sieve.open & mine)
        if not self.keep_missing:
            sieve.drop("missing_value", mine & np.isnan(value))
        sieve.drop("below", mine & (value < (-np.inf if self.min is None else self.min)))
        sieve.drop("above", mine & (value > (np.inf if self.max is None else self.max)))
        if self.highest is not None or self.lowest is not None:
            self._share(attempts, sieve, np.where(mine, value, np.nan))
        return sieve.choices()

    def _share(self, attempts: pa.Table, sieve: Sieve, value: Floats) -> None:
        pool = sieve.open & ~np.isnan(value)
        units = questions(attempts)
        whole = _same_within(units[pool], value[pool])
        if not whole:
            units = np.arange(len(value), dtype=np.int64)
        key = directed(value, "highest" if self.highest is not None else "lowest")
        # One number for all the answers to a question, whichever of them are still there.
        tie = chance(attempts, "band", self.seed, of="question_id" if whole else "attempt_id")
        ranked = order(attempts, key, tie)
        ranked = ranked[pool[ranked]]
        first = ranked[places(units, ranked)[ranked] == 0]  # one row stands for each unit
        groups = words(attempts, self.per)[0] if self.per else np.zeros(len(value), dtype=np.int64)
        place = places(groups, first)
        sizes = np.bincount(groups[first], minlength=int(groups.max(initial=0)) + 1)
        share = self.highest or self.lowest or 1.0
        quota = np.ceil(sizes * share - 1e-9)[groups]
        unit_place = np.full(int(units.max(initial=-1)) + 1, -1, dtype=np.int64)
        unit_place[units[first]] = place[first]
        rank = np.where(pool, unit_place[units], -1)
        sieve.drop("outside_share", pool & (rank >= quota))
        sieve.tell("rank", pa.array(np.where(pool, rank + 1.0, np.nan), pa.int64(), from_pandas=True))
        sieve.tell("of", sizes[groups], pool)


def _same_within(units: Codes, value: Floats) -> bool:
    """Whether the value is the same for all rows of a unit."""
    low = np.full(int(units.max(initial=-1)) + 1, np.inf)
    high = np.full(len(low), -np.inf)
    np.minimum.at(low, units, value)
    np.maximum.at(high, units, value)
    return bool((low[units] == high[units]).all())
