"""`kind: decontaminate`: drops the answers that hold a benchmark question, in their thinking or their solution.

A question may be clean and its answer not: a model quotes what it knows. Each finding names the benchmark, the item,
the tier, the score and the places, as those of the cleaning stage do.
"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import AfterValidator, Field

from curate.clean.decontaminate import DROPPED, Dropped, ordered
from curate.contamination.against import Against
from curate.kinds import Opinion, Selector

if TYPE_CHECKING:
    import pyarrow as pa


class Decontaminate(Selector):
    """Looks for benchmark questions in finished answers; a weaker likeness is told and kept (`candidate`)."""

    against: tuple[Against, ...] = Field(
        min_length=1, description="Benchmarks by name (`aime24`, `livecodebench@release_v5`) or files of your own."
    )
    drop: Annotated[tuple[Dropped, ...], AfterValidator(ordered)] = Field(
        ordered(DROPPED),
        description="The tiers that are dropped; the others are only told. None: everything is only told.",
    )

    def spec(self) -> dict[str, Any]:
        """Also the content of the benchmarks."""
        told = super().spec()
        options = {name: value for name, value in told["options"].items() if name != "against"}
        return {**told, "options": options, "against": self.contents()}

    def contents(self) -> list[str]:
        """What the benchmarks hold, as hashes."""
        return [one.content() for one in self.against]

    def reads(self) -> frozenset[str]:
        """What was found in each answer."""
        return frozenset({"benchmark"})

    def rehearsal(self) -> Self:
        """The same against the few bundled rows of each benchmark."""
        return self.model_copy(update={"against": tuple(one.rehearsal() for one in self.against)})

    def select(self, attempts: "pa.Table") -> Sequence[Opinion]:
        """One opinion per attempt: contaminated, with what was found and where."""
        return [
            Opinion(True) if text is None else self._opinion(text) for text in attempts.column("benchmark").to_pylist()
        ]

    def _opinion(self, text: str) -> Opinion:
        # What is dropped goes before what is not, whatever the order of the tiers.
        best, *rest = sorted(json.loads(text), key=lambda one: one["tier"] not in self.drop)
        names = ("in", "bench", "item", "tier", "score", "private")
        also = {"also": [{name: one[name] for name in names if name in one} for one in rest]} if rest else {}
        dropped = best["tier"] in self.drop
        return Opinion(not dropped, "contaminated" if dropped else None, {**best, **also})
