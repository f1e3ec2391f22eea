"""Real programs with real tests, in the three forms that datasets hold: stdin, call and HumanEval's check.

HumanEval's canonical solutions and MBPP's are real; where their asserts are `f(literals) == literal`, the same problem
is also written as a call-based row and, with a few lines around the function, as a stdin row. CodeContests brings tests
without solutions: those below are ours.
"""

import ast
import gzip
import json
from pathlib import Path
from typing import Any, NamedTuple

TESTS = 15  # of one CodeContests problem


class Program(NamedTuple):
    """A right program, its tests in one form, and what a mutation needs to know of it."""

    name: str
    form: str  # stdin, call, check or asserts
    problem: str
    source: str
    tests: dict[str, Any]
    entry: str | None = None
    starter: str | None = None
    body: str | None = None  # what completes `starter`


CODE_CONTESTS = {
    "1000_A. Codehorses T-shirts": """
        from collections import Counter
        n = int(input())
        last = Counter(input().strip() for _ in range(n))
        new = Counter(input().strip() for _ in range(n))
        print(sum((new - last).values()))
    """,
    "1139_C. Edgy Trees": """
        import sys
        def main():
            data = list(map(int, sys.stdin.read().split()))
            n, k = data[0], data[1]
            parent = list(range(n + 1))
            def find(x):
                while parent[x] != x:
                    parent[x] = parent[parent[x]]
                    x = parent[x]
                return x
            for i in range(2, 2 + 3 * (n - 1), 3):
                u, v, black = data[i:i + 3]
                if not black:
                    parent[find(u)] = find(v)
            sizes = [0] * (n + 1)
            for v in range(1, n + 1):
                sizes[find(v)] += 1
            mod = 10 ** 9 + 7
            print((pow(n, k, mod) - sum(pow(s, k, mod) for s in sizes if s)) % mod)
        main()
    """,
    "1238_B. Kill 'Em All": """
        for _ in range(int(input())):
            n, r = map(int, input().split())
            places = sorted(set(map(int, input().split())), reverse=True)
            shots = 0
            for x in places:
                if x - shots * r <= 0:
                    break
                shots += 1
            print(shots)
    """,
    "12_B. Correct Solution?": """
        n, m = input().strip(), input().strip()
        digits = sorted(n)
        first = next((i for i, d in enumerate(digits) if d != "0"), 0)
        digits[0], digits[first] = digits[first], digits[0]
        print("OK" if "".join(digits) == m else "WRONG_ANSWER")
    """,
    "digjump": """
        from collections import deque
        s = input().strip()
        n = len(s)
        where = {}
        for i, c in enumerate(s):
            where.setdefault(c, []).append(i)
        far = [-1] * n
        far[0] = 0
        queue = deque([0])
        while queue:
            i = queue.popleft()
            for j in [*where.pop(s[i], []), i - 1, i + 1]:
                if 0 <= j < n and far[j] < 0:
                    far[j] = far[i] + 1
                    queue.append(j)
        print(far[-1])
    """,
    "1342_C. Yet Another Counting Problem": """
        def main():
            for _ in range(int(input())):
                a, b, q = map(int, input().split())
                period = a * b
                before = [0] * (period + 1)
                for x in range(period):
                    before[x + 1] = before[x] + ((x % a) % b != (x % b) % a)
                def count(x):
                    return (x // period) * before[period] + before[x % period]
                out = []
                for _ in range(q):
                    l, r = map(int, input().split())
                    out.append(count(r + 1) - count(l))
                print(*out)
        main()
    """,
}


def load(data: Path) -> list[Program]:
    """Every program, of all forms."""
    return [*_humaneval(data), *_mbpp(data), *_code_contests(data)]


def _humaneval(data: Path) -> list[Program]:
    found = []
    with gzip.open(data / "humaneval" / "HumanEval.jsonl.gz", "rt") as file:
        for row in map(json.loads, file):
            entry, source = row["entry_point"], row["prompt"] + row["canonical_solution"]
            check = {"check": row["test"], "entry_point": entry}
            given = {"entry": entry, "starter": row["prompt"], "body": row["canonical_solution"]}
            found.append(Program(row["task_id"], "check", row["prompt"], source, check, **given))
            calls = _calls(row["test"])
            if len(calls) >= 3:
                inputs, outputs = [args for args, _ in calls], [value for _, value in calls]
                tests = {"fn_name": entry, "inputs": inputs, "outputs": outputs}
                found.append(Program(f"{row['task_id']} call", "call", row["prompt"], source, tests, **given))
                found.append(_on_stdin(row["task_id"], row["prompt"], source, entry, calls))
    return found


def _calls(text: str) -> list[tuple[list[Any], Any]]:
    """The asserts `candidate(literals) == literal` of a check as arguments and value, if JSON holds them exactly."""
    found = []
    for node in ast.walk(ast.parse(text)):
        test = node.test if isinstance(node, ast.Assert) else None
        if not isinstance(test, ast.Compare) or not isinstance(test.ops[0], ast.Eq):
            continue
        call = test.left
        if not isinstance(call, ast.Call) or ast.unparse(call.func) != "candidate" or call.keywords:
            continue
        try:
            args, value = [ast.literal_eval(arg) for arg in call.args], ast.literal_eval(test.comparators[0])
        except ValueError:
            continue
        if value is not None and _plain([args, value]):
            found.append((args, value))
    return found


def _plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_plain, value))
    return value is None or (isinstance(value, str | int | float) and value == value)


def _on_stdin(name: str, problem: str, source: str, entry: str, calls: list[tuple[list[Any], Any]]) -> Program:
    program = f"import json\nimport sys\n\n{source}\n\narguments = json.loads(sys.stdin.readline())\n"
    program += f"print(json.dumps({entry}(*arguments)))\n"
    tests = {
        "inputs": [json.dumps(args) + "\n" for args, _ in calls],
        "outputs": [json.dumps(value) + "\n" for _, value in calls],
    }
    text = f"Read the arguments as one JSON list, print the value as JSON.\n\n{problem}"
    return Program(f"{name} stdin", "stdin", text, program, tests)


def _mbpp(data: Path) -> list[Program]:
    found = []
    for line in (data / "sandboxfusion" / "code_eval_mbpp.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        entry = row["test_list"][0].split("assert ")[1].split("(")[0]
        source = row["canonical_solution"].replace("\r\n", "\n").rstrip() + "\n"
        if f"def {entry}(" in source:
            tests = {"asserts": row["test_list"]}
            found.append(Program(f"mbpp/{row['id']}", "asserts", row["content"], source, tests, entry))
    return found


def _code_contests(data: Path) -> list[Program]:
    found = []
    for line in (data / "sandboxfusion" / "code_eval_code_contests.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        name = json.loads(row["labels"])["name"]
        if name not in CODE_CONTESTS:
            continue
        source = "\n".join(one[8:] for one in CODE_CONTESTS[name].strip("\n").splitlines()) + "\n"
        pairs = [(one["input"]["stdin"], one["output"]["stdout"]) for one in json.loads(row["test"])[:TESTS]]
        tests = {"inputs": [i for i, _ in pairs], "outputs": [o for _, o in pairs]}
        found.append(Program(name, "stdin", row["content"], source, tests))
    return found
