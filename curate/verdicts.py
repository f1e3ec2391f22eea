"""Stored verdicts, read by key: the ones that may be reused, and for reports also our last trouble."""

from curate.ledger import Ledger
from curate.records import Verdict


class Verdicts:
    """The verdicts of a ledger. With `troubles`, a key without one gives its last `error`, which is never reused."""

    def __init__(self, ledger: Ledger, *, troubles: bool = False) -> None:
        self._ledger = ledger
        self._kinds = ("verdict", "trouble") if troubles else ("verdict",)

    def get(self, key: str) -> Verdict | None:
        """The verdict under a verdict key, or None."""
        for kind in self._kinds:
            for body in self._ledger.get(kind, [key]).get(key, []):
                return Verdict.model_validate_json(body)
        return None
