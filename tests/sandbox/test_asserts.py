"""Assert statements decided outside have the verdict of the same statements run as they stand, by a plain Python."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox import Assert, Call, Limits, Program, Sandbox
from sandbox.asserts import decide, plan
from sandbox.compare import Unreadable
from sandbox.inside.value import NotPlain, typed
from sandbox.typed import read, shown

LIMITS = Limits(cpu_s=2.0)
CHECK = "def check(candidate):\n    assert candidate(1) == 1\n    assert candidate(2) == 2, 'twice'\n\ncheck(f)\n"
OBJECTS = """
class Box:
    def __init__(self, n): self.n = n
    def __eq__(self, other): return isinstance(other, Box) and self.n == other.n
    def __add__(self, other): return Box(self.n + other.n)
    def __lt__(self, n): return self.n < n
    def __contains__(self, n): return self.n == n
    def __len__(self): return self.n
def make(n): return Box(n)
"""
# program, statements, whether they are decided outside
STATEMENTS = [
    ("def f(x): return x", "assert f(1) == 1", True),
    ("def f(x): return x", "assert f(1) == 2", True),
    ("def f(x): return x", "assert 1 == f(1), 'message'", True),
    ("def f(x): return x", "assert f(1) == 1.0 and f(True) == 1", True),
    ("def f(x): return (x, [x])", "assert f(1) == (1, [1])", True),
    ("def f(x): return [x, x]", "assert f(1) == (1, 1)", True),
    ("def f(x): return {x, x + 1}", "assert f(1) == {2, 1}", True),
    ("def f(x): return frozenset([x])", "assert f(1) == {1}", True),
    ("def f(x): return {x: 'a', (x,): 2}", "assert f(1) == {(1,): 2, 1: 'a'}", True),
    ("def f(x): return {str(x): 'a'}", "assert f(1) == {1: 'a'}", True),
    ("def f(x): return x.keys()", "assert f({1: 2}) == {1}", True),
    ("def f(x): return b'ab'", "assert f(1) == 'ab'", True),
    ("def f(x): return bytearray(b'ab')", "assert f(1) == b'ab'", True),
    ("def f(x): return complex(x, 2)", "assert f(1) == 1 + 2j", True),
    ("def f(x): return None", "assert f(1) is None", True),
    ("def f(x): return 1", "assert f(1) is True", True),
    ("def f(x): return 1", "assert f(1) == True", True),
    ("def f(x): return 0", "assert f(1) is not None", True),
    ("def f(x): return []", "assert not f(1)", True),
    ("def f(x): return x", "assert f([])", True),
    ("class A:\n    def __bool__(self): return False\ndef f(x): return A()", "assert f(1)", True),
    ("def f(x): return object()", "assert f(1)", True),
    ("def f(x): return object()", "assert f(1) == 1", True),
    ("def f(x): return object()", "assert f(1) != 1", True),
    ("def f(x): return object()", "assert f(1) < 1", True),
    ("def f(x): return x / 3", "assert abs(f(1) - 0.3333) < 1e-3", True),
    ("def f(x): return x / 3", "assert abs(f(1) - 0.3333) < 1e-9", True),
    ("import math\ndef f(x): return x / 3", "import math\nassert math.isclose(f(1), 0.3333, rel_tol=1e-3)", True),
    ("def f(x): return x / 3", "assert round(f(1), 2) == 0.33", True),
    ("def f(x): return 10 ** x", "assert f(5000) == 10 ** 5000", True),
    ("def f(x): return 10 ** x", "assert f(5000) == 10 ** 5000 + 1", True),
    ("def f(x): return float('nan')", "assert f(1) == f(1)", False),
    ("def f(x): return float('inf')", "assert f(1) == float('inf')", True),
    ("def f(x): return (y for y in x)", "assert list(f([1, 2])) == [1, 2]", True),
    ("def f(x): return map(str, x)", "assert sorted(f([2, 1])) == ['1', '2']", True),
    ("def f(x): return (y for y in x)", "assert f([1, 2]) == [1, 2]", True),
    ("def f(x): return range(x)", "assert f(2) == [0, 1]", True),
    ("from collections import *\ndef f(x): return Counter(x)", "assert f('aab') == {'a': 2, 'b': 1}", True),
    ("from collections import *\ndef f(x): return OrderedDict(b=1, a=2)", "assert f(1) == {'a': 2, 'b': 1}", True),
    ("from collections import *\nP = namedtuple('P', 'a b')\ndef f(x): return P(1, 2)", "assert f(1) == (1, 2)", True),
    ("from fractions import *\ndef f(x): return Fraction(x, 2)", "assert f(1) == 0.5", True),
    ("from decimal import *\ndef f(x): return Decimal('0.5')", "assert f(1) == 0.5 and f(1) > 0", True),
    ("from enum import *\nclass E(IntEnum): A = 3\ndef f(x): return E.A", "assert f(1) == 3", True),
    ("def f(x): return '\\udc80'", "assert f(1) == '\\udc80'", True),
    ("def f(x, *, k=1): return k", "assert f(1, k=(2, 3)) == (2, 3)", True),
    ("def f(x): return type(x).__name__", "assert f({1: 2}) == 'dict' and f((1,)) == 'tuple'", True),
    ("def f(x): return sorted(x)", "assert f({3, 1}) == [1, 3]", True),
    ("def f(x): return x", "assert f(3) in (1, 2, 3)", True),
    ("def f(x): return x", "assert 1 < f(3) <= 3", True),
    ("def f(x): return x", "assert isinstance(f(3), int) and not isinstance(f(3), (str, list))", True),
    ("def f(x): return x", "assert f(3) == 4 or f(3) == 3", False),
    ("def f(x):\n    if x == 2: raise ValueError\n    return x", "assert f(1) == 1 or f(2) == 2", False),
    ("def f(x): return x", "assert (f(3) == 4, 'always')", True),
    ("def f(x): return x", "assert f(f(3)) == 3", True),
    ("class Solution:\n    def f(self, x): return x", "assert Solution().f(3) == 3", True),
    ("def f(x, seen=[]):\n    seen.append(x)\n    return len(seen)", CHECK, True),
    ("def f(x, seen=[]):\n    seen.append(x)\n    return len(seen)", "assert f(2) == 1\nassert f(2) == 1", True),
    ("def f(x): return x", CHECK, True),
    ("def f(x): return 1", CHECK, True),
    ("def f(x):\n    if x == 2: raise ValueError\n    return x", CHECK, True),
    ("def f(x): return x", "for x in range(3):\n    assert f(x) == x", False),
    ("def f(x): return x", "x = f(3)\nassert x == 3", False),
    ("def f(x): return x\ndef g(x): return x + 1", "assert g(f(1)) == 2", False),
    ("def f(x): return x", "assert [f(x) for x in (1, 2)] == [1, 2]", False),
    ("def f(x): return x", "try:\n    f()\n    assert False\nexcept TypeError: pass", False),
    ("def g(x): return x", "assert f(1) == 1", True),
    ("def f(x): return x", "assert f() == 1", True),
    ("def f(x): raise SystemExit(0)", "assert f(1) == 1", True),
    ("def f(x): assert False", "assert f(1) == 1", True),
    ("def f(x): return x", "assert f(1) == 1; assert True, 'and'", True),
    ("def f(x): return x", "pass\n'text'\nassert f(1) == 1", True),
    ("def f(x): return [float(x)] * 3", "assert f(1) == [1] * 3", True),
    ("def f(x): return x", "assert f(-1) == -1 and f(+2) == 2 and f(2 ** 5) == 1 << 5", True),
    ("def f(x): return x", "assert f(1) == f(2) - 1", False),
    ("def sum(a, b): return a + b", "assert sum(1, 2) == 3", False),
    # Objects compare as their class says, and one value may be another.
    (OBJECTS, "assert make(1) == Box(1)", False),
    (OBJECTS, "assert make(1) != Box(1)", False),
    (OBJECTS, "assert Box(1) + Box(2) == Box(3)", False),
    (OBJECTS, "assert 3 in Box(3) and Box(3) < 4", False),
    (OBJECTS, "assert [make(1)] == [Box(1)]", False),
    (OBJECTS, "assert len(Box(3)) == 3 and Box(3).n == 3 and not Box(0)", True),
    ("from collections import *\ndef f(x): return deque([x])", "assert f(1) == deque([1])", False),
    ("from collections import *\ndef f(x): return Counter(a=0)", "assert f(1) == Counter()", False),
    ("from collections import *\ndef f(): return OrderedDict(a=1, b=2)", "assert f() == OrderedDict(b=2, a=1)", False),
    ("L = []\ndef f(x):\n    L.append(x)\n    return L", "assert f(1) == f(2)", False),
    ("import math\ndef f(x): return [math.nan]", "import math\nassert f(1) == [math.nan]", False),
    # What crosses is of built-in types.
    ("def f(x): return bytearray(b'ab')", "assert isinstance(f(1), bytes)", True),
    ("def f(x): return {1: 2}.keys()", "assert isinstance(f(1), (set, frozenset))", True),
    ("import numpy\ndef f(x): return numpy.int64(x)", "assert f(3) == 3 and f(3) < 4", True),
    ("import numpy\ndef f(x): return numpy.int64(x)", "assert isinstance(f(3), int)", True),
    ("import numpy\ndef f(x): return numpy.bool_(x)", "assert f(1) == True and f(1) and not f(0)", True),
    ("import numpy\ndef f(x): return numpy.bool_(x)", "assert f(1) is True", True),
    ("import numpy\ndef f(x): return numpy.longdouble(x) / 2", "assert f(1) == 0.5", True),
    # Large values.
    ("def f(x): return [0] * x", "assert f(10 ** 6) == [0] * 10 ** 6", False),
    ("def f(x): return [7] * x", "assert 8 not in f(10 ** 6)", True),
    ("def f(x): return 'a' * x", "assert f(10 ** 6) == 'a' * 10 ** 6", False),
    ("def f(x): return 7 ** x", "assert f(60000) % 10 == 1", True),
    ("def f(x): return 2 ** x", "assert f(200000) == 2 ** 200000 and f(9) == 1 << 9", True),
    ("def f(x): return x", "assert '%d' % f(1) == '1'", False),
]  # fmt: skip


def reference(program: str, statements: str) -> bool:
    """What a fresh interpreter says of the program with the statements after it."""
    text = f"{program}\n{statements}\nimport os\nos.write(1, b'end')\nos._exit(0)\n".encode("utf-8", "surrogatepass")
    ended = subprocess.run([sys.executable, "-I", "-"], input=text, capture_output=True, timeout=20, check=False)
    return ended.stdout.endswith(b"end")


@pytest.fixture(scope="module")
def strict() -> Iterator[Sandbox]:
    with Sandbox("namespaces", workers=1, mode="strict") as sandbox:
        yield sandbox


@pytest.mark.parametrize(("program", "statements", "outside"), STATEMENTS, ids=range(len(STATEMENTS)))
def test_the_verdict_is_the_reference_runs(strict: Sandbox, program: str, statements: str, outside: bool) -> None:
    outcome = strict.run_sync(Program(source=program, cases=[Assert(code=statements)], limits=LIMITS))
    assert (outcome.status == "pass") is reference(program, statements), outcome
    assert outcome.status != "error"
    assert outcome.weaker is not outside


def test_the_function_named_may_be_one_that_is_built_in(strict: Sandbox) -> None:
    program = Program(source="def sum(a, b): return a + b", cases=[Assert(code="assert sum(1, 2) == 3")], entry="sum")
    outcome = strict.run_sync(program)
    assert (outcome.status, outcome.weaker) == ("pass", False)


def test_evidence(strict: Sandbox) -> None:
    source = "def f(x): return {'b', 'a', 'c'}"
    outcome = strict.run_sync(Program(source=source, cases=[Assert(code="assert f(1) == {'b', 'a'}, 'no'")]))
    assert outcome.evidence["expected"] == "{'a', 'b'}"
    assert outcome.evidence["got"] == "{'a', 'b', 'c'}"
    assert outcome.evidence["message"] == "AssertionError in: assert f(1) == {'b', 'a'}"


def test_what_is_expected_is_not_in_what_runs_inside() -> None:
    planned = plan("assert f('in') == 'out' and abs(g([1]) - 'out') < 'out'", None)
    assert planned is not None
    assert json.loads(planned.data()) == ["f('in')", "g([1])"]


@pytest.mark.parametrize(
    ("returned", "expected", "same"),
    [("(1, 2)", (1, 2), True), ("[1, 2]", (1, 2), False), ("{1: 'a'}", {1: "a"}, True), ("{'1': 'a'}", {1: "a"}, False),
     ("{2, 1}", {1, 2}, True), ("1.0", 1, True), ("True", 1, True), ("b'x'", b"x", True), ("0.1 + 0.2", 0.3, False),
     ("x", ({1}, (2,), b"3"), True)],
)  # fmt: skip
def test_calls_by_pythons_equality(strict: Sandbox, returned: str, expected: Any, same: bool) -> None:
    case = Call(args=[({1}, (2,), b"3")], expected=expected, equality="python")
    outcome = strict.run_sync(Program(source=f"def f(x): return {returned}", cases=[case], entry="f"))
    assert (outcome.status == "pass") is same, outcome


VALUES = [
    *(None, True, 0, -5, 1.5, -0.0, float("inf"), "", "é\0\ud800", b"", b"\xff", 1j, [], (), {}, set(), frozenset()),
    *([1, (2, [3, {4}])], {(1, "a"): {2: [None]}, 3: frozenset({(4,)})}, 10**6000, -(10**6000), [{"tuple": [1]}]),
]


@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
def test_values_come_back_as_they_were(value: Any) -> None:
    back = read(json.loads(json.dumps(typed(value))))
    assert back == value
    assert type(back) is type(value)
    assert len(shown(back)) <= 200


def test_values_too_deep_are_refused() -> None:
    deep: Any = 1
    for _ in range(300):
        deep = [deep]
    with pytest.raises(NotPlain):
        typed(deep)
    with pytest.raises(Unreadable):
        read(deep)


@pytest.mark.parametrize(
    "tree",
    [{}, {"int": 7}, {"int": "seven"}, {"tuple": 7}, {"set": [[1]]}, {"dict": [[1]]}, {"dict": [[{"dict": []}, 1]]},
     {"a": 1, "b": 2}, {"bytes": "xy"}, {"fraction": [1, 0]}, {"fraction": ["1", 2]}, {"decimal": "x"},
     {"complex": [1]}, {"other": 7}, {"set": [{"other": "x"}]}, {"nothing": 1},
     {"set": [n * (2**61 - 1) for n in range(100)]}],
)  # fmt: skip
def test_what_is_no_typed_value(tree: Any) -> None:
    with pytest.raises(Unreadable):
        read(tree)


def test_values_for_too_few_calls_decide_nothing() -> None:
    planned = plan("assert f(1) == 1\nassert f(2) == 2", None)
    assert planned is not None
    assert decide(planned, [1, 2]) == (None, True)
    assert decide(planned, [1]) == (None, False)
    assert decide(planned, [1, 2, 3]) == (None, False)
    broken, decided = decide(planned, [3])
    assert decided
    assert broken is not None


@pytest.mark.parametrize(
    "code",
    ["assert f(1) == 'a' * 10**10", "assert f(1) == 10**10**10", "assert f(1) == [0] * 10**9",
     "assert f(1) == 1 << 10**10", "assert '%999999999d' % f(1) == ''"],
)  # fmt: skip
def test_no_statement_uses_up_the_host(strict: Sandbox, code: str) -> None:
    assert plan(code, None) is None
    program = Program(source="def f(x): return x", cases=[Assert(code=code)], limits=Limits(cpu_s=0.5, memory_mb=64))
    assert strict.run_sync(program).status == "fail"


@pytest.mark.parametrize("code", ["assert f(1) * 10**9 == 1", "assert f(1) ** 2 == 1", "assert 'a' * f(1) == 'a'"])
def test_no_value_uses_up_the_host(code: str) -> None:
    planned = plan(code, None)
    assert planned is not None
    broken, _ = decide(planned, [{"int": hex(1 << (1 << 21))}])
    assert broken is not None


@pytest.mark.real
def test_the_shares_of_real_tests_that_are_decided_outside(data_dir: Path) -> None:
    lines = (data_dir / "sandboxfusion" / "code_eval_mbpp.jsonl").read_text().splitlines()
    tests = [code for line in lines for code in json.loads(line)["test_list"]]
    assert len(tests) == 60
    assert all(plan(code, None) for code in tests)
