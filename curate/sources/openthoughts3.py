"""`kind: openthoughts3`: the questions of OpenThoughts3-1.2M, each of which stands there with sixteen answers.

Its math is from OpenMathInstruct-2, its code from OpenCodeReasoning and StackExchange, its science from StackExchange
and textbooks. The set publishes questions and traces and no reference, so no row has a truth.
"""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from curate.records import Drop, Question, Unknown
from curate.sources._picked import Rows, among
from curate.sources._published import Left, Origin, Part, Published, Row
from curate.sources.seen import Seen
from curate.sources.values import WrongType, given, label, text


class OpenThoughts3(Published):
    """OpenThoughts3's questions, each once and without a truth, for the set has none; the traces stay unread."""

    origin: ClassVar[Origin] = Origin(
        repo="open-thoughts/OpenThoughts3-1.2M",
        features={
            "difficulty": "int64",
            "source": "string",
            "domain": "string",
            "conversations": [{"from": "string", "value": "string"}],
        },
        evidence=(
            "https://huggingface.co/datasets/DedeProGames/OpenThoughts3-20k/blob/main/README.md",
            "https://huggingface.co/datasets/open-thoughts/OpenThoughts3-1.2M/viewer/default/train",
        ),
        confirmed=True,
        licence="apache-2.0",
        gigabytes=28.6,
        note="1.2 million rows: 850,000 math, 250,000 code, 100,000 science. The column types are those of a cut of it "
        "that states them.",
    )
    domain: ClassVar[str] = "math"

    domains: tuple[Literal["math", "code", "science"], ...] | None = Field(
        None, min_length=1, description="Only rows of these domains; others are not read."
    )

    def items(self, rows: Rows) -> Iterator[Question | Drop]:
        """Each question of the chosen domains where it stands first; its other rows are further answers to it."""
        seen = Seen()
        for item in super().items(among(self, rows, "domain", self.domains)):
            if isinstance(item, Drop) or not seen.add(item.id):
                yield item

    def question(self, row: Row, part: Part) -> Question:
        """What the first turn asks, without a truth. Raises Left, WrongType."""
        if not given(row["domain"]):
            raise Left("no_domain")
        meta = {"from": row["source"], "difficulty": row["difficulty"]}
        return self.made(_asked(row["conversations"]), Unknown(), domain=label(row["domain"]).lower(), meta=meta)


def _asked(turns: Any) -> str:
    if not isinstance(turns, list) or not turns or not isinstance(turns[0], Mapping):
        raise WrongType("expected a list of turns")
    if turns[0].get("from") not in ("human", "user"):
        raise WrongType(f"expected a human's turn first, found one of {turns[0].get('from')!r:.40}")
    return text(turns[0].get("value") or "")
