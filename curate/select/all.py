"""`kind: all`: every finished attempt, whatever its verdict."""

import pyarrow as pa

from curate.kinds import Selector
from curate.select.choices import Choices, Sieve
from curate.select.columns import drop_unfinished


class All(Selector):
    """Keep every attempt that the teacher finished with a solution, `fail`, `unsure` and `error` included.

    It is the unfiltered view of the same ledger: verdicts stay in the config `unverified`.
    """

    def select(self, attempts: pa.Table) -> Choices:
        """The only reason is `unfinished` (truncated, refused, empty, malformed, failed)."""
        sieve = Sieve(attempts.num_rows)
        drop_unfinished(attempts, sieve)
        return sieve.choices()
