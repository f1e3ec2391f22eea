"""Choices: what a selector thinks of each attempt, column by column, so that a million opinions take some megabytes."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, overload

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.kinds import Opinion

KEPT = -1
Evidence = Mapping[str, pa.Array | pa.ChunkedArray]
_ROWS = 8192  # turned into Python objects at a time


class Choices(Sequence[Opinion]):
    """A sequence of opinions that is kept as arrays: about a byte a row, and what the evidence takes.

    `codes` (n,) says for each row which of the `reasons` dropped it, or KEPT. `evidence` has n values for each name;
    null leaves the name out of that row's evidence. `notes` are told to the user.
    """

    def __init__(
        self, codes: npt.NDArray[np.int8], reasons: Sequence[str], evidence: Evidence, notes: Sequence[str] = ()
    ) -> None:
        self.codes, self.reasons, self.evidence, self.notes = codes, tuple(reasons), dict(evidence), tuple(notes)
        for name, values in self.evidence.items():
            if len(values) != len(codes):
                raise ValueError(f"evidence '{name}' has {len(values)} values for {len(codes)} rows")

    @property
    def kept(self) -> npt.NDArray[np.bool_]:
        """Which rows are kept."""
        mask: npt.NDArray[np.bool_] = self.codes == KEPT
        return mask

    def __len__(self) -> int:
        return len(self.codes)

    @overload
    def __getitem__(self, row: int) -> Opinion: ...
    @overload
    def __getitem__(self, row: slice) -> list[Opinion]: ...
    def __getitem__(self, row: int | slice) -> Opinion | list[Opinion]:
        if isinstance(row, slice):
            start, stop, step = row.indices(len(self))
            return (
                list(self._between(start, max(start, stop)))
                if step == 1
                else [self[one] for one in range(start, stop, step)]
            )
        if not -len(self) <= row < len(self):
            raise IndexError(row)
        return next(self._between(row % len(self), row % len(self) + 1))

    def __iter__(self) -> Iterator[Opinion]:
        for start in range(0, len(self), _ROWS):
            yield from self._between(start, min(start + _ROWS, len(self)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def _between(self, start: int, stop: int) -> Iterator[Opinion]:
        columns = [values.slice(start, stop - start).to_pylist() for values in self.evidence.values()]
        for row, code in enumerate(self.codes[start:stop].tolist()):
            given = {name: column[row] for name, column in zip(self.evidence, columns, strict=True)}
            evidence = {name: _plain(value) for name, value in given.items() if value is not None}
            yield Opinion(code == KEPT, None if code == KEPT else self.reasons[code], evidence)


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


class Sieve:
    """Makes Choices: rows are dropped reason by reason, the first one counts; what nothing drops is kept."""

    def __init__(self, rows: int) -> None:
        self.codes: npt.NDArray[np.int8] = np.full(rows, KEPT, dtype=np.int8)
        self._reasons: list[str] = []
        self._evidence: dict[str, pa.Array | pa.ChunkedArray] = {}
        self.notes: list[str] = []

    @property
    def open(self) -> npt.NDArray[np.bool_]:
        """The rows that nothing has dropped yet."""
        mask: npt.NDArray[np.bool_] = self.codes == KEPT
        return mask

    def drop(self, reason: str, which: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Drop those of `which` (n,) that are still kept; returns the rows that it was the reason for."""
        mine: npt.NDArray[np.bool_] = which & self.open
        if reason not in self._reasons:
            self._reasons.append(reason)
        self.codes[mine] = self._reasons.index(reason)
        return mine

    def tell(
        self,
        name: str,
        values: "npt.NDArray[Any] | pa.Array | pa.ChunkedArray",
        where: npt.NDArray[np.bool_] | None = None,
    ) -> None:
        """Add evidence: the values (n,) under `name`, of the rows `where`. NaN is no value."""
        if isinstance(values, np.ndarray):
            values = pa.array(values, from_pandas=True)
        if where is not None and not where.all():
            values = _only(values, where)
        self._evidence[name] = values

    def choices(self) -> Choices:
        """What it came to."""
        return Choices(self.codes, self._reasons, self._evidence, self.notes)


def _only(values: "pa.Array | pa.ChunkedArray", where: npt.NDArray[np.bool_]) -> "pa.Array | pa.ChunkedArray":
    return values.take(pa.array(np.arange(len(where)), mask=~where))
