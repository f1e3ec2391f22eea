"""`kind: random`: a random choice of finished attempts, as many as another selection keeps: the control of a filter."""

from typing import ClassVar, Literal

import pyarrow as pa
from pydantic import Field

from curate.keys import digest
from curate.kinds import Opinion, Selector
from curate.select.all import All
from curate.select.verified import Verified


class Random(Selector):
    """Keep `size` finished attempts; without `size`, as many as `verified` (with the same `also`) keeps of them.

    An attempt is chosen by the rank of hash(seed, attempt_id), so the choice depends neither on the order of rows nor
    on the other attempts, and a larger `size` keeps all that a smaller one kept. A `size` above what there is keeps
    everything.
    """

    version: ClassVar[int] = 1
    seed: int = 0
    size: int | None = Field(None, ge=0)
    like: Literal["verified"] = "verified"
    also: tuple[str, ...] = ()

    def select(self, attempts: pa.Table) -> list[Opinion]:
        """Reasons: `unfinished`, or `not_chosen`."""
        opinions = All().select(attempts)
        pool = [row for row, opinion in enumerate(opinions) if opinion.kept]
        size = self.size
        if size is None:
            size = sum(opinion.kept for opinion in Verified(also=self.also).select(attempts))
        ids = attempts.column("attempt_id").to_pylist()
        # `seq` breaks the tie of two rows that hold one and the same attempt (equal questions in two sources).
        seqs = attempts.column("seq").to_pylist()
        ranked = sorted(pool, key=lambda row: (digest("random", self.seed, ids[row]), seqs[row]))
        for row in ranked[size:]:
            opinions[row] = Opinion(False, "not_chosen")
        return opinions
