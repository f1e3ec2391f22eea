"""What of a text counts: white space and Unicode forms do not, and for families of questions neither do numbers."""

import re
import unicodedata

_SPACES = re.compile(r"(?<=\S)[ \t\xa0]+")  # inside a line: those before it are indentation
# 1,234.5 or 1234.5: a comma counts as part of a number only before three digits.
# That both ways begin with one digit lets `re` jump from digit to digit.
_NUMBER = re.compile(r"\d(?:\d{0,2}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d*(?:\.\d+)?)")


def settled(text: str) -> str:
    """A text without what two copies of it differ by: its Unicode form (NFC), outer white space, the ends of lines, the
    length of gaps inside a line. Case, line breaks and indentation stay.
    """
    lines = unicodedata.normalize("NFC", text).strip().split("\n")
    return "\n".join(_SPACES.sub(" ", line.rstrip()) for line in lines)


def folded(text: str) -> str:
    """A text in Unicode form NFKC without case, its white space as single blanks."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def masked(text: str) -> str:
    """A folded text with each number as `#`: what the members of a family have in common."""
    return unnumbered(folded(text))


def unnumbered(text: str) -> str:
    """A text with each number as `#`."""
    return _NUMBER.sub("#", text)


def numbers(text: str) -> tuple[str, ...]:
    """The numbers of a text, sorted, each as often as it stands there; `1,200.50` and `1200.5` are one number."""
    return tuple(sorted(map(_plain, _NUMBER.findall(unicodedata.normalize("NFKC", text)))))


def _plain(number: str) -> str:
    whole, _, part = number.replace(",", "").partition(".")
    part = part.rstrip("0")
    return (whole.lstrip("0") or "0") + (f".{part}" if part else "")
