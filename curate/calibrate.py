"""Calibration: how often the judge is wrong, and how often we are, with intervals, per domain and source.

On a sample of the rows that rules decide the judge is asked too and held against the rules; where rows carry a label,
our verdicts are held against it; the presets' verdicts, as far as they are known, are counted on the same rows. None of
it changes a verdict or what is published.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from math import sqrt
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import pyarrow as pa
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from curate.keys import digest
from curate.kinds import Verifier
from curate.records import Attempt, Question, Record, Verdict, VerdictOutcome
from curate.verifiers.judge import Judge
from curate.verifiers.router import PRESETS, Judgement, Missing, Preset, Router, Step

if TYPE_CHECKING:
    from curate.resources import Resources

_Z = 1.959963984540054  # the standard normal's 97.5 % point: intervals of 95 %
_RIGHT = frozenset({"true", "1", "1.0", "pass", "passed", "correct", "right", "yes"})
_WRONG = frozenset({"false", "0", "0.0", "-1", "fail", "failed", "incorrect", "wrong", "no"})


class Calibrate(Record):
    """What to hold the verdicts against. Questions are drawn by a hash of their content: a new run draws the same."""

    sample: int = Field(0, ge=0, description="Questions of each domain, on whose answers the judge is asked too.")
    seed: int = Field(0, description="Another seed draws other questions.")
    presets: bool = Field(False, description="Ask on them what each preset asks, too.")
    label: str | None = Field(
        None, description="A column kept in `meta` that says whether the recorded answer is right (true or false)."
    )

    @model_validator(mode="after")
    def _drawn(self) -> Self:
        if self.presets and not self.sample:
            raise PydanticCustomError("sample_missing", "`presets` are asked on the sample: say how large, `sample: N`")
        return self


class Interval(Record):
    """A share with its Wilson 95 % interval (Wilson 1927); all 0 to 1, or None where there is nothing to count."""

    count: int
    of: int
    share: float | None = None
    low: float | None = None
    high: float | None = None


def wilson(count: int, of: int) -> Interval:
    """The share `count / of` and its 95 % interval."""
    if of == 0:
        return Interval(count=0, of=0)
    share, z2 = count / of, _Z * _Z
    middle = (share + z2 / (2 * of)) / (1 + z2 / of)
    half = _Z * sqrt(share * (1 - share) / of + z2 / (4 * of * of)) / (1 + z2 / of)
    # At the ends rounding would leave 1e-18 where the interval begins at 0.
    low, high = (0.0 if count == 0 else middle - half), (1.0 if count == of else middle + half)
    low, high = round(max(0.0, low), 6), round(min(1.0, high), 6)
    return Interval(count=count, of=of, share=round(share, 6), low=low, high=high)


class Compared(Record):
    """One attempt beside what else is known of it; what is not known is None or left out."""

    domain: str
    source: str
    ours: VerdictOutcome
    judge: VerdictOutcome | None = None  # only where a rule decided and the judge was asked
    label: bool | None = None
    presets: dict[str, VerdictOutcome] | None = None  # what is known of each; None: the row is not one to count


class Calibration(NamedTuple):
    """What solving needs to know: who is asked besides, and on which questions (a bound on the hash, by domain)."""

    router: Router
    bounds: dict[str, str]
    seed: int
    presets: bool
    label: str | None

    def drawn(self, question: Question) -> bool:
        """Whether a question is in the sample."""
        return _rank(self.seed, question.id) <= self.bounds.get(question.domain, "")

    def needs(self, rows: Sequence[tuple[str, str]]) -> frozenset[str]:
        """The handles that the extra verifiers of these (domain, truth type) pairs need open."""
        return frozenset().union(*(self._preset(name).needs(rows) for name in PRESETS if self.presets))

    def extra(self, question: Question, judgement: Judgement) -> list[Verifier]:
        """The verifiers to ask besides the chain that gave this judgement; empty outside the sample."""
        if not self.drawn(question):
            return []
        judge = self._judge(question, judgement)
        wanted: list[Verifier] = [] if judge is None else [judge]
        for name in PRESETS if self.presets else ():
            wanted += self._preset(name).chain(question.domain, question.truth.type)
        return [
            one
            for number, one in enumerate(wanted)
            if isinstance(question.truth, one.takes) and one not in wanted[:number]
        ]

    def compare(
        self, question: Question, attempt: Attempt, judgement: Judgement, get: Callable[[str], Verdict | None]
    ) -> Compared:
        """What stored verdicts and the label say of a judged attempt; runs nothing."""
        judge = self._judge(question, judgement) if self.drawn(question) else None
        said = judge and Router(chains={question.domain: [judge]}).judge(question, attempt, get)
        return Compared(
            domain=question.domain,
            source=question.source,
            ours=judgement.verdict.outcome,
            judge=said.verdict.outcome if isinstance(said, Judgement) else None,
            label=label_of(question.meta.get(self.label)) if self.label else None,
            presets=self._presets(question, attempt, get),
        )

    def _presets(
        self, question: Question, attempt: Attempt, get: Callable[[str], Verdict | None]
    ) -> dict[str, VerdictOutcome] | None:
        """What the presets say, as far as it is known: of the sample only, where they are asked on it."""
        if self.presets and not self.drawn(question):
            return None
        known: dict[str, VerdictOutcome] = {}
        for name in PRESETS:
            if name == "strict" or self.router.judge_model is not None:
                said = self._preset(name).judge(question, attempt, get)
                if not isinstance(said, Missing):
                    known[name] = said.verdict.outcome
                elif self.presets:
                    return None  # it was not asked yet
        return known

    def _judge(self, question: Question, judgement: Judgement) -> Judge | None:
        """The judge to hold against the rules that decided: the chain's own, else the recipe's model with defaults."""
        if not _by_rule(judgement) or self.router.judge_model is None or not isinstance(question.truth, Judge.takes):
            return None
        chain = self.router.chain(question.domain, question.truth.type)
        return next((one for one in chain if isinstance(one, Judge)), Judge(model=self.router.judge_model))

    def _preset(self, name: Preset) -> Router:
        return Router(preset=name, judge_model=self.router.judge_model)


async def ask_besides(
    calibration: Calibration, question: Question, attempt: Attempt, judgement: Judgement, resources: "Resources"
) -> list[Step]:
    """Ask the extra verifiers of a drawn question, reusing what is stored; the steps are the caller's to store."""
    steps: list[Step] = []
    for verifier in calibration.extra(question, judgement):
        alone = Router(chains={question.domain: [verifier]})
        steps += (await alone.verify(question, attempt, resources, resources.verdicts)).steps
    return steps


def bounds(wanted: Calibrate, groups: Iterable[pa.Table]) -> dict[str, str]:
    """For each domain the largest hash that is still in the sample; `groups` have the columns `id` and `domain`."""
    heaps: dict[str, list[tuple[int, str]]] = {}
    for group in groups:
        for id_, domain in zip(group.column("id").to_pylist(), group.column("domain").to_pylist(), strict=True):
            rank, heap = _rank(wanted.seed, id_), heaps.setdefault(domain, [])
            entry = (-int(rank, 16), rank)
            if len(heap) == wanted.sample and (not heap or entry <= heap[0]):
                continue
            if entry in heap:
                continue  # the same question twice is one question
            heapq.heappush(heap, entry) if len(heap) < wanted.sample else heapq.heapreplace(heap, entry)
    return {domain: heap[0][1] for domain, heap in heaps.items() if heap}


class CalibrationCounts:
    """Adds up comparisons in any order."""

    def __init__(self) -> None:
        self._judge: dict[str, dict[str, Counter[tuple[str, str]]]] = {}
        self._label: dict[str, dict[str, Counter[tuple[str, str]]]] = {}
        self._known: Counter[str] = Counter()  # rows by preset
        self._passed: Counter[str] = Counter()

    def add(self, one: Compared) -> None:
        """Count one attempt."""
        if one.judge is not None:
            self._count(self._judge, one, (one.ours, one.judge))
        if one.label is not None:
            self._count(self._label, one, ("pass" if one.label else "fail", one.ours))
        if one.presets is not None:
            said = {"ours": one.ours, **one.presets}
            self._known.update(list(said))
            self._passed.update(name for name, outcome in said.items() if outcome == "pass")

    def totals(self) -> dict[str, Any]:
        """`judge` held against the rules, `ours` against the label, and the `yields` of the presets on equal rows."""
        found: dict[str, Any] = {}
        for name, counts in (("judge", self._judge), ("ours", self._label)):
            if counts:
                found[name] = {
                    group: {key: _confusion(one) for key, one in sorted(inner.items())}
                    for group, inner in sorted(counts.items())
                }
        # What is known of some rows only says nothing of the others: those are not drawn by chance.
        rows = self._known["ours"]
        everywhere = [name for name in ("ours", *PRESETS) if rows and self._known[name] == rows]
        if len(everywhere) > 1:
            found["yields"] = {"rows": rows, "pass": {name: self._passed[name] for name in everywhere}}
        return found

    @staticmethod
    def _count(counts: dict[str, dict[str, Counter[tuple[str, str]]]], one: Compared, pair: tuple[str, str]) -> None:
        for group, key in (("all", "all"), ("domain", one.domain), ("source", one.source)):
            counts.setdefault(group, {}).setdefault(key, Counter())[pair] += 1


def _confusion(pairs: Counter[tuple[str, str]]) -> dict[str, Any]:
    """Pairs of (what is held to be true, what was said): errors, and what was left open."""
    right, wrong = (sum(pairs[truth, said] for said in ("pass", "fail", "unsure")) for truth in ("pass", "fail"))
    return {
        "rows": pairs.total(),
        "false_accepts": wilson(pairs["fail", "pass"], wrong).model_dump(),
        "false_rejects": wilson(pairs["pass", "fail"], right).model_dump(),
        "unsure": pairs["pass", "unsure"] + pairs["fail", "unsure"],
        "error": pairs["pass", "error"] + pairs["fail", "error"],
    }


def calibration_lines(totals: dict[str, Any]) -> list[str]:
    """What `totals` says, as Markdown."""
    lines: list[str] = []
    for name, title in (
        ("judge", "The judge, held against the rules"),
        ("ours", "Our verdicts, held against the label"),
    ):
        if name not in totals:
            continue
        lines += ["", f"## {title}", "", "Shares with Wilson 95 % intervals.", ""]
        lines += ["| | rows | false accepts | false rejects | unsure | error |", "|---|---:|---:|---:|---:|---:|"]
        for group, inner in totals[name].items():
            for key, one in inner.items():
                shares = " | ".join(_words(one[what]) for what in ("false_accepts", "false_rejects"))
                label = key if group == "all" else f"{group} {key}"
                lines.append(f"| {label} | {one['rows']} | {shares} | {one['unsure']} | {one['error']} |")
    if "yields" in totals:
        rows, passed = totals["yields"]["rows"], totals["yields"]["pass"]
        lines += ["", "## Yields on the same rows", "", "| verify | rows | pass | share |", "|---|---:|---:|---:|"]
        lines += [f"| {name} | {rows} | {count} | {100 * count / rows:.1f} % |" for name, count in passed.items()]
    return lines


def _words(one: dict[str, Any]) -> str:
    if one["share"] is None:
        return "none to count"
    low, high = 100 * one["low"], 100 * one["high"]
    return f"{one['count']} of {one['of']} ({100 * one['share']:.2f} %, {low:.2f} to {high:.2f})"


def _rank(seed: int, id_: str) -> str:
    return digest("calibrate", seed, id_)


def _by_rule(judgement: Judgement) -> bool:
    verdict = judgement.verdict
    return judgement.key is not None and verdict.outcome in ("pass", "fail") and verdict.verifier != Judge.kind()


def label_of(value: Any) -> bool | None:
    """Whether a label says that the answer is right; None where it says neither. 1, `true`, `pass`, `correct`... do."""
    word = str(value).strip().lower() if isinstance(value, bool | int | float | str) else ""
    return True if word in _RIGHT else False if word in _WRONG else None
