r"""Answers whose whole shape says what they are: `2516_8`, `]1, 2[`, `0.(3)`, `3 to 4`. The rest is the grammar's."""

import re

from curate.verifiers.answers.grammar import Reader
from curate.verifiers.answers.node import Node
from curate.verifiers.answers.normalise import opened

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
_CHOOSE_ABOVE = re.compile(  # `^8C_3`, `C_8^3`, `C^3_8`
    r"(?:\{\})?\^\{?(?P<n1>\d{1,6})\}?\s*C\s*_\s*\{?(?P<k1>\d{1,6})\}?"
    r"|(?<![A-Za-z])C\s*_\s*\{?(?P<n2>\d{1,6})\}?\s*\^\s*\{?(?P<k2>\d{1,6})\}?"
    r"|(?<![A-Za-z])C\s*\^\s*\{?(?P<k3>\d{1,6})\}?\s*_\s*\{?(?P<n3>\d{1,6})\}?"
)
_BARE_PERIOD = re.compile(r"(?<![\d.])\.(?=\\overline)")
_TIMES_TEN = re.compile(r"(?<=\d)\s*[xX]\s*(?=10\s*\^)")
_MONEY = re.compile(r"^(?:USD|US\\?\$)\s*(?=\d)")


_LOG_BASE = re.compile(r"(?<![\\A-Za-z])log(2|10)\s*(?=\()")
_DERIVATIVE = re.compile(r"\\frac\{\s*d([A-Za-z])\s*\}\{\s*d[a-z]\s*\}(?=\s*=)")
_BUILDER = re.compile(
    r"^\\\{\s*([a-zA-Z])\s*(?:\\in\s*\\mathbb\s*\{?R\}?\s*)?[|:]\s*([^|:{}]*(?:[<>]|\\[lg]e|\\ne)[^|:{}]*)\\\}$"
)
_CONGRUENCE = re.compile(
    r"^([a-zA-Z])\s*\\equiv\s*(-?\s*\d{1,18})\s*\(?\s*(?:\\[pb]?mod|\\(?:text|mathrm|mbox)\s*\{\s*mod\s*\}|mod)\s*"
    r"\{?\s*(\d{1,18})\s*\}?\s*\)?$"
)
_PHRASES = {
    r"\mathbb{R}": "all real numbers;all reals;set of all real numbers;set of real numbers;set of all reals;"
    "real numbers;any real number;reals;all real values",
    r"\emptyset": "empty set;null set",
    r"\infty": "infinity",
}
_SAID = {said: meant for meant, phrases in _PHRASES.items() for said in phrases.split(";")}


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
    """The text in the one notation that the grammar knows."""
    text = _meant(text)
    outward = _OUTWARD.match(text) if text[:1] == "]" or text[-1:] == "[" else None
    if outward:  # ]a,b[ is the open interval
        opener, inner, closer = outward.groups()
        return f"{'(' if opener == ']' else opener}{inner}{')' if closer == '[' else closer}"
    if "." in text:
        period = _PERIOD.match(text) or (_GOES_ON.match(text) if len(text) < 200 else None)
        if period:
            return rf"{period[1]}\overline{{{period[2]}}}"
    if "overline" in text:
        text = _BARE_PERIOD.sub("0.", text)
    if "log" in text:
        text = _LOG_BASE.sub(r"\\log_{\1}", text)
    if "frac{d" in text:
        text = _DERIVATIVE.sub(r"\1'", text)
    if "to" in text:
        text = _TO.sub(":", text)
    if "C" in text:
        text = _CHOOSE.sub(r"\\binom{\1}{\2}", _CHOOSE_ABOVE.sub(_chosen, text))
    if "10" in text:
        text = _TIMES_TEN.sub(r"\\times ", text)
    return _MONEY.sub("$", text)


def _meant(text: str) -> str:
    """The formula for what is said in words or as a rule: all real numbers, a congruence, the x with a property."""
    if text[-1:].isalpha() or text[-1:] == "}":
        said = opened(text).strip(" .").lower() if len(text) < 60 else ""
        text = _SAID.get(said.removeprefix("the "), text)
    if "equiv" in text:
        congruence = _CONGRUENCE.match(text)
        if congruence:
            name, rest, modulus = congruence.groups()
            return rf"{name} = {rest} + {modulus} \ell, \ell \in \mathbb{{Z}}"
    builder = _BUILDER.match(text) if text[:2] == r"\{" else None
    if builder:
        return builder[2]
    return text


def _chosen(match: re.Match[str]) -> str:
    """The two notations for combinations differ in which number stands above; the larger is chosen from."""
    numbers = sorted(int(one) for one in match.groups() if one is not None)
    return rf"\binom{{{numbers[1]}}}{{{numbers[0]}}}"
