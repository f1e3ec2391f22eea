"""`kind: all`: every finished attempt, whatever its verdict."""

import pyarrow as pa

from curate.kinds import Opinion, Selector
from curate.select.finished import unfinished


class All(Selector):
    """Keep every attempt that the teacher finished with a solution, `fail`, `unsure` and `error` included.

    It is the unfiltered view of the same ledger: verdicts stay in the config `unverified`.
    """

    def select(self, attempts: pa.Table) -> list[Opinion]:
        """The only reason is `unfinished` (truncated, refused, empty, malformed, failed)."""
        return [
            Opinion(True) if finish_reason == "stop" else unfinished(finish_reason)
            for finish_reason in attempts.column("finish_reason").to_pylist()
        ]
