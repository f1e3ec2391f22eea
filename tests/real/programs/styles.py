"""Families of stdin problems whose programs use the process in unusual ways that are right all the same.

Streams replaced or read as bytes, exit functions, patched modules, files, other threads, decimal and random state: what
one test leaves behind would change the next one, were they not kept apart.
"""

import datetime
import importlib.util
import itertools
import json
import random
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

from tests.real.programs.problem import Family, listed, lists, numbers, row

_BYTES = Family(
    "inversions",
    [1, 2, 3, 5, 9],
    """
import os, sys
data = os.read(0, 1 << 20)
while True:
    more = os.read(0, 1 << 20)
    if not more:
        break
    data += more
a = list(map(int, data.split()[1:]))
count = 0
for i in range(len(a)):
    for j in range(i + 1, len(a)):
        count += a[i] > PARAM * a[j]
os.write(1, b"%d\\n" % count)
""",
    [("i + 1, len", "i + 2, len"), ("a[i] > ", "a[i] >= "), ("[1:]", "[:-1]")],
    lists(0, 60),
    lambda p, text: str(sum(x > p * y for x, y in itertools.combinations(listed(text), 2))),
)

_BUFFER = Family(
    "running maximum",
    [0, 1, 5, 10, 100],
    """
import atexit, io, sys
sys.stdin = io.BytesIO(sys.stdin.buffer.read())
out = io.StringIO()
input = lambda: sys.stdin.readline().decode().rstrip()
print = lambda *values: out.write(" ".join(map(str, values)) + "\\n")
atexit.register(lambda: sys.stdout.write(out.getvalue()))
input()
best = PARAM
for value in map(int, input().split()):
    best = max(best, value)
    print(best)
""",
    [("best = max(best, value)", "best = value"), ('+ "\\n")', '+ ",")'), ("atexit.register(lambda: ", "(lambda: ")],
    lists(0, 50),
    lambda p, text: "\n".join(str(max([p, *listed(text)[: i + 1]])) for i in range(len(listed(text)))),
)


def _commands(p: Any, rng: random.Random) -> list[str]:
    made = ["END\n", "push 1\nEND\n", "pop\nEND\n"]
    for _ in range(9):
        lines = [rng.choice(["pop", f"push {rng.randint(0, 99)}"]) for _ in range(rng.randint(1, 25))]
        made.append("\n".join([*lines, "END"]) + "\n")
    return made


def _stack(p: str, text: str) -> str:
    stack: list[str] = []
    said = []
    for line in text.splitlines()[:-1]:
        if line == "pop":
            said.append(stack.pop() if stack else p)
        else:
            stack.append(line.split()[1])
    return "\n".join(said)


_SENTINEL = Family(
    "a stack",
    ["empty", "-", "None", "error", "0"],
    """
stack = []

def pop():
    global stack
    if not stack:
        print(PARAM)
        return
    *stack, last = stack
    print(last)

for line in iter(input, "END"):
    command, *value = line.split()
    globals().get(command, lambda *v: stack.extend(v))(*value)
""",
    [("*stack, last", "last, *stack"), ("if not stack:", "if len(stack) < 2:"), ('"END"', '"STOP"')],
    _commands,
    _stack,
)


def _quotients(p: int, text: str) -> str:
    top, below = map(int, text.split())
    with localcontext() as context:
        context.prec = p
        return str(Decimal(top) / Decimal(below))


_DECIMAL = Family(
    "digits of a quotient",
    [6, 12, 28, 40, 60],
    """
from decimal import Decimal, getcontext
getcontext().prec = PARAM
a, b = map(Decimal, input().split())
print(a / b)
""",
    [("a / b", "float(a / b) + 1"), ("a / b", "a // b"), ("a / b", "b / a")],
    lambda p, rng: [f"{a} {b}\n" for a, b in [(1, 3), (22, 7), (1, 7), *itertools.pairwise(numbers(rng, 9, 1, 10**6))]],
    _quotients,
)

_FILE = Family(
    "lines through a file",
    [1, 2, 3, 4, 5],
    """
import os, sys
with open("scratch.txt", "a") as file:
    for line in sys.stdin.readlines()[1:]:
        file.write(line)
with open("scratch.txt") as file:
    words = file.read().split()
print(len(words), *words[::PARAM])
os.environ["SEEN"] = "1"
os.chdir("..")
""",
    [("[1:]", ""), ("len(words)", "len(words) + 1"), ("len(words), *", "*")],
    lists(0, 99, 12),
    lambda p, text: row([len(listed(text)), *listed(text)[::p]]),
)

_PATCHED = Family(
    "greatest common divisors",
    [0, 6, 12, 30, 64],
    """
import builtins, math, sys
usual = math.gcd
if getattr(math, "patched", False):
    print("patched before")
math.patched = True
math.gcd = lambda *values: usual(PARAM, *values)
builtins.max = min
sys.setrecursionlimit(300)
a = list(map(int, sys.stdin.read().split()))[1:]
print(math.gcd(*a), max(a))
sys.stdout.flush()
sys.stdout = None
""",
    [("max(a)", "max(a[1:], default=0)"), ("math.gcd(*a)", "usual(*a) + 1"), ("[1:]", "[2:]")],
    lists(1, 60, 4),
    lambda p, text: f"{_gcd([p, *listed(text)])} {sorted(listed(text))[0]}",
)


def _gcd(values: list[int]) -> int:
    return next(d for d in range(max(values), 0, -1) if all(value % d == 0 for value in values))


_RANDOM = Family(
    "median by random pivots",
    [0, 1, 2, 3, 4],
    """
import random, sys
random.seed(PARAM)

def select(a, k):
    pivot = random.choice(a)
    low = [x for x in a if x < pivot]
    same = a.count(pivot)
    if k < len(low):
        return select(low, k)
    if k < len(low) + same:
        return pivot
    return select([x for x in a if x > pivot], k - len(low) - same)

n, *a = map(int, open(0).read().split())
print(select(a, n // 2))
""",
    [("n // 2", "(n - 1) // 2 - 1"), ("x < pivot", "x <= pivot"), ("- same)", ")")],
    lists(0, 40),
    lambda p, text: str(sorted(listed(text))[len(listed(text)) // 2]),
)

_THREADS = Family(
    "sum of squares in threads",
    [2, 3, 4, 5, 7],
    """
import queue, sys, threading
todo, done = queue.Queue(), queue.Queue()

def work():
    while (item := todo.get()) is not None:
        done.put(item * item)

threads = [threading.Thread(target=work, daemon=True) for _ in range(PARAM)]
for thread in threads:
    thread.start()
n, *a = [int(x) for x in sys.stdin.read().split()]
for x in a:
    todo.put(x)
print(sum(done.get() for _ in a))
""",
    [("item * item", "item * 2"), ("for _ in a)", "for _ in a[:-1])"), ("n, *a", "*a, n")],
    lists(-30, 30),
    lambda p, text: str(sum(value**2 for value in listed(text))),
)


def _days(p: int, rng: random.Random) -> list[str]:
    made = ["2024-02-28", "2023-02-28", "1999-12-31", "2000-02-29"]
    return made + [str(datetime.date(1900, 1, 1) + datetime.timedelta(days=rng.randrange(60000))) for _ in range(8)]


_DATES = Family(
    "days later",
    [1, 7, 30, 365, 1000],
    """
import datetime as dt
year, month, day = map(int, input().split("-"))
later = dt.date(year, month, day) + dt.timedelta(PARAM)
print(later.strftime("%Y-%m-%d"), later.weekday())
""",
    [("later.weekday()", "later.isoweekday()"), ("dt.timedelta(", "dt.timedelta(1 + "), ("%Y-%m", "%y-%m")],
    _days,
    lambda p, text: (
        f"{datetime.date.fromordinal(datetime.date.fromisoformat(text).toordinal() + p)} "
        f"{(datetime.date.fromisoformat(text).toordinal() + p + 6) % 7}"
    ),
)


def _harmonic(p: int, text: str) -> str:
    total = sum((Fraction(1, value) for value in listed(text)), Fraction(p))
    return f"{total.numerator}/{total.denominator}"


_FRACTIONS = Family(
    "sums of fractions",
    [0, 1, 2, -1, 10],
    """
from math import gcd
class Ratio:
    def __init__(self, top, below):
        g = gcd(top, below)
        self.top, self.below = top // g, below // g
    def __add__(self, other):
        return Ratio(self.top * other.below + other.top * self.below, self.below * other.below)
    def __str__(self):
        return f"{self.top}/{self.below}"
input()
total = Ratio(PARAM, 1)
for x in input().split():
    total = total + Ratio(1, int(x))
print(total)
""",
    [("top // g, below // g", "top, below"), ("Ratio(1, int(x))", "Ratio(1, int(x) + 1)"), ("total + Ratio", "Ratio")],
    lists(1, 20, 12),
    _harmonic,
)

_JSON = Family(
    "a matrix turned",
    [1, 2, 3, 4, 5],
    """
import json
matrix = json.loads(input())
for _ in range(PARAM):
    matrix = [list(line)[::-1] for line in zip(*matrix)]
print(json.dumps(matrix))
""",
    [("[::-1]", ""), ("range(", "range(1 + "), ("json.dumps(matrix)", "matrix[0][0]")],
    lambda p, rng: [
        json.dumps([numbers(rng, wide, 0, 99) for _ in range(high)])
        for high, wide in [(1, 2), (2, 2), (3, 1), *[(rng.randint(2, 5), rng.randint(2, 5)) for _ in range(9)]]
    ],
    lambda p, text: json.dumps(_turned(json.loads(text), p % 4)),
)


def _turned(matrix: list[list[int]], times: int) -> list[list[int]]:
    for _ in range(times):
        matrix = [[line[place] for line in reversed(matrix)] for place in range(len(matrix[0]))]
    return matrix


_EXIT = Family(
    "ends in an error",
    [3, 5, 10, 20, 50],
    """
import sys

class Total(dict):
    def __missing__(self, key):
        return 0

totals = Total()
try:
    n = int(input())
    for x in input().split():
        totals[int(x) % PARAM] += 1
    while True:
        input()
except EOFError:
    pass
print(*(totals[r] for r in range(PARAM)))
sys.exit(None)
""",
    [("except EOFError:", "except ValueError:"), ("return 0", "return 1"), ("sys.exit(None)", "sys.exit('done')")],
    lists(0, 200),
    lambda p, text: row([sum(1 for value in listed(text) if value % p == rest) for rest in range(p)]),
)

_NUMPY = Family(
    "powers of a matrix",
    [1, 2, 3, 7, 12],
    """
import sys
import numpy as np
data = np.array(sys.stdin.read().split(), dtype=np.int64)
n = int(data[0]) % 4 + 1
m = np.resize(data[1:], (n, n))
result = np.eye(n, dtype=np.int64)
for _ in range(PARAM):
    result = result @ m % 1009
print("\\n".join(" ".join(map(str, line)) for line in result.tolist()))
""",
    [("% 1009", "% 1013"), ("result @ m", "result * m"), ("n, n))", "n, n)).T")],
    lists(0, 90, 16),
    lambda p, text: _power(p, listed(text)),
)


def _power(times: int, values: list[int]) -> str:
    size = len(values) % 4 + 1
    cells = list(itertools.islice(itertools.cycle(values), size * size))
    matrix = [cells[line * size : (line + 1) * size] for line in range(size)]
    result = [[int(a == b) for b in range(size)] for a in range(size)]
    for _ in range(times):
        result = [
            [sum(line[k] * matrix[k][place] for k in range(size)) % 1009 for place in range(size)] for line in result
        ]
    return "\n".join(map(row, result))


def _primes_upto(p: int, rng: random.Random) -> list[str]:
    return [f"{n}\n" for n in [2, 3, 10, *numbers(rng, 8, 2, p)]]


_SIEVE = Family(
    "count primes",
    [50, 200, 1000, 2000, 3000],
    """
def sieve(n):
    flags = bytearray([1]) * (n + 1)
    flags[0:2] = b"\\0\\0"
    for i in range(2, int(n ** 0.5) + 1):
        if flags[i]:
            flags[i * i :: i] = bytes(len(range(i * i, n + 1, i)))
    return sum(flags)

LIMIT = PARAM
answers = {n: None for n in range(LIMIT + 1)}
n = int(input())
if answers.setdefault(n) is None:
    answers[n] = sieve(n)
print(answers[n])
""",
    [("** 0.5) + 1", "** 0.5)"), ("i * i ::", "i * i + i ::"), ("sum(flags)", "len(flags)")],
    _primes_upto,
    lambda p, text: str(sum(all(n % d for d in range(2, n)) for n in range(2, int(text) + 1))),
)


def families() -> list[Family]:
    """All of this file; those with numpy where there is numpy."""
    found = [value for value in globals().values() if isinstance(value, Family)]
    return [one for one in found if one is not _NUMPY or importlib.util.find_spec("numpy")]
