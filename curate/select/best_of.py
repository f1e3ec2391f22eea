"""`kind: best_of`: the best answers to each question, by length, by order of asking or by any column."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field

from curate.kinds import Selector
from curate.select.choices import Choices, Sieve
from curate.select.columns import (
    chance,
    directed,
    drop_unfinished,
    is_word,
    need_numbers,
    numbers,
    order,
    places,
    questions,
)

_BY_LENGTH = {"shortest": "lowest", "longest": "highest"}


class BestOf(Selector):
    """Keep the best `n` finished answers to each question.

    Put `verified` before it to choose among right answers only (`first_verified` looks at the verdict itself). Ties go
    by hash(seed, attempt_id). Equal questions of two sources are two questions.
    """

    words: ClassVar[tuple[str, ...]] = (*_BY_LENGTH, "first", "first_verified", "random")

    n: int = Field(1, ge=1, description="Answers to keep per question.")
    by: str = Field(
        "shortest",
        description="`shortest` or `longest` (characters), `first` (order of asking), `first_verified` (the same, right"
        " answers only), `random`, or a column of numbers, such as `tokens` or a score.",
    )
    prefer: Literal["highest", "lowest"] = Field("highest", description="Which end of a column is the best.")
    seed: int = Field(0, description="Another seed is another choice by chance.")

    def reads(self) -> frozenset[str]:
        """The column, where `by` names one."""
        return frozenset() if self.by in self.words else frozenset({self.by})

    def fits(self, types: Mapping[str, str]) -> None:
        """Raises ValueError where a column that is ranked holds no numbers."""
        need_numbers(types, *self.reads())

    def select(self, attempts: pa.Table) -> Choices:
        """Reasons: `unfinished`, `not_verified`, `missing_value` (of the column), or `not_best`, each with the rank."""
        sieve = Sieve(attempts.num_rows)
        drop_unfinished(attempts, sieve)
        if self.by == "first_verified":
            sieve.drop("not_verified", ~is_word(attempts, "outcome", "pass"))
        value, key = self._keys(attempts)
        if value is not None:
            sieve.drop("missing_value", np.isnan(value))
            sieve.tell("chars" if self.by in _BY_LENGTH else self.by, value, sieve.open)
        pool = sieve.open
        ranked = order(attempts, key, chance(attempts, "best_of", self.seed))
        place = places(questions(attempts), ranked[pool[ranked]])
        sieve.drop("not_best", place >= self.n)
        sieve.tell("rank", pa.array(np.where(place < 0, np.nan, place + 1), pa.int64(), from_pandas=True))
        return sieve.choices()

    def _keys(self, attempts: pa.Table) -> tuple[npt.NDArray[np.float64] | None, npt.NDArray[Any]]:
        """The values (n,) that are shown, and the keys (n,) that put the best answer first."""
        if self.by in ("first", "first_verified"):
            return None, attempts.column("sample").to_numpy()
        if self.by == "random":
            return None, np.zeros(attempts.num_rows)
        value = numbers(attempts, "chars" if self.by in _BY_LENGTH else self.by)
        return value, directed(value, _BY_LENGTH.get(self.by, self.prefer))
