"""`kind: mix`: shares of sources or domains, by weights, caps and a total size."""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from curate.kinds import Selector
from curate.select.choices import Choices, Sieve
from curate.select.columns import chance, directed, drop_unfinished, need_numbers, numbers, order, places, words

_Share = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Mix(Selector):
    """Keep so many finished answers of each group, chosen at random or by a column.

    With `weights` and `size`, groups get rows by their weights; what a group has not (or may not give, by its cap) goes
    to the others by their weights. With `weights` alone, as many rows as the weights allow exactly. With `size` alone,
    groups keep their natural shares. With `caps` alone, each group is cut to its cap.
    """

    by: str = Field("source", description="`source`, `domain`, or another column of words, such as `meta.subject`.")
    weights: dict[str, _Share] = Field(default_factory=dict, description="Relative shares of groups.")
    others: float = Field(
        1.0, ge=0, allow_inf_nan=False, description="The weight of a group that `weights` does not name."
    )
    caps: dict[str, Annotated[int, Field(ge=0)]] = Field(default_factory=dict, description="Rows at most of a group.")
    cap: int | None = Field(None, ge=0, description="Rows at most of every group that `caps` does not name.")
    size: int | None = Field(None, ge=0, description="Rows in all.")
    prefer: Literal["random", "highest", "lowest"] = Field("random", description="Which rows of a group are taken.")
    column: str | None = Field(None, description="The column of numbers that `prefer: highest` or `lowest` looks at.")
    seed: int = Field(0, description="Another seed is another choice by chance.")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not (self.weights or self.caps or self.cap is not None or self.size is not None):
            raise ValueError("give weights, caps, cap or size")
        if (self.prefer == "random") != (self.column is None):
            raise ValueError("prefer: highest or lowest, and only they, take a column")
        return self

    def reads(self) -> frozenset[str]:
        """The column of the groups, and the one that ranks."""
        return frozenset({self.by} | ({self.column} if self.column else set()))

    def fits(self, types: Mapping[str, str]) -> None:
        """Raises ValueError where a column that is ranked holds no numbers."""
        need_numbers(types, *([self.column] if self.column else []))

    def select(self, attempts: pa.Table) -> Choices:
        """Reasons: `unfinished`, `missing_value`, or `over_quota` (with group, rank and quota, as for kept rows)."""
        sieve = Sieve(attempts.num_rows)
        drop_unfinished(attempts, sieve)
        key = np.zeros(attempts.num_rows)
        if self.column is not None:
            value = numbers(attempts, self.column)
            sieve.drop("missing_value", np.isnan(value))
            sieve.tell(self.column, value, sieve.open)
            key = directed(value, self.prefer)
        pool = sieve.open
        groups, names = words(attempts, self.by)
        have = np.bincount(groups[pool], minlength=len(names))
        quota = np.array(self.quotas(dict(zip(names, have.tolist(), strict=True))), dtype=np.int64)
        ranked = order(attempts, key, chance(attempts, "mix", self.seed))
        place = places(groups, ranked[pool[ranked]])
        sieve.drop("over_quota", place >= quota[groups] if len(names) else pool)
        sieve.tell("group", pa.array(names, pa.string()).take(pa.array(groups)), pool)
        sieve.tell("rank", pa.array(np.where(place < 0, np.nan, place + 1), pa.int64(), from_pandas=True))
        if len(names):
            sieve.tell("quota", quota[groups], pool)
        missing = sorted({*self.weights, *self.caps} - {name for name, rows in zip(names, have, strict=True) if rows})
        if missing:
            sieve.notes.append(f"mix: no row has the {self.by} {', '.join(missing)}")
        return sieve.choices()

    def quotas(self, have: dict[str, int]) -> list[int]:
        """The rows that each group gives, in the order of `have` (rows of each group)."""
        limit = {
            name: min(rows, self.caps.get(name, rows if self.cap is None else self.cap)) for name, rows in have.items()
        }
        weight = {
            name: self.weights.get(name, self.others) if self.weights else float(rows) for name, rows in have.items()
        }
        if self.size is None and not self.weights:
            return list(limit.values())
        if self.size is None:
            able = [limit[name] / one for name, one in weight.items() if one > 0 and have[name]]
            return [int(min(able, default=0.0) * weight[name] + 1e-9) for name in have]
        return _divided(self.size, limit, weight)


def _divided(size: int, limit: dict[str, int], weight: dict[str, float]) -> list[int]:
    """Divide `size` by weight, nobody beyond its limit; what rounding leaves goes to the largest remainders."""
    given: dict[str, int] = {name: 0 for name in limit}
    left, open_ = size, {name for name in limit if weight[name] > 0}
    while open_:
        total = sum(weight[name] for name in sorted(open_))
        full = {name for name in open_ if limit[name] <= left * weight[name] / total}
        if not full:
            break
        for name in full:
            given[name] = limit[name]
        left -= sum(limit[name] for name in full)
        open_ -= full
    if open_:
        total = sum(weight[name] for name in sorted(open_))
        exact = {name: left * weight[name] / total for name in open_}
        given |= {name: int(share) for name, share in exact.items()}
        rest = left - sum(given[name] for name in open_)
        for name in sorted(open_, key=lambda one: (given[one] - exact[one], one))[:rest]:
            given[name] += 1
    return list(given.values())
