"""Every error that a user can meet.

    VeristillError
    |- RecipeError    exit 2   the recipe says something that cannot be
    |- InputError     exit 2   a file, column or argument is not what it should be
    |- Prerequisite   exit 3   something must be installed, enabled or set first
    |- Stopped        exit 4   a budget, an interrupt, a full disk, a folder in use, a refusal: the same command goes on
    `- Failed         exit 1   the work was done, but something in it failed for good

Each says what is wrong, where, and what to do next. Only `recipes/cli/` prints them or exits. Plugins may raise plain
exceptions: the engine turns what a single row causes into `error` verdicts, and the rest into a crash with a traceback,
which is a defect of ours.
"""

from typing import ClassVar


class VeristillError(Exception):
    """What went wrong, where (a file, line, key or row), and the next thing to do."""

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, where: str | None = None, next: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.next = next

    def __str__(self) -> str:
        where = f"{self.where}: " if self.where else ""
        follow = f"\n  {self.next}" if self.next else ""
        return f"{where}{self.what}{follow}"


class RecipeError(VeristillError):
    """The recipe is wrong."""

    exit_code = 2


class InputError(VeristillError):
    """An input is wrong."""

    exit_code = 2


class Prerequisite(VeristillError):
    """Something is missing on this machine; `next` names the command that brings it."""

    exit_code = 3


class Stopped(VeristillError):
    """The run stopped where it can go on: the same command continues it."""

    exit_code = 4


class Failed(VeristillError):
    """Rows ended in `error`, calls failed for good, or the published dataset could not be loaded back."""

    exit_code = 1
