"""Adds up what became of a program's tests to an Outcome."""

import time
from typing import Any

from sandbox import evidence
from sandbox.asserts import is_weaker
from sandbox.frames import Facts
from sandbox.model import Assert, Call, Case, Outcome, Program
from sandbox.verdict import Finding

_OURS = ("missing_module", "infrastructure")


class Tally:
    """Findings in the order of the tests, and the cost of all that ran, what did not count included."""

    def __init__(self, program: Program, backend: str) -> None:
        self._program, self._backend = program, backend
        self._cpu_s = self._peak_mb = 0.0
        self._started = time.monotonic()
        self.forget()

    def forget(self) -> None:
        """Start again with the findings; the cost stays."""
        self._failed: tuple[Finding, dict[str, Any]] | None = None
        self._broken: tuple[Finding, dict[str, Any]] | None = None
        self._passed = self._run = 0

    @property
    def passed(self) -> bool:
        """Whether no test that was counted did anything but pass."""
        return self._failed is None and self._broken is None

    def measure(self, facts: Facts) -> None:
        """Add the cost of one test."""
        self._cpu_s += facts.cpu_s
        self._peak_mb = max(self._peak_mb, facts.peak_mb)

    def take(self, number: int, finding: Finding) -> bool:
        """Count one test; whether it passed."""
        self._run += 1
        if finding.reason == "ok":
            self._passed += 1
            return True
        found = finding, {"test": number, **_given(self._program.cases[number]), **finding.evidence}
        if finding.reason in _OURS:
            self._broken = self._broken or found
        else:
            self._failed = self._failed or found
        return False

    def outcome(self, mode: str) -> Outcome:
        """What became of the program; `mode` says how strong a pass is."""
        total = len(self._program.cases)
        nothing = Finding("infrastructure"), {"message": "the program has no tests"}
        # A test that failed decides, whatever became of the others; one that we could not run leaves it open.
        worst = self._failed or self._broken or (nothing if total == 0 else None)
        return Outcome(
            status="pass" if worst is None else "fail" if self._failed else "error",
            reason="ok" if worst is None else worst[0].reason,
            passed=self._passed,
            run=self._run,
            total=total,
            weaker=any(
                isinstance(case, Assert) and is_weaker(case, self._program.entry) for case in self._program.cases
            ),
            evidence={**({} if worst is None else worst[1]), **({"mode": mode} if total else {})},
            measured={
                "cpu_s": round(self._cpu_s, 4),
                "wall_s": round(time.monotonic() - self._started, 4),
                "peak_mb": round(self._peak_mb, 1),
                "backend": self._backend,
            },
        )


def _given(case: Case) -> dict[str, str]:
    if isinstance(case, Assert):
        return {"input": evidence.shown(case.code)}
    return {"input": evidence.value(list(case.args)) if isinstance(case, Call) else evidence.shown(case.input)}
