r"""A cleaned answer cut into tokens: numbers, letters, words, commands and signs.

Spelling is settled here, so that the grammar knows one form: `\leq` is `≤`, `**` is `^`, `\text{ or }` is a separator,
`\mathrm{i}` is the letter. Thousands separators belong to the number where `grouped` asks for it.
"""

import re
from fractions import Fraction
from typing import Any, NamedTuple

from curate.verifiers.answers.node import Unread, names
from curate.verifiers.answers.units import SYMBOLS

_MOST = 700  # tokens of an answer


class Token(NamedTuple):
    """`kind` is `n` (number), `l` (letter or name), `w` (word), `c` (command), `o` (sign) or `end`."""

    kind: str
    value: Any
    raw: str = ""
    spaced: bool = False  # white space stood before it


_GROUPED = r"\d{1,3}(?:(?:,|\ )\d{3})+(?![\d])(?:\.\d+)?|"
_TOKEN = r"""
    (?P<text>\\(?:text(?:bf|it|rm|sf|tt|normal|up)?|math(?:rm|bf|it|sf|tt|normal)|mbox|hbox|emph|operatorname\*?
        |boldsymbol|bm|pmb)\s*\{{(?P<inner>[^{{}}]*)\}})
    |(?P<number>(?:{grouped}\d+(?:\.\d+|\.(?=\s*(?:[/*^)+-]|\\(?:overline|bar|dot)\b)))?|\.\d+)(?:[eE][+-]?\d{{1,4}}(?![\w.]))?)
    |(?P<letters>[A-Za-z]+)
    |(?P<command>\\[A-Za-z]+|\\.)
    |(?P<ascii><=|>=|!=|=<|=>|==|\*\*|\.\.\.)
    |(?P<sign>[^\s\w]|_)
"""
_PATTERNS = {
    True: re.compile(_TOKEN.format(grouped=_GROUPED), re.VERBOSE),
    False: re.compile(_TOKEN.format(grouped=""), re.VERBOSE),
}
_SPACE = re.compile(r"\s+")
_SIGNS = {
    "<=": "≤", "=<": "≤", r"\le": "≤", ">=": "≥", r"\ge": "≥", "!=": "≠", r"\ne": "≠", "**": "^", "==": "=",
    r"\lt": "<", r"\gt": ">", r"\approx": "≈", r"\simeq": "≈", r"\cdot": "*", r"\times": "*", r"\ast": "*",
    r"\div": "/", r"\pm": "±", r"\mp": "∓", r"\in": "∈", r"\cup": "∪", r"\cap": "∩", r"\setminus": "∖",
    r"\backslash": "∖", r"\smallsetminus": "∖", r"\colon": ":", r"\ratio": ":", r"\|": "‖", r"\%": "%", r"\$": "$",
    r"\{": r"\{", r"\}": r"\}", r"\langle": "⟨", r"\rangle": "⟩", r"\lfloor": "⌊", r"\rfloor": "⌋", r"\lceil": "⌈",
    r"\rceil": "⌉", r"\lparen": "(", r"\rparen": ")", r"\cdotp": "*", r"\to": "→",
    r"\ldots": "…", "...": "…", r"\union": "∪", r"\_": "_", r"\#": "#", r"\&": "w&", r"\degree": "°",
    r"\pounds": "£", r"\euro": "€",
}  # fmt: skip
_CONSTANTS = {r"\pi": "pi", r"\infty": "inf", r"\infin": "inf", r"\imath": "i", r"\mathrm{i}": "i"}
_GREEK = names(
    """
    alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi rho varrho sigma tau
    upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega ell hbar
    """
)
FUNCTIONS = names(
    """
    sin cos tan cot sec csc arcsin arccos arctan arccot arcsec arccsc sinh cosh tanh coth sech csch arcsinh arccosh
    arctanh log ln lg exp max min gcd lcm Re Im
    """
)
_NAMED = {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "abs": "abs", "sqrt": "sqrt", "cbrt": "cbrt"}
_SEPARATORS = {"and": ",", "or": "or", "&": ",", ",": ",", "and/or": ",", ";": ",", ", and": ",", ", or": "or"}
# Short letter runs that are words or units after a number, never products of letters.
_SHORT_WORDS = names(
    """
    cm mm km kg mg ml ft lb lbs oz hr hrs min mins sec secs mph kph in yd mi am pm is if no yes so to by of the odd
    not but for all any mol per one two six ten day usd sq cu deg dne none even true both
    """
)
_SILENT = frozenset({r"\,", r"\ ", r"\displaystyle", r"\strut", r"\mathstrut", r"\/", r"\-", r"\relax", r"\nonumber"})


def tokenise(text: str, *, grouped: bool) -> list[Token]:
    """The tokens of a cleaned answer, an `end` last. Raises Unread on what no answer holds."""
    tokens: list[Token] = []
    pattern, place, length, spaced = _PATTERNS[grouped], 0, len(text), False
    while place < length:
        match = pattern.match(text, place)
        if match is None:
            gap = _SPACE.match(text, place)
            if gap is None:
                raise Unread(text[place])
            place, spaced = gap.end(), True
            continue
        _read(match, tokens, spaced)
        place, spaced = match.end(), False
        if len(tokens) > _MOST:
            raise Unread("too long")
    tokens.append(Token("end", ""))
    return tokens


def _read(match: re.Match[str], tokens: list[Token], spaced: bool) -> None:
    raw = match.group()
    if match["number"]:
        tokens.append(Token("n", written_number(raw), raw, spaced))
    elif match["letters"]:
        measured = spaced and len(raw) > 1 and raw in SYMBOLS and bool(tokens) and tokens[-1].kind == "n"
        tokens.extend([Token("w", raw, raw, spaced)] if measured else _letters(raw, spaced))  # `5 kJ`
    elif match["text"]:
        tokens.extend(_text(raw, match["inner"].strip(), spaced))
    elif raw in _SIGNS:
        tokens.append(Token("o", _SIGNS[raw], raw, spaced))
    elif match["command"]:
        if raw not in _SILENT:
            tokens.append(_command(raw, spaced))
    elif raw != "$":
        tokens.append(Token("o", raw, raw, spaced))
    elif not tokens or tokens[-1].kind == "o":
        tokens.append(Token("o", "$", raw, spaced))


def written_number(raw: str) -> tuple[Fraction, int | None]:
    """The exact value of a written number, and how many digits stand after its point (None: an integer)."""
    digits, _, power = raw.replace(",", "").replace(" ", "").lower().partition("e")
    if len(digits) > 4000:
        raise Unread("a number of more than 4,000 digits")
    whole, point, after = digits.partition(".")
    value = Fraction(int((whole + after) or "0"), 10 ** len(after))
    decimals = len(after) if point else None
    if power:
        value *= Fraction(10) ** int(power)
        decimals = (decimals or 0) - int(power)
    return value, decimals


def _letters(raw: str, spaced: bool) -> list[Token]:
    if (raw in FUNCTIONS and raw not in ("min", "max", "Re", "Im")) or raw in _NAMED:
        return [Token("c", "\\" + _NAMED.get(raw, raw), raw, spaced)]
    if raw == "pi" or raw in ("oo", "infty", "infinity", "inf"):
        return [Token("l", "pi" if raw == "pi" else "inf", raw, spaced)]
    if raw in _GREEK and len(raw) > 2:
        return [Token("l", raw, raw, spaced)]
    if raw.endswith("pi") and len(raw) == 3 and raw not in _SHORT_WORDS:
        return [Token("l", raw[0], raw[0], spaced), Token("l", "pi", "pi")]
    if raw.lower() in _SEPARATORS:
        return [Token("o", _SEPARATORS[raw.lower()], raw, spaced)]
    word = raw.lower() in _SHORT_WORDS and not (raw.isupper() and len(raw) == 2)
    short = len(raw) == 1 or (not word and (len(raw) <= 3 or (raw.isupper() and len(raw) <= 5)))
    if not short:
        return [Token("w", raw, raw, spaced)]
    return [Token("l", one, one, spaced and not place) for place, one in enumerate(raw)]


def _text(raw: str, inner: str, spaced: bool) -> list[Token]:
    """What a text command holds: a separator, a letter, a number, a name, or words."""
    command = raw[: raw.index("{")].rstrip()
    lowered = inner.lower().strip(" .")
    if not inner or lowered in ("", "~"):
        return []
    if lowered in _SEPARATORS or lowered in (":", "€", "£", "¥", "¢"):
        return [Token("o", _SEPARATORS.get(lowered, lowered), raw, spaced)]
    if "operatorname" in command:
        name = inner if inner in FUNCTIONS else ""
        if not name:
            raise Unread(inner)
        return [Token("c", "\\" + name, raw, spaced)]
    plain = re.fullmatch(r"[A-Za-z]", inner)
    if plain and command.lstrip("\\") in ("boldsymbol", "bm", "pmb", "mathbf", "mathit", "mathsf", "mathtt"):
        return [Token("l", inner, raw, spaced)]
    if plain and (inner.isupper() or inner in "ied"):
        return [Token("l", inner, raw, spaced)]
    if inner.isdigit() and len(inner) < 400:
        return [Token("n", written_number(inner), inner, spaced)]
    if re.fullmatch(r"[\d,. +*/=()-]*\d[\d,. +*/=()-]*", inner) or inner.startswith(("$", "\\$", "€", "£", "¥")):
        return tokenise(inner, grouped=True)[:-1]
    if inner.endswith(","):
        return [Token("w", inner.rstrip(", "), raw, spaced), Token("o", ",", ",")]
    return [Token("w", inner, raw, spaced)]


def _command(raw: str, spaced: bool) -> Token:
    if raw in _CONSTANTS:
        return Token("l", _CONSTANTS[raw], raw, spaced)
    if raw[1:] in _GREEK:
        return Token("l", raw[1:], raw, spaced)
    return Token("c", raw, raw, spaced)
