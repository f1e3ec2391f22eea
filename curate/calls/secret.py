"""Keys: read from the environment when they are needed, and kept out of every text that is stored or shown."""

import os
import re

from curate.errors import Prerequisite

_LENGTH = 300  # characters of a server's words in an error
_given_out: dict[str, str] = {}  # every key that was read in this process, whatever its variable is called
_LOOKS_SECRET = re.compile(r"\b[Bb]earer\s+\S+|\b(?:sk|pk|hf|gsk|xai|api)[-_][A-Za-z0-9*_.-]{6,}")


def key_of(variable: str | None) -> str | None:
    """The key in an environment variable; None if no variable is named. Raises Prerequisite if it is not set."""
    if variable is None:
        return None
    key = os.environ.get(variable, "").strip()
    _given_out.setdefault(key, variable)
    if not key:
        raise Prerequisite(f"the environment variable {variable} is not set", next=f"export {variable}=...")
    return key


def without_keys(text: str) -> str:
    """A server's words on one short line, without anything that is or looks like a key (servers do quote them)."""
    for value, name in _given_out.items():
        if value:
            text = text.replace(value, f"${name}")
    for name, value in os.environ.items():
        if len(value) >= 8 and name.endswith(("_KEY", "_TOKEN", "_SECRET", "_PASSWORD")):
            text = text.replace(value, f"${name}")
    return _LOOKS_SECRET.sub("[key]", " ".join(text.split()))[:_LENGTH]
