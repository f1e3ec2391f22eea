"""Which tests to keep under a cap on their bytes: small, edge and large ones, in turn.

Keeping only the longest inputs misses the edges, keeping only the first ones misses the load: each kind takes its turn
until nothing more fits.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sandbox.model import Assert, Call, Case

_NUMBER = re.compile(r"-?\d{1,30}")
_LOOKED = 4096  # characters of an input in which extreme numbers are looked for


class Capped(NamedTuple):
    """What is kept: the numbers of the tests, ascending, and how many were taken as what."""

    kept: tuple[int, ...]
    taken: dict[str, int]


def cap(cases: Sequence[Case], most: int) -> Capped:
    """Tests of at most `most` characters together, always the first one.

    `small`: the shortest first; `large`: the longest that still fits in half of what is left; `edge`: rare expected
    outputs and extreme numbers first. Ties go by number, so that the choice repeats.
    """
    texts = [_texts(case) for case in cases]
    sizes = [len(given) + len(expected) for given, expected in texts]
    kept, taken = {0}, Counter({"first": 1})
    left = most - sizes[0]
    queues = {"small": iter(_order(sizes)), "edge": iter(_edges(texts)), "large": iter(_order([-s for s in sizes]))}
    while queues:
        for kind, queue in list(queues.items()):
            room = left // 2 if kind == "large" else left
            number = next((one for one in queue if one not in kept and sizes[one] <= room), None)
            if number is None:
                del queues[kind]
                continue
            kept.add(number)
            taken[kind] += 1
            left -= sizes[number]
    return Capped(tuple(sorted(kept)), dict(taken))


def _order(values: Sequence[float]) -> list[int]:
    return sorted(range(len(values)), key=lambda number: (values[number], number))


def _edges(texts: Sequence[tuple[str, str]]) -> Iterator[int]:
    """Numbers of tests, the rarest expected outputs first, extreme numbers in the input before ordinary ones."""
    often = Counter(expected[:_LOOKED] for _, expected in texts)
    scores = [(often[expected[:_LOOKED]], -_extreme(given)) for given, expected in texts]
    yield from sorted(range(len(texts)), key=lambda number: (scores[number], number))


def _extreme(given: str) -> int:
    """The largest absolute number; an input without any, or with nothing in it, is extreme too."""
    numbers = [abs(int(one)) for one in _NUMBER.findall(given[:_LOOKED])]
    return max(numbers) if numbers and any(numbers) else 10**30


def _texts(case: Case) -> tuple[str, str]:
    if isinstance(case, Assert):
        return case.code, ""
    if isinstance(case, Call):
        return _json(list(case.args)), _json(case.expected)
    return case.input, case.expected


def _json(value: object) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, default=str)
    except ValueError:  # a number of more than 4,300 digits
        return "0" * 5000
