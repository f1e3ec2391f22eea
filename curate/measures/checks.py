"""Checks of a trace: loops, repetition, a cut end, refusals, marks of thinking left open, and its language.

Pure functions of two texts, a few milliseconds each; the results are stored under VERSION.
"""

import re
from typing import Any

import numpy as np
import numpy.typing as npt

from curate.measures.language import language_of, other_script

VERSION = 1
SPEC: dict[str, Any] = {"measure": "checks", "version": VERSION}

_TAIL = 4000  # characters at the end in which a loop is looked for
_TIMES, _LOOPED = 4, 200  # a piece repeated so often, over so many characters, is a loop
_GRAM = 20  # words
_PRIME = np.uint64(1099511628211)
_FENCE = re.compile(r"^[ \t]{0,3}(```+|~~~+)[^\n]*$", re.MULTILINE)
_CODE = re.compile(r"```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)|`[^`\n]*`", re.DOTALL)
_THINK = re.compile(r"<(/?)think(?:ing)?>|<\|(?:begin|end)_of_thought\|>", re.IGNORECASE)
_CUT = re.compile(r"(?:[,=+&<(\[{^]|\\\\|\b(?:and|or|the|of|is|to|that|with|because|an))\s*\Z")
_DISPLAY = re.compile(r"(?<!=)\$\$(?!<)")
_BRACKET = re.compile(r"(?<!\\)\\([\[\]])")  # not the end of a row with a distance: `\\\\[4pt]`
_OPEN_BOX = re.compile(r"\\boxed\s*\{")
# What a solution begins with when it declines: of helping, not of solving ("I cannot find a solution" is none).
_REFUSAL = re.compile(
    r"\s*(?:i['’]?m (?:really |very |so )?sorry|i apologi[sz]e|sorry)[,.]?\s+(?:but\s+)?(?:i|as an)\b[^.\n]{0,40}?"
    r"(?:can(?:not|['’]t)|(?:am|['’]m) (?:not able|unable)|won['’]t|am not)\b[^.\n]{0,30}?"
    r"\b(?:assist|help|comply|provide|answer|fulfil|continue|do that|discuss|share|support)"
    r"|\s*i (?:can(?:not|['’]t)|(?:am|['’]m) (?:not able|unable) to|won['’]t) (?:be able to )?"
    r"(?:assist|help (?:you )?with|comply|fulfil|engage|participate|discuss|provide (?:that|this|any)|answer that)\b"
    r"|\s*as an ai(?: language)? (?:model|assistant),? i (?:can(?:not|['’]t)|am (?:not able|unable)|do not|don['’]t)\b"
    r"|\s*(?:对不起|抱歉|很抱歉)[，,]?\s*(?:但)?我(?:无法|不能)",
    re.IGNORECASE,
)


def checks(reasoning: str, solution: str) -> dict[str, Any]:
    """The checks of one answer, by column name; `language` is None where there are too few words."""
    whole = f"{reasoning}\n\n{solution}" if reasoning else solution
    return {
        "loop": looped(reasoning) or looped(solution),
        "repeated": round(repeated(whole), 4),
        "truncated": cut(solution),
        "refusal": _REFUSAL.match(solution) is not None,
        "unclosed_thinking": _thinking_left(reasoning, solution),
        "language": language_of(whole),
        "other_script": round(other_script(whole), 4),
    }


def looped(text: str) -> bool:
    """Whether the text ends in one piece, at least 4 times in a row and over at least 200 characters.

    The piece may be cut anywhere, since models are; one without letters and digits is a line of a table, not a loop.
    """
    tail = text.rstrip()[-_TAIL:][::-1]
    fail = [0] * len(tail)  # Knuth, Morris and Pratt: of each beginning, the longest proper one that also ends it
    length = 0
    for at in range(1, len(tail)):
        while length and tail[at] != tail[length]:
            length = fail[length - 1]
        if tail[at] == tail[length]:
            length += 1
        fail[at] = length
        size, period = at + 1, at + 1 - length
        if size >= _LOOPED and size >= _TIMES * period and any(map(str.isalnum, tail[:period])):
            return True
    return False


def repeated(text: str) -> float:
    """The share of the runs of 20 words that stood in the text before, 0 to 1."""
    words = text.split()
    if len(words) <= _GRAM:
        return 0.0
    numbers: dict[str, int] = {}
    codes = np.array([numbers.setdefault(word, len(numbers)) for word in words], dtype=np.uint64)
    count = len(words) - _GRAM + 1
    grams: npt.NDArray[np.uint64] = np.zeros(count, dtype=np.uint64)
    for shift in range(_GRAM):  # a polynomial hash modulo 2^64
        grams = (grams ^ codes[shift : shift + count]) * _PRIME
    return 1.0 - len(np.unique(grams)) / count


def cut(solution: str) -> bool:
    """Whether a solution stops in the middle: within a code block, a display formula or a box, or at `and`."""
    fences = [found[1] for found in _FENCE.finditer(solution)]
    opened = ""
    for fence in fences:
        if not opened:
            opened = fence
        elif fence[0] == opened[0] and len(fence) >= len(opened):
            opened = ""
    if opened:
        return True
    prose = _CODE.sub("", solution)
    brackets = [found[1] for found in _BRACKET.finditer(prose)]
    if brackets.count("[") > brackets.count("]") or len(_DISPLAY.findall(prose)) % 2:
        return True
    boxes = list(_OPEN_BOX.finditer(prose))
    if boxes and _unbalanced(prose[boxes[-1].end() - 1 :]):
        return True
    return not solution.rstrip().endswith(("`", "~")) and _CUT.search(prose.rstrip()[-40:]) is not None


def _unbalanced(text: str) -> bool:
    depth = 0
    for mark in re.findall(r"\\.|[{}]", text, re.DOTALL):
        depth += (mark == "{") - (mark == "}")
        if depth == 0 and mark == "}":
            return False
    return depth > 0


def _thinking_left(reasoning: str, solution: str) -> bool:
    if _THINK.search(_CODE.sub("", solution)):
        return True
    marks = [found[1] for found in _THINK.finditer(_CODE.sub("", reasoning))] if "<" in reasoning else []
    return bool(marks) and marks[-1] == "" and marks.count("") > marks.count("/")
