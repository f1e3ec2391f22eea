"""`kind: sample`: a number of questions, drawn at random: of all, or of each domain or source."""

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from curate.clean._asked import DOMAINS, applies
from curate.keys import digest
from curate.kinds import Label, Opinion

if TYPE_CHECKING:
    import pyarrow as pa


class Sample(Label):
    """Keeps `n` questions of each group, the first ones by hash(seed, question): fewer where there are fewer.

    Which ones follows from the questions, not from their order, and a larger `n` keeps all that a smaller one kept.
    """

    columns: ClassVar[tuple[str, ...]] = ("id", "domain", "source", "source_id")
    whole: ClassVar[bool] = True
    n: int = Field(ge=0, description="Questions that are kept, of each group.")
    per: Literal["all", "domain", "source"] = Field("all", description="Groups that are each drawn from.")
    seed: int = Field(0, description="Another seed is another choice by chance.")
    domains: tuple[str, ...] = Field((), description=DOMAINS)

    def label(self, rows: "pa.Table") -> list[Opinion]:
        """One opinion per row: not_drawn, with its rank in the group and the size of that."""
        groups: dict[str, list[tuple[str, str, str, int]]] = {}
        opinions = [Opinion(True)] * rows.num_rows
        columns = (rows.column(name).to_pylist() for name in self.columns)
        for place, (id_, domain, source, source_id) in enumerate(zip(*columns, strict=True)):
            if applies(domain, self.domains):
                group = {"all": "", "domain": domain, "source": source}[self.per]
                # Equal questions of two sources have one id: which of them is drawn is decided by where they are from.
                mark = (digest("sample", self.seed, id_), source, source_id or "", place)
                groups.setdefault(group, []).append(mark)
        for group, marks in groups.items():
            named: dict[str, Any] = {} if self.per == "all" else {self.per: group}
            for rank, (*_, place) in enumerate(sorted(marks)[self.n :], self.n + 1):
                opinions[place] = Opinion(False, "not_drawn", {"rank": rank, "of": len(marks), "n": self.n, **named})
        return opinions
