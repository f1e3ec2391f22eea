"""What can go wrong with one send, by what it means for money and for the next step.

    Trouble
    |- Busy         not paid: the server asks to wait (429, 503, 529); sent again, for as long as it takes
    |- Unreachable  not paid: no connection was made; sent again
    |- Unclear      perhaps paid: a timeout, a broken answer, a server error; sent again twice at most
    |- Refused      not paid: this very request is not accepted; the call has failed
    `- Denied       not paid: key, balance, quota, model or address; everything stops, at once

Transports raise them and retry nothing; `curate.calls.client` is the one owner of retries.
"""

from typing import ClassVar


class Trouble(Exception):
    """One send that brought no reply. The text is free of secrets."""

    paid: ClassVar[str] = "no"


class Busy(Trouble):
    """The server asks to be left alone, for `retry_after` seconds if it said so."""

    def __init__(self, what: str, retry_after: float | None = None) -> None:
        super().__init__(what)
        self.retry_after = retry_after


class Unreachable(Trouble):
    """No connection."""


class Unclear(Trouble):
    """The request may have been worked on, and billed."""

    paid = "maybe"


class Refused(Trouble):
    """The request will never be accepted as it is."""


class Denied(Trouble):
    """No request will be accepted until the user changes something."""
