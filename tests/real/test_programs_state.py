"""Programs that would pass by what an earlier test left behind: they fail, in both modes, as the reference run says."""

import random

import pytest

from sandbox import Call, Program, Stdin
from tests.real.agreement import Named, compared

TESTS = 12
CALLS = {
    "a global": "n = 0\ndef f(x):\n    global n\n    n += 1\n    return n",
    "a default": "def f(x, c=[0]):\n    c[0] += 1\n    return c[0]",
    "an iterator": "answers = iter(range(1, 100))\ndef f(x): return next(answers)",
    "a class": "class Solution:\n    n = 0\n    def f(self, x):\n        Solution.n += 1\n        return Solution.n",
    "a closure": "def make():\n    n = 0\n    def f(x):\n        nonlocal n\n        n += 1\n        return n\n"
    "    return f\nf = make()",
    "an attribute": "def f(x):\n    f.n = getattr(f, 'n', 0) + 1\n    return f.n",
    "a module": "import math\ndef f(x):\n    math.n = getattr(math, 'n', 0) + 1\n    return math.n",
    "a cache": "from functools import lru_cache\n@lru_cache(None)\ndef g(x): return x\n"
    "def f(x):\n    g(x)\n    return g.cache_info().currsize",
    "a set": "seen = set()\ndef f(x):\n    seen.add(x)\n    return len(seen)",
    "a generator": "def count():\n    n = 0\n    while True:\n        n += 1\n        yield n\nc = count()\n"
    "def f(x): return next(c)",
}
SCRIPTS = {
    "builtins": "import builtins\nbuiltins.n = getattr(builtins, 'n', 0) + 1\nprint(builtins.n)",
    "a module": "import math\nmath.n = getattr(math, 'n', 0) + 1\nprint(math.n)",
    "a class": "from collections import Counter\nCounter.n = getattr(Counter, 'n', 0) + 1\nprint(Counter.n)",
    "a set": "import math\nmath.seen = getattr(math, 'seen', set()) | {input()}\nprint(len(math.seen))",
    "a file": "open('x', 'a').write('a')\nprint(len(open('x').read()))",
    "the decimal context": "import decimal\ndecimal.getcontext().prec += 1\nprint(decimal.getcontext().prec - 28)",
    "the collector": "import gc\ngc.callbacks.append(lambda *a: None)\nprint(len(gc.callbacks))",
    "the interpreter": "import sys\nsys.setswitchinterval(sys.getswitchinterval() + 1)\n"
    "print(int(sys.getswitchinterval()))",
    "sys.modules": "import sys\nsys.modules['n%d' % len(sys.modules)] = sys\n"
    "print(sum(m is sys for m in sys.modules.values()) - 1)",
}
# With tests in this order a count of the tests is the answer to each; in another, of some.
ORDERS = ("in order", "backwards", "mixed")


def answers(order: str) -> list[int]:
    """The answers that the tests expect; each test is given its own."""
    numbers = list(range(1, TESTS + 1))
    if order == "mixed":
        random.Random("state").shuffle(numbers)
    return numbers[::-1] if order == "backwards" else numbers


@pytest.mark.slow
@pytest.mark.parametrize("order", ORDERS)
async def test_what_a_test_leaves_behind_helps_no_other(order: str) -> None:
    rows = []
    for name, source in CALLS.items():
        calls = [Call(args=[n], expected=n) for n in answers(order)]
        rows.append(Named(f"call {name}", Program(source=source, entry="f", cases=calls), False))
    for name, source in SCRIPTS.items():
        given = [Stdin(input=f"{n}\n", expected=f"{n}\n") for n in answers(order)]
        rows.append(Named(f"script {name}", Program(source=source, cases=given), False))
    assert await compared(rows) == ([], [])
