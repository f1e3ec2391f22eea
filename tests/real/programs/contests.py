"""Right programs, and three wrong variants each, for published problems that bring tests but no solutions.

The problems are CodeContests' and LiveCodeBench's, by their place in the files of samples. CodeContests' mutated tests
break the statements' promises (rows that do not exist, words that are none); the programs read them as the published
answers do. Problems of which several answers are right are left out where the published one is one of many.
"""

from typing import NamedTuple


class Solution(NamedTuple):
    """A program for problem `place`; `wrong` as in `problem.Family`."""

    place: int
    source: str
    wrong: tuple[tuple[str, str], tuple[str, str], tuple[str, str]]


LIES = Solution(
    0,
    """
import sys
from collections import defaultdict

def main():
    words = sys.stdin.read().split()
    at = 1
    for _ in range(int(words[0])):
        k = int(words[at])
        at += 1
        change, start = defaultdict(int), 0
        for _ in range(k):
            sign, value, said = words[at], int(words[at + 1]), words[at + 2]
            at += 3
            holds = said == "Yes"
            low, high = {"<": (1, value - 1), ">": (value + 1, 10**9)}.get(sign, (value, value))
            if holds:
                change[1] += 1
                change[10**9 + 1] -= 1
                low, high, by = low, high, -1
            else:
                by = 1
            if low <= high:
                change[low] += by
                change[high + 1] -= by
        best, lies = k, 0
        for place in sorted(change):
            if place > 10**9:
                break
            lies += change[place]
            best = min(best, lies)
        print(min(best, k))

main()
""",
    (("value - 1)", "value)"), ('== "Yes"', '!= "Yes"'), ("min(best, lies)", "max(best, lies)")),
)

MATRIX = Solution(
    1,
    """
import sys
from collections import defaultdict
input = sys.stdin.readline
n, m, p = map(int, input().split())
rows = defaultdict(lambda: defaultdict(int))
for _ in range(p):
    i, j = map(int, input().split())
    rows[i][j] += 1
for i in range(1, n + 1):
    row = rows.get(i)
    if not row:
        print(m - 1)
        continue
    lost = any(j < m and row[j] > 1 + row.get(j + 1, 0) for j in sorted(row))
    print(-1 if lost else m - 1 + row.get(m, 0) - row.get(1, 0))
""",
    (("- row.get(1, 0)", ""), ("j < m and ", ""), ("> 1 + row", ">= 1 + row")),
)

JUMPS = Solution(
    2,
    """
from collections import deque
s = input().strip()
places = {}
for i, c in enumerate(s):
    places.setdefault(c, []).append(i)
steps = {0: 0}
queue = deque([0])
while queue:
    i = queue.popleft()
    if i == len(s) - 1:
        print(steps[i])
        break
    for j in [i - 1, i + 1, *places.pop(s[i], [])]:
        if 0 <= j < len(s) and j not in steps:
            steps[j] = steps[i] + 1
            queue.append(j)
""",
    (("[i - 1, i + 1, *", "[i - 1, *"), ("popleft", "pop"), ("*places.pop(s[i], [])", "*[]")),
)

SHIRTS = Solution(
    3,
    """
from collections import Counter
n = int(input())
have = Counter(input() for _ in range(n))
want = Counter(input() for _ in range(n))
print(sum((have - want).values()))
""",
    (("have - want", "have + want"), ("sum((", "len(("), ("range(n))\nprint", "range(n - 1))\nprint")),
)

KINGDOMS = Solution(
    5,
    """
import sys
def main():
    data = sys.stdin.read().split()
    n = int(data[0])
    stands = [1 - float(x) for x in data[1:n + 1]]
    at = n + 1
    nodes = sum(stands)
    near = [[] for _ in range(n)]
    for _ in range(n - 1):
        a, b = int(data[at]), int(data[at + 1])
        near[a].append(b)
        near[b].append(a)
        at += 2
    parent, order = [-1] * n, [0]
    for v in order:
        for w in near[v]:
            if w != parent[v]:
                parent[w] = v
                order.append(w)
    below = [0.0] * n
    edges = 0.0
    for v in order[1:]:
        below[parent[v]] += stands[v]
        edges += stands[v] * stands[parent[v]]
    q = int(data[at])
    at += 1
    out = []
    for _ in range(q):
        v, now = int(data[at]), 1 - float(data[at + 1])
        at += 2
        change = now - stands[v]
        nodes += change
        edges += change * below[v]
        if parent[v] >= 0:
            edges += change * stands[parent[v]]
            below[parent[v]] += change
        stands[v] = now
        out.append("%.5f" % (nodes - edges + 1e-9))
    print("\\n".join(out))
main()
""",
    (
        ("nodes - edges", "nodes - edges + 0.001"),
        ("+= change * below[v]", "+= 0"),
        ("below[parent[v]] += change\n", "pass\n"),
    ),
)

ARRAYS = Solution(
    6,
    """
MOD = 998244353
n = int(input())
a = list(map(int, input().split()))

def allowed(i):
    return range(1, 201) if a[i] == -1 else range(a[i], a[i] + 1)

rising, settled = [0] * 202, [0] * 202
for value in allowed(0):
    rising[value] = 1
for i in range(1, n):
    r, s = [0] * 202, [0] * 202
    less_r = [0] * 203
    more_s = [0] * 203
    total = [0] * 203
    for v in range(1, 202):
        less_r[v] = (less_r[v - 1] + rising[v - 1] + settled[v - 1]) % MOD
    for v in range(200, -1, -1):
        more_s[v] = (more_s[v + 1] + settled[v + 1]) % MOD if v < 201 else 0
    for v in allowed(i):
        r[v] = less_r[v]
        s[v] = (rising[v] + settled[v] + more_s[v]) % MOD
    rising, settled = r, s
print(sum(settled) % MOD)
""",
    (
        ("settled[v - 1]) %", "0) %"),
        ("range(1, 201)", "range(1, 200)"),
        ("+ more_s[v]) %", "+ more_s[v] + rising[v + 1]) %"),
    ),
)

TREES = Solution(
    9,
    """
import sys
sys.setrecursionlimit(10**6)
n, k = map(int, sys.stdin.readline().split())
root = list(range(n + 1))
def find(v):
    if root[v] != v:
        root[v] = find(root[v])
    return root[v]
for line in sys.stdin:
    u, v, black = map(int, line.split())
    if not black:
        root[find(u)] = find(v)
sizes = {}
for v in range(1, n + 1):
    sizes[find(v)] = sizes.get(find(v), 0) + 1
mod = 10**9 + 7
print((pow(n, k, mod) - sum(pow(size, k, mod) for size in sizes.values())) % mod)
""",
    (("if not black", "if black"), ("- sum(", "+ sum("), ("10**9 + 7", "10**9 + 9")),
)

MP3 = Solution(
    12,
    """
from itertools import groupby
n, size = map(int, input().split())
counts = [len(list(group)) for _, group in groupby(sorted(map(int, input().split())))]
kinds = min(len(counts), 1 << min(20, 8 * size // n))
window = best = sum(counts[:kinds])
for i in range(kinds, len(counts)):
    window += counts[i] - counts[i - kinds]
    best = max(best, window)
print(n - best)
""",
    (("8 * size // n", "8 * size // n + 1"), ("- counts[i - kinds]", ""), ("sorted(map(int", "(map(int")),
)

MONSTERS = Solution(
    14,
    """
def solve():
    n, r = map(int, input().split())
    xs = sorted(set(map(int, input().split())), reverse=True)
    shots = 0
    for x in xs:
        if x - shots * r <= 0:
            break
        shots += 1
    return shots

for _ in range(int(input())):
    print(solve())
""",
    (("<= 0", "< 0"), ("set(map(int, input().split()))", "list(map(int, input().split()))"), (", reverse=True", "")),
)

BATH = Solution(
    16,
    """
def solve(t1, t2, x1, x2, t0):
    if t1 == t0 == t2:
        return x1, x2
    if t0 == t1:
        return x1, 0
    if t0 == t2:
        return 0, x2
    cold, hot = t0 - t1, t2 - t0
    best = (hot * x2, x2, 0, x2)  # the excess over t0, as a fraction, and the taps
    for y1 in range(1, x1 + 1):
        y2 = -(-y1 * cold // hot)
        if y2 > x2:
            break
        over, total = hot * y2 - cold * y1, y1 + y2
        left, right = over * best[1], best[0] * total
        if left < right or left == right and total > best[2] + best[3]:
            best = (over, total, y1, y2)
    return best[2], best[3]

print(*solve(*map(int, input().split())))
""",
    (("-(-y1 * cold // hot)", "y1 * cold // hot"), ("and total >", "and total <"), ("return x1, 0", "return x1, x2")),
)

SHUFFLED = Solution(
    17,
    """
n, m = input(), input()
digits = sorted(n)
for i, d in enumerate(digits):
    if d != "0":
        digits[0], digits[i] = digits[i], digits[0]
        break
print("OK" if "".join(digits) == m else "WRONG_ANSWER")
""",
    (('if d != "0":', 'if d != "1":'), ("sorted(n)", "sorted(n, reverse=True)"), ("WRONG_ANSWER", "Wrong_Answer")),
)

XOR = Solution(
    18,
    """
import sys
from bisect import bisect_left
n, *a = map(int, sys.stdin.buffer.read().split())
result = 0
for bit in range(25):
    half, full = 1 << bit, 2 << bit
    low = sorted(x % full for x in a)
    count = 0
    for i, x in enumerate(low):
        for start, end in ((half, full), (half + full, 2 * full)):
            count += max(0, bisect_left(low, end - x) - max(i + 1, bisect_left(low, start - x)))
    if count % 2:
        result |= half
print(result)
""",
    (("range(25)", "range(2)"), ("i + 1, ", "i, "), ("half + full, 2", "half, 2")),
)

REMAINDERS = Solution(
    19,
    """
import sys
from itertools import accumulate
def answers(a, b, queries):
    period = a * b
    sums = [0, *accumulate(x % a % b != x % b % a for x in range(period))]
    def upto(x):
        rounds, rest = divmod(x + 1, period)
        return rounds * sums[period] + sums[rest]
    return [upto(r) - upto(l - 1) for l, r in queries]
words = iter(map(int, sys.stdin.read().split()))
for _ in range(next(words)):
    a, b, q = next(words), next(words), next(words)
    print(*answers(a, b, [(next(words), next(words)) for _ in range(q)]))
""",
    (
        ("divmod(x + 1, period)", "divmod(x, period)"),
        ("upto(l - 1)", "upto(l)"),
        ("(next(words), next(words)) for _ in range(q)", "(1, 1)"),
    ),
)

CARDS = Solution(
    0,
    """
for _ in range(int(input())):
    print("YES" if sum(x != y for x, y in zip(input(), "abc")) in (0, 2) else "NO")
""",
    (("(0, 2)", "(0, 1)"), ('"YES"', '"Yes"'), ("int(input())", "int(input()) + 1")),
)

SENIORS = Solution(
    1,
    """
class Solution:
    def countSeniors(self, details: List[str]) -> int:
        return sum(int(one[11:13]) > 60 for one in details)
""",
    (("> 60", ">= 60"), ("[11:13]", "[12:14]"), ("self, details", "details")),
)

WINNER = Solution(
    2,
    """
n = int(input())
s = input()
t, a = s.count("T"), s.count("A")
print("T" if t > a or t == a and s[-1] == "A" else "A")
""",
    (("t == a", "t != a"), ('s[-1] == "A"', 's[-1] == "T"'), ("t > a", "t < a")),
)

CODE_CONTESTS = (
    LIES, MATRIX, JUMPS, SHIRTS, KINGDOMS, ARRAYS, TREES, MP3, MONSTERS, BATH, SHUFFLED, XOR, REMAINDERS,
)  # fmt: skip
LIVE_CODE_BENCH = (CARDS, SENIORS, WINNER)
