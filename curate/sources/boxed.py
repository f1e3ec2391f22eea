r"""The last `\boxed{...}` of a text, braces balanced: where worked solutions put their final answer."""

import re

_TOKEN = re.compile(r"(?P<box>\\(?:boxed|fbox)\s*\{)|(?P<escape>\\.)|(?P<open>\{)|(?P<close>\})", re.DOTALL)


def last_boxed(text: str) -> str | None:
    r"""What stands in the last complete `\boxed{}` or `\fbox{}`, stripped; None where there is none. Linear in time."""
    opened: list[int] = []  # where the content of each open brace starts; 0 for a brace that is no box
    found = (0, 0)
    for token in _TOKEN.finditer(text):
        if token["box"]:
            opened.append(token.end())
        elif token["open"]:
            opened.append(0)
        elif token["close"] and opened:
            found = max(found, (opened.pop(), token.start()))
    start, end = found
    return text[start:end].strip() or None if start else None
