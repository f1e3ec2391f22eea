"""Fills the columns that selectors read: from the table itself, the questions, cleaning's scores, and answers' texts.

What is measured on a text is stored in the ledger under the text's hash and the measure's own, so nothing is measured
twice; texts are read in the batches in which the ledger gives them, and only those that lack a measure.
"""

import asyncio
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curate.attempts import text_key
from curate.contamination.answers import looked_at
from curate.keys import digest
from curate.kinds import Selector
from curate.labels import Scores
from curate.ledger import Entry
from curate.measures import checks, votes
from curate.measures.names import CHECKS, COLUMNS, VOTES, looks
from curate.measures.reading import Answers
from curate.measures.rewards import rewarded
from curate.measures.tokens import CHARS_PER_TOKEN, Counter, Measure
from curate.progress import Progress
from curate.questions import QuestionTable
from curate.records import Attempt, Question
from curate.resources import Resources, verifier_workers
from curate.run import Run
from curate.select.meta import key_values
from curate.solve import Work

_KEYS = 4096  # looked up at a time
_WORD = pa.dictionary(pa.int32(), pa.string())


class Measured(NamedTuple):
    """The attempts with all that was asked for, and in which tokens they are counted."""

    attempts: pa.Table
    tokens_by: str
    rewards_failed: int = 0  # answers without a reward because of trouble of ours


class Wanted(NamedTuple):
    """What is to be measured, and with what."""

    names: frozenset[str]
    measure: Measure
    scores: Scores
    work: Work
    rows: int  # of the sources: every `seq` is below it
    selectors: Sequence[Selector] = ()


async def measured(run: Run, attempts: pa.Table, wanted: Wanted, resources: Resources, progress: Progress) -> Measured:
    """The ordered table of attempts with the columns `wanted.names` and `tokens`.

    Raises what `curate.measures.rewards` raises, and InputError or Prerequisite where the tokenizer cannot be had. With
    `resources.read_only` nothing is stored.
    """
    names = wanted.names
    attempts = _of_run(attempts, names)
    attempts = _of_questions(run, attempts, names)
    for name, values in wanted.scores.items():
        if name in names:
            given = values[attempts.column("seq").to_numpy()]
            attempts = attempts.append_column(name, pa.array(given, from_pandas=True))
    counter = await asyncio.to_thread(wanted.measure.counter)
    texts = _Texts(run, attempts, wanted, resources, counter)
    await texts.measure(progress)
    attempts = texts.table()
    if names & set(VOTES):
        attempts = await _voted(attempts, texts.answers, resources, progress)
    if (looking := looks(wanted.selectors)) is not None:
        reading = Answers(run, attempts, wanted.work, resources, wanted.rows)
        problems = (group.column("problem").to_pylist() for group in QuestionTable(run.questions).groups(["problem"]))
        attempts = await looked_at(looking, attempts, reading, problems, resources, progress)
    failed = 0
    if "reward" in names and wanted.measure.reward is not None:
        reading = Answers(run, attempts, wanted.work, resources, wanted.rows)
        attempts, failed = await rewarded(wanted.measure.reward, attempts, reading, resources, progress)
    if counter is not None:
        return Measured(attempts, f"counted by the tokenizer {counter.name}", failed)
    return _substituted(attempts)._replace(rewards_failed=failed)


def _of_run(attempts: pa.Table, names: frozenset[str]) -> pa.Table:
    if not names & {"samples", "passed", "pass_rate"}:
        return attempts
    seqs = attempts.column("seq").to_numpy()
    groups = np.unique(seqs, return_inverse=True)[1].reshape(-1)
    outcome = attempts.column("outcome").cast(pa.string())
    passed = pc.equal(outcome, "pass").to_numpy()
    decided = passed | pc.equal(outcome, "fail").to_numpy()
    count = int(groups.max(initial=-1)) + 1
    samples = np.bincount(groups, weights=decided, minlength=count)[groups] if count else np.zeros(0)
    right = np.bincount(groups, weights=passed, minlength=count)[groups] if count else np.zeros(0)
    rate = np.divide(right, samples, out=np.full(len(samples), np.nan), where=samples > 0)
    for name, values in (("samples", samples), ("passed", right), ("pass_rate", rate)):
        if name in names:
            attempts = attempts.append_column(name, pa.array(values, pa.float64(), from_pandas=True))
    return attempts


def _of_questions(run: Run, attempts: pa.Table, names: frozenset[str]) -> pa.Table:
    plain = [name for name in ("licence", "truth", "problem_chars") if name in names]
    keys = sorted(name.removeprefix("meta.") for name in names if name.startswith("meta."))
    if not plain and not keys:
        return attempts
    table = QuestionTable(run.questions)
    stored = {"licence": "licence", "truth": "truth_type", "problem_chars": "problem"}
    seqs = attempts.column("seq").to_numpy()
    mine = np.unique(seqs)
    words: dict[str, list[pa.Array]] = {name: [] for name in plain}
    found: dict[str, list[Any]] = {key: [] for key in keys}
    for group in table.groups(["seq", *(stored[name] for name in plain), *(["meta"] if keys else [])]):
        group = group.filter(pa.array(np.isin(group.column("seq").to_numpy(), mine))).combine_chunks()
        for name in plain:
            words[name] += _plain(group.column(stored[name]), name).chunks
        for row in group.column("meta").to_pylist() if keys else ():
            meta = json.loads(row)
            for key in keys:
                found[key].append(meta.get(key))
    indices = pa.array(np.searchsorted(mine, seqs))
    for name in plain:
        column = pa.chunked_array(words[name], pa.float64() if name == "problem_chars" else _WORD)
        attempts = attempts.append_column(name, column.unify_dictionaries().combine_chunks().take(indices))
    for key in keys:
        attempts = attempts.append_column(f"meta.{key}", key_values(found.pop(key)).take(indices))
    return attempts


def _plain(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    return pc.utf8_length(column).cast(pa.float64()) if name == "problem_chars" else column.dictionary_encode()


class _Texts:
    """The measures of texts, as arrays over the rows of the table."""

    def __init__(
        self, run: Run, attempts: pa.Table, wanted: Wanted, resources: Resources, counter: Counter | None
    ) -> None:
        self._attempts, self._resources, self._counter = attempts, resources, counter
        self._reading = Answers(run, attempts, wanted.work, resources, wanted.rows)
        self._specs: dict[str, dict[str, Any]] = {} if counter is None else {"tokens": counter.spec}
        self._checked = [name for name in CHECKS if name in wanted.names]
        if self._checked:
            self._specs["checks"] = checks.SPEC
        if wanted.names & set(VOTES):
            self._specs["answer"] = votes.SPEC
        rows = attempts.num_rows
        self._tokens: npt.NDArray[np.float64] = np.full(rows if counter else 0, np.nan)
        self._numbers = {name: np.full(rows, np.nan) for name in self._checked if name != "language"}
        self._languages: list[str | None] | None = [None] * rows if "language" in self._checked else None
        self.answers: dict[int, str] = {}

    async def measure(self, progress: Progress) -> None:
        """Take what the ledger has, and measure the rest."""
        if not self._specs:
            return
        finished = self._is("finish_reason", "stop")
        wanted = {kind: finished for kind in self._specs}
        if "answer" in wanted:  # nobody votes where the truth is known, nor on programs
            wanted["answer"] = finished & self._is("truth", "unknown") & ~self._is("domain", "code")
        missing = np.zeros(len(finished), dtype=np.bool_)
        for kind, rows in wanted.items():
            missing |= await asyncio.to_thread(self._known, kind, np.flatnonzero(rows), len(finished))
        if not missing.any():
            return
        with progress.stage("measure", int(missing.sum())) as bar:
            for batch in self._reading.batches(missing):
                entries = await asyncio.to_thread(self._measured, batch, wanted)
                if entries and not self._resources.read_only:
                    await self._resources.ledger.put(entries)
                bar.advance(len(batch))

    def _is(self, name: str, word: str) -> npt.NDArray[np.bool_]:
        found: npt.NDArray[np.bool_] = pc.equal(self._attempts.column(name).cast(pa.string()), word).to_numpy()
        return found

    def _known(self, kind: str, rows: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.bool_]:
        """Fill in what the ledger has; returns which rows (count,) it has not."""
        missing = np.zeros(count, dtype=np.bool_)
        column = self._attempts.column("text_key")
        for start in range(0, len(rows), _KEYS):
            part = rows[start : start + _KEYS]
            keys = [self._key(kind, one) for one in column.take(pa.array(part)).to_pylist()]
            found = self._resources.ledger.get("measure", list(set(keys)))
            for row, key in zip(part.tolist(), keys, strict=True):
                if key in found:
                    self._fill(kind, row, json.loads(found[key][0]))
                else:
                    missing[row] = True
        return missing

    def _key(self, kind: str, text: bytes) -> str:
        return digest("measure", self._specs[kind], text.hex())

    def _measured(
        self, batch: Sequence[tuple[int, Question, Attempt]], wanted: dict[str, npt.NDArray[np.bool_]]
    ) -> list[Entry]:
        """Measure a batch; returns the records of it."""
        entries: dict[str, Entry] = {}
        for kind, rows in wanted.items():
            mine = [(row, attempt) for row, _, attempt in batch if rows[row]]
            for (row, attempt), value in zip(mine, self._values(kind, [one for _, one in mine]), strict=True):
                self._fill(kind, row, value)
                key = self._key(kind, text_key(attempt))
                entries[key] = Entry("measure", key, "", json.dumps(value, ensure_ascii=False).encode())
        return list(entries.values())

    def _values(self, kind: str, attempts: Sequence[Attempt]) -> list[Any]:
        if kind == "checks":
            return [checks.checks(one.reasoning or "", one.solution) for one in attempts]
        if kind == "answer":
            return [votes.answer_of(one.solution) for one in attempts]
        assert self._counter is not None
        texts = [text for one in attempts for text in (one.reasoning or "", one.solution)]
        counts = self._counter.count(texts)
        return [counts[at] + counts[at + 1] for at in range(0, len(counts), 2)]

    def _fill(self, kind: str, row: int, value: Any) -> None:
        if kind == "tokens":
            self._tokens[row] = value
        elif kind == "answer":
            if value is not None:
                self.answers[row] = value
        else:
            for name, numbers in self._numbers.items():
                numbers[row] = value[name]
            if self._languages is not None:
                self._languages[row] = value["language"]

    def table(self) -> pa.Table:
        """The attempts with these columns."""
        table = self._attempts
        for name, values in self._numbers.items():
            column = pa.array(values, pa.float64(), from_pandas=True)
            table = table.append_column(name, column.cast(pa.bool_()) if COLUMNS[name].type == "truth" else column)
        if self._languages is not None:
            table = table.append_column("language", pa.array(self._languages, pa.string()).dictionary_encode())
        if self._counter is not None:
            table = table.append_column("tokens", pa.array(self._tokens, pa.float64(), from_pandas=True))
        return table


async def _voted(attempts: pa.Table, answers: dict[int, str], resources: Resources, progress: Progress) -> pa.Table:
    """The columns `vote` and `answer`; numbers are the question's own."""
    rows = attempts.num_rows
    numbers: npt.NDArray[np.float64] = np.full(rows, np.nan)
    seqs = attempts.column("seq").to_numpy()
    questions: dict[int, list[int]] = {}
    for row in sorted(answers):
        questions.setdefault(int(seqs[row]), []).append(row)
    with progress.stage("vote", len(questions)) as bar:
        async with verifier_workers() as workers:
            ready = Resources(
                resources.ledger, resources.calls, resources.verdicts, resources.read_only, workers=workers
            )
            for seq, mine in questions.items():
                try:
                    found = await votes.votes([answers[row] for row in mine], ready)
                except votes.Undecided as why:  # trouble of ours is no vote: none is counted here
                    progress.say(f"question seq:{seq}: its answers could not be compared ({why}); the next run tries")
                else:
                    for row, vote in zip(mine, found, strict=True):
                        numbers[row] = np.nan if vote is None else vote
                bar.advance()
    texts = pa.array([answers.get(row) for row in range(rows)], pa.string())
    attempts = attempts.append_column("vote", pa.array(numbers, pa.float64(), from_pandas=True))
    return attempts.append_column("answer", texts)


def _substituted(attempts: pa.Table) -> Measured:
    """Tokens where no tokenizer is named: one server's count for all rows, or one estimate for all rows."""
    finished = pc.equal(attempts.column("finish_reason").cast(pa.string()), "stop")
    counted = attempts.column("output_tokens")
    teachers = pc.unique(attempts.column("teacher").filter(finished).cast(pa.string())).to_pylist()
    if len(teachers) == 1 and attempts.num_rows and counted.filter(finished).null_count == 0:
        return Measured(
            attempts.append_column("tokens", counted.cast(pa.float64())), f"as the server of {teachers[0]} counted them"
        )
    estimate = pc.divide(attempts.column("chars").cast(pa.float64()), CHARS_PER_TOKEN)
    return Measured(
        attempts.append_column("tokens", pc.round(estimate)),
        f"an estimate: {CHARS_PER_TOKEN:g} characters a token (measure.tokenizer names a real one)",
    )
