r"""Answers as text: one spelling for what means the same, and literal comparison.

`clean` takes away what carries no meaning (delimiters, spacing commands, look-alike characters, a full stop); `fold`
goes on to the form that is compared literally. Both take time linear in the text.
"""

import re

_FRACTIONS = "½12 ⅓13 ⅔23 ¼14 ¾34 ⅕15 ⅖25 ⅗35 ⅘45 ⅙16 ⅚56 ⅛18 ⅜38 ⅝58 ⅞78"
_LETTERS = "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΦΨΩ"
_NAMES = """
    alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi psi omega
    Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega
"""
_UNICODE = str.maketrans(
    {
        **dict.fromkeys("\u2212\u2013\uff0d\u2011\u2010", "-"),
        **dict.fromkeys("\u00a0\u2009\u202f\u2002\u2003\u2005\u2006\u2007\u2008\u200a\u3000", " "),
        **dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff\u00ad\u200e\u200f\u2061\u2062\u2063", None),
        **{chr(0x2080 + digit): f"_{digit}" for digit in range(10)},
        **{chr(0xFF10 + digit): str(digit) for digit in range(10)},
        **dict(zip("²³¹⁰⁴⁵⁶⁷⁸⁹ⁿ", (f"^{{{one}}}" for one in "231045678" "9n"), strict=True)),
        "⁻": "^-",
        **{one[0]: rf"\frac{{{one[1]}}}{{{one[2]}}}" for one in _FRACTIONS.split()},
        **{letter: rf"\{name} " for letter, name in zip(_LETTERS, _NAMES.split(), strict=True)},
        "\u221e": r"\infty ",
        "\u00b0": r"^\circ ",
        "\u2218": r"\circ ",
        "\u00d7": r"\times ",
        "\u00b7": r"\cdot ",
        "\u22c5": r"\cdot ",
        "\u2219": r"\cdot ",
        "\u00f7": r"\div ",
        "\u00b1": r"\pm ",
        "\u2213": r"\mp ",
        "\u2264": r"\le ",
        "\u2265": r"\ge ",
        "\u2a7d": r"\le ",
        "\u2a7e": r"\ge ",
        "\u2260": r"\ne ",
        "\u2248": r"\approx ",
        "\u222a": r"\cup ",
        "\u2229": r"\cap ",
        "\u2208": r"\in ",
        "\u2205": r"\emptyset ",
        "\u2216": r"\setminus ",
        "\u211d": r"\mathbb{R}",
        "\u2124": r"\mathbb{Z}",
        "\u27e8": r"\langle ",
        "\u27e9": r"\rangle ",
        "\u2044": "/",
        "\u2215": "/",
        "\uff0f": "/",
        "\uff0c": ",",
        "\uff08": "(",
        "\uff09": ")",
        "\uff1d": "=",
        "\uff0b": "+",
        "\u2032": "'",
        "\u2019": "'",
        "\u2026": r"\ldots ",
        "\u2220": r"\angle ",
        "\u25b3": r"\triangle ",
        "\u2200": r"\forall ",
        "\u2261": r"\equiv ",
    }
)  # fmt: skip
_SPACING = re.compile(
    r"(?<!\\)\{\s*\\[,;:! ]\s*\}|\\[,;:!>]|\\(?:left|right|middle)(?![A-Za-z])\.?"
    r"|\\(?:[bB]igg?[lrm]?|(?:display|text|script)style|limits|nolimits|thinspace|negthinspace|hfill)(?![A-Za-z])"
)
_WIDE_SPACE = re.compile(r"\\(?:quad|qquad|enspace)(?![A-Za-z])|(?<!\\)\\ |~|\s+")
_FRAC = re.compile(r"\\[dtc]frac(?![A-Za-z])")
_BARE_PI = re.compile(r"(?<![\\A-Za-z])pi(?![A-Za-z])")
_SAME = re.compile(
    r"\\lbrace(?![A-Za-z])|\\rbrace(?![A-Za-z])|\\varnothing(?![A-Za-z])|(?<![a-z])\{[,:]\}|\\(?:[lr]vert|mid)(?![A-Za-z])"
    r"|\\[lr]Vert(?![A-Za-z])|\\(?:le|ge)q(?:slant|q)?(?![A-Za-z])|\\neq(?![A-Za-z])|\\[lr]brack(?![A-Za-z])|\\dots(?:c)?(?![A-Za-z])"
)
_MEANT = {
    r"\lbrace": r"\{",
    r"\rbrace": r"\}",
    r"\varnothing": r"\emptyset ",
    "{,}": ",",
    "{:}": ":",
    r"\lvert": "|",
    r"\rvert": "|",
    r"\mid": "|",
    r"\lVert": r"\|",
    r"\rVert": r"\|",
    r"\neq": r"\ne ",
    r"\lbrack": "[",
    r"\rbrack": "]",
}
_ROOT = re.compile(r"\u221a\s*(\d+(?:\.\d+)?(?=i\b|\W|$)|[A-Za-z](?!\w))")  # `√2x` may be either
_ROOT_GROUP = re.compile(r"\u221a\s*(?=[({])")
_TEXT_COMMAND = r"(?:text(?:bf|it|rm|sf|tt|normal|up)?|math(?:rm|bf|it|sf|tt|normal)|mbox|hbox|bf|rm|it|emph)"
_WRAPPER = re.compile(rf"\\(?:{_TEXT_COMMAND}|boxed)\s*\{{([^{{}}]*)\}}")
# A text command, or braces around everything, or parentheses around one number: `\textbf{(073)}`.
_WHOLE = re.compile(rf"^(?:\\{_TEXT_COMMAND}\s*\{{([^{{}}]*)\}}|\{{([^{{}}]*)\}}|\(\s*(-?\d+(?:\.\d+)?)\s*\))$")
_LOOSE_SPACE = re.compile(r" (?=\W)|(?<=\W) ")
_DELIMITERS = (("$$", "$$"), ("\\[", "\\]"), ("\\(", "\\)"), ("$", "$"), ("**", "**"), ("`", "`"), ('"', '"'))
_BRACE = re.compile(r"\\.|[{}]")
_WORDS = re.compile(r"[A-Za-z]{3,}(?: [A-Za-z]+)*")
_SEVERAL = re.compile(r"[A-Za-z]{2,}")
_LETTER = re.compile(r"\(([A-Za-z])\)")
# Escaped once too often: no line break stands before the name of a command.
_DOUBLED = re.compile(
    r"\\\\(?=(?:[dtc]?frac|sqrt|pi|text(?:bf|rm|it)?|math[a-z]+|infty|cup|cap|in|log|ln|sin|cos|tan|le|ge|leq|geq|neq?"
    r"|cdot|times|left|right|pm|circ|theta|alpha|beta|binom|boxed|approx|overline|emptyset|langle|rangle)(?![A-Za-z]))"
)
_ROW_GAP = re.compile(r"\\\\\s*\[\s*-?[\d.]+\s*(?:pt|em|ex|mm|cm|in)\s*\]")
_DOLLAR = re.compile(r"(?<!\\)\$")
_LONGEST = 20_000  # characters cleaned; of a longer answer only its literal text counts
_SHORT = 400  # characters of a text whose outer braces are looked for again and again


def clean(text: str) -> str:
    """The answer without what carries no meaning: delimiters, spacing commands, look-alike characters, a full stop."""
    if text.isascii() and text.isalnum() and not text.isalpha():
        return text.strip()
    text = " ".join(text.split())  # first, so that a backslash before any white space reads as `\\ `
    if len(text) > _LONGEST:
        return text
    if not text.isascii():
        text = text.translate(_UNICODE)
        text = _ROOT_GROUP.sub("sqrt", _ROOT.sub(r"\\sqrt{\1}", text))
    if "\\\\[" in text:
        text = _ROW_GAP.sub(lambda _: r"\\ ", text)
    if "\\\\" in text and "\\begin" not in text:
        text = _DOUBLED.sub(lambda _: "\\", text)
    if "\\" in text or "{" in text:
        text = _SAME.sub(_same, _FRAC.sub(r"\\frac", text))
        text = _SPACING.sub("", text)
    if "$" in text and len(_DOLLAR.findall(text)) % 2 == 0:
        text = _DOLLAR.sub(" ", text)
    if "..." in text:
        text = text.replace("...", r"\ldots ")
    if "pi" in text:
        text = _BARE_PI.sub(r"\\pi ", text)
    text = _WIDE_SPACE.sub(" ", text).strip()
    while True:
        stripped = _unwrap(text.rstrip(".,;: ").strip())
        if stripped == text:
            return text
        text = stripped


def _same(match: re.Match[str]) -> str:
    written = match.group()
    if written in _MEANT:
        return _MEANT[written]
    return r"\ldots " if written.startswith(r"\dots") else written[:3] + " "  # `\le ` and `\ge `


def _unwrap(text: str) -> str:
    if text[:1].isdigit():
        return text
    for opener, closer in _DELIMITERS:
        inner = text[len(opener) : -len(closer)]
        if inner and text == opener + inner + closer and opener not in inner and closer not in inner:
            return inner.strip()
    if text[:1] == "{" and text[-1:] == "}" and len(text) < _SHORT and _one_group(text):
        return text[1:-1].strip()
    wrapped = _WHOLE.match(text)
    return next(part for part in wrapped.groups() if part is not None).strip() if wrapped else text


def _one_group(text: str) -> bool:
    """Whether the brace that opens the text is closed by the one that ends it."""
    depth = 0
    for brace in _BRACE.finditer(text):
        depth += {"{": 1, "}": -1}.get(brace.group(), 0)
        if not depth:
            return brace.end() == len(text)
    return False


def opened(text: str) -> str:
    r"""A cleaned answer with its text commands opened: `\text{an odd }x` reads `an odd x`."""
    return _WRAPPER.sub(lambda match: f" {match.group(1).strip()} ", text) if "\\" in text else text


def fold(text: str) -> str:
    """A cleaned answer as compared literally: text commands opened, loose spaces gone, words in lower case."""
    text = _WIDE_SPACE.sub(" ", opened(text)).strip().rstrip(".")
    text = _LOOSE_SPACE.sub("", text)
    letter = _LETTER.fullmatch(text)
    if letter:
        return letter.group(1)
    # `Yes` is `yes`, but `AB` (a segment) is not `ab` (a product).
    return _SEVERAL.sub(lambda word: word.group().casefold(), text) if _WORDS.fullmatch(text) else text
