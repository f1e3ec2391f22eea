"""How long rows are in the student's tokens: measured on a sample of the dataset, or assumed and said so.

What follows from lengths is worked out here: what the cutoff takes away, how long a step waits for its longest row, how
many rows a pack holds. A sample is spread evenly over the dataset, so the same dataset gives the same figures.
"""

import bisect
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import NormalDist
from typing import Any, NamedTuple

from curate.measures.tokens import Measure
from train.block import OnCut, Train
from train.dataset import Data, find

SAMPLE = 1000  # rows that are tokenised
_SHARDS = 64  # row groups that are read for them
_BATCH = 16  # rows in memory; a row may hold megabytes
_GROUP = 1000  # rows that LLaMA-Factory packs together (`preprocessing_batch_size`)
# Tokens of a turn beside its text: `<|im_start|>user\n` and `<|im_end|>\n` in the template qwen; llama3's has as many.
_TURN = 5
# Where nothing is measured, lengths are log-normal: (mu, sigma) for which rows cut at 16,384 tokens have a mean of
# 6,000, 7,000 and 9,000 and E[s^2] / E[s] = 1.35 times that.
ASSUMED = {6000: (8.5372, 0.606), 7000: (8.6890, 0.662), 9000: (8.9877, 0.942)}
EXPECTED = 7000


class Lengths(NamedTuple):
    """Lengths of rows before anything is cut, in tokens, ascending: all rows, or a sample that stands for them."""

    whole: tuple[int, ...]
    rows: int | None  # of the dataset; None: not known
    basis: str  # where they are from, in words
    measured: bool

    def trained(self, cutoff: int, on_cut: OnCut) -> tuple[int, ...]:
        """Lengths of the rows that are trained on: cut to `cutoff`, or without those that would be."""
        if on_cut == "drop":
            return self.whole[: bisect.bisect_right(self.whole, cutoff)]
        return tuple(min(one, cutoff) for one in self.whole)

    def cut_rows(self, cutoff: int) -> float:
        """Share of rows that are longer than the cutoff."""
        return 1 - bisect.bisect_right(self.whole, cutoff) / len(self.whole)

    def cut_tokens(self, cutoff: int) -> float:
        """Share of all tokens that stand behind the cutoff."""
        return sum(max(0, one - cutoff) for one in self.whole) / sum(self.whole)

    def error(self, cutoff: int) -> float | None:
        """Half of the range in which the mean length lies with 95 %, as a share of it; None for an assumption."""
        if not self.measured or len(self.whole) < 2:
            return None
        values = self.trained(cutoff, "keep")
        mean = sum(values) / len(values)
        variance = sum((one - mean) ** 2 for one in values) / (len(values) - 1)
        left = 1 - len(values) / self.rows if self.rows else 1.0
        return 1.96 * math.sqrt(max(0.0, variance * left) / len(values)) / mean


def mean(values: Sequence[int]) -> float:
    """The mean length. 0 for no rows."""
    return sum(values) / len(values) if values else 0.0


def seen_by_a_token(values: Sequence[int]) -> float:
    """E[s^2] / E[s]: the mean length of the row that a token stands in, which attention's cost grows with."""
    return sum(one * one for one in values) / sum(values) if values else 0.0


def longest(values: Sequence[int], count: int) -> float:
    """The expected longest of `count` rows drawn from `values` (ascending): what a step waits for."""
    many = len(values)
    return sum(one * ((place / many) ** count - ((place - 1) / many) ** count) for place, one in enumerate(values, 1))


class Packs(NamedTuple):
    """How rows fill sequences of one length."""

    rows: float  # per pack
    fill: float  # share of a pack that is not padding


def packs(values: Sequence[int], cutoff: int) -> Packs:
    """How rows pack, by LLaMA-Factory's greedy rule: the longest row that still fits, 1,000 rows at a time."""
    # A pack holds one token less than the cutoff, which LLaMA-Factory lowers by one when it packs.
    room = max(1, cutoff - 1)
    step = max(1, len(values) // _GROUP)
    made = held = tokens = 0
    for start in range(step):
        left = [min(one, room) for one in values[start::step]]
        held += len(left)
        tokens += sum(left)
        while left:
            free = room
            while (place := bisect.bisect_right(left, free)) > 0:
                free -= left.pop(place - 1)
            made += 1
    return Packs(held / made, tokens / (made * room)) if made else Packs(0.0, 0.0)


def assumed(rows: int | None, mean_length: int = EXPECTED) -> Lengths:
    """Log-normal lengths whose mean, cut at 16,384, is one of `ASSUMED`."""
    mu, sigma = ASSUMED[mean_length]
    normal = NormalDist(mu, sigma)
    whole = tuple(round(math.exp(normal.inv_cdf((place + 0.5) / SAMPLE))) for place in range(SAMPLE))
    words = f"assumed: log-normal lengths with a mean of {mean_length:,} tokens when cut at 16,384"
    return Lengths(whole, rows, words, measured=False)


def measured(block: Train, folder: Path, student: Path | None = None, limit: int = SAMPLE) -> Lengths:
    """Lengths of about `limit` rows of a dataset, by the student's own tokenizer (or that of the folder `student`).

    Raises InputError for a folder without such rows, Prerequisite where the tokenizer cannot be had.
    """
    data = find(folder)
    counter = Measure(tokenizer=str(student or block.student), revision=block.student_revision).counter()
    if counter is None:  # a measure that names a tokenizer has one
        raise ValueError("no tokenizer")
    rows = data.rows()
    found: list[int] = []
    for texts in _batches(data, rows, limit, block.system):
        counts = iter(counter.count([text for row in texts for text in row]))
        found += [sum(next(counts) + _TURN for _ in row) for row in texts]
    whole = "every row" if len(found) == rows else f"{len(found):,} rows of {rows:,}"
    basis = f"measured: {whole}, by the tokenizer of {block.student}"
    return Lengths(tuple(sorted(found)), rows, basis, measured=True)


def _batches(data: Data, rows: int, limit: int, system: str | None) -> Iterator[list[list[str]]]:
    """The texts of the sampled rows, a few rows at a time."""
    batch: list[list[str]] = []
    for row in _sampled(data, rows, limit):
        texts = _texts(row, data, system)
        if texts:
            batch.append(texts)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _sampled(data: Data, rows: int, limit: int) -> Iterator[dict[str, Any]]:
    """About `limit` rows, evenly spread; of Parquet only the columns that are trained on, and not more than needed."""
    if data.files[0].suffix == ".jsonl":
        stride = max(1, rows // limit)
        place = 0
        for path in data.files:
            with path.open(encoding="utf-8") as file:
                for line in filter(str.strip, file):
                    if place % stride == 0:
                        yield json.loads(line)
                    place += 1
        return
    groups = _groups(data)
    chosen = groups[:: max(1, len(groups) // _SHARDS)]
    stride = max(1, sum(count for _, _, count in chosen) // limit)
    for path, group, _ in chosen:
        yield from _group(path, group, stride, [name for name in (data.columns.messages, data.columns.system) if name])


def _groups(data: Data) -> list[tuple[Path, int, int]]:
    """Every row group of the Parquet files: file, number, rows."""
    import pyarrow.parquet as pq

    found = []
    for path in data.files:
        with pq.ParquetFile(path) as table:
            meta = table.metadata
            found += [(path, number, meta.row_group(number).num_rows) for number in range(meta.num_row_groups)]
    return found


def _group(path: Path, group: int, stride: int, columns: list[str]) -> Iterator[dict[str, Any]]:
    """Every `stride`-th row of one row group, a few rows in memory."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as table:
        there = [name for name in columns if name in table.schema_arrow.names]
        start = 0
        for part in table.iter_batches(batch_size=_BATCH, row_groups=[group], columns=there):
            wanted = [place for place in range(part.num_rows) if (start + place) % stride == 0]
            if wanted:
                yield from part.take(wanted).to_pylist()
            start += part.num_rows


def _texts(row: dict[str, Any], data: Data, system: str | None) -> list[str]:
    said = system if system is not None else (row.get(data.columns.system) if data.columns.system else None)
    turns = [turn.get(data.columns.content) or "" for turn in row.get(data.columns.messages) or []]
    return [said, *turns] if said else turns
