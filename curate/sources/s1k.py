r"""`kind: s1k`: the 1,000 questions of s1 (simplescaling/s1), picked for difficulty and diversity.

Its `solution` is what the question's own source had: a bare number, a worked text with a `\boxed{}` answer, or a text
that states no short answer. Only the first two become an answer, and only where no proof is asked for; the rest is a
reference that a judge must read.
"""

import ast
import re
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from curate.records import Answer, Question, Reference, Truth
from curate.sources._editions import Editions
from curate.sources._published import Left, Origin, Part, Row
from curate.sources.boxed import last_boxed, several_boxed
from curate.sources.values import given, label, text

_COMMON = dict.fromkeys(("solution", "question", "cot_type", "source_type", "metadata"), "string")
_EDITIONS = {
    "1.0": Origin(
        repo="simplescaling/s1K",
        features={**_COMMON, "cot": "null", "thinking_trajectories": ["string"], "attempt": "string"},
        evidence=(
            "https://huggingface.co/datasets/simplescaling/data_ablation_diverse1K/blame/main/README.md",
            "https://huggingface.co/datasets/skytliang/s1K/blob/main/README.md",
            "https://huggingface.co/datasets/simplescaling/s1K/tree/main",
        ),
        confirmed=True,
        licence="apache-2.0",
        note="1,000 rows. The column types are those of a copy and of a sister set that state them.",
    ),
    "1.1": Origin(
        repo="simplescaling/s1K-1.1",
        features={
            **_COMMON,
            **dict.fromkeys(
                (
                    "gemini_thinking_trajectory", "gemini_attempt", "deepseek_thinking_trajectory", "deepseek_attempt",
                    "gemini_grade", "gemini_grade_reason", "deepseek_grade", "deepseek_grade_reason",
                ),
                "string",
            ),
        },
        evidence=(
            "https://huggingface.co/datasets/Mohor/s1K-1.1_tokenized/blob/main/README.md",
            "https://huggingface.co/datasets/simplescaling/s1K-1.1/tree/main",
        ),
        confirmed=True,
        licence="mit",
        note="The same 1,000 questions with other traces. The column types are those of a copy that states them.",
    ),
}  # fmt: skip
_DOMAINS = {"math": "math", "science": "science", "crossword": "puzzle"}  # by `cot_type`
_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?(?:/\d+)?")
_PROOF = re.compile(r"\bprove\b|\bshow that\b", re.IGNORECASE)
_STATES_ANSWER = "KbsdJames/Omni-MATH"  # this source's metadata hold its short answer
_LONGEST = 1 << 18  # characters of metadata that are looked into


class S1k(Editions):
    """s1K's questions; its traces stay unread.

    A bare number, a boxed answer and the answer that Omni-MATH's metadata state are answers. Any other solution, and
    every one to a question that asks for a proof, is a reference that a judge must read.
    """

    editions: ClassVar[Mapping[str, Origin]] = _EDITIONS
    origin: ClassVar[Origin] = _EDITIONS["1.0"]
    domain: ClassVar[str] = "math"

    edition: Literal["1.0", "1.1"] = Field("1.0", description="`1.0`: s1K, or `1.1`: s1K-1.1.")

    def edition_name(self) -> str:
        """The edition."""
        return self.edition

    def question(self, row: Row, part: Part) -> Question:
        """The question with an answer, or with its solution as a reference. Raises Left."""
        problem, solution, came_from = text(row["question"] or ""), row["solution"], row["source_type"]
        if not given(solution):
            raise Left("no_solution")
        worked = label(solution)
        proof = _PROOF.search(problem) is not None  # what its solution boxes is a step, or one part
        return self.made(
            problem,
            Reference(text=worked) if proof else _truth(worked, came_from, row["metadata"]),
            domain=_DOMAINS.get(row["cot_type"], row["cot_type"] or self.domain),
            gold=worked,
            licence=self.edition_origin().licence,
            meta={"source_type": came_from, "cot_type": row["cot_type"]},
        )


def _truth(solution: str, came_from: str | None, metadata: Any) -> Truth:
    alone = None if several_boxed(solution) else last_boxed(solution)
    found = alone or _stated(came_from, metadata)
    if found is None and _NUMBER.fullmatch(solution):
        found = solution
    return Answer(text=found) if found else Reference(text=solution)


def _stated(came_from: str | None, metadata: Any) -> str | None:
    """The short answer that Omni-MATH's metadata (a Python dictionary as text) hold."""
    if came_from != _STATES_ANSWER or not isinstance(metadata, str) or len(metadata) > _LONGEST:
        return None
    try:
        told = ast.literal_eval(metadata)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    answer = told.get("answer") if isinstance(told, dict) else None
    return answer.strip() or None if isinstance(answer, str) else None
