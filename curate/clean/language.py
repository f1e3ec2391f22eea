"""`kind: language`: keeps questions in some natural languages; formulas and code are no language."""

from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator

from curate.clean._asked import DOMAINS
from curate.clean._languages import NAMES, language_of
from curate.clean._matching import looked_at
from curate.kinds import Label, Opinion

if TYPE_CHECKING:
    import pyarrow as pa


class Language(Label):
    """Drops a question that is certainly written in another language than those of `keep`.

    By script (Chinese, Japanese, Korean, Russian, Arabic...), and by small words among languages in Latin letters. A
    text too short to tell, or mostly formulas or code, is kept unless `unknown: drop`.
    """

    columns: ClassVar[tuple[str, ...]] = ("problem", "domain")
    keep: tuple[str, ...] = Field(("en",), min_length=1, description="Languages that are kept, as ISO 639-1 codes.")
    unknown: Literal["keep", "drop"] = Field("keep", description="A question that does not say.")
    domains: tuple[str, ...] = Field((), description=DOMAINS)

    @model_validator(mode="after")
    def _known(self) -> Self:
        strange = [name for name in self.keep if name not in NAMES]
        if strange:
            raise ValueError(f"`keep`: '{strange[0]}' is not told apart; known: {', '.join(sorted(NAMES))}")
        return self

    def label(self, rows: "pa.Table") -> list[Opinion]:
        """One opinion per row: other_language (which, and the share of letters or small words), or no_language."""
        texts = rows.column("problem").to_pylist()
        return [
            self._opinion(text) if looked else Opinion(True)
            for text, looked in zip(texts, looked_at(rows, self.domains), strict=True)
        ]

    def _opinion(self, text: str) -> Opinion:
        found = language_of(text)
        if found.name is None:
            return (
                Opinion(True) if self.unknown == "keep" else Opinion(False, "no_language", {"letters": found.letters})
            )
        if found.name in self.keep:
            return Opinion(True)
        evidence = {"language": found.name, "share": round(found.share, 3), "letters": found.letters}
        return Opinion(False, "other_language", evidence)
