"""Values of a row, as they come from JSON, Arrow or `datasets`: looked up by dotted name and read as text.

Nothing here guesses: a value of another type than the mapping needs is a `WrongType`, never a string of its repr.
"""

import json
import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

MISSING: Final = object()
_CHUNK = 1 << 20  # characters looked at in one go, so that a 200 MB text is checked without a second copy
_SOLUTIONS = 8  # accepted solutions of a row that are kept; some sources have hundreds
_EXACT = 2**53  # whole floats below it are the integers that they print as
_LETTER = re.compile(r"\(?([A-Za-z])\)?[.:)]?")


class WrongType(TypeError):
    """A value that cannot be read as what the mapping says it is."""


class NotUnicode(ValueError):
    """A text holding lone surrogates (JSON can write them): it cannot be encoded, stored or sent."""


def lookup(row: Mapping[str, Any], name: str) -> Any:
    """The value of a column; `a.b` and `a.0` reach into objects and lists. `MISSING` where there is none.

    A column whose very name is `a.b` wins. What stands below a null is null.
    """
    if name in row:
        return row[name]
    value: Any = row
    for part in name.split("."):
        if value is None:
            return None
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, list | tuple) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return MISSING
    return value


def names(row: Mapping[str, Any]) -> list[str]:
    """The columns of a row in its own order, objects one level deep with their dotted names."""
    found: list[str] = []
    for name, value in row.items():
        found.append(str(name))
        if isinstance(value, Mapping):
            found.extend(f"{name}.{key}" for key in value)
    return found


def given(value: Any) -> bool:
    """False for what means "no value here": absent, null, NaN, an empty or blank text."""
    if value is MISSING or value is None:
        return False
    if isinstance(value, str):
        return bool(value) and (not value[:_CHUNK].isspace() or not value.isspace())
    return not (isinstance(value, float) and math.isnan(value))


def text(value: Any) -> str:
    """A text as it stands. Raises WrongType for anything but a string, NotUnicode for lone surrogates."""
    if not isinstance(value, str):
        raise WrongType(f"expected text, found {_article(value)}")
    check_unicode(value)
    return value


def label(value: Any) -> str:
    """A short text such as an id or an answer: strings stripped, numbers written out (27.0 is `27`, 1e-5 `0.00001`).

    A list is read as its items, joined by `, `. Raises WrongType for objects, nested lists, booleans, NaN, infinities.
    """
    if isinstance(value, str):
        return text(value).strip()
    if isinstance(value, list | tuple) and value and not any(isinstance(item, list | tuple) for item in value):
        return ", ".join(label(item) for item in value)
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise WrongType(f"expected text or a number, found {_article(value)}")
    return str(value) if isinstance(value, int) else _positional(value)


def _positional(value: float | Decimal) -> str:
    if not (value.is_finite() if isinstance(value, Decimal) else math.isfinite(value)):
        raise WrongType(f"expected text or a finite number, found {_article(value)}")
    if isinstance(value, Decimal):
        return format(value, "f")
    if value.is_integer() and abs(value) < _EXACT:
        return str(int(value))  # also what makes -0.0 a `0`
    return format(Decimal(repr(value)), "f").removesuffix(".0")


def number(value: Any) -> float:
    """A positive, finite number, also written as text. Raises WrongType."""
    try:
        found = float(value) if not isinstance(value, bool) else math.nan
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if not math.isfinite(found) or found <= 0:
        raise WrongType(f"expected a positive number, found {_article(value)}")
    return found


def megabytes(value: Any) -> int:
    """A positive number of megabytes, whole. Raises WrongType."""
    return max(1, int(number(value)))


def letter(value: Any, options: tuple[str, ...] = (), labels: tuple[str, ...] = ()) -> str:
    """The letter of the right option, however a choice column names it.

    In this order: one of the options' own `labels` (ARC), the exact text of an option, a letter (`B`, `(b)`, `B.`), a
    0-based index (1 or `1`; not where the labels are numbers). A whole number that is no text is an index before it is
    an option's text. So `e` of the options (a, e, i, o) is B, and `B` of (X, Y, B) is C. Raises WrongType for anything
    else, and for a letter or an index beyond the options.
    """
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise WrongType(f"expected the right option, found {_article(value)}")
    named, room = label(value), len(options) or 26
    if named in labels:
        return _nth(labels.index(named))
    index = int(named) if len(named) <= 2 and named.isdecimal() and not any(map(str.isdecimal, labels)) else room
    if isinstance(value, int) and index < room:
        return _nth(index)
    if options.count(named) > 1:
        raise WrongType(f"expected the right option, found {_article(value)}, which is the text of several")
    if named in options:
        return _nth(options.index(named))
    if match := _LETTER.fullmatch(named):
        index = ord(match[1].upper()) - ord("A")
    if index >= room:
        wanted = "a label, the text, the letter" if options else "the letter"
        raise WrongType(f"expected {wanted} or the 0-based index of one of {room} options, found {_article(value)}")
    return _nth(index)


def _nth(index: int) -> str:
    return chr(ord("A") + index)


def option_texts(value: Any) -> tuple[str, ...]:
    """The options of a choice: a list of texts, or an object holding one under `text` (ARC). Raises WrongType."""
    if isinstance(value, Mapping) and isinstance(value.get("text"), list | tuple):
        value = value["text"]
    if not isinstance(value, list | tuple) or not 0 < len(value) <= 26:
        raise WrongType(f"expected a list of 1 to 26 options, found {_article(value)}")
    return tuple(label(item) for item in value)


def option_labels(value: Any) -> tuple[str, ...]:
    """The names that an object of options gives them under `label` (ARC); none in other forms. Raises WrongType."""
    if not isinstance(value, Mapping) or not given(value.get("label")):
        return ()
    if not isinstance(value["label"], list | tuple) or len(value["label"]) != len(option_texts(value)):
        raise WrongType("expected as many labels as options")
    return tuple(label(item) for item in value["label"])


def cells(value: Any) -> tuple[tuple[int, ...], ...]:
    """A grid: a list of rows, each a list of whole numbers; also as JSON text. Raises WrongType."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            raise WrongType(f"expected a grid, found {_article(value)}") from None
    if not isinstance(value, list | tuple) or not value:
        raise WrongType(f"expected a list of rows of whole numbers, found {_article(value)}")
    for row in value:
        if not isinstance(row, list | tuple) or not all(type(cell) is int for cell in row):
            raise WrongType("expected a list of rows of whole numbers, found something else in a row")
    return tuple(tuple(row) for row in value)


def solution_texts(value: Any) -> list[str]:
    """The first accepted solutions of a list of texts, or of the JSON text of one; any other text is one solution.

    Raises WrongType for anything else.
    """
    if isinstance(value, str):
        try:
            found = json.loads(value)
        except ValueError:
            found = None
        value = found if isinstance(found, list) else [value]
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise WrongType(f"expected accepted solutions (a list of texts, or its JSON text), found {_article(value)}")
    return [text(item) for item in dict.fromkeys(value) if item.strip()][:_SOLUTIONS]


def test_text(value: Any) -> str:
    """Tests as JSON text: a text as it stands, a list of assert statements as `{"asserts": ...}`, else written out.

    No value is altered: numbers keep all their digits, NaN and infinities are written as Python's `json` reads them.
    Raises WrongType for what JSON cannot hold.
    """
    if isinstance(value, str):
        return text(value)
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        value = {"asserts": list(value)}
    if not isinstance(value, Mapping | list | tuple):
        raise WrongType(f"expected test cases (JSON text, an object or a list), found {_article(value)}")
    try:
        written = _json(value)
    except RecursionError:
        raise WrongType("test cases nested too deeply") from None
    check_unicode(written)
    return written


def _json(value: Any) -> str:
    if isinstance(value, Mapping):
        pairs = [f"{json.dumps(str(key), ensure_ascii=False)}: {_json(item)}" for key, item in value.items()]
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join([_json(item) for item in value]) + "]"
    if isinstance(value, Decimal) and value.is_finite():
        return format(value, "f")
    if value is None or isinstance(value, str | bool | int | float):
        return json.dumps(value, ensure_ascii=False)
    raise WrongType(f"expected test cases that JSON can hold, found {_article(value)}")


def integer(digits: str) -> int | Decimal:
    """A JSON integer; as a Decimal, with every digit, where it has more of them than Python reads (4,300)."""
    try:
        return int(digits)
    except ValueError:
        return Decimal(digits)


def plain(value: Any) -> Any:
    """The value as JSON holds it: dates, decimals and bytes become text, NaN and infinities null."""
    if isinstance(value, str):
        check_unicode(value)
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return str(value)


def check_unicode(value: str) -> None:
    """Raises NotUnicode where `value` holds lone surrogates."""
    if value.isascii():
        return
    for start in range(0, len(value), _CHUNK):
        try:
            value[start : start + _CHUNK].encode()
        except UnicodeEncodeError as error:
            raise NotUnicode(f"lone surrogate at character {start + error.start}") from None


def _article(value: Any) -> str:
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list | tuple):
        return "a list" if value else "an empty list"
    shown = repr(value)
    return f"{type(value).__name__} {shown if len(shown) <= 40 else shown[:40] + '...'}"
