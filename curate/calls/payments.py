"""Payments: what each send cost, as the ledger keeps it, so that a budget outlives the command that spent it."""

import json
from typing import Any

from curate.calls.batch_notes import open_jobs
from curate.calls.budget import Spent
from curate.ledger import Entry, Ledger


def sent_note(key: str, send: str, run: str, worst: Spent, note: dict[str, Any]) -> Entry:
    """The record that a request is about to be sent by `run`, and what it may cost at most."""
    body = {**note, "run": run, "worst_usd": worst.usd, "worst_tokens": worst.output_tokens}
    return Entry("sent", key, send, json.dumps(body).encode())


def paid_note(key: str, send: str, run: str, came: Spent) -> Entry:
    """The record of what a send came to (its worst case where nobody knows)."""
    body = {"run": run, "usd": came.usd, "tokens": came.output_tokens, "gpu_h": came.gpu_hours}
    return Entry("paid", key, send, json.dumps(body).encode())


def unanswered(ledger: Ledger, run: str) -> int:
    """Requests of a run whose last send ended with its process, and that still have no reply: the next send of each
    may pay a second time.
    """
    if ledger.count("sent") == ledger.count("paid"):
        return 0
    settled = {send for _, send, _ in ledger.scan("paid")}
    abroad = _in_batches(ledger)
    keys = {
        key
        for key, send, body in ledger.scan("sent")
        if send not in settled and key not in abroad and json.loads(body).get("run") == run
    }
    return len(keys - ledger.have("reply", list(keys)))


def spent_by(ledger: Ledger, run: str) -> Spent:
    """What a run has spent so far; a send whose end nobody saw counts with its worst case."""
    usd, hours, tokens = 0.0, 0.0, 0
    settled = set[str]()
    whole = ledger.count("sent") == ledger.count("paid")  # as a rule: then there is no need to keep every name in mind
    for _, send, body in ledger.scan("paid"):
        if not whole:
            settled.add(send)
        paid = json.loads(body)
        if paid["run"] == run:
            usd, hours, tokens = usd + paid["usd"], hours + paid.get("gpu_h", 0.0), tokens + paid.get("tokens", 0)
    if whole:
        return Spent(usd, hours, tokens)
    abroad = _in_batches(ledger)
    for key, send, body in ledger.scan("sent"):
        note = json.loads(body)
        if send not in settled and key not in abroad and note.get("run") == run:
            usd, tokens = usd + note["worst_usd"], tokens + note.get("worst_tokens", 0)
    return Spent(usd, hours, tokens)


def _in_batches(ledger: Ledger) -> set[str]:
    """Requests in batches that go on at a server: they count again when they are asked for, or their answers come."""
    return {key for job in open_jobs(ledger) for key in job.keys}
