"""From what the kernel says of a test to what became of it: the one place where reasons are chosen.

A reason rests on facts of the kernel first (limits, signals, sizes), then on the comparison made here; the program's
own report only tells apart the kinds of failure that it has confessed to.
"""

import json
import math
import signal
from typing import Any, NamedTuple

from sandbox import evidence, typed
from sandbox.asserts import Plan, decide, plan
from sandbox.compare import Unreadable, read_report, same_output, same_value
from sandbox.frames import Facts
from sandbox.model import Assert, Call, Case, Limits, Program, Reason, SandboxError, Stdin


class Finding(NamedTuple):
    """What became of one test; `ok` passed it."""

    reason: Reason
    evidence: dict[str, Any] = {}  # noqa: RUF012 - never mutated


_LIMITS: dict[str, tuple[Reason, str]] = {
    "cpu": ("time_limit", "more than {limits.cpu_s:g} s of CPU time"),
    "idle": ("time_limit", "still waiting at the wall-clock limit"),
    "memory": ("memory_limit", "more than {limits.memory_mb} MB of memory"),
    "output": ("output_limit", "more than {limits.output_mb} MB of output"),
}
_NO_MORE_PROCESSES = ("BlockingIOError: [Errno 11]", "RuntimeError: can't start new thread")


def judge(case: Case, facts: Facts, program: Program) -> Finding:
    """What became of one test. Raises SandboxError where the machine, not the program, ended it."""
    limits = program.limits
    if facts.end in _LIMITS:
        reason, text = _LIMITS[facts.end]
        return Finding(reason, {"message": text.format(limits=limits)})
    if len(facts.report) > limits.output_mb << 20:
        reason, text = _LIMITS["output"]
        return Finding(reason, {"message": text.format(limits=limits)})
    if facts.end == "signal":
        return _killed(facts, limits)
    planned = plan(case.code, program.entry) if isinstance(case, Assert) else None
    if (isinstance(case, Call) or planned) and len(facts.report) > _longest_report(case):
        text = facts.report[: 4 * evidence.LONGEST].decode("utf-8", "replace").removeprefix('["value", ')
        return Finding("wrong_answer", {**_wanted(case), "got": evidence.shown(text)})
    report = _report(facts)
    if report[0] == "value" and len(report) == 2 and isinstance(case, Call):
        return _returned(case, report[1], program)
    if report[0] == "not json" and (isinstance(case, Call) or planned):
        return Finding("wrong_answer", {"got": evidence.message(_word(report)), **_wanted(case)})
    if planned:
        return _claimed(planned, report, facts.code)
    if facts.finished and isinstance(case, Assert):
        return Finding("ok")
    if facts.code == 0 and isinstance(case, Stdin):
        return _printed(case, facts.stdout, program)
    return _failed(report, facts.code)


def _claimed(planned: Plan, report: list[Any], code: int) -> Finding:
    """What the values of assert statements say: the first claim that is broken, or else why some are missing."""
    well_formed = report[0] == "values" and len(report) == 3 and isinstance(report[1], list)
    if not well_formed:
        return _failed(report, code)
    try:
        broken, decided = decide(planned, report[1])
    except Unreadable as error:
        return Finding("wrong_answer", {"message": f"a value cannot be read: {error}"})
    if broken:
        expected = {} if broken.expected is None else {"expected": broken.expected}
        message = evidence.message(f"AssertionError in: assert {broken.text}")
        return Finding("wrong_answer", {**expected, "got": evidence.message(broken.got), "message": message})
    if decided and report[2] is None and code == 0:
        return Finding("ok")
    raised = report[2]
    return _failed(raised if isinstance(raised, list) and raised and isinstance(raised[0], str) else ["nothing"], code)


def _wanted(case: Case) -> dict[str, str]:
    if not isinstance(case, Call):
        return {}
    show = typed.shown if case.equality == "python" else evidence.value
    return {"expected": show(case.expected)}


def _longest_report(case: Case) -> float:
    """Bytes of a report that can still match: reading a longer one would only let a program use up our memory.

    A number or a mark of the expected value may be written up to 32 times as long.
    """
    if isinstance(case, Assert):
        return (16 << 20) + 32 * len(case.code)
    try:
        expected = case.expected if isinstance(case, Call) else ""
        return (1 << 20) + 32 * len(repr(expected) if _is_python(case) else json.dumps(expected))
    except (ValueError, TypeError, RecursionError):  # too long a number, no JSON, too deep: nothing to measure it by
        return math.inf


def _report(facts: Facts) -> list[Any]:
    if not facts.report:
        return ["nothing"]
    try:
        return read_report(facts.report)
    except Unreadable:
        return ["unreadable"]


def _killed(facts: Facts, limits: Limits) -> Finding:
    name = signal.Signals(facts.code).name if facts.code in signal.valid_signals() else f"signal {facts.code}"
    if facts.starved:
        if facts.peak_mb < 0.8 * limits.memory_mb:
            raise SandboxError("the machine ran out of memory while a test ran that was within its limit")
        return Finding("memory_limit", {"signal": name, "message": "killed for want of memory"})
    if name == "SIGXCPU":
        return Finding("time_limit", {"message": f"more than {limits.cpu_s:g} s of CPU time"})
    return Finding("runtime_error", {"signal": name, "message": f"killed by {name}"})


def _is_python(case: Case) -> bool:
    return isinstance(case, Call) and case.equality == "python"


def _returned(case: Call, got: Any, program: Program) -> Finding:
    if not _is_python(case):
        if same_value(case.expected, got, program.compare):
            return Finding("ok")
        return Finding("wrong_answer", {**_wanted(case), "got": evidence.value(got)})
    try:
        value = typed.read(got)
        if bool(case.expected == value):
            return Finding("ok")
    except (Unreadable, RecursionError, ArithmeticError) as error:
        return Finding("wrong_answer", {**_wanted(case), "message": f"the value cannot be read: {error}"})
    return Finding("wrong_answer", {**_wanted(case), "got": evidence.message(typed.shown(value))})


def _printed(case: Stdin, got: bytes, program: Program) -> Finding:
    if same_output(case.expected, got, program.compare):
        return Finding("ok")
    text = got[: 4 * evidence.LONGEST + 4].decode("utf-8", "replace")
    return Finding("wrong_answer", {"expected": evidence.shown(case.expected), "got": evidence.shown(text)})


def _failed(report: list[Any], code: int) -> Finding:
    """The failure that the program has confessed to, or has not."""
    kind, text = report[0], _word(report)
    said = evidence.message(text)
    if kind == "memory":
        return Finding("memory_limit", {"message": "MemoryError"})
    if kind == "compile":
        return Finding("compile_error", {"message": said})
    if kind == "missing":
        return Finding("missing_module", {"module": said, "message": f"this interpreter has no module {said}"})
    if kind == "no entry":
        return Finding("runtime_error", {"message": f"the program defines no {said}"})
    if kind == "bad test":
        raise BadTest(said)
    if kind == "exited":
        return Finding("runtime_error", {"message": said})
    if kind == "raised" and len(report) == 4:
        return _raised(evidence.message(str(report[2])), in_test=report[3] == "test")
    return Finding("runtime_error", {"message": f"the process ended (exit code {code}) before its test did"})


def _raised(said: str, *, in_test: bool) -> Finding:
    if said.startswith(_NO_MORE_PROCESSES):
        return Finding("process_limit", {"message": said})
    # A name that the program should have defined is its error, wherever it is missed.
    wrong = in_test and not said.startswith("NameError")
    return Finding("wrong_answer" if wrong else "runtime_error", {"message": said})


def _word(report: list[Any]) -> str:
    return str(report[1]) if len(report) > 1 else ""


class BadTest(Exception):
    """The program says that the test's own statements do not compile; only a run without the program can prove it."""
