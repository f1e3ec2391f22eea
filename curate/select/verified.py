"""`kind: verified`: what passed verification, and whole domains that are published as they are."""

import pyarrow as pa

from curate.kinds import Opinion, Selector
from curate.select.finished import unfinished


class Verified(Selector):
    """Keep attempts with the verdict `pass`; of the domains in `also`, keep every finished attempt.

    As they are means: whatever the verdict says, `fail` and `unsure` included. Only `error` is left out there too,
    because it is our trouble and the next run decides it.
    """

    also: tuple[str, ...] = ()

    def select(self, attempts: pa.Table) -> list[Opinion]:
        """Reasons: `unfinished` (truncated, refused, empty, failed) or `not_verified`."""
        names = ("domain", "outcome", "reason", "finish_reason")
        columns = (attempts.column(name).to_pylist() for name in names)
        return [self._opinion(*row) for row in zip(*columns, strict=True)]

    def _opinion(self, domain: str, outcome: str, reason: str, finish_reason: str) -> Opinion:
        if finish_reason != "stop":
            return unfinished(finish_reason)
        if outcome == "pass" or (domain in self.also and outcome != "error"):
            return Opinion(True)
        return Opinion(False, "not_verified", {"outcome": outcome, "reason": reason})
