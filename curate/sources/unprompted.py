"""`kind: unprompted`: one empty question, for sampling what a model writes when nobody asks it anything."""

from collections.abc import Iterator

from pydantic import Field

from curate.keys import digest
from curate.kinds import Source
from curate.records import Drop, Question, Unknown


class Unprompted(Source):
    """A single question without a text and without a truth; `annotate.samples` says how often it is sampled."""

    domain: str = Field("unprompted", min_length=1)
    licence: str | None = None

    def read(self) -> Iterator[Question | Drop]:
        """Yield the question."""
        yield Question.of(
            problem="",
            domain=self.domain,
            truth=Unknown(),
            source="unprompted",
            source_id="0",
            licence=self.licence,
        )

    def fingerprint(self) -> str:
        """A hash of its fields: there is nothing else to it."""
        return digest("unprompted", 1, self.domain, self.licence)
