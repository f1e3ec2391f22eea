r"""`kind: numina_math`: NuminaMath-CoT, whose solutions end in a `\boxed{}` answer, with OpenThoughts' filters.

The filters are those of open-thoughts/open-thoughts, `open_thoughts/math/filter.py`, each with its own reason.
"""

import re
from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import Field

from curate.records import Answer, Drop, Question, Reference, Truth
from curate.sources._picked import Rows, among
from curate.sources._published import Left, Origin, Part, Published, Row
from curate.sources.boxed import last_boxed, several_boxed
from curate.sources.row_reader import RawRow
from curate.sources.values import given, text

Subset = Literal[
    "amc_aime", "aops_forum", "cn_k12", "gsm8k", "math", "olympiads", "orca_math", "synthetic_amc", "synthetic_math"
]
KEYWORDS = ("figure", "diagram", "jpeg", "png", "jpg", "svg", "answer:")
# Rows of each subset before and after the reference's filters, as its file notes them.
RECORDED: dict[str, tuple[int, int]] = {
    "amc_aime": (4070, 3736),
    "olympiads": (150563, 122742),
    "aops_forum": (30192, 17755),
    "math": (7477, 7289),
}
_BOX, _EMPTY_BOX = r"\boxed{", r"\boxed{}"


class NuminaMath(Published):
    """NuminaMath-CoT: competition and school problems from nine subsets.

    The answer is what the solution boxes last. Where it boxes several things in one phrase, which may be several
    answers or one in several forms, the solution is a reference that a judge must read.
    """

    origin: ClassVar[Origin] = Origin(
        repo="AI-MO/NuminaMath-CoT",
        splits=("train", "test"),
        features={
            "source": "string",
            "problem": "string",
            "solution": "string",
        },
        evidence=(
            "https://huggingface.co/datasets/skyzos/NuminaMath-CoT/blob/main/README.md",
            "https://huggingface.co/datasets/AI-MO/NuminaMath-CoT/tree/main",
            "open-thoughts/open-thoughts: open_thoughts/math/filter.py",
        ),
        confirmed=True,
        licence="apache-2.0",
        files="data/{split}-*.parquet",
        gigabytes=1.2,
        note="859,494 rows in train, 100 in test; `messages` repeats problem and solution and is not loaded. The "
        "column types are those of a copy of the card. The reference notes what its filters kept: 3,736 of 4,070 "
        "rows of amc_aime, 122,742 of 150,563 of olympiads, 17,755 of 30,192 of aops_forum, 7,289 of 7,477 of math.",
    )
    domain: ClassVar[str] = "math"

    subsets: tuple[Subset, ...] = Field(
        ("amc_aime", "olympiads", "aops_forum", "math"),
        min_length=1,
        description="The subsets to read (the column `source`); rows of others are no part of this source.",
    )
    drop_keywords: tuple[str, ...] = Field(
        KEYWORDS, description="Drop a problem that contains one of these, in any case (reason `keyword_...`)."
    )
    drop_multipart: bool = Field(
        True, description="Drop a problem that starts with `a)` and contains `b)` (reason `multipart`)."
    )
    drop_proofs: bool = Field(
        True,
        description="Drop a solution that contains an empty `\\boxed{}` (reason `proof`); if not, it is a "
        "reference for a judge.",
    )
    drop_unboxed: bool = Field(
        True,
        description="Drop a solution without `\\boxed{` (reason `no_boxed`); if not, it is a reference for a judge.",
    )

    def recorded(self) -> dict[str, tuple[int, int]]:
        """OpenThoughts' yields of the chosen subsets."""
        return {name: RECORDED[name] for name in self.subsets if name in RECORDED}

    def items(self, rows: Rows) -> Iterator[Question | Drop]:
        """The rows of the chosen subsets."""
        return super().items(among(self, rows, "source", self.subsets))

    def item(self, part: Part, raw: RawRow) -> Question | Drop:
        """The question of one row, or a Drop that names its subset."""
        made = super().item(part, raw)
        if isinstance(made, Question):
            return made
        return made.model_copy(update={"evidence": {**made.evidence, "subset": raw.values.get("source")}})

    def question(self, row: Row, part: Part) -> Question:
        r"""The answer is the solution's last `\boxed{}`; a judge must read several in one phrase. Raises Left."""
        subset, solution = row["source"], row["solution"]
        if not given(subset):
            raise Left("no_subset")
        problem = text(row["problem"] or "")
        self._examine(problem)
        if not given(solution):
            raise Left("no_solution")
        truth = self._truth(text(solution))
        return self.made(problem, truth, gold=solution, meta={"subset": subset})

    def _examine(self, problem: str) -> None:
        lowered = problem.lower()
        for keyword in self.drop_keywords:
            if keyword.lower() in lowered:
                raise Left("keyword_" + re.sub(r"\W+", "", keyword), keyword=keyword)
        if self.drop_multipart and lowered.startswith("a)") and "b)" in lowered:
            raise Left("multipart")

    def _truth(self, solution: str) -> Truth:
        lowered = solution.lower()
        if _EMPTY_BOX in lowered:
            if self.drop_proofs:
                raise Left("proof")
            return Reference(text=solution)
        if self.drop_unboxed and _BOX not in lowered:
            raise Left("no_boxed")
        answer = last_boxed(solution)
        if answer is not None and several_boxed(solution):
            return Reference(text=solution)
        if answer is not None:
            return Answer(text=answer)
        if self.drop_unboxed:
            raise Left("unreadable_boxed", end=solution[-80:])
        return Reference(text=solution)
