"""Families of call problems: functions and methods, among them such that keep state between calls in one process."""

import random
from typing import Any

from tests.real.programs.problem import Family, numbers


def _lists(low: int, high: int, longest: int = 12) -> Any:
    def make(p: Any, rng: random.Random) -> list[list[Any]]:
        made = [[], [low], [high, low], [high] * 4]
        return [[one] for one in made + [numbers(rng, rng.randint(1, longest), low, high) for _ in range(8)]]

    return make


_ADD = Family(
    "shifted sum",
    [0, 1, -5, 100, 2**70],
    "def solve(a):\n    return sum(a) + PARAM\n",
    [("sum(a) +", "sum(a[1:]) +"), ("return ", "print(1); "), ("sum(a) +", "len(a) +")],
    _lists(-99, 99),
    lambda p, args: p + sum(args[0]),
    "solve",
)

_PAIRS = Family(
    "two sum",
    [3, 10, 17, 20, 0],
    """
from typing import List

class Solution:
    def twoSum(self, nums: List[int]) -> List[int]:
        seen = {}
        for i, x in enumerate(nums):
            if PARAM - x in seen:
                return [seen[PARAM - x], i]
            seen.setdefault(x, i)
        return []
""",
    [("- x in seen", "- x in nums"), ("enumerate(nums)", "enumerate(nums, 1)"), ("return []", "return None")],
    _lists(0, 12),
    lambda p, args: next(
        ([i, j] for j in range(len(args[0])) for i in range(j) if args[0][i] + args[0][j] == p),
        [],
    ),
    "twoSum",
)

_DEFAULT = Family(
    "a mutable default",
    [1, 2, 3, 4, 5],
    """
def collect(values, seen=[], counts={}):
    for value in values:
        if value % PARAM == 0:
            seen.append(value)
            counts[value] = counts.get(value, 0) + 1
    return sorted(seen), {str(key): times for key, times in counts.items()}
""",
    [("== 0", "!= 0"), ("sorted(seen)", "seen[::-1]"), (", 0) + 1", ", 0) + 2")],
    _lists(0, 12),
    lambda p, args: [
        sorted(v for v in args[0] if v % p == 0),
        {str(v): args[0].count(v) for v in args[0] if v % p == 0},
    ],
    "collect",
)

_GLOBAL = Family(
    "a global counter",
    [0, 10, 20, 30, 40],
    """
calls = 0
memory = []

def index(values):
    global calls
    calls += 1
    memory.extend(values)
    return [calls, len(memory), sum(memory) + PARAM]
""",
    [("calls += 1", "calls += 2"), ("len(memory)", "len(values) + 1"), ("sum(memory)", "max(memory, default=0)")],
    _lists(1, 9),
    lambda p, args: [1, len(args[0]), sum(args[0]) + p],
    "index",
)

_CLASS = Family(
    "state of a class",
    [2, 3, 4, 5, 6],
    """
class Solution:
    cache = {}
    first = None

    def distinct(self, values):
        if Solution.first is None:
            Solution.first = len(values)
        for value in values:
            self.cache[value % PARAM] = value
        values.clear()
        return [len(self.cache), Solution.first]
""",
    [("len(values)\n", "len(values) + 1\n"), ("len(self.cache)", "len(self.cache) + 1"), ("first is None", "first")],
    _lists(0, 30),
    lambda p, args: [len({v % p for v in args[0]}), len(args[0])],
    "distinct",
)

_FLOATS = Family(
    "mean as a float",
    [0.5, 1.5, 2.25, 1e-3, 1e6],
    """
def mean(values):
    if not values:
        return 0.0
    return PARAM * sum(values) / len(values)
""",
    [("/ len(values)", "/ (len(values) + 1)"), ("    if not values:\n        return 0.0\n", ""), ("sum(", "max(")],
    _lists(1, 99),
    lambda p, args: sum(v * p / len(args[0]) for v in args[0]),
    "mean",
)


def _queens(size: int) -> int:
    def place(chosen: tuple[int, ...]) -> int:
        row = len(chosen)
        if row == size:
            return 1
        free = (c for c in range(size) if all(c != q and abs(c - q) != row - r for r, q in enumerate(chosen)))
        return sum(place((*chosen, column)) for column in free)

    return place(())


_RECURSIVE = Family(
    "placements and permutations",
    [1, 2, 3, 5, 7],
    """
def count(n, columns=set(), down=set(), up=set(), row=0):
    if row == n:
        return PARAM
    total = 0
    for c in range(n):
        if c in columns or row - c in down or row + c in up:
            continue
        columns.add(c), down.add(row - c), up.add(row + c)
        total += count(n, columns, down, up, row + 1)
        columns.discard(c), down.discard(row - c), up.discard(row + c)
    return total
""",
    [("row == n", "row == n - 1"), (" or row + c in up", ""), ("up.discard(row + c)", "None")],
    lambda p, rng: [[n] for n in [1, 2, 3, 4, 5, 6, 1, 4, 5, 6]],
    lambda p, args: p * _queens(args[0]),
    "count",
)

_NESTED = Family(
    "levels",
    [1, 2, 3, 10, 50],
    """
def levels(tree, level=0, found=None):
    found = {} if found is None else found
    for item in tree:
        if isinstance(item, list):
            levels(item, level + 1, found)
        else:
            found[level] = found.get(level, 0) + item * PARAM
    return found
""",
    [("level + 1", "level"), (", 0) + item", ", 1) + item"), ("{} if found is None else found", "[0]")],
    lambda p, rng: [[[]], [[1]], [[1, [2, [3]], 4]], *[[_tree(rng, 0)] for _ in range(8)]],
    lambda p, args: _levels(p, args[0]),
    "levels",
)


def _tree(rng: random.Random, depth: int) -> list[Any]:
    return [
        _tree(rng, depth + 1) if depth < 4 and rng.random() < 0.4 else rng.randint(0, 9)
        for _ in range(rng.randint(0, 4))
    ]


def _levels(p: int, tree: list[Any]) -> dict[str, int]:
    found, level = {}, tree
    for depth in range(9):
        plain = [item for item in level if not isinstance(item, list)]
        if plain:
            found[str(depth)] = sum(plain) * p
        level = [inner for item in level if isinstance(item, list) for inner in item]
    return found


def families() -> list[Family]:
    """All of this file."""
    return [value for value in globals().values() if isinstance(value, Family)]
