"""Assemble: joins questions, ledger and selection in `seq` order, in one pass, into `dataset/`.

The same recipe, sources and replies give the same bytes: nothing measured goes in, and the order is that of ingest.
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curate.labels import Kept
from curate.progress import Bar
from curate.publish import rl
from curate.publish.writer import DatasetWriter, Published
from curate.questions import QuestionTable, questions_of
from curate.records import Question
from curate.resources import Resources
from curate.run import Run
from curate.solve import Decided, Solved, Work, decide

if TYPE_CHECKING:
    from curate.flow import Flow

_ATTEMPTS = 256  # held at a time: one batch of ledger reads


@dataclass(frozen=True)
class Selection:
    """Which questions are in the flow, which of their attempts were counted, and which of those were selected.

    Only what was counted is published: another process may be adding attempts meanwhile.
    """

    kept: Kept
    counted: "Samples"
    selected: "Samples"
    said: Mapping[str, str] = field(default_factory=dict)  # by attempt: evidence of selectors that is published, JSON


class Samples:
    """The samples of each question in an ordered table of attempts."""

    def __init__(self, attempts: pa.Table) -> None:
        # Taken out once: a column of many chunks is copied by each `to_numpy`.
        self._seqs = attempts.column("seq").to_numpy()
        self._samples = attempts.column("sample").to_numpy()

    def of(self, seq: int) -> set[int]:
        """The samples of the question at `seq`."""
        low, high = np.searchsorted(self._seqs, [seq, seq + 1])
        return set(self._samples[low:high].tolist())


def decided_now(
    groups: Iterator[pa.Table], work: Work, resources: Resources
) -> Iterator[tuple[pa.Table, list[tuple[Question, Solved]]]]:
    """What the ledger says of the questions of row groups, slice by slice, in order; nothing is asked.

    A question with very many samples comes several times, with one part of them each time.
    """
    batch = max(1, _ATTEMPTS // work.asking.most)
    for group in groups:
        for start in range(0, group.num_rows, batch):
            part = group.slice(start, batch)
            questions = list(questions_of(part, tests=False))
            for samples in work.asking.parts():
                yield part, list(zip(questions, decide(questions, work, resources, samples), strict=True))
            del part
        del group  # before the next one is read: a row may hold 200 MB


def publish_dataset(
    writer: DatasetWriter, run: Run, selection: Selection, work: Work, resources: Resources, bar: Bar
) -> dict[str, int]:
    """Write `dataset/`: every decided attempt to `unverified`, the selected ones to the other configs.

    Returns the rows of each config. Raises Failed where it could not be loaded back; the old dataset then stays.
    """
    groups = map(selection.kept.only, QuestionTable(run.questions).groups())
    with writer:
        for part, solved in decided_now(groups, work, resources):
            rows: list[Published] = []
            for row, (question, one) in enumerate(solved):
                counted, selected = selection.counted.of(question.seq), selection.selected.of(question.seq)
                rows += [
                    _published(row, question, this, this.attempt.sample in selected, selection.said)
                    for this in one.decided
                    if this.attempt.sample in counted
                ]
            writer.add_batch(part, rows)
            bar.advance(len(solved))
            del part
        bar.note = "loading it back"
        return dict(writer.finish().rows)


def publish_rl(run: Run, flow: "Flow", selection: Selection, attempts: pa.Table) -> rl.Exported | None:
    """Write `rl/`, the questions that have a selected attempt, for RL trainers; None where the recipe asks for none.

    An older export goes: it would be of another dataset.
    """
    folder = run.folder / "rl"
    if not flow.publish.rl:
        shutil.rmtree(folder, ignore_errors=True)
        return None
    outcomes, router = Outcomes(attempts), flow.router()
    groups = map(selection.kept.only, QuestionTable(run.questions).groups())
    chosen = rl.selected_questions(groups, lambda seq: bool(selection.selected.of(seq)), outcomes.of)
    return rl.export(
        folder,
        flow.publish.rl,
        chosen,
        lambda question: rl.scored_by(router.chain(question.domain, question.truth.type), question),
    )


class Outcomes:
    """How many attempts at each question were decided and how many passed, in an ordered table of attempts."""

    def __init__(self, attempts: pa.Table) -> None:
        self._seqs = attempts.column("seq").to_numpy()
        words = attempts.column("outcome").cast(pa.string())
        self._decided = _before(pc.not_equal(words, "error"))
        self._passed = _before(pc.equal(words, "pass"))

    def of(self, seq: int) -> rl.Seen:
        """Of the question at `seq`; trouble of ours counts nowhere."""
        low, high = np.searchsorted(self._seqs, [seq, seq + 1])
        return rl.Seen(int(self._decided[high] - self._decided[low]), int(self._passed[high] - self._passed[low]))


def _before(mask: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """How many are true before each row, and before the end."""
    counts: npt.NDArray[np.int64] = np.concatenate([[0], np.cumsum(mask.to_numpy().astype(np.int64))])
    return counts


def _published(row: int, question: Question, decided: Decided, selected: bool, said: Mapping[str, str]) -> Published:
    verdict = decided.verdict
    if selected and decided.attempt.id in said:
        verdict = verdict.model_copy(update={"evidence": {**verdict.evidence, **json.loads(said[decided.attempt.id])}})
    return Published(
        row=row,
        attempt=decided.attempt,
        verdict=verdict,
        selected=selected,
        verdict_key=decided.verdict_key,
        source_revision=question.meta.get("revision"),
    )
