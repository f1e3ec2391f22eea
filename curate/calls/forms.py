"""The ways to reach a model, by name; each is imported when it is first used.

The SDK takes a second to import: only those who send pay it.
"""

import asyncio
from typing import Protocol

from curate.calls.model import Call, Reply
from curate.ledger import Ledger

# Forms whose reply holds numbers (`data`) in the place of a message: nothing is written, so no cap is sent.
DATA = frozenset({"classify", "pooling", "score", "embeddings"})


class Transport(Protocol):
    """One way to send. `send` raises a `Trouble` and never retries."""

    async def send(self, call: Call) -> Reply:
        """Send one request and return the reply as it came."""

    async def close(self) -> None:
        """Let go of connections."""


def open_transport(name: str, ledger: Ledger, run: str, stop: asyncio.Event) -> Transport:
    """The transport of an API form, or of another way of sending (`Call.via`); `stop` is set when no more may be sent.

    Raises ValueError for a name that stands for nothing.
    """
    if name == "given":
        from curate.calls.given import Given

        return Given()
    if name == "batch":
        from curate.calls.batch import Batch

        return Batch(ledger, run, stop)
    if name == "embeddings":
        from curate.calls.embeddings import Embeddings

        return Embeddings()
    if name == "encoder":
        from curate.calls.embeddings import Encoder

        return Encoder()
    if name in ("chat", "responses", "completions") or name in DATA:
        from curate.calls.posted import Posted

        return Posted()
    raise ValueError(f"there is no API form {name!r}")
