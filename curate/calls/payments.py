"""Payments: what each send cost, as the ledger keeps it, so that a budget outlives the command that spent it."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from curate.calls.batch_notes import open_jobs
from curate.calls.budget import Spent
from curate.ledger import Entry, Ledger


def sent_note(key: str, send: str, run: str, worst: Spent, note: dict[str, Any]) -> Entry:
    """The record that a request is about to be sent by `run`, and what it may cost at most.

    `note` holds what else is worth keeping, such as its `use`.
    """
    body = {**note, "run": run, "worst_usd": worst.usd, "worst_tokens": worst.output_tokens}
    return Entry("sent", key, send, json.dumps(body).encode())


def paid_note(key: str, send: str, run: str, came: Spent, use: str = "answer") -> Entry:
    """The record of what a send came to (its worst case where nobody knows), and what it was for."""
    body: dict[str, Any] = {"run": run, "usd": came.usd, "tokens": came.output_tokens, "gpu_h": came.gpu_hours}
    if use != "answer":
        body["use"] = use
    return Entry("paid", key, send, json.dumps(body).encode())


def unanswered(ledger: Ledger, run: str) -> int:
    """Requests of a run whose last send ended with its process, and that still have no reply: the next send of each
    may pay a second time.
    """
    abroad = _in_batches(ledger)
    keys = {key for key, _ in _unsettled(ledger, run) if key not in abroad}
    return len(keys - ledger.have("reply", list(keys)))


def spent_by(ledger: Ledger, run: str) -> Spent:
    """What a run has spent so far; what is under way in a batch, or ended unseen, counts with its worst case
    (own hardware: with the time that is known of, see `_gpu_time`).
    """
    usd, hours, tokens = 0.0, 0.0, 0
    for _, _, body in ledger.scan("paid"):
        paid = json.loads(body)
        if paid["run"] == run:
            usd, hours, tokens = usd + paid["usd"], hours + paid.get("gpu_h", 0.0), tokens + paid.get("tokens", 0)
    spent = Spent(usd, hours, tokens)
    abroad = _in_batches(ledger)
    for key, worst in _unsettled(ledger, run):
        if key not in abroad:
            spent = spent.plus(worst)
    for worst in away(ledger, run).values():
        spent = spent.plus(worst)
    return spent


def away(ledger: Ledger, run: str) -> dict[str, Spent]:
    """By request key, what a run's requests in batches that go on at a server may come to at most: each is one request
    there, however many commands have waited for it.
    """
    abroad = _in_batches(ledger)
    found: dict[str, Spent] = {}
    for key, worst in _unsettled(ledger, run) if abroad else ():
        if key in abroad:
            found[key] = max(worst, found.get(key, worst))
    return found


def _unsettled(ledger: Ledger, run: str) -> Iterator[tuple[str, Spent]]:
    """Sends of a run without a record of what they came to: their keys, and what they come to at most.

    The GPU time of own hardware is that until the last sign of life of the process that sent them (see `_gpu_time`).
    """
    if ledger.count("sent") == ledger.count("paid"):  # as a rule: then there is no need to keep every name in mind
        return
    settled = {send for _, send, _ in ledger.scan("paid")}
    last: dict[str, float] = {}  # when each process that used own hardware was last heard of
    own: list[tuple[str, dict[str, Any]]] = []
    for key, send, body in ledger.scan("sent"):
        note = json.loads(body)
        if "by" in note:
            last[note["by"]] = max(note["at"], last.get(note["by"], 0.0))
        if send in settled or note.get("run") != run:
            continue
        if "by" in note:
            own.append((key, note))
        else:
            yield key, Spent(note["worst_usd"], 0.0, note.get("worst_tokens", 0))
    yield from _gpu_time(own, last)


def _gpu_time(sends: list[tuple[str, dict[str, Any]]], last: dict[str, float]) -> Iterator[tuple[str, Spent]]:
    """What requests to own hardware had taken when their process ended, unseen.

    The GPUs of a server are shared by what is in flight there (`curate.calls.hardware`). Those that were in flight at
    the end are known, so each counts for its own time divided by their number: the truth where it was the same
    number all along. What passed after the last request was sent is not seen.
    """
    together = Counter((note["by"], note["endpoint"]) for _, note in sends)
    for key, note in sends:
        seconds = max(0.0, last[note["by"]] - note["at"])
        hours = note["gpus"] * seconds / 3600 / together[note["by"], note["endpoint"]]
        usd = note["worst_usd"] + hours * note["gpu_hour"]
        yield key, Spent(usd, hours, note.get("worst_tokens", 0))


def _in_batches(ledger: Ledger) -> set[str]:
    """Requests in batches that go on at a server."""
    return {key for job in open_jobs(ledger) for key in job.keys}
