"""Short texts that repeat exactly: what of inputs, outputs and messages stands in an Outcome's evidence."""

import json
import re
import sys
from collections.abc import Iterator
from typing import Any

LONGEST = 200  # characters of one text; a cut one ends in an ellipsis
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{6,}")
_PLACES = re.compile("|".join(re.escape(path) for path in sorted({sys.base_prefix, sys.prefix}, key=len, reverse=True)))


def shown(text: str) -> str:
    """`text`, cut to 200 characters; what UTF-8 cannot hold is replaced."""
    head = text[: LONGEST + 1]
    if len(head) > LONGEST:
        head = head[: LONGEST - 1] + "…"
    return head.encode("utf-8", "replace").decode("utf-8")


def message(text: str) -> str:
    """As `shown`, with memory addresses and the place of this Python masked."""
    return shown(_PLACES.sub("<python>", _ADDRESS.sub("0x…", text)))


def value(item: Any) -> str:
    """A JSON value as text, cut; a long or deep one is not written out whole first."""
    return shown(_json(item, LONGEST + 1))


def _json(item: Any, depth: int) -> str:
    """`depth` is how many levels may still be opened: each costs a character at least, so none deeper is seen."""
    if isinstance(item, str):
        return json.dumps(item[: LONGEST + 1], ensure_ascii=False)
    if isinstance(item, (list, tuple)):
        return f"[{_joined((_json(one, depth - 1) for one in item), depth)}]"
    if isinstance(item, dict):
        pairs = (f"{_json(str(key), 0)}: {_json(one, depth - 1)}" for key, one in item.items())
        return f"{{{_joined(pairs, depth)}}}"
    try:
        return json.dumps(item)
    except ValueError:  # a whole number of more than 4,300 digits
        return f"a number of about {int(item.bit_length() * 0.30103)} digits"
    except TypeError:
        return f"a {type(item).__name__}, which is no JSON value"


def _joined(parts: Iterator[str], depth: int) -> str:
    text = ""
    if depth <= 0:
        return "…"
    for part in parts:
        text += (", " if text else "") + part
        if len(text) > LONGEST:
            break
    return text
