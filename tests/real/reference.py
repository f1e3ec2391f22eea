"""The reference run: one fresh interpreter for each test, a plain subprocess, and the documented rules of comparison.

It shares no code with the sandbox, so that the two can be held against each other.
"""

import json
import os
import re
import resource
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from sandbox import Assert, Call, Case, Outcome, Program, Stdin

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_WALL_S = 120  # only for what hangs without using a CPU
_NO_JSON = 77

# Where a function is called, the usual names are there without an import, as the sandbox's prelude has them.
_DEFINED = """
import json, sys
names = {"__name__": "program"}
exec("from typing import *\\nfrom collections import *\\nfrom math import *", names)
text = open(sys.argv[1], encoding="utf-8").read()
exec(compile(text, sys.argv[1], "exec"), names)
"""
_CALL = (
    _DEFINED
    + f"""
entry = sys.argv[2]
solution = names.get("Solution")
function = getattr(solution(), entry) if hasattr(solution, entry) else names[entry]
value = function(*json.loads(sys.argv[4]))
try:
    said = json.dumps(value)
except TypeError:
    sys.exit({_NO_JSON})
open(sys.argv[3], "w").write(said)
"""
)
_ASSERT = _DEFINED + "names['__name__'] = '__main__'\nexec(sys.argv[4], names)\n"


class Judged(NamedTuple):
    """A verdict: `reason` is `ok` or the sandbox's word for what went wrong in `test`, the first that did not pass."""

    reason: str
    passed: int
    test: int | None


def judge(program: Program) -> Judged:
    """Run the tests in order, up to the first that does not pass."""
    try:
        compile(program.source, "program.py", "exec")
    except SyntaxError:
        return Judged("compile_error", 0, 0)
    for number, case in enumerate(program.cases):
        if (reason := _one(program, case)) != "ok":
            return Judged(reason, number, number)
    return Judged("ok", len(program.cases), None)


def judge_all(programs: list[Program]) -> list[Judged]:
    """As many at once as there are cores."""
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        return list(pool.map(judge, programs))


def verdict(outcome: Outcome) -> Judged:
    """The sandbox's verdict in the same words."""
    return Judged(outcome.reason, outcome.passed, outcome.evidence.get("test"))


def _one(program: Program, case: Case) -> str:
    with tempfile.TemporaryDirectory(prefix="veristill-reference-") as folder:
        path, result = Path(folder, "program.py"), Path(folder, "result")
        path.write_text(program.source, encoding="utf-8")
        command, text = [sys.executable, "-I", str(path)], ""
        if isinstance(case, Stdin):
            text = case.input
        elif isinstance(case, Call):
            command[2:] = ["-c", _CALL, str(path), str(program.entry), str(result), json.dumps(list(case.args))]
        else:
            command[2:] = ["-c", _ASSERT, str(path), "", "", case.code]
        code, printed = _run(command, text, folder, program.limits.cpu_s)
        if code == -24:  # SIGXCPU, signal(7)
            return "time_limit"
        if code == _NO_JSON and isinstance(case, Call):
            return "wrong_answer"
        if code != 0:
            return "wrong_answer" if isinstance(case, Assert) else "runtime_error"
        if isinstance(case, Stdin):
            return "ok" if same_text(case.expected, printed) else "wrong_answer"
        if isinstance(case, Call):
            if not result.exists():
                return "runtime_error"
            return "ok" if same_answer(case.expected, json.loads(result.read_text())) else "wrong_answer"
        return "ok"


def _run(command: list[str], text: str, folder: str, cpu_s: float) -> tuple[int, str]:
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=folder
    )
    limit = int(cpu_s) + 1
    resource.prlimit(
        process.pid, resource.RLIMIT_CPU, (limit, limit + 5)
    )  # SIGXCPU at the first, SIGKILL at the second
    try:
        printed, _ = process.communicate(text, timeout=_WALL_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return -24, ""
    return process.returncode, printed


def same_text(expected: str, got: str) -> bool:
    """Token by token; a number with a point or an exponent within 1e-6, absolutely or relative to it."""
    wanted, found = expected.split(), got.split()
    return len(wanted) == len(found) and all(map(_same_token, wanted, found))


def _same_token(wanted: str, found: str) -> bool:
    if wanted == found:
        return True
    if not (_NUMBER.fullmatch(wanted) and _NUMBER.fullmatch(found)) or wanted.lstrip("+-").isdigit():
        return False
    return _near(float(wanted), float(found))


def same_answer(expected: Any, got: Any) -> bool:
    """The value, or the one value of an expected list."""
    return same_value(expected, got) or (
        isinstance(expected, list) and len(expected) == 1 and same_value(expected[0], got)
    )


def same_value(expected: Any, got: Any) -> bool:
    """JSON values: fractions within 1e-6, whole numbers and all else exactly; true is not 1."""
    if isinstance(expected, bool) or isinstance(got, bool) or expected is None or isinstance(expected, str):
        return type(expected) is type(got) and expected == got
    if isinstance(expected, float):
        return isinstance(got, int | float) and _near(expected, got)
    if isinstance(expected, int):
        return isinstance(got, int | float) and expected == got
    if isinstance(expected, list):
        return isinstance(got, list) and len(expected) == len(got) and all(map(same_value, expected, got))
    return isinstance(got, dict) and expected.keys() == got.keys() and all(same_value(expected[k], got[k]) for k in got)


def _near(wanted: float, found: float) -> bool:
    return wanted == found or abs(wanted - found) <= 1e-6 * max(1.0, abs(wanted))
