"""Explain: one question with all that a run knows of it, from its source to the selection."""

import json
import re
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from curate.attempts import selection_files
from curate.drops import read_drops
from curate.errors import InputError
from curate.flow import Flow
from curate.ingest import need_ingested
from curate.questions import QuestionTable, questions_of
from curate.records import Question
from curate.resources import open_resources
from curate.run import Run
from curate.runs import need_run
from curate.solve import Decided, decide
from curate.sources._published import PRIVATE
from curate.withheld import HIDDEN, HOLDS, holds_private, private_source, without_texts

_NUMBER = re.compile("[0-9]{1,18}")  # what fits the column of places
_SHORTEST = 6  # digits that an id may be cut to


async def explain(run: Run, flow: Flow, what: str) -> dict[str, Any]:
    """Everything about the question whose source id, else seq, else id (or its first digits, at least 6) is `what`.

    `seq:N` and `id:ID` say which is meant. `note` tells of another question that the same number could mean. Raises
    InputError where no question, or more than one, answers to it.
    """
    need_run(run)
    need_ingested(run, flow.sources)
    question, note = _find(run, what)
    labels = _labels(run, question)
    why = _hidden(question, labels)
    found: dict[str, Any] = {"note": note, "question": _told(question, why), "labels": labels, "attempts": []}
    if why is not None:
        found["labels"] = [{**one, "evidence": _without_texts(one["evidence"])} for one in labels]
    async with open_resources(run, flow, read_only=True) as resources:
        work = flow.work()
        part = next(work.asking.parts())  # of a million samples, the first few hundred
        solved = decide([question], work, resources, part)[0]
        found["pending"] = solved.pending
        for one in solved.decided:
            selected = _selected(run, question.seq, one.attempt.id)
            held = any(holds_private(each["evidence"]) for each in selected)
            found["attempts"].append(_answer(one, selected, why or (HOLDS if held else None)))
    return found


def _answer(one: Decided, selected: list[dict[str, Any]], hidden: str | None) -> dict[str, Any]:
    """An answer with its verdict and what selection said of it; without texts where these are `hidden`."""
    told: dict[str, Any] = {name: getattr(one, name).model_dump(mode="json") for name in ("attempt", "verdict")}
    if hidden is not None:  # an answer begins by saying its question again
        told["attempt"] |= {name: hidden for name in ("reasoning", "solution") if told["attempt"][name]}
        told["verdict"]["evidence"] = without_texts(told["verdict"]["evidence"])
        selected = [{**each, "evidence": without_texts(each["evidence"])} for each in selected]
    return {**told, "selected": selected}


def _hidden(question: Question, labels: list[dict[str, Any]]) -> str | None:
    """Why the texts of a question, and of its answers, are not shown; None: they are."""
    if question.meta.get(PRIVATE) or private_source(question.source):
        return HIDDEN
    return HOLDS if any(holds_private(json.loads(one["evidence"])) for one in labels) else None


def _without_texts(evidence: str) -> str:
    return json.dumps(without_texts(json.loads(evidence)), ensure_ascii=False, sort_keys=True)


def _told(question: Question, hidden: str | None) -> dict[str, Any]:
    """The question without its tests; without its texts where these are `hidden`."""
    told = question.untested().model_dump(mode="json")
    if hidden is not None:
        told |= {name: hidden for name in ("problem", "gold", "starter_code") if told[name] is not None}
        told["truth"] = {name: value for name, value in told["truth"].items() if name in ("type", "letter")}
        told["meta"] = without_texts(told["meta"])
    return told


def _find(run: Run, what: str) -> tuple[Question, str | None]:
    """The question, and a note where the same number is also the place of another."""
    ways = _ways(what)
    for way, word in ways:
        hits = _matching(run, way, word)
        if len({hit.id for hit in hits}) > 1:
            near = ", ".join(f"seq:{hit.seq} ({hit.source}/{hit.source_id})" for hit in hits[:5])
            raise InputError(f"'{what}' means {len(hits)} questions: {near}", next="give the seq: of one of them")
        if hits:
            return hits[0], _note(run, hits[0], word) if way == "source_id" else None
    for drop in read_drops(run.questions / "drops.parquet"):
        if ("id", drop.id) in ways or ("seq", str(drop.seq)) in ways:
            why = f"{drop.reason} {drop.evidence}"
            raise InputError(f"row {what} never became a question: {why}", where=str(run.folder))
    raise InputError(
        f"no question is called '{what}'", where=str(run.folder), next="give its source id, seq:N or id:ID"
    )


def _ways(what: str) -> list[tuple[str, str]]:
    """Columns and what to look for in them; the source id, which users write themselves, goes before places and ids."""
    prefix, _, rest = what.partition(":")
    if prefix in ("seq", "id") and rest:
        return [(prefix, rest), ("source_id", what)]
    return [("source_id", what), ("seq", what), ("id", what)]


def _matching(run: Run, way: str, word: str) -> list[Question]:
    if (way == "seq" and not _NUMBER.fullmatch(word)) or (way == "id" and len(word) < _SHORTEST):
        return []
    hits: list[Question] = []
    for group in QuestionTable(run.questions).groups():
        column = group.column(way)
        match = pc.starts_with(column, word) if way == "id" else pc.equal(column, int(word) if way == "seq" else word)
        hits += questions_of(group.filter(match))
    return hits


def _note(run: Run, found: Question, word: str) -> str | None:
    others = [hit for hit in _matching(run, "seq", word) if hit.seq != found.seq]
    return f"seq {word} is another question; `seq:{word}` names it" if others else None


def _labels(run: Run, question: Question) -> list[dict[str, Any]]:
    found = []
    for path in sorted(run.labels.glob("[0-9]*-*.parquet")):
        rows = pq.read_table(path, filters=[("seq", "=", question.seq)]).to_pylist()
        found += [{"stage": path.stem, **row, "scores": dict(row.get("scores") or ())} for row in rows]
    return found


def _opinion(row: dict[str, Any]) -> dict[str, Any]:
    return {"kept": row["kept"], "reason": row["reason"], "evidence": json.loads(row["evidence"])}


def _selected(run: Run, seq: int, attempt_id: str) -> list[dict[str, Any]]:
    found = []
    for path in selection_files(run):
        # An equal question of another source has attempts of the same id.
        rows = pq.read_table(path, filters=[("seq", "=", seq), ("attempt_id", "=", attempt_id)]).to_pylist()
        found += [{"stage": path.stem, **_opinion(row)} for row in rows]
    return found
