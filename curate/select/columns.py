"""Columns of the attempts table as numpy arrays, and the ranks that selectors choose by.

Every rank follows from contents (hashes, values), never from the place of a row: a selection is the same whatever the
order of rows, and the same for a seed.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.keys import digest
from curate.kinds import SCIENCE
from curate.select.choices import Sieve

Codes = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
_ROWS = 8192  # turned into Python objects at a time


def words(attempts: pa.Table, name: str) -> tuple[Codes, list[str]]:
    """A column as codes (n,) into its sorted words; a missing value is the word `?`."""
    column = attempts.column(name)
    if not pa.types.is_dictionary(column.type):
        column = column.cast(pa.string()).dictionary_encode()
    column = column.unify_dictionaries()
    found: list[str] = []
    parts: list[Codes] = []
    for chunk in column.chunks:
        found = chunk.dictionary.to_pylist()
        parts.append(chunk.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64))
    codes: Codes = np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)
    if (codes < 0).any():
        codes = np.where(codes < 0, len(found), codes)
        found = [*found, "?"]
    texts = ["?" if one is None else str(one) for one in found]
    order = sorted(set(texts))
    number = {text: place for place, text in enumerate(order)}
    place = np.array([number[text] for text in texts], dtype=np.int64)
    return (place[codes] if len(codes) else codes), order


def is_word(attempts: pa.Table, name: str, *wanted: str) -> Mask:
    """Which rows (n,) have one of these words in a column."""
    codes, found = words(attempts, name)
    return np.isin(codes, [place for place, word in enumerate(found) if word in wanted])


def of_domains(attempts: pa.Table, *wanted: str) -> Mask:
    """Which rows (n,) have one of these domains; `science` covers physics, chemistry and biology too."""
    return is_word(attempts, "domain", *wanted, *(SCIENCE if "science" in wanted else ()))


def numbers(attempts: pa.Table, name: str) -> Floats:
    """A column as floats (n,); a missing value is NaN, and so is a question's own key that holds no number."""
    column = attempts.column(name)
    if pa.types.is_dictionary(column.type) or pa.types.is_string(column.type):
        return np.array([_number(one) for one in column.to_pylist()], dtype=np.float64)
    values: Floats = column.cast(pa.float64()).to_numpy()
    return values


def _number(text: str | None) -> float:
    try:
        return np.nan if text is None else float(text)
    except ValueError:
        return np.nan


def drop_unfinished(attempts: pa.Table, sieve: Sieve) -> None:
    """What every selector agrees on: only a finished answer can become a row."""
    left = sieve.drop("unfinished", ~is_word(attempts, "finish_reason", "stop"))
    if left.any():
        sieve.tell("finish_reason", attempts.column("finish_reason"), left)


def chance(attempts: pa.Table, *salt: Any, of: str = "attempt_id") -> npt.NDArray[np.uint64]:
    """A number (n,) for each attempt that only the salt and its id decide: what random choices rank by."""
    found = np.empty(attempts.num_rows, dtype=np.uint64)
    column = attempts.column(of)
    for start in range(0, len(found), _ROWS):
        ids = column.slice(start, _ROWS).to_pylist()
        found[start : start + len(ids)] = [int(digest(*salt, one)[:16], 16) for one in ids]
    return found


def order(attempts: pa.Table, *keys: npt.NDArray[Any]) -> Codes:
    """Row numbers (n,) sorted by the first key, then the next ones; ties go by `seq` and `sample`, never by place."""
    seqs = attempts.column("seq").to_numpy()
    samples = attempts.column("sample").to_numpy()
    ranked: Codes = np.lexsort((samples, seqs, *reversed(keys)))
    return ranked


def places(groups: Codes, ranked: Codes) -> Codes:
    """The place (n,) of each row among the rows of its group, from 0, when `ranked` (row numbers) is the order.

    Rows that are not in `ranked` have -1.
    """
    found: Codes = np.full(len(groups), -1, dtype=np.int64)
    if not len(ranked):
        return found
    mine = groups[ranked]
    by_group = np.argsort(mine, kind="stable")
    sorted_groups = mine[by_group]
    new = np.concatenate([[True], sorted_groups[1:] != sorted_groups[:-1]])
    starts = np.maximum.accumulate(np.where(new, np.arange(len(mine)), 0))
    found[ranked[by_group]] = np.arange(len(mine)) - starts
    return found


def questions(attempts: pa.Table) -> Codes:
    """A number (n,) for the question of each row: its place in the run."""
    seqs: Codes = attempts.column("seq").to_numpy().astype(np.int64)
    return np.unique(seqs, return_inverse=True)[1].astype(np.int64).reshape(-1)


def directed(values: Floats, prefer: str) -> Floats:
    """Keys (n,) that sort the preferred values first: `highest` or `lowest`; a missing value comes last."""
    return np.where(np.isnan(values), np.inf, -values if prefer == "highest" else values)


def need_numbers(types: Mapping[str, str], *names: str) -> None:
    """Raise ValueError where one of these columns holds no numbers."""
    for name in names:
        if types.get(name, "any") not in ("number", "any"):
            raise ValueError(f"'{name}' is no column of numbers")
