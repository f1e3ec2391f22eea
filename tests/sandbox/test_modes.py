"""Modes and batches: nothing passes from one test to the next, and a shared process never decides against a program."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox import Call, Case, Limits, Outcome, Program, Sandbox, Stdin

# What a test may try to leave to the next: an act, and an expression that the next one evaluates.
LEAVES = {
    "a file": ("open('/tmp/x', 'w').write('1')", "os.listdir('/tmp')"),
    "a file in /dev/shm": ("open('/dev/shm/x', 'w').write('1')", "os.listdir('/dev/shm')"),
    "a folder": ("os.mkdir('/tmp/x')", "os.listdir('/tmp')"),
    "a file that came and went": ("time.sleep(.1); open('/tmp/x', 'w').close(); os.unlink('/tmp/x')",
                                   "os.stat('/tmp').st_mtime_ns > os.stat('/tmp/program.py').st_mtime_ns + 5 * 10**7"),
    "the time of a file": ("os.utime('/tmp/program.py', (5, 5))", "os.stat('/tmp/program.py').st_mtime == 5"),
    "the time of a folder": ("os.utime('/tmp', (5, 5))", "os.stat('/tmp').st_mtime == 5"),
    "the time of a reading": ("open('/tmp/program.py').read()", "os.stat('/tmp/program.py').st_atime_ns > "
                              "os.stat('/tmp/program.py').st_mtime_ns"),
    "the mode of a file": ("os.chmod('/tmp/program.py', 0o777)", "os.stat('/tmp/program.py').st_mode"),
    "the mode of a folder": ("os.chmod('/tmp', 0o700)", "os.stat('/tmp').st_mode"),
    "another program": ("os.unlink('/tmp/program.py')", "os.path.exists('/tmp/program.py')"),
    "an attribute": ("os.setxattr('/tmp/program.py', 'user.x', b'1')", "os.listxattr('/tmp/program.py')"),
    "an attribute of a folder": ("os.setxattr('/tmp', 'user.x', b'1')", "os.listxattr('/tmp')"),
    "flags of a file": ("fcntl.ioctl(os.open('/tmp/program.py', 0), 0x40086602, struct.pack('l', 0x40))",
                        "fcntl.ioctl(os.open('/tmp/program.py', 0), 0x80086601, bytes(8))"),
    "a lock": ("os.fork() or (fcntl.flock(os.open('/tmp/program.py', 0), fcntl.LOCK_EX), time.sleep(60)); "
               "time.sleep(.1)", "fcntl.flock(os.open('/tmp/program.py', 0), fcntl.LOCK_EX | fcntl.LOCK_NB)"),
    "a process": ("os.fork() or time.sleep(60)", "[p for p in os.listdir('/proc') if p.isdigit()]"),
    "a daemon": ("os.fork() or (os.setsid(), os.fork() or time.sleep(60))",
                 "[p for p in os.listdir('/proc') if p.isdigit()]"),
    "process numbers": ("[os.wait() for _ in range(5) if os.fork() or os._exit(0)]", "os.getpid()"),
    "a limit of the init": ("resource.prlimit(1, resource.RLIMIT_NOFILE, (9, 9))",
                            "resource.getrlimit(resource.RLIMIT_NOFILE)"),
    "a limit": ("resource.setrlimit(resource.RLIMIT_NOFILE, (9, 9))", "resource.getrlimit(resource.RLIMIT_NOFILE)"),
    "the processors of the init": ("os.sched_setaffinity(1, {0})", "os.sched_getaffinity(0)"),
    "the processors": ("os.sched_setaffinity(0, {0})", "os.sched_getaffinity(0)"),
    "the priority of the init": ("os.setpriority(os.PRIO_PROCESS, 1, 19)", "os.getpriority(os.PRIO_PROCESS, 0)"),
    "the priority of the user": ("os.setpriority(os.PRIO_USER, os.getuid(), 19)", "os.getpriority(os.PRIO_PROCESS, 0)"),
    "the priority of input and output": ("libc.syscall(251, 1, 1, 3 << 13)", "libc.syscall(252, 1, 0)"),
    "a flag of standard error": ("os.set_blocking(2, False)", "os.get_blocking(2)"),
    "a flag of descriptor 4": ("os.set_blocking(4, False)", "os.get_blocking(4)"),
    "where standard input stands": ("os.lseek(0, 0, 2)", "os.lseek(0, 0, 1)"),
    "descriptors": ("[os.open('/dev/null', 0) for _ in range(9)]", "[f for f in range(99) if alive(f)]"),
    "a signal to the init": ("os.kill(1, signal.SIGINT); os.kill(1, signal.SIGTERM); os.kill(1, signal.SIGSTOP)", "7"),
    "a signal to the group": ("signal.signal(15, signal.SIG_IGN); os.kill(0, 15)", "7"),
    "a signal to all": ("signal.signal(15, signal.SIG_IGN); os.kill(-1, 15)", "7"),
    "a handler": ("signal.signal(10, lambda *a: 0)", "signal.getsignal(10)"),
    "a mask of signals": ("signal.pthread_sigmask(signal.SIG_BLOCK, [10])", "signal.pthread_sigmask(0, [])"),
    "an alarm": ("signal.alarm(1)", "signal.alarm(0)"),
    "the folder": ("os.chdir('/')", "os.getcwd()"),
    "the mask of files": ("os.umask(0)", "os.umask(0)"),
    "the environment": ("os.environ['X'] = '1'; os.putenv('X', '1')", "os.popen('echo $X').read()"),
    "a module": ("json.mark = 1", "hasattr(json, 'mark')"),
    "a builtin": ("builtins.len = lambda x: 7", "len('')"),
    "a random state": ("random.seed(9)", "random.random()"),
    "a recursion limit": ("sys.setrecursionlimit(9999)", "sys.getrecursionlimit()"),
    "the host's name": ("socket.sethostname('x')", "socket.gethostname()"),
    "a message queue": ("libc.syscall(68, 7, 0o1600)", "libc.syscall(68, 7, 0)"),
    "System V memory": ("libc.shmget(7, 4096, 0o1600)", "libc.shmget(7, 4096, 0)"),
    "a semaphore": ("libc.sem_open(b'/x', 64, 0o600, 1)", "os.listdir('/dev/shm')"),
}  # fmt: skip
HEAD = """
import builtins, ctypes, fcntl, json, os, random, resource, signal, socket, struct, sys, time
libc = ctypes.CDLL(None, use_errno=True)
def alive(fd):
    try: return bool(os.fstat(fd))
    except OSError: return False
def value():
    try: return repr({look})
    except OSError as error: return type(error).__name__
if input() == "leave":
    try:
        if True: {act}
    except (OSError, ValueError, AttributeError): pass
else:
    print(value())
"""


def left(box: Sandbox, name: str) -> tuple[Outcome, Outcome]:
    """What became of a program whose first test leaves something, and what its second test says when it is alone."""
    act, look = LEAVES[name]
    source = HEAD.replace("{look}", look).replace("{act}", act)
    limits = Limits(cpu_s=2, wall_s=5)
    alone = box.run_sync(Program(source=source, cases=[Stdin(input="look", expected="?")], limits=limits))
    cases = [Stdin(input="leave", expected="")] * 2 + [Stdin(input="look", expected=alone.evidence["got"])]
    return box.run_sync(Program(source=source, cases=cases, limits=limits)), alone


@pytest.fixture(scope="module")
def strict() -> Iterator[Sandbox]:
    with Sandbox("namespaces", workers=1, mode="strict") as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def fast() -> Iterator[Sandbox]:
    with Sandbox("namespaces", workers=1, audit=0) as sandbox:
        yield sandbox


@pytest.mark.parametrize("name", LEAVES)
def test_a_test_leaves_nothing_to_the_next(strict: Sandbox, name: str) -> None:
    outcome, alone = left(strict, name)
    assert alone.reason == "wrong_answer", alone
    assert outcome.status == "pass", (outcome, alone)


# ---- fast ------------------------------------------------------------------------------------------------------------

ADD = [Stdin(input=f"{n} 4\n", expected=f"{n + 4}\n") for n in range(8)]
PLAIN = "print(sum(map(int, input().split())))"
SHARED = {
    "input()": PLAIN,
    "sys.stdin": "import sys\nprint(sum(map(int, sys.stdin.read().split())))",
    "open(0)": "print(sum(map(int, open(0).read().split())))",
    "a file on descriptor 1": "f = open(1, 'w')\nf.write(str(sum(map(int, input().split()))))",
    "sys.exit": "import sys\nprint(sum(map(int, input().split())))\nsys.exit()",
    "stdout replaced": "import io, sys\nout = sys.stdout\nsys.stdout = io.StringIO()\nx = input()\nprint(x)\n"
    "out.write(str(sum(map(int, x.split()))))",
    "stdin replaced": "import io, sys\nsys.stdin = io.StringIO(sys.stdin.read())\n" + PLAIN,
    "input replaced": "import sys\ninput = sys.stdin.readline\n" + PLAIN,
    "half of its input": "print(sum(map(int, input().split())), flush=True)",
    "an error output": "import sys\nprint('x', file=sys.stderr)\n" + PLAIN,
    "names of the prelude": "print(reduce(operator.add, map(int, input().split())))",
    "deep": "import sys\nsys.setrecursionlimit(10**6)\n"
    "def f(n): return 0 if n == 0 else 1 + f(n - 1)\nf(5000)\n" + PLAIN,
    "classes": "class A:\n    def __init__(self, x): self.x = x\n    def __str__(self): return str(self.x)\n"
    "print(A(sum(map(int, input().split()))))",
    "os.write": "import os\nos.write(1, str(sum(map(int, input().split()))).encode())",
}  # fmt: skip
ALONE = {
    "state in a module": "import math\nmath.n = getattr(math, 'n', 0) + 1\nassert math.n == 1\n" + PLAIN,
    "state in builtins": "import builtins\nassert not hasattr(builtins, 'n')\nbuiltins.n = 1\n" + PLAIN,
    "a thread": "exec('import thr' + 'eading as t')\nt.Thread(target=lambda: " + PLAIN + ").start()",
    "a file": "open('/t' + 'mp/x', 'x').close()\n" + PLAIN,
    "a process": "import os\nif getattr(os, 'fo' + 'rk')() == 0: os._exit(0)\nos.wait()\n" + PLAIN,
    "a signal for itself": "import os\ngetattr(os, 'ki' + 'll')(os.getpid(), 0)\n" + PLAIN,
    "an exit by the back door": PLAIN + "\nsys = __import__('sys')\nsys.stdout.flush()\n__import__('os')._exit(0)",
    "output at its end": "class A:\n    def __del__(self): " + PLAIN + "\na = A()",
    "threads": "import threading\nt = threading.Thread(target=lambda: " + PLAIN + ")\nt.start()\nt.join()",
}


def run(box: Sandbox, source: str, cases: Any = tuple(ADD), **fields: Any) -> Outcome:
    return box.run_sync(Program(source=source, cases=cases, **fields))


@pytest.mark.parametrize("name", SHARED)
def test_plain_programs_pass_in_one_process(fast: Sandbox, name: str) -> None:
    outcome = run(fast, SHARED[name])
    assert (outcome.status, outcome.passed, outcome.evidence) == ("pass", 8, {"mode": "fast"}), outcome


@pytest.mark.parametrize("name", ALONE)
def test_what_a_shared_process_cannot_do_passes_apart(fast: Sandbox, name: str) -> None:
    outcome = run(fast, ALONE[name])
    assert (outcome.status, outcome.passed) == ("pass", 8), outcome


def test_calls_pass_in_one_process_and_those_with_a_memory_apart(fast: Sandbox) -> None:
    cases = [Call(args=[n], expected=[n]) for n in range(8)]
    assert run(fast, "def f(x): return [x]", cases, entry="f").evidence == {"mode": "fast"}
    own = "def f(x, seen=[]):\n    seen.append(x)\n    return seen"
    assert run(fast, own, cases, entry="f").evidence == {"mode": "fast"}
    shared = "import math\nmath.seen = getattr(math, 'seen', [])\n" + own.replace("[]", "math.seen")
    assert run(fast, shared, cases, entry="f").evidence == {"mode": "strict"}


WRONG = {
    "its output in a file": "import sys\ntry: sys.stdout = open('out.txt', 'w')\nexcept OSError: pass\n" + PLAIN,
    "an answer where a folder cannot be made": "import os\nx = input()\ntry: os.mkdir('x')\n"
    "except OSError: print(sum(map(int, x.split())))",
    "more output at its end": "class A:\n    def __del__(self): print('bye')\na = A()\na.a = a\n" + PLAIN,
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_fails_apart_does_not_pass_in_one_process(fast: Sandbox, strict: Sandbox, name: str) -> None:
    for box in (fast, strict):
        assert run(box, WRONG[name]).reason == "wrong_answer"


def test_no_memo_helps_a_later_call(fast: Sandbox, strict: Sandbox) -> None:
    source = "memo = {}\ndef f(n):\n    if n and n not in memo: memo[n] = f(n - 1) + 1\n    return memo.get(n, 0)"
    cases = [Call(args=[n], expected=n) for n in (300, 600, 900, 1200)]
    for box in (fast, strict):
        outcome = run(box, source, cases, entry="f")
        assert (outcome.reason, outcome.evidence["test"]) == ("runtime_error", 3)


def test_a_test_that_asks_to_run_again_gets_no_more_time(strict: Sandbox) -> None:
    spend = "import os, time\nwhile time.process_time() < 0.4: pass\n"
    source = spend + "if os.path.exists('/tmp/half'): print(7)\nelse:\n    open('/tmp/half', 'w')\n    deque"
    case = [Stdin(input="", expected="7")]
    assert run(strict, source, case, limits=Limits(cpu_s=2)).status == "pass"
    assert run(strict, source, case, limits=Limits(cpu_s=0.6)).reason == "time_limit"


def test_a_failure_is_decided_apart(fast: Sandbox) -> None:
    before = fast.counts.reruns, fast.counts.overruled
    wrong = run(fast, "x = input()\nprint(4 if x == '0 4' else 9)")
    assert (wrong.status, wrong.passed, wrong.run) == ("fail", 1, 2)
    assert wrong.evidence == {"test": 1, "input": "1 4\n", "expected": "5\n", "got": "9\n", "mode": "strict"}
    assert (fast.counts.reruns, fast.counts.overruled) == (before[0] + 1, before[1])


def test_all_tests_for_a_pass_rate(fast: Sandbox, strict: Sandbox) -> None:
    source = (
        "x = input()\nif x[0] == '3': 1 / 0\nif x[0] == '5':\n    while True: pass\nprint(x[0] == '6' or int(x[0]) + 4)"
    )
    for box in (fast, strict):
        outcome = run(box, source, stop_first=False, limits=Limits(cpu_s=0.3))
        assert (outcome.status, outcome.reason, outcome.passed, outcome.run) == ("fail", "runtime_error", 5, 8), outcome
        assert outcome.evidence["test"] == 3


def test_no_test_passes_over_its_limit(fast: Sandbox) -> None:
    """Tests of a third of the limit each: together they go over it, and none fails for that."""
    slow = "import time\nt = time.process_time()\nwhile time.process_time() - t < 0.2: pass\n" + PLAIN
    assert run(fast, slow, limits=Limits(cpu_s=0.6)).status == "pass"
    assert run(fast, slow, limits=Limits(cpu_s=0.15)).reason == "time_limit"


def test_outputs_that_are_large_together(fast: Sandbox, strict: Sandbox) -> None:
    cases = [Stdin(input=str(n), expected="x" * (3 << 20)) for n in range(6)]
    for box in (fast, strict):
        assert run(box, "input()\nprint('x' * (3 << 20))", cases, limits=Limits(output_mb=4)).status == "pass"
    assert run(fast, "input()\nprint('x' * (5 << 20))", cases, limits=Limits(output_mb=4)).reason == "output_limit"


def test_inputs_that_are_large_together(strict: Sandbox, fast: Sandbox) -> None:
    cases: list[Case] = [Stdin(input="1 " * (size << 19), expected=str(size << 19)) for size in (1, 12, 1, 1, 9, 1)]
    for box in (fast, strict):
        outcome = run(box, "print(len(input().split()))", cases)
        assert (outcome.status, outcome.passed) == ("pass", 6), outcome


@pytest.mark.parametrize("mode", ["fast", "strict"])
def test_more_tests_than_a_batch_holds(mode: Any) -> None:
    cases = [Stdin(input=str(n), expected=str(n)) for n in range(200)]
    outcome = Sandbox("namespaces", 1, mode=mode).run_sync(Program(source="print(input())", cases=cases))
    assert (outcome.status, outcome.passed) == ("pass", 200)


def test_the_audit_takes_the_share_that_is_asked_for() -> None:
    programs = [Program(source=f"{PLAIN}  # {n}", cases=ADD[:2]) for n in range(60)]

    async def modes(audit: float) -> list[str]:
        async with Sandbox("namespaces", 2, audit=audit) as box:
            outcomes = await asyncio.gather(*map(box.run, programs))
            audited = [outcome.evidence["mode"] for outcome in outcomes]
            assert (box.counts.fast, box.counts.audits) == (60, audited.count("fast, audited"))
            assert box.counts.disagreements == 0
            return audited

    some = asyncio.run(modes(0.3))
    assert 8 <= some.count("fast, audited") <= 28
    assert asyncio.run(modes(0.3)) == some
    assert set(asyncio.run(modes(1.0))) == {"fast, audited"}


def test_the_audit_overrules_a_shared_process() -> None:
    """The second test passes only where those before have left it something."""
    source = "import math\nmath.n = getattr(math, 'n', 0) + 1\nprint(int(input()) + (math.n == 3))"
    cases = [Stdin(input="0", expected="0"), Stdin(input="0", expected="1")]
    with Sandbox("namespaces", 1, audit=0) as box:
        assert run(box, source, cases).status == "pass"
    with Sandbox("namespaces", 1, audit=1) as box:
        outcome = run(box, source, cases)
        assert (outcome.reason, outcome.evidence["test"], outcome.evidence["mode"]) == ("wrong_answer", 1, "strict")
        assert box.counts.disagreements == 1


def test_numpy_is_there_from_the_start(fast: Sandbox) -> None:
    pytest.importorskip("numpy")
    source = "import sys\nassert 'numpy' in sys.modules\nimport numpy\nprint(numpy.array(input().split(), int).sum())"
    assert run(fast, source).evidence == {"mode": "fast"}
    assert run(fast, "import sys\nassert 'nump' + 'y' not in sys.modules\n" + PLAIN).status == "pass"


DEEPEST = "import sys\nd = [0]\ndef f():\n    d[0] += 1\n    f()\ntry: f()\nexcept RecursionError: pass\nprint(d[0])"


def test_programs_go_as_deep_as_in_an_interpreter_of_their_own(fast: Sandbox, strict: Sandbox) -> None:
    deepest = subprocess.run([sys.executable, "-c", DEEPEST], capture_output=True, text=True, check=True).stdout
    cases = [Stdin(input="", expected=deepest)] * 3
    assert run(strict, DEEPEST, cases).status == "pass"
    assert run(fast, DEEPEST, cases).evidence == {"mode": "fast"}
