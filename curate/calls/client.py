"""The one way to reach a model: asked once, paid once, durable before it counts.

`ask` looks into the ledger first, joins an equal request that is under way, holds to the budget, notes each send before
it happens, owns every retry, and returns a reply only when it would survive a power cut.
"""

import asyncio
import contextlib
import json
import secrets
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Protocol, Self

from curate.calls.budget import Budget, cost_of
from curate.calls.counters import Counters
from curate.calls.endpoint import Endpoint
from curate.calls.given import Given, given_reply
from curate.calls.model import Call, Reply
from curate.calls.payments import paid_note, sent_note
from curate.calls.trouble import Busy, Denied, Refused, Trouble, Unclear, Unreachable
from curate.errors import Stopped
from curate.ledger import Entry, Ledger

RESENDS = 2  # of a request that may have been paid for
RESEND_PAUSE_S = 1.0  # doubled for the second


class Transport(Protocol):
    """One API form. `send` raises a `Trouble` and never retries."""

    async def send(self, call: Call) -> Reply:
        """Send one request and return the reply as it came."""

    async def close(self) -> None:
        """Let go of connections."""


class Calls:
    """Every request of a process goes through one of these. Use as `async with`, inside that of the ledger."""

    def __init__(self, ledger: Ledger, budget: Budget | None = None, *, run: str = "") -> None:
        """`run` is the name that payments are put down to."""
        self._counters: dict[str, Counters] = {}
        self.budget = budget or Budget()
        self._ledger = ledger
        self._run = run
        self._transports: dict[str, Transport] = {}
        self._endpoints: dict[tuple[str, str | None, str], Endpoint] = {}
        self._running: dict[str, asyncio.Future[Reply | None]] = {}
        self._in_flight = 0
        self._stopped: Stopped | None = None
        self._stop = asyncio.Event()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for transport in self._transports.values():
            await transport.close()

    def stop(self, why: Stopped) -> None:
        """Send nothing more: whoever would send raises `why`. What is in flight goes on and is kept."""
        if self._stopped is None:
            self._stopped = why
            self._stop.set()

    async def ask(self, call: Call) -> Reply:
        """The reply to a call: from the ledger if one serves, else sent, stored durably and returned.

        `status == "failed"` means that the call failed for good in this run; the next run asks again. Raises Stopped
        where no more may be sent (budget, a refused key, a full disk, `stop`).
        """
        counters = self.of(call.use)
        counters.asked += 1
        if not call.stored:
            reply = await self._transport(call.form).send(call)
            counters.given += 1
            return reply
        key = call.key
        while True:
            found = self._stored(key, call.max_tokens)
            if found is None:
                running = self._running.get(key)
                if running is None:
                    return await self._ask_alone(call, key)
                found = await asyncio.shield(running)
            if found is not None and found.status == "failed":
                counters.failed += 1
                return found
            if found is not None and found.serves(call.max_tokens):
                counters.reused += 1
                return found

    def lookup(self, calls: Sequence[Call]) -> dict[str, Reply]:
        """What is known now, by request key; nothing is asked or written.

        A call without a reply whose last send failed gives that failure; one that was never sent is left out.
        """
        found: dict[str, Reply] = {}
        caps: dict[str, int | None] = {}
        for call in calls:
            key = call.key
            if call.stored:
                caps[key] = call.max_tokens
            else:
                found[key] = given_reply(call)
        for key, bodies in self._ledger.get("reply", list(caps)).items():
            reply = _serving(bodies, caps[key])
            if reply is not None:
                found[key] = reply
        for key, bodies in self._ledger.get("trouble", [key for key in caps if key not in found]).items():
            found[key] = Reply(status="failed", error=json.loads(bodies[-1])["error"])
        return found

    @property
    def counters(self) -> Counters:
        """What all calls came to."""
        return sum(self._counters.values(), Counters())

    def of(self, use: str) -> Counters:
        """What the calls for one use came to (`answer`, `judge`)."""
        return self._counters.setdefault(use, Counters())

    @property
    def in_flight(self) -> int:
        """Requests that were sent and have no answer yet."""
        return self._in_flight

    async def _ask_alone(self, call: Call, key: str) -> Reply:
        done: asyncio.Future[Reply | None] = asyncio.get_running_loop().create_future()
        self._running[key] = done
        reply: Reply | None = None
        try:
            endpoint = self._endpoint(call)
            async with endpoint.slots:
                reply = await self._until_answered(call, key, endpoint)
            return reply
        except Stopped as stopped:
            self.stop(stopped)
            raise
        finally:
            del self._running[key]
            done.set_result(reply)  # None: whoever waits for it tries alone

    async def _until_answered(self, call: Call, key: str, endpoint: Endpoint) -> Reply:
        unclear = 0
        while True:
            while seconds := endpoint.wait():
                await self._sleep(seconds)
            try:
                reply = await self._send_once(call, key)
            except (Busy, Unreachable) as trouble:
                try:
                    endpoint.pause(trouble)
                except Stopped:
                    if not call.gives_up:
                        raise
                    return self._failed(trouble, call)
            except Unclear as trouble:
                self.of(call.use).maybe_paid += 1
                if unclear == RESENDS:
                    return self._failed(trouble, call)
                await self._sleep(RESEND_PAUSE_S * 2**unclear)
                unclear += 1
            except Refused as trouble:
                endpoint.refused(trouble)
                return self._failed(trouble, call)
            except Denied as trouble:
                raise _denied(trouble, call) from trouble
            else:
                endpoint.worked()
                return reply
            self.of(call.use).retried += 1

    async def _send_once(self, call: Call, key: str) -> Reply:
        """One send, noted durably before it happens; its reply, or its trouble, is durable when this ends."""
        held = await self.budget.reserve(call)
        self._in_flight += 1
        cost: float | None = 0.0
        try:
            if self._stopped is not None:
                raise self._stopped
            # Sorted by time, so that the last trouble of a call is the last of its tags.
            send = f"{time.time_ns():016x}{secrets.token_hex(4)}"
            note = {"at": round(time.time(), 3), "max_tokens": call.max_tokens}
            await self._ledger.put([sent_note(key, send, self._run, held, note)])
            self.of(call.use).sent += 1
            cost = None  # from here on it may cost its worst case
            try:
                reply = await self._timed(call)
            except Trouble as trouble:
                cost = 0.0 if trouble.paid == "no" else None
                body = {"error": str(trouble), "class": type(trouble).__name__, "paid": trouble.paid}
                paid = paid_note(key, send, self._run, held if cost is None else cost)
                await self._ledger.put([Entry("trouble", key, send, json.dumps(body).encode()), paid])
                raise
            cost = reply.cost
            paid = paid_note(key, send, self._run, held if cost is None else cost)
            await self._ledger.put([Entry("reply", key, reply.tag, reply.to_bytes()), paid])
            self.of(call.use).count(reply)
            return reply
        finally:
            self._in_flight -= 1
            self.budget.settle(held, cost)

    async def _timed(self, call: Call) -> Reply:
        start = time.monotonic()
        reply = await self._transport(call.form).send(call)
        return reply.model_copy(
            update={
                "max_tokens": call.max_tokens,
                "cost": cost_of(reply.usage, call.price),
                "seconds": round(time.monotonic() - start, 3),
            }
        )

    async def _sleep(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)
        if self._stopped is not None:
            raise self._stopped

    def _failed(self, trouble: Trouble, call: Call) -> Reply:
        self.of(call.use).failed += 1
        return Reply(status="failed", error=str(trouble))

    def _stored(self, key: str, cap: int | None) -> Reply | None:
        return _serving(self._ledger.get("reply", [key]).get(key, []), cap)

    def _transport(self, form: str) -> Transport:
        if form not in self._transports:
            if form == "given":
                self._transports[form] = Given()
            elif form == "chat":
                from curate.calls.chat import Chat  # the SDK takes a second to import: only those who send pay it

                self._transports[form] = Chat()
            else:
                raise ValueError(f"there is no API form {form!r}")
        return self._transports[form]

    def _endpoint(self, call: Call) -> Endpoint:
        name = (call.form, call.base_url, call.model)
        if name not in self._endpoints:
            self._endpoints[name] = Endpoint(f"{call.model} at {call.base_url or call.form}", call.concurrency)
        return self._endpoints[name]


def _serving(bodies: Sequence[bytes], cap: int | None) -> Reply | None:
    """The stored reply that serves a cap: a complete one if there is any, then the one asked under the smallest cap."""
    serving = [reply for reply in map(Reply.from_bytes, bodies) if reply.serves(cap)]
    unlimited = float("inf")
    return min(serving, key=lambda one: (one.truncated, one.max_tokens or unlimited), default=None)


def _denied(trouble: Denied, call: Call) -> Stopped:
    key = f"the key in ${call.api_key_env}, " if call.api_key_env else ""
    return Stopped(
        f"the server refuses: {trouble}",
        where=f"{call.model} at {call.base_url or call.form}",
        next=f"check {key}the account and the model name, then run the same command again",
    )
