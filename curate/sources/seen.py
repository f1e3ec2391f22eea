"""`Seen`: which ids came by already, in 11 to 21 bytes each where a set of strings takes a hundred."""

from array import array
from hashlib import blake2b


class Seen:
    """A set of 64-bit hashes (open addressing). Two ids in ten million collide with a chance of 3 in a million, so who
    gets True looks again before blaming anybody.
    """

    def __init__(self) -> None:
        self._slots = _empty(1 << 10)
        self._count = 0

    def add(self, value: str) -> bool:
        """Add a value; True where it (or, hardly ever, one with the same hash) was there already."""
        if 4 * self._count > 3 * len(self._slots):
            self._grow()
        key = int.from_bytes(blake2b(value.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big") or 1
        fresh = _put(self._slots, key)
        self._count += fresh
        return not fresh

    def size_bytes(self) -> int:
        """What the set takes."""
        return self._slots.itemsize * len(self._slots)

    def _grow(self) -> None:
        larger = _empty(2 * len(self._slots))
        for key in self._slots:
            if key:
                _put(larger, key)
        self._slots = larger


def _empty(size: int) -> "array[int]":
    return array("Q", bytes(8 * size))


def _put(slots: "array[int]", key: int) -> bool:
    mask = len(slots) - 1
    slot = key & mask
    while slots[slot]:
        if slots[slot] == key:
            return False
        slot = (slot + 1) & mask
    slots[slot] = key
    return True
