"""A shelf of a run that is under way: what is decided by now, read where it lies, in its questions and the ledger."""

import json
from array import array
from collections.abc import Iterator, Sequence
from threading import Lock
from typing import Any

import numpy as np
import pyarrow as pa

from curate.assemble import decided_now
from curate.calls.client import Calls
from curate.errors import InputError
from curate.flow import Flow
from curate.ingest import need_ingested
from curate.labels import Kept, clean
from curate.ledger import Ledger
from curate.publish.columns import schemas
from curate.questions import SCHEMA, QuestionTable
from curate.records import Question
from curate.resources import Resources
from curate.run import Run
from curate.solve import Decided
from curate.verdicts import Verdicts
from curate.view.opening import Opened
from curate.view.shelf import UNLISTED, Facets, ParquetShelf, Shelf
from curate.view.trace import columns_of
from curate.withheld import private_ids

_PREFIX = "teacher"


async def open_decided(run: Run, flow: Flow) -> Opened:
    """What is decided in a run by now; nothing is asked or written. Raises InputError where it is still cleaning."""
    known = need_ingested(run, flow.sources)
    kept, labelled = clean(run, flow.stages(), known.rows, known.key, None)
    if len(labelled) < len(flow.clean):
        raise InputError(
            f"run '{run.name}' is still cleaning: there are no answers yet",
            where=str(run.folder),
            next="wait until it is solving (`veristill status` tells)",
        )
    ledger = Ledger(run.root / "ledger", read_only=True, also=[other / "ledger" for other in flow.answers_from])
    resources = Resources(ledger, Calls(ledger, run=run.name), Verdicts(ledger), read_only=True)
    for teacher in (*flow.annotate.teacher, *flow.router().judges()):
        await teacher.open(resources)
    shelf = DecidedShelf(run, flow, kept, resources)
    columns = columns_of(shelf.columns, run.name)
    return Opened(f"{run.name}, decided so far", shelf, columns, withheld=private_ids(run))


class DecidedShelf(Shelf):
    """The columns of `unverified` and the reference; rows are the attempts with a verdict when `facets` comes by.

    Memory: 8 bytes a question and 20 a row, besides one row group of questions.
    """

    def __init__(self, run: Run, flow: Flow, kept: Kept, resources: Resources) -> None:
        self.name = run.name
        self.columns = [*schemas(_PREFIX)["unverified"].names, "ground_truth_solution", "starter_code", UNLISTED]
        self._kept, self._work, self._resources = kept, flow.work(), resources
        self._table = QuestionTable(run.questions)
        self._questions = ParquetShelf(run.name, sorted(run.questions.glob("part-*.parquet")))
        seqs = [group.column("seq").to_numpy() for group in self._table.groups(["seq"])]
        self._seqs = np.concatenate(seqs) if seqs else np.empty(0, dtype=np.int64)
        self._rows, self._samples, self._lengths = array("q"), array("i"), array("q")
        self._lock = Lock()  # of the handles: a recording is read by one thread at a time

    def facets(self, names: Sequence[str]) -> Iterator[Facets]:
        """As `Shelf.facets`; after it every row can be read and its length is known."""
        columns = [name for name in SCHEMA.names if name != UNLISTED]
        parts = decided_now(map(self._kept.only, self._table.groups(columns)), self._work, self._resources)
        while (part := self._next(parts)) is not None:
            told = []
            for question, solved in part:
                for one in solved.decided:
                    told.append(_told(question, one))
                    self._lengths.append(len(one.attempt.reasoning or "") + len(one.attempt.solution))
                    self._samples.append(one.attempt.sample)
                    self._rows.append(question.seq)
            yield Facets(len(told), {name: [row[name] for row in told] for name in names})

    def lengths(self, names: Sequence[str]) -> Iterator[list[int]]:
        """As `Shelf.lengths`, from the pass that `facets` made."""
        yield self._lengths.tolist()

    def row(self, number: int) -> dict[str, Any]:
        """As `Shelf.row`, with the verdict that stands there now."""
        place = int(np.searchsorted(self._seqs, self._rows[number]))
        asked = self._questions.row(place)
        with self._lock:
            parts = decided_now(iter([pa.Table.from_pylist([asked], schema=SCHEMA)]), self._work, self._resources)
            found = next(
                (
                    (question, one)
                    for _, part in parts
                    for question, solved in part
                    for one in solved.decided
                    if one.attempt.sample == self._samples[number]
                ),
                None,
            )
        if found is not None:
            question, one = found
            reference = asked["gold"] or asked["answer"]
            more = {"ground_truth_solution": reference, UNLISTED: asked.get(UNLISTED)}
            return {**_told(question, one), **more, "starter_code": asked["starter_code"]}
        raise InputError("its answer is not in the ledger any more", where=self.name)

    def close(self) -> None:
        """Let go of the questions and the ledger."""
        self._questions.close()
        self._resources.ledger.close()

    def _next(self, parts: Iterator[Any]) -> Any:
        with self._lock:
            found = next(parts, None)
        return None if found is None else found[1]


def _told(question: Question, one: Decided) -> dict[str, Any]:
    """A row of `unverified`."""
    attempt, verdict = one.attempt, one.verdict
    asked = question.model_dump(include={"problem", "domain", "source", "source_id", "licence"})
    return {
        "question_id": question.id,
        **asked,
        "sample": attempt.sample,
        f"{_PREFIX}_reasoning": attempt.reasoning,
        f"{_PREFIX}_solution": attempt.solution,
        "finish_reason": attempt.finish_reason,
        **verdict.model_dump(include={"outcome", "reason", "verifier", "verifier_version"}),
        "evidence": json.dumps(verdict.evidence, ensure_ascii=False, sort_keys=True, default=str),
    }
