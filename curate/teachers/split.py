"""Splits a model's text into its thinking and its solution, whatever marks it uses; the text itself is never changed.

Forms: `<think>...</think>` (also with the closing tag alone, where a template put the opening one into the prompt),
OpenThoughts' `<|begin_of_thought|>` marks, and the raw channels of gpt-oss (harmony).
"""

import re
from typing import NamedTuple

_OPEN = re.compile(r"\s*<think(?:ing)?>", re.IGNORECASE)
# A closing tag between quotes or backticks is talk about tags.
_CLOSE = re.compile(r"(?<![`'\"])</think(?:ing)?>(?![`'\"])", re.IGNORECASE)
_THOUGHT = re.compile(r"\s*<\|begin_of_thought\|>(.*?)<\|end_of_thought\|>(.*)", re.DOTALL)
_SOLUTION = re.compile(r"\s*<\|begin_of_solution\|>(.*?)(?:<\|end_of_solution\|>\s*|\Z)", re.DOTALL)
_ANALYSIS = re.compile(r"<\|channel\|>analysis<\|message\|>(.*?)(?:<\|end\|>|\Z)", re.DOTALL)
_FINAL = re.compile(r"<\|channel\|>final<\|message\|>(.*?)(<\|return\|>|<\|end\|>|\Z)", re.DOTALL)


class Split(NamedTuple):
    """The two parts, stripped. `whole` is False where a mark was opened and never closed: the text has no end."""

    reasoning: str | None
    solution: str
    whole: bool = True


def split(text: str, *, thinking_known: bool = False) -> Split:
    """Split a text. With `thinking_known` (a server gave it apart) a lone closing tag is part of the solution."""
    if "<|channel|>" in text:
        return _harmony(text)
    if text.lstrip().startswith(("<|begin_of_thought|>", "<|begin_of_solution|>")):
        return _openthoughts(text)
    return _think(text, thinking_known)


def _think(text: str, thinking_known: bool) -> Split:
    opened = _OPEN.match(text)
    if not opened and thinking_known:
        return Split(None, text)
    thoughts: list[str] = []
    rest = text
    while opened or not thoughts:
        start = opened.end() if opened else 0
        closed = _CLOSE.search(rest, start)
        if closed is None:
            if opened:
                return Split("\n\n".join([*thoughts, rest[start:].strip()]), "", whole=False)
            return Split(None, text)
        thoughts.append(rest[start : closed.start()].strip())
        rest = rest[closed.end() :]
        opened = _OPEN.match(rest)  # several blocks of thinking, one after the other
    return Split("\n\n".join(thoughts), rest.strip())


def _openthoughts(text: str) -> Split:
    thought = _THOUGHT.fullmatch(text)
    if thought is None and text.lstrip().startswith("<|begin_of_thought|>"):
        return Split(text.lstrip().removeprefix("<|begin_of_thought|>").strip(), "", whole=False)
    reasoning, rest = (thought[1].strip(), thought[2]) if thought else (None, text)
    solution = _SOLUTION.fullmatch(rest)
    if solution is None:
        return Split(reasoning, rest.strip())
    return Split(reasoning, solution[1].strip(), whole="<|end_of_solution|>" in rest)


def _harmony(text: str) -> Split:
    reasoning = "\n\n".join(part.strip() for part in _ANALYSIS.findall(text)) or None
    final = _FINAL.search(text)
    if final is None:
        return Split(reasoning, "", whole=False)
    return Split(reasoning, final[1].strip())
