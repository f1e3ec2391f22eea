"""What an audit keeps of each row in `OUT.state/`, so that a killed one goes on; `curate.tables` holds it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Self

import pyarrow as pa

from curate import tables

SCHEMA = pa.schema(
    [
        pa.field("row", pa.int64()),
        pa.field("outcome", pa.string()),
        pa.field("reason", pa.string()),
        pa.field("verifier", pa.string()),
        pa.field("verifier_version", pa.string()),
        pa.field("evidence", pa.string()),
        pa.field("seconds", pa.float64()),
    ]
)
_OURS = "infrastructure"  # the reason of a row that is judged again


class Finding(NamedTuple):
    """One row's verdict, with what the summary counts it under. It begins with OUT's columns."""

    row: int
    outcome: str
    reason: str
    verifier: str
    verifier_version: str
    evidence: str  # JSON text, keys sorted
    seconds: float  # of CPU
    domain: str
    source: str
    label: bool | None


class State:
    """The open state of the audit that writes `out`. Use as a context manager; one process at a time."""

    def __init__(self, out: Path, identity: dict[str, Any]) -> None:
        """`identity` names the input, the options and the verifiers. Raises InputError for an `out` of another sort."""
        self._state = tables.State(out, "audit", identity, SCHEMA)
        self._trouble = False  # of ours, in some row

    def __enter__(self) -> Self:
        self._state.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._state.__exit__(*error)

    @property
    def folder(self) -> Path:
        """`OUT.state/`."""
        return self._state.folder

    @property
    def restarted(self) -> bool:
        """Whether a state was there, of something else."""
        return self._state.restarted

    def resume(self, found: Callable[[Finding], None]) -> int:
        """Hand every finding that is kept to `found`; returns the number of the first row that is not.

        What comes after the first row that ended in trouble of ours is let go of and done again.
        """

        def take(record: list[Any]) -> bool:
            if len(record) != len(Finding._fields) or record[2] == _OURS:
                return False
            found(Finding(*record))
            return True

        return self._state.resume(take)

    def add(self, finding: Finding) -> None:
        """Keep the next row's finding."""
        self._state.add(finding)
        self._trouble = self._trouble or finding.reason == _OURS

    def complete(self) -> None:
        """Write OUT, all or nothing, and remove the state; where trouble of ours left rows open it stays, to go on."""
        self._state.complete(keep=self._trouble)
