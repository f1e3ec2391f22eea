"""Expressions of `where`: what they mean, what they refuse, and what a missing value does."""

import random
from typing import Any

import pyarrow as pa
import pytest

from curate.select.evaluation import evaluate
from curate.select.expression import LONGEST, Expression, ExpressionError

DATA: dict[str, list[Any]] = {
    "seq": [0, 1, 2, 3],
    "rate": [0.0, 0.5, None, 1.0],
    "tokens": [5, 20000, 3, 7],
    "domain": ["math", "code", "math", None],
    "loop": [True, False, None, True],
    "meta.level": ["Level 1", "Level 5", None, "x"],
    "meta.odd": [1.0, float("nan"), None, 3.0],
}
TABLE = pa.table({name: pa.array(values) for name, values in DATA.items()})
TABLE = TABLE.set_column(3, "domain", TABLE.column("domain").dictionary_encode())


@pytest.mark.parametrize(
    ("text", "true", "missing"),
    [
        ("0 < rate < 1 and tokens < 16000", [], [2]),
        ("0 < rate < 1", [1], [2]),
        ("rate <= 0.5 or tokens < 5", [0, 1, 2], []),  # true whatever the missing value is
        ("not rate > 0", [0], [2]),
        ("not loop", [1], [2]),
        ("loop", [0, 3], [2]),
        ("loop == True", [0, 3], [2]),
        ("domain in ['math', 'x']", [0, 2], [3]),
        ("domain not in ('math',)", [1], [3]),
        ("rate is None", [2], []),
        ("rate is not None and rate >= 1", [3], []),
        ("rate is None or rate >= 1", [2, 3], []),
        ("meta.level == 'Level 5'", [1], [2]),
        ("'Level' in meta.level", [0, 1], [2]),
        ("meta.level > 3", [], [0, 1, 2, 3]),  # it holds no numbers
        ("100 / tokens > 15", [0, 2], []),
        ("rate / rate == 1", [1, 3], [0, 2]),  # what is divided by zero has no value
        ("tokens * 2 - 1 > 10", [1, 3], []),
        ("-tokens < -6", [1, 3], []),
        ("abs(rate - 0.5) < 0.1", [1], [2]),
        ("max(tokens, 6) == 6", [0, 2], []),
        ("min(rate, tokens) >= 1", [3], [2]),
        ("len(domain) == 4", [0, 1, 2], [3]),
        ("1 + 2 * 3 == 7", [0, 1, 2, 3], []),
        ("not True", [], []),
        ("tokens != 5 and domain == 'math'", [2], [3]),
        ("abs(-3) + 2 < 10 and loop", [0, 3], [2]),  # constants, however they are made
        ("max(1, 2) + len('abc') == 5 and tokens > 6", [1, 3], []),
        ("meta.odd != 1", [3], [1, 2]),  # what is no number is no value
        ("not meta.odd > 1", [0], [1, 2]),
        ("tokens * 1e308 * 1e308 != 5", [], [0, 1, 2, 3]),
    ],
)
def test_what_it_means(text: str, true: list[int], missing: list[int]) -> None:
    found = evaluate(Expression.read(text), TABLE)
    assert [[row for row, one in enumerate(mask) if one] for mask in found] == [true, missing]


def test_against_python_itself() -> None:
    source = random.Random(3)
    rows = [{name: source.choice([0.0, 0.25, 1.0, 3.0, None]) for name in "abc"} for _ in range(300)]
    table = pa.table({name: pa.array([row[name] for row in rows], pa.float64()) for name in "abc"})
    atoms = ["a < b", "b <= c", "a == 1", "a + b > c", "c - a != 0.25", "0 < b < 2", "a * 2 >= c"]
    for _ in range(60):
        text = source.choice(atoms)
        for _ in range(source.randrange(4)):
            text = f"({text}) {source.choice(['and', 'or'])} {source.choice(['', 'not '])}({source.choice(atoms)})"
        true, missing = evaluate(Expression.read(text), table)
        for row, is_true, is_missing in zip(rows, true, missing, strict=True):
            if None not in row.values():
                assert not is_missing
                assert is_true == eval(text, {}, dict(row)), text
            elif is_missing:
                assert not is_true


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("1 + 1", "must be true or false"),
        ("import os", "cannot be read"),
        ("__import__('os').system('x') == 0", "no function"),
        ("open('x') == 1", "no function 'open'"),
        ("tokens.real > 1", "only meta has parts"),
        ("domain.__class__ == 1", "only meta has parts"),
        ("tokens & 3", "write `and`"),
        ("tokens = 3", "write `==`"),
        ("a && b", "write `and`"),
        ("1 if loop else 2", "cannot stand"),
        ("lambda: 1", "cannot stand"),
        ("[x for x in domain]", "cannot stand"),
        ("rate[0] > 1", "cannot stand"),
        ("(x := 3) > 1", "cannot stand"),
        ("f'{rate}' == 'x'", "cannot stand"),
        ("domain == 'x' and 1 < 'a'", "compares a number with a text"),
        ("rate is 3", "only None"),
        ("rate == None", "only follow"),
        ("rate in [1, 'a']", "all numbers or all texts"),
        ("rate in tokens", "write a list after"),
        ("1 / 0 > rate", "divides by zero"),
        ("rate > 1e30 ** 2", "only + - * /"),
        ("rate > 99999999999999999999", "too large"),
        ("len(3) > 1", "takes a text"),
        ("min(rate) > 1", "takes 2 to 8"),
        ("rate > " + "9" * 400, "too large"),
        ("rate < 1e400", "too large"),
        ("rate < 1e308 * 10", "too large"),
        ("domain == '\\ud800'", "surrogate"),
        ("'\\ud800' in domain", "surrogate"),
        ("x[" + "-" * 900 + "1]", "cannot stand"),
        ("(" * 300, "cannot be read"),
        ("-" * 1500 + "1 > 0", "too long"),
        (" and ".join(["rate > 0"] * 150), "too long"),
        ("rate > 0 and " * 300 + "loop", "characters"),
        ("", "cannot be read"),
        ("rate > 0\x00", "cannot be read"),
    ],
)
def test_what_it_refuses(text: str, says: str) -> None:
    with pytest.raises(ExpressionError) as error:
        Expression.read(text)
    assert says in str(error.value)
    assert len(str(error.value)) < LONGEST


def test_types_are_checked_before_anything_runs() -> None:
    types = {"tokens": "number", "domain": "text", "loop": "truth", "rate": "number"}
    for text in ("tokens > 1 and not loop", "domain == 'x'", "meta.level == 3", "meta.level == 'a'", "loop"):
        Expression.read(text).typed(types)
    for text, says in [
        ("tokens", "must be true or false"),
        ("domain < 3", "compares a text with a number"),
        ("tokns < 3", "did you mean 'tokens'"),
        ("loop + 1 > 2", "takes a number"),
        ("tokens and loop", "takes a truth"),
        ("domain in [1]", "looks for a text"),
        ("tokens == domain", "compares a number with a text"),
        ("not (min(domain, 3) > 2)", "takes a number"),
        ("len(tokens) > 2", "takes a text"),
    ]:
        with pytest.raises(ExpressionError, match=says.replace("(", r"\(")):
            Expression.read(text).typed(types)
