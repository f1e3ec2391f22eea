"""`kind: links`: drops questions that point to what is not in their text: an address, an image, a figure."""

from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator

from curate.clean._asked import DOMAINS
from curate.clean._matching import Pattern, hits, looked_at
from curate.kinds import Label, Opinion

if TYPE_CHECKING:
    import pyarrow as pa

_URLS = {
    "any": (Pattern("url", r"(?i)\b(?:https?|ftp)://[^\s<>]+|\bwww\.[a-z0-9-]+\.[a-z]{2,}"),),
    "http": (Pattern("url", r"http://[^\s]*"),),
}
_IMAGE_FILES = "png|jpe?g|gif|svg|webp|bmp|tiff?"
_IMAGES = {
    "any": (
        Pattern("image", r"!\[[^\]\n]*\]\s*\([^)\n]+\)"),  # Markdown
        Pattern("image", r"!\[[^\]\n]*\]\[[^\]\n]*\]"),
        Pattern("image", r"(?i)<(?:img|svg|picture|image)\b[^>]*>?"),
        Pattern("image", r"(?i)\[(?:image|img|figure|picture|graphic)\]"),
        Pattern("image", r"\\includegraphics\b"),
        Pattern("image", r"(?i)data:image/"),
        Pattern("image", rf"(?i)\b[\w-]+\.(?:{_IMAGE_FILES})\)"),
    ),
    "tag": (Pattern("image", r"\[image\]"),),
}
_SIDE = "here|below|above|at (?:the )?(?:right|left)|(?:to|on) the (?:right|left)"
_SHOWN = "figure|diagram|picture|image|graph|drawing|illustration|sketch"
_FIGURES = {
    "mentioned": (
        Pattern("figure", r"(?i)\b(?:in|from|on|of|to|see) the (?:\w+ ){0,2}(?:figure|diagram|drawing|illustration)\b"),
        Pattern("figure", rf"(?i)\b(?:{_SHOWN}) (?:{_SIDE})\b"),
        Pattern("figure", rf"(?i)\bthe (?:{_SHOWN})s? shows?\b"),
        Pattern(
            "figure",
            rf"(?i)\b(?:shown|pictured|depicted|drawn|illustrated) (?:{_SIDE})\b",
        ),
        Pattern("figure", r"(?i)\bas (?:shown|pictured|depicted|drawn|illustrated) in\b"),
        Pattern("figure", r"\b(?:Fig\.|Figure) ?\(?[0-9]"),
    ),
    # The words of open-thoughts/open-thoughts, open_thoughts/math/filter.py, anywhere and in any case.
    "openthoughts": (Pattern("figure", r"(?i)figure|diagram|jpeg|png|jpg|svg"),),
}


class Links(Label):
    """Drops by addresses (`url`), images (`image`) and, where asked for, words that speak of a figure (`figure`).

    `urls: http, images: tag` are the rules of OpenThoughts for code, `figures: openthoughts` those for math.
    """

    columns: ClassVar[tuple[str, ...]] = ("problem", "domain")
    urls: Literal["any", "http", "keep"] = Field(
        "any", description="any: http, https, ftp and www; http: `http://` alone; keep: no matter."
    )
    images: Literal["any", "tag", "keep"] = Field(
        "any", description="any: Markdown, HTML, LaTeX, `[image]`; tag: `[image]` alone; keep: no matter."
    )
    figures: Literal["keep", "mentioned", "openthoughts"] = Field(
        "keep",
        description="mentioned: 'in the figure', 'shown below'...; openthoughts: `figure`, `png`... in any word.",
    )
    domains: tuple[str, ...] = Field((), description=DOMAINS)

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if self.urls == self.images == self.figures == "keep":
            raise ValueError("`urls`, `images` and `figures` all say `keep`: nothing would be dropped")
        return self

    def label(self, rows: "pa.Table") -> list[Opinion]:
        """One opinion per row: url, image or figure, with the text that was found."""
        patterns = [*_IMAGES.get(self.images, ()), *_URLS.get(self.urls, ()), *_FIGURES.get(self.figures, ())]
        found = hits(rows.column("problem"), patterns)
        return [
            Opinion(False, found[row].name, {"found": found[row].text}) if row in found and looked else Opinion(True)
            for row, looked in enumerate(looked_at(rows, self.domains))
        ]
