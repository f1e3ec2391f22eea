"""`Sample`: made-up questions of the kinds that a mapping names, for rehearsing a source that lies on a hub."""

import json
from collections.abc import Iterator

from curate.kinds import Source
from curate.records import Answer, Choice, Drop, Grid, Question, Reference, Tests, Truth, Unknown
from curate.sources._first import REHEARSED
from curate.sources.columns import Columns


class Sample(Source):
    """Small sums, one truth type after the other of those that `columns` maps.

    Rows cannot be made up from column names (a pattern has no inverse), so this rehearses every stage but the mapping.
    """

    columns: Columns
    domain: str | None = None

    def read(self) -> Iterator[Question | Drop]:
        """Yield eight questions."""
        mapped = [field for field in _TRUTHS if getattr(self.columns, field) is not None] or ["unknown"]
        for number in range(REHEARSED):
            field = mapped[number % len(mapped)]
            total = 2 * number + 7
            problem, gold = _task(field, number)
            yield Question.of(
                problem=problem,
                domain=self.domain or _DOMAINS.get(field, "math"),
                truth=_truth(field, total),
                seq=number,
                source="rehearsal",
                source_id=f"rehearsal-{number}",
                gold=gold.format(total=total),
            )

    def fingerprint(self) -> str:
        """A constant: the rows are made here."""
        return "1"

    def rehearsal(self) -> Source:
        """Itself."""
        return self


_TRUTHS = ("tests", "check", "choice", "grid", "answer", "reference")
_DOMAINS = {"tests": "code", "check": "code", "choice": "science", "grid": "puzzle", "reference": "science"}


def _task(field: str, number: int) -> tuple[str, str]:
    ask = f"What is {number} + {number + 7}?"
    if field in {"tests", "check"}:
        return f"Write a function `f()` that returns {number} + {number + 7}.", "def f():\n    return {total}\n"
    if field == "choice":
        return f"{ask}\n\nA. {2 * number + 6}\nB. {2 * number + 7}\nC. {2 * number + 8}", "It is {total}, which is B."
    if field == "grid":
        return f"{ask} Answer with a grid of one cell.", "[[{total}]]"
    return ask, "The sum is \\boxed{{{total}}}."


def _truth(field: str, total: int) -> Truth:
    if field == "tests":
        return Tests(cases=json.dumps({"asserts": [f"assert f() == {total}"]}))
    if field == "check":
        check = f"def check(candidate):\n    assert candidate() == {total}\n"
        return Tests(cases=json.dumps({"check": check, "entry_point": "f"}))
    if field == "choice":
        return Choice(letter="B", options=(str(total - 1), str(total), str(total + 1)))
    if field == "grid":
        return Grid(cells=((total,),))
    if field == "answer":
        return Answer(text=str(total))
    return Reference(text=str(total)) if field == "reference" else Unknown()
