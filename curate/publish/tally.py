"""Counts what goes into a dataset while it is written: what its card says is counted, never remembered."""

from collections import Counter
from dataclasses import dataclass, field

from curate.records import Attempt, Verdict

OUTCOMES = ("pass", "fail", "unsure", "error")


@dataclass
class Share:
    """The attempts of one domain or source: how many by outcome, and how many became rows."""

    outcomes: Counter[str] = field(default_factory=Counter)
    rows: int = 0


@dataclass
class Tally:
    """Counters of a whole dataset. `licences` and the shares are keyed by what the questions say."""

    questions: int = 0
    attempts: int = 0
    rows: int = 0
    without_reasoning: int = 0  # of the rows
    escaped: int = 0  # rows whose text holds a marker of the trace format, which is written escaped
    domains: dict[str, Share] = field(default_factory=dict)
    sources: dict[str, Share] = field(default_factory=dict)
    licences: Counter[tuple[str, str | None]] = field(default_factory=Counter)  # (source, licence): questions
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)  # (outcome, reason): attempts
    verifiers: Counter[tuple[str, str]] = field(default_factory=Counter)  # (verifier, version): attempts
    teachers: Counter[tuple[str, str | None]] = field(default_factory=Counter)  # (teacher, model returned): attempts

    def question(self, source: str, licence: str | None) -> None:
        """Count one question."""
        self.questions += 1
        self.licences[source, licence] += 1

    def attempt(self, domain: str, source: str, attempt: Attempt, verdict: Verdict, selected: bool) -> None:
        """Count one attempt, and the row it becomes."""
        self.attempts += 1
        for shares, name in ((self.domains, domain), (self.sources, source)):
            share = shares.setdefault(name, Share())
            share.outcomes[verdict.outcome] += 1
            share.rows += selected
        self.reasons[verdict.outcome, verdict.reason] += 1
        self.verifiers[verdict.verifier, verdict.verifier_version] += 1
        self.teachers[attempt.teacher, attempt.model] += 1
        self.rows += selected
        self.without_reasoning += selected and not attempt.reasoning
