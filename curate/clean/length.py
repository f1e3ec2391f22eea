"""`kind: length`: drops questions whose text is too short or too long."""

from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import Field, model_validator

from curate.clean._asked import DOMAINS
from curate.clean._matching import looked_at
from curate.kinds import Label, Opinion

if TYPE_CHECKING:
    import pyarrow as pa


class Length(Label):
    """Keeps problems of `min_chars` to `max_chars` characters (Unicode code points), both included."""

    columns: ClassVar[tuple[str, ...]] = ("problem", "domain")
    min_chars: int = Field(0, ge=0, description="Shortest problem kept, in characters.")
    max_chars: int | None = Field(None, ge=1, description="Longest problem kept, in characters.")
    domains: tuple[str, ...] = Field((), description=DOMAINS)

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if self.min_chars == 0 and self.max_chars is None:
            raise ValueError("say `min_chars`, `max_chars` or both")
        if self.max_chars is not None and self.max_chars < self.min_chars:
            raise ValueError("`max_chars` is less than `min_chars`")
        return self

    def label(self, rows: "pa.Table") -> list[Opinion]:
        """One opinion per row: too_short or too_long, with the length found."""
        import pyarrow.compute as pc

        lengths = pc.utf8_length(rows.column("problem")).to_pylist()
        looked = looked_at(rows, self.domains)
        return [self._opinion(chars) if look else Opinion(True) for look, chars in zip(looked, lengths, strict=True)]

    def _opinion(self, chars: int) -> Opinion:
        if chars < self.min_chars:
            return Opinion(False, "too_short", {"chars": chars, "min_chars": self.min_chars})
        if self.max_chars is not None and chars > self.max_chars:
            return Opinion(False, "too_long", {"chars": chars, "max_chars": self.max_chars})
        return Opinion(True)
