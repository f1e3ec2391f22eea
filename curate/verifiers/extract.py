r"""The one final answer of a solution text: where it is looked for, in which order, and what is cut off around it.

The policy, first hit wins: the last non-empty `\boxed{}` (or `\fbox`, `\framebox`); the last "answer is ..." or
"answer: ..."; the last `#### ...` line; the last `A: ...` line; and, only where a plain number is asked for, the last
number that stands alone in the last line. Thinking is never searched: only what follows its `</think>` counts.
"""

import re
from typing import NamedTuple

_THINK = re.compile(r"\s*<think(?:ing)?>", re.IGNORECASE)
# A tag in quotes or in a comment is talk about tags.
_THINK_END = re.compile(r"(?<!(?<!``)[`'\"#])(?<!# )</think(?:ing)?>", re.IGNORECASE)
_FENCE_OR_END = re.compile(rf"^[ \t]*(?P<fence>```|~~~)|{_THINK_END.pattern}", re.IGNORECASE | re.MULTILINE)
_BOX_OR_BRACE = re.compile(r"\\(?:boxed|fbox|framebox)\s*\{|\\.|[{}]", re.DOTALL)
_BARE_BOX = re.compile(r"\\boxed(?:\s+|(?=\d))([^\s{}$\\]+)")
_BOX_COMMAND = re.compile(r"\\(?:boxed|fbox|framebox)\s*(?=\{)")
_ANSWER_IS = re.compile(
    r"\banswer\b[\s*_]{0,4}(?:is|was)?[\s*_]{0,4}[:=]|\banswer[\s*_]{1,4}(?:is|was)\b", re.IGNORECASE
)
_LINE = re.compile(r"[^\n]*")
_SENTENCE_END = re.compile(r"\.(?=\s|\*|$)|[;!?]|,?\s(?:because|since|as|which|so|where)(?=\s|$)")
_HASHES = re.compile(r"^[ \t]*####[ \t]*(\S[^\n]*)$", re.MULTILINE)
_A_LINE = re.compile(r"^[ \t]*A[ \t]*:[ \t]*(\S[^\n]*)$", re.MULTILINE)
# A number that stands alone, not one inside a formula.
_NUMBER = re.compile(r"(?<![^\s=*(])[-\u2212]?[$€£]?(?:\d[\d,]*(?:\.\d+)?|\.\d+)(?:/\d+)?%?(?=[\s.,;:!?)*]|$)")
_MATH = {
    "$$": re.compile(r"(?<!\\)\$\$"),
    "\\[": re.compile(r"\\\]"),
    "$": re.compile(r"(?<!\\)\$"),
    "\\(": re.compile(r"\\\)"),
}


class Found(NamedTuple):
    """An answer text and the rule that found it: `boxed`, `answer_is`, `hashes`, `a_line` or `last_number`."""

    text: str
    rule: str


def solution_part(text: str) -> str:
    """The text after the thinking that opens it; empty where that never ends. Tags further on are part of the text."""
    end = 0
    opened = _THINK.match(text)
    if opened is None:  # a prompt may have opened the thinking: then only its end is here
        end = _lone_end(text)
        opened = _THINK.match(text, end) if end else None
    while opened is not None:
        closed = _THINK_END.search(text, opened.end())
        if closed is None:
            return ""
        end = closed.end()
        opened = _THINK.match(text, end)
    return text[end:]


def _lone_end(text: str) -> int:
    """Where a thinking ends that was opened before the text; 0 where there is none, or only one within fenced code."""
    fenced = False
    for mark in _FENCE_OR_END.finditer(text):
        if mark["fence"]:
            fenced = not fenced
        elif not fenced:
            return mark.end()
    return 0


def final_answer(text: str, *, plain_number: bool) -> Found | None:
    """The final answer of a solution, or None. `plain_number` also admits the last number of the last line."""
    text = solution_part(text)
    for rule, find in (("boxed", boxed), ("answer_is", _answer_is), ("hashes", _hashes), ("a_line", _a_line)):
        found = find(text)
        if found:
            return Found(found, rule)
    last_line = text.rstrip().rpartition("\n")[2]
    if plain_number and (numbers := _NUMBER.findall(last_line)):
        return Found(numbers[-1].rstrip(","), "last_number")
    return None


def boxed(text: str) -> str | None:
    """The content of the last outermost box that is closed and not empty; one pass, however hostile the text."""
    open_groups: list[tuple[bool, int]] = []  # (is a box, start of the content)
    open_boxes = 0
    last: str | None = None
    last_end = -1
    for token in _BOX_OR_BRACE.finditer(text):
        word = token.group()
        if word == "}":
            if open_groups:
                is_box, start = open_groups.pop()
                open_boxes -= is_box
                if is_box and (content := text[start : token.start()].strip()):
                    last, last_end = content, token.end()
        elif word.endswith("{") and (word == "{" or len(word) > 2):
            is_box = word != "{"
            open_groups.append((is_box, token.end()))
            open_boxes += is_box
    for bare in _BARE_BOX.finditer(text, max(last_end, 0)):
        last = bare.group(1).rstrip(".,;")
    return _BOX_COMMAND.sub("", last).strip() if last else None


def _answer_is(text: str) -> str | None:
    for match in reversed(list(_ANSWER_IS.finditer(text))):
        found = _phrase(text, match.end())
        if found:
            return found
    return None


def _phrase(text: str, start: int) -> str | None:
    """What an "answer is" announces: the formula that follows, or the rest of the sentence on that line."""
    while start < len(text) and text[start] in " \t\r\n:*_=":
        start += 1
    for opener, closer in _MATH.items():
        if text.startswith(opener, start):
            end = closer.search(text, start + len(opener))
            inner = text[start + len(opener) : end.start()].strip() if end else ""
            # `$18 a day` is money, `$18$` is a formula: a formula on one line closes on that line.
            if inner and (opener in ("$$", "\\[") or "\n" not in inner):
                return inner
            break
    match = _LINE.match(text, start)
    line = match.group() if match else ""
    end_of_sentence = _SENTENCE_END.search(line)
    if end_of_sentence:
        line = line[: end_of_sentence.start()]
    return line.strip(" \t*_`:").rstrip(".,") or None


def _hashes(text: str) -> str | None:
    return _last(_HASHES, text)


def _a_line(text: str) -> str | None:
    return _last(_A_LINE, text)


def _last(pattern: re.Pattern[str], text: str) -> str | None:
    lines = pattern.findall(text)
    return lines[-1].strip() if lines else None
