"""Answers in words: names, yes and no, parity, days, dates, times of day, spelt numbers, choice letters.

Two texts that differ are wrong only where both belong to one closed list (`odd`, `even`); any other two are open, for
English has many words for one thing.
"""

import re
from fractions import Fraction

from curate.verifiers.answers.node import names
from curate.verifiers.answers.normalise import opened

_CLOSED = [
    frozenset(one.split())
    for one in (
        "yes no", "true false", "odd even neither both", "always sometimes never", "positive negative zero",
        "monday tuesday wednesday thursday friday saturday sunday",
        "january february march april may june july august september october november december",
        "north south east west northeast northwest southeast southwest", "increasing decreasing constant",
        "convergent divergent", "converges diverges", "rational irrational", "finite infinite", "prime composite",
        "circle ellipse parabola hyperbola line point", "acute obtuse right", "equilateral isosceles scalene",
        "red blue green yellow orange purple black white brown pink", "spring summer autumn winter",
        "maximum minimum", "clockwise counterclockwise", "heads tails", "male female", "linear quadratic cubic",
        "triangle square rectangle rhombus trapezoid pentagon hexagon heptagon octagon",
    )
]  # fmt: skip
_MEMBERS = {word: group for group in _CLOSED for word in group}
_SAME = {
    "no real solutions": "no solution", "no real solution": "no solution", "no solutions": "no solution",
    "there is no solution": "no solution", "there are no solutions": "no solution", "no solution exists": "no solution",
    "does not exist": "dne", "do not exist": "dne", "doesn't exist": "dne", "not defined": "undefined", "y": "y",
    "no such number": "no solution", "no real roots": "no solution", "no roots": "no solution", "rhombi": "rhombus",
}  # fmt: skip
_ARTICLE = re.compile(r"\b(?:the|a|an)\b(?=\s)", re.IGNORECASE)
_FORMULA_SIGN = re.compile(r"[\\^_{}=+*/<>|()\[\]]")
_NOT_WORD = re.compile(r"[^a-z' ]|\b-")
_ANY_WORD = re.compile(r"[A-Za-z]{3,}")
_NEGATED = names("not no isn't nor without non")
_TIME = re.compile(r"(\d{1,2})\s*:\s*([0-5]\d)(?:\s*([ap])\s*\.?\s*m\b\.?)?", re.IGNORECASE)
_MONTHS = {
    name: place
    for place, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1
    )
}
_DAY_MONTH = re.compile(
    r"(?:(?P<m1>[a-z]{3,9})\.? (?P<d1>\d{1,2})(?:st|nd|rd|th)?"
    r"|(?P<d2>\d{1,2})(?:st|nd|rd|th)? (?:of )?(?P<m2>[a-z]{3,9}))"
    r"(?:,? (?P<year>\d{4}))?"
)
_ONES = """
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
    eighteen nineteen
"""
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_NUMBERS = {
    **{word: value for value, word in enumerate(_ONES.split())},
    **{word: 10 * value for value, word in enumerate(_TENS.split(), 2)},
}
_PARTS = {
    "half": 2,
    "halve": 2,
    "third": 3,
    "quarter": 4,
    "fourth": 4,
    "fifth": 5,
    "sixth": 6,
    "eighth": 8,
    "tenth": 10,
}
_SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9}
_SAYS_NUMBER = (
    frozenset(_NUMBERS)
    | frozenset(_SCALES)
    | names(
        """
    half third thirds quarter quarters fourth fifth sixth eighth tenth double triple twice once thrice pair couple dozen
    unity none nothing nil null never always certain impossible infinity infinite infinitely undefined root square cube
    squared cubed point percent over plus minus times exist exists solution solutions many answer all each every only
    zero first second right angle degrees pythagorean solutions dne golden ratio
    """
    )
)
_LETTER = re.compile(
    r"^(?:(?:option|choice|answer)\s*:?\s*)?\(?\s*([A-J])\s*(?:\)\s*[.:]?|[.:](?!\S)|[.:](?=\s)|$)\s*(.*)$",
    re.DOTALL | re.IGNORECASE,
)
_OPTION = re.compile(r"(?:\([A-J]\)|[A-J]\)|[A-J][.:](?=\s))(?:\s|~|\\[ ,;:]|\\q?quad\b)*(\S.*)", re.DOTALL)
_MARKER = re.compile(r"^\\(?:text|math)[a-z]*\s*\{\s*(\(?[A-J](?:\)|[.:]))[\s~]*\}")
# Letters in a row that a formula may hold without being words.
_FORMULA = names(
    """
    sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh log exp sqrt max min gcd lcm mod det and abs inf
    pmatrix bmatrix vmatrix matrix array cases aligned frac cdot begin end infty
    """
)


def letter(text: str) -> tuple[str, str] | None:
    """The choice letter that a cleaned answer opens with, and the text after it."""
    match = _LETTER.match(re.sub(r"\s+", " ", opened(text)).strip())
    return (match.group(1), match.group(2).strip()) if match and match.group(1).isupper() else None


def option(text: str) -> str | None:
    """The text of a choice that a cleaned answer gives with its letter: 3 of `(A) 3` or `A. 3`; None for any other."""
    match = _OPTION.match(_MARKER.sub(r"\1 ", opened(text).strip(), count=1))
    return match[1].strip() if match else None


def several(text: str) -> frozenset[str] | None:
    """The letters of several choices written in a row, in their order: `ABD`."""
    found = "".join(opened(text).split())
    row = re.fullmatch(r"[A-H]{2,6}", found) and list(found) == sorted(set(found))
    return frozenset(found) if row else None


def letters(text: str) -> frozenset[str] | None:
    """The letters of several choices, in a row or apart: `A, B and D`."""
    apart = re.split(r"\s*(?:,\s*and\b|,|;|&|\band\b)\s*", opened(text).strip(" ."))
    if len(apart) > 1 and all(re.fullmatch(r"\(?[A-H]\)?", one) for one in apart):
        return frozenset(one.strip("()") for one in apart)
    return several(text)


def same_words(gold: str, answer: str) -> bool | None:
    """Whether two cleaned answers in words say the same; None where they may."""
    left, right = _plain(gold), _plain(answer)
    if not left or not right:
        return None
    if left == right:
        written = _as_written(gold)
        if written is not None and written == _as_written(answer):
            return True
    for reading in (_time, _date, _spelt, _share):
        one, other = reading(left), reading(right)
        if one is not None and other is not None:
            return None if _partly(one, other) or _one_ratio(one, other) else one == other
    member, opposite = _member(left), _member(right)
    if member and opposite and _MEMBERS[member] is _MEMBERS[opposite]:
        return _as_good(left, right, member) if member == opposite else False
    return None


def spelt_number(text: str) -> Fraction | None:
    """The number that a cleaned answer spells out, such as `twenty-five` or `two thirds`."""
    said = _plain(text)
    found = _spelt(said) or _share(said)
    return Fraction(*found) if found is not None else None


def _share(text: str) -> tuple[int, ...] | None:
    """`two thirds`, in lowest terms."""
    top, _, part = text.replace("-", " ").rpartition(" ")
    share, count = _PARTS.get(part.removesuffix("s")), _spelt(top)
    return Fraction(count[0], share).as_integer_ratio() if share and count is not None else None


def no_number(text: str) -> bool:
    """Whether a cleaned answer is a word or three that say no number, not even `half`, `none` or `infinite`."""
    found = _plain(text).replace("-", " ").split()
    return 0 < len(found) <= 3 and all(word.isalpha() and len(word) > 2 and word not in _SAYS_NUMBER for word in found)


def prose(text: str) -> bool:
    """Whether a cleaned answer holds words: then a symbolic "not equal" proves nothing."""
    bare = re.sub(r"\\[A-Za-z]+", " ", opened(text))
    return any(word.lower() not in _FORMULA for word in _ANY_WORD.findall(bare))


def _plain(text: str) -> str:
    text = opened(text).casefold().replace("{", " ").replace("}", " ").replace("$", "")
    text = " ".join(_ARTICLE.sub(" ", text).split()).strip(
        " .,;:!" if text[-1:] == "!" and text[-2:-1].isalpha() else " .,;:"
    )
    return _SAME.get(text, text)


def _as_written(text: str) -> list[str] | None:
    """The words of a cleaned text as written, short ones in their own case (`AB` is not `ab`); None for a formula."""
    if _plain(text) in _SAME.values():
        return [_plain(text)]
    text = opened(text)
    if _FORMULA_SIGN.search(text) or not prose(text):
        return None
    found = [word.strip(".,;:!") for word in _ARTICLE.sub(" ", text).split()]
    return [word.casefold() if len(word) > 2 else word for word in found]


def _member(text: str) -> str | None:
    """The one word of a closed list in a short phrase: `an odd function` is `odd`."""
    if _NOT_WORD.search(text):
        return None  # more than words: `-x`, `2 odd`
    words = text.split()
    found = [word for word in words if word in _MEMBERS]
    if len(words) > 4 or _NEGATED & set(words) - {"no"} or (len(words) > 1 and "no" in words):
        return None
    if "neither" in words:
        return "neither"
    return found[0] if len(found) == 1 else None


def _as_good(one: str, other: str, member: str) -> bool | None:
    """Whether two phrases with one decisive word agree: `an odd function` and `odd`, not `point P` and `point Q`."""
    rests = [[word for word in text.split() if word != member] for text in (one, other)]
    if rests[0] == rests[1] or not (rests[0] and rests[1]):
        return True if all(len(word) > 1 for rest in rests for word in rest) else None
    return None


def _time(text: str) -> tuple[int, ...] | None:
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    half = {"a": 1, "p": 2}.get((match[3] or "").lower(), 0)
    return int(match[1]), int(match[2]), half


def _date(text: str) -> tuple[int, ...] | None:
    match = _DAY_MONTH.fullmatch(text)
    month = _MONTHS.get((match["m1"] or match["m2"])[:3]) if match else None
    if match is None or month is None:
        return None
    return month, int(match["d1"] or match["d2"]), int(match["year"] or 0)


def _one_ratio(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Whether two times of no stated half of the day may be one ratio: `1:12` and `2:24`."""
    return len(one) == 3 and one[2] == other[2] == 0 and one[0] * other[1] == other[0] * one[1] and one != other


def _partly(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Whether they differ only in that one leaves its last part (a.m. or p.m., the year) unsaid."""
    return len(one) == 3 and one[:2] == other[:2] and one[2] != other[2] and 0 in (one[2], other[2])


def _spelt(text: str) -> tuple[int, ...] | None:
    words = text.replace("-", " ").replace(" and ", " ").split()
    if not words or len(words) > 12:
        return None
    total = current = 0
    for word in words:
        if word in _NUMBERS:
            current += _NUMBERS[word]
        elif word == "hundred":
            current = max(current, 1) * 100
        elif word in _SCALES:
            total, current = total + max(current, 1) * _SCALES[word], 0
        else:
            return None
    return (total + current,)
