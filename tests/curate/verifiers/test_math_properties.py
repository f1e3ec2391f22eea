"""What holds for every answer: rewriting changes nothing, another number is another answer, order does not count."""

import asyncio
import random
from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.verifiers.answers.decide import decide
from curate.verifiers.math import Math
from curate.verifiers.worker import MEMORY_BYTES, worker_command
from sandbox.workers import Workers
from tests.curate.verifiers.math_kinds import KINDS
from tests.curate.verifiers.rows import attempt, question, resources

# docs/reference/math.md: every rewriting that it names as meaning nothing.
REWRITINGS: dict[str, Callable[[str], str]] = {
    "dollars": lambda text: f"${text}$",
    "display": lambda text: rf"\[{text}\]",
    "braces": lambda text: f"{{{text}}}",
    "full stop": lambda text: f"{text}.",
    "spaces": lambda text: f"  {text} ",
    "thin spaces": lambda text: text.replace("+", r"\,+\,"),
    "wide spaces": lambda text: text.replace("=", r"\ =\ "),
    "dfrac": lambda text: text.replace(r"\frac", r"\dfrac"),
    "sizes": lambda text: text.replace("(", r"\left(").replace(")", r"\right)"),
    "big": lambda text: text.replace("(", r"\bigl(").replace(")", r"\bigr)"),
    "style": lambda text: rf"\displaystyle {text}",
    "zero width": lambda text: f"\u200b{text}\ufeff",
    "minus": lambda text: text.replace("-", "\u2212"),
    "leq": lambda text: text.replace(r"\le ", r"\leq "),
}
numbers = st.fractions(max_denominator=10**6) | st.integers(-(10**12), 10**12).map(Fraction)
ATOMS = ["x", "y", "2", "3", "7", r"\pi", r"\sqrt{2}", "n", "a_1", "0.5"]


def expression(depth: int = 3) -> st.SearchStrategy[str]:
    return st.recursive(
        st.sampled_from(ATOMS),
        lambda inner: st.one_of(
            st.tuples(inner, inner).map(lambda pair: f"({pair[0]}+{pair[1]})"),
            st.tuples(inner, inner).map(lambda pair: f"({pair[0]}-{pair[1]})"),
            st.tuples(inner, inner).map(lambda pair: rf"{pair[0]}\cdot {pair[1]}"),
            st.tuples(inner, inner).map(lambda pair: rf"\frac{{{pair[0]}}}{{{pair[1]}+11}}"),
            inner.map(lambda one: f"({one})^2"),
            inner.map(lambda one: rf"\sin({one})"),
        ),
        max_leaves=2**depth,
    )


def written(value: Fraction) -> list[str]:
    """Ways to write a number exactly."""
    top, bottom = value.numerator, value.denominator
    forms = [f"{top}/{bottom}", rf"\frac{{{top}}}{{{bottom}}}", rf"\dfrac{{{2 * top}}}{{{2 * bottom}}}"]
    if bottom == 1:
        forms += [str(top), f"{top:,}", f"{top:,}".replace(",", "{,}"), f"{top}.0", rf"x={top}", rf"{top}\text{{ cm}}"]
    elif value > 1:
        whole, rest = divmod(top, bottom)
        forms.append(rf"{whole}\frac{{{rest}}}{{{bottom}}}")
    return forms


@given(numbers)
def test_a_number_equals_itself_however_it_is_written(value: Fraction) -> None:
    forms = written(value)
    assert [form for form in forms if decide(forms[0], form).equal is not True] == []


@given(numbers, numbers)
def test_different_numbers_differ(one: Fraction, other: Fraction) -> None:
    if one != other:
        pairs = [(left, right) for left in written(one) for right in written(other)]
        assert [pair for pair in pairs if decide(*pair).equal] == []
        assert decide(written(one)[1], written(other)[1]).equal is False


@pytest.mark.parametrize("name", REWRITINGS)
def test_a_rewriting_changes_nothing(name: str) -> None:
    rewrite = REWRITINGS[name]
    texts = [text for classes in KINDS.values() for one in classes for text in one if "$" not in text]
    texts = [text for text in texts if not (r"\left" in text or r"\big" in text)]
    if name in ("display", "dollars", "style"):
        texts = [text for text in texts if "\\(" not in text]
    changed = [text for text in texts if decide(text, rewrite(text)).equal is not True]
    assert changed == []


@settings(deadline=None, max_examples=150)
@given(expression(), st.randoms(use_true_random=False))
def test_an_expression_equals_itself_rewritten(text: str, rng: random.Random) -> None:
    forms = [
        text.replace(r"\cdot ", "*"),
        text.replace(r"\cdot ", r"\times "),
        f"0+{text}",
        f"({text})+x-x",
        rf"\frac{{2\cdot {text}}}{{2}}",
        f"-(-({text}))",
        f"y={text}",
    ]
    found = [decide(text, form).equal for form in forms]
    assert False not in found
    assert None not in found[:3]
    assert decide(text, f"{text}+1").equal is not True
    assert decide(text, f"{text}+{rng.randint(1, 9)}x").equal is not True


@settings(deadline=None, max_examples=100)
@given(expression(), expression())
def test_both_ways_round(one: str, other: str) -> None:
    assert {decide(one, other).equal, decide(other, one).equal} != {True, False}


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(-99, 99), min_size=2, max_size=6, unique=True), st.randoms(use_true_random=False))
def test_sets_have_no_order_and_tuples_have_one(values: list[int], rng: random.Random) -> None:
    shuffled = rng.sample(values, len(values))
    inside, mixed = ", ".join(map(str, values)), ", ".join(map(str, shuffled))
    assert decide(rf"\{{{inside}\}}", rf"\{{{mixed}\}}").equal is True
    assert decide(inside, mixed).equal is True
    assert decide(f"({inside})", f"({mixed})").equal is (values == shuffled)
    assert decide(inside, ", ".join(map(str, values[:-1]))).equal is False


@pytest.mark.slow
async def test_neither_order_nor_the_number_of_workers_changes_a_verdict() -> None:
    rng = random.Random(5)
    classes = [one for kind in KINDS.values() for one in kind]
    rows = [(rng.choice(rng.choice(classes)), rng.choice(rng.choice(classes))) for _ in range(150)]
    rows += [(rng.choice(one), rng.choice(one)) for one in classes]
    rows += [("7", r"\int_0^7 1 dx"), ("6", r"\sum_{k=1}^{3} k"), ("5", r"\sum_{k=1}^{3} k"), ("x", "x + +")]

    async def judged(order: list[int], count: int) -> list[object]:
        async with Workers(worker_command(), count=count, memory_bytes=MEMORY_BYTES) as workers:
            verify = Math().verify
            given = resources(workers=workers)
            found = await asyncio.gather(
                *(verify(question(rows[row][0]), attempt(rf"\boxed{{{rows[row][1]}}}"), given) for row in order)
            )
        verdicts = dict(zip(order, found, strict=True))
        return [(verdicts[row].outcome, verdicts[row].reason, verdicts[row].evidence) for row in range(len(rows))]

    straight = list(range(len(rows)))
    one, two = await judged(straight, 2), await judged(rng.sample(straight, len(rows)), 1)
    assert one == two
