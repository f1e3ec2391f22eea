import time

import pytest

from curate.verifiers.extract import MOST_BOXES, Found, boxed, final_answer, solution_part


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"so \boxed{5}", "5"),
        (r"\boxed{\frac{1}{\sqrt{2}}}", r"\frac{1}{\sqrt{2}}"),
        (r"\boxed{1} then \boxed{2}", "2"),
        (r"\fbox{7}", "7"),
        (r"\framebox{204} minutes", "204"),
        (r"\boxed{\boxed{3}}", "{3}"),
        (r"\boxed{\{1,2\}}", r"\{1,2\}"),
        (r"put it in \boxed{}. It is \boxed{4}, as \boxed{ } says", "4"),
        (r"\boxed{4} and then \boxed{5", "4"),
        (r"\boxed 9.", "9"),
        (r"\boxed{1} or rather \boxed 2", "2"),
        (r"{ unclosed \boxed{6}", "6"),
        (r"} stray \boxed{6}", "6"),
        (r"\\boxed{8}", None),
        ("no box", None),
    ],
)
def test_boxed(text: str, answer: str | None) -> None:
    assert boxed(text) == answer


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The answer is 140.", Found("140", "answer_is")),
        ("Final Answer: The final answer is $\\$10$. I hope it is correct.", Found("\\$10", "answer_is")),
        ("The answer is $18 a day.", Found("$18 a day", "answer_is")),
        ("**Answer:** 18", Found("18", "answer_is")),
        ("**Answer**: $x=3$, since", Found("x=3", "answer_is")),
        ("the answer is\n\\[\n\\frac12\n\\]\nDone.", Found(r"\frac12", "answer_is")),
        ("The answer is 1. No, the answer is 2.5 because", Found("2.5", "answer_is")),
        ("work 3*6\n#### 18", Found("18", "hashes")),
        ("She makes 9*2=18\nA: 18", Found("18", "a_line")),
        ("So she has 18 eggs.", Found("18", "last_number")),
        ("So she has $1,200.50.", Found("$1,200.50", "last_number")),
        (r"$\boxed{1}$ and $\boxed{2}$", Found("1, 2", "boxed", "2", ("1", "2"))),
        (r"\boxed{1}, \boxed{2} \text{ or } \boxed{3}.", Found("1, 2, 3", "boxed", "3", ("1", "2", "3"))),
        (r"\boxed{1}, \boxed{2}, \boxed{1}", Found("1, 2", "boxed", "1", ("1", "2", "1"))),
        (r"\boxed{1} is not right. \boxed{2}", Found("2", "boxed")),
        (r"= 2 + \frac{1}{2} + \frac{1}{8} + \cdots", None),
        ("answer is 3 but \\boxed{4}", Found("4", "boxed")),
        ("5^2=5^2\\cdot5^3-5^2", None),
        ("", None),
        ("I do not know", None),
    ],
)
def test_the_order_of_the_rules(text: str, found: Found | None) -> None:
    assert final_answer(text, plain_number=True) == found


def test_of_very_many_boxes_the_first_and_the_last_are_read() -> None:
    found = final_answer(", ".join(rf"\boxed{{{n}}}" for n in range(40)), plain_number=True)
    assert found is not None
    assert (found.last, len(found.boxes)) == ("39", MOST_BOXES + 1)
    assert final_answer(r"\boxed{7}, " * 40, plain_number=True) == Found("7", "boxed")


def test_the_last_number_counts_only_where_a_number_is_asked_for() -> None:
    assert final_answer("So she has 18 eggs.", plain_number=False) is None


def test_thinking_is_never_searched() -> None:
    assert final_answer("<think>\\boxed{1}</think> It is \\boxed{2}.", plain_number=True) == Found("2", "boxed")
    assert final_answer("<think>it must be \\boxed{1}, or 1", plain_number=True) is None
    assert solution_part("\\boxed{1}</think>rest") == "rest"


@pytest.mark.parametrize(
    "text",
    [
        r"\boxed{" * 200_000,
        r"\boxed{1}, " * 100_000,
        r"\boxed{1} and " * 70_000,
        r"\boxed{\boxed{1}" * 60_000,
        r"\boxed{" * 1000 + "1" + "}" * 1000 + " and " * 200_000,
        "{" * 1_000_000,
        "answer is " * 100_000,
        "answer" + " " * 1_000_000,
        "answer is $\n" * 80_000,
        "1" * 1_000_000,
        "1,1." * 250_000,
        "A:" * 500_000,
        "$1$ " * 250_000,
        "\\" * 1_000_000,
    ],
)
def test_hostile_texts_take_linear_time(text: str) -> None:
    started = time.process_time()
    final_answer(text, plain_number=True)
    assert time.process_time() - started < 3
