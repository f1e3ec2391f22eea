"""`First`: the first rows of another source, for rehearsals. Not a kind that recipes can name."""

from collections.abc import Iterator
from itertools import islice

from curate.kinds import Source
from curate.records import Drop, Question

REHEARSED = 8  # rows: enough to meet every stage, few enough to take no time


class First(Source):
    """What `source` yields first, cut after `rows` rows."""

    source: Source
    rows: int = REHEARSED

    def read(self) -> Iterator[Question | Drop]:
        """Yield the first rows of the source. Raises what it raises."""
        return islice(self.source.read(), self.rows)

    def fingerprint(self) -> str | None:
        """The whole source's, so that nothing is read twice to tell."""
        return self.source.fingerprint()

    def rehearsal(self) -> Source:
        """Itself."""
        return self
