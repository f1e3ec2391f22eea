"""What OpenThoughts' own judge is known to get wrong, as its code was found to behave: here every verdict is right."""

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest

from curate.verifiers.program import find_program
from curate.verifiers.testcases import read_tests
from sandbox import Call, Case, Limits, Outcome, Program, Sandbox, Stdin

LIMITS = Limits(cpu_s=0.5, wall_s=2.0, memory_mb=512, output_mb=16)
ADD = Call(args=[3, 4], expected=7)
SUM = Stdin(input="3 4\n", expected="7\n")
SECOND_LOOPS = "def add(a, b):\n    while a == 0: pass\n    return a + b"

# What its judge says is in the comment.
CASES: list[tuple[str, str, list[Case], str]] = [
    # Crash is correct: -1, -2 and -3 are truthy. All of these: correct.
    ("a syntax error, called", "def add(a, b) return 7", [ADD], "compile_error"),
    ("an endless loop, called", "def add(a, b):\n    while True: pass", [ADD], "time_limit"),
    ("no such function", "def sub(a, b): return a - b", [ADD], "runtime_error"),
    ("an exception, called", "def add(a, b): return a / 0", [ADD], "runtime_error"),
    ("the second test never ends", SECOND_LOOPS, [ADD, Call(args=[0, 1], expected=1)], "time_limit"),
    ("an exit, called", "def add(a, b): raise SystemExit(0)", [ADD], "runtime_error"),
    ("a hard exit, called", "import os\ndef add(a, b): os._exit(0)", [ADD], "runtime_error"),
    ("a wrong value", "def add(a, b): return 8", [ADD], "wrong_answer"),
    # Output that is compared as a set of characters, or line by line with blank ones dropped: correct.
    ("tokens in another order", "print('1 0 0')", [Stdin(input="", expected="0 0 1")], "wrong_answer"),
    ("lines in another order", "print('3\\n2\\n1')", [Stdin(input="", expected="1\n2\n3")], "wrong_answer"),
    ("the same characters", "print('0 0 1 1 0')", [Stdin(input="", expected="1 0")], "wrong_answer"),
    ("other counts", "print('1\\n2\\n2')", [Stdin(input="", expected="1\n1\n2")], "wrong_answer"),
    # Right output, rejected.
    ("two spaces", "print('1  2')", [Stdin(input="", expected="1 2")], "ok"),
    ("a close number", "print(0.33333334)", [Stdin(input="", expected="0.33333333")], "ok"),
    # The exit code, ignored: correct.
    ("right, then exit 3", "print(7)\nraise SystemExit(3)", [SUM], "runtime_error"),
    ("right, then a crash", "print(7)\n1 / 0", [SUM], "runtime_error"),
    # A flood of output that begins well, buffered and correct.
    ("a flood", "print(7)\nwhile True: print()", [SUM], "output_limit time_limit"),
    # Signals of its own limit, owned by the program: correct.
    ("signals ignored", "import signal\nfor n in (2, 14, 15): signal.signal(n, 1)\nwhile True: pass",
     [SUM], "time_limit"),
    ("time up, caught", "def add(a, b):\n    while 1:\n        try:\n            while 1: pass\n        except: pass",
     [ADD], "time_limit"),
    # Objects compared inside: accepted.
    ("equal to everything", "class E:\n    def __eq__(s, o): return True\ndef add(a, b): return E()",
     [ADD], "wrong_answer"),
    ("expected values in frames", "import sys\ndef add(a, b):\n    f = sys._getframe()\n    while f:\n"
     "        for n, v in list(f.f_locals.items()):\n            if n in ('output', 'outputs', 'expected'): return v\n"
     "        f = f.f_back", [ADD], "wrong_answer"),
]  # fmt: skip


@pytest.fixture(scope="module", params=["fast", "strict"])
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    with Sandbox("namespaces", workers=1, mode=request.param) as opened:
        yield opened


def run(sandbox: Sandbox, source: str, cases: list[Case]) -> Outcome:
    return sandbox.run_sync(Program(source=source, cases=cases, entry="add", limits=LIMITS))


@pytest.mark.parametrize(("name", "source", "cases", "reasons"), CASES, ids=[case[0] for case in CASES])
def test_verdict(sandbox: Sandbox, name: str, source: str, cases: list[Case], reasons: str) -> None:
    outcome = run(sandbox, source, cases)
    assert outcome.reason in reasons.split(), outcome
    assert outcome.status == ("pass" if reasons == "ok" else "fail")


def test_a_call_leaves_no_mark_on_the_rows_after_it(sandbox: Sandbox) -> None:
    """There one call-based row made every later script of its worker correct, so verdicts hung on the order of rows."""
    rows: list[tuple[str, list[Case], str]] = [
        ("import subprocess\nsubprocess.Popen = None\ndef add(a, b): return a + b", [ADD], "ok"),
        ("print('garbage')", [SUM], "wrong_answer"),
        ("import subprocess, sys\nprint(subprocess.run(['/bin/echo', '7'], capture_output=True, text=True).stdout)",
         [SUM], "ok"),
        ("def add(a, b): return b", [ADD], "wrong_answer"),
    ]  # fmt: skip
    for order in itertools.permutations(rows):
        for source, cases, reason in order:
            assert run(sandbox, source, cases).reason == reason


def test_limits_are_those_of_a_test_and_add_up_to_no_more(sandbox: Sandbox) -> None:
    """There a limit of 10 s a row was cancelled by the tests' own: 8 tests of 3 s ran for 29 s, and passed."""
    source = "import time\nend = time.process_time() + {}\nwhile time.process_time() < end: pass\nprint(7)"
    assert run(sandbox, source.format(0.2), [SUM] * 8).reason == "ok"
    slow = run(sandbox, source.format(0.8), [SUM] * 8)
    assert (slow.reason, slow.run) == ("time_limit", 1)


def test_files_of_one_run_are_gone_in_the_next(sandbox: Sandbox) -> None:
    """There scripts shared a folder, and generated code wrote wherever it liked."""
    source = (
        "import os\nseen = [p for p in ('input.txt', '/tmp/input.txt', '/var/tmp/input.txt') if os.path.exists(p)]\n"
        "for p in ('input.txt', '/tmp/input.txt', '/var/tmp/input.txt', '/input.txt', '/root/input.txt'):\n"
        "    try: open(p, 'w').write('x')\n    except OSError: pass\n"
        "print(seen or 7)"
    )
    for _ in range(2):
        assert run(sandbox, source, [SUM, SUM]).reason == "ok"


ANSWERS = [
    # A block of sample output after the program was judged in its place: rejected.
    ("```python\nprint(sum(map(int, input().split())))\n```\nIt prints:\n```\n7\n```", "ok"),
    ("```python\nprint(8)\n```\nExpected output:\n```\n7\n```", "wrong_answer"),
]


@pytest.mark.parametrize(("answer", "reason"), ANSWERS)
def test_the_program_is_judged_and_not_the_sample_after_it(sandbox: Sandbox, answer: str, reason: str) -> None:
    source = find_program(answer, entry=None, starter=None)
    assert source is not None
    assert run(sandbox, source, [SUM]).reason == reason


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"inputs": ["3 4\n"], "outputs": ["7\n"]}),
        str({"inputs": ["3 4\n"], "outputs": ["7\n"]}),  # a Python literal: let in by its filter, rejected by its judge
        json.dumps({"inputs": [["3 4"]], "outputs": [["7"]]}),
    ],
)
def test_every_form_of_the_same_tests_has_the_same_verdict(sandbox: Sandbox, text: str) -> None:
    suite = read_tests(text, {})
    verdicts: list[Any] = [
        run(sandbox, source, list(suite.cases)).reason
        for source in ("print(sum(map(int, input().split())))", "print(8)", "print(", "input(); input()")
    ]
    assert verdicts == ["ok", "wrong_answer", "compile_error", "runtime_error"]
