"""The rules by which rows are duplicates, over plain lists: what `kind: dedup` and `veristill dedup` both apply.

Every rule gives groups, one kept row (or some, of a family) in each, and for every other row its partner and a score.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from curate.near import forest, groups, minhash
from curate.near.groups import Course, Distinct, Grouped, Linker
from curate.near.histograms import Ints
from curate.near.normal import masked, numbers, settled
from curate.near.ratio import Join, Pairs, Union, scores

RuleName = Literal["exact", "ratio", "template", "minhash"]
Numbers = Literal["ignore", "differ"]
Keep = Literal["first", "longest", "shortest"]


@dataclass(frozen=True)
class Rule:
    """A rule and its limits. `numbers` "differ": texts whose numbers differ are no duplicates, whatever their score."""

    name: RuleName = "exact"
    threshold: float = 95.0
    numbers: Numbers = "ignore"
    keep_per_family: int = 3

    def linker(self, course: Course | None = None) -> Linker:
        """What joins texts by this rule; `course` goes on where another left off, and is told how far it came."""
        if self.name == "ratio":
            return groups.joined(self.threshold, course)
        if self.name == "minhash":
            return minhash.linked(self.threshold, course)
        return _equal_alone

    def said(self) -> str:
        """The rule in words."""
        if self.name in ("exact", "template"):
            return self.name
        more = ", equal numbers" if self.numbers == "differ" else ""
        threshold = str(float(self.threshold)).removesuffix(".0")  # every digit: it is read again
        return f"{'minhash, ' if self.name == 'minhash' else ''}ratio >= {threshold}{more}"


class Rows(NamedTuple):
    """What a rule looks at: a text a row (None: none), what must be equal besides, and which row is kept rather."""

    texts: Sequence[str | None]
    within: Sequence[Hashable]
    ranks: Ints


def ranked(texts: Sequence[str | None], keep: Keep, ids: Sequence[int], last: Sequence[bool] | None = None) -> Ints:
    """Ranks of rows: `keep` first, then the lowest of `ids`; rows of `last` come after all others."""
    sign = {"first": 0, "longest": -1, "shortest": 1}[keep]
    chars = np.array([sign * len(text or "") for text in texts] if sign else [0] * len(ids), np.int64)
    behind = np.array([False] * len(ids) if last is None else last, np.bool_)
    order = np.lexsort((np.array(ids, np.int64), chars, behind))
    ranks = np.empty(len(ids), np.int32)
    ranks[order] = np.arange(len(ids), dtype=np.int32)
    return ranks


def distinct_of(rule: Rule, rows: Rows) -> Distinct:
    """The distinct texts that a rule compares."""
    if rule.name == "exact":
        return groups.distinct([None if one is None else settled(one) for one in rows.texts], rows.within, rows.ranks)
    if rule.name == "template":
        return groups.distinct([None if one is None else masked(one) for one in rows.texts], rows.within, rows.ranks)
    within = rows.within
    if rule.numbers == "differ":
        within = [(one, numbers(text or "")) for one, text in zip(within, rows.texts, strict=True)]
    return groups.distinct(rows.texts, within, rows.ranks)


def apply(rule: Rule, rows: Rows, course: Course | None = None) -> Grouped:
    """Group rows by a rule. The result of a row does not depend on where it stands."""
    found = groups.grouped(distinct_of(rule, rows), rule.linker(course), rule.threshold)
    return _families(found, rows, rule.keep_per_family) if rule.name == "template" else found


def again(rule: Rule, rows: Rows, links: Pairs) -> Grouped:
    """Group rows by a higher threshold than that at which `links` (row numbers) were found, from their scores.

    Only groups too large for the tree of their best scores are compared again, each in itself.
    """
    texts = distinct_of(rule, rows)
    left, right = texts.of[links.left], texts.of[links.right]
    other = left != right
    left, right, values = left[other], right[other], links.scores[other]
    before = Union(len(texts.texts))
    before.join(left, right)
    were = before.roots()
    large = np.zeros(were.size, np.bool_)
    for table in forest.members(were):
        large[table[~forest.wholes(texts.texts, table)]] = True
    cut = (values >= rule.threshold) & ~large[left]
    known = Union(were.size)
    kept = Course(links=[Pairs(left[cut], right[cut], values[cut])])
    kept.begin(known)
    some = np.flatnonzero(large).astype(np.int32)
    inner = [texts.texts[one] for one in some.tolist()]
    apart = Union(some.size)
    course = Course()
    for one in Join(inner, were[some].tolist(), rule.threshold).links(apart):
        course.add(0, one)
    found = forest.best(inner, course.all(), apart.roots(), rule.threshold, texts.ranks[some])
    kept.links.append(Pairs(some[found.left], some[found.right], found.scores))
    known.join(*kept.links[-1][:2])
    return groups.hung(texts, kept.all(), known.roots())


def _equal_alone(rows: Distinct, known: Union) -> Pairs:
    empty = np.empty(0, np.int32)
    return Pairs(empty, empty, np.empty(0, np.float64))


def _families(found: Grouped, rows: Rows, cap: int) -> Grouped:
    """Of each family the first `cap` different members stay; a copy of one belongs to that, the rest to the first."""
    partner, score = found.partner.copy(), found.score.copy()
    members: dict[int, dict[str, int]] = {}
    for row in np.argsort(rows.ranks).tolist():
        text = rows.texts[row]
        if text is None:
            continue
        family = members.setdefault(int(found.cluster[row]), {})
        same = family.get(text := settled(text))
        if same is not None:
            partner[row], score[row] = same, 100.0
        elif len(family) < cap:
            family[text] = row
            partner[row], score[row] = -1, 0.0
        else:
            score[row] = -1.0
    _score_members(partner, score, rows.texts)
    return replace(found, partner=partner, score=score, via=np.full(partner.size, -1, np.int32))


def _score_members(partner: Ints, score: "npt.NDArray[np.float64]", texts: Sequence[str | None]) -> None:
    open_ = np.flatnonzero(score < 0).astype(np.int32)
    score[open_] = scores([text or "" for text in texts], open_, partner[open_], 0.0)
