"""`kind: token_budget`: whole rows, up to a number of tokens."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from curate.kinds import Selector
from curate.select.choices import Choices, Sieve
from curate.select.columns import chance, directed, drop_unfinished, need_numbers, numbers, order


class TokenBudget(Selector):
    """Keep finished answers, best first, as long as they fit into so many tokens together.

    The first row that does not fit ends it, so a larger budget keeps all that a smaller one kept and short rows are
    not favoured; only a row that is larger than the whole budget is passed over. Tokens are the student's where
    `measure.tokenizer` names its tokenizer.
    """

    tokens: int = Field(ge=1, description="Tokens of reasoning and solution of all rows together.")
    by: str = Field("random", description="`random`, or a column of numbers: what is taken first.")
    prefer: Literal["highest", "lowest"] = Field("highest", description="Which end of a column is taken first.")
    seed: int = Field(0, description="Another seed is another choice by chance.")

    def reads(self) -> frozenset[str]:
        """The tokens, and the column."""
        return frozenset({"tokens"} | ({self.by} if self.by != "random" else set()))

    def fits(self, types: Mapping[str, str]) -> None:
        """Raises ValueError where a column that is ranked holds no numbers."""
        need_numbers(types, *self.reads())

    def select(self, attempts: pa.Table) -> Choices:
        """Reasons: `unfinished`, `missing_value`, `larger_than_budget`, or `over_budget` (with the sum before it)."""
        sieve = Sieve(attempts.num_rows)
        drop_unfinished(attempts, sieve)
        tokens = numbers(attempts, "tokens")
        key = np.zeros(len(tokens))
        if self.by != "random":
            value = numbers(attempts, self.by)
            sieve.drop("missing_value", np.isnan(value))
            key = directed(value, self.prefer)
        sieve.drop("missing_value", np.isnan(tokens))
        sieve.drop("larger_than_budget", tokens > self.tokens)
        pool = sieve.open
        ranked = order(attempts, key, chance(attempts, "token_budget", self.seed))
        ranked = ranked[pool[ranked]]
        sums = np.cumsum(tokens[ranked])
        before = np.full(len(tokens), np.nan)
        before[ranked] = sums - tokens[ranked]
        rank = np.full(len(tokens), np.nan)
        rank[ranked] = np.arange(1, len(ranked) + 1)
        over = np.zeros(len(tokens), dtype=np.bool_)
        over[ranked] = sums > self.tokens
        sieve.drop("over_budget", over)
        for name, found in (("tokens", tokens), ("tokens_before", before), ("rank", rank)):
            sieve.tell(name, pa.array(found, pa.int64(), from_pandas=True))
        return sieve.choices()
