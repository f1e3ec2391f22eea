"""Ingest: reads the sources once and writes the questions table, each question with its `seq`.

What a source could not turn into a question is a Drop. The table is kept while sources, their options and their
content stay the same; an interrupted ingest starts again (nothing in it costs money).
"""

import json
import re
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from typing import Any

from pydantic import Field

from curate.drops import DropWriter
from curate.errors import InputError
from curate.keys import digest
from curate.kinds import Source
from curate.progress import Progress
from curate.questions import QuestionWriter
from curate.records import Drop, Question, Record, Tests
from curate.run import Run, fresh_folder, replace_folder

_NOTE = "ingest.json"
# Searched as text, since the tests may be hundreds of megabytes; inside a JSON string the quotes would be escaped.
_FUNCTION = re.compile(r'"(fn_name|entry_point)"\s*:\s*"([A-Za-z_]\w*)"')


class Recorded(Record):
    """The rows of a subset, read and kept, here and in the reference."""

    source: str
    subset: str
    read: int
    kept: int
    reference_read: int
    reference_kept: int


class Ingested(Record):
    """What ingest did: stored beside the table, and the head of every report."""

    key: str
    recipe: str  # hash of what the recipe says of the sources
    rows: int  # rows read from the sources
    questions: int
    dropped: int
    reasons: dict[str, int] = Field(default_factory=dict)
    sources: dict[str, int] = Field(default_factory=dict)  # questions by source
    recorded: list[Recorded] = Field(default_factory=list)  # beside what a reference recorded
    kinds: list[tuple[str, str]] = Field(default_factory=list)  # the (domain, truth type) pairs that occur
    reused: bool = False


def sources_key(sources: Sequence[Source]) -> str:
    """A hash of what a recipe says of its sources, whatever they hold."""
    return digest("sources", 1, [source.spec() for source in sources])


def ingest_key(sources: Sequence[Source], prints: Sequence[str | None], limit: int | None) -> str | None:
    """The stage key: the sources, their content and the limit; None where a source cannot tell its content."""
    if any(one is None for one in prints):
        return None
    return digest("ingest", 1, [source.spec() for source in sources], list(prints), limit)


def ingest(run: Run, sources: Sequence[Source], limit: int | None, progress: Progress) -> Ingested:
    """Write `questions/`, or keep it where its key is unchanged. `limit` is the number of rows read per source."""
    prints = [source.fingerprint() for source in sources]
    key = ingest_key(sources, prints, limit)
    known = ingested(run)
    if known is not None and key is not None and known.key == key:
        return known.model_copy(update={"reused": True})
    partial = fresh_folder(run.questions)
    counts: dict[str, Counter[Any]] = {"sources": Counter(), "reasons": Counter(), "kinds": Counter()}
    recorded: list[Recorded] = []
    content = ""  # chained over every row: what stands in the table, whether or not a source can tell beforehand
    rows = dropped = 0
    writer, drops = QuestionWriter(partial), DropWriter(partial / "drops.parquet")
    with progress.stage("ingest", None) as bar:
        for source, revision in zip(sources, prints, strict=True):
            subsets, of = Counter[Any](), source.recorded()
            for item in islice(source.read(), limit):
                if (subset := _subset(item)) in of:  # of others there may be millions
                    subsets[subset, isinstance(item, Question)] += 1
                placed = _placed(item, rows, revision)
                rows += 1
                content = digest(content, placed.id, placed.source_id if isinstance(placed, Question) else None)
                if isinstance(placed, Drop):
                    drops.add(placed)
                    dropped += 1
                    counts["reasons"][placed.reason] += 1
                else:
                    writer.add(placed)
                    counts["sources"][placed.source] += 1
                    counts["kinds"][placed.domain, placed.truth.type] += 1
                bar.advance()
                del item, placed  # a row may hold 200 MB: it must be gone before it is written and the next one read
                writer.cut()
            recorded += _recorded(source, subsets)
    writer.close()
    drops.close()
    done = Ingested(
        key=key or digest("ingest-read", content, [source.spec() for source in sources]),
        recipe=sources_key(sources),
        rows=rows,
        questions=rows - dropped,
        dropped=dropped,
        reasons=dict(sorted(counts["reasons"].items())),
        sources=dict(sorted(counts["sources"].items())),
        recorded=recorded,
        kinds=sorted(counts["kinds"]),
    )
    (partial / _NOTE).write_text(json.dumps(done.model_dump(exclude={"reused"}), indent=1), "utf-8")
    replace_folder(partial, run.questions)
    return done


def _subset(item: Question | Drop) -> str:
    return str((item.meta if isinstance(item, Question) else item.evidence).get("subset"))


def _recorded(source: Source, subsets: Counter[Any]) -> list[Recorded]:
    """What was read and kept of the subsets that a reference has figures of."""
    return [
        Recorded(
            source=source.kind(),
            subset=name,
            read=subsets[name, True] + subsets[name, False],
            kept=subsets[name, True],
            reference_read=read,
            reference_kept=kept,
        )
        for name, (read, kept) in source.recorded().items()
    ]


def _placed(item: Question | Drop, seq: int, revision: str | None) -> Question | Drop:
    if isinstance(item, Drop):
        return item.model_copy(update={"seq": seq})
    return item.model_copy(update={"seq": seq, "meta": {"revision": revision, **_function(item), **item.meta}})


def _function(question: Question) -> dict[str, str]:
    """The name of the function that the tests call: a teacher, who never sees the tests, must be told to write it."""
    if not isinstance(question.truth, Tests):
        return {}
    return {found[1]: found[2] for found in _FUNCTION.finditer(question.truth.cases)}


def ingested(run: Run) -> Ingested | None:
    """What the last complete ingest did; None where there is none."""
    path = run.questions / _NOTE
    if not path.exists():
        return None
    return Ingested.model_validate_json(path.read_text("utf-8"))


def need_ingested(run: Run, sources: Sequence[Source]) -> Ingested:
    """The same, where a command cannot go on without it. Raises InputError, also where it was another recipe's."""
    known = ingested(run)
    if known is not None and known.recipe != sources_key(sources):
        raise InputError(
            "the recipe names other sources than those that were ingested here",
            where=str(run.folder),
            next="run it without --partial first",
        )
    if known is None:
        raise InputError(
            "nothing has been ingested here yet",
            where=str(run.folder),
            next="start it with `veristill run RECIPE`, or name its folder with --root",
        )
    return known
