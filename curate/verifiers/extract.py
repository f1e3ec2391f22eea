r"""The one final answer of a solution text: where it is looked for, in which order, and what is cut off around it.

The policy, first hit wins: the last non-empty `\boxed{}` (or `\fbox`, `\framebox`), with those that stand beside it in
one phrase (`\boxed{1}` and `\boxed{2}` may answer `1, 2`); the last "answer is ..." or
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
_CONNECTS = re.compile(
    r"(?:[\s$,;&]|\\(?:[,;!\s()\[\]]|quad\b|qquad\b|(?:text|mathrm)\s*\{\s*(?:and|or)\s*\})|and\b|or\b|[A-Za-z](?:_\{?\w\}?)?\s*=)*"
)
_BESIDE = 60  # characters between two boxes of one phrase
MOST_BOXES = 12  # boxes of a phrase that are read; where there are more, the last one stands after them
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
_FORMULA_GOES_ON = re.compile(r"[\\+*/=^&\d]")
_MATH = {
    "$$": re.compile(r"(?<!\\)\$\$"),
    "\\[": re.compile(r"\\\]"),
    "$": re.compile(r"(?<!\\)\$"),
    "\\(": re.compile(r"\\\)"),
}


class Found(NamedTuple):
    """An answer text and the rule that found it: `boxed`, `answer_is`, `hashes`, `a_line` or `last_number`.

    `last` is the last box alone, where others stand beside it in its phrase; `boxes` are all of them then, in order
    and with what is repeated: `MOST_BOXES` and the last one where there are more.
    """

    text: str
    rule: str
    last: str | None = None
    boxes: tuple[str, ...] = ()


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
    if "</" not in text:
        return 0
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
    boxes = _boxes(text)
    if boxes:
        several = len(set(boxes)) > 1
        told = ", ".join(dict.fromkeys(boxes))
        return Found(told, "boxed", boxes[-1] if several else None, tuple(boxes) if several else ())
    for rule, find in (("answer_is", _answer_is), ("hashes", _hashes), ("a_line", _a_line)):
        found = find(text)
        if found:
            return Found(found, rule)
    number = _last_number(text.rstrip().rpartition("\n")[2]) if plain_number else None
    return Found(number, "last_number") if number else None


def _last_number(line: str) -> str | None:
    """The number that a line ends with, but for words: in the middle of a formula none is the answer."""
    numbers = list(_NUMBER.finditer(line))
    if not numbers or _FORMULA_GOES_ON.search(line, numbers[-1].end()):
        return None
    return numbers[-1].group().rstrip(",")


def boxed(text: str) -> str | None:
    """The content of the last outermost box that is closed and not empty; one pass, however hostile the text."""
    found = _boxes(text)
    return found[-1] if found else None


def _boxes(text: str) -> list[str]:
    """The last closed box and those of its phrase, in order: the first `MOST_BOXES` of them, and the last."""
    first = text.find("box")
    if first < 0:
        return []
    start_at = text.rfind("\n", 0, first) + 1  # what stands on earlier lines opens no box
    open_groups: list[tuple[bool, int, int]] = []  # (is a box, where its command starts, where its content does)
    chain: list[str] = []
    chain_end = -1
    for token in _BOX_OR_BRACE.finditer(text, start_at):
        word = token.group()
        if word == "}":
            if open_groups:
                is_box, command, start = open_groups.pop()
                if is_box and (content := text[start : token.start()].strip()):
                    beside = 0 <= chain_end <= command <= chain_end + _BESIDE
                    if not (beside and _CONNECTS.fullmatch(text, chain_end, command)):
                        chain = []
                    chain[MOST_BOXES:] = [content]
                    chain_end = token.end()
        elif word.endswith("{") and (word == "{" or len(word) > 2):
            open_groups.append((word != "{", token.start(), token.end()))
    for bare in _BARE_BOX.finditer(text, max(chain_end, 0)):
        chain = [bare.group(1).rstrip(".,;")]
    cleaned = (_BOX_COMMAND.sub("", content).strip() for content in chain)
    return [content for content in cleaned if content]


def _answer_is(text: str) -> str | None:
    if "nswer" not in text and "NSWER" not in text:
        return None
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
    return _last(_HASHES, text, "####")


def _a_line(text: str) -> str | None:
    return _last(_A_LINE, text, ":")


def _last(pattern: re.Pattern[str], text: str, mark: str) -> str | None:
    lines = pattern.findall(text) if mark in text else []
    return lines[-1].strip() if lines else None
