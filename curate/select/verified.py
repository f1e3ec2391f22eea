"""`kind: verified`: what passed verification, and whole domains that are published as they are."""

import pyarrow as pa
from pydantic import Field

from curate.kinds import Selector
from curate.select.choices import Choices, Sieve
from curate.select.columns import drop_unfinished, is_word, of_domains


class Verified(Selector):
    """Keep attempts with the verdict `pass`; of the domains in `also`, keep every finished attempt.

    As they are means: whatever the verdict says, `fail` and `unsure` included. Only `error` is left out there too,
    because it is our trouble and the next run decides it.
    """

    also: tuple[str, ...] = Field(
        (), description="Domains whose finished answers are kept whatever their verdict (`science` covers physics...)."
    )

    def select(self, attempts: pa.Table) -> Choices:
        """Reasons: `unfinished` (truncated, refused, empty, failed) or `not_verified`."""
        sieve = Sieve(attempts.num_rows)
        drop_unfinished(attempts, sieve)
        as_they_are = of_domains(attempts, *self.also) & ~is_word(attempts, "outcome", "error")
        left = sieve.drop("not_verified", ~(is_word(attempts, "outcome", "pass") | as_they_are))
        for name in ("outcome", "reason"):
            sieve.tell(name, attempts.column(name), left)
        return sieve.choices()
