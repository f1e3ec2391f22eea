r"""`kind: math`: the competition problems of MATH (Hendrycks et al.), whose solutions end in a `\boxed{}` answer."""

import re
from typing import ClassVar, Literal

from pydantic import Field

from curate.records import Answer, Question
from curate.sources._published import Left, Origin, Part, Published, Row
from curate.sources.boxed import last_boxed
from curate.sources.values import given, text

Subject = Literal[
    "algebra", "counting_and_probability", "geometry", "intermediate_algebra", "number_theory", "prealgebra",
    "precalculus",
]  # fmt: skip
SUBJECTS: tuple[Subject, ...] = (
    "algebra", "counting_and_probability", "geometry", "intermediate_algebra", "number_theory", "prealgebra",
    "precalculus",
)  # fmt: skip
_BARE = re.compile(r"\\(?:boxed|fbox)\s+([^${\n][^$\n]*)")  # some solutions write `\boxed 2$`


class Math(Published):
    """MATH, subject by subject. Its test split holds the problems of MATH-500."""

    origin: ClassVar[Origin] = Origin(
        repo="EleutherAI/hendrycks_math",
        configs=SUBJECTS,
        splits=("train", "test"),
        features={"problem": "string", "level": "string", "type": "string", "solution": "string"},
        evidence=(
            "https://huggingface.co/datasets/EleutherAI/hendrycks_math/blob/main/hendrycks_math.py",
            "https://huggingface.co/datasets/EleutherAI/hendrycks_math/tree/main/algebra",
            "https://huggingface.co/datasets/HuggingFaceH4/MATH/blob/main/README.md",
        ),
        confirmed=True,
        licence="mit",
        files="{config}/{split}-*.parquet",
        note="7,500 rows in train, 5,000 in test. The repository also holds a loading script, which is not used.",
    )
    domain: ClassVar[str] = "math"

    subjects: tuple[Subject, ...] = Field(SUBJECTS, min_length=1, description="The configurations to read, in order.")

    def parts(self) -> list[Part]:
        """Each subject's splits."""
        subjects = [self.config] if self.config is not None else self.subjects
        pairs = [(subject, split) for subject in subjects for split in self.splits()]
        return [Part(self.origin.repo, subject, split, f"{subject}-{split}") for subject, split in pairs]

    def question(self, row: Row, part: Part) -> Question:
        r"""The answer is the solution's last `\boxed{}`. Raises Left."""
        solution = row["solution"]
        if not given(solution):
            raise Left("no_solution")
        answer = _boxed(text(solution))
        if answer is None:
            raise Left("no_boxed")
        meta = {"level": row.get("level"), "type": row.get("type") or row.get("subject")}
        return self.made(text(row["problem"] or ""), Answer(text=answer), gold=solution, meta=meta)


def _boxed(solution: str) -> str | None:
    """The last box, which may lack its braces."""
    bare = None
    for bare in _BARE.finditer(solution):  # noqa: B007 - the last one counts
        pass
    if bare is not None and last_boxed(solution[bare.end() :]) is None:
        return bare[1].strip().rstrip(".,;") or None
    return last_boxed(solution)
