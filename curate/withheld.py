"""What nobody is shown: texts of sets whose authors ask that they stand nowhere in plain text (GPQA).

A run's own files hold them as they are; what it tells of itself (drops, explain, view) leaves them out here. A row is
private by the source that it comes from, or by what decontamination found in it.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from curate.contamination.items import PRIVATE
from curate.errors import InputError
from curate.questions import QuestionTable
from curate.records import Drop
from curate.run import Run

HIDDEN = "(not shown: the authors of its source ask for that)"
HOLDS = "(not shown: it holds a benchmark question whose authors ask for that)"
# Texts in evidence that are words of ours, names or numbers, whatever the row says.
_OURS = frozenset(
    {"in", "bench", "item", "tier", "also", "source", "place", "partner_id", "partner_source_id", "via_source_id",
     "against", "language", "reason", "finish_reason", "undecided", "truth", "field", "module", "prompt", "model"}
)  # fmt: skip
_FACTS = (
    "question_id", "source_id", "sample", "licence", "finish_reason", "verifier", "verifier_version", "domain",
    "source", "outcome", "reason",
)  # fmt: skip


@lru_cache(maxsize=4096)
def private_source(name: str) -> bool:
    """Whether questions of this source (its kind) are not shown."""
    from curate.plug import find

    try:
        kind = find("curate.sources", name)
    except (KeyError, InputError):
        return False
    return bool(getattr(getattr(kind, "origin", None), "private_text", False))


def holds_private(evidence: Mapping[str, Any]) -> bool:
    """Whether evidence tells of a finding, stronger than likeness, of a question that is not shown."""
    told = [evidence, *(one for one in evidence.get("also", ()) if isinstance(one, Mapping))]
    return any(one.get(PRIVATE) and one.get("tier") not in ("candidate", "embedding") for one in told)


def without_texts(value: Any, name: str = "") -> Any:
    """Evidence without what may be a text of the row: numbers, places and our own words stay."""
    if isinstance(value, dict):
        return {key: without_texts(one, key) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [without_texts(one, name) for one in value]
    return HIDDEN if isinstance(value, str) and name not in _OURS else value


def shown_row(row: Mapping[str, Any], why: str, problem: str | None) -> dict[str, Any]:
    """A row of a dataset without its texts, `why` in the place of the one in its column `problem`."""
    told: dict[str, Any] = {name: row[name] for name in _FACTS if name in row}
    if "conversations" in row:
        return {**told, "conversations": [{"from": "user", "value": why}]}
    return {**told, problem or "problem": why}


def shown_drops(run: Run, drops: Iterable[Drop]) -> Iterator[Drop]:
    """The drops without texts of rows that are not shown. Memory: some bytes for each of these.

    A stage that drops a row need not be the one that found what is not shown in it.
    """
    private: set[int] | None = None
    for drop in drops:
        if not drop.evidence:
            yield drop
            continue
        if private is None:
            private = private_seqs(run) | {seq for _, seq in _found(run)}
        hide = drop.seq in private or holds_private(drop.evidence)
        yield drop.model_copy(update={"evidence": without_texts(drop.evidence)}) if hide else drop


def private_seqs(run: Run) -> set[int]:
    """The places of the questions whose source is private."""
    found: set[int] = set()
    for group in QuestionTable(run.questions).groups(["seq", "source"]):
        names = [name for name in pc.unique(group.column("source")).to_pylist() if name and private_source(name)]
        for name in names:
            found.update(group.filter(pc.equal(group.column("source"), name)).column("seq").to_pylist())
    return found


def private_ids(run: Run) -> frozenset[str]:
    """The ids of the questions of a run in which, or in whose answers, a question that is not shown was found."""
    return frozenset(id_ for id_, _ in _found(run))


def _found(run: Run) -> Iterator[tuple[str, int]]:
    """These questions by id and place, some more than once."""
    for path in sorted(run.labels.glob("*-*.parquet")):
        name = "question_id" if path.name.startswith("select-") else "id"
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(columns=[name, "seq", "evidence"]):
                told = pc.match_substring(batch.column("evidence"), f'"{PRIVATE}": true')
                for row in batch.filter(told).to_pylist():
                    if holds_private(json.loads(row["evidence"])):
                        yield row[name], row["seq"]
