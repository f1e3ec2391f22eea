r"""`kind: proofs`: drops questions that ask for a proof, whose answers no reference and no rule can decide."""

from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import Field, model_validator

from curate.clean._asked import DOMAINS
from curate.clean._matching import Hit, Pattern, hits, looked_at
from curate.kinds import Label, Opinion

if TYPE_CHECKING:
    import pyarrow as pa

_OPENS = r"(?:^|[.!?:;]\s+|\n\s*|\$\s*,?\s*|[(\[]?\b[a-h1-9][)\]]\s*|\b(?i:then|please|and|or),?\s+)"
# `Prove` opens a sentence or follows `, then`; a show that is watched, and a person who shows something, do not.
_ASKS = (
    Pattern("prove", rf"{_OPENS}(?i:prove)(?i:\s+or\s+disprove)?\b[\s,]"),
    Pattern("prove", r"(?i),\s*prove\s+(?:that|the|it|this|:|\$|\\)"),
    Pattern("show", rf"{_OPENS}(?:Show|Demonstrate)\s+(?:that|the following|\$|\\)"),
    Pattern("show", r",\s*(?:show|demonstrate)\s+that\s"),
    Pattern("proof", r"(?i)\b(?:give|write|find|provide)\s+an?\s+(?:\w+\s+)?proof(?:[^\w-]|$)"),
)
# What else a question asks that has an answer of its own: `Show that f is odd and find f(1)`.
_FINDS = (
    Pattern(
        "find",
        r"(?i)\b(?:find|determine|calculate|compute|evaluate|how (?:many|much|long|far|old|often)|"
        r"what (?:is|are|was|were|will|does|do|did|value|number)|which|simplify|"
        r"(?:give|write) (?:(?:down )?(?:its|their|all|the (?:values?|limit|number|answer|sum|least|largest))|it down))"
        r"\b",
    ),
    # These ask where they open a sentence or end one: a proof may say that something solves an equation.
    Pattern(
        "find",
        r"(?:(?:^|[.;!?]\s+)(?i:hence |then |also )?(?:State|Express|Solve|Name|List|Identify)|"
        r"(?i:\b(?:and|then|hence|also),?\s+(?:state|express|solve|name|list|identify)))\b",
    ),
)
_EMPTY_BOX = (Pattern("box", r"\\boxed\s*\{\s*\}"),)
_BOX = (Pattern("box", r"\\boxed\b|\\fbox\b"),)


class Proofs(Label):
    r"""Drops by three signs, each a reason of its own; give `asks: false` and so on for those that should not count.

    `asks_for_proof`: the text says to prove or show something, and asks for nothing else. `empty_box`: the worked
    solution ends in an empty `\boxed{}`, as proofs do in NuminaMath. `no_final_answer`: the worked solution has no box
    at all (only with `boxless`, for sources whose solutions box their answers).
    """

    columns: ClassVar[tuple[str, ...]] = ("problem", "domain", "truth_type", "gold")
    asks: bool = Field(True, description="Drop what asks for a proof and for nothing else.")
    empty_box: bool = Field(True, description="Drop where the worked solution has an empty box.")
    boxless: bool = Field(False, description="Drop where the worked solution has no box at all.")
    domains: tuple[str, ...] = Field((), description=DOMAINS)

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if not (self.asks or self.empty_box or self.boxless):
            raise ValueError("`asks`, `empty_box` and `boxless` are all false: nothing would be dropped")
        return self

    def label(self, rows: "pa.Table") -> list[Opinion]:
        """One opinion per row: asks_for_proof, empty_box or no_final_answer."""
        problems, golds = rows.column("problem"), rows.column("gold")
        asking, finding = (hits(problems, _ASKS), hits(problems, _FINDS)) if self.asks else ({}, {})
        empty = hits(golds, _EMPTY_BOX) if self.empty_box else {}
        boxed: dict[int, Hit] | None = hits(golds, _BOX) if self.boxless else None
        known = [bool(gold) for gold in _has_text(golds)]
        opinions = []
        for row, looked in enumerate(looked_at(rows, self.domains)):
            opinion = Opinion(True)
            if not looked:
                pass
            elif row in empty:
                opinion = Opinion(False, "empty_box", {"found": empty[row].text})
            elif row in asking and row not in finding:
                opinion = Opinion(False, "asks_for_proof", {"found": asking[row].text.strip()})
            elif boxed is not None and known[row] and row not in boxed:
                opinion = Opinion(False, "no_final_answer", {"box": False})
            opinions.append(opinion)
        return opinions


def _has_text(column: "pa.ChunkedArray") -> list[bool]:
    import pyarrow.compute as pc

    found: list[bool] = pc.fill_null(pc.greater(pc.utf8_length(column), 0), False).to_pylist()
    return found
