"""What an audit found, counted as it comes in: by domain and source, by reason, and against the labels of the dataset.

Memory does not grow with the rows: beyond the first 500 sources those of a domain are counted together, beyond 1,000
groups all of them, and examples are a few rows each.
"""

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from curate.audit.state import Finding
from curate.calibrate import wilson

OUTCOMES = ("pass", "fail", "unsure", "error")
_SOURCES = 500  # counted on their own
_OTHER = "(others)"
_EXAMPLES = 5  # row numbers shown of each reason
_WORST = 20  # false accepts, and false rejects, shown with their evidence
_WORST_OF_ONE = 5  # of them from one domain and source


class Tally:
    """Counts findings; `summary` gives everything as JSON can hold it. Rows must come in order."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, str], Counter[tuple[str, str]]] = {}
        self._first: dict[tuple[str, str], list[int]] = {}
        self._versions: set[tuple[str, str]] = set()
        self._labels: dict[tuple[str, str], Counter[tuple[bool, str]]] = {}
        self._worst: dict[str, list[dict[str, Any]]] = {"false_accepts": [], "false_rejects": []}
        self.rows = 0
        self.outcomes: Counter[str] = Counter()

    def add(self, finding: Finding) -> None:
        """Count one row."""
        self.rows += 1
        self.outcomes[finding.outcome] += 1
        group = self._group(finding)
        verdict = (finding.outcome, finding.reason)
        self._groups.setdefault(group, Counter())[verdict] += 1
        self._versions.add((finding.verifier, finding.verifier_version))
        examples = self._first.setdefault(verdict, [])
        if len(examples) < _EXAMPLES:
            examples.append(finding.row)
        if finding.label is not None:
            self._labels.setdefault(group, Counter())[finding.label, finding.outcome] += 1
            if finding.outcome == "pass" and not finding.label:
                self._look_at("false_accepts", finding)
            elif finding.outcome == "fail" and finding.label:
                self._look_at("false_rejects", finding)

    def _group(self, finding: Finding) -> tuple[str, str]:
        group, rest = (finding.domain, finding.source), (finding.domain, _OTHER)
        if group in self._groups or len(self._groups) < _SOURCES:
            return group
        return rest if rest in self._groups or len(self._groups) < 2 * _SOURCES else (_OTHER, _OTHER)

    def _look_at(self, kind: str, finding: Finding) -> None:
        kept = self._worst[kind]
        alike = sum(one["domain"] == finding.domain and one["source"] == finding.source for one in kept)
        if len(kept) < _WORST and alike < _WORST_OF_ONE:
            shown = finding._asdict() | {"evidence": json.loads(finding.evidence)}
            del shown["seconds"], shown["label"]
            kept.append(shown)

    def summary(self) -> dict[str, Any]:
        """Everything: `rows`, `outcomes`, `groups`, `reasons`, `verifiers` and, where rows have labels, `labels`."""
        all_reasons: Counter[tuple[str, str]] = Counter()
        for counts in self._groups.values():
            all_reasons += counts
        return {
            "rows": self.rows,
            "outcomes": {name: self.outcomes[name] for name in OUTCOMES},
            "groups": [_counted(group, counts) for group, counts in sorted(self._groups.items())],
            "reasons": [
                {"outcome": outcome, "reason": reason, "rows": count, "first": self._first[outcome, reason]}
                for (outcome, reason), count in sorted(all_reasons.items(), key=lambda one: (-one[1], one[0]))
            ],
            "verifiers": [{"verifier": name, "version": version} for name, version in sorted(self._versions)],
            "labels": self._against_labels(),
        }

    def _against_labels(self) -> dict[str, Any] | None:
        if not self._labels:
            return None
        total: Counter[tuple[bool, str]] = Counter()
        for counts in self._labels.values():
            total += counts
        groups = [
            {"domain": domain, "source": source, **confusion(counts)}
            for (domain, source), counts in sorted(self._labels.items())
        ]
        return {"all": confusion(total), "groups": groups, **self._worst}


def _counted(group: tuple[str, str], counts: Counter[tuple[str, str]]) -> dict[str, Any]:
    by_outcome: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for (outcome, reason), count in counts.items():
        by_outcome[outcome] += count
        if outcome != "pass":
            reasons[reason] += count
    return {
        "domain": group[0],
        "source": group[1],
        "rows": counts.total(),
        **{name: by_outcome[name] for name in OUTCOMES},
        "reasons": dict(sorted(reasons.items(), key=lambda one: (-one[1], one[0]))),
    }


def confusion(counts: Mapping[tuple[bool, str], int]) -> dict[str, Any]:
    """Our outcomes on rows labelled right and wrong, and the two error rates with 95 % intervals.

    A rate counts decided rows only: `false_accept` is pass among pass and fail of rows labelled wrong, `false_reject`
    is fail among pass and fail of rows labelled right.
    """
    table = {
        name: {outcome: counts.get((label, outcome), 0) for outcome in OUTCOMES}
        for name, label in (("right", True), ("wrong", False))
    }
    right, wrong = table["right"], table["wrong"]
    return {
        "rows": sum(right.values()) + sum(wrong.values()),
        "labelled_right": right,
        "labelled_wrong": wrong,
        "false_accept": rate(wrong["pass"], wrong["pass"] + wrong["fail"]),
        "false_reject": rate(right["fail"], right["pass"] + right["fail"]),
    }


def rate(count: int, of: int) -> dict[str, Any] | None:
    """A share with its Wilson interval at 95 %; None where there is nothing to count."""
    found = wilson(count, of)
    if found.share is None:
        return None
    return {"rate": found.share, "low": found.low, "high": found.high, "count": count, "of": of}
