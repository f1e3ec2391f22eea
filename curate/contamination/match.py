"""Which rows hold which benchmark items, by tiers, each with its evidence.

The index proposes pairs; each is then looked at closely. Tiers: `exact` (all words and numbers in order), `ngram` (half
of the item's weight in 5-grams, numbers masked), `number_changed` (the same with other numbers), `fuzzy` (misspelt or
scanned, sentence by sentence), `short` (items of few words), and `candidate`, which is no finding but worth a look.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from rapidfuzz import fuzz

from curate.contamination.grids import Grid
from curate.contamination.index import Floats, Index, Ints, Shared, batches, keys_of
from curate.contamination.items import PRIVATE, Item, Spelt, in_one, signs_of, unwrapped
from curate.contamination.tokens import NUMBER, Token, spell

Tier = Literal["exact", "ngram", "number_changed", "fuzzy", "short", "judge", "candidate", "embedding"]
TIERS: tuple[Tier, ...] = ("exact", "ngram", "number_changed", "fuzzy", "short", "judge", "candidate", "embedding")
LIKE: tuple[Tier, ...] = ("candidate", "embedding")  # likeness, and no finding
NGRAM = 0.5  # containment by 5-grams
NEAR = 0.3  # containment by 3-grams
FUZZY = 0.83  # likeness of the sentences
MAYBE = 0.7  # likeness of a candidate's
_WORDS, _WORDS_NEAR = 0.4, 0.08  # containment by rare words, and by 3-grams beside it
_RATIO = 90.0  # likeness of a whole short item with the same numbers
_ROOM, _LEAST_ROOM = 3, 60  # a window of a long row: times the item's tokens, tokens
_MOST = 20  # pairs of a row that are looked at
_SPANS, _GAP = 8, 3
_BARE = 150  # tokens of a row that may be a short item with instructions around it
_PIECE = 0.6  # likeness of a sentence below which it is not there
_WHOLE, _ALL = 0.97, 0.995  # likeness at which nothing but numbers differs; of an item of few words
_SURE, _BRIEF = 25, 0.8  # tokens below which an item with other numbers needs this containment
_ALIKE = 90.0  # likeness, in its own order and with its numbers, that such an item needs when misspelt


class Found(NamedTuple):
    """A pair of a row and an item. `spans` are (start, end) characters of the row's text."""

    item: Item
    tier: Tier
    score: float
    spans: tuple[tuple[int, int], ...]
    number_changed: bool
    judged: dict[str, Any] | None = None  # what a model said of the pair

    def evidence(self, text: str, *, private: bool = False) -> dict[str, Any]:
        """What is told of it: places and, unless it or another item in the row is private, what stands there."""
        hidden = private or self.item.private
        shown = [
            {"start": start, "end": end} | ({} if hidden else {"text": _cut(text[start:end])})
            for start, end in self.spans
        ]
        told = {**self.short(), "number_changed": self.number_changed, "spans": shown}
        if self.judged is None:
            return told
        # A judge's sentence may quote the row.
        return {**told, "judge": {name: one for name, one in self.judged.items() if not (hidden and name == "why")}}

    def counts(self, drop: Sequence[str]) -> bool:
        """Whether it is dropped where these tiers are: not what a judge calls another problem."""
        return self.tier in drop and not (self.judged is not None and self.judged["verdict"] == "different")

    def strength(self) -> tuple[int, float, str, str]:
        """A sort key: the strongest findings first."""
        return TIERS.index(self.tier), -self.score, self.item.bench, self.item.item

    def short(self) -> dict[str, Any]:
        """Which item, by what and how surely."""
        told = {"bench": self.item.bench, "item": self.item.item, "tier": self.tier, "score": self.score}
        return {**told, PRIVATE: True} if self.item.private else told


class Matcher:
    """Looks at rows for the items of a weighed index."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._held: dict[tuple[int, int], tuple[Any, Floats]] = {}

    def find(self, texts: Sequence[str]) -> list[list[Found]]:
        """What each text holds, the strongest first; candidates last."""
        found: list[list[Found]] = [[] for _ in texts]
        for batch in batches(texts):
            shared = self._index.shared(self._index.spell([texts[number] for number in batch]))
            for row, items in _candidates(shared).items():
                number = batch.start + row
                close = _Row(texts[number], self._index)
                pairs = (self._pair(close, item) for item in items[:_MOST])
                found[number] = sorted((one for one in pairs if one is not None), key=Found.strength)
        for number, text in enumerate(texts):
            if grids := [self._grid(grid) for grid in self._index.grids.find(text, NGRAM)]:
                found[number] = sorted([*found[number], *grids], key=Found.strength)
        return found

    def _grid(self, grid: Grid) -> Found:
        item = self._index.items[grid.item].item
        return Found(item, "ngram" if grid.score < 1 else "exact", grid.score, grid.spans, False)

    def _pair(self, row: "_Row", number: int) -> Found | None:
        spelt = self._index.items[number]
        place = row.exactly(spelt)
        if place is not None and not (spelt.short and row.signs(place) not in ("", spelt.signs)):
            return Found(spelt.item, "exact", 1.0, (row.span(*place),), False)
        if spelt.short:
            return self._short(row, number)
        start, end = row.window(self._keys(number, 3), len(spelt.words))
        by_five, by_three = (row.share(self._keys(number, size), start, end, size) for size in (5, 3))
        spans = row.spans(self._keys(number, 3)[0], start, end)
        missing = _missing(spelt.digits, row.digits(start, end))
        brief = len(spelt.words) < _SURE
        if by_five >= (_BRIEF if brief and missing else NGRAM):
            tier: Tier = "number_changed" if missing else "ngram"
            return Found(spelt.item, tier, round(by_five, 4), spans, missing > 0)
        like = self._likeness(row, number, start, end)
        if missing and like >= (_ALL if brief else _WHOLE):
            return Found(spelt.item, "number_changed", round(like, 4), spans, True)
        if like >= FUZZY:
            near: Tier = "fuzzy"
            if missing > (self._spared(spelt) if brief else 0.5):
                near = "candidate" if brief else "number_changed"
            elif brief and like < _WHOLE and row.likeness(spelt, start, end) < _ALIKE:
                near = "candidate"  # "Determine all values of x for which" and another equation
            return Found(spelt.item, near, round(like, 4), spans, missing > 0)
        if by_three >= NEAR or like >= MAYBE:
            return Found(spelt.item, "candidate", round(max(by_three, 0.0), 4), spans, missing > 0)
        return None

    @staticmethod
    def _spared(spelt: Spelt) -> float:
        """The share of a brief item's numbers that may be missing: one of several may be a misspelt word."""
        count = sum(len(one.split()) for one in spelt.digits)
        return max(0.25, 1 / count) if count > 1 else 0.25

    def _short(self, row: "_Row", number: int) -> Found | None:
        """An item of few words: the same words and numbers, or the whole row is it but for its numbers or spelling."""
        spelt = self._index.items[number]
        bare = row.bare()
        ends = ((bare[0].start, bare[-1].end),) if bare else ()
        signs = signs_of(row.text[bare[0].start : bare[-1].end]) if bare else ""
        if signs == spelt.signs and tuple(token.word for token in bare) in {words for words, _ in spelt.orders}:
            tier: Tier = "candidate" if self._index.mould[number] else "number_changed"
            return Found(spelt.item, tier, 1.0, ends, True)
        missing = _missing(spelt.digits, [token.digits for token in bare if token.digits])
        like = fuzz.ratio(_plain(bare), _read(spelt.plain()), score_cutoff=_RATIO)
        if like and not missing:
            return Found(spelt.item, "short", round(like / 100, 4), ends, False)
        return None

    def _keys(self, number: int, size: int) -> tuple[Any, Floats]:
        if (number, size) not in self._held:
            if len(self._held) > 4096:
                self._held.clear()
            self._held[number, size] = self._index.held(number, size)
        return self._held[number, size]

    def _likeness(self, row: "_Row", number: int, start: int, end: int) -> float:
        """How well each sentence of an item is found in a window, wherever it stands there; weighed by rare words."""
        spelt, words = self._index.items[number], self._index.word_weights(number)
        there = _read(" ".join(token.word for token in row.tokens[start:end]))
        got = total = 0.0
        for first, last in spelt.pieces:
            piece = _read(" ".join(spelt.words[first:last]))
            weight = float(words[first:last].sum())
            whole = min(1.0, len(there) / len(piece))  # a window shorter than the piece cannot hold it
            got += weight * whole * fuzz.partial_ratio(piece, there, score_cutoff=100 * _PIECE) / 100
            total += weight
        return got / max(total, 1e-9)


class _Row:
    """One row, looked at closely."""

    def __init__(self, text: str, index: Index) -> None:
        self.text, self._index = text, index
        self.tokens = spell(text)
        self._ids: Ints = np.array(index.speller.ids(token.word for token in self.tokens), np.int64)
        self._grams: dict[int, tuple[Ints, Any]] = {}
        self._words = f" {' '.join(_word(token) for token in self.tokens)} "
        self._bare: list[Token] | None = None

    def exactly(self, spelt: Spelt) -> tuple[int, int] | None:
        """The tokens (start, end) that are all words and numbers of an item, in order."""
        for words, numbers in spelt.orders:
            whole = f" {in_one(words, numbers)} "
            at = self._words.find(whole)
            if at >= 0:
                start = self._words.count(" ", 0, at)
                return start, start + len(words)
        return None

    def bare(self) -> list[Token]:
        """Its tokens without instructions around them; none of a row that is too long to be a short item."""
        if self._bare is None and len(self.tokens) > _BARE:
            self._bare = []
        if self._bare is None:
            bare = unwrapped(self.text)
            offset = max(self.text.find(bare), 0)
            moved = [token._replace(start=token.start + offset, end=token.end + offset) for token in spell(bare)]
            self._bare = self.tokens if bare == self.text else moved
        return self._bare

    def signs(self, place: tuple[int, int]) -> str:
        """The operators between tokens of a place."""
        start, end = self.span(*place)
        return signs_of(self.text[start:end])

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The characters of tokens."""
        return self.tokens[start].start, self.tokens[end - 1].end

    def digits(self, start: int, end: int) -> list[str]:
        """The numbers among tokens."""
        return [token.digits for token in self.tokens[start:end] if token.digits]

    def window(self, held: tuple[Any, Floats], length: int) -> tuple[int, int]:
        """The tokens (start, end) that hold most of an item's weight, and enough around it."""
        room = max(_ROOM * length, _LEAST_ROOM)
        if len(self.tokens) <= room:
            return 0, len(self.tokens)
        places, which = self._hits(held[0], 3)
        best, got, first, inside = (-1.0, 0), 0.0, 0, Counter[int]()
        for place, gram in zip(places.tolist(), which.tolist(), strict=True):
            got += 0.0 if inside[gram] else float(held[1][gram])
            inside[gram] += 1
            while place - places[first] > room - 2 * length // 2 - 3:
                left = int(which[first])
                inside[left] -= 1
                got -= 0.0 if inside[left] else float(held[1][left])
                first += 1
            best = max(best, (round(got, 9), -int(places[first])))
        start = max(-best[1] - length // 2, 0)
        return start, min(start + room, len(self.tokens))

    def likeness(self, spelt: Spelt, start: int, end: int) -> float:
        """How well the whole of an item, in its order and with its numbers, is found among the tokens: 0 to 100."""
        return fuzz.partial_ratio(_read(spelt.plain()), _plain(self.tokens[start:end]))

    def share(self, held: tuple[Any, Floats], start: int, end: int, size: int) -> float:
        """The share of an item's weight among the tokens."""
        places, which = self._hits(held[0], size)
        inside = (places >= start) & (places + size <= end)
        return float(held[1][np.unique(which[inside])].sum())

    def spans(self, keys: Any, start: int, end: int) -> tuple[tuple[int, int], ...]:
        """Characters of what is shared among the tokens, the longest pieces, in order."""
        runs: list[list[int]] = []
        for place in self._hits(keys, 3)[0].tolist():
            if start <= place and place + 3 <= end:
                if runs and place - runs[-1][1] <= _GAP:
                    runs[-1][1] = place + 3
                else:
                    runs.append([place, place + 3])
        longest = sorted(sorted(runs, key=lambda run: run[0] - run[1])[:_SPANS])
        return tuple(self.span(*run) for run in longest)

    def _hits(self, keys: Any, size: int) -> tuple[Ints, Ints]:
        if size not in self._grams:
            self._grams[size] = keys_of(self._ids, size)
        places, grams = self._grams[size]
        if not len(keys) or not len(places):
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        at = np.minimum(np.searchsorted(keys, grams), len(keys) - 1)
        hit = keys[at] == grams
        return places[hit], at[hit]


def _candidates(shared: Shared) -> dict[int, list[int]]:
    """The items to look at closely, by row, the most alike first."""
    scores = shared.scores
    near = (scores[5] >= NGRAM) | (scores[3] >= NEAR) | (scores[0] > 0)
    near |= (scores[1] >= _WORDS) & (scores[3] >= _WORDS_NEAR)
    alike = scores[5] + scores[3] + scores[1] + 3 * scores[0]
    found: dict[int, list[tuple[float, int]]] = {}
    for place in np.flatnonzero(near).tolist():
        found.setdefault(int(shared.rows[place]), []).append((-float(alike[place]), int(shared.items[place])))
    return {row: [item for _, item in sorted(items)] for row, items in found.items()}


def _missing(wanted: Sequence[str], there: Sequence[str]) -> float:
    """The share of an item's numbers that are not there: 0 to 1. Numbers side by side may be one, or apart."""
    if not wanted:
        return 0.0
    lacks = []
    for part in (str.split, lambda digits: [digits.replace(" ", "")]):
        needed = Counter(one for digits in wanted for one in part(digits))
        held = Counter(one for digits in there for one in part(digits))
        lacks.append((needed - held).total() / needed.total())
    return min(lacks)


def _word(token: Token) -> str:
    return token.digits.replace(" ", "") if token.word == NUMBER else token.word


def _plain(tokens: Sequence[Token]) -> str:
    return _read(" ".join(map(_word, tokens)))


def _read(text: str) -> str:
    """As a scanner reads: letters that it takes for others are one."""
    return text.replace("rn", "m").replace("vv", "w").replace("cl", "d")


def _cut(text: str) -> str:
    return text if len(text) <= 200 else text[:199] + "…"
