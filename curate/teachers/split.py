"""Splits a model's text into its thinking and its solution, whatever marks it uses; the text itself is never changed.

Forms: `<think>...</think>` (also with the closing tag alone, where a template put the opening one into the prompt),
marks of a recipe's own, OpenThoughts' `<|begin_of_thought|>`, and the raw channels of gpt-oss (harmony).
"""

import re
from functools import lru_cache
from typing import NamedTuple

from pydantic import Field

from curate.records import Record

_THOUGHT = re.compile(r"\s*<\|begin_of_thought\|>(.*?)<\|end_of_thought\|>(.*)", re.DOTALL)
_SOLUTION = re.compile(r"\s*<\|begin_of_solution\|>(.*?)(?:<\|end_of_solution\|>\s*|\Z)", re.DOTALL)
_ANALYSIS = re.compile(r"<\|channel\|>analysis<\|message\|>(.*?)(?:<\|end\|>|\Z)", re.DOTALL)
_FINAL = re.compile(r"<\|channel\|>final<\|message\|>(.*?)(<\|return\|>|<\|end\|>|\Z)", re.DOTALL)
# What such a text begins with, whether or not the prompt had begun a message: elsewhere it is talk about channels.
_HARMONY = re.compile(
    r"\s*(?:<\|(?:channel|start)\|>|(?:assistant|analysis|commentary|final)\s*<\|(?:channel|message)\|>)"
)
# The same channels from a server that took the special tokens out.
_BARE_FINAL = "assistantfinal"
_BARE_ANALYSIS = "analysis"
_OPENED = re.compile(
    r"(<think(?:ing)?>|<\|channel\|>(?:(?:analysis|final)<\|message\|>)?|<\|begin_of_thought\|>)\s*\Z", re.IGNORECASE
)
_LINE = 200  # characters before and after a tag that are looked at for backticks


class Marks(Record):
    """The marks around a model's thinking, where they are not the usual ones."""

    open: str = Field(min_length=1, description="Such as `[THINK]`.")
    close: str = Field(min_length=1, description="Such as `[/THINK]`.")


class Split(NamedTuple):
    """The two parts, stripped. `whole` is False where a mark was opened and never closed: the text has no end."""

    reasoning: str | None
    solution: str
    whole: bool = True


def split(text: str, *, thinking_known: bool = False, marks: Marks | None = None) -> Split:
    """Split a text. With `thinking_known` (a server gave it apart) a lone closing tag is part of the solution."""
    if _HARMONY.match(text):
        return _harmony(text)
    if text.lstrip().startswith(("<|begin_of_thought|>", "<|begin_of_solution|>")):
        return _openthoughts(text)
    if text.startswith(_BARE_ANALYSIS) and _BARE_FINAL in text:
        reasoning, _, solution = text.removeprefix(_BARE_ANALYSIS).partition(_BARE_FINAL)
        return Split(reasoning.strip() or None, solution.strip())
    return _think(text, thinking_known, marks)


def opened_by(prompt: str, marks: Marks | None = None) -> str:
    """The mark that a raw prompt ends with: the answer then begins behind it, mostly in the thinking. Empty: none."""
    if marks is not None and prompt.rstrip().endswith(marks.open):
        return marks.open
    found = _OPENED.search(prompt[-_LINE:])
    return found[1] if found else ""


def _think(text: str, thinking_known: bool, marks: Marks | None) -> Split:
    opening, closing = _tags(marks)
    opened = opening.match(text)
    if not opened and thinking_known:
        return Split(None, text)
    thoughts: list[str] = []
    rest = text
    while opened or not thoughts:
        start = opened.end() if opened else 0
        closed = next((one for one in closing.finditer(rest, start) if not _quoted(rest, one)), None)
        if closed is None:
            if opened:
                return Split("\n\n".join([*thoughts, rest[start:].strip()]), "", whole=False)
            return Split(None, text)
        thoughts.append(rest[start : closed.start()].strip())
        rest = rest[closed.end() :]
        opened = opening.match(rest)  # several blocks of thinking, one after the other
    return Split("\n\n".join(one for one in thoughts if one) or None, rest.strip())


@lru_cache(maxsize=16)
def _tags(marks: Marks | None) -> tuple[re.Pattern[str], re.Pattern[str]]:
    if marks is None:
        return re.compile(r"\s*<think(?:ing)?>", re.IGNORECASE), re.compile(r"</think(?:ing)?>", re.IGNORECASE)
    return re.compile(r"\s*" + re.escape(marks.open)), re.compile(re.escape(marks.close))


def _quoted(text: str, tag: "re.Match[str]") -> bool:
    """Whether a closing tag is talk about tags: between quotes, or inside a code span of its line."""
    before, after = text[max(0, tag.start() - _LINE) : tag.start()], text[tag.end() : tag.end() + _LINE]
    if before[-1:] == after[:1] and before[-1:] in ("'", '"', "`"):
        return True
    odd = before.rpartition("\n")[2].count("`") % 2 == 1
    return odd and "`" in after.partition("\n")[0]


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
