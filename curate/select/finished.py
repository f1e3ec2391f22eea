"""What every selector agrees on: only a finished answer can become a row."""

from curate.kinds import Opinion


def unfinished(finish_reason: str) -> Opinion:
    """The opinion on an attempt that is truncated, refused, empty, malformed or failed."""
    return Opinion(False, "unfinished", {"finish_reason": finish_reason})
