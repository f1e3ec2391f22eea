"""Finding patterns in a column of texts: with RE2, whose time is linear in the text whatever the pattern.

The whole column is searched at once; only rows that match are looked at one by one, for their evidence.
"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from curate.clean._asked import applies

if TYPE_CHECKING:
    import pyarrow as pa

# An escape, what opens a class (a bracket right behind it is a member), what opens a group, or a single sign.
_PARTS = re.compile(r"\\.|\[\^?\]?(?!:)|\[:\^?\w+:\]|\(\?P<\w+>|\(\??|.", re.DOTALL)
_SHOWN = 120  # characters of a match that stand in the evidence


class Hit(NamedTuple):
    """The first match of a row: the name of the pattern and the text that matched, cut at 120 characters."""

    name: str
    text: str


class Pattern(NamedTuple):
    """A pattern in RE2's syntax and the name that the evidence gives it."""

    name: str
    regex: str


def hits(texts: "pa.ChunkedArray", patterns: Sequence[Pattern]) -> dict[int, Hit]:
    """By row number, what the first of the patterns that matches has found; rows without a text have none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    found: dict[int, Hit] = {}
    column = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    for name, regex in patterns:
        mask = pc.fill_null(pc.match_substring_regex(column, regex), False)
        rows = pc.indices_nonzero(mask)
        if not len(rows):
            continue
        spans = pc.extract_regex(column.take(rows), f"(?P<hit>{_ungrouped(regex)})").to_pylist()
        for row, span in zip(rows.to_pylist(), spans, strict=True):
            if row not in found:
                found[row] = Hit(name, ((span or {}).get("hit") or "")[:_SHOWN])
    return found


def problem_with(regex: str) -> str | None:
    """What is wrong with a pattern, in RE2's words; None where it can be used."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        pc.match_substring_regex(pa.array([""]), regex)
        pc.extract_regex(pa.array([""]), f"(?P<hit>{_ungrouped(regex)})")
    except pa.ArrowInvalid as error:
        return str(error).removeprefix("Invalid regular expression: ")
    return None


def _ungrouped(regex: str) -> str:
    """The pattern without groups that keep what they match: Arrow wants a name for each of those."""
    parts, inside, quoted = [], False, False
    for part in _PARTS.findall(regex):
        if quoted:
            quoted = part != "\\E"
        elif part == "\\Q":
            quoted = True
        elif inside:
            inside = part != "]"
        elif part.startswith("["):
            inside = True
        elif part == "(" or part.startswith("(?P<"):
            part = "(?:"
        parts.append(part)
    return "".join(parts)


def looked_at(rows: "pa.Table", domains: tuple[str, ...]) -> list[bool]:
    """For each row, whether a stage for these domains looks at it."""
    if not domains:
        return [True] * rows.num_rows
    known: dict[Any, bool] = {}
    return [known.setdefault(domain, applies(domain or "", domains)) for domain in rows.column("domain").to_pylist()]
