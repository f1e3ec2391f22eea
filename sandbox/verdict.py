"""From what the kernel says of a test to what became of it: the one place where reasons are chosen.

A reason rests on facts of the kernel first (limits, signals, sizes), then on the comparison made here; the program's
own report only tells apart the kinds of failure that it has confessed to.
"""

import json
import marshal
import math
import signal
from dataclasses import dataclass
from typing import Any, NamedTuple

from sandbox import evidence
from sandbox.compare import Unreadable, read_report, same_output, same_value
from sandbox.model import Assert, Call, Case, Limits, Program, Reason, SandboxError, Stdin


@dataclass(frozen=True)
class Job:
    """One test as a backend needs it; the expected output is not in it. `kind`: `stdin`, `call` or `assert`."""

    kind: str
    source: bytes
    data: bytes  # standard input, marshalled arguments, or the test's statements
    entry: str | None


@dataclass(frozen=True)
class Facts:
    """How a test ended. `end`: `exit` or `signal` with its `code`, or the limit it was killed for.

    `finished`: assert statements are proven to have run to their end. `starved`: the machine ran out of memory.
    `report` and `stdout` are bytes that the program may have made up.
    """

    end: str
    code: int
    cpu_s: float
    wall_s: float
    peak_mb: float
    finished: bool
    starved: bool
    report: bytes
    stdout: bytes


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


def job(program: Program, case: Case) -> Job:
    """What a backend is given of a test. Raises ValueError for arguments that are not JSON values."""
    source = program.source.encode("utf-8", "surrogatepass")
    if isinstance(case, Stdin):
        return Job("stdin", source, case.input.encode("utf-8", "surrogatepass"), None)
    if isinstance(case, Call):
        if program.entry is None:
            raise ValueError("a program with Call cases needs `entry`, the name of the function to call")
        return Job("call", source, marshal.dumps(list(case.args)), program.entry)
    return Job("assert", source, case.code.encode("utf-8", "surrogatepass"), program.entry)


def judge(case: Case, facts: Facts, limits: Limits) -> Finding:
    """What became of one test. Raises SandboxError where the machine, not the program, ended it."""
    if facts.end in _LIMITS:
        reason, text = _LIMITS[facts.end]
        return Finding(reason, {"message": text.format(limits=limits)})
    if len(facts.report) > limits.output_mb << 20:
        reason, text = _LIMITS["output"]
        return Finding(reason, {"message": text.format(limits=limits)})
    if facts.end == "signal":
        return _killed(facts, limits)
    if isinstance(case, Call) and len(facts.report) > 1 << 20 and len(facts.report) > _longest_report(case):
        text = facts.report[: 4 * evidence.LONGEST].decode("utf-8", "replace").removeprefix('["value", ')
        return Finding("wrong_answer", {"expected": evidence.value(case.expected), "got": evidence.shown(text)})
    report = _report(facts)
    if report[0] == "value" and len(report) == 2 and isinstance(case, Call):
        return _returned(case, report[1])
    if report[0] == "not json" and isinstance(case, Call):
        return Finding(
            "wrong_answer", {"got": evidence.message(_word(report)), "expected": evidence.value(case.expected)}
        )
    if facts.finished and isinstance(case, Assert):
        return Finding("ok")
    if facts.code == 0 and isinstance(case, Stdin):
        return _printed(case, facts.stdout)
    return _failed(report, facts.code)


def _longest_report(case: Call) -> float:
    """Bytes of a report that can still match: reading a longer one would only let a program use up our memory.

    A number or a mark of the expected value may be written up to 32 times as long.
    """
    try:
        return (1 << 20) + 32 * len(json.dumps(case.expected))
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


def _returned(case: Call, got: Any) -> Finding:
    if same_value(case.expected, got):
        return Finding("ok")
    return Finding("wrong_answer", {"expected": evidence.value(case.expected), "got": evidence.value(got)})


def _printed(case: Stdin, got: bytes) -> Finding:
    if same_output(case.expected, got):
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
