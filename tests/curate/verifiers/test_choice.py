import time

import pytest

from curate.records import Choice
from curate.verifiers.choice import Letter, Named, find_letter
from tests.curate.verifiers.rows import attempt, question, resources

OPTIONS = ("a shoe", "a clock", "a hand, of course", "12")


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        (r"\boxed{C}", "C"),
        (r"\boxed{c}", "C"),
        (r"\boxed{(C)}", "C"),
        (r"\boxed{\text{C}}", "C"),
        (r"\boxed{\textbf{(C)}}", "C"),
        (r"\boxed{\textbf{(C)}\ 17}", "C"),
        (r"\boxed{C. a hand}", "C"),
        (r"\boxed{C) a hand}", "C"),
        (r"\boxed{\text{Option C}}", "C"),
        (r"\boxed{a clock}", "B"),
        (r"\boxed{\text{A clock}}", "B"),
        (r"\boxed{12}", "D"),
        (r"A good one. \boxed{A} no, \boxed{B}", "B"),
        ("The answer is C.", "C"),
        ("The answer is C", "C"),
        ("The answer is (C).", "C"),
        ("The answer is **C**.", "C"),
        ("**Answer:** C", "C"),
        ("Answer: (C) a hand", "C"),
        ("The correct answer is option C, because it points.", "C"),
        ("The answer is C because it points.", "C"),
        ("The answer is $\\boxed{C}$. This is a good result.", "C"),
        ("The answer is a clock.", "B"),
        ("I think it over.\n\nC", "C"),
        ("I think it over.\n\n**C.**", "C"),
        ("So it must be (B).", "B"),
        ("a clock", "B"),
    ],
)
def test_the_letter_is_found(text: str, letter: str) -> None:
    named = find_letter(text, OPTIONS)
    assert named is not None
    assert named.letter == letter


@pytest.mark.parametrize(
    "text",
    [
        "A shoe has a tongue, and so has a man.",
        "The answer is a good question.",
        "The answer is A good question to think over",
        "A clock is what I would guess, or a shoe",
        "I do not know",
        "(E)",
        "",
        "<think>The answer is C.",
        "<think>(C)</think>It is hard to say",
    ],
)
def test_an_article_is_no_answer(text: str) -> None:
    assert find_letter(text, OPTIONS) is None


@pytest.mark.parametrize("text", [r"\boxed{17}", r"\boxed{A, C}", r"\boxed{A and C}", r"\boxed{E}"])
def test_an_answer_that_is_no_option(text: str) -> None:
    named = find_letter(text, OPTIONS)
    assert named is not None
    assert named.letter is None


def test_thinking_is_not_searched() -> None:
    assert find_letter("<think>\\boxed{A}</think>\\boxed{B}", OPTIONS) == Named("B", "B")


@pytest.mark.parametrize(
    ("text", "outcome", "reason"),
    [
        (r"\boxed{C}", "pass", "ok"),
        (r"\boxed{B}", "fail", "wrong_answer"),
        ("A hard one.", "fail", "no_answer"),
        (r"\boxed{17}", "unsure", "unparsable"),
    ],
)
async def test_verdicts(text: str, outcome: str, reason: str) -> None:
    truth = Choice(letter="c", options=OPTIONS)
    verdict = await Letter().verify(question(truth, domain="science"), attempt(text), resources())
    assert (verdict.verifier, verdict.outcome, verdict.reason) == ("choice", outcome, reason)


async def test_letters_without_options() -> None:
    truth = Choice(letter="E")
    for text, outcome in ((r"\boxed{E}", "pass"), ("The answer is D.", "fail")):
        verdict = await Letter().verify(question(truth), attempt(text), resources())
        assert verdict.outcome == outcome


NUMBERS = ("3", "4", "5", "6")


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("To find the answer, eliminate A. The answer is B.", "B"),
        ("The answer isn't A. The answer is B.", "B"),
        ("A good answer is hard to find. Answer: D", "D"),
        ("The correct option is C.", "C"),
        ("Option C is correct.", "C"),
        ("Correct choice: C", "C"),
        ("C) 5", "C"),
        ("C. 5", "C"),
        ("I choose B", "B"),
        (r"The answer is \(C\).", "C"),
        (r"Answer: \textbf{C}", "C"),
        (r"The answer is $\text{C}$.", "C"),
        ("The answer is c", "C"),
        ("Options: (A) 3 (B) 4 (C) 5 (D) 6. Computing gives 4, so option B is correct.", "B"),
        ("If the answer is A, then 3 is prime. So the answer is D.", "D"),
        ("Option B is wrong. The answer is **A**.", "A"),
        ("**Answer:**\n\nC", "C"),
    ],
)
def test_announced_letters(text: str, letter: str) -> None:
    named = find_letter(text, NUMBERS)
    assert named is not None
    assert named.letter == letter


@pytest.mark.parametrize(
    "text",
    [
        "The answer is A or B.",
        "The answer is A, B",
        "So it is not (B).",
        "A) 3\nB) 4\nC) 5\nD) 6",
        "(A) 3 or (B) 4, who knows",
        "Neither A nor B is correct.",
    ],
)
async def test_letters_that_nothing_decides_between_are_unsure(text: str) -> None:
    truth = Choice(letter="B", options=NUMBERS)
    verdict = await Letter().verify(question(truth), attempt(text), resources())
    assert (verdict.outcome, verdict.reason) == ("unsure", "unparsable")


def test_a_denied_letter_is_not_named() -> None:
    assert find_letter("The answer is A. But no, the answer is not A.", NUMBERS) is None


@pytest.mark.parametrize("text", ["answer is ", "(A) ", "option A ", "\\text{", "I choose ", "A. ", "answer\n", " "])
def test_hostile_texts_take_linear_time(text: str) -> None:
    started = time.process_time()
    find_letter(text * (200_000 // len(text)), NUMBERS)
    assert time.process_time() - started < 3
