"""Families of stdin problems on grids, trees and graphs: searches, deep recursion in a thread, a heap."""

import math
import random

from tests.real.programs.problem import Family, row


def _grids(p: int, rng: random.Random) -> list[str]:
    made = []
    for index in range(12):
        high, wide = (1, 1) if index == 0 else (rng.randint(1, 3 + p), rng.randint(1, 3 + p))
        cells = [[rng.choices(".#", [3, 1])[0] for _ in range(wide)] for _ in range(high)]
        cells[0][0] = cells[-1][-1] = "."
        if index == 1:  # down, right, up, right and down again
            high, wide, cells = 3, 5, [list(line) for line in (".#...", ".#.#.", "...#.")]
        if index == 2:  # whoever goes deep first comes by a longer way
            high, wide, cells = (
                6,
                6,
                [list(line) for line in ("......", ".####.", ".#....", ".#.##.", ".#....", "......")],
            )
        made.append(f"{high} {wide}\n" + "\n".join("".join(line) for line in cells) + "\n")
    return made


def _distance(p: int, text: str) -> str:
    grid = text.split()[2:]
    reached, steps = {(0, 0)}, 0
    while (len(grid) - 1, len(grid[0]) - 1) not in reached:
        more = {
            (y + dy, x + dx)
            for y, x in reached
            for dy, dx in ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))
            if 0 <= y + dy < len(grid) and 0 <= x + dx < len(grid[0]) and grid[y + dy][x + dx] == "."
        }
        if more == reached:
            return "-1"
        reached, steps = more, steps + 1
    return str(steps)


_MAZE = Family(
    "shortest way",
    [1, 2, 4, 6, 9],
    """
from collections import deque

def solve():
    h, w = map(int, input().split())
    grid = [input() for _ in range(h)]
    seen = {(0, 0): 0}
    queue = deque([(0, 0)])
    while queue:
        y, x = queue.popleft()
        for dy, dx in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            at = y + dy, x + dx
            if 0 <= at[0] < h and 0 <= at[1] < w and grid[at[0]][at[1]] == "." and at not in seen:
                seen[at] = seen[y, x] + 1
                queue.append(at)
    return seen.get((h - 1, w - 1), -1)

if __name__ == "__main__":
    print(solve())  # at most PARAM + 3 cells wide
""",
    [("popleft", "pop"), ("(1, 0), (-1, 0), ", "(1, 0), "), (", -1)\n\nif", ")\n\nif")],
    _grids,
    _distance,
)


def _trees(p: int, rng: random.Random) -> list[str]:
    made = []
    for index in range(10):
        size = 1 if index == 0 else p if index < 3 else rng.randint(2, 60)
        parents = [child - 1 if index < 3 else rng.randrange(child) for child in range(1, size)]
        made.append(f"{size}\n{row(parents)}\n")
    return made


def _height(p: int, text: str) -> str:
    levels = [0]
    for parent in map(int, text.split()[1:]):
        levels.append(levels[parent] + 1)
    return str(max(levels))


_DEEP = Family(
    "height of a tree",
    [100, 900, 1500, 5000, 20000],
    """
import sys
import threading

def main():
    n = int(sys.stdin.readline())
    parents = list(map(int, sys.stdin.readline().split()))
    below = [[] for _ in range(n)]
    for child, parent in enumerate(parents, 1):
        below[parent].append(child)
    def height(v):
        return max((height(c) + 1 for c in below[v]), default=0)
    print(height(0))  # PARAM levels at most

sys.setrecursionlimit(10**6)
threading.stack_size(256 * 1024 * 1024)
worker = threading.Thread(target=main)
worker.start()
worker.join()
""",
    [("default=0", "default=1"), ("sys.setrecursionlimit(10**6)", "sys.setrecursionlimit(50)"), ("max((", "sum((")],
    _trees,
    _height,
)


def _graphs(p: int, rng: random.Random) -> list[str]:
    made = []
    for index in range(10):
        size = 1 if index == 0 else rng.randint(2, p)
        edges = [
            (rng.randint(1, size), rng.randint(1, size), rng.randint(1, 20)) for _ in range(rng.randint(0, 3 * size))
        ]
        made.append(f"{size} {len(edges)}\n" + "".join(f"{row(edge)}\n" for edge in edges))
    return made


def _dijkstra(p: int, text: str) -> str:
    size, _, *rest = map(int, text.split())
    edges = list(zip(rest[::3], rest[1::3], rest[2::3], strict=True))
    away = [0.0 if v == 1 else math.inf for v in range(size + 1)]
    for _ in range(size):
        for a, b, cost in edges:
            away[b] = min(away[b], away[a] + cost)
    return row([-1 if one == math.inf else int(one) for one in away[1:]])


_WAYS = Family(
    "distances",
    [2, 4, 8, 16, 40],
    """
import heapq, sys
input = sys.stdin.readline
n, m = map(int, input().split())
graph = [[] for _ in range(n + 1)]
for _ in range(m):
    a, b, c = map(int, input().split())
    graph[a].append((b, c))
INF = float("inf")
dist = [INF] * (n + 1)
dist[1] = 0
heap = [(0, 1)]
while heap:
    d, v = heapq.heappop(heap)
    if d > dist[v]:
        continue
    for w, c in graph[v]:
        if d + c < dist[w]:
            dist[w] = d + c
            heapq.heappush(heap, (d + c, w))
print(*[x if x < INF else -1 for x in dist[1:]])  # at most PARAM towns
""",
    [
        ("graph[a].append((b, c))", "graph[b].append((a, c))"),
        ("d + c < dist", "d + 1 < dist"),
        ("else -1", "else 'inf'"),
    ],
    _graphs,
    _dijkstra,
)


def families() -> list[Family]:
    """All of this file."""
    return [value for value in globals().values() if isinstance(value, Family)]
