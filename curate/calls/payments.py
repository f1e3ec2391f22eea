"""Payments: what each send cost, as the ledger keeps it, so that a budget outlives the command that spent it."""

import json
from typing import Any

from curate.ledger import Entry, Ledger


def sent_note(key: str, send: str, run: str, worst_usd: float, note: dict[str, Any]) -> Entry:
    """The record that a request is about to be sent by `run`, and what it may cost at most."""
    body = {**note, "run": run, "worst_usd": worst_usd}
    return Entry("sent", key, send, json.dumps(body).encode())


def paid_note(key: str, send: str, run: str, usd: float) -> Entry:
    """The record of what a send came to (its worst case where nobody knows)."""
    return Entry("paid", key, send, json.dumps({"run": run, "usd": usd}).encode())


def unanswered(ledger: Ledger, run: str) -> int:
    """Requests of a run whose last send ended with its process, and that still have no reply: the next send of each
    may pay a second time.
    """
    if ledger.count("sent") == ledger.count("paid"):
        return 0
    settled = {send for _, send, _ in ledger.scan("paid")}
    keys = {
        key for key, send, body in ledger.scan("sent") if send not in settled and json.loads(body).get("run") == run
    }
    return len(keys - ledger.have("reply", list(keys)))


def spent_by(ledger: Ledger, run: str) -> float:
    """USD that a run has spent so far; a send whose end nobody saw counts with its worst case."""
    spent, settled = 0.0, set[str]()
    for _, send, body in ledger.scan("paid"):
        settled.add(send)
        paid = json.loads(body)
        spent += paid["usd"] if paid["run"] == run else 0.0
    for _, send, body in ledger.scan("sent"):
        note = json.loads(body)
        if send not in settled and note.get("run") == run:
            spent += note["worst_usd"]
    return spent
