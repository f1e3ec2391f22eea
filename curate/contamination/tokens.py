r"""The one spelling of texts that items and rows are compared in.

Case, punctuation, white space, LaTeX's ways of writing and the forms of a number do not count: `$\dfrac{x^2}{3}$`,
`\(x^{2} / 3\)` and `X² / 3` are the same tokens. Numbers are masked (`#`) and their digits kept beside.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

NUMBER = "#"
BREAK = "\n"  # between sentences and paragraphs: numbers on both sides of it are no neighbours
END = "\x1e"  # ends a text where many are spelt at once
# A word may hold an apostrophe, a hyphen at the end of a line, and single digits where a scanner read 0, 1 or 5 for a
# letter. A digit before it belongs to it where letters follow at once and it is one of those.
_RAW = re.compile(
    r"https?://[^\s\x1e]+|\[(?i:asy)\](?:[^\[\x1e]++|\[(?!/?(?i:asy)\]))*+\[/(?i:asy)\]"
    r"|[^\W\d_]+(?:(?:['’‘`]|-\n[ \t]*|[015])[^\W\d_]+|[\u0300-\u036f]+[^\W\d_]*)*"
    r"|(?<![\d.,])[01][^\W\d_]{3,}"
    r"|\d+(?:[.,]\d+)*(?:(?:st|nd|rd|th|ST|ND|RD|TH)(?![^\W\d_]))?"
    r"|\\(?i:begin|end)[ \t]*\{[a-zA-Z*]*\}|\\[a-zA-Z]+"
    r"|(?<!\s)[.?!](?=[$)\\\]}\"'’”]{0,3}\s)|\n[ \t]*\n"
    r"|[\u221a\u221e\u25b3\u2220\u2211\u222b\u220f\x1e]"
)
_DIGITS = re.compile(r"\d+")
_PLAIN = re.compile(r"\d+|[^\W\d_]+")
_JOINTS = re.compile(r"['’‘`\u0300-\u036f]|-\n[ \t]*")
_READ_AS = str.maketrans("015", "ols")
_SYMBOLS = {"√": "sqrt", "∞": "infty", "△": "triangle", "∠": "angle", "∑": "sum", "∫": "int", "∏": "prod"}
_GREEK_NAMES = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma sigma tau upsilon "
    "phi chi psi omega"
)
_GREEK = dict(zip("αβγδεζηθικλμνξοπρςστυφχψω", _GREEK_NAMES.split(" "), strict=True))
# Commands that say how something looks, or that plain text writes with a sign that is no token.
_LOOKS = """left right big bigg bigl bigr biggl biggr middle text textbf textit textrm texttt textnormal mathrm
mathbf mathit mathcal mathbb mathsf mathfrak mbox hbox operatorname displaystyle textstyle limits
nolimits frac dfrac tfrac cfrac over cdot times div ast star pm mp le leq leqslant ge geq geqslant lt gt
ne neq equiv approx sim cong to rightarrow leftarrow longrightarrow implies iff in notin subset subseteq
cup cap setminus cdots ldots dots vdots ddots quad qquad hspace vspace hfill hline array align aligned
matrix pmatrix bmatrix vmatrix cases split gathered equation circ degree prime overline underline
overrightarrow overleftarrow vec hat bar widehat tilde boxed fbox framebox mid nmid parallel perp lfloor
rfloor lceil rceil langle rangle lvert rvert vert backslash tag label item itemize enumerate center
noindent par newline phantom hphantom colon colonequals dollar enspace thinspace textdegree textdollar
percent"""
_SILENT = frozenset(_LOOKS.split())
_SAME = {
    "binom": "binom",
    "dbinom": "binom",
    "tbinom": "binom",
    "varphi": "phi",
    "varepsilon": "epsilon",
    "pmod": "mod",
    "bmod": "mod",
}
_SIGNS = frozenset({"degree", "degrees", "percent"})  # words that a sign often stands for, which is no token
_NUMBER_WORDS = {
    word: str(value)
    for words, values in (
        ("two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen", range(2, 16)),
        ("sixteen seventeen eighteen nineteen", range(16, 20)),
        ("twenty thirty forty fifty sixty seventy eighty ninety", range(20, 100, 10)),
        ("hundred thousand million billion", (100, 1000, 10**6, 10**9)),
    )
    for word, value in zip(words.split(), values, strict=True)
}
_SPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]")  # scripts without spaces: a token each
_MEMO = 400_000  # raw words remembered


class Token(NamedTuple):
    """A canonical token and where it stands in the text; `digits` (of neighbours, spaced) is empty but for numbers."""

    word: str
    digits: str
    start: int
    end: int


@lru_cache(maxsize=1 << 16)
def words_of(raw: str) -> tuple[tuple[str, str], ...]:
    """What one raw piece of text stands for: (word, digits) pairs, `("#", "12")` for a number; often one, or none."""
    if raw == END:
        return ((END, ""),)
    if raw[0] in ".?!\n":
        return ((BREAK, ""),)
    if raw[0].isdigit() and (len(raw) == 1 or raw[1].isdigit() or not raw[-1].isalpha() or raw[0] not in "01"):
        return _numbers(raw)
    if raw[0] == "\\":
        name = raw[1:].casefold()
        if name[-1] == "}":  # \\begin{...}
            return ()
        name = _SAME.get(name, name)
        return () if name in _SILENT else _word(name)
    if raw[-1] == "]" or "://" in raw:  # a drawing's program; an address
        return ()
    if raw in _SYMBOLS:
        return ((_SYMBOLS[raw], ""),)
    word = _JOINTS.sub("", unicodedata.normalize("NFKC", _JOINTS.sub("", raw)).casefold())
    if word.isalpha():
        return _word(word)
    if len(word) >= 4 and word.isascii() and not _DIGITS.search(word.translate(_READ_AS)):
        return _word(word.translate(_READ_AS))
    return tuple(chain.from_iterable(_numbers(one) if one.isdigit() else _word(one) for one in _PLAIN.findall(word)))


def _numbers(raw: str) -> tuple[tuple[str, str], ...]:
    digits = "".join(_DIGITS.findall(unicodedata.normalize("NFKC", raw)))
    return ((NUMBER, digits),)


def _word(word: str) -> tuple[tuple[str, str], ...]:
    if word in _NUMBER_WORDS:
        return ((NUMBER, _NUMBER_WORDS[word]),)
    if word in _SIGNS:
        return ()
    if word.isascii():
        return ((word, ""),)
    if _SPACED.search(word):
        return tuple((one, "") for one in word)
    plain = "".join(one for one in unicodedata.normalize("NFKD", word) if not unicodedata.combining(one))
    return ((_GREEK.get(plain, plain), ""),)


def spell(text: str) -> list[Token]:
    """The canonical tokens of a text with their places; neighbouring numbers are one, their digits in a row."""
    found: list[Token] = []
    apart = True
    for piece in _RAW.finditer(text):
        for word, digits in words_of(piece.group()):
            if word in (END, BREAK):
                apart = True
                continue
            if word == NUMBER and not apart and found[-1].word == NUMBER:
                last = found[-1]
                found[-1] = Token(NUMBER, f"{last.digits} {digits}", last.start, piece.end())
            else:
                found.append(Token(word, digits, piece.start(), piece.end()))
            apart = False
    return found


class Speller(dict[str, tuple[int, ...]]):
    """Spells many texts at once as numbers: those of a vocabulary, 0 for other words, 1 for `#`.

    -1 stands after each text, -2 at breaks.
    """

    def __init__(self, vocabulary: Iterable[str]) -> None:
        super().__init__()
        self._ids = {word: number for number, word in enumerate(vocabulary, 2)}
        self._ids |= {NUMBER: 1, END: -1, BREAK: -2}

    def __missing__(self, raw: str) -> tuple[int, ...]:
        ids = tuple(self._ids.get(word, 0) for word, _ in words_of(raw))
        if len(raw) < (4 if raw[0].isdigit() else 64):
            if len(self) > _MEMO:
                self.clear()
            self[raw] = ids
        return ids

    def ids(self, words: Iterable[str]) -> list[int]:
        """The numbers of canonical words."""
        return [self._ids.get(word, 0) for word in words]

    def spell(self, texts: Sequence[str]) -> list[int]:
        """The numbers of all tokens of `texts`, each text ended by -1. Neighbouring numbers are not joined yet."""
        whole = [text.replace(END, " ") if END in text else text for text in texts]
        raw = _RAW.findall((END.join(whole) + END) if whole else "")
        return list(chain.from_iterable(map(self.__getitem__, raw)))
