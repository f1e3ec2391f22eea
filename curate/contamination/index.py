"""The index of benchmark n-grams that rows stream past, and the survey that weighs them.

Memory goes with the benchmarks (about 1 kB an item) and the batch, never with the rows.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from curate.contamination.grids import Grids, is_grid
from curate.contamination.items import Item, Spelt, distinct, spelt
from curate.contamination.tokens import NUMBER, Speller
from curate.keys import digest

SIZES = (1, 3, 5)
SAMPLE = 100_000  # rows that frequencies are counted in, at most
BATCH_CHARS = 1 << 21
_PACK_SHARE, _PACK_LEAST = 0.05, 10  # an n-gram in more items of a benchmark is its boilerplate
_ROW_SHARE, _ROW_LEAST = 0.02, 50  # an n-gram in more rows is boilerplate of the rows
_WORD_ITEMS = 24  # a word in more items finds none of them
_MOULD_SHARE, _MOULD_LEAST = 0.001, 20  # rows that are alike but for numbers, by which a form is a common one
_HALF_PART = 512  # tokens
_LEVELS = 40
_MIX = np.uint64(0x9E3779B97F4A7C15)
_MUL = np.uint64(0xFF51AFD7ED558CCD)

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Keys = npt.NDArray[np.uint64]


class Shared(NamedTuple):
    """What rows share with items: for each (row, item) pair its weighted containment, by n-gram size; 0 for none."""

    rows: Ints
    items: Ints
    scores: dict[int, Floats]


class Spelled(NamedTuple):
    """Rows as token numbers: `ids` of all of them, and which row each belongs to."""

    ids: Ints
    rows: Ints


def keys_of(ids: Ints, size: int) -> tuple[Ints, Keys]:
    """The places where an n-gram of known tokens begins, and the hash of each."""
    count = len(ids) - size + 1
    if count <= 0:
        return np.zeros(0, np.int64), np.zeros(0, np.uint64)
    bad = np.concatenate(([0], np.cumsum(ids <= 0)))
    places = np.flatnonzero(bad[size:] == bad[:-size])
    found = np.full(len(places), size, np.uint64)
    for step in range(size):
        found = (found ^ ids[places + step].astype(np.uint64)) * _MUL
        found ^= found >> np.uint64(29)
        found *= _MIX
        found ^= found >> np.uint64(32)
    return places, found


def joined(ids: Ints) -> npt.NDArray[np.bool_]:
    """Which tokens stay where neighbouring numbers (id 1) become one and breaks (id -2) go."""
    stay: npt.NDArray[np.bool_] = ids != -2
    stay[1:] &= (ids[1:] != 1) | (ids[:-1] != 1)
    return stay


class _Grams:
    """The n-grams of one size: sorted keys, and the items that hold each."""

    def __init__(self, size: int, found: Sequence[Keys]) -> None:
        self.size = size
        items = np.repeat(np.arange(len(found)), [len(one) for one in found])
        keys = np.concatenate([*found, np.zeros(0, np.uint64)])
        order = np.lexsort((items, keys))
        self.keys, first = np.unique(keys[order], return_index=True)
        self.items = items[order]
        self.starts = np.append(first, len(keys)).astype(np.int64)
        bits = max(16, int(len(self.keys) * 16).bit_length())
        self._shift = np.uint64(64 - bits)
        self._map = np.zeros(1 << bits, np.bool_)
        self._map[(self.keys >> self._shift).astype(np.int64)] = True
        self.live = np.ones(len(self.items), np.bool_)  # postings that count
        self._count()
        self.weight: Floats = np.ones(len(self.keys))
        self.total: Floats = np.zeros(len(found))

    @property
    def gram(self) -> Ints:
        """The n-gram of each posting."""
        return np.repeat(np.arange(len(self.keys)), np.diff(self.starts))

    def _count(self) -> None:
        """Lay out the postings that count: of each n-gram where they begin, and how many they are."""
        self._counting = self.items[self.live]
        self._counted = np.bincount(self.gram[self.live], minlength=len(self.keys)).astype(np.int64)
        self._begin = np.append(0, np.cumsum(self._counted))

    def counts(self, gram: int, item: int) -> bool:
        """Whether an n-gram counts for an item that holds it."""
        start, end = self.starts[gram], self.starts[gram + 1]
        return bool(self.live[start + np.searchsorted(self.items[start:end], item)])

    def look(self, ids: Ints) -> tuple[Ints, Ints]:
        """Where n-grams of the index begin in `ids`, and which."""
        places, keys = keys_of(ids, self.size)
        if not len(self.keys) or not len(places):
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        near = np.flatnonzero(self._map[(keys >> self._shift).astype(np.int64)])
        places, keys = places[near], keys[near]
        at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        hit = self.keys[at] == keys
        return places[hit], at[hit]

    def weigh(self, rows_with: Ints, rows: int, packs: Ints) -> None:
        """Weigh n-grams by how rare they are in rows and items; boilerplate does not count, nor in an item's total.

        An item that would lose more than half of its n-grams keeps them all: it is not made of boilerplate, but
        stands in many rows, or its benchmark is of one mould.
        """
        gram, held = self.gram, np.diff(self.starts)
        self.weight = np.maximum(np.log((rows + len(self.total) + 1) / (rows_with + held)), 0.1)
        sizes = np.bincount(packs)
        pairs, inverse, in_pack = np.unique(
            gram * len(sizes) + packs[self.items], return_inverse=True, return_counts=True
        )
        limit = np.maximum(_PACK_SHARE * sizes, _PACK_LEAST)[pairs % len(sizes)]
        common = (in_pack > limit)[inverse] | (rows_with > max(_ROW_SHARE * rows, _ROW_LEAST))[gram]
        if self.size == 1:
            self.live = ~common & (held <= _WORD_ITEMS)[gram]
        else:
            count = len(self.total)
            lost = np.bincount(self.items, common, count) > 0.5 * np.bincount(self.items, minlength=count)
            self.live = ~common | lost[self.items]
        weights = np.bincount(self.items, self.weight[gram] * self.live, len(self.total))
        self.total = weights.astype(np.float64)
        self._count()

    def share(self, rows: Ints, grams: Ints) -> tuple[Ints, Ints, Floats]:
        """(row, item) pairs and the share of the item's weight that the row's n-grams hold."""
        wide = np.int64(max(len(self.keys), 1))
        some = self._counted[grams] > 0
        pairs = np.unique(rows[some] * wide + grams[some])
        rows, grams = pairs // wide, pairs % wide
        count = self._counted[grams]
        place = np.repeat(self._begin[grams] - np.append(0, np.cumsum(count)[:-1]), count) + np.arange(count.sum())
        items, weights = self._counting[place], np.repeat(self.weight[grams], count)
        found, inverse = np.unique(np.repeat(rows, count) * len(self.total) + items, return_inverse=True)
        got = np.bincount(inverse, weights, len(found))
        rows, items = found // len(self.total), found % len(self.total)
        return rows, items, got / np.maximum(self.total[items], 1e-9)


class Survey:
    """In how many rows each n-gram stands, counted in at most `SAMPLE` rows that their content chooses.

    The same for any order of rows, and for a text that stands there once or often: rows are of level k with
    probability 2^-k-1 by the hash of their text, and the rows counted are those of the lowest level and above that are
    few enough.
    """

    def __init__(self, sizes: dict[int, int]) -> None:
        self.level = 0
        self._rows = [0] * _LEVELS
        self._seen: list[set[bytes]] = [set() for _ in range(_LEVELS)]
        self._counts: dict[int, list[Ints | None]] = {size: [None] * _LEVELS for size in sizes}
        self._sizes = sizes

    @property
    def rows(self) -> int:
        """Rows counted."""
        return sum(self._rows)

    def takes(self, text: str) -> int | None:
        """The level of a text, if it is to be counted."""
        mark = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=12).digest()
        bits = int.from_bytes(mark[:8], "little") | 1 << (_LEVELS - 1)
        level = (bits & -bits).bit_length() - 1
        if level < self.level or mark in self._seen[level]:
            return None
        self._seen[level].add(mark)
        return level

    def count(self, levels: Ints, grams: dict[int, tuple[Ints, Ints]]) -> None:
        """Count a batch: the level of each row, and by size the n-grams found and in which rows (0: whole items)."""
        for level in np.unique(levels).tolist():
            self._rows[level] += int((levels == level).sum())
            for size, (at, found) in grams.items():
                chosen = levels[at] == level
                pairs = np.unique(at[chosen] * np.int64(self._sizes[size] + 1) + found[chosen])
                grown = np.bincount(pairs % (self._sizes[size] + 1), minlength=self._sizes[size])
                known = self._counts[size][level]
                self._counts[size][level] = grown if known is None else known + grown
        while self.rows > SAMPLE:
            self._rows[self.level] = 0
            self._seen[self.level] = set()
            for counts in self._counts.values():
                counts[self.level] = None
            self.level += 1

    def found(self, size: int) -> Ints:
        """The rows counted that hold each n-gram of a size."""
        total = np.zeros(self._sizes[size], np.int64)
        for counts in self._counts[size]:
            if counts is not None:
                total += counts
        return total


class Index:
    """The n-grams of benchmark items. `weigh` it once with a survey of the rows, then `shared` finds pairs."""

    def __init__(self, items: Iterable[Item]) -> None:
        self.items: list[Spelt] = [one for one in map(spelt, distinct(items)) if one.words]
        grids = {number: one for number, one in enumerate(self.items) if is_grid(one)}
        self.grids = Grids(grids)
        vocabulary = sorted({word for one in self.items for word in one.words} - {NUMBER})
        self.speller = Speller(vocabulary)
        self.ids: list[Ints] = [
            np.array([] if number in grids else self.speller.ids(one.words), np.int64)
            for number, one in enumerate(self.items)
        ]
        names = sorted({one.item.bench for one in self.items})
        self._packs = np.array([names.index(one.item.bench) for one in self.items], np.int64)
        self.grams = {size: _Grams(size, [self._keys(ids, size) for ids in self.ids]) for size in SIZES}
        # A short item is found by the whole of it, its sentences in any order.
        orders = [[self.speller.ids(words) for words, _ in one.orders] if one.short else [] for one in self.items]
        self._whole = [
            _Grams(size, [self._wholes(held, size) for held in orders])
            for size in sorted({len(ids) for held in orders for ids in held})
        ]
        self.mould = np.zeros(0, np.bool_)  # short items of a form that many rows have
        nothing = {size: np.zeros(len(grams.keys), np.int64) for size, grams in self.grams.items()}
        self._weigh(0, {0: np.zeros(len(self.items), np.int64), **nothing})

    def held(self, item: int, size: int) -> tuple[Keys, Floats]:
        """The n-grams of an item that count, sorted, and the share of each in its weight."""
        grams = self.grams[size]
        keys = self._keys(self.ids[item], size)
        at = np.searchsorted(grams.keys, keys)
        live = np.array([grams.counts(one, item) for one in at.tolist()], np.bool_)
        weights = grams.weight[at[live]]
        return keys[live], weights / max(weights.sum(), 1e-9)

    def word_weights(self, item: int) -> Floats:
        """How rare each token of an item is; 0 for numbers."""
        grams, ids = self.grams[1], self.ids[item]
        at = np.searchsorted(grams.keys, keys_of(ids, 1)[1])
        return np.where(ids == 1, 0.0, grams.weight[np.minimum(at, len(grams.keys) - 1)])

    @staticmethod
    def _wholes(orders: list[list[int]], size: int) -> Keys:
        found = [keys_of(np.array(ids, np.int64), size)[1] for ids in orders if len(ids) == size]
        return np.unique(np.concatenate([np.zeros(0, np.uint64), *found]))

    @staticmethod
    def _keys(ids: Ints, size: int) -> Keys:
        return np.unique(keys_of(ids[ids != 1] if size == 1 else ids, size)[1])

    def spell(self, texts: Sequence[str]) -> Spelled:
        """The tokens of a batch of rows."""
        ids = np.array(self.speller.spell(texts), np.int64)
        rows = np.cumsum(ids == -1)
        rows[ids == -1] -= 1
        stay = joined(ids)
        return Spelled(ids[stay], rows[stay])

    def survey(self) -> Survey:
        """A survey to be filled by `surveyed`."""
        return Survey({size: len(grams.keys) for size, grams in self.grams.items()} | {0: len(self.items)})

    def surveyed(self, survey: Survey, texts: Sequence[str]) -> None:
        """Count a batch of rows."""
        levels = [survey.takes(text) for text in texts]
        taken = [(text, level) for text, level in zip(texts, levels, strict=True) if level is not None]
        for batch in batches([text for text, _ in taken]):
            part = taken[batch.start : batch.stop]
            spelled = self.spell([text for text, _ in part])
            hits = {size: grams.look(spelled.ids) for size, grams in self.grams.items()}
            found = {size: (spelled.rows[places], which) for size, (places, which) in hits.items()}
            survey.count(np.array([level for _, level in part], np.int64), found | {0: self._moulded(spelled)})

    def _moulded(self, spelled: Spelled) -> tuple[Ints, Ints]:
        """Rows that are a short item but for the numbers, and that item."""
        lengths = np.bincount(spelled.rows, spelled.ids != -1)
        rows, items = self._wholly(spelled)
        whole = lengths[rows] == np.array([len(ids) for ids in self.ids])[items]
        return rows[whole], items[whole]

    def _wholly(self, spelled: Spelled) -> tuple[Ints, Ints]:
        """Rows that hold the whole of a short item, numbers masked, and that item."""
        rows, items = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        for whole in self._whole:
            places, hits = whole.look(spelled.ids)
            for place, hit in zip(places.tolist(), hits.tolist(), strict=True):
                held = whole.items[whole.starts[hit] : whole.starts[hit + 1]]
                items.append(held)
                rows.append(np.full(len(held), spelled.rows[place]))
        return np.concatenate(rows), np.concatenate(items)

    def weigh(self, survey: Survey) -> None:
        """Weigh the n-grams by a survey of the rows that will be looked at."""
        self._weigh(survey.rows, {size: survey.found(size) for size in (0, *SIZES)})

    def _weigh(self, rows: int, found: dict[int, Ints]) -> None:
        self._counted: dict[str, Any] = {
            "rows": np.array(rows),
            **{str(size): counts for size, counts in found.items()},
        }
        self.mould = found[0] > max(_MOULD_SHARE * rows, _MOULD_LEAST)
        for size, grams in self.grams.items():
            grams.weigh(found[size], rows, self._packs)

    def remember(self, path: Path) -> None:
        """Write what was counted to a file, all or nothing."""
        draft = path.with_suffix(".tmp")
        with draft.open("wb") as file:
            np.savez(file, **self._counted)
        draft.replace(path)

    def mark(self) -> str:
        """A hash of what was counted: with the items it decides every finding."""
        return digest([[name, array.tobytes().hex()] for name, array in sorted(self._counted.items())])

    def recalled(self, path: Path) -> bool:
        """Weigh by what `remember` wrote about the same items, if it is there."""
        if not path.exists():
            return False
        with np.load(path, allow_pickle=False) as counted:
            self._weigh(int(counted["rows"]), {size: counted[str(size)] for size in (0, *SIZES)})
        return True

    def shared(self, spelled: Spelled) -> Shared:
        """Every (row, item) pair with something in common, in order. A short item found whole scores 1 at size 0."""
        found = []
        parts = _Parts(spelled)
        for size, grams in self.grams.items():
            places, hits = grams.look(spelled.ids)
            which, part = parts.of(places)
            at, items, values = grams.share(part, hits[which])
            found.append((size, at // parts.wide, items, values))
        rows, items = self._wholly(spelled)
        found.append((0, rows, items, np.ones(len(items))))
        wide = np.int64(max(len(self.items), 1))
        pairs = np.unique(np.concatenate([rows * wide + items for _, rows, items, _ in found]))
        scores = {size: np.zeros(len(pairs)) for size in (0, *SIZES)}
        for size, rows, items, values in found:
            np.maximum.at(scores[size], np.searchsorted(pairs, rows * wide + items), values)
        return Shared(pairs // wide, pairs % wide, scores)


class _Parts:
    """Long rows in parts that overlap by half, so that what is scattered over a long text is not taken together."""

    def __init__(self, spelled: Spelled) -> None:
        count = int(spelled.rows[-1]) + 1 if len(spelled.rows) else 0
        self._first = np.searchsorted(spelled.rows, np.arange(count))
        self._long = np.bincount(spelled.rows, minlength=count) > 2 * _HALF_PART
        self._rows = spelled.rows
        self.wide = np.int64(len(spelled.rows) // _HALF_PART + 2)

    def of(self, places: Ints) -> tuple[Ints, Ints]:
        """The parts that tokens stand in, as row * `wide` + number: which of the tokens, and the part."""
        rows = self._rows[places]
        number = np.where(self._long[rows], (places - self._first[rows]) // _HALF_PART, 0)
        before = np.flatnonzero(number > 0)
        which = np.concatenate([np.arange(len(places)), before])
        part = np.concatenate([rows * self.wide + number, rows[before] * self.wide + number[before] - 1])
        return which, part


def batches(texts: Sequence[str]) -> Iterator[range]:
    """Ranges of texts of about `BATCH_CHARS` characters together."""
    start = size = 0
    for number, text in enumerate(texts):
        if size and size + len(text) > BATCH_CHARS:
            yield range(start, number)
            start, size = number, 0
        size += len(text) + 1
    if start < len(texts):
        yield range(start, len(texts))
