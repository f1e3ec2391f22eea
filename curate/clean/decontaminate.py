"""`kind: decontaminate`: finds benchmark questions among the questions, however they are wrapped, changed or misspelt.

Each finding names the benchmark, the item, the tier, the score and the places; which tiers are dropped is a choice.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Field

from curate.contamination.against import Against, read_items
from curate.keys import Operational
from curate.kinds import Label, Opinion

if TYPE_CHECKING:
    import pyarrow as pa

    from curate.contamination.match import Found

Dropped = Literal["exact", "ngram", "number_changed", "fuzzy", "short", "candidate"]
DROPPED: tuple[Dropped, ...] = ("exact", "ngram", "number_changed", "fuzzy", "short")
_ALSO = 5  # further findings of a row that are named


def ordered(tiers: tuple[Dropped, ...]) -> tuple[Dropped, ...]:
    """Tiers in one order, each once: how they are given decides nothing."""
    return tuple(sorted(set(tiers)))


class Decontaminate(Label):
    """Drops questions that hold a benchmark item; a weaker likeness is told and kept (`candidate`)."""

    version: ClassVar[int] = 2
    columns: ClassVar[tuple[str, ...]] = ("problem",)
    against: tuple[Against, ...] = Field(
        min_length=1, description="Benchmarks by name (`aime24`, `livecodebench@release_v5`) or files of your own."
    )
    drop: Annotated[tuple[Dropped, ...], AfterValidator(ordered)] = Field(
        ordered(DROPPED),
        description="The tiers that are dropped; the others are only told. None: everything is only told.",
    )

    self_test: Annotated[bool, Operational()] = Field(
        False, description="Plant changed benchmark items among the rows and say how many of each change are found."
    )

    def spec(self) -> dict[str, Any]:
        """What its opinions are kept under: also the content of the benchmarks."""
        told = super().spec()
        options = {name: value for name, value in told["options"].items() if name != "against"}
        return {**told, "options": options, "against": [one.content() for one in self.against]}

    def gives(self) -> tuple[str, ...]:
        """`contamination`: the score of the strongest finding."""
        return ("contamination",)

    def rehearsal(self) -> Self:
        """The same against the few bundled rows of each benchmark."""
        return self.model_copy(update={"against": tuple(one.rehearsal() for one in self.against)})

    def label(self, rows: "pa.Table") -> list[Opinion]:
        """One opinion per row, by these rows alone."""
        return self.prepared(lambda: iter([rows]), lambda line: None)(rows)

    def prepared(
        self, groups: Callable[[], Iterator["pa.Table"]], say: Callable[[str], None]
    ) -> Callable[["pa.Table"], list[Opinion]]:
        """What labels each batch, after a pass through all rows that counts how common each phrase is among them.

        With `self_test` it says the recall by transformation. Raises InputError for a benchmark that cannot be read,
        Prerequisite where the hub cannot be reached.
        """
        from curate.contamination.index import Index
        from curate.contamination.match import Matcher
        from curate.contamination.plant import ROWS, report, self_test

        items = read_items(self.against)
        index = Index(items)
        survey = index.survey()
        first: list[str] = []
        for group in groups():
            texts = group.column("problem").to_pylist()
            index.surveyed(survey, texts)
            first += texts[: ROWS - len(first)] if self.self_test else []
        index.weigh(survey)
        for line in report(self_test(items, first, self.drop)) if self.self_test else ():
            say(line)
        matcher = Matcher(index)

        def label(rows: "pa.Table") -> list[Opinion]:
            texts = rows.column("problem").to_pylist()
            return [self._opinion(text, one) for text, one in zip(texts, matcher.find(texts), strict=True)]

        return label

    def _opinion(self, text: str, found: "list[Found]") -> Opinion:
        # What is dropped goes before what is not, whatever the order of the tiers.
        held = sorted(found, key=lambda one: one.tier not in self.drop)
        if not held:
            return Opinion(True)
        best = held[0]
        evidence = best.evidence(text, private=any(one.item.private for one in held))
        # Those whose text is not shown first: who shows the row must know of them.
        if also := [one.short() for one in sorted(held[1:], key=lambda one: not one.item.private)[:_ALSO]]:
            evidence["also"] = also
        dropped = best.tier in self.drop
        return Opinion(not dropped, "contaminated" if dropped else None, evidence, {"contamination": best.score})
