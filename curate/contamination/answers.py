"""Fills the column `benchmark`: which benchmark questions stand in an answer, its thinking included.

A run of words weighs by how rare it is among the items and the questions of the run, so that a finding follows from
the answer's text, the questions and the benchmarks alone. It is stored in the ledger under these: nothing is looked at
twice. Memory: the evidence of the answers that hold something.
"""

import asyncio
import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curate.attempts import text_key
from curate.contamination.against import read_items
from curate.contamination.index import Index
from curate.contamination.match import Found, Matcher
from curate.keys import digest
from curate.ledger import Entry
from curate.measures.reading import Answers
from curate.progress import Progress
from curate.records import Attempt, Question
from curate.resources import Resources

if TYPE_CHECKING:
    from curate.select.decontaminate import Decontaminate

COLUMN = "benchmark"
_VERSION = 1  # of what is stored
_KEYS = 4096  # looked up at a time
_NAMED = 6  # findings of an answer that are named
_PARTS = ("reasoning", "solution")


async def looked_at(
    stage: "Decontaminate",
    attempts: pa.Table,
    answers: Answers,
    texts: Iterator[list[str]],
    resources: Resources,
    progress: Progress,
) -> pa.Table:
    """Add the column (JSON text of findings, the strongest first; null: nothing) to an ordered table of attempts.

    `texts` are the questions of the run, batch by batch. Unfinished answers are not looked at. Raises as reading the
    benchmarks does; with `resources.read_only` nothing is stored.
    """
    work = await asyncio.to_thread(_Work, stage, attempts, texts, resources)
    missing = await asyncio.to_thread(work.known)
    if missing.any():
        with progress.stage("decontaminate answers", int(missing.sum())) as bar:
            for batch in answers.batches(missing):
                entries = await asyncio.to_thread(work.look, batch)
                if not resources.read_only:
                    await resources.ledger.put(entries)
                bar.advance(len(batch))
    return attempts.append_column(COLUMN, work.column())


class _Work:
    def __init__(
        self, stage: "Decontaminate", attempts: pa.Table, texts: Iterator[list[str]], resources: Resources
    ) -> None:
        self._attempts, self._resources = attempts, resources
        index = Index(read_items(stage.against))
        survey = index.survey()
        for batch in texts:
            index.surveyed(survey, batch)
        index.weigh(survey)
        self._matcher = Matcher(index)
        self._spec = {"measure": COLUMN, "version": _VERSION, "against": stage.contents(), "weights": index.mark()}
        self._held: dict[int, str] = {}

    def known(self) -> npt.NDArray[np.bool_]:
        """Take what the ledger has; returns which rows (n,) have still to be looked at."""
        finished = pc.equal(self._attempts.column("finish_reason").cast(pa.string()), "stop").to_numpy()
        missing = np.zeros(len(finished), dtype=np.bool_)
        rows = np.flatnonzero(finished)
        for start in range(0, len(rows), _KEYS):
            part = rows[start : start + _KEYS]
            keys = [self._key(one) for one in self._attempts.column("text_key").take(pa.array(part)).to_pylist()]
            found = self._resources.ledger.get("measure", list(set(keys)))
            for row, key in zip(part.tolist(), keys, strict=True):
                if key not in found:
                    missing[row] = True
                elif found[key][0] != b"[]":
                    self._held[row] = found[key][0].decode()
        return missing

    def look(self, batch: Sequence[tuple[int, Question, Attempt]]) -> list[Entry]:
        """Look at a batch of answers; returns the records of it."""
        texts = [text for _, _, one in batch for text in (one.reasoning or "", one.solution)]
        found = self._matcher.find(texts)
        entries: dict[str, Entry] = {}
        for place, (row, _, attempt) in enumerate(batch):
            at = slice(len(_PARTS) * place, len(_PARTS) * (place + 1))
            body = json.dumps(_told(texts[at], found[at]), ensure_ascii=False, sort_keys=True)
            if body != "[]":
                self._held[row] = body.encode("utf-8", "replace").decode()
            key = self._key(text_key(attempt))
            entries[key] = Entry("measure", key, "", body.encode("utf-8", "replace"))
        return list(entries.values())

    def column(self) -> pa.Array:
        """The findings of every row."""
        return pa.array((self._held.get(row) for row in range(self._attempts.num_rows)), pa.string())

    def _key(self, text: bytes) -> str:
        return digest("measure", self._spec, text.hex())


def _told(texts: Sequence[str], found: Sequence[list[Found]]) -> list[dict[str, Any]]:
    """The evidence of the findings in the parts of one answer: of each item the strongest."""
    private = any(one.item.private for each in found for one in each)
    pairs = sorted(
        ((one, place) for place, each in enumerate(found) for one in each), key=lambda pair: pair[0].strength()
    )
    best: dict[Any, dict[str, Any]] = {}
    for one, place in pairs:
        if one.item not in best and (len(best) < _NAMED or one.item.private):
            best[one.item] = {"in": _PARTS[place], **one.evidence(texts[place], private=private)}
    return list(best.values())
