"""Answers written by hand, kind by kind: a reference, and below it what means the same (`=`) and what does not (`!`).

Written apart from the code that compares, in the notations of contests and textbooks, with differences as small as they
come: a sign, a bracket, an order, a unit, a letter. `TEXTS` are whole solutions, with whether they are right.
"""

from pathlib import Path
from typing import NamedTuple

_TABLE = Path(__file__).with_name("math_fresh.txt")


class Pair(NamedTuple):
    """A reference, an answer, and whether they are the same."""

    kind: str
    gold: str
    answer: str
    same: bool


def pairs() -> list[Pair]:
    """Every pair of the table, in its order."""
    found: list[Pair] = []
    kind = gold = ""
    for line in _TABLE.read_text("utf-8").split("\n"):
        if line.startswith("# "):
            kind = line[2:]
        elif line.startswith(("  = ", "  ! ")):
            found.extend(Pair(kind, gold, answer, line[2] == "=") for answer in line[4:].split(" ¦ "))
        else:
            gold = line
    return found


TEXTS = [
    ("18", "We add. The final answer is 18.", True),
    ("18", "The final answer is $18$. I hope it is correct.", True),
    ("18", "So 3*6=18\n#### 18", True),
    ("18", "#### 81", False),
    ("18", "#### 18\n", True),
    ("18", "**Final Answer:** 18", True),
    ("18", "**Answer: 18**", True),
    ("18", "The answer is: \\(18\\).", True),
    ("18", "Answer: $\\boxed{18}$", True),
    ("18", "\\boxed{17} is wrong, so \\boxed{18}.", True),
    ("17", "\\boxed{17} is wrong, so \\boxed{18}.", False),
    ("18", "First \\boxed{3}. Later we get $$\\boxed{18}$$ as wanted.", True),
    ("3", "First \\boxed{3}. Later we get $$\\boxed{18}$$ as wanted.", False),
    ("18", "<think>maybe \\boxed{18}</think>It is \\boxed{17}.", False),
    ("18", "<think>\\boxed{18}", False),
    ("1,2", "Thus $x=\\boxed{1}$ or $x=\\boxed{2}$.", True),
    ("\\frac{1}{2}", "Hence $\\boxed{\\dfrac{1}{2}}$.", True),
    ("12", "The answer is 12 because 3*4=12.", True),
    ("12", "The answer is 3*4 = 12", True),
    ("12", "The answer is **12**", True),
    ("B", "The correct answer is (B).", True),
    ("B", "The answer is C", False),
    ("5", "x = 5", True),
    ("5", "So he has 5 left.", True),
    ("5", "So he has 6 left.", False),
    ("\\$5", "The answer is \\$5.", True),
    ("5", "The answer is $5.", True),
    ("5.50", "The answer is $5.50 per day.", True),
    ("1,200", "The answer is 1,200.", True),
    ("(1,2)", "The final answer is: $(1, 2)$", True),
    ("(1,2)", "The final answer is $(2,1)$.", False),
    ("7", "$\\boxed{x = 7}$", True),
    ("7", "\\[\\boxed{7}\\]", True),
    ("7", "\\boxed{ 7 }.", True),
    ("7", "\\fbox{7}", True),
    ("7", "\\boxed 7", True),
    ("-7", "The answer is −7.", True),
    ("7", "The answer is -7.", False),
    ("7", "\\boxed{7} \\boxed{}", True),
    ("7", "Answer: 7\n\nExplanation: 3+4", True),
    ("3/4", "The answer is 3/4.", True),
    ("3/4", "A: 3/4", True),
    ("0.75", "The answer is 0.75.", True),
    ("2.5", "The answer is 2.5. Done", True),
]
