"""`kind: missing_answer`: drops questions whose answers nothing could be held against."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from curate.clean._asked import DOMAINS
from curate.clean._matching import looked_at
from curate.kinds import Label, Opinion

if TYPE_CHECKING:
    import pyarrow as pa

# What stands in a column of answers where there is none.
_NOTHING = frozenset({"", "None", "null", "NULL", "nan", "NaN", "N/A", "n/a", "<NA>"})


class MissingAnswer(Label):
    r"""Drops a question without a truth (`no_truth`), or with an answer that says nothing (`empty_answer`).

    An answer that says nothing is blank, or what a program writes for nothing: `None`, `null`, `NaN`, `N/A`, also in a
    `\boxed{}`; `none` in small letters is an answer. With `gold: required` a question without a worked solution is
    dropped too (`no_solution`). Tests are looked into by `test_gate`.
    """

    columns: ClassVar[tuple[str, ...]] = ("domain", "truth_type", "answer", "gold")
    truth: Literal["required", "any"] = Field("required", description="any: a question without a truth stays.")
    gold: Literal["required", "any"] = Field("any", description="required: there must be a worked solution.")
    domains: tuple[str, ...] = Field((), description=DOMAINS)

    def label(self, rows: "pa.Table") -> list[Opinion]:
        """One opinion per row: no_truth, empty_answer or no_solution."""
        columns = (rows.column(name).to_pylist() for name in ("truth_type", "answer", "gold"))
        looked = looked_at(rows, self.domains)
        return [self._opinion(*row) if look else Opinion(True) for look, *row in zip(looked, *columns, strict=True)]

    def _opinion(self, truth: str, answer: str | None, gold: str | None) -> Opinion:
        if truth == "unknown" and self.truth == "required":
            return Opinion(False, "no_truth", {"truth": truth})
        if truth in ("answer", "reference", "choice") and _says_nothing(answer):
            return Opinion(False, "empty_answer", {"truth": truth, "answer": (answer or "")[:40]})
        if self.gold == "required" and not (gold or "").strip():
            return Opinion(False, "no_solution", {"truth": truth})
        return Opinion(True)


def _says_nothing(answer: str | None) -> bool:
    text = (answer or "").strip().strip("$").strip()
    if text.startswith("\\boxed{") and text.endswith("}"):
        text = text[len("\\boxed{") : -1].strip()
    return text in _NOTHING
