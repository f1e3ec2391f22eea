"""`kind: dedup`: keeps one question of each group of equal or near ones and names it as the partner of the others."""

import json
from hashlib import blake2b
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple, Self

from pydantic import Field, PrivateAttr, model_validator

from curate.clean._asked import DOMAINS
from curate.clean._matching import looked_at
from curate.kinds import Label, Opinion, Source
from curate.near.normal import settled
from curate.plug import Plug
from curate.records import Question

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    from curate.near.groups import Grouped
    from curate.near.ratio import Pairs
    from curate.near.rules import Rule


class _Content(NamedTuple):
    """What is compared of the rows, ours before those of `against`."""

    texts: list[str | None]
    within: list[str]
    ids: list[int]
    unknown: list[bool]  # no truth is known, where that counts
    theirs: list[tuple[str, str]]  # source and id of each row of `against`


class Dedup(Label):
    """Keeps one question of each group.

    `exact`: equal truth, equal problem text in Unicode form NFC but for outer white space, the ends of lines and the
    length of gaps inside a line, and equal starter code but for white space at the ends of its lines. Case, line breaks
    and indentation count; domain and source do not.
    `ratio`: problem texts whose `rapidfuzz.fuzz.ratio` is at least `threshold`: exactly the pairs that comparing all of
    them finds, joined to groups. `template`: problem texts that differ in their numbers alone, case and white space
    apart; `keep_per_family` of them stay. `minhash`: as `ratio`, but only texts that MinHash finds alike are compared:
    for tens of millions.
    """

    columns: ClassVar[tuple[str, ...]] = (
        "id", "problem", "starter_code", "truth_key", "truth_type", "domain", "source",
    )  # fmt: skip
    version: ClassVar[int] = 2
    whole: ClassVar[bool] = True
    rule: Literal["exact", "ratio", "template", "minhash"] = Field("exact", description="What makes a duplicate.")
    threshold: float = Field(95.0, gt=0, le=100, description="Least `ratio` of duplicates, of 100.")
    numbers: Literal["ignore", "differ"] = Field(
        "ignore", description="`differ`: near texts with other numbers are no duplicates (`ratio`, `minhash`)."
    )
    keep: Literal["first", "longest", "shortest", "with_truth"] = Field(
        "first", description="Which one stays: the first, the longest, the shortest, or rather one with a known truth."
    )
    keep_per_family: int = Field(3, ge=1, description="`template`: how many different members of a family stay.")
    domains: tuple[str, ...] = Field((), description=DOMAINS)
    within: Literal["domain", "source"] | None = Field(
        None, description="Only questions of one domain, or one source, are compared."
    )
    against: Annotated[Source, Plug("curate.sources")] | None = Field(
        None, description="Another set of questions: what is in a group with one of them goes."
    )
    _print: str | None = PrivateAttr(None)

    @model_validator(mode="after")
    def _numbers_count(self) -> Self:
        if self.numbers == "differ" and self.rule == "template":
            raise ValueError("a template is a text without its numbers: `numbers: differ` is for ratio and minhash")
        return self

    def spec(self) -> dict[str, Any]:
        """Kind, version and options, and the content of `against`."""
        found = super().spec()
        if self.against is not None:
            self._print = self._print or self.against.fingerprint()
            found["against"] = self._print
        return found

    def rehearsal(self) -> Self:
        """The same with the sample of `against`."""
        return self.model_copy(update={"against": self.against and self.against.rehearsal()})

    def label(self, rows: "pa.Table") -> list[Opinion]:
        """One opinion per row; a duplicate's evidence holds its partner's `seq` and `id`.

        Memory: 150 bytes a row, and but for `exact` the texts and 64 bytes (128 for long texts) each.
        """
        return self._label(rows, None)

    def relabelling(self, spec: dict[str, Any], labels: "pa.Table") -> "Callable[[pa.Table], list[Opinion]] | None":
        """A higher threshold takes the scores that were found at a lower one."""
        now = self.spec()
        then = spec.get("options", {}).get("threshold", 95.0)
        if self.rule != "ratio" or self.against is not None or then > self.threshold:
            return None
        for one in (spec, now):
            one["options"] = {name: value for name, value in one.get("options", {}).items() if name != "threshold"}
        return (lambda rows: self._label(rows, labels)) if spec == now else None

    def _label(self, rows: "pa.Table", labels: "pa.Table | None") -> list[Opinion]:
        if not self.domains:
            return self._compared(rows, labels)
        looked = looked_at(rows, self.domains)
        found = iter(self._compared(rows.filter(looked), labels))
        return [next(found) if look else Opinion(True) for look in looked]

    def _compared(self, rows: "pa.Table", labels: "pa.Table | None") -> list[Opinion]:
        from curate.near.rules import Rows, Rule, again, apply, ranked

        content = self._content(rows)
        rule = Rule(self.rule, self.threshold, self.numbers, self.keep_per_family)
        keep = "first" if self.keep == "with_truth" else self.keep
        lengths = content.texts
        if self.rule == "exact" and keep != "first":
            lengths = [*rows.column("problem").to_pylist(), *[None] * len(content.theirs)]
        ours = rows.num_rows
        ranks = ranked(lengths, keep, content.ids, content.unknown)
        if content.theirs:  # they stay whatever we keep
            ranks = ranked([], "first", ranks.tolist(), [n < ours for n in range(len(ranks))])
        given = Rows(content.texts, content.within, ranks)
        found = apply(rule, given) if labels is None else again(rule, given, _links(rows, labels))
        return self._opinions(rows, content, found, rule)

    def _content(self, rows: "pa.Table") -> _Content:
        texts: list[str | None] = []
        names = ["problem", "starter_code", "truth_key"] if self.rule == "exact" else ["problem"]
        for batch in rows.select(names).to_batches(max_chunksize=1024):
            if self.rule == "exact":
                columns = (column.to_pylist() for column in batch.columns)
                texts += [_group(*content) for content in zip(*columns, strict=True)]
            else:
                texts += batch.column(0).to_pylist()
        within = rows.column(self.within).to_pylist() if self.within else [""] * rows.num_rows
        unknown = [False] * rows.num_rows
        if self.keep == "with_truth":
            unknown = [one == "unknown" for one in rows.column("truth_type").to_pylist()]
        content = _Content(texts, within, rows.column("seq").to_pylist(), unknown, [])
        for one in self.against.read() if self.against is not None else ():
            if isinstance(one, Question):
                exact = self.rule == "exact"
                content.texts.append(_group(one.problem, one.starter_code, one.truth_key) if exact else one.problem)
                content.within.append(getattr(one, self.within) if self.within else "")
                content.ids.append(one.seq)
                content.unknown.append(False)
                content.theirs.append((one.source, one.source_id))
            del one  # it may hold 200 MB of tests
        return content

    def _opinions(self, rows: "pa.Table", content: _Content, found: "Grouped", rule: "Rule") -> list[Opinion]:
        ids, truths = rows.column("id"), rows.column("truth_key")
        partners, vias, values = found.partner.tolist(), found.via.tolist(), found.score.tolist()
        opinions = []
        for row in range(rows.num_rows):
            partner, via = partners[row], vias[row]
            if partner < 0:
                opinions.append(Opinion(True))
                continue
            evidence: dict[str, Any] = {"rule": self.rule}
            if partner < rows.num_rows:
                evidence |= {"partner_seq": content.ids[partner], "partner_id": ids[partner].as_py()}
                if self.rule != "exact" and truths[partner].as_py() != truths[row].as_py():
                    evidence["truth"] = "differs"
            else:
                source, source_id = content.theirs[partner - rows.num_rows]
                evidence |= {"against": source, "partner_source_id": source_id}
            if self.rule != "exact":
                evidence["score"] = values[row]
            if self.rule in ("ratio", "minhash"):
                evidence["threshold"] = self.threshold
            if 0 <= via < rows.num_rows:
                evidence |= {"via_seq": content.ids[via]} if self.rule != "exact" else {}
            elif via >= 0:
                evidence["via_source_id"] = content.theirs[via - rows.num_rows][1]
            family = self.rule == "template" and values[row] < 100.0
            opinions.append(Opinion(False, "family" if family else "duplicate", evidence))
        return opinions


def _links(rows: "pa.Table", labels: "pa.Table") -> "Pairs":
    """The links that label evidence holds, between rows."""
    import numpy as np

    from curate.near.ratio import Pairs

    places = {seq: row for row, seq in enumerate(rows.column("seq").to_pylist())}
    left, right, values = [], [], []
    for batch in labels.to_batches():
        for seq, text in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            evidence = json.loads(text)
            if "score" in evidence:
                left.append(places[seq])
                right.append(places[evidence.get("via_seq", evidence["partner_seq"])])
                values.append(evidence["score"])
    return Pairs(np.array(left, np.int32), np.array(right, np.int32), np.array(values, np.float64))


def _group(problem: str, starter: str | None, truth_key: str) -> str:
    code = "\n".join(line.rstrip() for line in (starter or "").strip().splitlines())
    state = blake2b(digest_size=16)
    for part in (settled(problem), code, truth_key):
        content = part.encode()
        state.update(len(content).to_bytes(8, "big") + content)
    return state.hexdigest()
