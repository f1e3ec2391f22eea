"""The index that the page filters by: a few bytes a row, filled by a thread while the page is already open."""

import threading
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from curate.errors import VeristillError
from curate.view.shelf import Facets, Shelf

FACETS = ("domain", "source", "outcome", "reason")
NONE = "(none)"  # what a null is called


@dataclass(frozen=True)
class Filters:
    """What the reader wants to see: per facet the values (none: all), and the length in characters."""

    chosen: Mapping[str, frozenset[str]] = field(default_factory=dict)
    shortest: int | None = None
    longest: int | None = None


class Index:
    """Facet codes and lengths of every row. `fill` runs in a thread of its own; everything else may be called anytime.

    Memory: 8 bytes a row and 4 for each facet that the dataset has.
    """

    def __init__(self, shelf: Shelf, texts: list[str]) -> None:
        self._shelf, self._texts = shelf, texts
        self.facets = tuple(name for name in FACETS if name in shelf.columns)
        self._codes = {name: array("i") for name in self.facets}
        self._names: dict[str, dict[str, int]] = {name: {} for name in self.facets}
        self._lengths = array("q")
        self._lock = threading.Lock()
        self._rows = 0
        self._ended = threading.Event()
        self.listed = False  # every row is known
        self.measured = False  # and so is every length
        self.trouble: str | None = None

    def start(self) -> None:
        """Fill in the background."""
        threading.Thread(target=self.fill, name="veristill-index", daemon=True).start()

    def fill(self) -> None:
        """Read the facets of every row, then the lengths; what goes wrong stands in `trouble`."""
        try:
            for batch in self._shelf.facets(self.facets):
                self._add(batch)
                if self._ended.is_set():
                    return
            self.listed = True
            for lengths in self._shelf.lengths(self._texts) if self._texts else ():
                with self._lock:
                    self._lengths.extend(lengths)
                if self._ended.is_set():
                    return
            self.measured = True
        except VeristillError as error:
            self.trouble = str(error)
        # Boundary to the readers of foreign files: the page shows what they raise.
        except Exception as error:  # noqa: BLE001 - the boundary to foreign files
            self.trouble = f"{self._shelf.name}: {type(error).__name__}: {error}"

    def stop(self) -> None:
        """Let the thread end soon."""
        self._ended.set()

    def __len__(self) -> int:
        return self._rows

    @property
    def lengths_known(self) -> int:
        """Rows whose length is known by now."""
        return len(self._lengths)

    def values(self, facet: str, most: int = 500) -> dict[str, int]:
        """The most frequent values of a facet with their number of rows, most frequent first."""
        with self._lock:
            names = list(self._names[facet])
            counts = np.bincount(np.array(self._codes[facet], dtype=np.int32), minlength=len(names))
        order = sorted(range(len(names)), key=lambda code: (-int(counts[code]), names[code]))
        return {names[code]: int(counts[code]) for code in order[:most]}

    def matching(self, filters: Filters) -> "np.ndarray[Any, np.dtype[np.int64]]":
        """The numbers of the rows that a filter lets through, ascending. A length not known yet does not match."""
        with self._lock:
            mask = np.ones(self._rows, dtype=np.bool_)
            for facet, values in filters.chosen.items():
                if values and facet in self._codes:
                    codes = [self._names[facet][value] for value in values if value in self._names[facet]]
                    mask &= np.isin(np.array(self._codes[facet], dtype=np.int32)[: self._rows], codes)
            if filters.shortest is not None or filters.longest is not None:
                lengths = np.full(self._rows, -1, dtype=np.int64)
                lengths[: len(self._lengths)] = np.array(self._lengths, dtype=np.int64)[: self._rows]
                mask &= lengths >= max(filters.shortest or 0, 0)
                if filters.longest is not None:
                    mask &= lengths <= filters.longest
        found: np.ndarray[Any, np.dtype[np.int64]] = np.flatnonzero(mask).astype(np.int64)
        return found

    def _add(self, batch: Facets) -> None:
        with self._lock:
            for facet in self.facets:
                names = self._names[facet]
                self._codes[facet].extend(
                    names.setdefault(NONE if value is None else value, len(names)) for value in batch.columns[facet]
                )
            self._rows += batch.rows
