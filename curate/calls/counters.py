"""What the calls of one command came to."""

from dataclasses import dataclass, fields

from curate.calls.model import Reply
from curate.calls.trouble import Trouble


@dataclass
class Counters:
    """Every `ask` ends in exactly one of `given`, `reused`, `answered`, `failed`, or in an exception."""

    asked: int = 0
    given: int = 0  # read from a recording
    reused: int = 0  # found in the ledger, or being asked already
    answered: int = 0  # new replies
    failed: int = 0
    sent: int = 0  # requests sent, resends included
    retried: int = 0  # of those, the resends; and of these, by what the send before met:
    retried_busy: int = 0
    retried_unreachable: int = 0
    retried_unclear: int = 0
    retried_denied: int = 0  # by one of several servers
    maybe_paid: int = 0  # sends without a reply that may have been billed
    maybe_paid_usd: float = 0.0  # what those may have cost at most, where that is known
    input_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    gpu_hours: float = 0.0  # of own hardware
    truncated: int = 0  # new replies that the cap cut
    truncated_usd: float = 0.0  # their part of `cost`
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
        if reply.truncated:
            self.truncated += 1
            self.truncated_usd += reply.cost or 0.0

    def resent(self, met: Trouble | None) -> None:
        """Count a request that is sent again because of what its last send met; None: it is sent for the first time."""
        if met is not None:
            self.retried += 1
            name = f"retried_{type(met).__name__.lower()}"
            setattr(self, name, getattr(self, name) + 1)

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
