"""Families of stdin problems in the usual styles of competitive programs: reading, loops, recursion, classes."""

import math
import random
import re
from collections import Counter
from fractions import Fraction

from tests.real.programs.problem import Family, counted, listed, lists, numbers, row

_SUM = Family(
    "sum modulo",
    [7, 97, 1000, 998244353, 2],
    """
n = int(input())
a = list(map(int, input().split()))
total = 0
for x in a:
    total += x
print(total % PARAM)
""",
    [("total += x", "total += abs(x)"), ("for x in a:", "for x in a[1:]:"), ("% ", "// ")],
    lists(-500, 500),
    lambda p, text: str(sum(listed(text)) % p),
)

_TOP = Family(
    "largest k",
    [1, 2, 3, 5, 10],
    """
import sys
data = sys.stdin.read().split()
n, a = int(data[0]), [int(t) for t in data[1:]]
best = sorted(set(a), reverse=True)[:PARAM]
print(len(best))
print(*best)
""",
    [(", reverse=True", ""), ("set(a)", "a"), ("print(*best)", "print(best)")],
    lists(0, 30),
    lambda p, text: counted([v for v in range(30, -1, -1) if v in listed(text)][:p]),
)


def _lines(p: int, rng: random.Random) -> list[str]:
    words = ["ab", "Ab", "b", "zeta", "a", "delta", "omega", "q"]
    made = ["", "a\n", "b a\n", "Ab ab\nab\n"]
    return made + [
        "\n".join(row(rng.choices(words, k=rng.randint(0, 9))) for _ in range(rng.randint(1, 9))) for _ in range(8)
    ]


def _common(p: int, text: str) -> str:
    words = text.split()
    order = sorted(set(words), key=lambda word: (-words.count(word), word))
    return "\n".join(f"{word} {words.count(word)}" for word in order[:p])


_WORDS = Family(
    "word counts",
    [1, 2, 3, 4, 8],
    """
import sys
from collections import Counter

counts = Counter()
for line in sys.stdin:
    counts.update(line.split())
for word, times in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:PARAM]:
    print(word, times)
""",
    [("-item[1]", "item[1]"), ("line.split()", "line.lower().split()"), (", item[0])", ",)")],
    _lines,
    _common,
)


def _queries(p: int, rng: random.Random) -> list[str]:
    made = []
    for index in range(10):
        size = 1 if index == 0 else rng.randint(2, p)
        lines = [f"{size} {2 * size}"]
        for _ in range(2 * size):
            if rng.random() < 0.5:
                lines.append(f"add {rng.randint(1, size)} {rng.randint(-9, 9)}")
            else:
                lines.append(f"sum {rng.randint(1, size)}")
        made.append("\n".join(lines) + "\n")
    return made


def _sums(p: int, text: str) -> str:
    first, *lines = text.splitlines()
    values, said = [0] * (int(first.split()[0]) + 1), []
    for line in lines:
        what, place, *value = line.split()
        if what == "add":
            values[int(place)] += int(value[0])
        else:
            said.append(sum(values[: int(place) + 1]))
    return "\n".join(map(str, said))


_FENWICK = Family(
    "prefix sums",
    [3, 10, 40, 100, 200],
    """
import sys

class Fenwick:
    def __init__(self, size):
        self.size, self.tree = size, [0] * (size + 1)

    def add(self, i, value):
        while i <= self.size:
            self.tree[i] += value
            i += i & -i

    def sum(self, i):
        total = 0
        while i > 0:
            total += self.tree[i]
            i -= i & -i
        return total

input = sys.stdin.readline
n, q = map(int, input().split())
tree, out = Fenwick(n), []
for _ in range(q):
    kind, *rest = input().split()
    if kind == "add":
        tree.add(int(rest[0]), int(rest[1]))
    else:
        out.append(tree.sum(int(rest[0])))
sys.stdout.write("\\n".join(map(str, out)))  # up to PARAM places
""",
    [("i <= self.size", "i < self.size"), ("while i > 0:", "while i > 1:"), ("i -= i & -i", "i -= 0")],
    _queries,
    _sums,
)

_PRIMES = Family(
    "is it prime",
    [10, 100, 1000, 5000, 100000],
    """
import sys

def is_prime(n):
    if n < 2:
        return False
    d = 2
    while d * d <= n:
        if n % d == 0:
            return False
        d += 1
    return True

n = int(input())
if is_prime(n):
    print("YES")
    sys.exit()
print("NO")
sys.exit(0)  # n up to PARAM
""",
    [("n < 2", "n < 1"), ("d * d <= n", "d * d < n"), ("sys.exit(0)", "sys.exit(1)")],
    lambda p, rng: [f"{n}\n" for n in [1, 2, 3, 4, 9, 25, 49, p, *numbers(rng, 6, 1, p)]],
    lambda p, text: "YES" if len([d for d in range(1, int(text) + 1) if int(text) % d == 0]) == 2 else "NO",
)

_SHAPE = Family(
    "a pyramid",
    ["*", "#", "ab", "<>", "0"],
    """
n = int(input())
for i in range(1, n + 1):
    print("." * (n - i), end="")
    print(PARAM * i, end="|")
    print()
""",
    [("n + 1", "n"), ('end="|"', 'end="!"'), ('"." * (n - i)', '"." * (i - 1)')],
    lambda p, rng: [f"{n}\n" for n in range(1, 13)],
    lambda p, text: "\n".join(("." * (int(text) - i) + p * i) + "|" for i in range(1, int(text) + 1)),
)


def _spread(p: int, text: str) -> str:
    values = [Fraction(one) for one in listed(text)]
    mean = sum(values) / len(values)
    return f"{float(mean):.{p}f} {math.sqrt(sum((one - mean) ** 2 for one in values) / len(values)):.{p}f}"


_SPREAD = Family(
    "mean and deviation",
    [7, 8, 9, 10, 12],
    """
n = int(input())
a = [float(x) for x in input().split()]
mean = sum(a) / n
var = sum((x - mean) ** 2 for x in a) / n
print(f"{mean:.{PARAM}f}", f"{var ** 0.5:.{PARAM}f}")
""",
    [("sum(a) / n", "sum(a) // n"), ("for x in a) / n", "for x in a) / (n - 1)"), ("var ** 0.5", "var ** 0.50001")],
    lists(-50, 50),
    _spread,
)


def _change(coins: list[int], text: str) -> str:
    wanted = int(text)
    ways = [1] + [0] * wanted
    for coin in coins:
        for amount in range(coin, wanted + 1):
            ways[amount] += ways[amount - coin]
    return str(ways[wanted])


_COINS = Family(
    "ways to pay",
    [[1, 2, 5], [2, 3], [1, 5, 10, 25], [7, 11], [1]],
    """
from functools import lru_cache
coins = PARAM

@lru_cache(maxsize=None)
def ways(amount, kinds):
    if amount == 0:
        return 1
    if amount < 0 or kinds == 0:
        return 0
    return ways(amount - coins[kinds - 1], kinds) + ways(amount, kinds - 1)

print(ways(int(input()), len(coins)))
""",
    [("kinds) + ways", "kinds - 1) + ways"), ("if amount == 0:\n        return 1\n", ""), ("kinds == 0", "kinds < 0")],
    lambda p, rng: [f"{n}\n" for n in [0, 1, 2, *range(5, 60, 6)]],
    _change,
)


def _texts(p: int, rng: random.Random) -> list[str]:
    made = ["a", "aaaa", "abab", "z" * (p + 1), "az" * 9]
    return [one + "\n" for one in made + ["".join(rng.choices("abc", k=rng.randint(2, 30))) for _ in range(8)]]


_RUNS = Family(
    "runs of letters",
    [1, 2, 3, 4, 9],
    """
import re

def squeeze(match):
    text = match.group(0)
    return text if len(text) < PARAM else text[0] + str(len(text))

print(re.sub(r"(.)\\1*", squeeze, input().strip()))
""",
    [("len(text) < ", "len(text) <= "), ("text[0] +", "text[-1:] * 2 +"), ("len(text))", "len(text) - 1)")],
    _texts,
    lambda p, text: "".join(
        one.group() if len(one.group()) < p else f"{one.group()[0]}{len(one.group())}"
        for one in re.finditer("a+|b+|c+|z+", text)
    ),
)

_MODE = Family(
    "most frequent",
    ["min", "max", "sum", "len", "sorted"],
    """
n = int(input())
a = list(map(int, input().split()))
count = {}
for x in a:
    count[x] = count.get(x, 0) + 1
most = max(count.values())
tops = [x for x in count if count[x] == most]
how = {"min": min, "max": max, "sum": sum, "len": len, "sorted": lambda v: " ".join(map(str, sorted(v)))}
print(how[PARAM](tops))
""",
    [("== most", ">= most - 1"), (", 0) + 1", ", 1) + 1 + (x == 3)"), ("max(count.values())", "min(count.values())")],
    lists(0, 9),
    lambda p, text: _mode(p, listed(text)),
)


def _mode(how: str, values: list[int]) -> str:
    found = Counter(values)
    tops = sorted(value for value in found if all(found[value] >= other for other in found.values()))
    if how == "sorted":
        return row(tops)
    return str({"min": tops[0], "max": tops[-1], "sum": sum(tops), "len": len(tops)}[how])


def families() -> list[Family]:
    """All of this file."""
    return [value for value in globals().values() if isinstance(value, Family)]
