"""What right programs do at their end, with threads and with names: as `python program.py` would have it."""

import asyncio
import time
from collections.abc import Iterator

import pytest

from sandbox import Assert, Limits, Program, Sandbox, Stdin
from tests.sandbox.conftest import MISSING


@pytest.fixture(scope="module", params=["fast", "strict"])
def box(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """An open sandbox with one worker, in each mode."""
    with Sandbox(backend="namespaces", workers=1, mode=request.param) as sandbox:
        yield sandbox


ADD = Stdin(input="3 4\n", expected="7\n")
ENDS = {
    "stdout closed": "import sys\nprint(7)\nsys.stdout.close()",
    "stdout None": "import sys\nprint(7)\nsys.stdout = None",
    "stdout wrapped again": "import io, sys\nsys.stdout = io.TextIOWrapper(sys.stdout.detach())\nprint(7)",
    "an unbound writer": "import io, os\nclass Out(io.IOBase):\n    def flush(self): os.write(1, b'7')\nout = Out()",
    "__del__": "class A:\n    def __del__(self): print(helper())\ndef helper(): return 7\na = A()",
    "a generator": "def f():\n    try: yield\n    finally: print(7)\ng = f()\nnext(g)",
    "a stream of its own": "import sys\nclass Out:\n    text = ''\n    def write(self, text): self.text += text\n"
    "    def flush(self): sys.__stdout__.write(self.text)\nsys.stdout = Out()\nprint(7)",
    "an exit function's print": "import atexit\nclass A: pass\natexit.register(lambda: print(7))",
    "a name looked for": "try: count += 1\nexcept NameError: count = 7\nprint(count)",
    "a name of the prelude in a thread": "import threading\nt = threading.Thread(target=lambda: print(gcd(7, 14)))\n"
    "t.start()\nt.join()",
    "its own file": "s = open(__file__).read()\nprint(7 if s.startswith('s = open') else 8)",
    "its own source": "import inspect\ndef f(): return 7\nprint(7 if 'return 7' in inspect.getsource(f) else 8)",
    "builtins": "import types\nprint(7 if isinstance(__builtins__, types.ModuleType) else 8)",
    "standard input read twice": "import sys\na = sys.stdin.read()\nsys.stdin.seek(0)\n"
    "print(7 if a == sys.stdin.read() else 8)",
    "half a surrogate as an error": "import sys\nprint('\\ud800', file=sys.stderr)\nprint(7)",
    "nice": "import os\nos.nice(0)\nprint(7)",
    "an endless stack": "import resource\nresource.setrlimit(resource.RLIMIT_STACK, (-1, -1))\nprint(7)",
    "a large stack": "import threading\nthreading.stack_size(512 << 20)\n"
    "t = threading.Thread(target=print, args=(7,))\nt.start()\nt.join()",
}


@pytest.mark.parametrize("name", ENDS)
def test_it_passes(box: Sandbox, name: str) -> None:
    outcome = box.run_sync(Program(source=ENDS[name], cases=[ADD], limits=Limits(memory_mb=256)))
    assert outcome.status == "pass", outcome


async def test_a_worker_thread_that_waits_for_a_cpu_is_not_idle() -> None:
    source = (
        "import threading\ndef main():\n    x = 0\n    for i in range(12_000_000): x += i\n    print(7)\n"
        "t = threading.Thread(target=main)\nt.start()\nt.join()"
    )
    slow = Program(source=source, cases=[ADD], limits=Limits(cpu_s=30, wall_s=0.4))
    loop = Program(source="while True: pass", cases=[ADD], limits=Limits(cpu_s=2.0))
    async with Sandbox(workers=6) as busy:
        outcomes = await asyncio.gather(busy.run(slow), *[busy.run(loop) for _ in range(5)])
    assert outcomes[0].status == "pass", outcomes[0]


@pytest.mark.parametrize("source", ["x = bytearray(3 << 30)", "x = []\nwhile True: x.append(bytes(1 << 20).upper())",
                                    "x = bytearray(300 << 20)\ndel x\nprint(7)"])  # fmt: skip
def test_fast_memory_is_bounded(box: Sandbox, source: str) -> None:
    started = time.monotonic()
    outcome = box.run_sync(Program(source=source, cases=[ADD], limits=Limits(memory_mb=256)))
    assert outcome.reason == "memory_limit", outcome
    assert outcome.measured["peak_mb"] < 800
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    ("source", "test", "entry", "reason"),
    [
        ("def abs(x): return 0\ndef f(x): return 9", "assert abs(f(3) - 4) < 1e-6", None, "wrong_answer"),
        ("def abs(x): return 0\ndef f(x): return 9", "assert abs(f(3) - 4) < 1e-6", "f", "wrong_answer"),
        ("def sum(a, b): return a + b", "assert sum(3, 4) == 7", None, "ok"),
        ("def sum(a, b): return a + b", "def check(c):\n    assert abs(c(3, 4) - 7) < 1\ncheck(sum)", "sum", "ok"),
        (
            "import os, sys\ndef f(x):\n    g = sys._getframe()\n    while g:\n"
            "        for v in list(g.f_locals.values()):\n"
            '            if isinstance(v, str) and len(v) == 32: os.write(3, (\'["end", "%s"]\' % v).encode())\n'
            "        g = g.f_back\n    os._exit(0)",
            "assert f(1) == 7",
            "f",
            "runtime_error",
        ),
    ],
)
def test_asserts_cannot_be_bent(box: Sandbox, source: str, test: str, entry: str | None, reason: str) -> None:
    outcome = box.run_sync(Program(source=source, cases=[Assert(code=test)], entry=entry))
    assert outcome.reason == reason, outcome


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ('import os\nos.write(3, b\'["missing", "foo"]\')\nos._exit(1)', "runtime_error"),
        ('import os, numpy\nos.write(3, b\'["missing", "numpy"]\')\nos._exit(1)', "runtime_error"),
        (f"from {MISSING}.part import x", "missing_module"),
        (f"import importlib\nimportlib.import_module('{MISSING}')", "missing_module"),
        (f"__import__('{MISSING}')", "missing_module"),
        (f"import importlib\nimportlib.import_module('{MISSING[:2]}' + '{MISSING[2:]}')", "runtime_error"),
        ("import no_such_module", "runtime_error"),
        ("import sandbox", "runtime_error"),
    ],
)
def test_only_a_module_that_is_imported_can_be_missing(box: Sandbox, source: str, reason: str) -> None:
    assert box.run_sync(Program(source=source, cases=[ADD])).reason == reason
