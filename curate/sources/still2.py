"""`kind: still2`: the questions of STILL-2's long-thought data, from which Bespoke-Stratos takes science and puzzles.

The set has traces and no reference, so no row has a truth.
"""

from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import Field

from curate.records import Drop, Question, Unknown
from curate.sources._picked import Rows, among
from curate.sources._published import Left, Origin, Part, Published, Row
from curate.sources.values import given, label, text

Domain = Literal["math", "physics", "biology", "chemistry", "puzzle", "code"]
_SCIENCE = frozenset({"physics", "chemistry", "biology"})


class Still2(Published):
    """STILL-2's questions, without a truth, for the set has none; its traces (`combined_text`) stay unread."""

    origin: ClassVar[Origin] = Origin(
        repo="RUC-AIBOX/long_form_thought_data_5k",
        features={"question": "string", "combined_text": "string", "domain": "string"},
        evidence=(
            "bespokelabsai/SkyThought: skythought/tools/curator/combine_data.py",
            "https://huggingface.co/datasets/RUC-AIBOX/long_form_thought_data_5k/tree/main",
        ),
        confirmed=False,
        licence="apache-2.0",
        note="4,922 rows: 3,929 math, 271 physics, 238 chemistry, 178 code, 159 puzzle, 147 biology. The column names "
        "stand in public loaders; that all are texts was not seen stated.",
    )
    domain: ClassVar[str] = "science"

    domains: tuple[Domain, ...] = Field(
        ("puzzle", "physics", "biology", "chemistry"),
        min_length=1,
        description="Only rows of these domains, as the set names them; others are not read.",
    )

    def items(self, rows: Rows) -> Iterator[Question | Drop]:
        """The rows of the chosen domains."""
        return super().items(among(self, rows, "domain", self.domains))

    def question(self, row: Row, part: Part) -> Question:
        """The question without a truth. Raises Left."""
        if not given(row["domain"]):
            raise Left("no_domain")
        named = label(row["domain"]).lower()
        domain = "science" if named in _SCIENCE else named
        return self.made(text(row["question"] or ""), Unknown(), domain=domain, meta={"subject": named})
