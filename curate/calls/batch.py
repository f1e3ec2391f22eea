"""Way `batch`: requests are collected into batches of OpenAI's Batch API, and waited for, for up to a day.

A batch belongs to the ledger, not to the process: its tag is durable before the server hears of it and its id before it
is waited for, so after a kill or an interrupt the next command fetches its answers. Every answer of a batch is stored,
whoever asks for it. What expired or failed goes back to whoever asked, and into another batch.
"""

import asyncio
import contextlib
import secrets
import time
from typing import Any, NamedTuple

from curate.calls.batch_notes import Job, Kin, done_note, earlier_sends, made_note, open_jobs, plan_note
from curate.calls.batch_server import BatchServer, Gone, State, line
from curate.calls.budget import Spent
from curate.calls.endpoint import label
from curate.calls.model import Call, Reply
from curate.calls.payments import paid_note, sent_note
from curate.calls.posted import path
from curate.calls.trouble import Busy, Denied, Refused, Trouble, Unclear, Unreachable
from curate.calls.wire import OPENAI_URL, reply_of, trouble_of, words_of
from curate.errors import Stopped
from curate.ledger import Entry, Ledger

# What a batch may hold (platform.openai.com/docs/guides/batch, 2025); the bytes leave room for how they are counted.
MOST_REQUESTS = 50_000
MOST_BYTES = 190_000_000
LINGER_S = 5.0  # a batch is sent when no further request has come for so long
POLL_S = 10.0  # between two looks at a batch, growing to
LONGEST_POLL_S = 60.0
LOOKS = 3  # for a batch whose making was not confirmed: it may show late in the list of batches
KEPT_S = 30 * 86400.0  # how long a batch and its results stay at OpenAI (same page)
_DOWNLOADS = 5  # of results that hold less than the batch says
_STORE = 256  # replies made durable at a time
_ABROAD = "the batch goes on at the server, and the same command fetches its answers"


class _Waiting(NamedTuple):
    call: Call
    key: str
    future: "asyncio.Future[Reply]"


class _Gathering:
    """The requests of the next batch of one kin."""

    def __init__(self) -> None:
        self.waiting: list[_Waiting] = []
        self.lines: list[bytes] = []
        self.size = 0
        self.timer: asyncio.TimerHandle | None = None


class Batch:
    """The transport of batches."""

    def __init__(self, ledger: Ledger, run: str, stop: asyncio.Event) -> None:
        self._ledger, self._run, self._stop = ledger, run, stop
        self._server = BatchServer()
        self._gathering: dict[Kin, _Gathering] = {}
        self._waiting: dict[str, _Waiting] = {}  # by key, under whatever cap: no request is asked twice at a time
        self._flying: dict[str, str] = {}  # the tag of the batch at the server that holds a key
        self._given_up: dict[str, Exception] = {}  # why a batch at the server, by tag, is waited for no more
        self._jobs: set[Job] = set()  # those that are being waited for
        self._tasks: set[asyncio.Task[None]] = set()
        self._leaving: asyncio.Task[None] | None = None
        self._met: dict[str, asyncio.Task[None]] = {}  # by address

    async def send(self, call: Call) -> Reply:
        """Put a request into a batch, or find it in one, and wait for its reply. Raises a `Trouble`, or Stopped."""
        key = call.key
        await self._remember(call)
        if self._leaving is None:
            self._leaving = asyncio.create_task(self._leave())
        tag = self._flying.get(key)
        if tag in self._given_up:
            raise self._given_up[tag]
        waiting = self._waiting[key] = _Waiting(call, key, asyncio.get_running_loop().create_future())
        try:
            if self._stop.is_set():
                raise Busy("the run is stopping")
            if tag is None:
                self._gather(Kin.of(call), waiting)
            return await waiting.future
        finally:
            del self._waiting[key]

    async def close(self) -> None:
        """Wait for nothing any more; batches go on at the server."""
        running = [
            *self._tasks,
            *self._met.values(),
            *([] if self._leaving is None else [self._leaving]),
        ]
        for one in running:
            one.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await self._server.close()

    async def _leave(self) -> None:
        """When the run stops, nobody waits any longer: what is at the server is fetched by the next command."""
        await self._stop.wait()
        for key, waiting in list(self._waiting.items()):
            away = key in self._flying
            _fail(waiting, Stopped("the run is stopping", next=_ABROAD) if away else Busy("the run is stopping"))

    async def _remember(self, call: Call) -> None:
        """Take up what earlier processes left at this address; once."""
        name = _address(call.base_url)
        if name not in self._met:
            self._met[name] = asyncio.create_task(self._take_up(name, call.api_key_env))
        await asyncio.shield(self._met[name])

    async def _take_up(self, name: str, api_key_env: str | None) -> None:
        for job in open_jobs(self._ledger):
            if _address(job.kin.base_url) != name:
                continue
            # The variable that holds the key may have another name by now.
            job = job.model_copy(update={"kin": job.kin.model_copy(update={"api_key_env": api_key_env})})
            if job.batch_id is None:  # killed between the plan and the server's answer
                found = await self._look_for(job)
                if found is None:
                    await self._end(job, _Outcome(job, earlier_sends(self._ledger, job)), Busy("it was never sent"))
                    continue
                job = job.model_copy(update={"batch_id": found})
                await self._ledger.put([made_note(job)])
            self._fly(job, earlier_sends(self._ledger, job))

    def _gather(self, kin: Kin, one: _Waiting) -> None:
        text = line(one.call, one.key)
        if len(text) > MOST_BYTES:
            one.future.set_exception(Refused(f"a request of {len(text):,} bytes fits into no batch"))
            return
        found = self._gathering.setdefault(kin, _Gathering())
        if len(found.lines) == MOST_REQUESTS or found.size + len(text) > MOST_BYTES:
            self._send_off(kin)
            found = self._gathering.setdefault(kin, _Gathering())
        found.waiting.append(one)
        found.lines.append(text)
        found.size += len(text)
        if found.timer is not None:
            found.timer.cancel()
        found.timer = asyncio.get_running_loop().call_later(LINGER_S, self._send_off, kin)

    def _send_off(self, kin: Kin) -> None:
        gathered = self._gathering.pop(kin, None)
        if gathered is not None and gathered.timer is not None:
            gathered.timer.cancel()
        if gathered is None or self._stop.is_set():
            return
        pairs = zip(gathered.waiting, gathered.lines, strict=True)
        wanted = {one.key: text for one, text in pairs if not one.future.done()}
        if not wanted:
            return
        job = Job(tag=secrets.token_hex(16), run=self._run, at_ns=time.time_ns(), kin=kin, keys=tuple(wanted))
        self._start(self._make(job, list(wanted.values()), path(gathered.waiting[0].call)), job)

    def _start(self, work: Any, job: Job) -> None:
        task = asyncio.create_task(self._guarded(work, job))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, work: Any, job: Job) -> None:
        """Nobody waits for ever: what ends the work on a batch ends the waiting for it. The batch stays as it is."""
        try:
            await work
        except Exception as error:  # noqa: BLE001 - the boundary of a task: whoever waits for it raises the error
            self._given_up[job.tag] = error  # whoever comes later raises it too
            for key in job.keys:
                _fail(self._waiting.get(key), error)

    async def _make(self, job: Job, lines: list[bytes], where: str) -> None:
        file_id: str | None = None
        try:
            file_id = await self._server.upload(job.kin, job.tag, lines)
            if self._stop.is_set():
                self._server.forget(job.kin, file_id)
                return  # nobody waits any more, and nothing has been asked for
            await self._ledger.put([plan_note(job)])
            # From here on it may be there, whatever becomes of the answer to this.
            self._flying.update(dict.fromkeys(job.keys, job.tag))
            made = await self._made(job, file_id, where)
        except Trouble as trouble:
            # There is no batch, so nothing was billed. What the server does not accept is the batch, not a question.
            free = Denied(str(trouble)) if isinstance(trouble, Refused) else _as_free(trouble)
            self._server.forget(job.kin, file_id)
            await self._end(job, _Outcome(job, {}), free)
            return
        job = job.model_copy(update={"batch_id": made})
        await self._ledger.put([made_note(job)])
        self._fly(job, {})

    async def _made(self, job: Job, file_id: str, where: str) -> str:
        """Make the batch; where the answer got lost, look for it by its tag."""
        try:
            return await self._server.make(job.kin, job.tag, file_id, f"/v1{where}")
        except (Unclear, Unreachable) as trouble:
            found = await self._look_for(job)
            if found is None:
                raise Busy(str(trouble)) from None
            return found

    async def _look_for(self, job: Job) -> str | None:
        """The id of a batch by its tag; None where there is none."""
        for look in range(LOOKS):
            if look:
                await self._sleep(POLL_S)
            found = await self._persistently(self._server.find, job.kin, job.tag)
            if found is not None:
                return str(found)
        return None

    def _fly(self, job: Job, earlier: dict[str, list[str]]) -> None:
        self._flying.update(dict.fromkeys(job.keys, job.tag))
        self._jobs.add(job)
        self._start(self._watch(job, _Outcome(job, earlier)), job)

    async def _watch(self, job: Job, came: "_Outcome") -> None:
        """Wait for a batch, store its answers, give them to whoever asked. Denied and Stopped leave it open."""
        try:
            for left in reversed(range(_DOWNLOADS)):
                state = await self._over(job)
                await self._persistently(self._fetch, job, state, came)
                # A server may name its files late, and a download may end early as if it were whole.
                if not left or came.seen >= state.lines:
                    break
                await self._sleep(POLL_S)
            missing = self._missing(job, state)
            self._server.forget(job.kin, state.asked)
        except Gone as gone:
            if time.time_ns() - job.at_ns < KEPT_S * 1e9:  # more likely the key of another account
                raise
            missing = Unclear(str(gone))
        finally:
            self._jobs.discard(job)
        await self._end(job, came, missing)

    async def _over(self, job: Job) -> State:
        pause = POLL_S
        while True:
            state: State = await self._persistently(self._server.state, job.kin, job.batch_id)
            if state.over:
                return state
            await self._sleep(pause)
            pause = min(LONGEST_POLL_S, pause * 1.5)

    async def _persistently(self, ask: Any, *given: Any) -> Any:
        """Ask until there is an answer, whatever troubles the network has: a batch is not given up for one."""
        pause = POLL_S
        while True:
            try:
                return await ask(*given)
            except (Busy, Unreachable, Unclear):
                await self._sleep(pause)
                pause = min(LONGEST_POLL_S, pause * 2)
            except Refused as trouble:
                raise Denied(str(trouble)) from None

    async def _sleep(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)
            raise Stopped("the run is stopping", next=_ABROAD)

    async def _fetch(self, job: Job, state: State, came: "_Outcome") -> None:
        """Store every answer of a batch that has ended and resolve who waits."""
        good: list[tuple[str, Reply]] = []
        for file_id in state.files:
            async for found in self._server.results(job.kin, file_id):
                key = str(found.get("custom_id"))
                if key not in came.left:
                    continue
                try:
                    good.append((key, _reply(job, found)))
                except Trouble as trouble:
                    came.failed[key] = trouble
                if len(good) >= _STORE:
                    await self._store(job, good, came)
                    good = []
        await self._store(job, good, came)

    async def _store(self, job: Job, good: list[tuple[str, Reply]], came: "_Outcome") -> None:
        """Make replies durable. One that is waited for is paid where it is waited for, any other one here."""
        notes = list[Entry]()
        given = dict[str, _Waiting]()
        for key, reply in good:
            notes.append(Entry("reply", key, reply.tag, reply.to_bytes()))
            waiting = self._waiting.get(key)
            if waiting is not None and reply.serves(waiting.call.max_tokens):  # the cap may be another one by now
                given[key] = waiting
            cost = Spent() if key in given else Spent(reply.cost or 0.0, 0.0, reply.usage.get("output", 0))
            notes += _settled(job, key, came.earlier.get(key, []), cost)
        if notes:
            await self._ledger.put(notes)
        for key, reply in good:
            came.left.discard(key)
            if key in given and not given[key].future.done():
                given[key].future.set_result(reply)
            self._landed(key, job, Busy("its answer was asked for under another cap", 0.0))

    def _missing(self, job: Job, state: State) -> Trouble:
        """What became of a request that has no line in the results."""
        if state.status == "expired":
            return Busy("the batch expired before this request was worked on", 0.0)
        if state.status == "cancelled":
            return Denied(f"batch {job.batch_id} was cancelled")
        if state.status == "failed":
            what = f"batch {job.batch_id} was not accepted: {state.words}"
            alone = not any(other.kin.model == job.kin.model for other in self._jobs - {job})
            if "token_limit_exceeded" not in state.words:
                return Denied(what)
            return Denied(f"{what}; a lower `concurrency` makes smaller batches") if alone else Busy(what, 60.0)
        return Unclear(f"batch {job.batch_id} ended without this request")

    async def _end(self, job: Job, came: "_Outcome", missing: Trouble) -> None:
        """A batch has ended: nothing of it is at the server any more, and whoever still waits gets the reason."""
        why = {key: came.failed.get(key, missing) for key in job.keys if key in came.left}
        notes = [done_note(job)]
        for key, trouble in why.items():
            if trouble.paid == "no":
                notes += _settled(job, key, came.earlier.get(key, []), Spent())
        with contextlib.suppress(Stopped):  # of a full disk: then it is looked at again
            await self._ledger.put(notes)
        for key, trouble in why.items():
            self._landed(key, job, trouble)

    def _landed(self, key: str, job: Job, trouble: Trouble) -> None:
        """A request is at the server no more; who still waits for it gets `trouble`."""
        if self._flying.get(key, job.tag) == job.tag:
            self._flying.pop(key, None)
            _fail(self._waiting.get(key), trouble)


class _Outcome:
    """What became of the requests of a batch so far."""

    def __init__(self, job: Job, earlier: dict[str, list[str]]) -> None:
        self.left = set(job.keys)  # without a reply
        self.failed: dict[str, Trouble] = {}  # of those, the ones that the results have a reason for
        self.earlier = earlier  # sends of a process that ended, by key
        self._all = len(job.keys)

    @property
    def seen(self) -> int:
        """Requests that the results say something of."""
        return self._all - len(self.left) + len(self.failed.keys() & self.left)


def _address(base_url: str | None) -> str:
    return (base_url or OPENAI_URL).rstrip("/")


def _reply(job: Job, found: dict[str, Any]) -> Reply:
    """The reply in one line of results. Raises a `Trouble`."""
    response, error = found.get("response"), found.get("error")
    code = error.get("code") if isinstance(error, dict) else None
    if code == "batch_expired":
        raise Busy(words_of(error), 0.0)  # never worked on
    if code == "batch_cancelled":
        raise Denied(words_of(error))
    response = response if isinstance(response, dict) else {}
    status, body = response.get("status_code"), response.get("body")
    if error or status != 200 or not isinstance(body, dict):
        raise trouble_of(status if isinstance(status, int) else 500, words_of(error or body), {})
    reply = reply_of(body, response.get("request_id"))
    cost = None if job.kin.price is None else job.kin.price.of(reply.usage)
    known = {"max_tokens": job.kin.max_tokens, "cost": cost, "endpoint": label(job.kin.base_url or OPENAI_URL)}
    return reply.model_copy(update=known)


def _as_free(trouble: Trouble) -> Trouble:
    return trouble if trouble.paid == "no" else Busy(str(trouble))


def _fail(waiting: _Waiting | None, error: Exception) -> None:
    if waiting is not None and not waiting.future.done():
        waiting.future.set_exception(error)


def _settled(job: Job, key: str, sends: list[str], came: Spent) -> list[Entry]:
    """The records that say what a request of an earlier process came to; for one asked again here, nothing more."""
    notes = [paid_note(key, send, job.run, came if number == 0 else Spent()) for number, send in enumerate(sends)]
    if sends or came == Spent():
        return notes
    send = f"{job.at_ns:016x}-{job.tag}"  # its sends were settled as free when they were abandoned
    return [sent_note(key, send, job.run, Spent(), {"batch": job.batch_id}), paid_note(key, send, job.run, came)]
