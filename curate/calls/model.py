"""Call and Reply: what is sent to a model and what comes back, as the ledger keys and stores them."""

import json
from typing import Any, Literal, Self

from pydantic import Field

from curate.calls.prices import Price
from curate.keys import digest
from curate.records import Record

URL = r"^https?://[^/@?#]+(/[^@?#]*)?$"  # no user, password or query: an address is written into records


class Address(Record):
    """Where a model is served, and the environment variable that holds the key to it."""

    base_url: str = Field(pattern=URL, description="No user or password in it: keys come from the environment.")
    api_key_env: str | None = None


class Rates(Record):
    """What a provider allows, at each address; None: no limit is known."""

    requests_per_minute: float | None = Field(None, gt=0)
    tokens_per_minute: float | None = Field(None, gt=0, description="Of request and answer together.")


class Call(Record):
    """One request. The key covers what the model sees and how it samples; the rest may change freely."""

    form: str  # the API form, a name in `curate.calls.forms`
    model: str
    revision: str | None = None
    sample: int = 0
    body: dict[str, Any]  # the body as sent, without max_tokens
    # Not in the key:
    via: str | None = None  # sent in another way than each by itself: `batch`
    max_tokens: int | None = None
    stream: bool = False  # the reply comes in pieces, so that a server's silence is noticed while it works
    billed: bool = True
    base_url: str | None = None
    api_key_env: str | None = None
    endpoints: tuple[Address, ...] = ()  # several servers of the same model, in the place of `base_url`
    endpoints_folder: str | None = None  # or a folder in which servers register, which may change at any time
    served: str | None = None  # the servers that the run itself starts for it, by their mark
    timeout_s: float = 1800.0
    concurrency: int = 64  # at most, over all addresses
    adaptive: bool = True  # fewer at once where the server shows that it is too much; False: `concurrency` at once
    rates: Rates | None = None
    price: Price | None = None
    given: dict[str, Any] | None = None  # form `given`: the raw reply, already known (recorded or made up)
    use: str = "answer"  # what it is asked for, as the report counts it: `answer`, `judge`, `difficulty`
    gives_up: bool = False  # an address that cannot be reached fails this call and does not stop the run
    latency_s: float = 0.0  # form `given`: how long the answer takes to come

    @property
    def key(self) -> str:
        """The request key (see docs/reference/keys.md)."""
        return digest("request", 1, self.form, self.model, self.revision, self.sample, self.body)

    @property
    def size(self) -> int:
        """Bytes of the body as JSON."""
        return len(json.dumps(self.body, ensure_ascii=False).encode("utf-8", "surrogatepass"))

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
    fingerprint: str | None = None  # the server's word for what answered: its build, its configuration
    truncated: bool = False
    max_tokens: int | None = None  # the cap it was asked under
    usage: dict[str, int] = Field(default_factory=dict)  # input, output, reasoning, cached
    cost: float | None = None
    seconds: float = 0.0
    request_id: str | None = None
    endpoint: str | None = None  # host, port and path of the server that gave it
    replaced_usd: float = 0.0  # the cost of a cut answer in whose place it was asked for; never stored

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
