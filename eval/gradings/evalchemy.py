r"""Evalchemy's grading, re-implemented from its description, so that a score compares with a published one.

It compares texts: the last \boxed of the whole output with the reference, after the rewriting of the MATH paper
(Hendrycks et al., 2021); for GPQA the last letter A to D that stands alone anywhere, the article "a" among them; for
LiveCodeBench the last fenced block, run against the tests. Its errors are kept on purpose: no verdict of ours rests on
it.
"""

import re
from typing import NamedTuple

from curate.records import Answer, Choice, Question
from eval.protocol import Grading

_BOXED, _BOXED_OPEN = "\\boxed ", "\\boxed{"
_STANDING = re.compile(r"\b[A-D]\b")
_FENCED = re.compile(r"```[A-Za-z]*\n(.*?)```", re.DOTALL)
# What the rewriting does first, in this order.
_REWRITES = (
    ("\n", ""), ("\\!", ""), ("\\\\", "\\"), ("tfrac", "frac"), ("dfrac", "frac"), ("\\left", ""), ("\\right", ""),
    ("^{\\circ}", ""), ("^\\circ", ""), ("\\$", ""),
)  # fmt: skip
_UNIT = "\\text{ "
_LONGEST = 10_000  # characters of a boxed text; a longer one equals only itself


class Graded(NamedTuple):
    """What the grading took for the answer, and whether it is right; `right` None: a program that must be run first."""

    answer: str | None
    right: bool | None


def grade(grading: Grading, output: str, question: Question) -> Graded | None:
    """The grading of a whole output, thinking included; None for a truth that this grading does not know."""
    truth = question.truth
    if grading == "boxed" and isinstance(truth, Answer):
        found = boxed(output)
        return Graded(found or None, same(found, _plain_number(truth.text)))
    if grading == "letter" and isinstance(truth, Choice):
        letter = last_letter(output)
        return Graded(letter, letter == truth.letter.strip().upper())
    if grading == "program":
        block = last_block(output)
        return Graded(None, None if block is not None else False)
    return None


def boxed(output: str) -> str:
    r"""The content of the last `\boxed{...}`, braces balanced, or what follows the last `\boxed ` up to a dollar sign.

    Empty where there is none, where it is not closed, or where only an `\fbox` stands there.
    """
    if _BOXED in output:
        return output.rpartition(_BOXED)[2].partition("$")[0]
    start = output.rfind("\\boxed")
    if start < 0 or not output.startswith(_BOXED_OPEN, start):
        return ""
    depth = 0
    for place in range(start, len(output)):
        if output[place] == "{":
            depth += 1
        elif output[place] == "}":
            depth -= 1
            if depth == 0:
                return output[start + len(_BOXED_OPEN) : place]
    return ""


def same(one: str, other: str) -> bool:
    """Whether two answers are one text after the rewriting; where one cannot be rewritten, as they stand."""
    if max(len(one), len(other)) > _LONGEST:
        return one == other
    try:
        return rewritten(one) == rewritten(other)
    except ValueError:
        return one == other


def rewritten(text: str) -> str:
    """An answer as the MATH paper's comparison has it. Raises ValueError where it has no rule for the text."""
    for old, new in _REWRITES:
        text = text.replace(old, new)
    text = _without_unit(text).replace("\\%", "")
    text = text.replace(" .", " 0.").replace("{.", "{0.")
    if not text:
        return text
    if text[0] == ".":
        text = "0" + text
    sides = text.split("=")
    if len(sides) == 2 and len(sides[0]) <= 2:
        text = sides[1]
    text = _with_braces(_roots(text).replace(" ", ""))
    if text == "0.5":
        text = "\\frac{1}{2}"
    return _slashed(text)


def last_letter(output: str) -> str | None:
    """The last A, B, C or D that stands alone in the upper-cased output; None where none does."""
    found = _STANDING.findall(output.upper())
    return found[-1] if found else None


def last_block(output: str) -> str | None:
    """The content of the last closed fenced block; None where there is none."""
    found = _FENCED.findall(output)
    return found[-1] if found else None


def _plain_number(text: str) -> str:
    """A reference of AIME without its leading zeros: the answers it is compared with are written so."""
    return str(int(text)) if text.isascii() and text.isdecimal() and len(text) < 20 else text


def _without_unit(text: str) -> str:
    r"""What stands before `\text{ `: a unit follows it. Raises ValueError where it stands more than once."""
    before, mark, after = text.partition(_UNIT)
    if mark and _UNIT in after:
        raise ValueError("several texts")
    return before


def _roots(text: str) -> str:
    r"""`\sqrt3` as `\sqrt{3}`. Raises ValueError for a root of nothing."""
    first, *rest = text.split("\\sqrt")
    if not all(rest):
        raise ValueError("a root of nothing")
    return first + "".join("\\sqrt" + (one if one[0] == "{" else f"{{{one[0]}}}{one[1:]}") for one in rest)


def _with_braces(text: str) -> str:
    r"""`\frac12` and `\frac1{72}` with braces around both parts. Raises ValueError for a fraction of nothing."""
    first, *rest = text.split("\\frac")
    if not all(rest):
        raise ValueError("a fraction of nothing")
    made = [first]
    for one in rest:
        if one[0] == "{":
            made.append(one)
        elif len(one) < 2:
            return text
        elif one[1] == "{":
            made.append(f"{{{one[0]}}}{one[1:]}")
        else:
            made.append(f"{{{one[0]}}}{{{one[1]}}}{one[2:]}")
    return "\\frac".join(made)


def _slashed(text: str) -> str:
    r"""`3/4` as `\frac{3}{4}`, where both are whole numbers."""
    found = re.fullmatch(r"(-?(?:0|[1-9]\d*))/(-?(?:0|[1-9]\d*))", text)
    return f"\\frac{{{found[1]}}}{{{found[2]}}}" if found else text
