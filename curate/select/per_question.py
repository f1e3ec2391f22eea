"""`kind: per_question`: at most so many answers to each question, chosen at random, and no question with too few."""

from typing import Self

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from curate.kinds import Selector
from curate.select.choices import Choices, Sieve
from curate.select.columns import chance, drop_unfinished, order, places, questions


class PerQuestion(Selector):
    """Keep at most `most` finished answers to each question, by hash(seed, attempt_id); none of too few."""

    most: int | None = Field(None, ge=1, description="Answers to keep per question.")
    least: int = Field(1, ge=1, description="A question with fewer answers left is dropped whole.")
    seed: int = Field(0, description="Another seed is another choice by chance.")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.most is not None and self.most < self.least:
            raise ValueError("most is less than least: nothing could be kept")
        return self

    def select(self, attempts: pa.Table) -> Choices:
        """Reasons: `unfinished`, `too_few` (with how many there are), or `over_the_cap` (with the rank)."""
        sieve = Sieve(attempts.num_rows)
        drop_unfinished(attempts, sieve)
        pool = sieve.open
        groups = questions(attempts)
        answers = np.bincount(groups[pool], minlength=int(groups.max(initial=-1)) + 1)[groups]
        sieve.drop("too_few", answers < self.least)
        sieve.tell("answers", answers, pool)
        ranked = order(attempts, chance(attempts, "per_question", self.seed))
        place = places(groups, ranked[pool[ranked]])
        if self.most is not None:
            sieve.drop("over_the_cap", place >= self.most)
        sieve.tell("rank", pa.array(np.where(place < 0, np.nan, place + 1), pa.int64(), from_pandas=True))
        return sieve.choices()
