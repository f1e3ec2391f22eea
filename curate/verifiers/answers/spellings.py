r"""Answers whose whole shape says what they are: `2516_8`, `]1, 2[`, `0.(3)`, `3 to 4`. The rest is the grammar's."""

import re

from curate.verifiers.answers.grammar import Reader
from curate.verifiers.answers.node import Node

_BASED = re.compile(  # `2516_8`, `(2516)_8`, `\text{1A7}_{16}`
    r"^(?:\\(?:text|mathrm)\s*\{)?\s*\(?([0-9A-Z]*\d[0-9A-Z]*)\)?\s*\}?\s*_\s*[{(]*\s*(?:\\text\s*\{)?\s*"
    r"(\d{1,2}|two|three|four|five|six|seven|eight|nine|ten|twelve|sixteen)[\s})]*$"
)
_BASES = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
          "twelve": 12, "sixteen": 16}  # fmt: skip
_OUTWARD = re.compile(r"^([\[\](])([^\[\]()]*)([\[\])])$")
_PERIOD = re.compile(r"^(-?\d*\.\d*)\((\d{1,40})\)$")
_GOES_ON = re.compile(r"^(-?\d*\.\d*?)(\d{1,12}?)\2{2,40}\d{0,1}\s*(?:\.\.\.?|\\ldots)\s*$")
_TO = re.compile(r"(?<=\d)\s*(?:\\(?:text|mathrm)\s*\{\s*to\s*\}|\bto\b)\s*(?=\d)")
_CHOOSE = re.compile(r"(?:\{\})?_?\{?(\d{1,6})\}?\s*C\s*_?\s*\{?(\d{1,6})\}?(?!\d)")
_TIMES_TEN = re.compile(r"(?<=\d)\s*[xX]\s*(?=10\s*\^)")
_MONEY = re.compile(r"^(?:USD|US\\?\$)\s*(?=\d)")


def read(text: str, *, grouped: bool = True) -> tuple[Node, bool]:
    """The tree of a cleaned answer, and whether it may be read in another way too. Raises Unread.

    `grouped` reads `1,234` as one number.
    """
    based = _BASED.match(text)
    if based:
        base = _BASES.get(based[2]) or int(based[2])
        if 2 <= base <= 36 and (based[1].isdigit() or base > 10):
            return Node("base", (), (based[1].lstrip("0") or "0", base)), False
    reader = Reader(_respelt(text), grouped=grouped)
    return reader.answer(), reader.ambiguous


def _respelt(text: str) -> str:
    outward = _OUTWARD.match(text) if text[:1] == "]" or text[-1:] == "[" else None
    if outward:  # ]a,b[ is the open interval
        opener, inner, closer = outward.groups()
        return f"{'(' if opener == ']' else opener}{inner}{')' if closer == '[' else closer}"
    if "." in text:
        period = _PERIOD.match(text) or (_GOES_ON.match(text) if len(text) < 200 else None)
        if period:
            return rf"{period[1]}\overline{{{period[2]}}}"
    if "to" in text:
        text = _TO.sub(":", text)
    if "C" in text:
        text = _CHOOSE.sub(r"\\binom{\1}{\2}", text)
    if "10" in text:
        text = _TIMES_TEN.sub(r"\\times ", text)
    return _MONEY.sub("$", text)
