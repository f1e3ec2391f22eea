"""A dozen hostile programs with the verdicts that they must get: what `veristill doctor` tries a sandbox with.

Each is followed by a benign program, which must still pass. They try what a sandbox can be got wrong in on a particular
machine (limits, processes, files, sockets, memory), more than what it can be got wrong in everywhere.
"""

import asyncio
from typing import NamedTuple

from sandbox.box import Sandbox
from sandbox.model import Assert, Call, Case, Limits, Outcome, Program, Stdin

_SUM = Stdin(input="3 4\n", expected="7\n")
_ADD = Call(args=[3, 4], expected=7)
_LIMITS = Limits(cpu_s=0.5, wall_s=2.0, memory_mb=256, output_mb=4, processes=32)
_BENIGN = Program(source="print(sum(map(int, input().split())))", cases=[_SUM], limits=_LIMITS)


class Hostile(NamedTuple):
    """A program, its one test, and the reasons that are right for it; `ok` is one that did what was asked."""

    name: str
    source: str
    case: Case
    reasons: tuple[str, ...]


BATTERY = (
    Hostile("endless loop", "while True: pass", _SUM, ("time_limit",)),
    Hostile("sleeps for ever", "import time\ntime.sleep(600)", _SUM, ("time_limit",)),
    Hostile("ignores signals", "import signal\nfor n in range(1, 32):\n    try: signal.signal(n, signal.SIG_IGN)\n"
            "    except OSError: pass\nwhile True:\n    try:\n        while True: pass\n    except BaseException: pass",
            _SUM, ("time_limit",)),
    Hostile("fork bomb", "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass", _SUM,
            ("time_limit", "process_limit", "memory_limit")),
    Hostile("daemon", "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0: time.sleep(600)\n"
            "    os._exit(0)\nos.wait()\nprint(7)", _SUM, ("ok",)),
    Hostile("memory bomb", "x = []\nwhile True: x.append(bytearray(10**6))", _SUM, ("memory_limit",)),
    Hostile("memory in many processes", "import os, time\nfor _ in range(8):\n    if os.fork() == 0:\n"
            "        x = bytearray(b'x') * (60 << 20)\n        time.sleep(600)\ntime.sleep(600)",
            _SUM, ("memory_limit",)),
    Hostile("files without end", "n = 0\nwhile True:\n    open(f'/tmp/{n}', 'wb').write(bytes(10**6))\n    n += 1",
            _SUM, ("runtime_error", "memory_limit")),
    Hostile("endless output", "while True: print('x' * 10**5)", _SUM, ("output_limit", "runtime_error")),
    Hostile("exits before its end", "import os\nos._exit(0)", Assert(code="assert False"),
            ("wrong_answer", "runtime_error")),
    Hostile("equals everything", "class E(int):\n    def __eq__(self, other): return True\n    __hash__ = None\n"
            "def add(a, b): return E(9)", _ADD, ("wrong_answer",)),
    Hostile("calls out", "import socket\nfor family in range(1, 46):\n    try:\n        socket.socket(family, 1)\n"
            "        print('open', family)\n    except OSError: pass\nprint(7)", _SUM, ("ok",)),
    Hostile("kills everybody", "import os, signal\nos.kill(-1, signal.SIGKILL)\nos.kill(1, signal.SIGKILL)\n"
            "os.kill(os.getppid(), signal.SIGKILL)\nwhile True: pass", _SUM,
            ("time_limit", "runtime_error")),
    Hostile("native crash", "import ctypes\nctypes.string_at(0)", _SUM, ("runtime_error",)),
    Hostile("leaves a file", "import os\nprint(8 if os.path.exists('/tmp/mark') else 7)\nopen('/tmp/mark', 'w')",
            _SUM, ("ok",)),
)  # fmt: skip


async def examine(sandbox: Sandbox) -> list[tuple[str, str | None]]:
    """Run them all, each with a benign program after it; one (name, problem or None) each."""
    problems = await asyncio.gather(*(_tried(sandbox, one) for one in BATTERY))
    return [(one.name, problem) for one, problem in zip(BATTERY, problems, strict=True)]


async def _tried(sandbox: Sandbox, one: Hostile) -> str | None:
    program = Program(source=one.source, cases=[one.case], entry="add", limits=_LIMITS)
    for _ in range(2 if "ok" in one.reasons else 1):  # what an earlier one left would show in a later one
        outcome = await sandbox.run(program)
        if outcome.reason not in one.reasons:
            return f"ends as {_said(outcome)}, not as {' or '.join(one.reasons)}"
        after = await sandbox.run(_BENIGN)
        if after.reason != "ok":
            return f"a right program after it ends as {_said(after)}"
    return None


def _said(outcome: Outcome) -> str:
    got = outcome.evidence.get("got") or outcome.evidence.get("message")
    return f"{outcome.status}/{outcome.reason}" + (f" ({str(got)[:100]})" if got else "")
