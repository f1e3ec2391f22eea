"""Holding the sandbox's verdicts against those of the reference run, in both modes."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from sandbox import Outcome, Program, Sandbox
from tests.real import reference

Mode = Literal["fast", "strict"]
MODES: tuple[Mode, ...] = ("fast", "strict")


class Named(NamedTuple):
    """A program, what it is called, and whether it is known to be right."""

    name: str
    program: Program
    right: bool


async def outcomes(programs: Iterable[Program], mode: Mode) -> list[Outcome]:
    """What the sandbox says of each program, all at once."""
    async with Sandbox(mode=mode, audit=0.0) as box:  # so that what fast passes is its own verdict
        return await asyncio.gather(*map(box.run, programs))


class Agreement(NamedTuple):
    """`lines`: one for each verdict, of either mode, that is not the reference run's, and for each right program that
    fails. `unshown`: wrong programs that pass all their tests.
    """

    lines: list[str]
    unshown: list[str]


async def compared(rows: Sequence[Named]) -> Agreement:
    """Run every program by the reference and in both modes."""
    expected = await asyncio.to_thread(reference.judge_all, [row.program for row in rows])
    lines = [
        f"{row.name}: right, but {one}"
        for row, one in zip(rows, expected, strict=True)
        if row.right and one.test is not None
    ]
    for mode in MODES:
        found = await outcomes([row.program for row in rows], mode)
        for row, one, outcome in zip(rows, expected, found, strict=True):
            if reference.verdict(outcome) != one:
                lines.append(f"{row.name}: {mode} {reference.verdict(outcome)} for {one}: {outcome.evidence}")
    unshown = [row.name for row, one in zip(rows, expected, strict=True) if not row.right and one.test is None]
    return Agreement(lines, unshown)
