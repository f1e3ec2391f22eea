"""What preflight found: one finding a check, each saying what is wrong, where, and what to do next."""

from collections.abc import Iterator
from typing import Literal

from pydantic import BaseModel, ConfigDict

from curate.errors import InputError, Prerequisite, RecipeError, VeristillError

Level = Literal["ok", "warn", "bad", "skipped"]
_SIGNS = {"ok": "ok  ", "warn": "warn", "bad": "BAD ", "skipped": "-   "}


class Finding(BaseModel):
    """The outcome of one check. `code` is the exit code of a bad one: 2 recipe or input, 3 prerequisite."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    check: str
    level: Level
    what: str
    where: str | None = None
    next: str | None = None
    code: int = 0

    @classmethod
    def good(cls, check: str, what: str) -> "Finding":
        """A check that passed, with its figure."""
        return cls(check=check, level="ok", what=what)

    @classmethod
    def warning(cls, check: str, what: str, *, where: str | None = None, next: str | None = None) -> "Finding":  # noqa: A002
        """Something to know that stops nothing."""
        return cls(check=check, level="warn", what=what, where=where, next=next)

    @classmethod
    def skipped(cls, check: str, why: str) -> "Finding":
        """A check that could not be made."""
        return cls(check=check, level="skipped", what=why)

    @classmethod
    def bad(cls, check: str, error: VeristillError) -> "Finding":
        """A mistake, as the error that it is."""
        code = error.exit_code
        return cls(check=check, level="bad", what=error.what, where=error.where, next=error.next, code=code)

    def line(self) -> str:
        """For people: one line, and one more for what to do next."""
        where = f"{self.where}: " if self.where else ""
        follow = f"\n{'':20}  {self.next}" if self.next else ""
        return f"{_SIGNS[self.level]} {self.check:<15} {where}{self.what}{follow}"


class Report(BaseModel):
    """All findings of one preflight, in the order in which they were made."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    findings: tuple[Finding, ...]
    tokenized: str | None = None  # the folder of tokenised rows, relative to the run's; None: not made
    example: str | None = None  # one row as it is trained on, decoded

    def of(self, level: Level) -> Iterator[Finding]:
        """Those of a level."""
        return (one for one in self.findings if one.level == level)

    @property
    def exit_code(self) -> int:
        """0, or the code of what must be mended first: 2 (recipe, input) before 3 (prerequisite)."""
        return min((one.code for one in self.of("bad")), default=0)

    def lines(self) -> list[str]:
        """For people."""
        bad, warned = len(list(self.of("bad"))), len(list(self.of("warn")))
        shown = ["", "One row as it is trained on:", self.example] if self.example else []
        end = f"{len(self.findings)} checks: {bad} mistakes, {warned} warnings"
        return [*(one.line() for one in self.findings), *shown, "", end]

    def raise_bad(self) -> None:
        """Raise the mistakes as one error, RecipeError, InputError (exit 2) or Prerequisite (exit 3); or return."""
        bad = sorted(self.of("bad"), key=lambda one: one.code)
        if not bad:
            return
        first = bad[0]
        more = [f"also: {one.where + ': ' if one.where else ''}{one.what}" for one in bad[1:]]
        kind: type[VeristillError] = Prerequisite if first.code == Prerequisite.exit_code else RecipeError
        if first.code == InputError.exit_code and not (first.where or "").startswith("train."):
            kind = InputError
        raise kind("\n  ".join([first.what, *more]), where=first.where, next=first.next)
