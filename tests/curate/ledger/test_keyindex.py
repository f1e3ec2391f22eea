"""The index of sealed records finds what a plain dictionary would, halves of keys that collide included."""

import random

import pytest

from curate.keyindex import KeyIndex


@pytest.mark.parametrize("seed", range(4))
def test_it_finds_what_a_dictionary_finds(seed: int) -> None:
    chance = random.Random(seed)
    # Few first and second halves, so that many keys share one of them, and some stand twice.
    halves = [chance.randbytes(8) for _ in range(12)]
    index, known = KeyIndex(), dict[str, list[tuple[int, int]]]()
    for segment in range(9):
        keys = [chance.choice(halves) + chance.choice(halves) for _ in range(chance.randrange(40))]
        index.add(segment, b"".join(keys))
        for row, key in enumerate(keys):
            known.setdefault(key.hex(), []).append((segment, row))
    every = [(first + second).hex() for first in halves for second in halves] + [chance.randbytes(16).hex()]

    def wanted(keys: list[str]) -> list[tuple[str, int, int]]:
        places = [(key, *place) for key in keys for place in known.get(key, [])]
        return sorted(places, key=lambda one: (-one[1], -one[2]))

    assert index.find(every) == wanted(every)
    for one in every:
        assert index.find([one]) == wanted([one])
    assert index.find([]) == KeyIndex().find(every) == []
