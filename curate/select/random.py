"""`kind: random`: a random choice of finished attempts, as many as another selection keeps: the control of a filter."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
from pydantic import BeforeValidator, Field, WithJsonSchema

from curate.kinds import Selector
from curate.plug import Plug
from curate.select.choices import Choices, Sieve
from curate.select.columns import chance, drop_unfinished, numbers, order
from curate.select.verified import Verified


def _listed(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


# A selector within a selector: written out in full, the schema of it would never end.
_KIND = {"type": "object", "properties": {"kind": {"type": "string"}}, "required": ["kind"]}
_LIKE = {"anyOf": [{"type": "string"}, _KIND, {"type": "array", "items": {"anyOf": [{"type": "string"}, _KIND]}}]}


class Random(Selector):
    """Keep `size` finished attempts; without `size`, as many as the selection `like` keeps of the same attempts.

    An attempt is chosen by the rank of hash(seed, attempt_id), so the choice depends neither on the order of rows nor
    on the other attempts, and a larger `size` keeps all that a smaller one kept. A `size` above what there is keeps
    everything.
    """

    version: ClassVar[int] = 1
    seed: int = Field(0, description="Another seed is another choice by chance.")
    size: int | None = Field(None, ge=0, description="Attempts to keep; without it, as many as `like` keeps.")
    like: Annotated[
        tuple[Annotated[Selector, Plug("curate.select")], ...], BeforeValidator(_listed), WithJsonSchema(_LIKE)
    ] = Field((Verified(),), description="A selector, or several one after another, whose size this one takes.")
    also: tuple[str, ...] = Field((), description="Given to `verified`, where `like` names it without options.")
    same: Literal["rows", "tokens"] = Field(
        "rows", description="What `like` has and this one takes: its number of rows, or of tokens (then whole rows)."
    )

    def reads(self) -> frozenset[str]:
        """What `like` reads, and the tokens where they are counted."""
        own = {"tokens"} if self.same == "tokens" and self.size is None else set()
        return frozenset(own).union(*(one.reads() for one in self.like if self.size is None))

    def fits(self, types: Mapping[str, str]) -> None:
        """Raises ValueError where a selector of `like` cannot read a column."""
        for one in self.like:
            one.fits(types)

    def select(self, attempts: pa.Table) -> Choices:
        """Reasons: `unfinished`, or `not_chosen`; the evidence is the rank among the finished ones, from 1."""
        sieve = Sieve(attempts.num_rows)
        drop_unfinished(attempts, sieve)
        pool = sieve.open
        ranked = order(attempts, chance(attempts, "random", self.seed))
        ranked = ranked[pool[ranked]]
        rank = np.full(attempts.num_rows, np.nan)
        rank[ranked] = np.arange(1, len(ranked) + 1)
        size = self._size(attempts, ranked) if self.size is None else self.size
        sieve.drop("not_chosen", pool & (rank > size))
        sieve.tell("rank", pa.array(rank, pa.int64(), from_pandas=True))
        return sieve.choices()

    def _size(self, attempts: pa.Table, ranked: "np.ndarray[Any, np.dtype[np.int64]]") -> int:
        left = attempts
        for one in self.like:
            if isinstance(one, Verified) and not one.also:
                one = Verified(also=self.also)
            found = one.select(left)
            kept = found.kept if isinstance(found, Choices) else [opinion.kept for opinion in found]
            left = left.filter(pa.array(kept, pa.bool_()))
        if self.same == "rows":
            return int(left.num_rows)
        budget = np.nansum(numbers(left, "tokens"))
        return int(np.searchsorted(np.cumsum(np.nan_to_num(numbers(attempts, "tokens")[ranked])), budget, "right"))
