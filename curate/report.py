"""The report of a run: totals that depend only on recipe, sources and replies, and what this command did.

`report.json` holds both apart, so that two runs to the same dataset agree in `totals` whatever interrupted them.
`check` holds the totals to law 3: nothing leaves without being counted.
"""

import json
from collections import Counter
from typing import Any

from pydantic import Field

from curate.attempts import Selected, selection_lines
from curate.calibrate import CalibrationCounts, calibration_lines
from curate.errors import Failed
from curate.ingest import Ingested, Recorded
from curate.labels import Labelled
from curate.records import Question, Record
from curate.solve import Solved
from curate.spending import Served, Spending, money_lines

# What to do about each kind of `error`.
_ADVICE = {
    "unreadable_tests": "unreadable_tests: mend the test cases in the source (docs/reference/test-cases.md)",
    "missing_module": "missing_module: install the modules that the programs import beside veristill",
    "infrastructure": "infrastructure: trouble of ours; the same command tries these rows again",
}

_MODULES = 50  # names listed; a program may import what it likes

Table = list[tuple[str, int | None, int | None, int | None, str]]


class SolveCounts:
    """Counts of solving, added up question by question in any order."""

    def __init__(self) -> None:
        self.questions = self.asked = self.answered = self.pending = 0
        self.unasked: Counter[str] = Counter()  # by the reason
        self.new = self.reused = self.verified = 0
        self.outcomes: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.domains: dict[str, Counter[str]] = {}
        self.sources: dict[str, Counter[str]] = {}
        self.troubles: Counter[str] = Counter()
        self.modules: Counter[str] = Counter()  # that programs imported and our interpreter lacks
        self.calibration = CalibrationCounts()
        self.spending = Spending()
        self._in_parts: set[int] = set()  # verified ones among the few that are solved in parts

    def add(self, question: Question, solved: Solved) -> None:
        """Count one question."""
        self.questions += solved.first
        self.asked += solved.asked
        self.answered += solved.answered
        if solved.unasked is not None:
            self.unasked[solved.unasked] += 1
        self.pending += solved.pending
        if any(one.verdict.outcome == "pass" for one in solved.decided):
            self.verified += solved.part is None or question.seq not in self._in_parts
            self._in_parts |= set() if solved.part is None else {question.seq}
        self.new += solved.verdicts_new
        self.reused += solved.verdicts_reused
        self.troubles.update(trouble[:200] for trouble in solved.troubles)
        for one in solved.decided:
            outcome = one.verdict.outcome
            served = Served(one.attempt.teacher, one.attempt.model, one.fingerprint, one.endpoint)
            self.spending.add(one.attempt, one.verdict, served, one.verdict_key, one.replaced_usd)
            if one.compared is not None:
                self.calibration.add(one.compared)
            self.outcomes[outcome] += 1
            self.reasons[f"{outcome}/{one.verdict.reason}"] += 1
            if one.verdict.reason == "missing_module":
                self.modules[str(one.verdict.evidence.get("module", "?"))] += 1
            self.domains.setdefault(question.domain, Counter())[outcome] += 1
            self.sources.setdefault(question.source, Counter())[outcome] += 1

    def totals(self) -> dict[str, Any]:
        """What does not depend on how often the run was interrupted."""
        return {
            "questions": self.questions,
            "without_answer": self.unasked.total(),
            "without_answer_reasons": dict(sorted(self.unasked.items())),
            "questions_verified": self.verified,
            "asked": self.asked,
            "answered": self.answered,
            "failed": self.asked - self.answered - self.pending,
            "pending": self.pending,
            "outcomes": dict(sorted(self.outcomes.items())),
            "reasons": dict(sorted(self.reasons.items())),
            "domains": {name: dict(sorted(one.items())) for name, one in sorted(self.domains.items())},
            "sources": {name: dict(sorted(one.items())) for name, one in sorted(self.sources.items())},
            "missing_modules": dict(sorted(self.modules.items(), key=lambda one: (-one[1], one[0]))[:_MODULES]),
            "calibration": self.calibration.totals(),
        }


class Report(Record):
    """Everything there is to say about a run."""

    recipe: str
    partial: bool = False
    dry_run: bool = False
    incomplete: str | None = None  # why solving stopped: counts are those of the questions that it came to
    until: str = "publish"
    limit: int | None = None  # rows read of each source, where --limit was given
    dataset: str | None = None  # the folder to load, once published
    ingest: Ingested
    clean: list[Labelled] = Field(default_factory=list)
    solve: dict[str, Any] | None = None
    select: list[Selected] | None = None
    publish: dict[str, int] | None = None  # rows written by config
    money: dict[str, Any] = Field(default_factory=dict)  # over all commands (`curate.spending`)
    servers: dict[str, Any] = Field(default_factory=dict)  # what each came to in this command
    this_run: dict[str, Any] = Field(default_factory=dict)

    def totals(self) -> dict[str, Any]:
        """The part that two runs to the same dataset share."""
        plain = {"reused"}
        return {
            "ingest": self.ingest.model_dump(exclude={"reused", "kinds", "key", "recipe"}),
            "clean": [one.model_dump(exclude=plain) for one in self.clean],
            "solve": self.solve,
            "select": None if self.select is None else [one.model_dump(exclude=plain) for one in self.select],
            "publish": self.publish,
        }

    def to_json(self) -> str:
        """The text of report.json."""
        names = ("recipe", "partial", "incomplete", "until", "limit", "dataset")
        head = {name: getattr(self, name) for name in names}
        parts = {"totals": self.totals(), "money": self.money, "servers": self.servers, "this_run": self.this_run}
        return json.dumps({**head, **parts}, indent=1, ensure_ascii=False)

    def check(self) -> None:
        """Raise Failed where the totals do not add up: a defect, never to be published over."""
        facts = [self.ingest.rows == self.ingest.questions + self.ingest.dropped]
        left = self.ingest.questions
        for stage in self.clean:
            facts.append(stage.seen == left and stage.seen == stage.kept + stage.dropped)
            left = stage.kept
        if self.solve is not None:
            solve = self.solve
            facts.append(solve["questions"] == left)
            # `failed` is what the others leave of `asked`: one count too many makes it less than nothing.
            facts.append(solve["failed"] >= 0)
            facts.append(solve["asked"] == solve["answered"] + solve["failed"] + solve["pending"])
            left = sum(solve["outcomes"].values())
            facts.append(left == solve["asked"] - solve["pending"])
        for stage in self.select or []:
            facts.append(stage.seen == left and stage.seen == stage.kept + stage.dropped)
            left = stage.kept
        if self.publish is not None:
            facts.append(self.publish["metadata"] == left)
            solve = self.solve or {"outcomes": {}}
            facts.append(self.publish["unverified"] == sum(solve["outcomes"].values()) - solve.get("left_out", 0))
        if not all(facts):
            raise Failed("the counts of this run do not add up", next="please report this, with report.json")

    def raise_for_errors(self) -> None:
        """Raise Failed (exit 1) where calls failed or verdicts ended in `error`: the next run tries them again."""
        solve = self.solve or {}
        errors = solve.get("outcomes", {}).get("error", 0)
        left = {stage.stage: stage.unexamined for stage in self.clean if stage.unexamined}
        if left and not errors:
            raise Failed(
                f"questions were kept unexamined because of trouble on our side: {_words(left)}",
                next="the same command examines them again; `veristill explain` shows what happened",
            )
        if not errors:
            return
        reasons = {name[6:]: count for name, count in solve["reasons"].items() if name.startswith("error/")}
        why = "; ".join(list(self.this_run.get("troubles", {}))[:3])
        advice = [text for name, text in _ADVICE.items() if name in reasons]
        if lacking := solve.get("missing_modules"):
            advice.append(f"modules that programs import and that are missing: {_words(dict([*lacking.items()][:10]))}")
        raise Failed(
            f"{errors} of {solve['asked']} answers have no verdict: {_words(reasons)}" + (f" ({why})" if why else ""),
            next="\n  ".join([*advice, "`veristill explain` shows the evidence of a row"]),
        )

    def table(self) -> Table:
        """Rows of the summary: stage, in, kept, dropped, remark."""
        rows: Table = [
            ("ingest", self.ingest.rows, self.ingest.questions, self.ingest.dropped, _words(self.ingest.reasons))
        ]
        for stage in self.clean:
            left = {**stage.reasons, **({"kept unexamined": stage.unexamined} if stage.unexamined else {})}
            rows.append((stage.stage, stage.seen, stage.kept, stage.dropped, _words(left)))
        if self.solve is not None:
            solve = self.solve
            # A failed call is an attempt too, and a verdict is a label: neither drops anything.
            asked, unasked, judged = solve["questions"], solve["without_answer"], sum(solve["outcomes"].values())
            remark = f"{solve['asked']} answers asked for, {solve['answered']} came, {solve['failed']} failed"
            if solve["pending"]:
                remark += f", {solve['pending']} not decided yet"
            if unasked:
                remark += f"; dropped: {_words(solve.get('without_answer_reasons', {}))}"
            rows.append(("annotate", asked, asked - unasked, unasked, remark))
            rows.append(("verify", judged, judged, 0, _words(solve["reasons"])))
        for stage in self.select or []:
            rows.append((f"select {stage.stage}", stage.seen, stage.kept, stage.dropped, _words(stage.reasons)))
        if self.publish is not None:
            rows.append(("publish", self.publish["metadata"], self.publish["metadata"], 0, _words(self.publish)))
        return rows

    def to_markdown(self) -> str:
        """The text of report.md."""
        state = " (incomplete)" if self.incomplete else " (partial)" if self.partial else ""
        lines = [f"# {self.recipe}{state}", ""]
        if self.incomplete:
            came = "The counts are of the questions that this command came to before; what was spent is whole."
            lines += [f"It stopped: {self.incomplete}. {came}", ""]
        lines += ["| stage | in | kept | dropped | remark |", "|---|---:|---:|---:|---|"]
        for stage, seen, kept, dropped, remark in self.table():
            lines.append(f"| {stage} | {seen} | {kept} | {dropped} | {remark} |")
        lines += _recorded(self.ingest.recorded)
        if self.solve is not None:
            lines += ["", *_by("domain", self.solve["domains"]), "", *_by("source", self.solve["sources"])]
            lines += _modules(self.solve.get("missing_modules", {}))
            lines += calibration_lines(self.solve.get("calibration", {}))
            lines += money_lines(self.money)
        lines += selection_lines(self.select or [])
        lines += ["", "## This command", ""]
        lines += [f"- {name.replace('_', ' ')}: {value}" for name, value in self.this_run.items()]
        return "\n".join(lines) + "\n"


def _recorded(found: list[Recorded]) -> list[str]:
    if not found:
        return []
    lines = [
        "",
        "| subset | read | kept | share | reference read | kept | share |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for one in found:
        ours, theirs = (one.read, one.kept), (one.reference_read, one.reference_kept)
        cells = (f"{read:,} | {kept:,} | {_share(kept, read)}" for read, kept in (ours, theirs))
        lines.append(f"| {one.source}: {one.subset} | {' | '.join(cells)} |")
    return lines


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else ""


def _by(what: str, counts: dict[str, dict[str, int]]) -> list[str]:
    names = ("pass", "fail", "unsure", "error")
    lines = [f"| {what} | " + " | ".join(names) + " |", "|---|" + "---:|" * len(names)]
    return lines + [f"| {key} | " + " | ".join(str(one.get(n, 0)) for n in names) + " |" for key, one in counts.items()]


def _modules(counts: dict[str, int]) -> list[str]:
    if not counts:
        return []
    lines = ["", "Modules that programs import and that are missing where they run:", ""]
    return lines + [f"- `{name.replace('`', ' ')}`: {count}" for name, count in counts.items()]


def _words(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())
