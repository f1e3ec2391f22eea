"""From a program's tests to jobs for a backend: cut into batches, so that tests of any size stream through."""

import marshal
from collections.abc import Sequence
from typing import Literal

from sandbox.asserts import plan
from sandbox.frames import Job
from sandbox.model import Assert, Call, Case, Program, Stdin

_BYTES = 8 << 20  # of input in one job; a longer test goes alone
_FIRST, _MOST = 16, 64  # tests in the first job of a program and in the others: a wrong program stops early


def cut(program: Program, start: int, mode: Literal["strict", "fast"], preload: str = "") -> Job:
    """The next job: tests from number `start` on. Raises ValueError for arguments that are not plain values."""
    cases = program.cases
    kind = form(cases[start], program.entry)
    most = start + (_FIRST if start == 0 and mode == "strict" else _MOST)
    tests: list[bytes] = []
    size, at = 0, start
    while at < min(most, len(cases)) and form(cases[at], program.entry) == kind:
        try:
            text = _given(cases[at], program.entry)
        except ValueError:
            if tests:
                break  # its own job will say so
            raise
        size += len(text)
        if tests and size > _BYTES:
            break
        tests.append(text)
        at += 1
    return _job(program, kind, tests, mode, preload)


def single(program: Program, number: int, preload: str = "") -> Job:
    """A job of one test alone."""
    case = program.cases[number]
    return _job(program, form(case, program.entry), [_given(case, program.entry)], "strict", preload)


def form(case: Case, entry: str | None) -> tuple[str, str]:
    """What tests of one job have in common: their kind, and the form of returned values."""
    if isinstance(case, Assert) and plan(case.code, entry):
        return "values", "python"
    return case.kind, case.equality if isinstance(case, Call) else "json"


def _job(
    program: Program, kind: tuple[str, str], tests: Sequence[bytes], mode: Literal["strict", "fast"], preload: str
) -> Job:
    source = program.source.encode("utf-8", "surrogatepass")
    entry = None if kind[0] == "stdin" else program.entry
    return Job(kind[0], source, entry, tests, mode, kind[1], preload, program.stop_first)


def _given(case: Case, entry: str | None) -> bytes:
    if isinstance(case, Stdin):
        return case.input.encode("utf-8", "surrogatepass")
    if isinstance(case, Call):
        return marshal.dumps(list(case.args))
    assert isinstance(case, Assert)
    if planned := plan(case.code, entry):
        return planned.data()
    return case.code.encode("utf-8", "surrogatepass")
