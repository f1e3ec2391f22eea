r"""Answers that need no algebra: light cleaning, equal strings, and exact numbers as fractions.

What this module decides is certain; where it is not, it says None and symbolic comparison goes on.

Number policy: thousands separators (`1,234`, `1{,}234`, `1\,234`), a currency sign and a trailing unit (`18 dollars`,
`5\text{ cm}^2`, `90^\circ`) are read past where only one side has them; two different units, `\$5` and `5` cents
among them, or a counting word such as `million`, are left undecided. `1e-05` is read as a power of ten. `50\%` equals
`0.5`, and also `50`, since references often name the percentage alone. Two exact numbers that differ are wrong; where
one is a decimal, they are wrong when more than 1 % apart and undecided (rounding) below that.
"""

import re
from fractions import Fraction
from typing import NamedTuple

_DIGITS = 4000  # longest number read here; Python converts up to 4,300 digits
_UNICODE = str.maketrans(
    {
        "\u2212": "-",
        "\u2013": "-",
        "\uff0d": "-",
        "\u00a0": " ",
        "\u2009": " ",
        "\u202f": " ",
        "\u03c0": r"\pi ",
        "\u221e": r"\infty ",
        "\u00b0": r"^\circ",
        "\u00d7": r"\times ",
        "\u00b7": r"\cdot ",
        "\u2264": r"\le ",
        "\u2265": r"\ge ",
        **dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff", None),
    }
)
_SPACING = re.compile(
    r"\\[,;:!>]|\\(?:left|right)(?![A-Za-z])\.?|\\(?:[bB]igg?[lr]?|(?:display|text)style)(?![A-Za-z])"
)
_WIDE_SPACE = re.compile(r"\\(?:quad|qquad)(?![A-Za-z])|(?<!\\)\\ |~|\s+")
_FRAC = re.compile(r"\\[dtc]frac(?![A-Za-z])")
_BARE_PI = re.compile(r"(?<![\\A-Za-z])pi(?![A-Za-z])")
_SAME = {r"\lbrace": r"\{", r"\rbrace": r"\}", r"\varnothing": r"\emptyset", "{,}": ","}
_ROOT = re.compile(r"\u221a\s*(\w+)")
_WRAPPER = re.compile(r"\\(?:text|textbf|textit|textrm|mathrm|mathbf|mbox|bf|rm|boxed)\s*\{([^{}]*)\}")
# A text command, or braces around everything, or parentheses around one number: `\textbf{(073)}`.
_WHOLE = re.compile(
    r"^(?:\\(?:text(?:bf|it|rm)?|math(?:rm|bf)|mbox)\s*\{([^{}]*)\}|\{([^{}]*)\}|\(\s*(-?\d+(?:\.\d+)?)\s*\))$"
)
_LOOSE_SPACE = re.compile(r" (?=\W)|(?<=\W) ")
_DELIMITERS = (("$$", "$$"), ("\\[", "\\]"), ("\\(", "\\)"), ("$", "$"), ("**", "**"), ("`", "`"))

_UNSIGNED = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d*)?|\.\d+"
_NUMBER = re.compile(
    rf"""^(?P<sign>[+-]?)\s*(?P<money>\\?\$|[€£¥])?\s*(?P<sign2>-?)
    (?:(?P<whole>\d+)?\s*\\frac\s*(?:\{{\s*(?P<top>-?\d+)\s*\}}\s*\{{\s*(?P<bottom>-?\d+)\s*\}}|(?P<t1>\d)(?P<b1>\d))
      |(?P<w2>\d+)[ ](?P<t2>\d+)\s*/\s*(?P<b2>\d+)
      |10\s*\^\s*(?:\{{\s*(?P<ten>-?\d{{1,3}})\s*\}}|(?P<ten2>\d{{1,3}})(?!\d))
      |(?P<plain>{_UNSIGNED})(?:[eE](?P<exp>[+-]?\d{{1,3}})(?![\w.])|\s*/\s*(?P<over>\d+))?)
    (?:\s*(?:\\times|\\cdot|\*)\s*10\s*\^\s*\{{?(?P<power>-?\d{{1,3}})\}}?)?
    \s*(?P<rest>.*)$""",
    re.VERBOSE | re.DOTALL,
)
_PERCENT = re.compile(r"^(?:\\?%|\\text\{\s*(?:percent|\\?%)\s*\}|per\s?cent)$", re.IGNORECASE)
_DEGREE = re.compile(r"^(?:\^\s*\{?\s*\\circ\s*\}?|\\degree|\\text\{\s*degrees?\s*\}|degrees?)$", re.IGNORECASE)
_TEXT_UNIT = re.compile(r"^\\(?:text|mathrm|mbox|textrm)\s*\{([A-Za-z .²³/]+)\}\s*(?:\^\s*\{?(\d)\}?)?$")
_WORD_UNIT = re.compile(
    r"^(?:(?=[a-z]*[aeiouy])[A-Za-z]{3,}|cm|mm|km|kg|mg|ml|ft|lb|lbs|oz|hr|hrs|mph|kph)(?:[ /][A-Za-z]+){0,3}$"
)
# Words after a number that change its value or join it to another: never a unit.
_NOT_UNIT_WORDS = """
    hundred hundreds thousand thousands million millions billion billions trillion trillions dozen dozens half halves
    third thirds quarter quarters pi sqrt sin cos tan log ln exp and or to plus minus times over mod less more than
    not but if through between squared cubed factorial choose is are e i d
"""
_NOT_UNITS = frozenset(_NOT_UNIT_WORDS.split())
# Letters that a formula may hold in a row without being words.
_FORMULA = """
    sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh log exp sqrt max min gcd lcm mod det and abs inf
    pmatrix bmatrix vmatrix matrix array cases aligned frac cdot begin end infty
"""
_FORMULA_WORDS = frozenset(_FORMULA.split())


_MONEY = {"$": "dollar", "€": "euro", "£": "pound sterling", "¥": "yen"}
# One name for each unit that is also abbreviated; plurals in -s need no entry.
_SYNONYMS = {
    short: name
    for name, shorts in {
        "meter": "m metre meter",
        "centimeter": "cm centimetre centimeter",
        "millimeter": "mm millimetre millimeter",
        "kilometer": "km kilometre kilometer",
        "foot": "ft foot feet",
        "inch": "in inch inches",
        "gram": "g gram",
        "kilogram": "kg kilogram",
        "milligram": "mg milligram",
        "pound": "lb lbs pound",
        "ounce": "oz ounce",
        "liter": "l litre liter",
        "milliliter": "ml millilitre milliliter",
        "hour": "h hr hour",
        "minute": "min minute",
        "second": "s sec second",
        "dollar": "usd dollar",
        "cent": "cent",
        "mile per hour": "mph",
        "kilometer per hour": "kph",
        "square": "sq square",
    }.items()
    for short in shorts.split()
}


class Number(NamedTuple):
    """A number as written: its exact value, whether it is a decimal (perhaps rounded), a percentage, and its unit."""

    value: Fraction
    decimal: bool
    percent: bool
    unit: str


def clean(text: str) -> str:
    """The answer without what carries no meaning: delimiters, spacing commands, look-alike characters, a full stop."""
    text = " ".join(text.split())  # first, so that a backslash before any white space reads as `\\ `
    text = _BARE_PI.sub(r"\\pi ", _FRAC.sub(r"\\frac", text.translate(_UNICODE)))
    for written, meant in _SAME.items():
        text = text.replace(written, meant)
    text = _ROOT.sub(r"\\sqrt{\1}", _WIDE_SPACE.sub(" ", _SPACING.sub("", text))).strip()
    while True:
        stripped = _unwrap(text.rstrip(".,;: ").strip())
        if stripped == text:
            return text
        text = stripped


def _unwrap(text: str) -> str:
    for opener, closer in _DELIMITERS:
        inner = text[len(opener) : -len(closer)]
        if inner and text == opener + inner + closer and opener not in inner and closer not in inner:
            return inner.strip()
    wrapped = _WHOLE.match(text)
    return next(part for part in wrapped.groups() if part is not None).strip() if wrapped else text


def fold(text: str) -> str:
    """A cleaned answer as compared literally: text commands opened, loose spaces gone, words in lower case."""
    text = _WRAPPER.sub(lambda match: f" {match.group(1).strip()} ", text)
    text = _WIDE_SPACE.sub(" ", text).strip().rstrip(".")
    text = _LOOSE_SPACE.sub("", text)
    letter = re.fullmatch(r"\(([A-Za-z])\)", text)
    if letter:
        return letter.group(1)
    # `Yes` is `yes`, but `AB` (a segment) is not `ab` (a product).
    return text.casefold() if re.fullmatch(r"[A-Za-z]{3,}(?: [A-Za-z]+)*", text) else text


def number(text: str) -> Number | None:
    """The number that a cleaned answer is, or None where it is anything else."""
    if len(text) > _DIGITS or (match := _NUMBER.match(text)) is None:
        return None
    rest = match["rest"]
    unit = _unit(rest)
    glued = rest[:1].isalpha() and not text[: -len(rest)].endswith(" ")  # `5xy` is a product, `5 eggs` has a unit
    if unit is None or glued or (match["sign"] and match["sign2"]):
        return None
    value, decimal = _value(match)
    if value is None:
        return None
    if match["power"]:
        value *= Fraction(10) ** int(match["power"])
    if match["sign"] == "-" or match["sign2"]:
        value = -value
    unit = _currency(match["money"], unit)
    return Number(value, decimal, unit == "%", "" if unit == "%" else unit)


def _currency(sign: str | None, unit: str) -> str:
    """The unit of an amount: a sign of money is one, `$5 a day` is counted in `dollar a day`."""
    name = _MONEY[sign[-1]] if sign else ""
    return name if unit == name or not unit else f"{name} {unit}".strip()


def _value(match: re.Match[str]) -> tuple[Fraction | None, bool]:
    if ten := match["ten"] or match["ten2"]:
        return Fraction(10) ** int(ten), False
    if match["plain"]:
        written = match["plain"].replace(",", "")
        if match["exp"]:
            return Fraction(written) * Fraction(10) ** int(match["exp"]), True
        bottom = int(match["over"]) if match["over"] else 1
        return (Fraction(written) / bottom if bottom else None), "." in written
    top = int(match["top"] or match["t1"] or match["t2"])
    bottom = int(match["bottom"] or match["b1"] or match["b2"])
    if bottom == 0:
        return None, False
    return int(match["whole"] or match["w2"] or 0) + Fraction(top, bottom), False


def _unit(rest: str) -> str | None:
    """The unit named after a number: empty for none, None where what follows is no unit."""
    if not rest:
        return ""
    if _PERCENT.match(rest):
        return "%"
    if _DEGREE.match(rest):
        return "degree"
    in_text = _TEXT_UNIT.match(rest)
    words = (in_text.group(1) if in_text else rest).strip(" .").lower()
    if not in_text and not _WORD_UNIT.match(words):
        return None
    if not words or _NOT_UNITS & set(re.split(r"[ /]", words)):
        return None
    return _named(words, (in_text.group(2) or "") if in_text else "")


def _named(words: str, power: str) -> str:
    """One spelling for one unit: `cm^2`, `square centimeters` and `sq cm` are the same."""
    words = words.replace("²", " ² ").replace("³", " ³ ").replace("/", " per ")
    parts = [_SYNONYMS.get(word) or _SYNONYMS.get(word.removesuffix("s")) or word for word in words.split()]
    for mark, exponent in (("square", "2"), ("cubic", "3"), ("²", "2"), ("³", "3")):
        if mark in parts:
            parts.remove(mark)
            power = exponent
    return " ".join(part if len(part) < 4 else part.removesuffix("s") for part in parts) + power


def compare(gold: str, answer: str) -> bool | None:
    """True or False where two cleaned answers certainly agree or differ, None where only algebra can tell."""
    if fold(gold) == fold(answer):
        return True
    left, right = number(gold), number(answer)
    if left is None or right is None:
        return None
    if left.unit and right.unit and left.unit != right.unit:
        return None
    if left.value == right.value:
        return True
    if left.percent != right.percent:
        scale = [side.value / 100 if side.percent else side.value for side in (left, right)]
        return scale[0] == scale[1]
    if not (left.decimal or right.decimal):
        return False
    gap = abs(left.value - right.value)
    return False if gap > abs(left.value) / 100 else None


def units_differ(gold: str, answer: str) -> bool:
    """Whether two cleaned answers are amounts in two different units: no engine that drops units may compare them."""
    left, right = _unit_of(gold), _unit_of(answer)
    return bool(left and right and left != right)


def _unit_of(text: str) -> str:
    """The unit of an amount, also a short one such as the `m` of `5 m`; empty where `text` is no amount."""
    if len(text) > _DIGITS or (match := _NUMBER.match(text)) is None:
        return ""
    rest = match["rest"]
    unit = _unit(rest)
    if unit is None or (rest[:1].isalpha() and not text[: -len(rest)].endswith(" ")):
        unit = _SYNONYMS.get(rest.lower(), "")
    return _currency(match["money"], unit)


def prose(text: str) -> bool:
    """Whether a cleaned answer holds words: then a symbolic "not equal" proves nothing."""
    opened = _WRAPPER.sub(lambda match: f" {match.group(1)} ", text)
    bare = re.sub(r"\\[A-Za-z]+", " ", opened)
    return any(word.lower() not in _FORMULA_WORDS for word in re.findall(r"[A-Za-z]{3,}", bare))
