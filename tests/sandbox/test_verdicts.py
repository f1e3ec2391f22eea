"""What counts as what: each kind of test, each reason, and that the same program gets the same words every time."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox import Assert, Call, Case, Limits, Outcome, Program, Sandbox, SandboxError, Stdin
from tests.sandbox.conftest import MISSING


@pytest.fixture(scope="module", params=["fast", "strict"])
def box(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """An open sandbox with one worker, in each mode."""
    with Sandbox(backend="namespaces", workers=1, mode=request.param) as sandbox:
        yield sandbox


ADD = Stdin(input="3 4\n", expected="7\n")
SHORT = Limits(cpu_s=0.3, wall_s=1.0)  # for what never ends
LONG = Limits(cpu_s=3.0, wall_s=9.0)


def run(box: Sandbox, source: str, *cases: Case, **fields: Any) -> Outcome:
    return box.run_sync(Program(source=source, cases=cases, **fields))


# ---- scripts ---------------------------------------------------------------------------------------------------------

SCRIPTS = {
    "input()": "print(sum(map(int, input().split())))",
    "sys.stdin": "import sys\nfor line in sys.stdin: print(sum(map(int, line.split())))",
    "sys.stdin.buffer": "import sys\nprint(sum(map(int, sys.stdin.buffer.read().split())))",
    "open(0)": "print(sum(map(int, open(0).read().split())))",
    "/dev/stdin": "print(sum(map(int, open('/dev/stdin').read().split())))",
    "os.read": "import os\nprint(sum(map(int, os.read(0, os.fstat(0).st_size).split())))",
    "fileinput": "import fileinput\nfor line in fileinput.input(): print(sum(map(int, line.split())))",
    "stdin as a name": "print(sum(map(int, stdin.readline().split())))",
    "a file on descriptor 1 that is never closed": "f = open(1, 'w')\nf.write('7')",
    "sys.stdout replaced": "import io, sys\nreal = sys.stdout\nsys.stdout = io.StringIO()\nprint(8)\nreal.write('7')",
    "os.write": "import os\nos.write(1, b'7')",
    "an exit function": "import atexit\natexit.register(print, 7)",
    "a thread that nobody joins": "import threading, time\n"
    "threading.Thread(target=lambda: (time.sleep(.1), print(7))).start()",
    "a deep thread": "import sys, threading\nsys.setrecursionlimit(10**6)\nthreading.stack_size(1 << 27)\n"
    "def f(n): return 0 if n == 0 else 1 + f(n - 1)\nthreading.Thread(target=lambda: print(f(50000) - 49993)).start()",
    "the usual recursion limit": "def f(n): return 0 if n == 0 else 1 + f(n - 1)\nprint(f(990) - 983)",
    "a guard": "if __name__ == '__main__': print(7)",
    "exit()": "print(7)\nexit()",
    "sys.exit(0)": "import sys\nprint(7)\nsys.exit(0)",
    "sys.exit()": "import sys\nprint(7)\nsys.exit()",
    "the prelude": "print(Counter('aaaaaaa')['a'] + gcd(2, 3) - 1)",
    "the built-in pow": "print(pow(3, -1, 10))",
    "a future import": "from __future__ import annotations\nprint(7)",
    "line ends of Windows": "a, b = map(int, input().split())\r\nprint(a + b)\r\n",
    "a byte order mark": "\ufeffprint(7)",
    "a coding line": "# -*- coding: latin-1 -*-\nprint(7)",
    "asyncio": "import asyncio\nasync def f(): return 7\nprint(asyncio.run(f()))",
    "multiprocessing": "import multiprocessing as m\nq = m.Queue()\np = m.Process(target=q.put, args=(7,))\n"
    "p.start()\nprint(q.get())\np.join()",
    "a subprocess": "import subprocess, sys\nprint(subprocess.run([sys.executable, '-c', 'print(7)'], "
    "capture_output=True, text=True).stdout)",
    "a shell": "import os\nos.system('true; echo 7')",
    "a module of its own": "open('mine.py', 'w').write('x = 7')\nimport mine\nprint(mine.x)",
    "a handler for SIGCHLD": "import os, signal\nsignal.signal(signal.SIGCHLD, lambda *a: None)\n"
    "if os.fork() == 0: os._exit(7)\nprint(os.waitstatus_to_exitcode(os.wait()[1]))",
    "long numbers": "print(7 if len(str(10**5000)) == 5001 else 8)",
    "pickle": "import pickle\nclass A: x = 7\nprint(pickle.loads(pickle.dumps(A())).x)",
    "dataclass": "from dataclasses import dataclass\n@dataclass\nclass A:\n    x: int = 7\nprint(A().x)",
    "warnings": "import warnings\nwarnings.warn('x')\nprint('\\d' and 7)",
    "a guarded import": "try:\n    import no_such_module\nexcept ImportError:\n    print(7)",
    "numpy": "import numpy\nprint(numpy.arange(4).sum() + int(numpy.linalg.det(numpy.eye(2))))",
    "files of its own": "open('x.txt', 'w').write('7')\nprint(open('x.txt').read())",
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_run_as_python_runs_them(box: Sandbox, name: str) -> None:
    outcome = run(box, SCRIPTS[name], ADD)
    assert (outcome.status, outcome.passed, outcome.run, outcome.total) == ("pass", 1, 1, 1), outcome
    assert (outcome.reason, outcome.weaker, set(outcome.evidence)) == ("ok", False, {"mode"})


# The cases in which the OpenThoughts judge is wrong (a crash counts as correct, sets of characters are compared...).
FAILURES: list[tuple[str, Case, str]] = [
    ("print(7", ADD, "compile_error"),
    ("print 7", ADD, "compile_error"),
    ("def f():\nprint(7)", ADD, "compile_error"),
    ("print(7)\0", ADD, "compile_error"),
    ("print('\ud800')", ADD, "compile_error"),
    ("x = 1 / 0", ADD, "runtime_error"),
    ("print(7)\nexit(3)", ADD, "runtime_error"),
    ("print(7)\nraise SystemExit('no')", ADD, "runtime_error"),
    ("import os\nprint(7, flush=True)\nos._exit(1)", ADD, "runtime_error"),
    ("print(input(), input())", ADD, "runtime_error"),
    ("eval('1 +')", ADD, "runtime_error"),
    ("import os.no_such_part", ADD, "runtime_error"),
    ("raise ModuleNotFoundError('No module named x', name='x')", ADD, "runtime_error"),
    ("print('\\ud800')", ADD, "runtime_error"),
    ("print('garbage')", ADD, "wrong_answer"),
    ("", ADD, "wrong_answer"),
    ("import os\nos.write(1, b'7\\xff')", ADD, "wrong_answer"),
    ("print(1, 0, 0)", Stdin(input="", expected="0 0 1"), "wrong_answer"),
    ("while True: pass", ADD, "time_limit"),
    ("import time\ntime.sleep(9)", ADD, "time_limit"),
    ("x = bytearray(1 << 40)", ADD, "memory_limit"),
    ("raise MemoryError", ADD, "memory_limit"),
    ("def add(a, b): return a +", Call(args=[3, 4], expected=7), "compile_error"),
    ("def add(a, b): return 8", Call(args=[3, 4], expected=7), "wrong_answer"),
    ("def add(a, b): return {7}", Call(args=[3, 4], expected=[7]), "wrong_answer"),
    ("def add(a, b): pass", Call(args=[3, 4], expected=7), "wrong_answer"),
    ("def add(a, b): return a / 0", Call(args=[3, 4], expected=7), "runtime_error"),
    ("def add(a): return a", Call(args=[3, 4], expected=7), "runtime_error"),
    ("def plus(a, b): return a + b", Call(args=[3, 4], expected=7), "runtime_error"),
    ("class Solution:\n    def plus(self): pass", Call(args=[3, 4], expected=7), "runtime_error"),
    ("add = 7", Call(args=[3, 4], expected=7), "runtime_error"),
    ("x = input()\ndef add(a, b): return a + b", Call(args=[3, 4], expected=7), "runtime_error"),
    ("def add(a, b):\n    while True: pass", Call(args=[3, 4], expected=7), "time_limit"),
    ("while True: pass\ndef add(a, b): return 7", Call(args=[3, 4], expected=7), "time_limit"),
    ("def add(a, b): return add(a, b)", Call(args=[3, 4], expected=7), "runtime_error"),
]


@pytest.mark.parametrize(("source", "case", "reason"), FAILURES, ids=range(len(FAILURES)))
def test_failures(box: Sandbox, source: str, case: Case, reason: str) -> None:
    outcome = run(box, source, case, entry="add", limits=SHORT if reason == "time_limit" else LONG)
    assert (outcome.status, outcome.reason, outcome.passed) == ("fail", reason, 0), outcome
    assert outcome.evidence["test"] == 0


def test_a_call_test_does_not_change_what_comes_after(box: Sandbox) -> None:
    assert (
        run(
            box,
            "import subprocess\nsubprocess.Popen = None\ndef add(a, b): return 7",
            Call(args=[3, 4], expected=7),
            entry="add",
        ).status
        == "pass"
    )
    assert run(box, "print('garbage')", ADD).status == "fail"


# ---- calls -----------------------------------------------------------------------------------------------------------


CALLS: list[tuple[str, list[Any], Any]] = [
    ("def f(x): return x", [7], 7),
    ("def f(x): return x", [[[1, 2], {"a": None}]], [[1, 2], {"a": None}]),
    ("def f(x): return x", [10**5000], 10**5000),
    ("def f(x): return x", ["\ud800é\0"], "\ud800é\0"),
    ("def f(x): return x", [float("inf")], float("inf")),
    ("class Solution:\n    def f(self, x: List[int]) -> int: return sum(x)", [[3, 4]], 7),
    ("class Solution:\n    @staticmethod\n    def f(x): return x", [7], 7),
    ("f = lambda *a: len(a)", [1, 2, 3], 3),
    ("def f(): return 7", [], 7),
    ("def f(x): return (x, (x,))", [1], [1, [1]]),
    ("def f(x): return {1: x, None: x}", [7], {"1": 7, "null": 7}),
    ("def f(x): return defaultdict(int, {'a': x})", [7], {"a": 7}),
    (
        "def f(x):\n    import numpy\n    return numpy.int64(x), numpy.float32(.5), numpy.arange(2)",
        [7],
        [7, 0.5, [0, 1]],
    ),
    ("from enum import IntEnum\nclass E(IntEnum): A = 7\ndef f(): return E.A", [], 7),
    ("def f(x):\n    print('noise')\n    return x", [7], 7),
    ("def f(x): return x\nif __name__ == '__main__': raise SystemExit(1)", [7], 7),
    ("@lru_cache(None)\ndef f(n): return n if n < 2 else f(n - 1) + f(n - 2)", [90], 2880067194370816120),
    ("import sys\nsys.setrecursionlimit(10**6)\ndef f(n): return 0 if n == 0 else 1 + f(n - 1)", [10**5], 10**5),
    ("def f(x): return [x]", [7], [[7]]),
    ("def f(x): return x", [7], [7]),
]


@pytest.mark.parametrize(("source", "args", "expected"), CALLS, ids=range(len(CALLS)))
def test_calls(box: Sandbox, source: str, args: list[Any], expected: Any) -> None:
    outcome = run(box, source, Call(args=args, expected=expected), entry="f")
    assert outcome.status == "pass", outcome
    assert not outcome.weaker


def test_calls_need_an_entry(box: Sandbox) -> None:
    with pytest.raises(ValueError, match="entry"):
        run(box, "def f(): pass", Call(args=[], expected=7))


def test_arguments_that_are_no_json_are_no_verdict(box: Sandbox) -> None:
    outcome = run(box, "def f(x): return x", Call(args=[object()], expected=7), entry="f")
    assert (outcome.status, outcome.reason) == ("error", "infrastructure")


# ---- assert statements -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "test", "reason"),
    [
        ("def f(x): return x", "assert f(7) == 7", "ok"),
        ("def f(x): return x", "assert f(7) == 8", "wrong_answer"),
        ("def f(x): pass", "assert abs(f(7) - 7) < 1", "wrong_answer"),
        ("def f(x): pass", "assert len(f(7)) == 1", "wrong_answer"),
        ("def f(x): return x / 0", "assert f(7) == 7", "runtime_error"),
        ("def f(x): assert x < 0; return x", "assert f(7) == 7", "runtime_error"),
        ("def f(x): return [x].index(8)", "assert f(7) == 7", "runtime_error"),
        ("def g(x): return x", "assert f(7) == 7", "runtime_error"),
        ("", "assert gcd(4, 6) == 2", "runtime_error"),
        ("", "def check(c):\n    assert c(4, 6) == 2\ncheck(gcd)", "runtime_error"),
        ("from math import gcd", "assert gcd(4, 6) == 2", "ok"),
        ("import builtins\nbuiltins.len = lambda x: 7\ndef f(x): return len(x)", "assert f('') == 7", "ok"),
        ("def f(x): return gcd(x, 14)", "assert math.isclose(f(7), 7.0) and Counter([7])[f(7)] == 1", "ok"),
        ("def f(x: return x", "assert f(7) == 7", "compile_error"),
        ("def f(x):\n    while True: pass", "assert f(7) == 7", "time_limit"),
        ("def f(x): return [0] * 10**12", "assert f(7) == 7", "memory_limit"),
        (f"import {MISSING}\ndef f(x): return x", "assert f(7) == 7", "missing_module"),
        ("import no_such_module\ndef f(x): return x", "assert f(7) == 7", "runtime_error"),
        ("def f(x): return x", "assert f(7) == ", "infrastructure"),
        ("def f(x): return x", "def check(c):\n    assert c(1) == 1\n    assert c(2) == 2\ncheck(f)", "ok"),
        ("def f(x): return 1", "def check(c):\n    assert c(1) == 1\n    assert c(2) == 2\ncheck(f)", "wrong_answer"),
        ("def f(x):\n    yield x\n    raise ValueError", "assert list(f(7)) == [7]", "runtime_error"),
        ("def f(x): return x\nif __name__ == '__main__': raise SystemExit(1)", "assert f(7) == 7", "ok"),
    ],
)
def test_asserts(box: Sandbox, source: str, test: str, reason: str) -> None:
    outcome = run(box, source, Assert(code=test), limits=SHORT if reason == "time_limit" else LONG)
    status = {"ok": "pass", "missing_module": "error", "infrastructure": "error"}.get(reason, "fail")
    weaker = "Counter" in test or not test.endswith(("]", ")", *"0123456789"))  # the others are decided outside
    assert (outcome.status, outcome.reason, outcome.weaker) == (status, reason, weaker), outcome


def test_evidence_of_asserts_names_the_statement(box: Sandbox) -> None:
    outcome = run(box, "def f(x): return x", Assert(code="assert f(1) == 1\nassert f(2) == 3"))
    assert outcome.evidence["message"] == "AssertionError in: assert f(2) == 3"


# ---- outcomes --------------------------------------------------------------------------------------------------------


def test_a_missing_module_is_our_lack(box: Sandbox) -> None:
    outcome = run(box, f"import {MISSING}.part", ADD)
    assert (outcome.status, outcome.reason) == ("error", "missing_module")
    assert outcome.evidence["module"] == MISSING
    assert box.counts.missing[MISSING] >= 1
    assert run(box, "import no_such_module.part", ADD).evidence["message"] == (
        "ModuleNotFoundError: No module named 'no_such_module'"
    )


def test_stop_first_and_counts(box: Sandbox) -> None:
    cases = [ADD, Stdin(input="3 4\n", expected="8"), ADD, Stdin(input="3 4\n", expected="9")]
    source = "print(sum(map(int, input().split())))"
    first = run(box, source, *cases)
    assert (first.status, first.passed, first.run, first.total) == ("fail", 1, 2, 4)
    every = run(box, source, *cases, stop_first=False)
    assert (every.status, every.passed, every.run, every.total) == ("fail", 2, 4, 4)
    assert first.evidence == every.evidence == {
        "test": 1, "input": "3 4\n", "expected": "8", "got": "7\n", "mode": "strict",
    }  # fmt: skip


def test_a_failed_test_decides_whatever_becomes_of_the_others(box: Sandbox) -> None:
    source = f"x = input()\nif x == 'a': import {MISSING}\nprint(x)"
    missing, wrong = Stdin(input="a", expected="a"), Stdin(input="b", expected="c")
    assert run(box, source, missing, wrong).status == "error"
    assert run(box, source, missing, wrong, stop_first=False).status == "fail"
    assert run(box, source, missing, Stdin(input="b", expected="b"), stop_first=False).status == "error"


def test_no_tests_is_no_pass(box: Sandbox) -> None:
    outcome = run(box, "print(7)")
    assert (outcome.status, outcome.reason) == ("error", "infrastructure")


def test_evidence_is_short_and_measures_nothing(box: Sandbox) -> None:
    long = "x" * 10_000
    outcome = run(box, "print(input() + '!')", Stdin(input=long, expected=long))
    texts = {key: text for key, text in outcome.evidence.items() if key not in ("test", "mode")}
    assert {key: len(text) for key, text in texts.items()} == dict.fromkeys(("input", "expected", "got"), 200)
    assert all(text.endswith("…") for text in texts.values())
    assert outcome.measured["backend"] == "namespaces"
    assert 0 < outcome.measured["cpu_s"] < 5
    assert 1 < outcome.measured["peak_mb"] < 200
    loop = run(box, "print(7)\nwhile True: pass", ADD, limits=SHORT)
    assert loop.evidence == {
        "test": 0, "input": "3 4\n", "message": "more than 0.3 s of CPU time", "mode": "strict",
    }  # fmt: skip


@pytest.mark.parametrize(
    "source",
    [
        "raise ValueError(object())",
        "raise ValueError({f'k{n}' for n in range(9)})",
        "import random\nraise ValueError(random.random())",
        "import os\nraise ValueError(os.getpid(), os.urandom(0), os.listdir('/tmp'), os.uname().nodename)",
        "raise ValueError(id(7), id(object()))",
        "open(__import__('os').__file__, 'a')",
        "import time\nraise ValueError(time.tzname, time.localtime(0).tm_hour)",
    ],
)
def test_the_same_program_gets_the_same_words(source: str) -> None:
    found = []
    for _ in range(2):  # each in a sandbox of its own
        with Sandbox(workers=1) as fresh:
            found.append(run(fresh, source, ADD).evidence)
    assert found[0] == found[1]
    assert "/versions/" not in json.dumps(found[0])


def test_a_long_input_leaves_the_program_its_memory(box: Sandbox) -> None:
    text = "1 " * (50 << 20)
    outcome = run(
        box,
        "import sys\nprint(len(sys.stdin.buffer.read()) + len(bytearray(60 << 20)))",
        Stdin(input=text, expected=str((100 << 20) + (60 << 20))),
        limits=Limits(memory_mb=256),
    )
    assert outcome.status == "pass", outcome


async def test_many_programs_at_once() -> None:
    async with Sandbox(workers=2) as sandbox:
        programs = [
            Program(source=f"print({number})", cases=[Stdin(input="", expected=str(number))]) for number in range(40)
        ]
        outcomes = await asyncio.gather(*map(sandbox.run, programs))
    assert [outcome.status for outcome in outcomes] == ["pass"] * 40


@pytest.mark.parametrize("limits", [{"cpu_s": float("inf")}, {"wall_s": float("inf")}, {"memory_mb": 10**13},
                                    {"output_mb": 10**13}, {"processes": 10**13}])  # fmt: skip
def test_limits_that_no_kernel_can_hold(box: Sandbox, limits: dict[str, float]) -> None:
    case = Stdin(input="7", expected="7")
    outcome = box.run_sync(Program(source="print(input())", cases=[case], limits=Limits.model_validate(limits)))
    assert outcome.status == "pass", outcome


def test_run_sync_alone() -> None:
    outcome = Sandbox(workers=1).run_sync(Program(source="print(7)", cases=[ADD]))
    assert outcome.status == "pass"


async def test_a_sandbox_that_is_not_open() -> None:
    with pytest.raises(SandboxError, match="not open"):
        await Sandbox().run(Program(source="", cases=[ADD]))
    with pytest.raises(SandboxError, match="no sandbox backend 'none'"):
        Sandbox(backend="none")  # type: ignore[arg-type]
