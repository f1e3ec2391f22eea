"""`kind: multipart`: drops questions of several parts: one reference cannot judge the answers to all of them."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

from pydantic import Field

from curate.clean._asked import DOMAINS
from curate.clean._matching import Pattern, hits, looked_at
from curate.kinds import Label, Opinion

if TYPE_CHECKING:
    import pyarrow as pa

_ROMAN = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii")
# A label opens a line, or follows the end of a sentence or clause: `f(a)` and `option (b)` are none.
_BEFORE = r"(?:^|\n[ \t>*#-]*|[.?!:;,]\s{1,4}(?:and )?|\s{2,4})"
_LABELS = re.compile(
    _BEFORE + r"(?:\*\*)?(?:"
    r"\((?P<round>[a-h]|[1-9]|i{1,3}|iv|vi{0,3})\)"
    r"|(?P<half>[a-h]|[1-9]|i{1,3}|iv|vi{0,3})\)"
    r"|(?P<part>(?:Part|Question)\s+(?:\(?[A-Ha-h]\)?|[1-9]))\b[:.)]?"
    r"|(?P<dot>[a-h]|i{1,3}|iv|[1-9])\.(?=\s+[A-Z])"
    r")(?:\*\*)?[ \t]*(?=\S)"
)
# What no text of several parts goes without: the label of a second one.
_SECOND = (Pattern("second", r"(?i)\b(?:b|2|ii)\)|\b(?:b|2|ii)\.|\b(?:part|question)\s+\(?[b2]"),)
# What a part says that asks for something.
_ASKS = re.compile(
    r"\?|(?:^|[.;:,]\s*|\band\s+|\bthen\s+)(?:please\s+)?(?:find|prove|show|determine|calculate|compute|evaluate|solve|"
    r"give|state|write|draw|sketch|explain|describe|decide|verify|derive|estimate|express|simplify|factor|construct|"
    r"name|list|identify|compare|how|what|which|who|when|where|why|is|are|does|do|did|can|will|"
    r"for (?:what|which))\b",
    re.IGNORECASE,
)
# Words that steps open with: "1. Find a coin. 2. Draw a card. What is the chance of...?" asks one thing.
_STEP = re.compile(
    r"(?:find|give|use|write|draw|compare|name|list|state|show|construct|decide|estimate)\b", re.IGNORECASE
)
_LAST = re.compile(r"(?<=[.;!])\s+(?P<last>[^.;!?\s][^.;!?\n]*\?)\s*\Z")  # a question behind what else a text says
_LEAST = 6  # characters of a part that can ask for anything


class _Part(NamedTuple):
    label: str
    text: str


class Multipart(Label):
    """Drops a question with two or more labelled parts that each ask something; options of a choice are no parts.

    The labels follow each other: a) b), (a) (b), a. b., 1) 2), (i) (ii), Part A Part B. `rule: openthoughts` is that of
    OpenThoughts instead (open_thoughts/math/filter.py): the text starts with `a)` and contains `b)`, in any case.
    """

    columns: ClassVar[tuple[str, ...]] = ("problem", "domain", "truth_type")
    rule: Literal["asks", "openthoughts"] = Field("asks", description="Which rule decides.")
    least: int = Field(2, ge=2, le=8, description="Parts that must ask something (rule asks).")
    domains: tuple[str, ...] = Field((), description=DOMAINS)

    def label(self, rows: "pa.Table") -> list[Opinion]:
        """One opinion per row: multipart, with the labels that were found."""
        second = hits(rows.column("problem"), _SECOND)  # the others need no closer look
        looked = looked_at(rows, self.domains)
        problems, truths = (rows.column(name) for name in ("problem", "truth_type"))
        return [
            self._opinion(problems[row].as_py(), truths[row].as_py()) if look and row in second else Opinion(True)
            for row, look in enumerate(looked)
        ]

    def _opinion(self, problem: str, truth: str) -> Opinion:
        if self.rule == "openthoughts":
            text = problem.lower()
            found = text.startswith("a)") and "b)" in text
            return Opinion(False, "multipart", {"rule": self.rule}) if found else Opinion(True)
        # One reference of several options, or tests: they judge the whole, however its text is laid out.
        if truth in ("choice", "tests", "grid"):
            return Opinion(True)
        parts = _parts(problem)
        asking = [part.label for part in parts if len(part.text) >= _LEAST and _ASKS.search(part.text)]
        if len(asking) < self.least or _are_steps([part.text for part in parts]):
            return Opinion(True)
        return Opinion(False, "multipart", {"rule": self.rule, "parts": asking})


def _are_steps(texts: list[str]) -> bool:
    """Whether each part is a step of one procedure, and a single question behind the last asks about all of it."""
    asked = _LAST.search(texts[-1])
    return asked is not None and "".join(texts).count("?") == 1 and all(map(_STEP.match, texts))


def _parts(problem: str) -> list[_Part]:
    """The labelled parts of a text, of the first way of labelling whose labels follow each other from its first on."""
    marks = list(_LABELS.finditer(problem))
    for way in ("round", "half", "part", "dot"):
        mine = [mark for mark in marks if mark[way]]
        for first in ("a", "1", "i"):
            places = list(_in_order(mine, way, first))
            if len(places) > 1:
                ends = [*(mark.start() for mark in places[1:]), len(problem)]
                return [
                    _Part(mark[way], problem[mark.end() : end].strip()) for mark, end in zip(places, ends, strict=True)
                ]
    return []


def _in_order(marks: "list[re.Match[str]]", way: str, first: str) -> "Iterator[re.Match[str]]":
    """The marks that count a, b, c... from the first on; another mark between them is part of a text."""
    due = iter({"a": "abcdefgh", "1": "123456789", "i": _ROMAN}[first])
    wanted = next(due)
    for mark in marks:
        if mark[way].split()[-1].strip("()").lower() == wanted:
            yield mark
            wanted = next(due, "")
