"""Spending: what the answers of a run cost, what of that became verified rows, and where the rest went.

Counted from the stored replies, each once however many questions share it: at 19 bytes an answer, so that a million
answers are no burden. What was paid for sends that brought no reply comes from the ledger.
"""

import json
from array import array
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from curate.ledger import Ledger
from curate.records import Attempt, Verdict

# Where the money of an answer went; the first that applies.
KINDS = ("verified", "truncated", "unusable", "wrong", "unsure", "undecided")


class Served(NamedTuple):
    """Who gave an answer, in the words of the server."""

    teacher: str
    model: str | None
    fingerprint: str | None = None
    endpoint: str | None = None


class Spending:
    """Adds up attempts in any order."""

    def __init__(self) -> None:
        self._keys, self._costs = array("Q"), array("d")
        self._kinds, self._who = array("B"), array("H")
        self._judged, self._judging = array("Q"), array("d")
        self._asked = array("Q")  # requests to judges
        self._served: dict[Served, int] = {}
        self._looked_at = 0  # of those, when `just_changed` last looked
        self._told: set[str] = set()

    def add(
        self,
        attempt: Attempt,
        verdict: Verdict,
        served: Served,
        verdict_key: str | None = None,
        replaced_usd: float = 0.0,
    ) -> None:
        """Take one attempt; one that failed, or was read from a recording, is nothing that was paid for.

        `replaced_usd` is what a cut answer cost in whose place the attempt's was asked for.
        """
        if verdict.cost and verdict_key is not None:
            self._judged.append(int(verdict_key[:16], 16))
            self._judging.append(verdict.cost)
            self._asked.extend(int(key[:16], 16) for key in verdict.measured.get("asked", ()))
        if attempt.finish_reason == "failed" or (attempt.cost is None and not attempt.usage):
            return
        number = self._served.setdefault(served, len(self._served))
        if number > 65_000:  # a server that calls itself something new each time
            number = self._served.setdefault(Served(attempt.teacher, None), 65_000)
        key = int(attempt.request_key[:16], 16)
        self._paid(key, float("nan") if attempt.cost is None else attempt.cost, _kind(attempt, verdict), number)
        if replaced_usd:
            self._paid(key ^ 1, replaced_usd, "truncated", number)

    def _paid(self, key: int, usd: float, kind: str, who: int) -> None:
        self._keys.append(key)
        self._costs.append(usd)
        self._kinds.append(KINDS.index(kind))
        self._who.append(who)

    def keys(self) -> NDArray[np.uint64]:
        """The first 64 bits of the key of each request that `totals` counts: for answers, and to their judges."""
        return np.concatenate([np.asarray(keys, dtype=np.uint64) for keys in (self._keys, self._asked)])

    def totals(self) -> dict[str, Any]:
        """USD by what became of the answers, and by who gave them; empty where nothing was paid for."""
        first = _once(self._keys)
        costs = np.frombuffer(self._costs)[first]
        known = np.isfinite(costs)
        judging = _usd(np.frombuffer(self._judging)[_once(self._judged)])
        if known.all() and not costs.any() and not judging:
            return {}
        kinds = np.frombuffer(self._kinds, dtype=np.uint8)[first]
        who = np.frombuffer(self._who, dtype=np.uint16)[first]
        paid = np.where(known, costs, 0.0)
        by_kind = {name: _usd(paid[kinds == number]) for number, name in enumerate(KINDS)}
        return {
            "answers": len(costs),
            "answers_usd": _usd(paid),
            "judging_usd": judging,
            "cost_unknown": int((~known).sum()),
            "by_result_usd": {name: usd for name, usd in by_kind.items() if usd},
            "by_server": list(self._by_server(who, paid)),
        }

    def changed(self) -> Iterator[str]:
        """A line for each teacher whose model or configuration changed under way."""
        by_teacher: dict[str, list[Served]] = {}
        for one in self._served:
            by_teacher.setdefault(one.teacher, []).append(one)
        for teacher, served in sorted(by_teacher.items()):
            models = sorted({one.model or "no name" for one in served})
            if len(models) > 1:
                yield f"{teacher} answered as {', '.join(models[:5])}: the model behind the name changed"
            for model in models:
                marks = {one.fingerprint for one in served if (one.model or "no name") == model and one.fingerprint}
                if len(marks) > 1:
                    yield (
                        f"{teacher} answered as {model} under {len(marks)} fingerprints"
                        f" ({', '.join(sorted(marks)[:3])}...): its configuration changed"
                    )

    def just_changed(self) -> list[str]:
        """Lines of `changed` for teachers that this has not spoken of before: for whoever watches the run."""
        if len(self._served) == self._looked_at:
            return []
        self._looked_at = len(self._served)
        found = [(line.partition(" answered as ")[0], line) for line in self.changed()]
        fresh = [line for teacher, line in found if teacher not in self._told]
        self._told |= {teacher for teacher, _ in found}
        return fresh

    def _by_server(self, who: NDArray[np.uint16], paid: NDArray[np.float64]) -> Iterator[dict[str, Any]]:
        found: dict[tuple[str, str, str], list[float]] = {}
        for served, number in self._served.items():
            mine = who == number
            place = found.setdefault((served.teacher, served.model or "", served.endpoint or ""), [0, 0.0])
            place[0] += int(mine.sum())
            place[1] += float(paid[mine].sum())
        for (teacher, model, endpoint), (answers, usd) in sorted(found.items()):
            if answers:
                yield {
                    "teacher": teacher,
                    "model": model,
                    "server": endpoint,
                    "answers": int(answers),
                    "usd": round(usd, 6),
                }


def lost_in_retries(ledger: Ledger, run: str) -> float:
    """USD that a run paid at most for sends that brought no reply (a broken connection, half an answer, a timeout)."""
    if not ledger.count("trouble"):
        return 0.0
    failed = {send for _, send, _ in ledger.scan("trouble")}
    lost = 0.0
    for _, send, body in ledger.scan("paid"):
        if send in failed:
            paid = json.loads(body)
            lost += paid["usd"] if paid["run"] == run else 0.0
    return round(lost, 6)


def paid_for(ledger: Ledger, run: str, use: str, but: NDArray[np.uint64] | None = None) -> float:
    """USD that a run paid for the replies to requests of one use, over all its commands.

    What was answers too (`but`, as `Spending.keys`) is left out, and so is what brought no reply.
    """
    keys, costs = array("Q"), array("d")
    mark = f'"{use}"'.encode()
    failed = {send for _, send, _ in ledger.scan("trouble")} if ledger.count("trouble") else set()
    for key, send, body in ledger.scan("paid"):
        if mark in body:  # most payments are for something else: they need not be read
            paid = json.loads(body)
            if paid["run"] == run and paid.get("use") == use and send not in failed:
                keys.append(int(key[:16], 16))
                costs.append(paid["usd"])
    if not keys:
        return 0.0
    new = np.ones(len(keys), bool) if but is None else ~np.isin(np.frombuffer(keys, dtype=np.uint64), but)
    return _usd(np.frombuffer(costs)[new])


def money(
    totals: dict[str, Any],
    lost_usd: float,
    outcomes: Mapping[str, int],
    spent_usd: float = 0.0,
    besides: Mapping[str, float] = MappingProxyType({}),
) -> dict[str, Any]:
    """The block `money` of a report: the totals, what a verified answer cost in all, what was lost.

    `spent_usd` is what the run's own requests came to at most: also for answers that it uses no more. `besides` is what
    was asked of models for something else than answers, by name (`cleaning_usd`, `rewards_usd`).
    """
    if not totals and not lost_usd and not spent_usd:
        return {}
    paid = totals.get("answers_usd", 0.0) + totals.get("judging_usd", 0.0) + lost_usd + sum(besides.values())
    verified = outcomes.get("pass", 0)
    lost = {name: usd for name, usd in totals.get("by_result_usd", {}).items() if name in _LOST}
    return {
        "paid_usd": round(paid, 6),
        "spent_usd": round(spent_usd, 6),
        "per_verified_usd": round(paid / verified, 6) if verified else None,
        "per_row_usd": None,
        "lost_usd": {**lost, **({"retries_at_most": lost_usd} if lost_usd else {})},
        **{name: usd for name, usd in besides.items() if usd},
        **totals,
    }


def with_rows(block: dict[str, Any], rows: Mapping[str, int] | None) -> dict[str, Any]:
    """The block with what a published row cost; `rows` are those of each config, None before publishing."""
    if not block or not rows or not rows["metadata"]:
        return block
    return {**block, "per_row_usd": round(block["paid_usd"] / rows["metadata"], 6)}


def money_lines(block: dict[str, Any]) -> list[str]:
    """The block in Markdown."""
    if not block:
        return []
    lines = ["", "## Money", "", f"- paid: ${block['paid_usd']:,.4f}"]
    if block["spent_usd"] > block["paid_usd"] + 5e-5:
        beside = "also for answers that are not used any more and for requests that were cut off"
        lines.append(f"- all requests of this run, at most: ${block['spent_usd']:,.4f}, {beside}")
    if block.get("judging_usd"):
        lines.append(f"- of this, to the judge: ${block['judging_usd']:,.4f}")
    if block.get("cleaning_usd"):
        lines.append(f"- of this, to the models that cleaning asked: ${block['cleaning_usd']:,.4f}")
    if block.get("rewards_usd"):
        lines.append(f"- of this, for rewards of answers: ${block['rewards_usd']:,.4f}")
    for name, words in (("per_verified_usd", "per verified answer"), ("per_row_usd", "per published row")):
        if block[name] is not None:
            lines.append(f"- {words}: ${block[name]:,.6f}")
    lines += [f"- lost to {_LOST[name]}: ${usd:,.4f}" for name, usd in block["lost_usd"].items()]
    if block.get("cost_unknown"):
        lines.append(f"- answers whose cost is not known, and not in these figures: {block['cost_unknown']}")
    servers = block.get("by_server", ())
    if servers:
        lines += ["", "| teacher | model | server | answers | USD |", "|---|---|---|---:|---:|"]
        lines += [
            f"| {one['teacher']} | {one['model']} | {one['server']} | {one['answers']} | {one['usd']:.4f} |"
            for one in servers
        ]
    return lines


_LOST = {"truncated": "answers that the cap cut", "wrong": "wrong answers", "retries_at_most": "broken sends, at most"}


def _once(keys: "array[int]") -> NDArray[np.intp]:
    """The place of each key's first appearance."""
    return np.unique(np.frombuffer(keys, dtype=np.uint64), return_index=True)[1]


def _kind(attempt: Attempt, verdict: Verdict) -> str:
    if verdict.outcome == "pass":
        return "verified"
    if attempt.finish_reason == "length":
        return "truncated"
    if attempt.finish_reason != "stop":
        return "unusable"
    return {"fail": "wrong", "unsure": "unsure"}.get(verdict.outcome, "undecided")


def _usd(values: NDArray[np.float64]) -> float:
    return round(float(np.sum(values)), 6)
