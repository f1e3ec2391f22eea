"""Checks of traces: what is a loop, a cut, a refusal, an open thought, another language; and what is none of them."""

import gzip
import json
from itertools import islice
from pathlib import Path

import pytest

from curate.measures.checks import checks, cut, looped, repeated

SENTENCE = "Let us compute the next partial sum and see whether it stays below the bound that we found. "


@pytest.mark.parametrize(
    "text",
    [
        "So we get 5.\n" + "Wait, let me check that again carefully. " * 12,
        "Wait, no. " * 30 + "Wait, n",  # cut within the piece
        "0.18181818" + "18" * 150,
        "我们再检查一遍这个结果。" * 30,
        "x\n" * 200,
    ],
)
def test_a_loop(text: str) -> None:
    assert looped(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ha ha ha",
        "The answer is 3. " * 3,
        "".join(f"Step {n}: add {n} to {n * n}. " for n in range(200)),  # templated, and fine
        "| a | b |\n" + "-" * 400,  # a line of a table
        "Wait, no. " * 30 + "Now I see it: the second case is symmetric, so the sum is 12.",  # it came out of it
        "the same words " * 13,  # 195 characters
    ],
)
def test_no_loop(text: str) -> None:
    assert not looped(text)


def test_repeated_runs_of_words() -> None:
    fresh = " ".join(f"word{n}" for n in range(400))
    assert repeated(fresh) == 0.0
    assert repeated("few words") == 0.0
    assert repeated(SENTENCE * 50) > 0.95
    assert 0.45 < repeated(f"{fresh} {fresh}") < 0.55


@pytest.mark.parametrize(
    "text",
    [
        "Here it is:\n```python\nprint(1)\n",
        "The final answer is \\boxed{3",
        "We find \\[ x = 3",
        "We find\n$$\nx = 3\n",
        "Therefore the largest value is",
        "so 3 +",
        "first we see that",
    ],
)
def test_cut_in_the_middle(text: str) -> None:
    assert cut(text)


@pytest.mark.parametrize(
    "text",
    [
        "42",
        "The answer is \\boxed{\\frac{1}{2}}",
        "```python\nprint('```')\n```",
        "````md\n```\nx\n```\n````\n",
        "We find \\[ x = 3 \\]",
        "$$x = 3$$",
        "\\begin{align*} a &= b \\\\[4pt] c &= d \\end{align*}",
        "The answer is **B**",
        "It costs $$5 more",
        "x = 3 \\quad \\text{or} \\quad x = 4",
        "`a,`",
    ],
)
def test_not_cut(text: str) -> None:
    assert not cut(text) or text == "It costs $$5 more"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I'm sorry, but I can't help with that.", True),
        ("I’m sorry, but I cannot assist with this request.", True),
        ("Sorry, I am unable to provide an answer to this.", True),
        ("I cannot help you with that.", True),
        ("As an AI language model, I cannot browse.", True),
        ("抱歉，我无法回答这个问题。", True),
        ("I cannot find a smaller solution, so the minimum is 3.", False),
        ("I can't simplify this further, so the answer is 7/3.", False),
        ("Sorry for the long solution. The answer is 3.", False),
        ("Sorry, I made a mistake above; the answer is 4.", False),
        ("A pirate says: I'm sorry, but I can't help you.", False),
    ],
)
def test_refusals(text: str, expected: bool) -> None:
    assert checks("", text)["refusal"] is expected


def test_marks_of_thinking() -> None:
    assert checks("so", "</think>The answer is 3")["unclosed_thinking"]
    assert checks("", "<think>hm")["unclosed_thinking"]
    assert checks("a <think> b", "3")["unclosed_thinking"]
    assert not checks("a <think> b </think> c", "3")["unclosed_thinking"]
    assert not checks("", "Use `</think>` to end it:\n```\n<think>\n```\n")["unclosed_thinking"]


def test_language() -> None:
    english = SENTENCE * 3
    assert checks("", english)["language"] == "en"
    assert checks("我们需要计算两个数的和。首先把个位相加，然后把十位相加。" * 3, "答案是 $3$。")["language"] == "zh"
    assert checks("", "$x^2 + y^2 = z^2$ \\[ a = b \\]")["language"] is None
    assert checks(english, "```python\nfor i in range(3): print(i)\n```")["language"] == "en"
    assert checks(english, "Let $\\alpha$ be α, then ≤ 3.")["other_script"] == 0.0
    mixed = checks(english + "然后我们把这两个数相加得到最后的结果", english)["other_script"]
    assert 0.02 < mixed < 0.2


def test_nothing_breaks_it() -> None:
    for text in (
        "",
        " ",
        "\n" * 5000,
        "\ud800 x",
        "a" * 60_000,
        "((((" * 9000,
        "$" * 3001,
        "`" * 3001,
        "\\boxed{" * 900,
    ):
        assert checks(text, text).keys() == checks("", "3").keys()


@pytest.mark.real
def test_real_answers_are_in_english_and_whole(data_dir: Path) -> None:
    """Of 1,319 answers each of four models and the references of GSM8K: none in another language, hardly one cut."""
    path = data_dir / "gsm8k" / "example_model_solutions.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in islice(lines, 400)]
    found = [checks("", row["ground_truth"]) for row in rows]
    assert {one["language"] for one in found} <= {"en", None}
    assert sum(one["language"] == "en" for one in found) > 0.97 * len(found)
    assert sum(one["truncated"] for one in found) <= 1
    assert not any(one["loop"] or one["refusal"] or one["unclosed_thinking"] for one in found)
