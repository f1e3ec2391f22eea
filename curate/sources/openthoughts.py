"""`kind: openthoughts`: the questions of OpenThoughts-114k, from its `metadata` configuration, to be answered anew.

Code rows carry tests. Elsewhere `ground_truth_solution` is a worked text: the truth is taken from it by the rules by
which `audit` takes it. Where it states none that can be compared, it is a reference that a judge must read.
"""

from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import Field

from curate.audit.references import truth_of
from curate.records import Answer, Drop, Question, Reference, Tests, Truth, Unknown
from curate.sources._picked import Rows, among
from curate.sources._published import Left, Origin, Part, Published, Row
from curate.sources.values import given, label, test_text, text

_SCIENCE = frozenset({"physics", "chemistry", "biology"})  # what the set calls them; `science` here
_NO_TESTS = frozenset({"null", "None", "nan", "{}", "[]"})  # what exporters write where there are no tests
_UNTRUE = "camel"  # whose solutions a model wrote
Domain = Literal["math", "code", "puzzle", "physics", "chemistry", "biology"]


class OpenThoughts(Published):
    """OpenThoughts-114k's published questions; its traces stay unread.

    Code rows carry tests. Elsewhere the truth is taken from `ground_truth_solution` by the rules of `veristill audit`;
    where that states none, it is a reference that a judge must read.
    """

    origin: ClassVar[Origin] = Origin(
        repo="open-thoughts/OpenThoughts-114k",
        configs=("metadata",),
        features=dict.fromkeys(
            ("problem", "ground_truth_solution", "domain", "source", "test_cases", "starter_code"), "string"
        ),
        evidence=(
            "https://huggingface.co/datasets/ryanmarten/OpenThoughts-1k-sample/blob/main/README.md",
            "https://huggingface.co/datasets/open-thoughts/OpenThoughts-114k/blame/main/README.md",
            "Anmol-Sharma/Fair-Way: backend/Evaluation/README1.md (a copy of its card)",
        ),
        confirmed=True,
        licence="apache-2.0",
        files="{config}/{split}-*.parquet",
        gigabytes=5.5,
        note="113,957 rows; the traces are not loaded.",
    )
    domain: ClassVar[str] = "math"

    domains: tuple[Domain, ...] | None = Field(
        None, min_length=1, description="Only rows of these domains, as the set names them; others are not read."
    )

    def items(self, rows: Rows) -> Iterator[Question | Drop]:
        """The rows of the chosen domains."""
        return super().items(among(self, rows, "domain", self.domains))

    def question(self, row: Row, part: Part) -> Question:
        """The question with its tests, its answer or its reference. Raises Left, WrongType."""
        if not given(row["domain"]):
            raise Left("no_domain")
        named = label(row["domain"]).lower()
        domain = "science" if named in _SCIENCE else named
        problem = text(row["problem"] or "")
        return self.made(
            problem,
            _truth(row, domain, problem),
            domain=domain,
            gold=row["ground_truth_solution"],
            starter_code=row["starter_code"] if given(row["starter_code"]) else None,
            meta={"from": row["source"], "subject": named if named != domain else None},
        )


def _truth(row: Row, domain: str, problem: str) -> Truth:
    tests, gold = row["test_cases"], row["ground_truth_solution"]
    if given(tests) and tests not in ([], {}) and not (isinstance(tests, str) and tests.strip() in _NO_TESTS):
        return Tests(cases=test_text(tests))
    if domain == "code" or not given(gold) or row["source"] == _UNTRUE:
        return Unknown()  # another program's text says nothing about this one
    found = truth_of(label(gold), domain, problem)
    return Reference(text=gold) if isinstance(found, Answer) and not found.text else found
