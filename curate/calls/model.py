"""Call and Reply: what is sent to a model and what comes back, as the ledger keys and stores them."""

import json
from typing import Any, Literal, Self

from pydantic import Field

from curate.keys import digest
from curate.records import Record


class Call(Record):
    """One request. The key covers what the model sees and how it samples; the rest may change freely."""

    form: str  # the API form: `chat`, `given`
    model: str
    revision: str | None = None
    sample: int = 0
    body: dict[str, Any]  # the body as sent, without max_tokens
    # Not in the key:
    max_tokens: int | None = None
    billed: bool = True
    base_url: str | None = None
    api_key_env: str | None = None
    timeout_s: float = 1800.0
    concurrency: int = 64
    price: tuple[float, float] | None = None  # USD per million input and output tokens
    given: dict[str, Any] | None = None  # form `given`: the raw reply, already known (recorded or made up)
    use: str = "answer"  # what it is asked for, as the report counts it: `answer`, `judge`
    gives_up: bool = False  # an address that cannot be reached fails this call and does not stop the run
    latency_s: float = 0.0  # form `given`: how long the answer takes to come

    @property
    def key(self) -> str:
        """The request key (see docs/reference/keys.md)."""
        return digest("request", 1, self.form, self.model, self.revision, self.sample, self.body)

    @property
    def stored(self) -> bool:
        """Whether its reply goes to the ledger: not where it was read from a recording, which is there anyway."""
        return self.billed or self.form != "given"


class Reply(Record):
    """One stored reply: the raw message, and what is known about it. Never parsed before it is stored.

    `status`: `ok` (some message came; it may still be truncated or empty) or `failed` (no reply, for `error`).
    """

    status: Literal["ok", "failed"] = "ok"
    raw: dict[str, Any] = Field(default_factory=dict)
    error: str | None = None
    model: str | None = None
    truncated: bool = False
    max_tokens: int | None = None  # the cap it was asked under
    usage: dict[str, int] = Field(default_factory=dict)  # input, output, reasoning
    cost: float | None = None
    seconds: float = 0.0
    request_id: str | None = None

    @property
    def tag(self) -> str:
        """Its tag in the ledger: the cap it was asked under."""
        return "" if self.max_tokens is None else str(self.max_tokens)

    def serves(self, cap: int | None) -> bool:
        """Whether asking again under `cap` tokens could bring nothing else.

        A complete reply serves any cap at least its length; a truncated one serves any cap up to its own.
        """
        if self.truncated:
            return self.max_tokens is None or (cap is not None and cap <= self.max_tokens)
        return cap is None or cap >= self._length()

    def _length(self) -> float:
        # Where the server does not say: no token is shorter than a byte, and none came beyond the cap.
        own = float("inf") if self.max_tokens is None else self.max_tokens
        return min(
            own, self.usage.get("output", len(json.dumps(self.raw, ensure_ascii=False).encode(errors="replace")))
        )

    def to_bytes(self) -> bytes:
        """As the ledger stores it. Lone surrogates, which models do write, survive."""
        text = json.dumps(self.model_dump(exclude_defaults=True), ensure_ascii=False, separators=(",", ":"))
        return text.encode("utf-8", "surrogatepass")

    @classmethod
    def from_bytes(cls, body: bytes) -> Self:
        """The inverse of `to_bytes`."""
        return cls.model_validate(json.loads(body))
