"""`veristill dedup`: one text column of any file, grouped; a row of OUT for every row of FILE."""

import json
import re
import time
from collections import Counter
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import Field

from curate import tables
from curate.audit.datasets import Dataset, open_dataset
from curate.errors import InputError, Stopped
from curate.near.normal import folded, unnumbered
from curate.progress import Bar, Progress
from curate.records import Record
from curate.run import usable

if TYPE_CHECKING:
    import pyarrow as pa

    from curate.near.groups import Course, Grouped
    from curate.near.ratio import Pairs
    from curate.near.rules import Rows, Rule

_FORMAT = 1
_KEY = b"veristill.dedup"
_FAMILIES = 10  # listed
_SHOWN = 80  # characters of a text
_REASON = re.compile(r"(?P<said>.*?ratio >= (?P<threshold>[\d.]+)[^;]*)(?:; by row (?P<row>\d+))?")


class Options(Record):
    """What the command line says."""

    file: str
    out: Path
    config: str | None = None
    column: str = Field("", description="Empty: the first of problem, question, prompt...")
    rule: Literal["exact", "ratio", "template", "minhash"] = "ratio"
    threshold: float = Field(95.0, gt=0, le=100)
    numbers: Literal["ignore", "differ"] = "ignore"
    keep: Literal["first", "longest", "shortest"] = "first"
    keep_per_family: int = Field(3, ge=1)
    within: str | None = None
    against: str | None = None
    scores: str | None = Field(None, description="An OUT of the same FILE at a lower threshold.")
    quiet: bool = False


class _Read(NamedTuple):
    """The texts of FILE and, behind them, of `against`."""

    texts: list[str | None]
    within: list[str | None]
    ours: int


def schema(of: dict[str, Any] | None = None) -> "pa.Schema":
    """The columns of OUT. `of`: what it is found in, and by which rule; a Parquet file says so in its metadata."""
    import pyarrow as pa

    whole, text = pa.int64(), pa.string()
    columns = {"row": whole, "cluster": whole, "kept": pa.bool_(), "partner": whole, "score": pa.float64()}
    fields = [pa.field(name, kind) for name, kind in {**columns, "reason": text}.items()]
    return pa.schema(fields, {_KEY: json.dumps(of).encode()} if of else None)


def dedup(options: Options) -> dict[str, Any]:
    """Group the rows of a file and write OUT; returns the summary. Raises InputError, Prerequisite and Stopped.

    A killed call goes on where it was: the links of each finished part are kept in `OUT.state/`.
    """
    tables.distinct_files(options.file, options.out)
    progress = Progress(quiet=options.quiet)
    began = time.monotonic()
    try:
        with usable(options.out.parent, "name another file with -o"):
            summary = _dedup(options, progress)
    except KeyboardInterrupt:
        raise Stopped("interrupted; what was found is kept", next="run the same command: it goes on") from None
    return {**summary, "seconds": round(time.monotonic() - began, 1)}


def _dedup(options: Options, progress: Progress) -> dict[str, Any]:
    from curate.near.rules import Rows, Rule, again, ranked

    rule = Rule(options.rule, options.threshold, options.numbers, options.keep_per_family)
    given = open_dataset(options.file, options.config)
    if not options.column:
        options = options.model_copy(update={"column": tables.question_column(given)})
    others = open_dataset(options.against) if options.against else None
    for one in (given, others):
        if one is not None:
            tables.need_columns(one, _names(options))
    of = {**_of(options, given), "said": _said(rule, options.within)}
    state = tables.State(options.out, "dedup", _identity(options, given, others), schema(of))
    read = _read(options, given, others, progress)
    ranks = ranked(read.texts, options.keep, range(len(read.texts)))
    if others is not None:
        ranks = ranked([], "first", ranks.tolist(), [row < read.ours for row in range(len(read.texts))])
    rows = Rows(read.texts, read.within, ranks)
    known = _known(options, rule, rows, _of(options, given)) if options.scores is not None else None
    if options.scores is not None and known is None:
        progress.say(f"{options.scores} holds no pair and does not say of which rows: comparing anew")
    with state:  # what is wrong with the input was said by now: an error leaves no state
        found = again(rule, rows, known) if known is not None else _found(rule, rows, state, progress)
        said = [_reason(_said(rule, options.within), read, found, row) for row in range(read.ours)]
        state.write(_records(read, found, said))
    return _summary(options, read, found, said)


def _identity(options: Options, given: Dataset, others: Dataset | None) -> dict[str, Any]:
    import rapidfuzz

    chosen = options.model_dump(mode="json", exclude={"file", "out", "quiet", "against", "config"})
    content = [given.identity, others.identity if others else None]
    return {"format": _FORMAT, "input": content, "options": chosen, "rapidfuzz": rapidfuzz.__version__}


def _names(options: Options) -> list[str]:
    return list(dict.fromkeys([options.column, *([options.within] if options.within else [])]))


def _read(options: Options, given: Dataset, others: Dataset | None, progress: Progress) -> _Read:
    texts: list[str | None] = []
    within: list[str | None] = []
    names = _names(options)
    ours = 0
    with progress.stage("read", None) as bar:
        for number, dataset in enumerate(one for one in (given, others) if one is not None):
            for batch in tables.batches(dataset, names):
                texts += batch.texts[options.column]
                within += batch.texts[options.within] if options.within else [""] * len(batch.texts[options.column])
                bar.advance(len(batch.texts[options.column]))
            ours = len(texts) if number == 0 else ours
    return _Read(texts, within, ours)


def _of(options: Options, given: Dataset) -> dict[str, Any]:
    """What is compared, as a Parquet OUT says it."""
    of = {"input": given.identity, "column": options.column, "within": options.within}
    told: dict[str, Any] = json.loads(json.dumps(of, default=str))  # as it is read back
    return told


def _found(rule: "Rule", rows: "Rows", state: tables.State, progress: Progress) -> "Grouped":
    from curate.near.rules import apply

    course = _course(state)
    if state.restarted:
        progress.say(f"{state.folder} is of another input or other options: beginning anew")
    elif course.start:
        progress.say(f"going on at part {course.start}")
    with progress.stage("compare", None) as bar:
        course.heard = lambda done, parts, links: _heard(state, bar, (done, parts), links)
        return apply(rule, rows, course)


def _course(state: tables.State) -> "Course":
    """The parts that an earlier call finished."""
    import numpy as np

    from curate.near.groups import Course
    from curate.near.ratio import Pairs

    course = Course()

    def take(record: list[Any]) -> bool:
        try:
            left, right, values = record[1:]
        except ValueError:
            return False
        course.add(0, Pairs(np.array(left, np.int32), np.array(right, np.int32), np.array(values, np.float64)))
        return True

    state.resume(take)
    return course


def _heard(state: tables.State, bar: Bar, done: tuple[int, int], links: "Pairs") -> None:
    state.add([done[0] - 1, links.left.tolist(), links.right.tolist(), links.scores.tolist()])
    bar.total = done[1]
    bar.advance(done[0] - bar.done)


def _said(rule: "Rule", within: str | None) -> str:
    """The rule, and which column must be equal."""
    return f"{rule.said()}, equal {within}" if within and rule.name in ("ratio", "minhash") else rule.said()


def _reason(said: str, read: _Read, found: "Grouped", row: int) -> str | None:
    """Why a row goes, by which row where that is not its partner, and where a row is of `against`."""
    partner, via = int(found.partner[row]), int(found.via[row])
    if partner < 0:
        return None if read.texts[row] is not None else "no text"
    if said == "template":
        said = "exact" if found.score[row] == 100.0 else "family"
    place = "; partner of the other file" if partner >= read.ours else ""
    if via < 0:
        return said + place
    return f"{said}; by row {via}{place}" if via < read.ours else f"{said}; by row {via - read.ours} of the other file"


def _records(read: _Read, found: "Grouped", said: list[str | None]) -> Iterator[list[Any]]:
    clusters, partners, values = found.cluster.tolist(), found.partner.tolist(), found.score.tolist()
    for row in range(read.ours):
        partner = partners[row]
        kept = partner < 0
        shown = None if kept else partner - read.ours if partner >= read.ours else partner
        yield [row, clusters[row], kept, shown, None if kept else values[row], said[row]]


def _known(options: Options, rule: "Rule", rows: "Rows", of: dict[str, Any]) -> "Pairs | None":
    """The links that an OUT holds, each checked against the texts; None where nothing in it says what they are of.

    Raises InputError where it is of something else.
    """
    import numpy as np

    from curate.near.ratio import Pairs, scores

    where = str(options.scores)
    if rule.name != "ratio" or options.against is not None:
        raise InputError("only the rule ratio, without another file, takes scores of an earlier OUT", where=where)
    left, right, values = [], [], []
    count = 0
    for count, row in enumerate(open_dataset(where).rows(schema().names), 1):
        if row.get("row") != count - 1 or "partner" not in row:
            raise InputError(f"not an OUT of dedup: row {count - 1}", where=where)
        if row["partner"] is None:
            continue
        said = _need_rule(options, rule, row.get("reason") or "", f"row {count - 1}")
        left.append(count - 1)
        right.append(int(said["row"] or row["partner"]))
        values.append(row["score"])
    if count != len(rows.texts) or any(one >= count for one in right):
        raise InputError(f"it has {count:,} rows, the file {len(rows.texts):,}", where=where)
    links = Pairs(np.array(left, np.int32), np.array(right, np.int32), np.array(values, np.float64))
    again = scores([one or "" for one in rows.texts], links.left, links.right, 0.0)
    apart = [rows.within[one] != rows.within[other] for one, other in zip(left, right, strict=True)]
    wrong = np.flatnonzero((again != links.scores) | np.array(apart, np.bool_))
    if wrong.size:
        raise InputError(
            f"row {links.left[wrong[0]]} has another score: it is of another file or column, or of another rapidfuzz",
            where=where,
            next="leave --scores out",
        )
    then = _told(where)
    if then is None:
        return links if left else None
    _need_rule(options, rule, then.pop("said"), "all")
    if then != of:
        what = "it is of another file, column or --within, or the file was moved or written again"
        raise InputError(what, where=where, next="leave --scores out")
    return links


def _told(where: str) -> dict[str, Any] | None:
    """What a Parquet OUT says it is of."""
    import pyarrow.parquet as pq

    if not where.endswith(".parquet"):
        return None
    metadata = pq.read_schema(where).metadata or {}
    return json.loads(metadata[_KEY]) if _KEY in metadata else None


def _need_rule(options: Options, rule: "Rule", reason: str, what: str) -> re.Match[str]:
    """Raise InputError unless the rule of `reason` finds all pairs of ours."""
    from dataclasses import replace

    said = _REASON.fullmatch(reason)
    if said is not None:
        then = float(said["threshold"])
        if then <= rule.threshold and said["said"] == _said(replace(rule, threshold=then), options.within):
            return said
    raise InputError(
        f"{what} was found by '{reason}': this does not hold the pairs of {_said(rule, options.within)}",
        where=str(options.scores),
        next="name an OUT of the same rule at a lower threshold, or leave --scores out",
    )


def _summary(options: Options, read: _Read, found: "Grouped", said: list[str | None]) -> dict[str, Any]:
    texts = read.texts[: read.ours]
    kept = found.kept[: read.ours]
    there = [row for row, text in enumerate(texts) if text is not None]
    forms: dict[bytes, tuple[bytes, bytes]] = {}
    families = [_forms(texts[row] or "", forms)[1] for row in there]
    counts = Counter(families)
    unique = {"exact": len(forms), "normalised": len({one for one, _ in forms.values()}), "template": len(counts)}
    if options.rule in ("ratio", "minhash"):
        unique["fuzzy"] = len({int(found.cluster[row]) for row in there})
    top = {key: size for key, size in counts.most_common(_FAMILIES) if size > 1}
    first = {key: row for key, row in zip(reversed(families), reversed(there), strict=True) if key in top}
    clusters = Counter(found.cluster[: read.ours].tolist())
    return {
        "rows": read.ours,
        "kept": int(kept.sum()),
        "dropped": int((~kept).sum()),
        "without_text": read.ours - len(there),
        "reasons": dict(Counter((one or "").split(";")[0] for one in said if one not in (None, "no text"))),
        "unique": unique,
        "families": [_listed(size, first[key], texts) for key, size in top.items()],
        "clusters": [_listed(size, row, texts) for row, size in clusters.most_common(_FAMILIES) if size > 1],
    }


def _forms(text: str, known: dict[bytes, tuple[bytes, bytes]]) -> tuple[bytes, bytes]:
    """A text without case and white space, and without numbers too, each as a hash; computed once a text."""
    key = _short(text)
    if key not in known:
        plain = folded(text)
        known[key] = _short(plain), _short(unnumbered(plain))
    return known[key]


def _listed(size: int, row: int, texts: list[str | None]) -> dict[str, Any]:
    text = " ".join((texts[row] or "").split()).encode("utf-8", "replace").decode()  # it is printed
    return {"rows": size, "first": row, "text": text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"}


def _short(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
