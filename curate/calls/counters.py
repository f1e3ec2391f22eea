"""What the calls of one command came to."""

from dataclasses import dataclass, fields

from curate.calls.model import Reply


@dataclass
class Counters:
    """Every `ask` ends in exactly one of `given`, `reused`, `answered`, `failed`, or in an exception."""

    asked: int = 0
    given: int = 0  # read from a recording
    reused: int = 0  # found in the ledger, or being asked already
    answered: int = 0  # new replies
    failed: int = 0
    sent: int = 0  # requests sent, resends included
    retried: int = 0
    maybe_paid: int = 0  # sends without a reply that may have been billed
    input_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cost: float = 0.0  # USD of the new replies whose cost is known
    cost_unknown: int = 0  # new replies whose cost is not

    def count(self, reply: Reply) -> None:
        """Count a new reply."""
        self.answered += 1
        self.input_tokens += reply.usage.get("input", 0)
        self.output_tokens += reply.usage.get("output", 0)
        self.reasoning_tokens += reply.usage.get("reasoning", 0)
        self.cost += reply.cost or 0.0
        self.cost_unknown += reply.cost is None

    def __add__(self, other: "Counters") -> "Counters":
        return Counters(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))

    def note(self) -> str:
        """A few words for a progress line; empty while nothing was sent."""
        if not self.sent:
            return ""
        parts = [f"{self.sent} sent"]
        if self.retried:
            parts.append(f"{self.retried} retried")
        if self.failed:
            parts.append(f"{self.failed} failed")
        if self.output_tokens:
            parts.append(f"{self.output_tokens:,} tokens out")
        if self.cost:
            parts.append(f"${self.cost:.2f}")
        return ", ".join(parts)
