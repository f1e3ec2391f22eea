"""`kind: contains`: drops, or keeps, the questions with one of some texts or patterns in them."""

from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator

from curate.clean._asked import DOMAINS
from curate.clean._matching import Pattern, hits, looked_at, problem_with
from curate.kinds import Label, Opinion

if TYPE_CHECKING:
    import pyarrow as pa


_SPECIAL = frozenset("\\^$.|?*+()[]{}-")


class Contains(Label):
    r"""Looks for `texts` (as they stand) and `patterns` (regular expressions, RE2's syntax) in one field.

    RE2 takes time in proportion to the text, whatever the pattern; it has no back references and no look-around. A
    question without that field (no `gold`, no `starter_code`) holds none of them.
    """

    columns: ClassVar[tuple[str, ...]] = ("problem", "domain", "gold", "starter_code", "source_id")
    texts: tuple[str, ...] = Field((), description="Texts to look for.")
    patterns: tuple[str, ...] = Field((), description=r"Regular expressions to look for, such as `\bQED\b`.")
    field: Literal["problem", "gold", "starter_code", "source_id"] = Field("problem", description="Where to look.")
    case: bool = Field(False, description="Upper and lower case differ.")
    drop: Literal["found", "missing"] = Field("found", description="Drop questions with one of them, or those without.")
    domains: tuple[str, ...] = Field((), description=DOMAINS)

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if not self.texts and not self.patterns:
            raise ValueError("say `texts`, `patterns` or both")
        if "" in (*self.texts, *self.patterns):
            raise ValueError("an empty text is in every question")
        for pattern in self.patterns:
            if problem := problem_with(pattern):
                raise ValueError(f"`{pattern}` is no pattern in RE2's syntax: {problem}")
        return self

    def label(self, rows: "pa.Table") -> list[Opinion]:
        """One opinion per row: contains (with what was found, and where), or does_not_contain."""
        case = "" if self.case else "(?i)"
        wanted = [Pattern(text, case + _quoted(text)) for text in self.texts]
        wanted += [Pattern(pattern, f"{case}(?:{pattern})") for pattern in self.patterns]
        found = hits(rows.column(self.field), wanted)
        opinions = []
        for row, looked in enumerate(looked_at(rows, self.domains)):
            hit = found.get(row)
            if not looked or (hit is None) == (self.drop == "found"):
                opinions.append(Opinion(True))
            elif hit is not None:
                evidence = {"field": self.field, "rule": hit.name, "found": hit.text}
                opinions.append(Opinion(False, "contains", evidence))
            else:
                opinions.append(Opinion(False, "does_not_contain", {"field": self.field}))
        return opinions


def _quoted(text: str) -> str:
    """The text as a pattern that matches it alone."""
    return "".join(f"\\{sign}" if sign in _SPECIAL else sign for sign in text)
