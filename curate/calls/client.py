"""The one way to reach a model: asked once, paid once, durable before it counts.

`ask` looks into the ledger first, joins an equal request that is under way, holds to the budget, notes each send before
it happens, owns every retry, and returns a reply only when it would survive a power cut.
"""

import asyncio
import contextlib
import json
import random
import secrets
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, NamedTuple, Self

from curate.calls.addresses import Addresses, Slot
from curate.calls.budget import Budget, Spent
from curate.calls.counters import Counters
from curate.calls.endpoint import Endpoint, NoServer
from curate.calls.forms import Transport, open_transport
from curate.calls.given import given_reply
from curate.calls.model import Call, Reply
from curate.calls.payments import paid_note, sent_note
from curate.calls.serving.servers import Servers
from curate.calls.trouble import Busy, Denied, Refused, Trouble, Unclear, Unreachable
from curate.errors import Stopped, VeristillError
from curate.ledger import Entry, Ledger

RESENDS = 2  # of a request that may have been paid for
RESEND_PAUSE_S = 1.0  # doubled for the second


class Calls:
    """Every request of a process goes through one of these. Use as `async with`, inside that of the ledger."""

    def __init__(self, ledger: Ledger, budget: Budget | None = None, *, run: str = "") -> None:
        """`run` is the name that payments are put down to."""
        self._counters: dict[str, Counters] = {}
        self.budget = budget or Budget()
        self._ledger = ledger
        self._run = run
        self._transports: dict[str, Transport] = {}
        self._models: dict[tuple[Any, ...], Addresses] = {}
        self._running: dict[str, asyncio.Future[Reply | None]] = {}
        self._in_flight = 0
        self._stopped: Stopped | None = None
        self._stop = asyncio.Event()
        self._life = secrets.token_hex(4)  # tells the sends of one process from those of another
        self.own_servers: Servers | None = None  # set by whoever lets calls start some

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for addresses in self._models.values():
            addresses.close()
        for transport in self._transports.values():
            await transport.close()

    def stop(self, why: Stopped) -> None:
        """Send nothing more: whoever would send raises `why`. What is in flight goes on and is kept."""
        if self._stopped is None:
            self._stopped = why
            self._stop.set()
            for addresses in self._models.values():
                addresses.stop(why)

    async def ask(self, call: Call) -> Reply:
        """The reply to a call: from the ledger if one serves, else sent, stored durably and returned.

        `status == "failed"` means that the call failed for good in this run; the next run asks again. Raises Stopped
        where no more may be sent (budget, a refused key, a full disk, `stop`).
        """
        counters = self.of(call.use)
        counters.asked += 1
        if not call.stored:
            reply = await self._transport(call.via or call.form).send(call)
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

    def servers(self) -> dict[str, dict[str, object]]:
        """What each server came to in this command, by model and address."""
        found: dict[str, dict[str, object]] = {}
        for name, one in self._models.items():
            for at, facts in one.facts().items():
                mark = f"{name[1]} at {at}"  # the same server in another form, or for another key, stands apart
                found[f"{mark} ({name[0]}, ${name[3]})" if mark in found else mark] = facts
        return found

    def waits_for(self) -> list[str]:
        """What the calls of a model are waiting for while it has no server at all."""
        return list(filter(None, (one.waits_for() for one in self._models.values())))

    @property
    def in_flight(self) -> int:
        """Requests that were sent and have no answer yet."""
        return self._in_flight

    async def _ask_alone(self, call: Call, key: str) -> Reply:
        done: asyncio.Future[Reply | None] = asyncio.get_running_loop().create_future()
        self._running[key] = done
        reply: Reply | None = None
        try:
            call = await self._with_servers(call)
            reply = await self._until_answered(call, key, self._addresses(call))
            return reply
        except Stopped as stopped:
            self.stop(stopped)
            raise
        except VeristillError:
            raise
        # The boundary to transports: a defect met with one request must not end the run, nor be forgotten by it.
        except Exception as error:  # noqa: BLE001 - the boundary to transports
            reply = await self._fell(error, call, key)
            return reply
        finally:
            del self._running[key]
            done.set_result(reply)  # None: whoever waits for it tries alone

    async def _with_servers(self, call: Call) -> Call:
        """The call with the folder of the servers that the run has for it; the first one to need them starts them."""
        if call.served is None:
            return call
        if self.own_servers is None:  # it has no address, and must not go to where calls without one go
            raise RuntimeError("a call wants a server of the run's own, but nobody starts any here")
        folder = await self.own_servers.ready(call.served, self._stop)
        if self._stopped is not None:
            raise self._stopped
        return call.model_copy(update={"endpoints_folder": folder})

    async def _until_answered(self, call: Call, key: str, addresses: Addresses) -> Reply:
        """Send until a reply comes, or none ever will. A slot is held only while a request is on its way."""
        counters, size = self.of(call.use), call.size
        unclear = 0
        last: Endpoint | None = None
        met: Trouble | None = None
        while True:
            try:
                slot = await addresses.take(size, call.max_tokens, last)
            except NoServer as gone:
                if not call.gives_up or self._stopped is not None:
                    raise
                return self._failed(gone.what, call)
            counters.resent(met)
            try:
                return await self._send(_Send(call, key, slot, size, addresses, first=last is None))
            except Unclear as trouble:
                counters.maybe_paid += 1
                if unclear == RESENDS:
                    return self._failed(str(trouble), call)
                unclear += 1
                met = trouble
            except Refused as trouble:
                return self._failed(str(trouble), call)
            except (Busy, Unreachable, Denied) as trouble:
                met = trouble
            finally:
                addresses.give_back(slot)
            last = slot.endpoint
            if isinstance(met, Unclear):  # the others have only to wait for a server
                await self._before_resend(addresses, unclear)

    async def _before_resend(self, addresses: Addresses, unclear: int) -> None:
        await self._sleep(RESEND_PAUSE_S * 2 ** (unclear - 1) * (1 + random.random() / 4))
        while seconds := addresses.retries.take():
            await self._sleep(seconds * (1 + random.random() / 4))

    async def _send(self, send: "_Send") -> Reply:
        """One send, noted durably before it happens; its reply, or its trouble, is durable when this ends."""
        call, endpoint = send.call, send.slot.endpoint
        held = await self.budget.reserve(call)
        came = Spent()  # what it costs as things stand
        self._in_flight += 1
        try:
            if self._stopped is not None:
                raise self._stopped
            name = _now()
            note = {"at": round(time.time(), 3), "max_tokens": call.max_tokens, "endpoint": endpoint.name}
            if endpoint.hardware:  # what its time costs, should this process not live to say it
                note |= {"gpus": endpoint.hardware.gpus, "gpu_hour": endpoint.hardware.gpu_hour, "by": self._life}
            await self._ledger.put([sent_note(send.key, name, self._run, held, note)])
            try:
                while seconds := endpoint.pause_left():  # it asked for quiet while the note was being written
                    await self._sleep(seconds)
                if self._stopped is not None:
                    raise self._stopped
            except Stopped:
                await self._ledger.put([paid_note(send.key, name, self._run, came, call.use)])  # it was never sent
                raise
            came = held  # from here on it may cost its worst case
            reply, came, stored = await self._exchange(send, held, name)
            await self._ledger.put([*stored, paid_note(send.key, name, self._run, came, call.use)])
            if isinstance(reply, Trouble):
                raise reply
            self.of(call.use).count(reply)
            return reply
        finally:
            self._in_flight -= 1
            self.budget.settle(held, came)

    async def _exchange(self, send: "_Send", held: Spent, name: str) -> tuple[Reply | Trouble, Spent, list[Entry]]:
        """Send, and tell everybody what came: (reply or trouble, what it cost, what to store)."""
        call, counters = send.call, self.of(send.call.use)
        endpoint, guess = send.slot
        if send.first:
            send.addresses.retries.fresh()
        counters.sent += 1
        endpoint.sent += 1
        mark = endpoint.hardware.begin() if endpoint.hardware else 0.0
        start, level = time.monotonic(), endpoint.in_flight
        found: Reply | Trouble
        try:
            found = await self._transport(call.via or call.form).send(endpoint.addressed(call))
        except Trouble as trouble:
            found = trouble
        finally:
            seconds = time.monotonic() - start
            share = endpoint.hardware.end(mark, seconds) if endpoint.hardware else 0.0
        usd = share / 3600 * endpoint.hardware.gpu_hour if endpoint.hardware else 0.0
        counters.gpu_hours += share / 3600
        if isinstance(found, Trouble):
            endpoint.failed(found, level, start)
            if found.paid == "no":
                endpoint.rate.refused(guess)
                came = Spent(usd, share / 3600)
            else:
                came = Spent(held.usd + usd, share / 3600, held.output_tokens)
                counters.maybe_paid_usd += came.usd
            return found, came, [_trouble_note(send.key, name, found, endpoint.name)]
        cost = usd if endpoint.hardware else call.price.of(found.usage) if call.price else None
        known = {"max_tokens": call.max_tokens, "cost": cost, "seconds": round(seconds, 3), "endpoint": endpoint.name}
        found = found.model_copy(update=known)
        endpoint.worked(found, level, start)
        endpoint.rate.came(guess, send.size, found.usage)
        tokens = found.usage.get("output", held.output_tokens)
        came = Spent(held.usd if cost is None else cost, share / 3600, tokens)
        return found, came, [Entry("reply", send.key, found.tag, found.to_bytes())]

    async def _sleep(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)
        if self._stopped is not None:
            raise self._stopped

    async def _fell(self, error: Exception, call: Call, key: str) -> Reply:
        """Note a failure that is no trouble of sending, so that a reader of the ledger sees it as this run does."""
        why = f"{type(error).__name__}: {error}"[:300]
        body = {"error": why, "class": type(error).__name__, "paid": "maybe", "endpoint": ""}
        await self._ledger.put([Entry("trouble", key, _now(), json.dumps(body).encode())])
        found = self._stored(key, call.max_tokens)  # it may have come after the reply
        return found or self._failed(why, call)

    def _failed(self, why: str, call: Call) -> Reply:
        self.of(call.use).failed += 1
        return Reply(status="failed", error=why)

    def _stored(self, key: str, cap: int | None) -> Reply | None:
        return _serving(self._ledger.get("reply", [key]).get(key, []), cap)

    def _transport(self, form: str) -> Transport:
        if form not in self._transports:
            self._transports[form] = open_transport(form, self._ledger, self._run, self._stop)
        return self._transports[form]

    def _addresses(self, call: Call) -> Addresses:
        # With another key it is another account, which has limits of its own and pays for itself.
        where = (call.base_url, call.api_key_env, call.endpoints, call.endpoints_folder)
        name = (call.via or call.form, call.model, *where, call.rates, call.price)
        found = self._models.get(name)
        if found is None:
            found = self._models[name] = Addresses(call, self.budget)
            if self._stopped is not None:
                found.stop(self._stopped)
        return found


class _Send(NamedTuple):
    call: Call
    key: str
    slot: Slot
    size: int
    addresses: Addresses
    first: bool


def _now() -> str:
    """A name for a send, sorted by time: the last trouble of a call is the last of its tags."""
    return f"{time.time_ns():016x}{secrets.token_hex(4)}"


def _serving(bodies: Sequence[bytes], cap: int | None) -> Reply | None:
    """The stored reply that serves a cap: a complete one if there is any, then the one asked under the smallest cap."""
    serving = [reply for reply in map(Reply.from_bytes, bodies) if reply.serves(cap)]
    unlimited = float("inf")
    return min(serving, key=lambda one: (one.truncated, one.max_tokens or unlimited), default=None)


def _trouble_note(key: str, send: str, trouble: Trouble, endpoint: str) -> Entry:
    body = {"error": str(trouble), "class": type(trouble).__name__, "paid": trouble.paid, "endpoint": endpoint}
    return Entry("trouble", key, send, json.dumps(body).encode())
