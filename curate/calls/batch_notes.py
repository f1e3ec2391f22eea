"""What the ledger knows of batches, so that one outlives the process that sent it: planned, made, done.

The plan is written before the server hears of the batch, and holds the tag that the batch carries there: whatever
happens between the two, the next process finds it again. The id is written before anything is waited for.
"""

import json
from typing import Any

from curate.calls.model import Call
from curate.calls.prices import Price
from curate.keys import digest
from curate.ledger import Entry, Ledger
from curate.records import Record

_PLAN, _MADE, _DONE = "1plan", "2made", "3done"


class Kin(Record):
    """What the requests of one batch have in common."""

    base_url: str | None
    api_key_env: str | None
    form: str
    model: str
    max_tokens: int | None
    price: Price | None

    @classmethod
    def of(cls, call: Call) -> "Kin":
        """What a call must share with the others of its batch."""
        return cls(**{name: getattr(call, name) for name in cls.model_fields})


class Job(Record):
    """One batch: its requests by key. `tag` is its name here and stands in its metadata at the server."""

    tag: str
    run: str
    at_ns: int  # when it was planned
    kin: Kin
    keys: tuple[str, ...]
    batch_id: str | None = None

    @property
    def key(self) -> str:
        """Its key in the ledger."""
        return digest("batch", self.tag)


def plan_note(job: Job) -> Entry:
    """The record of a batch that is about to be made."""
    return Entry("batch", job.key, _PLAN, job.model_dump_json(exclude={"batch_id"}).encode())


def made_note(job: Job) -> Entry:
    """The record of the id that the server gave it."""
    return Entry("batch", job.key, _MADE, json.dumps({"id": job.batch_id}).encode())


def done_note(job: Job) -> Entry:
    """The record that nothing more will come of it: its answers are stored, or it never was."""
    return Entry("batch", job.key, _DONE, b"{}")


def open_jobs(ledger: Ledger) -> list[Job]:
    """Batches that were planned and are not done, in the order of their plans."""
    found: dict[str, Job] = {}
    made: dict[str, Any] = {}
    done: set[str] = set()
    for key, tag, body in ledger.scan("batch"):
        if tag == _PLAN:
            found[key] = Job.model_validate_json(body)
        elif tag == _MADE:
            made[key] = json.loads(body)["id"]
        else:
            done.add(key)
    return [job.model_copy(update={"batch_id": made.get(key)}) for key, job in found.items() if key not in done]


def earlier_sends(ledger: Ledger, job: Job) -> dict[str, list[str]]:
    """By request key, the sends into a batch of a process that ended before it saw their replies."""
    keys = list(job.keys)
    sent, paid = ledger.tagged("sent", keys), ledger.tagged("paid", keys)
    # A send's name begins with its time; those after the plan are of this process.
    return {
        key: [name for name in sends if int(name[:16], 16) < job.at_ns and name not in paid.get(key, {})]
        for key, sends in sent.items()
    }
