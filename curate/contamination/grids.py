"""Items that show grids of numbers, such as those of ARC: found by their digits, since masked they are all alike."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from curate.contamination.items import Spelt

_RUN = re.compile(r"\d(?:[^\w]*\d)*")
_DIGITS = re.compile(r"\D+")
_SIZE = 16  # digits of a window
_LEAST_RUN = 6  # digits of a run that says anything
_ROWS = re.compile(r"\d(?:[\s,;|\[\]]*\d)*")  # numbers with nothing between them that is part of a formula
_RUNS, _SHARE = 4, 0.15  # grids of such an item, and the share of their digits in all letters and digits


class Grid(NamedTuple):
    """A place in the rows where such an item stands: the item's number, the share of its weight found, the places."""

    item: int
    score: float
    spans: tuple[tuple[int, int], ...]


def is_grid(spelt: Spelt) -> bool:
    """Whether an item shows grids of numbers, several of them."""
    runs = [len(_DIGITS.sub("", run)) for run in _ROWS.findall(spelt.item.text)]
    grids = [digits for digits in runs if digits >= _LEAST_RUN]
    return len(grids) >= _RUNS and sum(grids) >= _SHARE * sum(one.isalnum() for one in spelt.item.text)


class Grids:
    """The windows of digits of all such items, each weighed by how few of the items hold it."""

    def __init__(self, items: dict[int, Spelt]) -> None:
        held = {number: set(_windows(spelt.item.text)) for number, spelt in items.items()}
        often = Counter(window for windows in held.values() for window in windows)
        self._weight = {window: math.log(1 + len(items) / count) for window, count in often.items()}
        self._total = {number: sum(self._weight[one] for one in windows) for number, windows in held.items()}
        self._holders: dict[str, list[int]] = defaultdict(list)
        for number, windows in sorted(held.items()):
            for window in windows:
                self._holders[window].append(number)

    def find(self, text: str, least: float) -> list[Grid]:
        """The items of which at least the share `least` stands in a text, the most whole first."""
        if not self._holders:
            return []
        windows = _windows(text)
        got: Counter[int] = Counter()
        for window in windows:
            for number in self._holders.get(window, ()):
                got[number] += self._weight[window]  # type: ignore[assignment]  # a Counter of floats
        scores = [(got[number] / self._total[number], number) for number in got]
        return [
            Grid(number, round(min(score, 1.0), 4), self._spans(windows, number))
            for score, number in sorted(scores, key=lambda one: (-one[0], one[1]))
            if score >= least
        ]

    def _spans(self, windows: dict[str, tuple[int, int]], number: int) -> tuple[tuple[int, int], ...]:
        places = [place for window, place in windows.items() if number in self._holders.get(window, ())]
        return ((min(start for start, _ in places), max(end for _, end in places)),)


def _windows(text: str) -> dict[str, tuple[int, int]]:
    """The windows of digits of a text and the characters of the run that each stands in; all alike digits are none."""
    found: dict[str, tuple[int, int]] = {}
    for run in _RUN.finditer(text):
        digits = _DIGITS.sub("", run.group())
        if len(digits) >= _LEAST_RUN:
            for window in _cut(digits):
                if len(set(window)) > 1:
                    found.setdefault(window, run.span())
    return found


def _cut(digits: str) -> Sequence[str]:
    return [digits[start : start + _SIZE] for start in range(max(1, len(digits) - _SIZE + 1))]
