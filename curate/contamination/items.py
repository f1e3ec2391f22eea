"""Benchmark items as they are compared: the question itself, without figures, links, options and instructions."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import permutations
from typing import Any, NamedTuple

from curate.contamination.tokens import NUMBER, Token, spell

SHORT = 10  # masked tokens; an item below is no evidence by its words alone
_DISTINCT = 8  # different 3-grams, likewise
PRIVATE = "private"  # in the evidence of a finding: the text of its item is not shown
_FIGURE = re.compile(r"!\[[^\]]*\]\([^)]*\)|\\begin\{tikzpicture\}.*?\\end\{tikzpicture\}", re.DOTALL)
# What is said around a question and is none of it: at its start or its end.
_BEFORE = re.compile(
    r"\A\s*(?:(?:please |you are |solve |answer |here is |consider |read )[^.:\n]{0,120}?"
    r"(?:problem|question|exercise|task|step by step|carefully|assistant)[^.:\n]{0,120}[.:]\s+"
    r"|(?:question|problem|q)\s*+\d*+\s*+[:.]\s*+)+",
    re.IGNORECASE,
)
_AFTER = re.compile(
    r"(?<!\s)(?:\s*+(?:please |let['’]s |make sure |be sure |remember |put |give |return |write |present |enter "
    r"|provide |think )[^.\n]{0,120}?(?:step by step|boxed|final answer|your answer|reasoning)[^.\n]{0,100}[.:]?"
    r"|\s*+(?:answer|solution)\s*+:)+\s*\Z",
    re.IGNORECASE,
)
_OPTIONS = re.compile(r"(?:^[ \t]*(?:\(?[A-J][).:]|[A-J]\.)[ \t]+\S.*(?:\n|\Z)){2,}", re.M)
_SENTENCE = re.compile(r"[.?!;:](?=[$)\]\"'’”]{0,2}\s)|\n")
_SENTENCE_END = re.compile(r"(?:(?<=[.?!])|(?<=[.?!][$)\]\"'’”]))\s+")
_SENTENCES = 3  # of a short item whose order may change
_MINUS = re.compile(r"(?<![A-Za-z])[-−](?!-)|[-−](?![A-Za-z\s-])")
_SIGNS = str.maketrans({"×": "*", "⋅": "*", "·": "*", "÷": "/", "≤": "<", "≥": ">"})
_PIECE = 25  # tokens of a piece at most
_LEAST = 4  # tokens of a piece at least, where there are more of them


class Item(NamedTuple):
    """An item of a benchmark. The text of a `private` one is never shown."""

    bench: str
    item: str
    text: str
    private: bool = False


class Spelt(NamedTuple):
    """An item in canonical tokens: `words` masked, `pieces` the sentences as (start, end) token numbers."""

    item: Item
    words: tuple[str, ...]
    digits: tuple[str, ...]  # of each number, in order
    pieces: tuple[tuple[int, int], ...]
    orders: tuple[
        tuple[tuple[str, ...], tuple[str, ...]], ...
    ]  # words and digits; a short one's sentences in any order
    signs: str  # its operators, sorted

    def plain(self) -> str:
        """Its words and numbers as one text."""
        return in_one(*self.orders[0])

    @property
    def short(self) -> bool:
        """Whether its words alone are too few, or too much the same, to tell it from a phrase."""
        return _few(self.words)


def unwrapped(text: str) -> str:
    """The text without instructions around it ("Solve step by step:", "put your answer in a box")."""
    return _AFTER.sub("", _BEFORE.sub("", text)).strip() or text


def core(text: str) -> str:
    """The text that an item is known by: no figures and links; no options where the question says enough itself."""
    plain = _FIGURE.sub(" ", text)
    bare = unwrapped(plain)
    stem = _OPTIONS.sub(" ", bare)
    for one in (stem, bare, plain):
        if len(spell(one)) >= SHORT:
            return one
    return bare if spell(bare) else text


def spelt(item: Item) -> Spelt:
    """The canonical form of an item; one without any token has no words."""
    text = core(item.text)
    tokens = spell(text)
    words, digits = _apart(tokens)
    signs = signs_of(text[tokens[0].start : tokens[-1].end]) if tokens else ""
    return Spelt(item, words, digits, tuple(_pieces(text, tokens)), tuple(_orders(text, tokens)), signs)


def _few(words: Sequence[str]) -> bool:
    return len(words) < SHORT or len(set(zip(words, words[1:], words[2:], strict=False))) < _DISTINCT


def in_one(words: Iterable[str], digits: Iterable[str]) -> str:
    """Masked words and the digits of their numbers as one text."""
    numbers = iter(digits)
    return " ".join(next(numbers).replace(" ", "") if word == NUMBER else word for word in words)


def signs_of(text: str) -> str:
    """The operators in a text, sorted."""
    plain = text.replace(r"\cdot", "*").replace(r"\times", "*").replace(r"\div", "/").translate(_SIGNS)
    return "".join(sorted([one for one in plain if one in "+*<>=^!|"] + ["-"] * len(_MINUS.findall(plain))))


def _apart(tokens: Iterable[Token]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    held = list(tokens)
    return tuple(token.word for token in held), tuple(token.digits for token in held if token.word == NUMBER)


def _orders(text: str, tokens: list[Token]) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    yield _apart(tokens)
    sentences = [one for one in _SENTENCE_END.split(text) if spell(one)]
    if _few([token.word for token in tokens]) and 1 < len(sentences) <= _SENTENCES:
        for order in list(permutations(sentences))[1:]:
            yield _apart(spell(" ".join(order)))


def _pieces(text: str, tokens: list[Token]) -> Iterator[tuple[int, int]]:
    ends = iter([*(found.start() for found in _SENTENCE.finditer(text)), len(text)])
    end, start = next(ends), 0
    for number, token in enumerate(tokens):
        passed = False
        while token.start >= end and end < len(text):
            end, passed = next(ends), True
        if (passed and number - start >= _LEAST and len(tokens) - number >= _LEAST) or number - start >= _PIECE:
            yield start, number
            start = number
    if start < len(tokens):
        yield start, len(tokens)


def distinct(items: Iterable[Item]) -> list[Item]:
    """The items without those of equal bench, number and text, in a fixed order whatever the order given."""
    return sorted(set(items), key=lambda item: (item.bench, _natural(item.item), item.text))


def _natural(name: str) -> list[Any]:
    return [(0, int(one), "") if one.isdigit() else (1, 0, one) for one in re.findall(r"\d{1,18}|\D+", name)]
