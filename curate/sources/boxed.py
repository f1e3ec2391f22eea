r"""The last `\boxed{...}` of a text, braces balanced: where worked solutions put their final answer."""

import re

from curate.verifiers.extract import final_answer

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


def several_boxed(text: str) -> bool:
    r"""Whether the last box shares its phrase with others, as in `\boxed{1}` or `\boxed{2}`.

    They may be several answers or one in several forms: which, no rule tells.
    """
    found = final_answer(text, plain_number=False)
    return found is not None and found.last is not None
