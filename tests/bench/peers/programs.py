"""The programs that every runner is given: right ones, of the size of HumanEval and MBPP answers, ten tests each.

Each is a dict that JSON can hold: `kind` (`stdin` or `call`), `source`, `entry`, and `tests` of `input` or `args` with
what is `expected`; `script` is the whole program for runners that know standard input only.
"""

import ast
import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.real.programs import calls, plain
from tests.real.programs.problem import Problem

ROOT = Path(__file__).resolve().parents[3]
TESTS = 10  # a program; fewer are repeated in turn
_LIGHT = ("sum modulo", "largest k", "word counts", "is it prime", "a pyramid", "mean and deviation", "most frequent")

_CALLED = """
import json as _json, sys as _sys
_arguments = _json.loads(_sys.stdin.read())
print(_json.dumps({target}(*_arguments)))
"""


def programs(kind: str, count: int) -> list[dict[str, Any]]:
    """`count` programs of a kind: HumanEval's where the data is there, else our own; in turn if there are too few."""
    found = list(_humaneval(kind)) or list(_own(kind))
    return [found[index % len(found)] for index in range(count)]


def _humaneval(kind: str) -> Iterator[dict[str, Any]]:
    path = Path(os.environ.get("VERISTILL_DATA", ROOT.parent / "shared" / "data")) / "humaneval/HumanEval.jsonl.gz"
    if not path.exists():
        return
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            problem = json.loads(line)
            source = problem["prompt"] + problem["canonical_solution"]
            tests = list(_calls(source, problem["entry_point"], problem["test"]))
            if tests:
                yield _program(kind, source, problem["entry_point"], tests)


def _calls(source: str, entry: str, check: str) -> Iterator[dict[str, Any]]:
    """The tests `candidate(arguments) == value` of which all is JSON; the published solution gives the value."""
    names: dict[str, Any] = {}
    exec(source, names)
    for node in ast.walk(ast.parse(check)):
        if not (isinstance(node, ast.Assert) and isinstance(node.test, ast.Compare)):
            continue
        call = node.test.left
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "candidate"):
            continue
        try:
            args = [ast.literal_eval(one) for one in call.args]
            wanted = ast.literal_eval(node.test.comparators[0])
        except ValueError:
            continue
        if json.loads(json.dumps(args)) == args and json.loads(json.dumps(wanted)) == wanted:
            value = names[entry](*json.loads(json.dumps(args)))
            if value == wanted and repr(value) == repr(wanted):
                yield {"args": args, "expected": wanted}


def _program(kind: str, source: str, entry: str, tests: list[dict[str, Any]]) -> dict[str, Any]:
    tests = [tests[index % len(tests)] for index in range(TESTS)]
    if kind == "call":
        return {
            "kind": kind,
            "source": source,
            "entry": entry,
            "script": source + _CALLED.format(target=f"Solution().{entry}" if "class Solution" in source else entry),
            "tests": [{**one, "input": json.dumps(one["args"])} for one in tests],
        }
    source += f"\nprint({entry}(*eval(input())))\n"
    given = [{"input": f"{one['args']!r}\n", "expected": f"{one['expected']}\n"} for one in tests]
    return {"kind": kind, "source": source, "entry": None, "script": source, "tests": given}


def _own(kind: str) -> Iterator[dict[str, Any]]:
    for family in plain.families() if kind == "stdin" else calls.families():
        if kind == "call" or family.name in _LIGHT:
            for problem in family.problems():
                yield _of(kind, problem)


def _of(kind: str, problem: Problem) -> dict[str, Any]:
    tests = [case.model_dump(exclude={"kind"}) for case in problem.cases[:TESTS]]
    if kind == "call":
        assert problem.entry is not None
        return _program(kind, problem.source, problem.entry, tests)
    return {"kind": kind, "source": problem.source, "entry": None, "script": problem.source, "tests": tests}
