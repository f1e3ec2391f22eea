"""`kind: top`: keeps a share of the questions, those with the highest or the lowest score of an earlier stage."""

import math
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from curate.clean._asked import DOMAINS, ScoreName, applies
from curate.keys import digest
from curate.kinds import Label, Opinion

if TYPE_CHECKING:
    import pyarrow as pa

_Row = tuple[float, str, int]  # what it is ranked by, and its place


class Top(Label):
    """Keeps `share` of the questions that have the score, at least one of each group; equal scores go by a hash.

    Which ones does not depend on the order of the rows. A question without the score counts in no group.
    """

    columns: ClassVar[tuple[str, ...]] = ("id", "domain", "source")
    whole: ClassVar[bool] = True
    score: ScoreName = Field(description="The score of an earlier stage, such as response_length.")
    share: float = Field(gt=0, lt=1, description="The share that is kept, of each group.")
    end: Literal["highest", "lowest"] = Field("highest", description="Which end is kept.")
    per: Literal["all", "domain", "source"] = Field("all", description="Groups that each keep their share.")
    missing: Literal["keep", "drop"] = Field("keep", description="Questions without the score.")
    domains: tuple[str, ...] = Field((), description=DOMAINS)

    def wants(self) -> tuple[str, ...]:
        """The score."""
        return (self.score,)

    def label(self, rows: "pa.Table") -> list[Opinion]:
        """One opinion per row; the evidence is its rank, the size of its group and where the cut lies."""
        groups: dict[str, list[_Row]] = {}
        opinions: list[Opinion] = []
        sign = -1.0 if self.end == "highest" else 1.0
        names = ("id", "domain", "source", self.score)
        columns = (rows.column(name).to_pylist() for name in names)
        for place, (id_, domain, source, score) in enumerate(zip(*columns, strict=True)):
            opinions.append(Opinion(True))
            if not applies(domain, self.domains):
                continue
            if score is not None:
                group = {"all": "", "domain": domain, "source": source}[self.per]
                groups.setdefault(group, []).append((sign * score, digest("top", id_), place))
            elif self.missing == "drop":
                opinions[-1] = Opinion(False, "no_score", {"score": self.score})
        for group, ranked in groups.items():
            self._cut(group, sorted(ranked), opinions)
        return opinions

    def _cut(self, group: str, ranked: list[_Row], opinions: list[Opinion]) -> None:
        keep = max(1, math.floor(self.share * len(ranked) + 0.5))
        sign = -1.0 if self.end == "highest" else 1.0
        last = sign * ranked[keep - 1][0]
        named: dict[str, str] = {} if self.per == "all" else {self.per: group}
        for rank, (value, _, place) in enumerate(ranked[keep:], keep + 1):
            evidence: dict[str, Any] = {self.score: sign * value, "rank": rank, "of": len(ranked), "last_kept": last}
            opinions[place] = Opinion(False, f"not_{self.end}", evidence | named)
